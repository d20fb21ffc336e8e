//! Instances of classes of the repository, as defaults and constants.
//!
//! An instance is computed only where pydantic would keep every value as it is given, or turn an
//! integer into a float. What else its validation would convert is unknown, and what it may refuse
//! is a possible error of the script.

use std::rc::Rc;

use super::ancestors::own_ancestors;
use super::classes::{ClassField, fields, is_pydantic_dataclass};
use super::equality::{is_equal, is_identical};
use super::inline::may_raise;
use super::{Evaluated, Interpreter};
use crate::schema::fields::{FieldAlias, alias, configuration, is_class_variable, metadata_info};
use crate::schema::types::origin_class;
use crate::value::{
    Annotation, Class, ClassKind, FieldInfo, Instance, Keywords, Object, Type, Value, keyword,
    set_keyword,
};

/// Methods that run when an instance is made.
const MAKERS: &[&str] = &["__init__", "__post_init__", "model_post_init", "__new__"];

/// How deeply a type may be nested against which a value is checked; the walk takes the product of
/// all choices on the way. What is deeper is unknown.
pub(super) const DEEPEST_VALIDATED: u32 = 6;

/// What validation makes of a value.
enum Validated {
    Kept,
    Float,
    NotKnown,
}

/// What a field has when nothing is given.
pub(crate) enum FieldDefault<'a> {
    Required,
    Value(Value<'a>),
    NotKnown,
}

impl<'a> Interpreter<'a> {
    pub(super) fn instantiate(
        &self,
        class: &Rc<Class<'a>>,
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
    ) -> Evaluated<Value<'a>> {
        let name = &class.name;
        let is_followed_later = matches!(
            class.kind.get(),
            ClassKind::Enum
                | ClassKind::Plain
                | ClassKind::Model
                | ClassKind::Dataclass
                | ClassKind::DataclassChild
                | ClassKind::NamedTuple
        );
        if !is_followed_later {
            self.lose_methods(class);
        }
        self.check_abstract(class)?;
        Ok(match class.kind.get() {
            ClassKind::Enum => match arguments {
                [value] => {
                    let members = class.members.borrow();
                    // `Color("red")` looks a member up by its value.
                    let member = members
                        .iter()
                        .find(|(_, member)| is_identical(&member.value, value))
                        .map(|(_, member)| Value::Member(Rc::clone(member)));
                    if member.is_none() && class.obstacle.borrow().is_none() && value.is_constant()
                    {
                        self.note_possible_error(format!("`{name}` may have no such member"));
                    }
                    member.unwrap_or_else(|| self.unknown(format!("a member of `{name}`")))
                }
                _ => self.unknown(format!("a member of `{name}`")),
            },
            ClassKind::Model
            | ClassKind::Dataclass
            | ClassKind::DataclassChild
            | ClassKind::NamedTuple => {
                let made = self.make_instance(class, arguments, keywords)?;
                if let Value::Instance(_) = made {
                    self.note_implicit(class);
                } else {
                    self.lose_methods(class);
                    // It holds the defaults of its fields.
                    let defaults = fields(class).into_iter().filter_map(|field| field.default);
                    self.note_may_be(&made, defaults);
                }
                return Ok(made);
            }
            ClassKind::Plain if class.obstacle.borrow().is_none() => {
                return self.make_object(class, arguments, keywords);
            }
            // Prefect 1 projects did this, and some still do: report it instead of missing it.
            _ if class.ancestors.iter().any(|ancestor| ancestor.is_symbol("prefect.Flow")) => {
                let why = format!("`{name}` is a flow class of this repository's own");
                self.unknown_of_kind(why, true)
            }
            _ => match class.obstacle.borrow().as_ref() {
                Some(unknown) => Value::Unknown(Rc::clone(unknown)),
                None => self.unknown(format!("an instance of `{name}`")),
            },
        })
    }

    fn make_instance(
        &self,
        class: &Rc<Class<'a>>,
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
    ) -> Evaluated<Value<'a>> {
        let given = arguments.iter().chain(keywords.iter().map(|(_, value)| value));
        if let Some(unknown) = given.clone().find_map(|value| value.find_unknown(self.here())) {
            return Ok(Value::Unknown(unknown));
        }
        if let Some(unknown) = class.obstacle.borrow().as_ref() {
            return Ok(Value::Unknown(Rc::clone(unknown)));
        }
        if Self::may_refuse(class) {
            self.note_possible_error(format!("making a `{}` may raise", class.name));
        }
        if let Some(why) = Self::has_own_code(class) {
            return Ok(self.unknown(why));
        }
        // `str_to_lower` and the like change values after they are given.
        if let Some(setting) = changing_setting(class) {
            return Ok(self.unknown(format!("`{}` is configured with `{setting}`", class.name)));
        }
        let fields = fields(class);
        let mut values = match self.given_values(class, &fields, arguments, keywords) {
            Ok(values) => values,
            Err(unknown) => {
                // A model without `extra` ignores arguments that it has no field for. Everything
                // else raises.
                let is_forgiving = configuration(class)
                    .is_some_and(|settings| keyword(&settings, "extra").is_none());
                let is_model = class.kind.get() == ClassKind::Model;
                if !is_model || !is_forgiving || !arguments.is_empty() {
                    self.note_possible_error(format!(
                        "the arguments of `{}` may not fit",
                        class.name
                    ));
                }
                return Ok(unknown);
            }
        };
        let is_validated = class.kind.get() == ClassKind::Model || is_pydantic_dataclass(class);
        let mut complete = Keywords::new();
        for field in &fields {
            // Private attributes and class variables are no fields.
            let is_private = class.kind.get() == ClassKind::Model && field.name.starts_with('_');
            if is_special(field, self) {
                let why = format!("`{}.{}` is no plain field", class.name, field.name);
                return Ok(self.unknown(why));
            }
            if is_private || is_class_variable(field) {
                continue;
            }
            let value = match values.iter().position(|(name, _)| *name == field.name) {
                Some(at) => {
                    let (_, value) = values.swap_remove(at);
                    if is_validated { self.validated(class, field, value.linked()) } else { value }
                }
                None => match self.field_default(field) {
                    FieldDefault::Value(value) if is_validated => value.linked(),
                    FieldDefault::Value(value) => value,
                    // For `dataclasses` a `Field(...)` of pydantic is a default like any other.
                    FieldDefault::Required if !is_validated && field.default.is_some() => {
                        self.unknown(format!("the default of `{}.{}`", class.name, field.name))
                    }
                    FieldDefault::Required => {
                        let message = format!("{}.{} is required", class.name, field.name);
                        let kind = if is_validated { "ValidationError" } else { "TypeError" };
                        return self.raise(kind, message);
                    }
                    FieldDefault::NotKnown => {
                        self.unknown(format!("the default of `{}.{}`", class.name, field.name))
                    }
                },
            };
            if let Value::Unknown(_) = value {
                return Ok(value);
            }
            set_keyword(&mut complete, &field.name, value);
        }
        Ok(Value::Instance(Rc::new(Instance {
            class: Rc::clone(class),
            fields: Object::new(complete),
        })))
    }

    /// Whether the code of a class that runs when an instance is made has a `raise`.
    fn may_refuse(class: &Rc<Class<'a>>) -> bool {
        let raises = |value: Value<'a>| match value {
            Value::Function(function) => {
                function.definition.is_some_and(|definition| may_raise(&definition.body))
            }
            _ => false,
        };
        own_ancestors(class)
            .iter()
            .any(|ancestor| MAKERS.iter().any(|name| ancestor.scope.own(name).is_some_and(raises)))
    }

    fn has_own_code(class: &Rc<Class<'a>>) -> Option<String> {
        for ancestor in own_ancestors(class) {
            for (name, value) in ancestor.scope.names.borrow().iter() {
                // A validator may return another value, and a computed field is part of the dump.
                let is_validator = matches!(value, Value::Opaque(opaque)
                    if matches!(opaque.what, "validator" | "computed field"));
                if is_validator || MAKERS.contains(&&**name) {
                    return Some(format!("`{}` changes its values with `{name}`", class.name));
                }
            }
        }
        None
    }

    fn given_values(
        &self,
        class: &Rc<Class<'a>>,
        fields: &[ClassField<'a>],
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
    ) -> Result<Keywords<'a>, Value<'a>> {
        let is_model = class.kind.get() == ClassKind::Model;
        let is_keyword_only = class
            .decorations
            .borrow()
            .dataclass
            .as_ref()
            .is_some_and(|options| keyword(&options.keywords, "kw_only").is_some());
        // Models take keywords only.
        if (is_model || is_keyword_only) && !arguments.is_empty() || arguments.len() > fields.len()
        {
            return Err(self.unknown(format!("`{}` with positional arguments", class.name)));
        }
        let mut values = Keywords::new();
        for (field, value) in fields.iter().zip(arguments) {
            set_keyword(&mut values, &field.name, value.clone());
        }
        for (given, value) in keywords {
            let mut target = None;
            for field in fields {
                let alias = if is_model { alias(class, field, self) } else { FieldAlias::None };
                match alias {
                    FieldAlias::NotKnown => {
                        return Err(self.unknown(format!("the aliases of `{}`", class.name)));
                    }
                    // An alias wins over a field of that name.
                    FieldAlias::Name(alias) if *alias == **given => target = Some(field),
                    _ if field.name == *given && target.is_none() => target = Some(field),
                    _ => {}
                }
            }
            let Some(field) = target else {
                return Err(self.unknown(format!("`{}` has no field `{given}`", class.name)));
            };
            set_keyword(&mut values, &field.name, value.clone());
        }
        Ok(values)
    }

    /// What a field has when nothing is given for it.
    pub(crate) fn field_default(&self, field: &ClassField<'a>) -> FieldDefault<'a> {
        match &field.default {
            None | Some(Value::Ellipsis) => {
                let annotation = self.field_type(&field.annotation, &field.owner);
                // A default inside `Annotated[T, Field(default=…)]` is copied by pydantic in ways
                // that depend on the class.
                let info = metadata_info(&annotation);
                let has_own = ["default", "default_factory"].iter().any(|key| {
                    keyword(&info, key).is_some_and(|value| !matches!(value, Value::Ellipsis))
                });
                if has_own { FieldDefault::NotKnown } else { FieldDefault::Required }
            }
            Some(Value::Field(info))
                if info.is_pydantic
                    && field.owner.kind.get() == ClassKind::Dataclass
                    && !is_pydantic_dataclass(&field.owner) =>
            {
                FieldDefault::NotKnown
            }
            Some(Value::Field(info)) => self.info_default(info),
            Some(Value::Unknown(_)) => FieldDefault::NotKnown,
            Some(value) => FieldDefault::Value(value.clone()),
        }
    }

    fn info_default(&self, info: &FieldInfo<'a>) -> FieldDefault<'a> {
        if let Some(default) = keyword(&info.keywords, "default") {
            return match default {
                Value::Ellipsis => FieldDefault::Required,
                value => FieldDefault::Value(value.clone()),
            };
        }
        let Some(factory) = keyword(&info.keywords, "default_factory") else {
            return FieldDefault::Required;
        };
        let is_known = match factory {
            Value::Symbol(path) => path.starts_with("builtins."),
            Value::Class(_) | Value::Function(_) => true,
            _ => false,
        };
        // A factory that makes an instance of its own class would go on forever; Python raises
        // `RecursionError`. More than ten inside each other are not followed.
        let open = self.factories.get();
        let made = if is_known && open < 10 {
            self.factories.set(open + 1);
            let made = self.call(factory, &[], &Keywords::new()).ok();
            self.factories.set(open);
            made
        } else {
            None
        };
        match made {
            Some(value) if value.find_unknown(self.here()).is_none() => FieldDefault::Value(value),
            _ => FieldDefault::NotKnown,
        }
    }

    /// What a field holds after pydantic looked at the value that is given.
    fn validated(
        &self,
        class: &Rc<Class<'a>>,
        field: &ClassField<'a>,
        value: Value<'a>,
    ) -> Value<'a> {
        let annotation = self.field_type(&field.annotation, &field.owner);
        let holds = match &field.default {
            Some(info @ Value::Field(_)) => Self::holds(info, &value),
            _ => true,
        };
        match Self::accepts(&annotation, &value, 0) {
            Validated::Kept if holds => return value,
            // pydantic turns an integer for a float field into a float: `1` is dumped as `1.0`.
            Validated::Float if holds && let Value::Int(int) = &value => {
                return Value::Float(int.to_float());
            }
            _ => {}
        }
        let is_taken = match &field.default {
            Some(info @ Value::Field(_)) => Self::lets_pass(info, &value),
            _ => true,
        };
        if !is_taken || !Self::is_lax(class) || !Self::converts(&annotation, &value, 0) {
            let why = format!("pydantic may refuse the value of `{}.{}`", class.name, field.name);
            self.note_possible_error(why);
        }
        self.unknown(format!("pydantic may convert the value of `{}`", field.name))
    }

    fn accepts(annotation: &Value<'a>, value: &Value<'a>, depth: u32) -> Validated {
        let kept = |is_kept: bool| if is_kept { Validated::Kept } else { Validated::NotKnown };
        let is_kept = |annotation: &Value<'a>, value: &Value<'a>| {
            matches!(Self::accepts(annotation, value, depth + 1), Validated::Kept)
        };
        if depth > DEEPEST_VALIDATED {
            return Validated::NotKnown;
        }
        match annotation {
            Value::None => kept(matches!(value, Value::None)),
            Value::Symbol(path) => accepts_symbol(path, value),
            Value::Class(class) => kept(match value {
                Value::Member(member) => {
                    class.members.borrow().iter().any(|(_, known)| Rc::ptr_eq(known, member))
                }
                Value::Instance(instance) => Rc::ptr_eq(&instance.class, class),
                _ => false,
            }),
            Value::Type(expression) => match &**expression {
                Type::Union(choices) => kept(choices.iter().any(|choice| is_kept(choice, value))),
                Type::Literal(values) => {
                    kept(values.iter().any(|known| is_identical(known, value)))
                }
                Type::Annotated(base, metadata) => {
                    let is_plain = metadata.iter().all(|entry| Self::holds(entry, value));
                    if is_plain {
                        Self::accepts(base, value, depth + 1)
                    } else {
                        Validated::NotKnown
                    }
                }
                Type::Named(base) => Self::accepts(base, value, depth + 1),
                Type::Generic(Value::Symbol(path), arguments) => {
                    let origin = origin_class(path);
                    let first = arguments.first();
                    kept(match (&*origin, value, first) {
                        ("builtins.list", Value::List(items), Some(item)) => {
                            items.iter().all(|value| is_kept(item, value))
                        }
                        ("builtins.dict", Value::Dict(entries), Some(key)) => {
                            arguments.get(1).is_some_and(|item| {
                                entries
                                    .iter()
                                    .all(|(name, value)| is_kept(key, name) && is_kept(item, value))
                            })
                        }
                        ("builtins.tuple", Value::Tuple(items), Some(first)) => {
                            if matches!(arguments.get(1), Some(Value::Ellipsis)) {
                                items.iter().all(|value| is_kept(first, value))
                            } else {
                                items.len() == arguments.len()
                                    && arguments
                                        .iter()
                                        .zip(items.iter())
                                        .all(|(item, value)| is_kept(item, value))
                            }
                        }
                        _ => false,
                    })
                }
                _ => Validated::NotKnown,
            },
            _ => Validated::NotKnown,
        }
    }

    /// Whether metadata lets a value pass unchanged.
    fn holds(metadata: &Value<'a>, value: &Value<'a>) -> bool {
        Self::holds_but_for(&[], metadata, value)
    }

    /// As [`Self::holds`], where the keywords `others` say nothing about values either.
    pub(super) fn holds_but_for(others: &[&str], metadata: &Value<'a>, value: &Value<'a>) -> bool {
        let constraints = match metadata {
            Value::Constraint(constraints) => constraints,
            Value::Field(info) => &info.keywords,
            // A text in `Annotated` is a note for people.
            Value::Str(_) => return true,
            other => return !others.is_empty() && other.is_constant(),
        };
        constraints.iter().all(|(name, bound)| {
            let order = |operator| Self::compare(operator, value, bound) == Some(true);
            match &**name {
                "min_length" | "max_length" => Self::has_length(name, value, bound),
                "ge" => order(ruff_python_ast::CmpOp::GtE),
                "gt" => order(ruff_python_ast::CmpOp::Gt),
                "le" => order(ruff_python_ast::CmpOp::LtE),
                "lt" => order(ruff_python_ast::CmpOp::Lt),
                "description"
                | "title"
                | "examples"
                | "default"
                | "default_factory"
                | "alias"
                | "validation_alias"
                | "serialization_alias"
                | "deprecated"
                | "json_schema_extra" => true,
                other => others.contains(&other),
            }
        })
    }
}

/// A setting of pydantic's configuration that changes what an instance holds or how it is dumped.
fn changing_setting(class: &Rc<Class<'_>>) -> Option<String> {
    let Some(settings) = configuration(class) else { return Some("model_config".to_owned()) };
    let changes = |name: &str| {
        name.starts_with("str_")
            || name.starts_with("ser_")
            || name.starts_with("val_")
            || matches!(name, "json_encoders" | "coerce_numbers_to_str")
    };
    settings.iter().find(|(name, _)| changes(name)).map(|(name, _)| name.to_string())
}

/// Whether a field is one that only `__init__` takes, a marker, or final.
fn is_special<'a>(field: &ClassField<'a>, interpreter: &Interpreter<'a>) -> bool {
    let annotation = interpreter.field_type(&field.annotation, &field.owner);
    let origin = match &annotation {
        Value::Type(expression) => match &**expression {
            Type::Generic(origin, _) => origin.clone(),
            _ => return false,
        },
        other => other.clone(),
    };
    ["dataclasses.InitVar", "dataclasses.KW_ONLY", "typing.Final"]
        .iter()
        .any(|special| origin.is_symbol(special))
}

fn accepts_symbol(path: &str, value: &Value<'_>) -> Validated {
    let is_kept = match (path, value) {
        ("typing.Any" | "builtins.object", _)
        | ("builtins.str" | "typing.Text", Value::Str(_))
        | ("builtins.bool", Value::Bool(_))
        | ("builtins.int", Value::Int(_))
        | ("builtins.float", Value::Float(_))
        | ("builtins.list" | "typing.List", Value::List(_))
        | ("builtins.dict" | "typing.Dict", Value::Dict(_))
        | ("builtins.tuple" | "typing.Tuple", Value::Tuple(_)) => true,
        ("builtins.float", Value::Int(_)) => return Validated::Float,
        ("pydantic.PositiveInt" | "pydantic.NonNegativeInt", Value::Int(int)) => {
            is_equal(&Value::Int(int.clone()), &Value::int(0)) == Some(false)
                && !int.to_string().starts_with('-')
        }
        (path, Value::Std(std_value)) => std_value.class() == path,
        _ => false,
    };
    if is_kept { Validated::Kept } else { Validated::NotKnown }
}

impl<'a> Interpreter<'a> {
    /// The type of a class field: postponed and quoted annotations are evaluated late.
    pub(crate) fn field_type(
        &self,
        annotation: &Annotation<'a>,
        owner: &Rc<Class<'a>>,
    ) -> Value<'a> {
        crate::schema::resolve::field_type(self, annotation, owner)
    }
}
