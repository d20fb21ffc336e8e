//! What Python, `dataclasses`, `enum` and pydantic refuse in the body of a class: importing the
//! file raises then. What they may refuse becomes the class's obstacle, a reason why its schema is
//! not known.
//!
//! Checked against Python 3.11 and pydantic 2.14 (`inspect_namespace`, `collect_model_fields`).

use std::rc::Rc;

use ruff_python_ast::{Expr, Stmt};

use super::ancestors::own_ancestors;
use super::classes::{ClassField, fields, is_pydantic_dataclass};
use super::{Evaluated, Interpreter};
use crate::schema::fields::{configuration, is_class_variable};
use crate::schema::{Generator, NO_CORE_SCHEMA, NoSchema, TypeContext};
use crate::symbols;
use crate::value::{Annotation, Class, ClassKind, Text, Type, Unknown, Value, keyword};

/// Methods of `BaseModel` that no field may be named like.
const PROTECTED: &[&str] = &[
    "model_dump",
    "model_dump_json",
    "model_validate",
    "model_validate_json",
    "model_validate_strings",
];

/// Attributes of `BaseModel` and its metaclass that become the default of a field without one.
const ATTRIBUTES: &[&str] = &[
    "model_computed_fields",
    "model_construct",
    "model_copy",
    "model_extra",
    "model_fields",
    "model_fields_set",
    "model_json_schema",
    "model_parametrized_name",
    "model_post_init",
    "model_rebuild",
    "mro",
    "register",
];

/// What pydantic does with a value without annotation in the body of a model.
enum Unannotated {
    Ignored,
    Refused,
    NotKnown,
}

impl<'a> Interpreter<'a> {
    /// Raises what making the class raises.
    pub(super) fn check_body(&self, class: &Rc<Class<'a>>) -> Evaluated<()> {
        if class.obstacle.borrow().is_some() {
            return Ok(());
        }
        match class.kind.get() {
            ClassKind::Model | ClassKind::RootModel => {
                self.check_settings(class);
                self.check_namespace(class)?;
                self.check_field_names(class)?;
                self.check_late_types(class);
                self.check_field_types(class)
            }
            ClassKind::Enum => self.check_enum(class),
            ClassKind::NamedTuple => {
                self.check_item_types(class)?;
                self.check_named_tuple(class)
            }
            ClassKind::TypedDict | ClassKind::StandardTypedDict => self.check_item_types(class),
            _ => Ok(()),
        }
    }

    /// Raises what a decorator of the class raises.
    pub(super) fn check_decorated(
        &self,
        decorator: &Value<'a>,
        class: &Rc<Class<'a>>,
    ) -> Evaluated<()> {
        if class.obstacle.borrow().is_some() {
            return Ok(());
        }
        match decorator {
            Value::Symbol(path) if &**path == "enum.unique" => self.check_unique(class),
            Value::Symbol(_) | Value::Dataclassing(_)
                if class.kind.get() == ClassKind::Dataclass =>
            {
                self.check_dataclass(class)?;
                if !is_pydantic_dataclass(class) {
                    return Ok(());
                }
                self.check_settings(class);
                self.check_late_types(class);
                self.check_field_types(class)
            }
            _ => Ok(()),
        }
    }

    fn set_obstacle(&self, class: &Class<'a>, why: String) {
        *class.obstacle.borrow_mut() =
            Some(Rc::new(Unknown { why, at: self.here(), is_flow_like: false }));
    }

    /// The values in the body of a model.
    fn check_namespace(&self, class: &Rc<Class<'a>>) -> Evaluated<()> {
        let variables = Self::inherited_variables(class);
        let inherited = inherited_fields(class);
        // `ignored_types` in the configuration lets values without annotation pass.
        let may_ignore_more =
            configuration(class).is_none_or(|all| keyword(&all, "ignored_types").is_some());
        let annotations = class.scope.annotations.borrow();
        let is_configuration = |name: &Text| &**name == "model_config";
        if annotations.iter().any(|(name, _)| is_configuration(name))
            && class.scope.own("model_config").is_none()
        {
            let message = "`model_config` cannot be used as a model field name.";
            return self.raise("PydanticUserError", message);
        }
        for (name, value) in class.scope.names.borrow().iter() {
            let is_annotated = annotations.iter().any(|(known, _)| known == name);
            let is_private = name.starts_with('_');
            if is_configuration(name) {
                continue;
            }
            if is_private_attribute(value) && !is_private {
                let message = format!(
                    "Private attributes must not use valid field names; use sunder names, e.g. \
                     '_{name}' instead of '{name}'."
                );
                return self.raise("PydanticUserError", message);
            }
            if matches!(value, Value::Field(_)) && is_private {
                let message =
                    format!("Fields must not use names with leading underscores: '{name}'");
                return self.raise("PydanticUserError", message);
            }
            let is_inherited_variable = variables.contains(name);
            // Private names become private attributes, whatever their value.
            if is_private || is_annotated || is_inherited_variable {
                continue;
            }
            match unannotated(class, value) {
                Unannotated::Ignored if !inherited.contains(name) => {}
                Unannotated::Refused if !may_ignore_more => {
                    let message = format!(
                        "A non-annotated attribute was detected: `{name}`. All model fields \
                         require a type annotation."
                    );
                    return self.raise("PydanticUserError", message);
                }
                _ => {
                    let why = format!("`{}.{name}` is not known", class.name);
                    self.set_obstacle(class, why);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Names of the ancestors' class variables.
    fn inherited_variables(class: &Rc<Class<'a>>) -> Vec<Text> {
        let mut names = Vec::new();
        for ancestor in own_ancestors(class).into_iter().skip(1) {
            for (name, annotation) in ancestor.scope.annotations.borrow().iter() {
                let field = ClassField {
                    name: Rc::clone(name),
                    annotation: annotation.clone(),
                    default: None,
                    owner: Rc::clone(&ancestor),
                };
                if is_class_variable(&field) {
                    names.push(Rc::clone(name));
                }
            }
        }
        names
    }

    /// The names of the fields of a model.
    fn check_field_names(&self, class: &Rc<Class<'a>>) -> Evaluated<()> {
        let is_root = class.kind.get() == ClassKind::RootModel;
        let changes_protection =
            configuration(class).is_none_or(|all| keyword(&all, "protected_namespaces").is_some());
        for field in fields(class) {
            let name = &*field.name;
            let is_protected = PROTECTED.contains(&name);
            if is_protected && !changes_protection {
                let message = format!(
                    "Field '{name}' conflicts with member `BaseModel.{name}` of a protected \
                     namespace."
                );
                return self.raise("ValueError", message);
            }
            if is_class_variable(&field) || name.starts_with('_') {
                continue;
            }
            if is_root && !matches!(name, "root" | "model_config") {
                let message = format!(
                    "Unexpected field with name '{name}'; only 'root' is allowed as a field of a \
                     `RootModel`"
                );
                return self.raise("PydanticUserError", message);
            }
            let is_attribute = ATTRIBUTES.contains(&name);
            let is_shadowed = is_attribute && (field.default.is_none() || changes_protection);
            if is_protected || is_shadowed {
                let why = format!("`{}.{name}` is also an attribute of every model", class.name);
                self.set_obstacle(class, why);
            }
        }
        Ok(())
    }

    /// The types of the fields, as soon as all of them are known.
    fn check_field_types(&self, class: &Rc<Class<'a>>) -> Evaluated<()> {
        // Making the schema takes time, and most models have plain types only.
        let is_plain = |(_, annotation): &(Text, Annotation<'a>)| match annotation {
            Annotation::Value(value) => has_core_schema(value, 0),
            Annotation::Missing | Annotation::Postponed(_) => false,
        };
        if class.scope.annotations.borrow().iter().all(is_plain) {
            return Ok(());
        }
        let place = self.here();
        let made = |mut generator: Generator<'_, 'a>| {
            generator.schema(&Value::Class(Rc::clone(class)), TypeContext::SIGNATURE)
        };
        // Two passes: if a type can't be known even where pydantic refuses nothing, it may be fine.
        // Only if all types are known is a refusal certain.
        let outcome = match made(Generator::lenient(self)) {
            Err(NoSchema::Unknown(_)) => return Ok(()),
            _ => made(Generator::new(self)),
        };
        // Making a schema evaluates annotations and moves the place of errors with them.
        self.at.set(place);
        match outcome {
            Err(NoSchema::Raises(NO_CORE_SCHEMA, message)) => self.raise(NO_CORE_SCHEMA, message),
            _ => Ok(()),
        }
    }

    fn check_enum(&self, class: &Rc<Class<'a>>) -> Evaluated<()> {
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
        let is_text = class.ancestors.iter().any(|ancestor| ancestor.is_symbol("enum.StrEnum"));
        // Python refuses a member that is bound twice. The namespace keeps the last only, so the
        // body is asked.
        let bound: Vec<&str> =
            class.body.unwrap_or_default().iter().flat_map(bound_names).collect();
        for (name, member) in class.members.borrow().iter() {
            if bound.iter().filter(|bound| **bound == &**name).count() > 1 {
                return self.raise("TypeError", format!("'{name}' already defined"));
            }
            let value = class.scope.own(name);
            let is_wrong = value.is_some_and(|value| {
                value.is_constant() && !matches!(value, Value::Str(_) | Value::Tuple(_))
            });
            if is_text && is_wrong {
                let message = format!("{} is not a string", Self::show(&member.value));
                return self.raise("TypeError", message);
            }
        }
        Ok(())
    }

    fn check_unique(&self, class: &Class<'a>) -> Evaluated<()> {
        let members = class.members.borrow();
        for (name, member) in members.iter() {
            if *name != member.name {
                let message = format!(
                    "duplicate values found in <enum '{}'>: {name} -> {}",
                    class.name, member.name
                );
                return self.raise("ValueError", message);
            }
        }
        Ok(())
    }

    fn check_named_tuple(&self, class: &Class<'a>) -> Evaluated<()> {
        let mut last_default: Option<Text> = None;
        for (name, _) in class.scope.annotations.borrow().iter() {
            if name.starts_with('_') {
                let message = format!("Field names cannot start with an underscore: '{name}'");
                return self.raise("ValueError", message);
            }
            match (class.scope.own(name), &last_default) {
                (Some(_), _) => last_default = Some(Rc::clone(name)),
                (None, Some(before)) => {
                    let message = format!(
                        "Non-default namedtuple field {name} cannot follow default field {before}"
                    );
                    return self.raise("TypeError", message);
                }
                (None, None) => {}
            }
        }
        Ok(())
    }

    fn check_dataclass(&self, class: &Rc<Class<'a>>) -> Evaluated<()> {
        let annotations = class.scope.annotations.borrow();
        for (name, value) in class.scope.names.borrow().iter() {
            let is_field = matches!(value, Value::Field(info) if !info.is_pydantic);
            if is_field && !annotations.iter().any(|(known, _)| known == name) {
                let message = format!("'{name}' is a field but has no type annotation");
                return self.raise("TypeError", message);
            }
        }
        drop(annotations);
        if class.scope.own("__slots__").is_some() {
            self.set_obstacle(class, format!("`{}` has `__slots__`", class.name));
        }
        for field in fields(class) {
            let name = &field.name;
            if !Rc::ptr_eq(&field.owner, class) || is_class_variable(&field) {
                continue;
            }
            let value = class.scope.own(name);
            let (default, is_certain) = match &value {
                // `dataclasses.field(default=[])` is refused, while pydantic's `Field([])` is
                // allowed and copied. Which of the two this is, is not looked at.
                Some(Value::Field(info)) => (keyword(&info.keywords, "default"), false),
                other => (other.as_ref(), true),
            };
            let kind = match default {
                Some(Value::List(_)) if is_certain => "list",
                Some(Value::Dict(_)) if is_certain => "dict",
                Some(Value::Instance(instance)) => match is_hashable(&instance.class) {
                    Some(true) => continue,
                    Some(false) if is_certain => &instance.class.name,
                    _ => {
                        self.set_obstacle(class, format!("`{name}` may be a mutable default"));
                        continue;
                    }
                },
                // A `Set` here may be a `frozenset`, which has a hash and is allowed.
                Some(Value::List(_) | Value::Dict(_) | Value::Set(_)) => {
                    if !is_pydantic_dataclass(class) || is_certain {
                        self.set_obstacle(class, format!("`{name}` may be a mutable default"));
                    }
                    continue;
                }
                _ => continue,
            };
            let message = format!(
                "mutable default <class '{kind}'> for field {name} is not allowed: use \
                 default_factory"
            );
            return self.raise("ValueError", message);
        }
        self.check_order(class)
    }

    /// Fields without default after those with one.
    fn check_order(&self, class: &Rc<Class<'a>>) -> Evaluated<()> {
        let mut has_default = false;
        let mut is_certain = own_ancestors(class).iter().all(|ancestor| {
            ancestor.decorations.borrow().dataclass.as_ref().is_none_or(|options| {
                keyword(&options.keywords, "kw_only").is_none()
                    && keyword(&options.keywords, "init").is_none()
                    && keyword(&options.keywords, "**").is_none()
            })
        });
        for field in fields(class) {
            let annotation = self.field_type(&field.annotation, &field.owner);
            if annotation.is_symbol("dataclasses.KW_ONLY") {
                return Ok(());
            }
            is_certain &= annotation.find_unknown(self.here()).is_none();
            if is_class_variable(&field) {
                continue;
            }
            let options = match &field.default {
                Some(Value::Field(info)) => Some(&info.keywords),
                Some(Value::Unknown(_) | Value::External(_)) => {
                    is_certain = false;
                    None
                }
                _ => None,
            };
            let is_given = match options {
                Some(options) => {
                    let has = |key: &&str| keyword(options, key).is_some();
                    if ["kw_only", "init", "**"].iter().any(has) {
                        continue;
                    }
                    // `dataclasses` takes any object as a default, pydantic's `Field` included.
                    if !["default", "default_factory"].iter().any(has) {
                        continue;
                    }
                    true
                }
                None => field.default.is_some(),
            };
            if !is_given && has_default {
                let name = &field.name;
                if !is_certain {
                    self.set_obstacle(class, format!("`{name}` may have to stand before others"));
                    return Ok(());
                }
                let message = format!("non-default argument '{name}' follows default argument");
                return self.raise("TypeError", message);
            }
            has_default |= is_given;
        }
        Ok(())
    }
}

/// Whether pydantic certainly has a schema for a type, without making it; `false` says nothing.
fn has_core_schema(value: &Value<'_>, depth: u32) -> bool {
    let all = |parts: &[Value<'_>]| parts.iter().all(|part| has_core_schema(part, depth + 1));
    match value {
        _ if depth > 10 => false,
        Value::None | Value::Ellipsis => true,
        Value::Symbol(path) => WITH_SCHEMA.binary_search(&&**path).is_ok(),
        Value::Class(class) => matches!(
            class.kind.get(),
            ClassKind::Model | ClassKind::RootModel | ClassKind::Enum | ClassKind::Dataclass
        ),
        Value::Type(expression) => match &**expression {
            Type::Generic(origin @ Value::Symbol(_), arguments) => {
                has_core_schema(origin, depth + 1) && all(arguments)
            }
            Type::Union(choices) => all(choices),
            Type::Literal(_) => true,
            _ => false,
        },
        _ => false,
    }
}

/// The types of most fields, sorted.
const WITH_SCHEMA: &[&str] = &[
    "builtins.bool",
    "builtins.bytes",
    "builtins.dict",
    "builtins.float",
    "builtins.int",
    "builtins.list",
    "builtins.set",
    "builtins.str",
    "builtins.tuple",
    "datetime.date",
    "datetime.datetime",
    "datetime.time",
    "datetime.timedelta",
    "decimal.Decimal",
    "pathlib.Path",
    "typing.Any",
    "typing.Dict",
    "typing.List",
    "typing.Mapping",
    "typing.Sequence",
    "typing.Set",
    "typing.Tuple",
    "uuid.UUID",
];

/// Names of the fields that a class inherits.
fn inherited_fields(class: &Rc<Class<'_>>) -> Vec<Text> {
    let mut names = Vec::new();
    for ancestor in own_ancestors(class).into_iter().skip(1) {
        names.extend(ancestor.scope.annotations.borrow().iter().map(|(name, _)| Rc::clone(name)));
    }
    names
}

/// Whether instances of a class have a hash, as a default of a dataclass must; `None` if it is not
/// known.
fn is_hashable(class: &Rc<Class<'_>>) -> Option<bool> {
    let is_true = |value: Option<&Value<'_>>| match value {
        None => Some(false),
        Some(value) => Interpreter::truth(value),
    };
    if class.kind.get() == ClassKind::NamedTuple {
        return None;
    }
    let ancestors = own_ancestors(class);
    if ancestors
        .iter()
        .any(|known| ["__hash__", "__eq__"].iter().any(|name| known.scope.own(name).is_some()))
    {
        return None;
    }
    if class.kind.get() == ClassKind::Model {
        return is_true(keyword(&configuration(class)?, "frozen"));
    }
    let decorations =
        ancestors.iter().find_map(|known| known.decorations.borrow().dataclass.clone());
    let options = &decorations?.keywords;
    if ["eq", "unsafe_hash", "**"].iter().any(|key| keyword(options, key).is_some()) {
        return None;
    }
    is_true(keyword(options, "frozen"))
}

fn is_private_attribute(value: &Value<'_>) -> bool {
    matches!(value, Value::Opaque(opaque) if opaque.what == "a private attribute")
}

fn unannotated<'a>(class: &Class<'a>, value: &Value<'a>) -> Unannotated {
    let (ignored, refused) = (Unannotated::Ignored, Unannotated::Refused);
    match value {
        Value::Function(_) | Value::Wrapped(..) | Value::Partial(_) | Value::FlowDecorator(_) => {
            ignored
        }
        Value::Class(other) => {
            let is_nested = other.scope.module.number == class.scope.module.number
                && other.qualname.starts_with(&format!("{}.", class.qualname));
            if is_nested { ignored } else { refused }
        }
        Value::Opaque(opaque) => match (&opaque.class, opaque.what) {
            (None, "property" | "cached property" | "validator" | "computed field") => ignored,
            (None, "task" | "a logger" | "a range" | "enum property") => refused,
            _ => Unannotated::NotKnown,
        },
        Value::Symbol(path)
            if symbols::is_opaque_class(path)
                || (path.starts_with("builtins.") && !path.contains("__")) =>
        {
            refused
        }
        Value::Type(expression) => match &**expression {
            Type::Alias { .. } => ignored,
            _ => refused,
        },
        Value::Field(_)
        | Value::Member(_)
        | Value::Instance(_)
        | Value::Flow(_)
        | Value::Secret(_)
        | Value::List(_)
        | Value::Tuple(_)
        | Value::Set(_)
        | Value::Dict(_)
        | Value::Module(_) => refused,
        other if other.is_constant() => refused,
        _ => Unannotated::NotKnown,
    }
}

/// The names that a statement of a class body binds at once.
fn bound_names(statement: &Stmt) -> Vec<&str> {
    match statement {
        Stmt::Assign(assign) => assign
            .targets
            .iter()
            .filter_map(|target| match target {
                Expr::Name(name) => Some(name.id.as_str()),
                _ => None,
            })
            .collect(),
        Stmt::AnnAssign(assign) => match (&*assign.target, &assign.value) {
            (Expr::Name(name), Some(_)) => vec![name.id.as_str()],
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_types_with_a_schema_are_sorted_for_the_search() {
        assert!(WITH_SCHEMA.is_sorted());
    }
}
