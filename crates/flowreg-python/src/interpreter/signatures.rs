//! What a function's signature is after `__annotations__`, `__defaults__`, `__kwdefaults__` or `__signature__`
//! of it were changed.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use super::Interpreter;
use crate::value::{
    Annotation, Function, Location, Parameter, ParameterKind, Unknown, Value, keyword, set_keyword,
};

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
        attributes: RefCell::new(others),
        scope: Rc::clone(&function.scope),
        range: function.range,
        lost: OnceCell::new(),
    })))
}
