//! The `parameter_openapi_schema` of a flow (docs/facts/python.md, "Parameters").

use std::rc::Rc;

use ruff_python_ast::Expr;
use serde_json::{Map, Value as Json};

use super::constraints::is_extra;
use super::fields::{is_final_type, metadata_info, split_annotated};
use super::versions::{self, Difference};
use super::{Generator, NoSchema, Schema, SchemaResult, TypeContext, is_no_type, resolve};
use crate::docstring;
use crate::interpreter::bound::{names_read, texts_in};
use crate::interpreter::{Interpreter, Raised};
use crate::value::{
    Annotation, DEEPEST_TYPE, Function, Keywords, Parameter, ParameterKind, Type, Unknown, Value,
    keyword,
};
use flowreg_model::{OpenParameter, VersionLimit};

/// Names of parameters that Prefect keeps for itself: they are keywords of calling a flow.
const RESERVED: &[&str] = &["return_state", "wait_for"];

/// Names that no field of a model can have.
const TAKEN: &[&str] = &[
    "model_config",
    "model_dump",
    "model_dump_json",
    "model_validate",
    "model_validate_json",
    "model_validate_strings",
];

/// Names that the model which validates the arguments keeps for itself.
const VALIDATION: &[&str] = &["v__args", "v__kwargs", "v__positional_only", "v__duplicate_kwargs"];

/// Why a schema could not be made: of which part, and why.
pub(crate) struct Failure {
    /// The parameter and the part of it, in words.
    pub part: String,
    pub reason: NoSchema,
}

/// The schema of a function's parameters.
pub(crate) struct ParameterSchema {
    /// The schema, in which parameters that are not known are left open.
    pub schema: Json,
    /// For which versions of Prefect it holds, where not for all.
    pub limits: Vec<VersionLimit>,
    /// The parameters that are not known for certain, and why the first of them is not.
    pub doubt: Option<(Failure, Vec<OpenParameter>)>,
}

/// The schema of a function's parameters, described by its docstring.
///
/// # Errors
/// [`Failure`] where Prefect refuses the signature.
pub(crate) fn parameters<'a>(
    interpreter: &Interpreter<'a>,
    function: &Function<'a>,
    doc: Option<&str>,
    validates: bool,
) -> Result<ParameterSchema, Failure> {
    let differences = versions::of_signature(function);
    // The schema of 3.8.8, and with it those of other versions, where they differ in a known way.
    let object = |as_containers| object(interpreter, function, doc, validates, as_containers);
    let (schema, more, doubts) = object(false)?;
    let mut limits = Vec::new();
    for difference in differences.into_iter().chain(more) {
        let instead = match difference {
            Difference::Variadic => {
                let (schema, _, doubts) = object(true)?;
                doubts.first.is_none().then_some(schema)
            }
            _ => None,
        };
        limits.push(difference.of_schema(instead));
    }
    let written = |name: &str| {
        let parameter = function.parameters.iter().find(|parameter| *parameter.name == *name);
        let range = parameter.map(|parameter| parameter.range.to_std_range());
        range.and_then(|range| function.scope.module.text.get(range)).unwrap_or_default().to_owned()
    };
    let open = |name: String| OpenParameter { written: written(&name), name };
    let doubt =
        doubts.first.map(|failure| (failure, doubts.parameters.into_iter().map(open).collect()));
    Ok(ParameterSchema { schema, limits, doubt })
}

/// What is not known of a signature.
#[derive(Default)]
struct Doubts {
    /// Why, of the first.
    first: Option<Failure>,
    /// The parameters that it concerns.
    parameters: Vec<String>,
}

impl Doubts {
    /// Takes what is not known as nothing.
    ///
    /// # Errors
    /// [`Failure`] where Prefect refuses the signature for certain. After the first doubt nothing is:
    /// whether Prefect comes this far depends on it.
    fn or_open<T>(
        &mut self,
        name: &str,
        part: &str,
        result: SchemaResult<T>,
    ) -> Result<Option<T>, Failure> {
        let reason = match result {
            Ok(known) => return Ok(Some(known)),
            Err(reason) => reason,
        };
        self.open(name, Failure { part: part.to_owned(), reason })?;
        Ok(None)
    }

    fn open(&mut self, name: &str, failure: Failure) -> Result<(), Failure> {
        if self.first.is_none() {
            if matches!(failure.reason, NoSchema::Raises(..)) {
                return Err(failure);
            }
            self.first = Some(failure);
        }
        if self.parameters.last().is_none_or(|last| last != name) {
            self.parameters.push(name.to_owned());
        }
        Ok(())
    }
}

/// The schema, where other versions differ, and what is not known; `as_containers`: variadic
/// parameters as Prefect 3.9 reads them.
fn object<'a>(
    interpreter: &Interpreter<'a>,
    function: &Function<'a>,
    doc: Option<&str>,
    validates: bool,
    as_containers: bool,
) -> Result<(Json, Vec<Difference>, Doubts), Failure> {
    let raises = |part: &str, kind, message: String| Failure {
        part: part.to_owned(),
        reason: NoSchema::Raises(kind, message),
    };
    for name in RESERVED {
        if function.parameters.iter().any(|parameter| &*parameter.name == *name) {
            let message = format!("'{name}' is a reserved argument name and cannot be used.");
            return Err(raises(name, "ReservedArgumentError", message));
        }
    }
    let mut doubts = Doubts::default();
    let (annotations, is_fallback) = match evaluated(interpreter, function, validates) {
        Ok(evaluated) => evaluated,
        Err(failure) => {
            doubts.open(&failure.part.clone(), failure)?;
            doubts.parameters.clear();
            (function.parameters.iter().map(|_| Annotation::Missing).collect(), false)
        }
    };
    let is_any_type_known = doubts.first.is_none();
    let texts = doc.map_or_else(Vec::new, |doc| docstring::parameters(&docstring::clean(doc)));
    let mut generator = Generator::new(interpreter);
    let (mut properties, mut required) = (Schema::new(), Vec::new());
    for (position, (parameter, annotation)) in
        function.parameters.iter().zip(annotations).enumerate()
    {
        let name = &*parameter.name;
        // Left out wherever they stand; `enumerate` has counted their position.
        if matches!(name, "self" | "cls") {
            continue;
        }
        interpreter.at(&function.scope, parameter.range.start());
        if name.starts_with('_') {
            let plain = name.trim_start_matches('_');
            let message = format!(
                "Fields must not use names with leading underscores; e.g., use '{plain}' \
                 instead of '{name}'."
            );
            doubts.open(name, raises(name, "PydanticUserError", message))?;
        }
        let is_taken = TAKEN.contains(&name)
            && !matches!(parameter.kind, ParameterKind::Rest | ParameterKind::Keywords);
        if validates && (is_taken || VALIDATION.contains(&name)) {
            let message = "Flow function is not compatible with `validate_parameters`. Disable \
                           validation or change the argument names.";
            doubts.open(name, raises(name, "ValueError", message.to_owned()))?;
        }
        // If one string of the signature did not resolve, Prefect leaves all strings to pydantic,
        // which resolves each in Prefect's own module.
        let annotation = if is_fallback || is_text(&annotation) {
            resolve::in_prefect(interpreter, &annotation, &function.scope.module)
        } else {
            match annotation {
                Annotation::Value(value) => value,
                _ => Value::symbol("typing.Any"),
            }
        };
        let text = texts.iter().rev().find(|(known, _)| known == name);
        let text = text.map(|(_, text)| text.as_str());
        let container = as_containers.then(|| container(parameter, &annotation)).flatten();
        let (parameter, annotation) = match &container {
            Some((parameter, annotation)) => (parameter, annotation),
            None => (parameter, &annotation),
        };
        if !is_any_type_known && doubts.parameters.last().is_none_or(|last| last != name) {
            doubts.parameters.push(name.to_owned());
        }
        let (schema, is_required) =
            generator.parameter(function, parameter, annotation, (position, text), &mut doubts)?;
        properties.insert(name.to_owned(), schema.into());
        if is_required {
            required.push(Json::String(name.to_owned()));
        }
    }
    let mut properties = Json::Object(properties);
    let definitions = generator.definitions.finish(&mut properties);
    let has_definitions = !definitions.is_empty();
    let mut schema = Map::new();
    schema.insert("title".to_owned(), "Parameters".into());
    schema.insert("type".to_owned(), "object".into());
    schema.insert("properties".to_owned(), properties);
    if !required.is_empty() {
        schema.insert("required".to_owned(), required.into());
    }
    if !definitions.is_empty() {
        schema.insert("definitions".to_owned(), definitions.into());
    }
    let mut differences = Vec::new();
    if generator.has_no_schema.get() {
        differences.push(Difference::NoSchema);
    }
    if has_definitions {
        differences.push(Difference::Loader);
    }
    Ok((Json::Object(schema), differences, doubts))
}

/// A variadic parameter as Prefect 3.9 reads it: a list or dictionary with an empty one as default.
fn container<'a>(
    parameter: &Parameter<'a>,
    annotation: &Value<'a>,
) -> Option<(Parameter<'a>, Value<'a>)> {
    let (default, annotation) = match parameter.kind {
        ParameterKind::Rest => {
            let list = Value::generic("builtins.list", vec![annotation.clone()]);
            (Value::list(Vec::new()), list)
        }
        ParameterKind::Keywords => {
            let text = Value::symbol("builtins.str");
            let dict = Value::generic("builtins.dict", vec![text, annotation.clone()]);
            (Value::dict(Vec::new()), dict)
        }
        _ => return None,
    };
    let parameter = Parameter {
        name: Rc::clone(&parameter.name),
        kind: parameter.kind,
        annotation: parameter.annotation.clone(),
        default: Some(default),
        range: parameter.range,
    };
    Some((parameter, annotation))
}

/// A parameter that is named like a part of a quoted or postponed annotation: the model that
/// validates the arguments takes one for the other.
fn hidden_type<'a>(interpreter: &Interpreter<'a>, function: &Function<'a>) -> Option<String> {
    let mut names = Vec::new();
    for parameter in &function.parameters {
        match &parameter.annotation {
            Annotation::Postponed(node) => read_late(interpreter, node, &mut names, 0),
            Annotation::Value(value) => quoted_names(interpreter, value, &mut names, 0),
            Annotation::Missing => {}
        }
    }
    let hides = |parameter: &&Parameter<'a>| names.contains(&&*parameter.name);
    function.parameters.iter().find(hides).map(|parameter| parameter.name.to_string())
}

/// The names that an expression reads, also those in the texts that stand in it.
fn read_late<'a>(
    interpreter: &Interpreter<'a>,
    node: &'a Expr,
    names: &mut Vec<&'a str>,
    depth: u32,
) {
    names.extend(names_read(node));
    for text in texts_in(node) {
        if depth < 10
            && let Some(node) = interpreter.parse_annotation(text.to_str())
        {
            read_late(interpreter, node, names, depth + 1);
        }
    }
}

/// The names that the quoted parts of a type read.
fn quoted_names<'a>(
    interpreter: &Interpreter<'a>,
    value: &Value<'a>,
    names: &mut Vec<&'a str>,
    depth: u32,
) {
    let text = match value {
        Value::Str(text) => text,
        Value::Type(expression) => match &**expression {
            Type::Forward(text) => text,
            Type::Generic(_, parts) | Type::Union(parts) if depth < DEEPEST_TYPE => {
                return parts
                    .iter()
                    .for_each(|part| quoted_names(interpreter, part, names, depth + 1));
            }
            Type::Annotated(base, _) if depth < DEEPEST_TYPE => {
                return quoted_names(interpreter, base, names, depth + 1);
            }
            _ => return,
        },
        _ => return,
    };
    if let Some(node) = interpreter.parse_annotation(text) {
        read_late(interpreter, node, names, 0);
    }
}

fn is_text(annotation: &Annotation<'_>) -> bool {
    matches!(annotation, Annotation::Postponed(_) | Annotation::Value(Value::Str(_)))
}

/// `inspect.signature(eval_str=True)`: all string annotations resolve in the module, or, if one
/// name is missing, none does (the flag).
fn evaluated<'a>(
    interpreter: &Interpreter<'a>,
    function: &Function<'a>,
    validates: bool,
) -> Result<(Vec<Annotation<'a>>, bool), Failure> {
    // The model that validates the arguments resolves quoted types among its own fields first.
    if let Some(name) = hidden_type(interpreter, function) {
        let why = format!("the parameter `{name}` has the name of a type that is quoted");
        let reason = Unknown { why, at: interpreter.here(), is_flow_like: false };
        return Err(Failure { part: name, reason: NoSchema::Unknown(Rc::new(reason)) });
    }
    let as_written = || function.parameters.iter().map(|p| p.annotation.clone()).collect();
    let returns = function.definition.and_then(|definition| definition.returns.as_deref());
    let quoted_return = match returns {
        Some(node) if function.scope.module.are_annotations_postponed => {
            Some(Annotation::Postponed(node))
        }
        Some(ruff_python_ast::Expr::StringLiteral(text)) => {
            Some(Annotation::Value(Value::text(text.value.to_str())))
        }
        _ => None,
    };
    let mut annotations = Vec::new();
    let written = function.parameters.iter().map(|p| (&*p.name, p.annotation.clone()));
    let named = written.chain(quoted_return.map(|annotation| ("return", annotation)));
    let mut is_fallback = false;
    for (name, annotation) in named {
        match evaluate(interpreter, &annotation, function) {
            Ok(Annotation::Value(value))
                if is_text(&annotation)
                    && is_no_type(&value)
                    && !matches!(value, Value::None | Value::Str(_)) =>
            {
                let why = "a quoted annotation that is no type".to_owned();
                let unknown = Unknown { why, at: interpreter.here(), is_flow_like: false };
                let reason = NoSchema::Unknown(Rc::new(unknown));
                return Err(Failure { part: format!("the type of `{name}`"), reason });
            }
            Ok(value) => annotations.push(value),
            Err(raised) if raised.kind == "TypeError" && validates && name != "return" => {
                // Prefect falls back to strings, which pydantic then resolves in another module.
                // Whether that raises again decides whether the flow can be defined.
                let why = format!("evaluating the annotation raises {raised}");
                let unknown = Unknown { why, at: interpreter.here(), is_flow_like: false };
                let reason = NoSchema::Unknown(Rc::new(unknown));
                return Err(Failure { part: format!("the type of `{name}`"), reason });
            }
            // Python evaluates the annotations in order and stops at the first error. After the
            // fallback each of the others is resolved by itself, and only missing names are
            // forgiven.
            Err(raised) if matches!(raised.kind.as_str(), "NameError" | "TypeError") => {
                is_fallback = true;
            }
            Err(_) if is_fallback => {}
            Err(raised) => {
                let kind = match raised.kind.as_str() {
                    "SyntaxError" => "SyntaxError",
                    "AttributeError" => "AttributeError",
                    "KeyError" => "KeyError",
                    _ => "Error",
                };
                let reason = NoSchema::Raises(kind, raised.message.clone());
                return Err(Failure { part: name.to_owned(), reason });
            }
        }
    }
    if is_fallback {
        return Ok((as_written(), true));
    }
    annotations.truncate(function.parameters.len());
    if validates && function.parameters.iter().any(|parameter| is_text(&parameter.annotation)) {
        let scope = function.scope.top();
        for (parameter, annotation) in function.parameters.iter().zip(&annotations) {
            let Annotation::Value(value) = annotation else { continue };
            if let Some(why) = resolve::refusal(interpreter, value, &scope, 0) {
                let unknown = Unknown { why, at: interpreter.here(), is_flow_like: false };
                let reason = NoSchema::Unknown(Rc::new(unknown));
                return Err(Failure { part: format!("the type of `{}`", parameter.name), reason });
            }
        }
    }
    Ok((annotations, false))
}

fn evaluate<'a>(
    interpreter: &Interpreter<'a>,
    annotation: &Annotation<'a>,
    function: &Function<'a>,
) -> Result<Annotation<'a>, Box<Raised>> {
    let node = match annotation {
        Annotation::Postponed(node) => *node,
        Annotation::Value(Value::Str(text)) => match interpreter.parse_annotation(text) {
            Some(node) => node,
            None => {
                return Err(Box::new(Raised {
                    kind: "SyntaxError".to_owned(),
                    message: format!("invalid syntax in the annotation \"{text}\""),
                    at: interpreter.here(),
                    through: None,
                    object: None,
                }));
            }
        },
        other => return Ok(other.clone()),
    };
    interpreter.value(node, &function.scope.top()).map(Annotation::Value)
}

impl<'a> Generator<'_, 'a> {
    fn parameter(
        &mut self,
        function: &Function<'a>,
        parameter: &Parameter<'a>,
        annotation: &Value<'a>,
        (position, text): (usize, Option<&str>),
        doubts: &mut Doubts,
    ) -> Result<(Schema, bool), Failure> {
        let name = &parameter.name;
        let annotation_part = format!("the type of `{name}`");
        let default_part = format!("the default of `{name}`");
        // One part without a schema leaves the whole parameter unconstrained.
        let mark = self.definitions.mark();
        let typed = if is_final_type(annotation) && parameter.default.is_some() {
            self.unknown("`Final` with a default")
        } else {
            self.parameter_type(annotation, function)
        };
        if typed.is_err() {
            // A type without a schema takes with it the definitions that were made for its parts.
            self.definitions.truncate(mark);
        }
        let typed = match typed {
            Err(NoSchema::Unconstrained | NoSchema::Callable) => {
                self.has_no_schema.set(true);
                Some((Schema::new(), Keywords::new()))
            }
            other => doubts
                .or_open(name, &annotation_part, other)?
                .map(|schema| (schema, metadata_info(annotation))),
        };
        let (mut schema, metadata) = typed.unwrap_or_default();
        let mut description = text.map(str::to_owned);
        let mut extra = Schema::new();
        let mut default = parameter.default.clone();
        let mut is_required = default.is_none();
        match &parameter.default {
            // `dataclasses.field()` as a default is an object like any other, without a JSON form.
            Some(Value::Field(info)) if !info.is_pydantic => default = None,
            Some(Value::Field(info)) => {
                let known = self.field_default(&info.keywords, &mut description);
                let known = doubts.or_open(name, &default_part, known)?;
                is_required = match &known {
                    Some((default, _)) => default.is_none(),
                    None => keyword(&info.keywords, "default").is_none(),
                };
                (default, extra) = known.unwrap_or_default();
            }
            Some(Value::Ellipsis) => (default, is_required) = (None, true),
            Some(_) => {}
            None => match keyword(&metadata, "default") {
                Some(value) if !matches!(value, Value::Ellipsis) => {
                    (default, is_required) = (Some(value.clone()), false);
                }
                // A factory makes the parameter optional, without a default to show.
                _ => is_required = keyword(&metadata, "default_factory").is_none(),
            },
        }
        schema.insert("title".to_owned(), Json::String(name.to_string()));
        if let Some(default) = &default {
            let encoded = self.default(default);
            if let Some(encoded) = doubts.or_open(name, &default_part, encoded)?.flatten() {
                schema.insert("default".to_owned(), encoded);
            }
        }
        if let Some(description) = description {
            schema.insert("description".to_owned(), description.into());
        }
        let extra_keys = self.extra_keys(&mut schema, &metadata);
        doubts.or_open(name, &annotation_part, extra_keys)?;
        schema.insert("position".to_owned(), position.into());
        // Last, because Prefect merges `json_schema_extra` over everything, `position` and `title`
        // too.
        schema.extend(extra);
        Ok((schema, is_required))
    }

    fn parameter_type(
        &mut self,
        annotation: &Value<'a>,
        function: &Function<'a>,
    ) -> SchemaResult<Schema> {
        let module = &function.scope.module;
        let resolved = resolve::forward(self.interpreter, annotation, module, 0)?;
        let (base, metadata) = split_annotated(&resolved);
        self.annotated_type(&base, &metadata, TypeContext::SIGNATURE)
    }

    /// What survives of a `Field(...)` that is the default itself.
    fn field_default(
        &mut self,
        info: &Keywords<'a>,
        description: &mut Option<String>,
    ) -> SchemaResult<(Option<Value<'a>>, Schema)> {
        let here = self.interpreter.here();
        for key in ["default", "description", "json_schema_extra", "**"] {
            if let Some(unknown) = keyword(info, key).and_then(|value| value.find_unknown(here)) {
                return Err(NoSchema::Unknown(unknown));
            }
        }
        if let Some((name, _)) = info.iter().find(|(name, _)| is_extra(name)) {
            return self.unknown(format!("what `{name}` of a `Field` does"));
        }
        match keyword(info, "description") {
            Some(Value::Str(text)) if !text.is_empty() => *description = Some(text.to_string()),
            None | Some(Value::None | Value::Str(_)) => {}
            Some(_) => return self.unknown("the description is no text"),
        }
        let extra = match keyword(info, "json_schema_extra") {
            Some(extra @ Value::Dict(_)) => match self.encoded(extra)? {
                Json::Object(extra) => extra,
                _ => Schema::new(),
            },
            _ => Schema::new(),
        };
        let default =
            keyword(info, "default").filter(|value| !matches!(value, Value::Ellipsis)).cloned();
        Ok((default, extra))
    }
}
