//! Dictionaries that are written down: `{key: value, **more}`.

use std::rc::Rc;

use super::certain::{class_name, is_unhashable};
use super::equality::is_same_key;
use super::{Evaluated, Interpreter};
use crate::value::{Scope, Value};

impl<'a> Interpreter<'a> {
    pub(super) fn dictionary(
        &self,
        dict: &'a ruff_python_ast::ExprDict,
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<Value<'a>> {
        let mut entries = Vec::with_capacity(dict.items.len());
        for item in &dict.items {
            // Python evaluates a key before its value.
            let key = item.key.as_ref().map(|key| self.value(key, scope)).transpose()?;
            let value = self.kept(self.value(&item.value, scope)?);
            let Some(key) = key else {
                let Value::Dict(more) = &value else {
                    if value.is_constant() {
                        let message = format!("'{}' object is not a mapping", class_name(&value));
                        return self.raise("TypeError", message);
                    }
                    return Ok(self.unknown_because(&value, "an unpacked dictionary"));
                };
                // A repeated key keeps its place and takes the last value.
                for (key, value) in more.iter() {
                    Self::put(&mut entries, key.clone(), value.clone());
                }
                continue;
            };
            if is_unhashable(&key) {
                return self.unhashable(&key);
            }
            self.note_implicit_use([&key]);
            if entries.iter().any(|(known, _)| is_same_key(known, &key).is_none()) {
                return Ok(self.unknown("keys of which it is not known whether they are equal"));
            }
            // Whether an unknown key equals one of the others decides which value counts.
            if let Some(unknown) = key.find_unknown(self.here()) {
                return Ok(Value::Unknown(unknown));
            }
            Self::put(&mut entries, key, value);
        }
        Ok(Value::dict(entries))
    }
}
