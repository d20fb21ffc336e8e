//! Reading attributes: of modules, classes, members, instances, and the few of constants that are
//! known. An attribute that may be a method becomes [`Value::Bound`], and is judged when it is called.

use std::rc::Rc;

use super::ancestors::{ancestors, own_ancestors};
use super::certain::class_name;
use super::objects::{Held, accessor, look_along};
use super::{Evaluated, Interpreter};
use crate::default::std_value::{StdValue, join_path};
use crate::flows;
use crate::symbols;
use crate::value::{
    Class, ClassKind, FlowObject, Function, Keywords, MethodKind, Partial, Value, keyword,
};

impl<'a> Interpreter<'a> {
    pub(crate) fn attribute(&self, owner: &Value<'a>, name: &str) -> Evaluated<Value<'a>> {
        if let Some(value) = self.reaching_attribute(owner, name) {
            return Ok(value);
        }
        Ok(match owner {
            Value::Unknown(_) => owner.clone(),
            Value::External(path) => Value::External(format!("{path}.{name}").into()),
            // Enums of the standard library: the tables do not have their members.
            Value::Symbol(path) if name == "__name__" && has_name(path) => {
                Value::text(path.trim_start_matches("builtins."))
            }
            Value::Symbol(path) if matches!(&**path, "http.HTTPStatus" | "enum.Enum") => {
                self.unknown(format!("`{path}.{name}` is not looked up"))
            }
            // Other constants have too many methods to list; what is missing there becomes unknown
            // when it is called.
            Value::None | Value::Int(_) | Value::Bool(_) if !has_attribute(owner, name) => {
                let class = class_name(owner);
                let message = format!("'{class}' object has no attribute '{name}'");
                return self.raise("AttributeError", message);
            }
            Value::Symbol(path) => {
                let full = format!("{path}.{name}");
                if let Some(value) = symbols::value(&full, self.here(), self.python()) {
                    if let Some(why) = symbols::may_lack(&full) {
                        self.note_possible_error(why);
                    }
                    value
                } else {
                    let message = format!("module '{path}' has no attribute '{name}'");
                    return self.raise("AttributeError", message);
                }
            }
            Value::Module(imported) => {
                let value = self.module_attribute(imported, name);
                let Some(value) = value.or_else(|| self.lacking(imported, name)) else {
                    let module = &imported.module.name;
                    let message = format!("module '{module}' has no attribute '{name}'");
                    return self.raise("AttributeError", message);
                };
                value
            }
            Value::Class(class) => self.class_attribute(owner, class, name),
            Value::Field(info) if info.is_pydantic && name == "default" => {
                match keyword(&info.keywords, "default") {
                    Some(value) => value.clone(),
                    None => self.unknown("a field without a default"),
                }
            }
            Value::Member(member) => match name {
                "value" => member.value.clone(),
                "name" if member.may_be_alias => {
                    self.unknown(format!("`{}` may be another name", member.name))
                }
                "name" => Value::Str(Rc::clone(&member.name)),
                _ => self.unknown(format!("`{}.{name}`", member.class_name)),
            },
            Value::Instance(instance) => match keyword(&instance.fields, name) {
                _ if instance.fields.lost().is_some() => owner.clone().unless_lost(),
                Some(value) => value.clone(),
                None if let Held::Found(
                    value @ (Value::Function(_) | Value::Wrapped(..) | Value::Opaque(_)),
                ) = look_along(&ancestors(&instance.class), name) =>
                {
                    self.bound_to(owner, &instance.class, value)?
                }
                None if lacks(&instance.class, name) => {
                    let message =
                        format!("'{}' object has no attribute '{name}'", instance.class.name);
                    return self.raise("AttributeError", message);
                }
                None => Value::Bound(Rc::new((owner.clone(), name.into()))),
            },
            Value::Super(of) => self.super_attribute(&of.0, &of.1, name)?,
            Value::Opaque(opaque) => match (&opaque.class, &opaque.attributes) {
                (Some(class), Some(attributes)) => {
                    self.object_attribute(owner, class, attributes, name)?
                }
                (None, Some(_))
                    if accessor(owner, "fget").is_some()
                        || opaque.what == "a template"
                        || (opaque.what == "task" && name == "with_options") =>
                {
                    Value::Bound(Rc::new((owner.clone(), name.into())))
                }
                (None, Some(attributes)) => match (attributes.lost(), keyword(attributes, name)) {
                    (Some(lost), _) => Value::Unknown(Rc::clone(lost)),
                    (None, Some(value)) => value.clone(),
                    (None, None) if opaque.what == "an object" && !name.starts_with("__") => {
                        let message = format!("object has no attribute '{name}'");
                        return self.raise("AttributeError", message);
                    }
                    (None, None) => {
                        let unknown =
                            self.unknown(format!("`{name}` is an attribute of an object"));
                        self.note_may_be(&unknown, [owner.clone()]);
                        unknown
                    }
                },
                (Some(class), None) => match self.class_attribute(owner, class, name) {
                    // A flow in the class of an object is the same flow on the object. Other
                    // attributes may have been set by `__init__`.
                    flow @ Value::Flow(_) => flow,
                    held => {
                        let why = format!("`{name}` is an attribute of an object");
                        let unknown = self.unknown(why);
                        self.note_may_be(&unknown, [held]);
                        unknown
                    }
                },
                (None, None) => self.unknown(format!("`{name}` is an attribute of an object")),
            },
            Value::Function(function) => self.function_attribute(owner, function, name),
            Value::Flow(flow) => Self::flow_attribute(owner, flow, name),
            Value::Made(_) => self
                .made_attribute(owner, name)
                .unwrap_or_else(|| Value::Bound(Rc::new((owner.clone(), name.into())))),
            Value::Std(StdValue::Path(path, kind)) => match (name, path_part(path, name)) {
                ("parent", Some(part)) => Value::Std(StdValue::Path(part.into(), *kind)),
                (_, Some(part)) => Value::text(part),
                (_, None) => Value::Bound(Rc::new((owner.clone(), name.into()))),
            },
            Value::Std(StdValue::Date(date) | StdValue::DateTime(date, _))
                if matches!(name, "year" | "month" | "day") =>
            {
                Value::int(i128::from(match name {
                    "year" => date.year,
                    "month" => date.month,
                    _ => date.day,
                }))
            }
            _ => Value::Bound(Rc::new((owner.clone(), name.into()))),
        })
    }

    fn class_attribute(&self, owner: &Value<'a>, class: &Rc<Class<'a>>, name: &str) -> Value<'a> {
        if has_own_metaclass(class) {
            let unknown = self.unknown(format!("`{}` has a metaclass", class.name));
            let held = own_ancestors(class);
            let held = held.iter().filter_map(|ancestor| ancestor.scope.own(name));
            self.note_may_be(&unknown, held.chain([owner.clone()]));
            return unknown;
        }
        for ancestor in ancestors(class) {
            let Value::Class(ancestor) = &ancestor else {
                // It may have the attribute.
                if matches!(ancestor, Value::External(_) | Value::Unknown(_)) {
                    return self.unknown_because(&ancestor, "a base class");
                }
                continue;
            };
            if ancestor.kind.get() == ClassKind::Enum {
                let members = ancestor.members.borrow();
                if let Some((_, member)) = members.iter().find(|(known, _)| &**known == name) {
                    return Value::Member(Rc::clone(member));
                }
            }
            if let Some(value) = ancestor.scope.own(name) {
                if is_descriptor(&value) {
                    return self.unknown(format!("`{name}` has a `__get__` of its own"));
                }
                return match (value.unless_lost(), owner) {
                    (Value::Wrapped(inner, MethodKind::Class), Value::Class(owner))
                        if !inner.is_flow_like() =>
                    {
                        Value::Partial(Rc::new(Partial {
                            function: (*inner).clone(),
                            arguments: vec![Value::Class(Rc::clone(owner))],
                            keywords: Keywords::new(),
                        }))
                    }
                    // Reading a static method from the class gives its function.
                    (Value::Wrapped(inner, _), _) => (*inner).clone(),
                    (other, _) => other,
                };
            }
        }
        let is_known = class.obstacle.borrow().is_none();
        match name {
            "__name__" => return Value::Str(Rc::clone(&class.name)),
            "__qualname__" if is_known => return Value::Str(Rc::clone(&class.qualname)),
            "__module__" if is_known => {
                return class
                    .scope
                    .top()
                    .own("__name__")
                    .unwrap_or_else(|| self.unknown("the name of the module"));
            }
            // pydantic and `dataclasses` set it themselves.
            "__doc__" if is_known && class.kind.get() == ClassKind::Plain => {
                return class.docstring.clone().map_or(Value::None, Value::Str);
            }
            _ => {}
        }
        if class.kind.get() == ClassKind::Enum
            && class.obstacle.borrow().is_none()
            && !name.starts_with('_')
        {
            let why = format!("the enum `{}` may have no `{name}`", class.name);
            self.note_possible_error(why.clone());
            return self.unknown(why);
        }
        Value::Bound(Rc::new((owner.clone(), name.into())))
    }

    fn flow_attribute(owner: &Value<'a>, flow: &FlowObject<'a>, name: &str) -> Value<'a> {
        let function = flows::function(flow);
        if let Some(lost) = flows::why_lost(flow, function.as_deref()) {
            return Value::Unknown(lost);
        }
        if let Some(value) = keyword(&flow.attributes.borrow(), name) {
            return value.clone();
        }
        match (name, flows::flow_name(flow, function.as_deref())) {
            ("name", Ok(Ok(name))) => Value::text(name),
            ("fn" | "__wrapped__", _) => flow.function.clone(),
            // What was computed when the flow was made is computed anew for a deployment.
            ("parameters", _) => Value::unknown("the parameters of a flow as it was made", flow.at),
            _ => Value::Bound(Rc::new((owner.clone(), name.into()))),
        }
    }

    fn function_attribute(
        &self,
        owner: &Value<'a>,
        function: &Function<'a>,
        name: &str,
    ) -> Value<'a> {
        if let Some(lost) = function.lost.get() {
            return Value::Unknown(Rc::clone(lost));
        }
        if let Some(value) = keyword(&function.attributes.borrow(), name) {
            return value.clone();
        }
        match name {
            "__name__" => Value::Str(Rc::clone(&function.name)),
            "__doc__" => function.docstring.clone().map_or(Value::None, Value::Str),
            "__qualname__" => Value::Str(Rc::clone(&function.qualname)),
            _ => self
                .signature_part(function, name)
                .unwrap_or_else(|| Value::Bound(Rc::new((owner.clone(), name.into())))),
        }
    }
}

/// Whether a class has a metaclass that may say itself what the attributes of the class are.
fn has_own_metaclass(class: &Rc<Class<'_>>) -> bool {
    own_ancestors(class).iter().flat_map(|ancestor| &ancestor.keywords).any(|(name, value)| {
        let is_plain = value.as_symbol().is_some_and(|path| {
            matches!(path, "abc.ABCMeta" | "builtins.type" | "enum.EnumMeta" | "enum.EnumType")
        });
        matches!(&**name, "metaclass" | "**") && !is_plain
    })
}

/// Whether reading an attribute of a class runs code of the object that the class has there.
fn is_descriptor(value: &Value<'_>) -> bool {
    let class = match value {
        Value::Opaque(opaque) => opaque.class.as_ref(),
        Value::Instance(instance) => Some(&instance.class),
        _ => None,
    };
    class.is_some_and(|class| {
        own_ancestors(class).iter().any(|ancestor| ancestor.scope.own("__get__").is_some())
    })
}

/// Whether the `__name__` of a symbol is its path: a module at the top, or a builtin.
fn has_name(path: &str) -> bool {
    match path.strip_prefix("builtins.") {
        Some(name) => !name.contains('.') && !name.starts_with('_'),
        None => !path.contains('.') && symbols::is_standard(path),
    }
}

fn has_attribute(owner: &Value<'_>, name: &str) -> bool {
    let of_numbers = [
        "real",
        "imag",
        "numerator",
        "denominator",
        "conjugate",
        "bit_length",
        "bit_count",
        "to_bytes",
        "from_bytes",
        "as_integer_ratio",
        "is_integer",
    ];
    name.starts_with("__") || (!matches!(owner, Value::None) && of_numbers.contains(&name))
}

/// Whether instances of a plain dataclass or named tuple certainly have no attribute of this name.
fn lacks(class: &Rc<Class<'_>>, name: &str) -> bool {
    let is_tuples = name.starts_with('_') || matches!(name, "count" | "index");
    let is_plain = match class.kind.get() {
        ClassKind::Dataclass => true,
        ClassKind::NamedTuple => !is_tuples,
        _ => false,
    };
    is_plain
        && !name.starts_with("__")
        && ancestors(class).iter().all(|ancestor| match ancestor {
            Value::Class(class) => {
                class.obstacle.borrow().is_none()
                    && class.scope.own(name).is_none()
                    && class.scope.own("__getattr__").is_none()
            }
            Value::Symbol(path) => matches!(&**path, "builtins.object" | "typing.NamedTuple"),
            _ => false,
        })
}

fn path_part(path: &str, name: &str) -> Option<String> {
    let (parent, last) = match path.rsplit_once('/') {
        Some(("", last)) => ("/", last),
        Some((parent, last)) => (parent, last),
        None => (".", path),
    };
    let dot = last.rfind('.').filter(|at| *at > 0 && *at + 1 < last.len());
    let part = match name {
        "parent" => return Some(join_path(&[parent])),
        "name" => last,
        "stem" => last.get(..dot.unwrap_or(last.len()))?,
        "suffix" => last.get(dot.unwrap_or(last.len())..)?,
        _ => return None,
    };
    (!matches!(path, "." | "/")).then(|| part.to_owned())
}
