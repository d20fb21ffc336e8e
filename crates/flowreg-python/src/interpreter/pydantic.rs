//! Calls of pydantic, annotated-types and typing_extensions.

use std::rc::Rc;

use super::{Interpreter, as_type};
use crate::schema::is_no_type;
use crate::value::{
    Annotation, Class, ClassKind, DataclassOptions, FieldInfo, Keywords, Scope, Shared, Type,
    Value, keyword, set_keyword,
};

/// Constraints that a schema shows.
const SHOWN: &[&str] =
    &["gt", "ge", "lt", "le", "multiple_of", "min_length", "max_length", "pattern"];

impl<'a> Interpreter<'a> {
    pub(super) fn call_pydantic(
        &self,
        path: &str,
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
    ) -> Value<'a> {
        let (module, leaf) = path.rsplit_once('.').unwrap_or(("", path));
        match (module, leaf) {
            ("annotated_types", _) => self.annotated_type(leaf, arguments, keywords),
            ("typing_extensions", "TypedDict") => self.typed_dict(arguments, keywords),
            ("pydantic", "Field") => {
                let has = |name: &str| keyword(keywords, name).is_some();
                // `Field` takes the default as its only position, and either a default or a
                // factory.
                let is_refused = arguments.len() > 1
                    || (!arguments.is_empty() && has("default"))
                    || ((!arguments.is_empty() || has("default")) && has("default_factory"));
                if is_refused {
                    self.note_possible_error("pydantic refuses the arguments of `Field`");
                    return self.unknown("a field with arguments that pydantic refuses");
                }
                if let Some(why) = Self::bad_constraint(keywords) {
                    return self.unknown(why);
                }
                let mut given = keywords.clone();
                if let Some(default) = arguments.first() {
                    set_keyword(&mut given, "default", default.clone());
                }
                Value::Field(Rc::new(FieldInfo { keywords: given, is_pydantic: true }))
            }
            // Both are typed dictionaries, and calling one makes a plain dictionary.
            (_, "ConfigDict" | "SettingsConfigDict") => {
                let entries = keywords
                    .iter()
                    .map(|(name, value)| (Value::Str(Rc::clone(name)), value.clone()));
                Value::dict(entries.collect())
            }
            (
                "pydantic",
                "field_validator" | "model_validator" | "validator" | "root_validator"
                | "field_serializer" | "model_serializer",
            ) => {
                self.check_validator(leaf, arguments, keywords);
                Value::opaque("validator")
            }
            ("pydantic", "computed_field") => match arguments.first() {
                Some(field @ (Value::Opaque(_) | Value::Function(_))) => {
                    self.lose(field, "a computed field may change it");
                    Value::opaque("computed field")
                }
                _ => Value::opaque("computed field maker"),
            },
            ("pydantic", "PrivateAttr") => Value::opaque("a private attribute"),
            ("pydantic", "AfterValidator" | "BeforeValidator" | "WrapValidator") => {
                let mut validator = Keywords::new();
                // A validator leaves the schema as it is, but a value may change: the marker keeps
                // instances from being computed.
                set_keyword(&mut validator, "validator", Value::Bool(true));
                Value::Constraint(Rc::new(validator))
            }
            ("pydantic", "StringConstraints") => {
                Self::constraint(keywords, Value::symbol("builtins.str"))
            }
            ("pydantic", "WithJsonSchema") => match arguments {
                [schema] if keywords.is_empty() => Value::GivenSchema(Rc::new(schema.clone())),
                _ => self.unknown("`WithJsonSchema` with more than a schema"),
            },
            ("pydantic", "SecretStr") => match arguments {
                [Value::Str(text)] => Value::Secret(!text.is_empty()),
                _ => self.unknown("a secret"),
            },
            ("pydantic", "AliasChoices") => Value::AliasChoices(Rc::new(arguments.to_vec())),
            ("pydantic.dataclasses", "dataclass") => {
                self.dataclass_decorator(arguments, keywords, true)
            }
            ("pydantic", "create_model") => {
                self.unknown("`create_model()` makes the class at run time")
            }
            ("pydantic", "BaseModel") => {
                self.note_possible_error("`BaseModel` itself can't be instantiated");
                self.unknown("an instance of `BaseModel`")
            }
            ("pydantic", _) => self.constrained_type(leaf, arguments, keywords),
            _ => self.unknown(format!("what `{path}()` returns is not known")),
        }
    }

    pub(super) fn dataclass_decorator(
        &self,
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
        is_pydantic: bool,
    ) -> Value<'a> {
        let options = Rc::new(DataclassOptions { keywords: keywords.clone(), is_pydantic });
        match arguments.first() {
            Some(Value::Class(class)) => {
                Self::make_dataclass(class, &options);
                Value::Class(Rc::clone(class))
            }
            Some(other) => self.unknown_because(other, "a dataclass of something else"),
            None => Value::Dataclassing(options),
        }
    }

    fn constraint(keywords: &Keywords<'a>, _base: Value<'a>) -> Value<'a> {
        let mut shown = keywords.clone();
        shown.retain(|(name, _)| SHOWN.contains(&&**name));
        // These change the value that is given, not the schema.
        let changes_value = ["to_lower", "to_upper", "strip_whitespace"];
        if keywords.iter().any(|(name, _)| changes_value.contains(&&**name)) {
            set_keyword(&mut shown, "validator", Value::Bool(true));
        }
        Value::Constraint(Rc::new(shown))
    }

    fn constrained_type(
        &self,
        leaf: &str,
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
    ) -> Value<'a> {
        let base = match leaf {
            "conint" => Value::symbol("builtins.int"),
            "confloat" => Value::symbol("builtins.float"),
            "constr" => Value::symbol("builtins.str"),
            "conbytes" => Value::symbol("builtins.bytes"),
            "condate" => Value::symbol("datetime.date"),
            "condecimal" => Value::symbol("decimal.Decimal"),
            "conlist" | "conset" | "confrozenset" => {
                let Some(item) = arguments.first() else {
                    return self.unknown(format!("`{leaf}` without an item type"));
                };
                let origin = match leaf {
                    "conlist" => "builtins.list",
                    "conset" => "builtins.set",
                    _ => "builtins.frozenset",
                };
                if is_no_type(item) && !matches!(item, Value::None | Value::Str(_)) {
                    return self.unknown(format!("`{leaf}` of something that is no type"));
                }
                Value::generic(origin, vec![as_type(item.clone())])
            }
            _ => return self.unknown(format!("what `pydantic.{leaf}()` returns is not known")),
        };
        if !matches!(leaf, "conlist" | "conset" | "confrozenset") && !arguments.is_empty() {
            self.note_possible_error(format!("`{leaf}` takes keywords only"));
        }
        if let Some(why) = Self::bad_constraint(keywords) {
            return self.unknown(why);
        }
        let constraint = Self::constraint(keywords, base.clone());
        Value::of_type(Type::Annotated(base, vec![constraint]))
    }

    fn annotated_type(
        &self,
        leaf: &str,
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
    ) -> Value<'a> {
        let name = match leaf {
            "Gt" => "gt",
            "Ge" => "ge",
            "Lt" => "lt",
            "Le" => "le",
            "MultipleOf" => "multiple_of",
            "MinLen" => "min_length",
            "MaxLen" => "max_length",
            "Interval" => return Value::Constraint(Rc::new(keywords.clone())),
            "Len" => {
                let mut constraint = Keywords::new();
                for (at, name) in ["min_length", "max_length"].into_iter().enumerate() {
                    let value = arguments.get(at).or_else(|| keyword(keywords, name));
                    // `Len(0)` is what annotated-types writes for no lower bound, and pydantic
                    // shows none.
                    let is_nothing = matches!(value, None | Some(Value::None))
                        || (at == 0 && value.and_then(Self::truth) == Some(false));
                    if let (Some(value), false) = (value, is_nothing) {
                        set_keyword(&mut constraint, name, value.clone());
                    }
                }
                return Value::Constraint(Rc::new(constraint));
            }
            _ => return self.unknown(format!("`annotated_types.{leaf}` is not evaluated")),
        };
        let Some(value) = arguments.first().or_else(|| keyword(keywords, name)) else {
            return self.unknown(format!("`{leaf}` without a value"));
        };
        Value::Constraint(Rc::new(vec![(name.into(), value.clone())]))
    }

    fn typed_dict(&self, arguments: &[Value<'a>], keywords: &Keywords<'a>) -> Value<'a> {
        let [Value::Str(name), Value::Dict(entries)] = arguments else {
            return self.unknown("`TypedDict()` with fields that are not known");
        };
        let class = self.made_class(name, ClassKind::TypedDict, keywords.clone());
        for (key, value) in entries.iter() {
            let Value::Str(key) = key else { return self.unknown("a `TypedDict` key") };
            let annotation = Annotation::Value(as_type(value.clone()));
            class.scope.annotations.borrow_mut().push((Rc::clone(key), annotation));
        }
        Value::Class(class)
    }

    /// A class that a call makes, without a body in the source.
    pub(super) fn made_class(
        &self,
        name: &str,
        kind: ClassKind,
        keywords: Keywords<'a>,
    ) -> Rc<Class<'a>> {
        let module = self.scope_here();
        Rc::new(Class {
            name: name.into(),
            qualname: name.into(),
            body: None,
            bases: Vec::new(),
            ancestors: Vec::new(),
            keywords,
            scope: self.keep(Scope::class(name, &module)),
            kind: Shared::new(kind),
            docstring: None,
            decorations: Shared::default(),
            members: Shared::default(),
            mixin: None,
            obstacle: Shared::new(None),
        })
    }
}
