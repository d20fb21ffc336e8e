//! Fields of models: configuration, aliases, titles.

use std::rc::Rc;

use serde_json::Value as Json;

use super::generics::substitute;
use super::{Generator, NoSchema, Schema, SchemaResult, TypeContext};
use crate::docstring;
use crate::interpreter::Interpreter;
use crate::interpreter::ancestors::own_ancestors;
use crate::interpreter::classes::{ClassField, fields};
use crate::interpreter::strings::title;
use crate::value::{Annotation, Class, ClassKind, Keywords, Type, Value, keyword, set_keyword};

/// The alias of a field.
pub(crate) enum FieldAlias {
    None,
    Name(String),
    NotKnown,
}

/// Type variables and what takes their place.
pub(crate) type Substitution<'s, 'a> = Option<(&'s [Value<'a>], &'s [Value<'a>])>;

/// Settings of pydantic's configuration that either leave a schema as it is, or whose effect on it is
/// computed here. A model with any other setting is not exact.
const SETTINGS: &[&str] = &[
    "alias_generator",
    "allow_inf_nan",
    "arbitrary_types_allowed",
    "cache_strings",
    "defer_build",
    "extra",
    "from_attributes",
    "frozen",
    "hide_input_in_errors",
    "ignored_types",
    "json_schema_extra",
    "loc_by_alias",
    "populate_by_name",
    "protected_namespaces",
    "revalidate_instances",
    "str_strip_whitespace",
    "str_to_lower",
    "str_to_upper",
    "strict",
    "title",
    "use_attribute_docstrings",
    "use_enum_values",
    "validate_assignment",
    "validate_by_alias",
    "validate_by_name",
    "validate_default",
    "validate_return",
];

/// Whether an annotation says `Final`.
fn is_final(annotation: &Annotation<'_>) -> bool {
    match annotation {
        Annotation::Value(value) => is_final_type(value),
        // Only the name is looked for: evaluating it would need a scope, and a wrong yes makes the
        // field unknown at worst.
        Annotation::Postponed(node) => format!("{node:?}").contains("\"Final\""),
        Annotation::Missing => false,
    }
}

/// Whether a type says `Final`.
pub(crate) fn is_final_type(value: &Value<'_>) -> bool {
    match value {
        Value::Symbol(path) => &**path == "typing.Final",
        Value::Type(expression) => match &**expression {
            Type::Generic(origin, _) => origin.is_symbol("typing.Final"),
            Type::Annotated(base, _) => is_final_type(base),
            _ => false,
        },
        _ => false,
    }
}

/// The field called `name`.
pub(crate) fn fields_by_name<'a>(class: &Rc<Class<'a>>, name: &str) -> Option<ClassField<'a>> {
    fields(class).into_iter().find(|field| &*field.name == name)
}

/// Whether an annotation says `ClassVar`.
pub(crate) fn is_class_variable(field: &ClassField<'_>) -> bool {
    match &field.annotation {
        // `dataclasses` and pydantic look at the text, too, before they evaluate it.
        Annotation::Postponed(node) => {
            let text = field.owner.scope.excerpt(*node);
            ["ClassVar", "typing.ClassVar", "t.ClassVar"].iter().any(|name| text.starts_with(name))
        }
        Annotation::Value(Value::Symbol(path)) => &**path == "typing.ClassVar",
        Annotation::Value(Value::Type(expression)) => {
            matches!(&**expression, Type::Generic(origin, _) if origin.is_symbol("typing.ClassVar"))
        }
        Annotation::Missing | Annotation::Value(_) => false,
    }
}

/// The configuration of a model, inherited parts first; `None` if it is not known.
pub(crate) fn configuration<'a>(class: &Rc<Class<'a>>) -> Option<Keywords<'a>> {
    let mut settings = Keywords::new();
    for ancestor in own_ancestors(class).into_iter().rev() {
        let is_model = matches!(class.kind.get(), ClassKind::Model | ClassKind::RootModel);
        let name = if is_model { "model_config" } else { "__pydantic_config__" };
        match ancestor.scope.own(name) {
            None => {}
            Some(Value::Dict(entries)) => merge(&mut settings, &entries)?,
            Some(_) => return None,
        }
        // `class Config:` is the form of pydantic 1, which 2 still reads.
        if let (Some(Value::Class(config)), ClassKind::Model) =
            (ancestor.scope.own("Config"), ancestor.kind.get())
            && config.kind.get() == ClassKind::Plain
        {
            for (name, value) in config.scope.names.borrow().iter() {
                set_keyword(&mut settings, name, value.clone());
            }
        }
        // `class Job(BaseModel, extra="forbid")`
        for (name, value) in &ancestor.keywords {
            set_keyword(&mut settings, name, value.clone());
        }
    }
    if let Some(options) = &class.decorations.borrow().dataclass {
        match keyword(&options.keywords, "config") {
            None => {}
            Some(Value::Dict(entries)) => merge(&mut settings, entries)?,
            Some(_) => return None,
        }
    }
    Some(settings)
}

fn merge<'a>(settings: &mut Keywords<'a>, entries: &[(Value<'a>, Value<'a>)]) -> Option<()> {
    for (name, value) in entries {
        set_keyword(settings, name.as_str()?, value.clone());
    }
    Some(())
}

/// The name under which a field is read and shown.
pub(crate) fn alias<'a>(
    class: &Rc<Class<'a>>,
    field: &ClassField<'a>,
    interpreter: &Interpreter<'a>,
) -> FieldAlias {
    let info = info(field, interpreter);
    // Inputs are named by `validation_alias`, if there is one.
    let given = ["validation_alias", "alias"]
        .iter()
        .filter_map(|key| keyword(&info, key))
        .find(|value| !matches!(value, Value::None));
    match given {
        Some(Value::Str(name)) => FieldAlias::Name(name.to_string()),
        Some(Value::AliasChoices(choices)) => match choices.first() {
            Some(Value::Str(name)) => FieldAlias::Name(name.to_string()),
            _ => FieldAlias::NotKnown,
        },
        Some(_) => FieldAlias::NotKnown,
        None => generated_alias(class, &field.name),
    }
}

/// The alias that the model's `alias_generator` makes.
pub(crate) fn generated_alias(class: &Rc<Class<'_>>, name: &str) -> FieldAlias {
    let Some(settings) = configuration(class) else { return FieldAlias::NotKnown };
    match keyword(&settings, "alias_generator") {
        None | Some(Value::None) => FieldAlias::None,
        Some(Value::Symbol(path)) => match path.rsplit('.').next() {
            Some("to_camel") => FieldAlias::Name(to_camel(name)),
            Some("to_pascal") => FieldAlias::Name(to_pascal(name)),
            _ => FieldAlias::NotKnown,
        },
        Some(_) => FieldAlias::NotKnown,
    }
}

/// `pydantic.alias_generators.to_pascal`.
fn to_pascal(name: &str) -> String {
    let titled: Vec<char> = title(name).chars().collect();
    let mut pascal = String::new();
    for (at, char) in titled.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| titled.get(at));
        // pydantic removes an underscore between a letter or digit and a digit or capital.
        let is_joint = *char == '_'
            && before.is_some_and(char::is_ascii_alphanumeric)
            && titled
                .get(at + 1)
                .is_some_and(|next| next.is_ascii_digit() || next.is_ascii_uppercase());
        if !is_joint {
            pascal.push(*char);
        }
    }
    pascal
}

/// `pydantic.alias_generators.to_camel`.
fn to_camel(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    // A name without underscores that starts small is returned as it is.
    let is_word = chars.first().is_some_and(char::is_ascii_lowercase)
        && chars.iter().all(char::is_ascii_alphanumeric);
    let has_joint = chars.windows(2).any(
        |pair| matches!(pair, [left, right] if left.is_ascii_digit() && right.is_ascii_lowercase()),
    );
    if is_word && !has_joint {
        return name.to_owned();
    }
    let pascal = to_pascal(name);
    let first = pascal.find(|char| char != '_').unwrap_or(0);
    let (before, rest) = pascal.split_at(first);
    let mut chars = rest.chars();
    match chars.next() {
        Some(first) if first.is_ascii_uppercase() => {
            format!("{before}{}{}", first.to_ascii_lowercase(), chars.as_str())
        }
        _ => pascal,
    }
}

/// What `Field(...)` says about a field, in its annotation and as its default.
pub(crate) fn info<'a>(field: &ClassField<'a>, interpreter: &Interpreter<'a>) -> Keywords<'a> {
    let annotation = interpreter.field_type(&field.annotation, &field.owner);
    let mut all = metadata_info(&annotation);
    if let Some(Value::Field(given)) = &field.default {
        merge_info(&mut all, &given.keywords);
    }
    all
}

/// What `Field(...)` in `Annotated` says, outer metadata last.
pub(crate) fn metadata_info<'a>(annotation: &Value<'a>) -> Keywords<'a> {
    let mut all = Keywords::new();
    for entry in split_annotated(annotation).1 {
        if let Value::Field(given) = entry {
            merge_info(&mut all, &given.keywords);
        }
    }
    all
}

/// Lets a later `Field(...)` win over an earlier one; extra keys of both are kept.
fn merge_info<'a>(all: &mut Keywords<'a>, later: &Keywords<'a>) {
    for (name, value) in later {
        let merged = match (&**name, keyword(all, name), value) {
            ("json_schema_extra", Some(Value::Dict(before)), Value::Dict(after)) => {
                let mut entries = before.to_vec();
                for (key, value) in after.iter() {
                    Interpreter::put(&mut entries, key.clone(), value.clone());
                }
                Value::dict(entries)
            }
            _ => value.clone(),
        };
        set_keyword(all, name, merged);
    }
}

/// The type inside `Annotated`, however often, and all metadata, inner first.
pub(crate) fn split_annotated<'a>(annotation: &Value<'a>) -> (Value<'a>, Vec<Value<'a>>) {
    let mut base = annotation.clone();
    let mut metadata: Vec<Value<'a>> = Vec::new();
    while let Value::Type(expression) = &base {
        let Type::Annotated(inner, more) = &**expression else { break };
        // Python flattens `Annotated[Annotated[T, a], b]` to `a, b`.
        let mut all = more.clone();
        all.extend(metadata);
        metadata = all;
        base = inner.clone();
    }
    (base, metadata)
}

/// The title pydantic makes from a field's name.
pub(crate) fn field_title(name: &str) -> String {
    title(name).replace('_', " ").trim().to_owned()
}

/// Whether a field of this type has no title: models, enums and the like, also optional.
pub(crate) fn has_no_title(annotation: &Value<'_>) -> bool {
    match annotation {
        // Classes that become definitions bring a title of their own.
        Value::Class(class) => !matches!(class.kind.get(), ClassKind::Plain | ClassKind::Protocol),
        Value::Symbol(path) => matches!(&**path, "pydantic.BaseModel" | "pydantic.JsonValue"),
        Value::Type(expression) => match &**expression {
            Type::Annotated(base, _)
            | Type::Named(base)
            | Type::Variable { bound: Some(base), .. } => has_no_title(base),
            Type::Alias { .. } => true,
            Type::Generic(Value::Class(class), _) => class.kind.get() == ClassKind::Model,
            Type::Union(choices) => {
                let choices = super::unions::flatten(choices);
                let mut others = choices.iter().filter(|choice| !matches!(choice, Value::None));
                let first = others.next();
                first.is_some_and(|first| {
                    has_no_title(first)
                        && others.all(|other| super::unions::is_same_type(first, other))
                })
            }
            _ => false,
        },
        _ => false,
    }
}

impl<'a> Generator<'_, 'a> {
    /// The properties of the fields of a class, and the names of the required ones.
    pub(super) fn properties(
        &mut self,
        class: &Rc<Class<'a>>,
        fields: &[ClassField<'a>],
        settings: &Keywords<'a>,
        with: Substitution<'_, 'a>,
        context: TypeContext<'_, 'a>,
    ) -> SchemaResult<(Schema, Vec<Json>)> {
        let unknown = settings.iter().find(|(name, _)| !SETTINGS.contains(&&**name));
        if let Some((setting, _)) = unknown {
            return self.unknown(format!("`{}` is configured with `{setting}`", class.name));
        }
        let (mut properties, mut required) = (Schema::new(), Vec::new());
        for field in fields {
            if is_class_variable(field) {
                continue;
            }
            let named = match alias(class, field, self.interpreter) {
                FieldAlias::NotKnown => {
                    return self.unknown(format!("the alias of `{}.{}`", class.name, field.name));
                }
                // A class that inherits from a dataclass without being one shows the plain names.
                FieldAlias::Name(name) if class.kind.get() != ClassKind::DataclassChild => name,
                _ => field.name.to_string(),
            };
            let text = attribute_docstring(field);
            let (schema, is_required) =
                self.property(field, &named, text.as_deref(), with, context)?;
            if is_required {
                required.push(Json::String(named.clone()));
            }
            properties.insert(named, Json::Object(schema));
        }
        Ok((properties, required))
    }

    fn property(
        &mut self,
        field: &ClassField<'a>,
        name: &str,
        text: Option<&str>,
        with: Substitution<'_, 'a>,
        context: TypeContext<'_, 'a>,
    ) -> SchemaResult<(Schema, bool)> {
        let mut annotation = self.interpreter.field_type(&field.annotation, &field.owner);
        if let Value::Unknown(unknown) = &annotation {
            return Err(NoSchema::Unknown(Rc::clone(unknown)));
        }
        if let Some((variables, arguments)) = with {
            annotation = substitute(&annotation, variables, arguments);
        }
        let info = info(field, self.interpreter);
        for (key, value) in &info {
            // An unknown default is reported as such below; anything else unknown may change the
            // schema.
            let is_value = matches!(&**key, "default" | "default_factory");
            if let (Value::Unknown(unknown), false) = (value, is_value) {
                return Err(NoSchema::Unknown(Rc::clone(unknown)));
            }
        }
        self.check_keywords(&info)?;
        // What pydantic does with both depends on the kind of class.
        let has_plain = !matches!(field.default, None | Some(Value::Field(_)));
        if has_plain && keyword(&info, "default_factory").is_some() {
            return self.unknown(format!("`{name}` has a default and a factory"));
        }
        if is_final(&field.annotation) && field.default.is_some() {
            return self.unknown(format!("`{name}` is final and has a default"));
        }
        let context = TypeContext { class: Some(&field.owner), ..context.deeper() };
        let (base, metadata) = split_annotated(&annotation);
        let mut schema = match keyword(&info, "discriminator") {
            Some(discriminator) => self.discriminated(&base, discriminator, context)?,
            None => self.schema(&base, context)?,
        };
        // Constraints of `= Field(…)` are applied before those of `Annotated`, and the last one of a
        // kind wins.
        if let Some(Value::Field(given)) = &field.default {
            schema = self.constrained(schema, &base, &given.keywords)?;
        }
        for entry in &metadata {
            schema = self.with_metadata(schema, &base, entry)?;
        }
        if !has_no_title(&base) {
            schema.insert("title".to_owned(), field_title(name).into());
        }
        self.texts(&mut schema, &info, text)?;
        let (default, has_factory) = effective_default(field, &info);
        // A field's default is written by the field's type: `bytes` under `str` may be refused.
        if matches!(default, Some(Value::Bytes(_))) && !base.is_symbol("builtins.bytes") {
            return self.unknown(format!("the default of `{}` is written by its type", field.name));
        }
        if let Some(default) = &default
            && let Some(default) = self.default(default)?
        {
            schema.insert("default".to_owned(), default);
        }
        self.extra_keys(&mut schema, &info)?;
        Ok((schema, default.is_none() && !has_factory))
    }

    fn texts(
        &mut self,
        schema: &mut Schema,
        info: &Keywords<'a>,
        text: Option<&str>,
    ) -> SchemaResult<()> {
        // `dataclasses.field(metadata={"description": …})` shows in the schema as well.
        let metadata = match keyword(info, "metadata") {
            Some(Value::Dict(entries)) => entries.to_vec(),
            _ => Vec::new(),
        };
        for key in ["title", "description"] {
            let mut given = keyword(info, key).filter(|value| !matches!(value, Value::None));
            let from_metadata = metadata.iter().find(|(name, _)| name.as_str() == Some(key));
            if let Some((_, value @ Value::Str(_))) = from_metadata {
                given = Some(value);
            }
            match given {
                Some(value) => {
                    let value = self.encoded(value)?;
                    schema.insert(key.to_owned(), value);
                }
                None if key == "description" => {
                    if let Some(text) = text {
                        schema.insert(key.to_owned(), text.into());
                    }
                }
                None => {}
            }
        }
        Ok(())
    }
}

/// The default of a field, and whether a factory makes one.
fn effective_default<'a>(field: &ClassField<'a>, info: &Keywords<'a>) -> (Option<Value<'a>>, bool) {
    let default = match &field.default {
        None | Some(Value::Field(_)) => keyword(info, "default").cloned(),
        given => given.clone(),
    };
    let default = default.filter(|value| !matches!(value, Value::Ellipsis));
    (default, keyword(info, "default_factory").is_some())
}

/// The string on the line below a field, which becomes its description if the class is configured
/// with `use_attribute_docstrings`.
fn attribute_docstring(field: &ClassField<'_>) -> Option<String> {
    use ruff_python_ast::{Expr, Stmt};
    let settings = configuration(&field.owner)?;
    if !matches!(keyword(&settings, "use_attribute_docstrings"), Some(Value::Bool(true))) {
        return None;
    }
    field.owner.body.unwrap_or_default().windows(2).rev().find_map(|pair| {
        let [Stmt::AnnAssign(assign), Stmt::Expr(text)] = pair else { return None };
        match (&*assign.target, &*text.value) {
            (Expr::Name(name), Expr::StringLiteral(text)) if name.id.as_str() == &*field.name => {
                Some(docstring::clean(text.value.to_str()))
            }
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_come_from_names_as_python_titles_them() {
        assert_eq!(field_title("url2x_y"), "Url2X Y");
        assert_eq!(field_title("camelCase"), "Camelcase");
        assert_eq!(field_title("trailing_"), "Trailing");
    }

    #[test]
    fn camel_case_follows_pydantic() {
        assert_eq!(to_camel("first_name"), "firstName");
        assert_eq!(to_camel("already"), "already");
        assert_eq!(to_pascal("first_name"), "FirstName");
    }
}
