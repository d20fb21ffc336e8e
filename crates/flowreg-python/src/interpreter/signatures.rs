//! What a function's signature is after `__annotations__`, `__defaults__`, `__kwdefaults__` or `__signature__`
//! of it were changed.

use std::rc::Rc;

use super::Interpreter;
use crate::value::{
    Annotation, Function, Location, Lost, Parameter, ParameterKind, Shared, Unknown, Value,
    keyword, set_keyword,
};

/// How many `functools.wraps` around each other are looked through. People write one or two; the
/// end keeps a wrapper that wraps itself from going on forever.
const MOST_WRAPPERS: usize = 50;

/// The attributes of a function from which its signature is made.
const PARTS: &[&str] = &["__annotations__", "__defaults__", "__kwdefaults__"];

fn has_default_by_position(parameter: &Parameter<'_>) -> bool {
    matches!(parameter.kind, ParameterKind::PositionalOnly | ParameterKind::Positional)
}

impl<'a> Interpreter<'a> {
    /// A part of the signature as an object that is shared with the function; `None` if it is no such part, or
    /// not known.
    pub(super) fn signature_part(&self, function: &Function<'a>, name: &str) -> Option<Value<'a>> {
        let parameters = || function.parameters.iter();
        let entry = |name: &str, value: &Value<'a>| (Value::text(name), value.clone());
        let part = match name {
            "__annotations__" => {
                let mut entries = Vec::new();
                for parameter in parameters() {
                    match &parameter.annotation {
                        Annotation::Missing => {}
                        Annotation::Value(value) => entries.push(entry(&parameter.name, value)),
                        Annotation::Postponed(_) => return None,
                    }
                }
                if function.definition.is_some_and(|definition| definition.returns.is_some()) {
                    entries
                        .push(entry("return", &self.unknown("the type that a function returns")));
                }
                Value::dict(entries)
            }
            "__defaults__" => {
                let positional =
                    parameters().filter(|parameter| has_default_by_position(parameter));
                let defaults: Vec<_> =
                    positional.filter_map(|parameter| parameter.default.clone()).collect();
                if defaults.is_empty() { Value::None } else { Value::tuple(defaults) }
            }
            "__kwdefaults__" => {
                let named = parameters().filter(|known| known.kind == ParameterKind::KeywordOnly);
                let entries: Vec<_> = named
                    .filter_map(|known| Some(entry(&known.name, known.default.as_ref()?)))
                    .collect();
                if entries.is_empty() { Value::None } else { Value::dict(entries) }
            }
            _ => return None,
        };
        set_keyword(&mut function.attributes.borrow_mut(), name, part.clone());
        Some(part)
    }
}

/// A function with the signature that it has by now; `None` if that is the one of its definition.
///
/// # Errors
/// Why it is not known.
pub(crate) fn changed<'a>(
    function: &Function<'a>,
) -> Result<Option<Rc<Function<'a>>>, Rc<Unknown>> {
    let attributes = function.attributes.borrow();
    if keyword(&attributes, "__code__").is_some() {
        let at = Location { module: function.scope.module.number, at: function.range.start() };
        let why = "its `__code__` is set".to_owned();
        return Err(Rc::new(Unknown { why, at, is_flow_like: false }));
    }
    if !attributes.iter().any(|(name, _)| PARTS.contains(&&**name)) {
        return Ok(None);
    }
    let at = Location { module: function.scope.module.number, at: function.range.start() };
    let unknown = |why: &str| Rc::new(Unknown { why: why.to_owned(), at, is_flow_like: false });
    let known = |name: &str| match keyword(&attributes, name) {
        Some(value) => match value.lost() {
            Some(lost) => Err(Rc::clone(lost)),
            None => Ok(Some(value.clone())),
        },
        None => Ok(None),
    };
    let mut parameters: Vec<Parameter<'a>> = Vec::new();
    let (annotations, defaults, named) =
        (known("__annotations__")?, known("__defaults__")?, known("__kwdefaults__")?);
    let count = function.parameters.iter().filter(|known| has_default_by_position(known)).count();
    let mut place = 0;
    for parameter in &function.parameters {
        let annotation = match &annotations {
            None => parameter.annotation.clone(),
            Some(Value::Dict(entries)) => {
                match Interpreter::look_up(entries, &Value::Str(Rc::clone(&parameter.name))) {
                    Ok(Some(value)) => Annotation::Value(value),
                    Ok(None) => Annotation::Missing,
                    Err(_) => return Err(unknown("its annotations are set")),
                }
            }
            Some(_) => return Err(unknown("its annotations are set")),
        };
        let mut default = parameter.default.clone();
        if has_default_by_position(parameter) {
            place += 1;
            match &defaults {
                None => {}
                Some(Value::None) => default = None,
                Some(Value::Tuple(values)) if values.len() <= count => {
                    let first = count - values.len();
                    default =
                        (place - 1usize).checked_sub(first).and_then(|at| values.get(at).cloned());
                }
                Some(_) => return Err(unknown("its defaults are set")),
            }
        } else if parameter.kind == ParameterKind::KeywordOnly {
            match &named {
                None => {}
                Some(Value::None) => default = None,
                Some(Value::Dict(entries)) => {
                    match Interpreter::look_up(entries, &Value::Str(Rc::clone(&parameter.name))) {
                        Ok(value) => default = value,
                        Err(_) => return Err(unknown("its defaults are set")),
                    }
                }
                Some(_) => return Err(unknown("its defaults are set")),
            }
        }
        parameters.push(Parameter {
            name: Rc::clone(&parameter.name),
            kind: parameter.kind,
            annotation,
            default,
            range: parameter.range,
        });
    }
    let others = attributes.iter().filter(|(name, _)| !PARTS.contains(&&**name)).cloned().collect();
    Ok(Some(Rc::new(Function {
        name: Rc::clone(&function.name),
        qualname: Rc::clone(&function.qualname),
        definition: function.definition,
        lambda_body: function.lambda_body,
        parameters,
        docstring: function.docstring.clone(),
        attributes: Shared::new(others),
        scope: Rc::clone(&function.scope),
        range: function.range,
        lost: Lost::default(),
    })))
}

/// The function whose signature `inspect.signature` reads: the innermost of those that
/// `functools.wraps` put around each other; `None` if the function is no wrapper.
pub(crate) fn unwrapped<'a>(
    at: Location,
    function: &Function<'a>,
) -> Result<Option<Rc<Function<'a>>>, Rc<Unknown>> {
    let mut innermost: Option<Rc<Function<'a>>> = None;
    for _ in 0..MOST_WRAPPERS {
        let current = innermost.as_deref().unwrap_or(function);
        if let Some(lost) = current.lost.get() {
            return Err(Rc::clone(lost));
        }
        let attributes = current.attributes.borrow();
        // What else Python and Prefect read, such as `__code__`, is not followed.
        let is_known = |name: &str| {
            let is_followed = matches!(
                name,
                "__doc__"
                    | "__name__"
                    | "__wrapped__"
                    | "__annotations__"
                    | "__defaults__"
                    | "__kwdefaults__"
                    | "__signature__"
            );
            is_followed || !name.starts_with("__")
        };
        if attributes.iter().any(|(name, _)| !is_known(name)) {
            return Err(not_known("attributes of the function are set", at));
        }
        // `inspect.signature` takes a `__signature__` for what it is, and looks through a wrapper else.
        let inner =
            match (keyword(&attributes, "__signature__"), keyword(&attributes, "__wrapped__")) {
                (Some(signature), _) => match signed(signature) {
                    Some(inner) => inner,
                    None => return Err(not_known("the function's `__signature__` is set", at)),
                },
                (None, None) => {
                    drop(attributes);
                    let changed = changed(innermost.as_deref().unwrap_or(function))?;
                    return Ok(changed.or(innermost));
                }
                (None, Some(Value::Function(inner))) => Rc::clone(inner),
                (None, Some(_)) => {
                    return Err(not_known("the function's `__wrapped__` is set", at));
                }
            };
        drop(attributes);
        innermost = Some(inner);
    }
    Err(not_known("the function is wrapped too often", at))
}

/// The function whose signature `inspect.signature` gave, if its annotations are no texts: those of a
/// `__signature__` are not evaluated.
fn signed<'a>(signature: &Value<'a>) -> Option<Rc<Function<'a>>> {
    let Value::Opaque(opaque) = signature else { return None };
    let attributes = opaque.attributes.as_ref().filter(|_| opaque.what == "a signature")?;
    let Value::Function(function) = keyword(attributes, "of")? else { return None };
    let is_plain = |annotation: &Annotation<'a>| match annotation {
        Annotation::Missing => true,
        Annotation::Value(value) => !matches!(value, Value::Str(_)),
        Annotation::Postponed(_) => false,
    };
    let is_known = function.parameters.iter().all(|parameter| is_plain(&parameter.annotation));
    is_known.then(|| Rc::clone(function))
}

fn not_known(why: &str, at: Location) -> Rc<Unknown> {
    Rc::new(Unknown { why: why.to_owned(), at, is_flow_like: false })
}
