//! What Python refuses when a class is made: bases that don't go together, keywords that nobody
//! takes, fields in the wrong order.
//!
//! Only what is certain; what pydantic refuses of annotations is for `schema`.

use std::rc::Rc;

use super::ancestors::own_ancestors;
use super::classes::{ClassField, fields};
use super::{Evaluated, Interpreter};
use crate::flow::schema::fields::is_class_variable;
use crate::flow::value::{
    Class, ClassKind, DataclassOptions, FieldInfo, Type, Unknown, Value, keyword,
};

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

/// Builtins that can't be inherited from together.
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

impl<'a> Interpreter<'a> {
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
            ClassKind::Enum => self.check_enum(class),
            ClassKind::NamedTuple => self.check_named_tuple(class),
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
                Some(options) => self.check_dataclass(class, &options),
                None => Ok(()),
            },
        }
    }

    fn check_layout(&self, class: &Class<'a>) -> Evaluated<()> {
        let has = |path: &str| class.ancestors.iter().any(|ancestor| ancestor.is_symbol(path));
        let layouts = LAYOUTS.iter().filter(|path| has(path)).count();
        let is_model = has("pydantic.BaseModel");
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

    fn check_keywords(&self, class: &Class<'a>) -> Evaluated<()> {
        let taken: &[&str] = match class.kind.get() {
            ClassKind::Plain | ClassKind::Dataclass | ClassKind::DataclassChild => &[],
            ClassKind::TypedDict => &["total", "closed", "extra_items"],
            ClassKind::Model if class.keywords.iter().any(|(name, _)| !is_setting(name)) => {
                self.doubt_unless_guessing("a keyword of a model that may be none");
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

    fn check_enum(&self, class: &Class<'a>) -> Evaluated<()> {
        for base in &class.bases {
            if let Value::Class(base) = base
                && base.kind.get() == ClassKind::Enum
                && !base.members.borrow().is_empty()
            {
                let message =
                    format!("<enum '{}'> cannot extend <enum '{}'>", class.name, base.name);
                return self.raise("TypeError", message);
            }
        }
        let is_enum = |base: &Value<'a>| match base {
            Value::Class(base) => base.kind.get() == ClassKind::Enum,
            Value::Symbol(path) => path.starts_with("enum."),
            _ => false,
        };
        if class.bases.last().is_some_and(|base| base.as_symbol().is_some() && !is_enum(base)) {
            return self.raise("TypeError", "a mixed-in type stands before the enum");
        }
        if class.scope.own("mro").is_some() {
            return self.raise("ValueError", "invalid enum member name(s) 'mro'");
        }
        let known = ["_order_", "_ignore_", "_missing_", "_generate_next_value_"];
        let names = class.scope.names.borrow();
        for (name, value) in names.iter() {
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
        if members.is_empty() && class.obstacle.borrow().is_none() {
            let why = format!("the enum `{}` has no members", class.name);
            let unknown = Unknown { why, at: self.here(), is_flow_like: false };
            *class.obstacle.borrow_mut() = Some(Rc::new(unknown));
        }
        drop(members);
        self.check_member_names(class)
    }

    /// A member can be bound once only.
    fn check_member_names(&self, class: &Class<'a>) -> Evaluated<()> {
        let mut bound: Vec<&str> = Vec::new();
        for statement in class.body.unwrap_or_default() {
            let name = match statement {
                ruff_python_ast::Stmt::Assign(assign) => match &assign.targets[..] {
                    [ruff_python_ast::Expr::Name(name)] => name.id.as_str(),
                    _ => continue,
                },
                ruff_python_ast::Stmt::FunctionDef(function) => {
                    let name = function.name.as_str();
                    if bound.contains(&name) {
                        return self.raise("TypeError", format!("'{name}' already defined"));
                    }
                    continue;
                }
                _ => continue,
            };
            if bound.contains(&name) {
                return self.raise("TypeError", format!("'{name}' already defined"));
            }
            if !name.starts_with('_') {
                bound.push(name);
            }
        }
        Ok(())
    }

    fn check_named_tuple(&self, class: &Rc<Class<'a>>) -> Evaluated<()> {
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
        let mut has_default = false;
        let fixed = ["__new__", "__init__", "__slots__", "_fields", "_make", "_replace", "_asdict"];
        if let Some(name) = fixed.iter().find(|name| class.scope.own(name).is_some()) {
            let message = format!("Cannot overwrite NamedTuple attribute {name}");
            return self.raise("AttributeError", message);
        }
        for field in fields(class) {
            let name = &field.name;
            if name.starts_with('_') {
                let message = format!("Field names cannot start with an underscore: '{name}'");
                return self.raise("ValueError", message);
            }
            if field.default.is_none() && has_default {
                let message =
                    format!("Non-default namedtuple field {name} follows a default field");
                return self.raise("TypeError", message);
            }
            has_default |= field.default.is_some();
        }
        Ok(())
    }

    fn check_dataclass(
        &self,
        class: &Rc<Class<'a>>,
        options: &Rc<DataclassOptions<'a>>,
    ) -> Evaluated<()> {
        let given = &options.keywords;
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
        self.check_frozen(class, options)?;
        self.check_dataclass_fields(class, options)
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

    fn check_dataclass_fields(
        &self,
        class: &Rc<Class<'a>>,
        options: &DataclassOptions<'a>,
    ) -> Evaluated<()> {
        let annotations = class.scope.annotations.borrow();
        for (name, value) in class.scope.names.borrow().iter() {
            let is_field =
                matches!(value, Value::Field(info) if !options.is_pydantic && is_standard(info));
            if is_field && !annotations.iter().any(|(known, _)| known == name) {
                let why = format!("`{name}` is a field without annotation");
                self.doubt_unless_guessing(why);
            }
        }
        drop(annotations);
        let fields: Vec<ClassField<'a>> =
            fields(class).into_iter().filter(|field| !is_class_variable(field, self)).collect();
        for field in &fields {
            let is_own = Rc::ptr_eq(&field.owner, class);
            let class = match &field.default {
                Some(Value::List(_)) => "list",
                Some(Value::Dict(_)) => "dict",
                Some(Value::Set(_)) => "set",
                _ => continue,
            };
            // A frozenset is a set here.
            if is_own && class != "set" {
                let message = format!("mutable default <class '{class}'> for field {}", field.name);
                return self.raise("ValueError", message);
            }
            if is_own {
                self.doubt_unless_guessing("a set is the default of a dataclass field");
            }
        }
        self.check_order(class, &fields)
    }

    /// A field without a default can't follow one that has one.
    fn check_order(&self, class: &Rc<Class<'a>>, fields: &[ClassField<'a>]) -> Evaluated<()> {
        for ancestor in own_ancestors(class) {
            let decorations = ancestor.decorations.borrow();
            let keywords = decorations.dataclass.as_ref().map(|options| &options.keywords);
            if keywords.is_some_and(|keywords| keyword(keywords, "kw_only").is_some()) {
                return Ok(());
            }
        }
        if fields.iter().any(|field| &*field.name == "_") {
            // Probably `_: KW_ONLY`.
            return Ok(());
        }
        let mut before: Option<&str> = None;
        for field in fields {
            match &field.default {
                Some(Value::Field(info)) if !is_standard(info) => return Ok(()),
                Some(Value::Field(info)) => {
                    let given = |name: &str| keyword(&info.keywords, name).is_some();
                    if given("init") || given("kw_only") || given("**") {
                        continue;
                    }
                    if given("default") || given("default_factory") {
                        before = Some(&field.name);
                        continue;
                    }
                    // `pydantic.Field()` counts as a default, `field()` does not.
                    return Ok(());
                }
                Some(_) => {
                    before = Some(&field.name);
                    continue;
                }
                None => {}
            }
            if let Some(before) = before {
                let name = &field.name;
                let message = format!("non-default argument '{name}' follows '{before}'");
                return self.raise("TypeError", message);
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

/// Whether a field is made by `dataclasses.field`, by its arguments.
fn is_standard(info: &FieldInfo<'_>) -> bool {
    let known = ["default", "default_factory", "init", "repr", "hash", "compare", "metadata"];
    info.keywords.iter().all(|(name, _)| known.contains(&&**name) || &**name == "kw_only")
}

fn is_certainly_no_variable(argument: &Value<'_>) -> bool {
    argument.is_constant()
        || matches!(argument, Value::Class(_))
        || argument.as_symbol().is_some_and(|path| path.starts_with("builtins."))
}
