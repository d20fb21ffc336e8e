//! Models, enums, dataclasses, typed dictionaries and named tuples (docs/facts/python.md,
//! "Classes and definitions").

use std::rc::Rc;

use serde_json::Value as Json;

use super::definitions::Definitions;
use super::fields::{
    Substitution, configuration, field_title, fields_by_name, has_no_title, metadata_info,
    split_annotated,
};
use super::types::common_kind;
use super::{Generator, NoSchema, Schema, SchemaResult, TypeContext, entry, of_type};
use crate::docstring;
use crate::interpreter::Interpreter;
use crate::interpreter::ancestors::own_ancestors;
use crate::interpreter::classes::{ClassField, fields, is_pydantic_dataclass};
use crate::value::{Annotation, Class, ClassKind, Keywords, Type, Value, keyword};

impl<'a> Generator<'_, 'a> {
    /// The schema of a class: a reference to its definition, or an unconstrained schema for a class
    /// that pydantic does not know.
    pub(super) fn class(
        &mut self,
        class: &Rc<Class<'a>>,
        context: TypeContext<'_, 'a>,
    ) -> SchemaResult<Schema> {
        if let Some(unknown) = class.obstacle.borrow().as_ref() {
            return Err(NoSchema::Unknown(Rc::clone(unknown)));
        }
        match class.kind.get() {
            ClassKind::Plain => return self.arbitrary_type(&class.name, context),
            ClassKind::Protocol => {
                // Prefect allows arbitrary types in signatures, which makes pydantic test with
                // `isinstance`; a protocol allows that only with `runtime_checkable`.
                return if context.is_strict || class.decorations.borrow().is_runtime_checkable {
                    self.arbitrary_type(&class.name, context)
                } else {
                    let message = format!("`{}` is not a runtime protocol", class.name);
                    Err(NoSchema::Raises("SchemaError", message))
                };
            }
            ClassKind::StandardTypedDict if self.interpreter.python().lacks(12).is_none() => {
                // The project allows Pythons on both sides of 3.12.
                return self.unknown("`typing.TypedDict` is refused before Python 3.12");
            }
            ClassKind::StandardTypedDict if self.interpreter.python().lacks(12) == Some(true) => {
                let message = "Please use `typing_extensions.TypedDict` instead of \
                               `typing.TypedDict` on Python < 3.12."
                    .to_owned();
                return Err(NoSchema::Raises("PydanticUserError", message));
            }
            _ => {}
        }
        // Classes of the standard library have no configuration of their own, and pydantic uses
        // that of the model in which it meets them first.
        let takes_over = match class.kind.get() {
            ClassKind::TypedDict | ClassKind::DataclassChild => true,
            ClassKind::Dataclass => !is_pydantic_dataclass(class),
            _ => false,
        };
        if context.is_configured && takes_over {
            return self.unknown(format!(
                "`{}` takes over the configuration of the model around it",
                class.name
            ));
        }
        let full = class.full_name();
        let owner = Value::Class(Rc::clone(class));
        let (reference, is_new) = self.definitions.reference(&owner, &[], &class.name, &full);
        // The reference exists before its schema, so that a model may contain itself.
        if is_new {
            let schema = self.definition(class, context)?;
            self.definitions.define(reference, schema);
        }
        Ok(Definitions::link(reference))
    }

    fn definition(
        &mut self,
        class: &Rc<Class<'a>>,
        context: TypeContext<'_, 'a>,
    ) -> SchemaResult<Schema> {
        let context = self.inside(class, context)?;
        match class.kind.get() {
            ClassKind::RootModel => self.root_model(class, context),
            ClassKind::Enum => self.enumeration(class),
            ClassKind::TypedDict | ClassKind::StandardTypedDict => {
                self.typed_dictionary(class, context)
            }
            ClassKind::NamedTuple => self.named_tuple(class, context),
            ClassKind::Dataclass | ClassKind::DataclassChild => self.dataclass(class, context),
            _ => self.model(class, context, &class.name, None),
        }
    }

    /// The context of the types in a class: its configuration says whether arbitrary types may.
    pub(super) fn inside<'p>(
        &self,
        class: &Rc<Class<'a>>,
        context: TypeContext<'p, 'a>,
    ) -> SchemaResult<TypeContext<'p, 'a>> {
        let Some(settings) = configuration(class) else {
            return self.unknown(format!("the configuration of `{}`", class.name));
        };
        // A class of pydantic's decides for itself; one of the standard library is as strict as
        // what it stands in.
        let has_own = match class.kind.get() {
            ClassKind::Enum => return Ok(context),
            ClassKind::Model | ClassKind::RootModel => true,
            _ => is_pydantic_dataclass(class),
        };
        let allowed = keyword(&settings, "arbitrary_types_allowed");
        let is_strict = match allowed.map(Interpreter::truth) {
            None => has_own || context.is_strict,
            Some(Some(is_allowed)) => !is_allowed,
            Some(None) => {
                return self.unknown(format!("`arbitrary_types_allowed` of `{}`", class.name));
            }
        };
        // Settings that would show in the schema of a class that takes them over.
        let shows = ["extra", "alias_generator", "title", "json_schema_extra"];
        let is_configured = if has_own {
            shows.iter().any(|key| keyword(&settings, key).is_some())
        } else {
            context.is_configured
        };
        Ok(TypeContext { is_strict, is_configured, ..context })
    }

    pub(super) fn model(
        &mut self,
        class: &Rc<Class<'a>>,
        context: TypeContext<'_, 'a>,
        title: &str,
        with: Substitution<'_, 'a>,
    ) -> SchemaResult<Schema> {
        // Then the fields are not those that stand in the source.
        if own_ancestors(class).iter().any(|known| known.scope.own("__annotations__").is_some()) {
            return self.unknown(format!("`{}` changes its annotations", class.name));
        }
        let mut fields = fields(class);
        if fields.iter().any(|field| &*field.name == "__pydantic_extra__") {
            return self.unknown(format!("`{}` has a type for extra fields", class.name));
        }
        // Private attributes and the configuration are no fields.
        fields.retain(|field| !field.name.starts_with('_') && &*field.name != "model_config");
        let settings = self.settings(class)?;
        let (properties, required) = self.properties(class, &fields, &settings, with, context)?;
        self.object(class, properties, required, title, &settings)
    }

    fn settings(&self, class: &Rc<Class<'a>>) -> SchemaResult<Keywords<'a>> {
        match configuration(class) {
            Some(settings) => Ok(settings),
            None => self.unknown(format!("the configuration of `{}`", class.name)),
        }
    }

    fn object(
        &mut self,
        class: &Rc<Class<'a>>,
        properties: Schema,
        required: Vec<Json>,
        title: &str,
        settings: &Keywords<'a>,
    ) -> SchemaResult<Schema> {
        let mut schema = entry("properties", properties);
        let title = match keyword(settings, "title") {
            None | Some(Value::None) => Json::String(title.to_owned()),
            Some(given) => self.encoded(given)?,
        };
        schema.insert("title".to_owned(), title);
        schema.insert("type".to_owned(), "object".into());
        if !required.is_empty() {
            schema.insert("required".to_owned(), required.into());
        }
        describe(&mut schema, class);
        match keyword(settings, "extra") {
            None | Some(Value::None) => {}
            Some(extra) => {
                let word = match extra {
                    Value::Str(word) => word,
                    // `Extra.forbid`, the form of pydantic 1.
                    Value::Symbol(path) => path,
                    _ => return self.unknown(format!("`extra` of `{}`", class.name)),
                };
                match word.rsplit('.').next() {
                    Some("forbid") => {
                        schema.insert("additionalProperties".to_owned(), false.into());
                    }
                    Some("allow") => {
                        schema.insert("additionalProperties".to_owned(), true.into());
                    }
                    _ => {}
                }
            }
        }
        match keyword(settings, "json_schema_extra") {
            None | Some(Value::None) => {}
            Some(extra @ Value::Dict(_)) => {
                if let Json::Object(extra) = self.encoded(extra)? {
                    schema.extend(extra);
                }
            }
            Some(_) => {
                return self.unknown(format!("`json_schema_extra` of `{}`", class.name));
            }
        }
        Ok(schema)
    }

    fn root_model(
        &mut self,
        class: &Rc<Class<'a>>,
        context: TypeContext<'_, 'a>,
    ) -> SchemaResult<Schema> {
        let field = fields_by_name(class, "root");
        let root = match &field {
            Some(field) => Some(self.interpreter.field_type(&field.annotation, &field.owner)),
            // `class Ids(RootModel[list[int]])`: the type stands in the base.
            None => class.bases.iter().find_map(|base| match base {
                Value::Type(expression) => match &**expression {
                    Type::Generic(origin, arguments) if origin.is_symbol("pydantic.RootModel") => {
                        arguments.first().cloned()
                    }
                    _ => None,
                },
                _ => None,
            }),
        };
        let Some(root) = root else {
            return self.unknown(format!("the root type of `{}`", class.name));
        };
        let context = TypeContext { class: Some(class), ..context.deeper() };
        let mut schema = self.schema(&root, context)?;
        match field.and_then(|field| field.default) {
            None | Some(Value::Ellipsis) => {}
            Some(Value::Field(_)) => {
                return self.unknown(format!("the default of `{}`", class.name));
            }
            Some(default) => {
                if let Some(default) = self.default(&default)? {
                    schema.insert("default".to_owned(), default);
                }
            }
        }
        schema.insert("title".to_owned(), Json::String(class.name.to_string()));
        describe(&mut schema, class);
        Ok(schema)
    }

    fn enumeration(&mut self, class: &Rc<Class<'a>>) -> SchemaResult<Schema> {
        let members: Vec<Value<'a>> =
            class.members.borrow().iter().map(|(_, member)| member.value.clone()).collect();
        if members.is_empty() {
            return self.unknown(format!("`{}` has no members", class.name));
        }
        let mut values = Vec::new();
        for value in &members {
            if !value.is_constant() && value.find_unknown(self.interpreter.here()).is_none() {
                return self.unknown(format!("a value of `{}`", class.name));
            }
            values.push(self.encoded(value)?);
        }
        // A mixed-in type decides even if a value looks otherwise.
        let kind = match class.mixin {
            Some("str") => Some("string"),
            Some("int") => Some("integer"),
            Some(_) => Some("number"),
            // pydantic writes no type for enums of nulls or objects.
            None => common_kind(&values).filter(|kind| !matches!(*kind, "null" | "object")),
        };
        let mut schema = entry("enum", values);
        schema.insert("title".to_owned(), Json::String(class.name.to_string()));
        if let Some(kind) = kind {
            schema.insert("type".to_owned(), kind.into());
        }
        describe(&mut schema, class);
        Ok(schema)
    }

    fn dataclass(
        &mut self,
        class: &Rc<Class<'a>>,
        context: TypeContext<'_, 'a>,
    ) -> SchemaResult<Schema> {
        let mut fields = fields(class);
        for field in &mut fields {
            if let Annotation::Value(Value::Type(expression)) = &field.annotation
                && let Type::Generic(origin, arguments) = &**expression
                // `InitVar[T]` is an argument of `__init__`, which is what the schema describes.
                && origin.is_symbol("dataclasses.InitVar")
                && let Some(inner) = arguments.first()
            {
                field.annotation = Annotation::Value(inner.clone());
            }
        }
        let settings = self.settings(class)?;
        let (properties, required) = self.properties(class, &fields, &settings, None, context)?;
        // `title` and `extra` of a dataclass's configuration count as those of a model.
        let settings: Keywords<'a> = settings;
        self.object(class, properties, required, &class.name, &settings)
    }

    fn typed_dictionary(
        &mut self,
        class: &Rc<Class<'a>>,
        context: TypeContext<'_, 'a>,
    ) -> SchemaResult<Schema> {
        let mut entries: Vec<(ClassField<'a>, bool)> = Vec::new();
        for field in fields(class) {
            let is_total =
                !matches!(keyword(&field.owner.keywords, "total"), Some(Value::Bool(false)));
            entries.push((field, is_total));
        }
        let (mut properties, mut required) = (Schema::new(), Vec::new());
        for (field, is_total) in entries {
            let annotation = self.interpreter.field_type(&field.annotation, &field.owner);
            let (annotation, is_required) = without_qualifiers(annotation, is_total);
            let context = TypeContext { class: Some(&field.owner), ..context.deeper() };
            let (base, metadata) = split_annotated(&annotation);
            self.check_plain(&metadata_info(&annotation))?;
            let mut schema = self.annotated_type(&base, &metadata, context)?;
            if !has_no_title(&annotation) {
                schema.insert("title".to_owned(), field_title(&field.name).into());
            }
            self.extras(&mut schema, &metadata_info(&annotation))?;
            if is_required {
                required.push(Json::String(field.name.to_string()));
            }
            properties.insert(field.name.to_string(), schema.into());
        }
        let settings = match configuration(class) {
            Some(mut settings) => {
                // `total` is a keyword of the class, and no setting.
                settings.retain(|(name, _)| &**name != "total");
                settings
            }
            None => return self.unknown(format!("the configuration of `{}`", class.name)),
        };
        self.object(class, properties, required, &class.name, &settings)
    }

    /// Declines keywords of a `Field` that stands outside a model: what pydantic makes of them there
    /// was not checked.
    fn check_plain(&self, info: &Keywords<'a>) -> SchemaResult<()> {
        let model_only = [
            "alias",
            "validation_alias",
            "serialization_alias",
            "default",
            "default_factory",
            "exclude",
            "title",
            "description",
        ];
        let is_empty = |value: &Value<'a>| matches!(value, Value::None);
        let is_odd = |key: &&str| {
            keyword(info, key).is_some_and(|value| match *key {
                "title" | "description" => value.as_str().is_none_or(str::is_empty),
                _ => !is_empty(value),
            })
        };
        match model_only.iter().find(|key| is_odd(key)) {
            Some(key) => self.unknown(format!("`{key}` of a `Field` outside a model")),
            None => Ok(()),
        }
    }

    fn named_tuple(
        &mut self,
        class: &Rc<Class<'a>>,
        context: TypeContext<'_, 'a>,
    ) -> SchemaResult<Schema> {
        // A named tuple takes over parts of the configuration of the model around it.
        if context.is_configured {
            return self.unknown(format!("`{}` in a model with a configuration", class.name));
        }
        let fields = fields(class);
        let mut items = Vec::new();
        let mut required: usize = 0;
        for field in &fields {
            let annotation = self.interpreter.field_type(&field.annotation, &field.owner);
            let context = TypeContext { class: Some(&field.owner), ..context.deeper() };
            self.check_plain(&metadata_info(&annotation))?;
            let mut schema = self.schema(&annotation, context)?;
            if !has_no_title(&annotation) && !schema.contains_key("title") {
                schema.insert("title".to_owned(), field_title(&field.name).into());
            }
            match &field.default {
                Some(default) => {
                    if let Some(default) = self.default(default)? {
                        schema.insert("default".to_owned(), default);
                    }
                }
                None => required += 1,
            }
            items.push(Json::Object(schema));
        }
        let mut schema = of_type("array");
        schema.insert("maxItems".to_owned(), items.len().into());
        schema.insert("prefixItems".to_owned(), items.into());
        if required > 0 {
            schema.insert("minItems".to_owned(), required.into());
        }
        Ok(schema)
    }
}

fn describe(schema: &mut Schema, class: &Class<'_>) {
    if let Some(text) = class.docstring.as_deref().filter(|text| !text.is_empty()) {
        schema.insert("description".to_owned(), docstring::clean(text).into());
    }
}

/// Takes `Required`, `NotRequired` and `ReadOnly` off the type of an entry, also inside `Annotated`, and
/// says whether the entry is required.
fn without_qualifiers(annotation: Value<'_>, is_total: bool) -> (Value<'_>, bool) {
    let (mut annotation, mut is_required) = (annotation, is_total);
    while let Value::Type(expression) = &annotation {
        if let Type::Annotated(base, metadata) = &**expression {
            let (base, is_required) = without_qualifiers(base.clone(), is_required);
            return (Value::of_type(Type::Annotated(base, metadata.clone())), is_required);
        }
        let Type::Generic(Value::Symbol(path), arguments) = &**expression else { break };
        match &**path {
            "typing.Required" => is_required = true,
            "typing.NotRequired" => is_required = false,
            "typing.ReadOnly" => {}
            _ => break,
        }
        let Some(inner) = arguments.first().cloned() else { break };
        annotation = inner;
    }
    (annotation, is_required)
}
