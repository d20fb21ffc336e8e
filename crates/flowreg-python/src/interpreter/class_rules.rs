//! What Python refuses when a class is made: bases that don't go together, keywords that nobody
//! takes, fields in the wrong order.
//!
//! Only what is certain. What pydantic refuses of annotations is found where their schema is made
//! (`schema`).

use std::rc::Rc;

use super::ancestors::{ancestors, own_ancestors};
use super::objects::{Held, accessor, look_along};
use super::{Evaluated, Interpreter};
use crate::value::{Class, ClassKind, DataclassOptions, Type, Unknown, Value, keyword};

/// Options of `dataclasses.dataclass` and, at the end, of pydantic's.
const DATACLASS_OPTIONS: &[&str] = &[
    "init",
    "repr",
    "eq",
    "order",
    "unsafe_hash",
    "frozen",
    "match_args",
    "kw_only",
    "slots",
    "weakref_slot",
    "config",
    "validate_on_init",
];

/// Builtins of which a class can inherit from one only: each lays out its instances in memory in its
/// own way.
const LAYOUTS: &[&str] = &[
    "builtins.str",
    "builtins.int",
    "builtins.float",
    "builtins.bytes",
    "builtins.list",
    "builtins.tuple",
    "builtins.dict",
    "builtins.set",
];

/// Builtins that can't be inherited from at all.
const FINAL: &[&str] = &[
    "builtins.bool",
    "builtins.range",
    "builtins.slice",
    "builtins.memoryview",
    "builtins.print",
    "builtins.len",
    "builtins.open",
    "types.NoneType",
];

/// The attribute by which Python marks an abstract method.
pub(super) const ABSTRACT: &str = "__isabstractmethod__";

fn is_abstract(value: &Value<'_>) -> bool {
    match value {
        Value::Function(function) => keyword(&function.attributes.borrow(), ABSTRACT).is_some(),
        Value::Wrapped(inner, _) => is_abstract(inner),
        property => accessor(property, "fget").is_some_and(|getter| is_abstract(&getter)),
    }
}

impl<'a> Interpreter<'a> {
    /// # Errors
    /// [`super::Raised`] if the class has abstract methods, so that there can be no instance of it.
    pub(super) fn check_abstract(&self, class: &Rc<Class<'a>>) -> Evaluated<()> {
        let is_base = |known: &Value<'a>| {
            known.as_symbol().is_some_and(|path| {
                matches!(path, "abc.ABC" | "typing.Protocol" | "pydantic.BaseModel")
            })
        };
        let is_known = class.obstacle.borrow().is_none();
        if !is_known || !class.ancestors.iter().any(is_base) {
            return Ok(());
        }
        let order = ancestors(class);
        for ancestor in own_ancestors(class) {
            for (name, value) in ancestor.scope.names.borrow().iter() {
                let is_left = is_abstract(value)
                    && matches!(look_along(&order, name), Held::Found(held) if is_abstract(&held));
                if !is_left {
                    continue;
                }
                let message = format!(
                    "Can't instantiate abstract class {} with abstract method {name}",
                    class.name
                );
                // A `__new__` of its own may give something else.
                if matches!(look_along(&order, "__new__"), Held::Missing) {
                    return self.raise("TypeError", message);
                }
                self.note_possible_error(message);
            }
        }
        Ok(())
    }

    /// # Errors
    /// [`super::Raised`] if Python can't make a class of these bases.
    pub(super) fn check_bases(&self, bases: &[Value<'a>]) -> Evaluated<()> {
        let refuse = |message: &str| self.raise("TypeError", message);
        for (at, base) in bases.iter().enumerate() {
            if base.is_constant() {
                return refuse("a base class is no class");
            }
            let Some(path) = base.as_symbol() else { continue };
            if FINAL.contains(&path) {
                return self.raise("TypeError", format!("'{path}' is not an acceptable base type"));
            }
            let before = bases.get(..at).unwrap_or_default();
            if before.iter().any(|other| other.is_symbol(path)) {
                return self.raise("TypeError", format!("duplicate base class {path}"));
            }
            // `object` is the last ancestor of every class, so C3 finds no order in which it comes
            // before one.
            if path == "builtins.object" && at + 1 < bases.len() {
                return refuse("no consistent method resolution order for the bases");
            }
            if path == "typing.Generic" {
                return refuse("Cannot inherit from plain Generic");
            }
        }
        for base in bases {
            if let Value::Type(expression) = base
                && let Type::Generic(origin, arguments) = &**expression
                && origin.is_symbol("typing.Generic")
                && arguments.iter().any(is_certainly_no_variable)
            {
                return refuse("Parameters to Generic[...] must all be type variables");
            }
        }
        let classes = bases.iter().enumerate();
        for (at, base) in classes {
            let Value::Class(class) = base else { continue };
            let before = bases.get(..at).unwrap_or_default();
            let is_same = |other: &Value<'a>| matches!(other, Value::Class(other) if Rc::ptr_eq(class, other));
            if before.iter().any(is_same) {
                return self.raise("TypeError", format!("duplicate base class {}", class.name));
            }
        }
        Ok(())
    }

    /// # Errors
    /// [`super::Raised`] if Python, pydantic or the standard library refuse the class.
    pub(super) fn check_class(&self, class: &Rc<Class<'a>>) -> Evaluated<()> {
        self.check_layout(class)?;
        if class.obstacle.borrow().is_some() {
            return Ok(());
        }
        self.check_keywords(class)?;
        match class.kind.get() {
            ClassKind::Enum => self.check_enum_names(class),
            ClassKind::NamedTuple => self.check_tuple_bases(class),
            ClassKind::TypedDict => {
                let is_dict = |base: &Value<'a>| match base {
                    Value::Class(base) => base.kind.get() == ClassKind::TypedDict,
                    Value::Symbol(path) => {
                        !matches!(&**path, "builtins.object" | "builtins.dict" | "abc.ABC")
                    }
                    _ => true,
                };
                if class.bases.iter().all(is_dict) {
                    return Ok(());
                }
                self.raise(
                    "TypeError",
                    "cannot inherit from both a TypedDict type and a non-TypedDict base class",
                )
            }
            _ => match class.decorations.borrow().dataclass.clone() {
                Some(options) => self.check_dataclass_options(class, &options),
                None => Ok(()),
            },
        }
    }

    fn check_layout(&self, class: &Class<'a>) -> Evaluated<()> {
        let has = |path: &str| class.ancestors.iter().any(|ancestor| ancestor.is_symbol(path));
        let layouts = LAYOUTS.iter().filter(|path| has(path)).count();
        let is_model = has("pydantic.BaseModel");
        // An enum with a mixed-in type stores the value apart.
        if layouts + usize::from(is_model) > 1 && class.kind.get() != ClassKind::Enum {
            return self.raise("TypeError", "multiple bases have instance lay-out conflict");
        }
        let is_enum = class
            .ancestors
            .iter()
            .any(|ancestor| ancestor.as_symbol().is_some_and(|path| path.starts_with("enum.")));
        if is_model && is_enum {
            return self.raise("TypeError", "metaclass conflict");
        }
        Ok(())
    }

    fn check_keywords(&self, class: &Rc<Class<'a>>) -> Evaluated<()> {
        // Keywords of a class go to `__init_subclass__`, which takes none unless an ancestor says
        // otherwise.
        // `__init_subclass__` was called with them.
        let has_hook = |ancestor: &Rc<Class<'a>>| ancestor.scope.own("__init_subclass__").is_some();
        if super::ancestors::own_ancestors(class).iter().skip(1).any(has_hook) {
            return Ok(());
        }
        let taken: &[&str] = match class.kind.get() {
            ClassKind::Plain | ClassKind::Dataclass | ClassKind::DataclassChild => &[],
            ClassKind::TypedDict => &["total", "closed", "extra_items"],
            ClassKind::Model if class.keywords.iter().any(|(name, _)| !is_setting(name)) => {
                self.note_possible_error("a keyword of a model that may be none");
                return Ok(());
            }
            _ => return Ok(()),
        };
        let given = class.keywords.iter().find(|(name, _)| !taken.contains(&&**name));
        match given {
            Some((name, _)) => {
                let message = format!("{} takes no keyword argument '{name}'", class.name);
                self.raise("TypeError", message)
            }
            None => Ok(()),
        }
    }

    fn check_enum_names(&self, class: &Class<'a>) -> Evaluated<()> {
        let is_enum = |base: &Value<'a>| match base {
            Value::Class(base) => base.kind.get() == ClassKind::Enum,
            Value::Symbol(path) => path.starts_with("enum."),
            _ => false,
        };
        // `class A(Enum, str)`: Python wants the enum last.
        if class.bases.last().is_some_and(|base| base.as_symbol().is_some() && !is_enum(base)) {
            return self.raise("TypeError", "a mixed-in type stands before the enum");
        }
        if class.scope.own("mro").is_some() {
            return self.raise("ValueError", "invalid enum member name(s) 'mro'");
        }
        let known = ["_order_", "_ignore_", "_missing_", "_generate_next_value_"];
        let names = class.scope.names.borrow();
        for (name, value) in names.iter() {
            // `_name_` with single underscores is reserved by `enum`, `__name__` is not.
            let is_sunder = name.len() > 2
                && name.starts_with('_')
                && name.ends_with('_')
                && !name.starts_with("__")
                && !name.ends_with("__");
            if is_sunder && !known.contains(&&**name) && value.is_constant() {
                return self.raise("ValueError", format!("_sunder_ names are reserved: {name}"));
            }
        }
        drop(names);
        let members = class.members.borrow();
        let is_flag = ["enum.Flag", "enum.IntFlag"]
            .iter()
            .any(|path| class.ancestors.iter().any(|ancestor| ancestor.is_symbol(path)));
        if is_flag && members.iter().any(|(_, member)| matches!(member.value, Value::Str(_))) {
            return self.raise("TypeError", "the value of a flag is no number");
        }
        // What pydantic makes of an enum without members is not computed.
        if members.is_empty() && class.obstacle.borrow().is_none() {
            let why = format!("the enum `{}` has no members", class.name);
            let unknown = Unknown { why, at: self.here(), is_flow_like: false };
            *class.obstacle.borrow_mut() = Some(Rc::new(unknown));
        }
        Ok(())
    }

    fn check_tuple_bases(&self, class: &Class<'a>) -> Evaluated<()> {
        if !class.bases.iter().any(|base| base.is_symbol("typing.NamedTuple")) {
            return Ok(());
        }
        let is_other = |base: &&Value<'a>| {
            matches!(base, Value::Class(_))
                || base.as_symbol().is_some_and(|path| path != "typing.NamedTuple")
        };
        if class.bases.iter().any(|base| is_other(&base)) {
            let message = "can only inherit from a NamedTuple type and Generic";
            return self.raise("TypeError", message);
        }
        // Methods that `NamedTuple` writes itself.
        let fixed = ["__new__", "__init__", "__slots__", "_fields", "_make", "_replace", "_asdict"];
        if let Some(name) = fixed.iter().find(|name| class.scope.own(name).is_some()) {
            let message = format!("Cannot overwrite NamedTuple attribute {name}");
            return self.raise("AttributeError", message);
        }
        Ok(())
    }

    fn check_dataclass_options(
        &self,
        class: &Class<'a>,
        options: &DataclassOptions<'a>,
    ) -> Evaluated<()> {
        let given = &options.keywords;
        // Keywords that are not known may be anything.
        if keyword(given, "**").is_some() {
            return Ok(());
        }
        for (name, _) in given {
            let is_known = DATACLASS_OPTIONS.contains(&&**name);
            let is_pydantics = matches!(&**name, "config" | "validate_on_init");
            if !is_known || (is_pydantics && !options.is_pydantic) {
                let message = format!("dataclass() got an unexpected keyword argument '{name}'");
                return self.raise("TypeError", message);
            }
        }
        let is_set = |name: &str| keyword(given, name).and_then(Self::truth);
        if is_set("order") == Some(true) && is_set("eq") == Some(false) {
            return self.raise("ValueError", "eq must be true if order is true");
        }
        if is_set("slots") == Some(true) && class.scope.own("__slots__").is_some() {
            return self.raise("TypeError", format!("{} already specifies __slots__", class.name));
        }
        self.check_frozen(class, options)
    }

    fn check_frozen(&self, class: &Class<'a>, options: &DataclassOptions<'a>) -> Evaluated<()> {
        let is_frozen = |options: &DataclassOptions<'a>| {
            keyword(&options.keywords, "frozen").map_or(Some(false), Self::truth)
        };
        for ancestor in &class.ancestors {
            let Value::Class(ancestor) = ancestor else { continue };
            let Some(inherited) = ancestor.decorations.borrow().dataclass.clone() else { continue };
            match (is_frozen(options), is_frozen(&inherited)) {
                (Some(true), Some(false)) => {
                    let message = "cannot inherit frozen dataclass from a non-frozen one";
                    return self.raise("TypeError", message);
                }
                (Some(false), Some(true)) => {
                    let message = "cannot inherit non-frozen dataclass from a frozen one";
                    return self.raise("TypeError", message);
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Whether a keyword of a model is one of its configuration.
fn is_setting(name: &str) -> bool {
    const SETTINGS: &[&str] = &[
        "title",
        "model_title_generator",
        "field_title_generator",
        "str_to_lower",
        "str_to_upper",
        "str_strip_whitespace",
        "str_min_length",
        "str_max_length",
        "extra",
        "frozen",
        "populate_by_name",
        "use_enum_values",
        "validate_assignment",
        "arbitrary_types_allowed",
        "from_attributes",
        "loc_by_alias",
        "alias_generator",
        "ignored_types",
        "allow_inf_nan",
        "json_schema_extra",
        "json_encoders",
        "strict",
        "revalidate_instances",
        "validate_default",
        "validate_return",
        "protected_namespaces",
        "hide_input_in_errors",
        "defer_build",
        "coerce_numbers_to_str",
        "use_attribute_docstrings",
        "validate_by_alias",
        "validate_by_name",
        "serialize_by_alias",
    ];
    SETTINGS.contains(&name)
}

fn is_certainly_no_variable(argument: &Value<'_>) -> bool {
    argument.is_constant()
        || matches!(argument, Value::Class(_))
        || argument.as_symbol().is_some_and(|path| path.starts_with("builtins."))
}
