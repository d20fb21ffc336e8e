//! `Annotated`, constraints and discriminators.

use serde_json::Value as Json;

use super::fields::fields_by_name;
use super::unions::flatten;
use super::{Generator, NO_CORE_SCHEMA, NoSchema, Schema, SchemaResult, TypeContext, entry};
use crate::default::std_value::StdValue;
use crate::value::{Keywords, Type, Value, keyword, not_read};

const BOUNDS: &[(&str, &str)] = &[
    ("gt", "exclusiveMinimum"),
    ("ge", "minimum"),
    ("lt", "exclusiveMaximum"),
    ("le", "maximum"),
    ("multiple_of", "multipleOf"),
];

const LENGTHS: &[(&str, [(&str, &str); 3])] = &[
    ("min_length", [("string", "minLength"), ("array", "minItems"), ("object", "minProperties")]),
    ("max_length", [("string", "maxLength"), ("array", "maxItems"), ("object", "maxProperties")]),
];

/// Other keywords of `Field` whose effect on a schema is computed, or that have none.
const KNOWN: &[&str] = &[
    "alias",
    "compare",
    "default",
    "default_factory",
    "deprecated",
    "description",
    "discriminator",
    "examples",
    "exclude",
    "frozen",
    "hash",
    "init",
    "json_schema_extra",
    "kw_only",
    "metadata",
    "repr",
    "serialization_alias",
    "strict",
    "title",
    "validate_default",
    "validation_alias",
];

/// More keywords of `Field` that change nothing where the `Field` is the default of a parameter.
const WITHOUT_EFFECT: &[&str] = &[
    "alias_priority",
    "allow_inf_nan",
    "coerce_numbers_to_str",
    "decimal_places",
    "exclude_if",
    "fail_fast",
    "field_title_generator",
    "init_var",
    "max_digits",
    "union_mode",
];

/// Whether pydantic takes a keyword of `Field` for extra content of the schema.
pub(crate) fn is_extra(name: &str) -> bool {
    let is_of_dataclasses = matches!(name, "compare" | "hash" | "metadata");
    let is_known = KNOWN.contains(&name) && !is_of_dataclasses;
    !is_constraint(name) && !is_known && !WITHOUT_EFFECT.contains(&name)
}

fn is_constraint(name: &str) -> bool {
    name == "pattern"
        || BOUNDS.iter().any(|(known, _)| *known == name)
        || LENGTHS.iter().any(|(known, _)| *known == name)
}

impl<'a> Generator<'_, 'a> {
    pub(super) fn annotated(
        &mut self,
        base: &Value<'a>,
        metadata: &[Value<'a>],
        context: TypeContext<'_, 'a>,
    ) -> SchemaResult<Schema> {
        let mut schema = self.annotated_type(base, metadata, context)?;
        let infos = || {
            metadata.iter().filter_map(|entry| match entry {
                Value::Field(info) => Some(&info.keywords),
                _ => None,
            })
        };
        for key in ["default", "default_factory"] {
            if infos().any(|info| keyword(info, key).is_some()) {
                return self.unknown(format!("`{key}` inside a type"));
            }
        }
        // pydantic adds the extras of all fields after everything else of all of them.
        let keeps_extras = !drops_extras(&schema);
        for info in infos().filter(|_| keeps_extras) {
            self.labels(&mut schema, info)?;
            self.marks(&mut schema, info)?;
        }
        for info in infos().filter(|_| keeps_extras) {
            self.own_extra(&mut schema, info)?;
        }
        Ok(schema)
    }

    /// A type with its metadata, without the extras of a `Field` (title, description, examples …).
    pub(super) fn annotated_type(
        &mut self,
        base: &Value<'a>,
        metadata: &[Value<'a>],
        context: TypeContext<'_, 'a>,
    ) -> SchemaResult<Schema> {
        // A discriminator changes the schema of the union itself, so it has to be known before that
        // is made.
        let discriminator = metadata.iter().find_map(|entry| match entry {
            Value::Field(info) => keyword(&info.keywords, "discriminator").cloned(),
            _ => None,
        });
        let schema = match discriminator {
            Some(discriminator) => self.discriminated(base, &discriminator, context),
            None => self.schema(base, context.deeper()),
        };
        // Other metadata may bring its own schema (`__get_pydantic_core_schema__`), which saves a
        // type that has none.
        let is_harmless =
            |entry: &Value<'a>| entry.is_constant() || matches!(entry, Value::Field(_));
        let mut schema = match schema {
            Err(NoSchema::Raises(NO_CORE_SCHEMA, _)) if !metadata.iter().all(is_harmless) => {
                return self.unknown("metadata may make a schema for a type that has none");
            }
            other => other?,
        };
        for entry in metadata {
            schema = self.with_metadata(schema, base, entry)?;
        }
        Ok(schema)
    }

    /// Applies one piece of metadata to a schema, without the extras of a `Field`.
    pub(super) fn with_metadata(
        &mut self,
        schema: Schema,
        base: &Value<'a>,
        metadata: &Value<'a>,
    ) -> SchemaResult<Schema> {
        match metadata {
            Value::Unknown(unknown) => Err(NoSchema::Unknown(unknown.clone())),
            Value::External(path) => self.unknown(not_read(path)),
            Value::Constraint(constraint) => self.constrained(schema, base, constraint),
            Value::Field(info) => {
                self.check_keywords(&info.keywords)?;
                self.constrained(schema, base, &info.keywords)
            }
            // `WithJsonSchema` replaces the whole schema, not only the parts that it names.
            Value::GivenSchema(given) => match self.encoded(given)? {
                Json::Object(given) => Ok(given),
                _ => self.unknown("`WithJsonSchema` without a dictionary"),
            },
            Value::Symbol(path)
                if path.starts_with("pydantic") || path.starts_with("annotated_types") =>
            {
                self.unknown(format!("the metadata `{path}` is not in the tables"))
            }
            Value::Bound(_) | Value::Instance(_) => self.unknown("metadata that is not known"),
            Value::Opaque(opaque) if opaque.class.is_some() => {
                self.unknown("metadata of a class of this file")
            }
            // It may have the methods by which metadata changes a schema.
            Value::Class(_) => self.unknown("a class as metadata"),
            _ => Ok(schema),
        }
    }

    /// Declines what a `Field` says in ways that are not computed.
    pub(super) fn check_keywords(&self, info: &Keywords<'a>) -> SchemaResult<()> {
        for (name, value) in info {
            let is_set = !matches!(value, Value::None);
            if is_set && !is_constraint(name) && !KNOWN.contains(&&**name) {
                return self.unknown(format!("what `{name}` of a `Field` does"));
            }
        }
        let has = |key| keyword(info, key).is_some_and(|value| !matches!(value, Value::None));
        if has("default") && has("default_factory") {
            return self.unknown("a `Field` with a default and a factory");
        }
        Ok(())
    }

    /// Adds the extras of a `Field`: what says nothing about the values.
    pub(super) fn extras(&mut self, schema: &mut Schema, info: &Keywords<'a>) -> SchemaResult<()> {
        self.labels(schema, info)?;
        self.extra_keys(schema, info)
    }

    fn labels(&mut self, schema: &mut Schema, info: &Keywords<'a>) -> SchemaResult<()> {
        for key in ["title", "description"] {
            match keyword(info, key) {
                None | Some(Value::None) => {}
                Some(value) => {
                    let text = self.encoded(value)?;
                    schema.insert(key.to_owned(), text);
                }
            }
        }
        Ok(())
    }

    /// `examples`, `deprecated` and `json_schema_extra`.
    pub(super) fn extra_keys(
        &mut self,
        schema: &mut Schema,
        info: &Keywords<'a>,
    ) -> SchemaResult<()> {
        self.marks(schema, info)?;
        self.own_extra(schema, info)
    }

    fn marks(&mut self, schema: &mut Schema, info: &Keywords<'a>) -> SchemaResult<()> {
        if let Some(examples) = keyword(info, "examples")
            && !matches!(examples, Value::None)
        {
            let examples = self.encoded(examples)?;
            schema.insert("examples".to_owned(), examples);
        }
        if let Some(deprecated) = keyword(info, "deprecated") {
            match crate::interpreter::Interpreter::truth(deprecated) {
                Some(true) => {
                    schema.insert("deprecated".to_owned(), true.into());
                }
                Some(false) => {}
                None => return self.unknown("`deprecated` is not known"),
            }
        }
        Ok(())
    }

    fn own_extra(&mut self, schema: &mut Schema, info: &Keywords<'a>) -> SchemaResult<()> {
        match keyword(info, "json_schema_extra") {
            None | Some(Value::None) => Ok(()),
            Some(extra @ Value::Dict(_)) => match self.encoded(extra)? {
                Json::Object(extra) => {
                    schema.extend(extra);
                    Ok(())
                }
                _ => self.unknown("`json_schema_extra` is not known"),
            },
            Some(_) => self.unknown("`json_schema_extra` is a function"),
        }
    }

    /// Adds constraints to the schema of `base`.
    pub(super) fn constrained(
        &mut self,
        schema: Schema,
        base: &Value<'a>,
        constraints: &Keywords<'a>,
    ) -> SchemaResult<Schema> {
        let has_any = constraints
            .iter()
            .any(|(name, value)| is_constraint(name) && !matches!(value, Value::None));
        if !has_any {
            return Ok(schema);
        }
        let base = without_annotations(base);
        if let Value::Type(expression) = &base
            && let Type::Union(choices) = &**expression
        {
            let choices = flatten(choices);
            let mut others = choices.iter().filter(|choice| !matches!(choice, Value::None));
            // pydantic pushes a constraint down to the only choice that is not `None`. On several
            // choices it becomes a validator, which does not show.
            return match (others.next(), others.next(), schema.get("anyOf")) {
                (Some(only), None, Some(Json::Array(any_of))) => {
                    let mut constrained = Vec::new();
                    for choice in any_of.clone() {
                        constrained.push(match choice {
                            Json::Object(choice) if choice != super::of_type("null") => {
                                Json::Object(self.constrained(choice, only, constraints)?)
                            }
                            other => other,
                        });
                    }
                    let mut schema = schema.clone();
                    schema.insert("anyOf".to_owned(), constrained.into());
                    Ok(schema)
                }
                _ => self.unknown("a constraint on a union"),
            };
        }
        self.bounded(schema, &base, constraints)
    }

    fn bounded(
        &mut self,
        mut schema: Schema,
        base: &Value<'a>,
        constraints: &Keywords<'a>,
    ) -> SchemaResult<Schema> {
        let kind = schema.get("type").and_then(Json::as_str).unwrap_or_default().to_owned();
        let is_moment = base.as_symbol().is_some_and(|path| path.starts_with("datetime."));
        for (name, value) in constraints {
            if matches!(value, Value::None) || !is_constraint(name) {
                continue;
            }
            if let Some((_, key)) = BOUNDS.iter().find(|(known, _)| *known == &**name) {
                if is_moment && matches!(value, Value::Std(_)) {
                    // Bounds of dates and durations are validated, but JSON schema has no words for
                    // them.
                    continue;
                }
                if !matches!(kind.as_str(), "integer" | "number") {
                    return self.unknown(format!("`{name}` on such a type"));
                }
                let bound = self.encoded(value)?;
                if !bound.is_number() {
                    return self.unknown(format!("`{name}` that is no finite number"));
                }
                schema.insert((*key).to_owned(), bound);
            } else if let Some((_, keys)) = LENGTHS.iter().find(|(known, _)| *known == &**name) {
                // `min_length` is `minLength`, `minItems` or `minProperties`, as the type has it.
                // On other types pydantic raises, or makes a validator.
                let Some((_, key)) = keys.iter().find(|(known, _)| *known == kind) else {
                    return self.unknown(format!("`{name}` on such a type"));
                };
                let length = self.encoded(value)?;
                if !length.is_u64() {
                    return self.unknown(format!("`{name}` that is no length"));
                }
                schema.insert((*key).to_owned(), length);
            } else {
                let (Value::Str(pattern) | Value::Std(StdValue::Regex(pattern))) = value else {
                    return self.unknown("a pattern that is not known");
                };
                if kind != "string" {
                    return self.unknown("a pattern on such a type");
                }
                schema.insert("pattern".to_owned(), Json::String(pattern.to_string()));
            }
        }
        Ok(schema)
    }

    /// A union of models that are told apart by the value of one field, the discriminator.
    pub(super) fn discriminated(
        &mut self,
        base: &Value<'a>,
        discriminator: &Value<'a>,
        context: TypeContext<'_, 'a>,
    ) -> SchemaResult<Schema> {
        let why = "the discriminator is not known";
        let (Some(field), Value::Type(expression)) = (discriminator.as_str(), base) else {
            return self.unknown(why);
        };
        let Type::Union(choices) = &**expression else { return self.unknown(why) };
        let (mut one_of, mut mapping) = (Vec::new(), Schema::new());
        // Each choice has to be a model whose field is a `Literal` of texts; other forms are not
        // computed.
        for choice in flatten(choices) {
            let Value::Class(class) = &choice else { return self.unknown(why) };
            let link = self.schema(&choice, context.deeper())?;
            let Some(tag) = fields_by_name(class, field) else { return self.unknown(why) };
            let tag = self.interpreter.field_type(&tag.annotation, &tag.owner);
            let Value::Type(tag) = &tag else { return self.unknown(why) };
            let Type::Literal(values) = &**tag else { return self.unknown(why) };
            for value in values {
                let value = match value {
                    Value::Member(member) => &member.value,
                    other => other,
                };
                let Json::String(key) = self.encoded(value)? else { return self.unknown(why) };
                let reference = link.get("$ref").cloned().unwrap_or_default();
                mapping.insert(key, reference);
            }
            one_of.push(Json::Object(link));
        }
        let mut discriminator = entry("propertyName", field);
        discriminator.insert("mapping".to_owned(), mapping.into());
        let mut schema = entry("oneOf", one_of);
        schema.insert("discriminator".to_owned(), discriminator.into());
        Ok(schema)
    }
}

/// Whether pydantic loses what a `Field` adds to this type anywhere but at the top of a field: the
/// types for which it wraps a function around the schema.
fn drops_extras(schema: &Schema) -> bool {
    let format = schema.get("format").and_then(Json::as_str).unwrap_or_default();
    matches!(format, "regex" | "zoneinfo") || format.starts_with("ipv")
}

fn without_annotations<'a>(base: &Value<'a>) -> Value<'a> {
    let mut base = base.clone();
    while let Value::Type(expression) = &base {
        base = match &**expression {
            Type::Annotated(inner, _) | Type::Named(inner) => inner.clone(),
            _ => break,
        };
    }
    base
}
