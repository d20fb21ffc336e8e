//! `match` statements: which case a subject that is known takes, and what its pattern binds.

use std::rc::Rc;

use ruff_python_ast::{
    CmpOp, Identifier, Pattern, PatternMatchClass, PatternMatchMapping, PatternMatchSequence,
    Singleton, StmtMatch,
};

use super::ancestors::ancestors;
use super::blocks::Ending;
use super::classes::fields;
use super::objects::{Held, class_of, look_along};
use super::{Evaluated, Interpreter};
use crate::value::{Class, ClassKind, Scope, Value};

/// What a pattern binds if it fits.
type Captured<'a> = Vec<(&'a Identifier, Value<'a>)>;

impl<'a> Interpreter<'a> {
    /// Runs the case that fits; `None` if it is not known which does.
    pub(super) fn matched(
        &self,
        choice: &'a StmtMatch,
        subject: &Value<'a>,
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<Option<Ending<'a>>> {
        for case in &choice.cases {
            let mut captured = Captured::new();
            match self.fits(&case.pattern, subject, scope, &mut captured)? {
                Some(true) => {}
                Some(false) => continue,
                None => return Ok(None),
            }
            for (name, value) in captured {
                self.set(scope, &scope.mangled(name.as_str()), value);
            }
            if let Some(guard) = &case.guard {
                let test = self.value(guard, scope)?;
                match self.condition(&test)? {
                    Some(true) => {}
                    Some(false) => continue,
                    None => return Ok(None),
                }
            }
            return self.run_body(&case.body, scope).map(Some);
        }
        Ok(Some(Ending::Fell))
    }

    fn fits(
        &self,
        pattern: &'a Pattern,
        subject: &Value<'a>,
        scope: &Rc<Scope<'a>>,
        captured: &mut Captured<'a>,
    ) -> Evaluated<Option<bool>> {
        if matches!(subject, Value::Unknown(_) | Value::External(_)) && !is_irrefutable(pattern) {
            return Ok(None);
        }
        match pattern {
            Pattern::MatchValue(value) => {
                let value = self.value(&value.value, scope)?;
                let is_equal = self.compared(CmpOp::Eq, subject, &value)?;
                self.condition(&is_equal)
            }
            Pattern::MatchSingleton(single) => {
                let value = match single.value {
                    Singleton::None => Value::None,
                    Singleton::True => Value::Bool(true),
                    Singleton::False => Value::Bool(false),
                };
                let is_plain = subject.is_constant() || class_of(subject).is_some();
                Ok(match Self::compare(CmpOp::Is, subject, &value) {
                    None if is_plain => Some(false),
                    known => known,
                })
            }
            Pattern::MatchAs(known) => {
                if let Some(pattern) = &known.pattern {
                    match self.fits(pattern, subject, scope, captured)? {
                        Some(true) => {}
                        other => return Ok(other),
                    }
                }
                captured.extend(known.name.as_ref().map(|name| (name, subject.clone())));
                Ok(Some(true))
            }
            Pattern::MatchOr(choices) => {
                for pattern in &choices.patterns {
                    let mut own = Captured::new();
                    match self.fits(pattern, subject, scope, &mut own)? {
                        Some(true) => {
                            captured.extend(own);
                            return Ok(Some(true));
                        }
                        Some(false) => {}
                        None => return Ok(None),
                    }
                }
                Ok(Some(false))
            }
            Pattern::MatchSequence(sequence) => {
                self.fits_sequence(sequence, subject, scope, captured)
            }
            Pattern::MatchMapping(mapping) => self.fits_mapping(mapping, subject, scope, captured),
            Pattern::MatchClass(class) => self.fits_class(class, subject, scope, captured),
            Pattern::MatchStar(_) => Ok(None),
        }
    }

    fn fits_sequence(
        &self,
        sequence: &'a PatternMatchSequence,
        subject: &Value<'a>,
        scope: &Rc<Scope<'a>>,
        captured: &mut Captured<'a>,
    ) -> Evaluated<Option<bool>> {
        let items = match subject {
            Value::List(items) | Value::Tuple(items) if subject.lost().is_none() => items.to_vec(),
            Value::View(_) => return Ok(None),
            other if other.is_constant() && !matches!(other, Value::Std(_)) => {
                return Ok(Some(false));
            }
            _ => return Ok(None),
        };
        let patterns = &sequence.patterns;
        let star = patterns.iter().position(|pattern| matches!(pattern, Pattern::MatchStar(_)));
        let has_length = match star {
            None => items.len() == patterns.len(),
            Some(_) => items.len() + 1 >= patterns.len(),
        };
        if !has_length {
            return Ok(Some(false));
        }
        let behind = star.map_or(0, |star| patterns.len() - star - 1);
        for (at, pattern) in patterns.iter().enumerate() {
            let place = match star {
                Some(star) if at == star => {
                    let middle = items.get(star..items.len() - behind).unwrap_or_default();
                    if let Pattern::MatchStar(rest) = pattern {
                        let rest = rest.name.as_ref();
                        captured.extend(rest.map(|name| (name, Value::list(middle.to_vec()))));
                    }
                    continue;
                }
                Some(star) if at > star => items.len() - (patterns.len() - at),
                _ => at,
            };
            let Some(item) = items.get(place) else { return Ok(None) };
            match self.fits(pattern, item, scope, captured)? {
                Some(true) => {}
                other => return Ok(other),
            }
        }
        Ok(Some(true))
    }

    fn fits_mapping(
        &self,
        mapping: &'a PatternMatchMapping,
        subject: &Value<'a>,
        scope: &Rc<Scope<'a>>,
        captured: &mut Captured<'a>,
    ) -> Evaluated<Option<bool>> {
        let entries = match subject {
            Value::Dict(entries) if entries.lost().is_none() => entries,
            other if other.is_constant() && !matches!(other, Value::Std(_)) => {
                return Ok(Some(false));
            }
            _ => return Ok(None),
        };
        let mut rest = entries.to_vec();
        for (key, pattern) in mapping.keys.iter().zip(&mapping.patterns) {
            let key = self.value(key, scope)?;
            match Self::look_up(entries, &key) {
                Ok(Some(item)) => match self.fits(pattern, &item, scope, captured)? {
                    Some(true) => {}
                    other => return Ok(other),
                },
                Ok(None) => return Ok(Some(false)),
                Err(_) => return Ok(None),
            }
            rest.retain(|(known, _)| super::equality::is_equal(known, &key) != Some(true));
        }
        captured.extend(mapping.rest.as_ref().map(|name| (name, Value::dict(rest))));
        Ok(Some(true))
    }

    fn fits_class(
        &self,
        pattern: &'a PatternMatchClass,
        subject: &Value<'a>,
        scope: &Rc<Scope<'a>>,
        captured: &mut Captured<'a>,
    ) -> Evaluated<Option<bool>> {
        let class = self.value(&pattern.cls, scope)?;
        match super::reflection::is_instance(subject, &class) {
            Some(true) => {}
            other => return Ok(other),
        }
        let mut parts: Vec<(String, &'a Pattern)> = Vec::new();
        match (&class, &pattern.arguments.patterns[..]) {
            (_, []) => {}
            // `int(x)` takes the number itself.
            (Value::Symbol(_), [inner]) => match self.fits(inner, subject, scope, captured)? {
                Some(true) => {}
                other => return Ok(other),
            },
            (Value::Class(class), patterns) => {
                let Some(names) = places(class).filter(|names| names.len() >= patterns.len())
                else {
                    return Ok(None);
                };
                parts.extend(names.into_iter().zip(patterns));
            }
            _ => return Ok(None),
        }
        for named in &pattern.arguments.keywords {
            parts.push((named.attr.as_str().to_owned(), &named.pattern));
        }
        for (name, pattern) in parts {
            let value = match self.attribute(subject, &name) {
                Ok(Value::Bound(_)) => return Ok(None),
                Ok(value) => value,
                Err(raised) if raised.kind == "AttributeError" => return Ok(Some(false)),
                Err(raised) => return Err(raised),
            };
            match self.fits(pattern, &value, scope, captured)? {
                Some(true) => {}
                other => return Ok(other),
            }
        }
        Ok(Some(true))
    }
}

/// The attributes that positional patterns of a class stand for.
fn places(class: &Rc<Class<'_>>) -> Option<Vec<String>> {
    match look_along(&ancestors(class), "__match_args__") {
        Held::Found(Value::Tuple(names)) => {
            names.iter().map(|name| name.as_str().map(str::to_owned)).collect()
        }
        Held::Missing if class.kind.get() == ClassKind::Dataclass => {
            Some(fields(class).into_iter().map(|field| field.name.to_string()).collect())
        }
        _ => None,
    }
}

fn is_irrefutable(pattern: &Pattern) -> bool {
    match pattern {
        Pattern::MatchAs(known) => known.pattern.as_deref().is_none_or(is_irrefutable),
        _ => false,
    }
}
