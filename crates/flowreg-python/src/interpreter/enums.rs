//! Enums: members, aliases, `auto()`, and the functional form.

use std::rc::Rc;

use super::Interpreter;
use super::ancestors::own_ancestors;
use super::equality::is_equal;
use crate::number::Int;
use crate::value::{Class, ClassKind, Keywords, Member, Text, Value, keyword};

/// The type that an enum mixes in (`class Color(str, Enum)`), by its ancestors.
pub(super) fn mixin(ancestors: &[Value<'_>]) -> Option<&'static str> {
    ancestors.iter().find_map(|ancestor| match ancestor {
        Value::Class(class) => class.mixin,
        Value::Symbol(path) => match &**path {
            "builtins.str" | "enum.StrEnum" => Some("str"),
            "builtins.int" | "enum.IntEnum" | "enum.IntFlag" => Some("int"),
            "builtins.float" => Some("float"),
            _ => None,
        },
        _ => None,
    })
}

/// A method by which an enum of the repository makes its values.
fn enum_hook<'a>(class: &Rc<Class<'a>>, name: &str) -> Option<Value<'a>> {
    own_ancestors(class).iter().find_map(|ancestor| match ancestor.scope.own(name)? {
        Value::Wrapped(inner, _) => Some((*inner).clone()),
        other => Some(other),
    })
}

fn fits_mixin(mixin: Option<&str>, value: &Value<'_>) -> bool {
    matches!(
        (mixin, value),
        (None, _)
            | (Some("str"), Value::Str(_))
            | (Some("int"), Value::Int(_))
            | (Some("float"), Value::Float(_))
    )
}

fn inherits(class: &Class<'_>, path: &str) -> bool {
    class.ancestors.iter().any(|ancestor| ancestor.is_symbol(path))
}

impl<'a> Interpreter<'a> {
    /// Finds the members of an enum class in its body.
    pub(super) fn fill_enum(&self, class: &Rc<Class<'a>>) {
        // Hooks by which an enum makes its values with code.
        let hooks = ["_missing_", "__init__", "_ignore_"];
        for ancestor in own_ancestors(class) {
            if hooks.iter().any(|hook| ancestor.scope.own(hook).is_some()) {
                self.lose_methods(class);
                let why = format!("`{}` makes its members with its own code", class.name);
                *class.obstacle.borrow_mut() = Some(Rc::new(crate::value::Unknown {
                    why,
                    at: self.here(),
                    is_flow_like: false,
                }));
            }
        }
        let ignored = class.scope.own("_ignore_");
        let names = class.scope.names.borrow().snapshot();
        if names.iter().any(|(_, value)| matches!(value, Value::Class(_))) {
            let why = format!("`{}` has a class among its members", class.name);
            *class.obstacle.borrow_mut() =
                Some(Rc::new(crate::value::Unknown { why, at: self.here(), is_flow_like: false }));
        }
        let mut values: Vec<Value<'a>> = Vec::new();
        let mut automatic: Vec<(Rc<()>, Value<'a>)> = Vec::new();
        for (name, value) in names {
            // `_name_` and `__name__` are for `enum` itself, and a name that Python mangles is no
            // member.
            let is_private = name.starts_with('_') && (name.ends_with('_') || ignored.is_some())
                || is_private_name(class, &name);
            if is_private || is_descriptor(&value) {
                continue;
            }
            let auto = match &value {
                Value::Auto(auto) => Some(Rc::clone(auto)),
                _ => None,
            };
            // In `A = auto()` and `B = A` both names stand for the same object, so `B` is an alias.
            let known = automatic
                .iter()
                .find(|(known, _)| auto.as_ref().is_some_and(|auto| Rc::ptr_eq(known, auto)));
            let value = match known {
                Some((_, value)) => value.clone(),
                None => self.own_value(class, &name, value, &values),
            };
            if let Value::Unknown(_) = value
                && (enum_hook(class, "__new__").is_some()
                    || enum_hook(class, "_generate_next_value_").is_some())
            {
                let why = format!("`{}` makes its members with its own code", class.name);
                *class.obstacle.borrow_mut() = Some(Rc::new(crate::value::Unknown {
                    why,
                    at: self.here(),
                    is_flow_like: false,
                }));
            }
            if let Some(auto) = auto {
                automatic.push((auto, value.clone()));
            }
            values.push(value.clone());
            Self::add_member(class, &name, value);
        }
    }

    /// The value of a member, as the class says it.
    fn own_value(
        &self,
        class: &Rc<Class<'a>>,
        name: &Text,
        value: Value<'a>,
        before: &[Value<'a>],
    ) -> Value<'a> {
        let value = match (&value, enum_hook(class, "_generate_next_value_")) {
            (Value::Auto(_), Some(hook)) => {
                let count = Value::int(i128::try_from(before.len()).unwrap_or(0));
                let known = Value::list(before.to_vec());
                let given = [Value::Str(Rc::clone(name)), Value::int(1), count, known];
                self.call(&hook, &given, &Keywords::new())
                    .unwrap_or_else(|_| self.unknown("a value that an enum makes"))
            }
            _ => value,
        };
        // It may set `_value_`.
        if enum_hook(class, "__init__").is_some() {
            return self.unknown(format!("`{}` makes its members with its own code", class.name));
        }
        match enum_hook(class, "__new__") {
            Some(maker) => self.made_member(class, &maker, name, &value),
            None => self.member_value(class, name, value, before),
        }
    }

    /// The value of a member that the `__new__` of its class makes.
    fn made_member(
        &self,
        class: &Rc<Class<'a>>,
        maker: &Value<'a>,
        name: &str,
        value: &Value<'a>,
    ) -> Value<'a> {
        let mut given = vec![Value::Class(Rc::clone(class))];
        match value {
            Value::Tuple(items) => given.extend(items.iter().cloned()),
            Value::Auto(_) => return self.unknown("an `auto()` that is given to `__new__`"),
            other => given.push(other.clone()),
        }
        let made = self.call(maker, &given, &Keywords::new());
        let set = match &made {
            Ok(Value::Opaque(opaque)) => opaque
                .attributes
                .as_ref()
                .filter(|all| all.lost().is_none())
                .and_then(|all| keyword(all, "_value_").cloned()),
            _ => None,
        };
        match set {
            Some(set) if fits_mixin(class.mixin, &set) => set,
            _ => self.unknown(format!("the value of `{}.{name}` is made by `__new__`", class.name)),
        }
    }

    fn add_member(class: &Rc<Class<'a>>, name: &Text, value: Value<'a>) {
        let mut members = class.members.borrow_mut();
        let is_same = |known: &Value<'a>| is_equal(known, &value);
        let may_be_alias = members.iter().any(|(_, member)| is_same(&member.value).is_none());
        let alias = members
            .iter()
            // Members with equal values are aliases of the first; Python compares with `==`, so
            // `True` is one of `1`.
            .find(|(_, member)| is_same(&member.value) == Some(true))
            .map(|(_, member)| Rc::clone(member));
        let member = alias.unwrap_or_else(|| {
            Rc::new(Member {
                class_name: Rc::clone(&class.name),
                mixin: class.mixin,
                name: Rc::clone(name),
                value,
                may_be_alias,
            })
        });
        members.push((Rc::clone(name), member));
    }

    fn member_value(
        &self,
        class: &Class<'a>,
        name: &str,
        value: Value<'a>,
        before: &[Value<'a>],
    ) -> Value<'a> {
        let value = match value {
            Value::Auto(_) => return self.automatic(class, name, before),
            other => other,
        };
        match (class.mixin, &value) {
            (None, _)
            | (Some("str"), Value::Str(_))
            | (Some("int"), Value::Int(_))
            | (Some("float"), Value::Float(_))
            | (_, Value::Unknown(_)) => value,
            (Some("int"), Value::Bool(truth)) => Value::int(i128::from(*truth)),
            (Some("float"), Value::Int(int)) => Value::Float(int.to_float()),
            // `class A(str, Enum)` with `X = 1`: the member is the text "1" and its `value` is 1.
            _ => self.unknown(format!("the value of `{}.{name}` is converted", class.name)),
        }
    }

    fn automatic(&self, class: &Class<'a>, name: &str, before: &[Value<'a>]) -> Value<'a> {
        let number = |value: &Value<'a>| match value {
            Value::Int(Int::Small(number)) => Some(*number),
            _ => None,
        };
        if inherits(class, "enum.StrEnum") {
            return Value::text(name.to_lowercase());
        }
        if inherits(class, "enum.IntFlag") || inherits(class, "enum.Flag") {
            // A flag takes the bit above the highest one used.
            let highest = before.iter().filter_map(number).filter(|number| *number > 0).max();
            let bit = highest.map_or(0, |number| 128 - number.leading_zeros());
            return Value::int(1_i128.checked_shl(bit).unwrap_or(0));
        }
        if class.mixin == Some("str") {
            // `auto()` counts here as well, and `str` makes a text of the number.
            return self.unknown(format!("`{}.{name}` is an `auto()` text", class.name));
        }
        if before.iter().any(|value| number(value).is_none()) {
            return self.unknown(format!("`{}.{name}` follows other values", class.name));
        }
        Value::int(before.iter().filter_map(number).max().unwrap_or(0).saturating_add(1))
    }

    /// `Enum("Name", ...)`.
    pub(super) fn functional_enum(
        &self,
        base: &str,
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
    ) -> Value<'a> {
        let [Value::Str(name), members] = arguments else {
            return self.unknown("an enum with members that are not known");
        };
        let start = match keywords.as_slice() {
            [] => 1,
            [(key, Value::Int(Int::Small(start)))] if &**key == "start" => *start,
            _ => return self.unknown("an enum made with keyword arguments"),
        };
        let Some(items) = functional_members(members, base == "enum.StrEnum", start) else {
            return self.unknown_because(members, "the members of an enum");
        };
        let mut class = self.made_class(name, ClassKind::Enum, Keywords::new());
        if let Some(class) = Rc::get_mut(&mut class) {
            class.ancestors = vec![Value::symbol(base)];
            class.mixin = mixin(&class.ancestors);
        }
        for (name, value) in items {
            class.scope.set(&name, value);
        }
        self.fill_enum(&class);
        Value::Class(class)
    }
}

/// Values that are methods or descriptors, not members.
fn is_descriptor(value: &Value<'_>) -> bool {
    matches!(
        value,
        Value::Function(_)
            | Value::Wrapped(..)
            | Value::Class(_)
            | Value::Opaque(_)
            | Value::Flow(_)
    )
}

/// Whether Python mangles a name in its class (`__x`); such a name is no member of an enum.
fn is_private_name(class: &Class<'_>, name: &str) -> bool {
    let rest = name.strip_prefix(&format!("_{}__", class.name.trim_start_matches('_')));
    rest.or_else(|| name.strip_prefix("__")).is_some_and(|rest| !rest.is_empty())
}

fn functional_members<'a>(
    members: &Value<'a>,
    is_text: bool,
    start: i128,
) -> Option<Vec<(String, Value<'a>)>> {
    let numbered = |names: Vec<String>| {
        let value = |at: i128, name: &str| {
            if is_text { Value::text(name.to_lowercase()) } else { Value::int(at) }
        };
        (start..).zip(names).map(|(at, name)| (name.clone(), value(at, &name))).collect()
    };
    let is_repeated = |items: &[(String, Value<'a>)]| {
        items.iter().enumerate().any(|(at, (name, _))| {
            items.iter().take(at).any(|(known, _)| known == name) || name.starts_with('_')
        })
    };
    let items = functional_items(members, numbered)?;
    (!is_repeated(&items)).then_some(items)
}

fn functional_items<'a>(
    members: &Value<'a>,
    numbered: impl Fn(Vec<String>) -> Vec<(String, Value<'a>)>,
) -> Option<Vec<(String, Value<'a>)>> {
    match members {
        Value::Str(text) => {
            let names = text.replace(',', " ");
            Some(numbered(names.split_whitespace().map(str::to_owned).collect()))
        }
        Value::List(items) | Value::Tuple(items) => {
            let names: Option<Vec<String>> =
                items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
            if let Some(names) = names {
                return Some(numbered(names));
            }
            items
                .iter()
                .map(|item| match item {
                    Value::Tuple(pair) | Value::List(pair) => match &pair[..] {
                        [Value::Str(name), value] => Some((name.to_string(), value.clone())),
                        _ => None,
                    },
                    _ => None,
                })
                .collect()
        }
        Value::Dict(entries) => entries
            .iter()
            .map(|(key, value)| Some((key.as_str()?.to_owned(), value.clone())))
            .collect(),
        _ => None,
    }
}
