//! What methods of flows and tasks do that are called while the module is imported.

use std::rc::Rc;

use super::expressions::UNKNOWN_ARGUMENTS;
use super::{Evaluated, Interpreter};
use crate::value::{FlowObject, Keywords, Lost, Opaque, Shared, Value, keyword, set_keyword};

/// Methods of a flow that look at it and do not run it.
const REGISTERING_METHODS: &[&str] = &[
    "adeploy",
    "ato_deployment",
    "deploy",
    "serve",
    "serialize_parameters",
    "to_deployment",
    "validate_parameters",
];

impl<'a> Interpreter<'a> {
    /// `task(function)`.
    pub(super) fn made_task(&self, arguments: &[Value<'a>]) -> Value<'a> {
        match arguments {
            [function] => Value::task(function.clone()),
            _ => self.unknown("a task of something that is not known"),
        }
    }

    /// A new task of the same function, as long as that is known.
    pub(super) fn task_with_options(&self, task: &Rc<Opaque<'a>>) -> Value<'a> {
        let held = task.attributes.as_ref().filter(|held| held.lost().is_none());
        if let Some(function) = held.and_then(|held| keyword(held, "fn")) {
            return Value::task(function.clone());
        }
        let unknown = self.unknown("a task of a function that is not known");
        self.note_may_be(&unknown, [Value::Opaque(Rc::clone(task))]);
        unknown
    }

    pub(super) fn flow_method(
        &self,
        flow: &Rc<FlowObject<'a>>,
        method: &str,
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
    ) -> Evaluated<Value<'a>> {
        if method == "with_options" {
            if !arguments.is_empty() && keyword(keywords, UNKNOWN_ARGUMENTS).is_none() {
                let message = "Flow.with_options() takes 1 positional argument";
                return self.raise("TypeError", message);
            }
            self.check_options("Flow.with_options()", keywords)?;
            return Ok(self.with_options(flow, keywords));
        }
        if method.starts_with("on_") {
            // `@job.on_failure` and its siblings return the function they are given.
            return Ok(arguments.first().cloned().unwrap_or_else(|| self.unknown("a hook")));
        }
        if !REGISTERING_METHODS.contains(&method) {
            // It may run the flow.
            let why = format!("`.{method}()` of a flow may change it");
            self.lose(&Value::Flow(Rc::clone(flow)), &why);
            self.lose_given(arguments, keywords, &why);
        }
        Ok(self.unknown(format!("`.{method}()` of a flow is not evaluated")))
    }

    /// A new flow that keeps the name, version and description that are not given anew.
    fn with_options(&self, flow: &Rc<FlowObject<'a>>, keywords: &Keywords<'a>) -> Value<'a> {
        let mut options = flow.options.borrow().clone();
        if keyword(&options, "name").is_none_or(|name| Self::truth(name) == Some(false)) {
            // The name is copied as it was computed, also when it came from the function.
            options.retain(|(name, _)| &**name != "name");
        }
        for (name, value) in keywords {
            let is_kept = matches!(&**name, "name" | "version" | "description")
                && Self::truth(value) == Some(false);
            if !is_kept {
                set_keyword(&mut options, name, value.clone());
            }
        }
        Value::Flow(Rc::new(FlowObject {
            function: flow.function.clone(),
            options: Shared::new(options),
            attributes: Shared::default(),
            at: self.here(),
            lost: Lost::default(),
        }))
    }
}
