//! The options of `flow(...)` and `with_options(...)`: what Prefect 3.8.8 certainly refuses
//! (`prefect/flows.py`, `Flow.__init__`).

use super::certain::{class_name, is_not_iterable};
use super::{Evaluated, Interpreter};
use crate::value::{Keywords, Value};

const OPTIONS: &[&str] = &[
    "name",
    "version",
    "flow_run_name",
    "retries",
    "retry_delay_seconds",
    "task_runner",
    "description",
    "timeout_seconds",
    "validate_parameters",
    "persist_result",
    "result_storage",
    "result_serializer",
    "cache_result_in_memory",
    "log_prints",
    "on_completion",
    "on_failure",
    "on_cancellation",
    "on_crashed",
    "on_running",
];

impl<'a> Interpreter<'a> {
    /// # Errors
    /// [`super::Raised`] if Prefect refuses the options.
    pub(super) fn check_options(&self, function: &str, options: &Keywords<'a>) -> Evaluated<()> {
        for (name, value) in options {
            // Keywords and arguments that are not known may be any of the options.
            let is_unpacked = matches!(&**name, "**" | super::expressions::UNKNOWN_ARGUMENTS);
            if is_unpacked {
                continue;
            }
            if !OPTIONS.contains(&&**name) {
                let message = format!("{function} got an unexpected keyword argument '{name}'");
                return self.raise("TypeError", message);
            }
            self.check_option(function, name, value)?;
        }
        Ok(())
    }

    fn check_option(&self, function: &str, name: &str, value: &Value<'a>) -> Evaluated<()> {
        let is_constant = value.is_constant();
        // `with_options` keeps the name unless a new one counts as true.
        let is_named = is_constant
            && !matches!(value, Value::None)
            && (function == "flow()" || Self::truth(value) == Some(true));
        let is_nothing = matches!(value, Value::None);
        let class = class_name(value);
        let refused = |message: String| self.raise("TypeError", message);
        match name {
            // `flow(name=fn)`: somebody meant `flow(fn)`, and Prefect says so.
            "name" if matches!(value, Value::Function(_) | Value::Class(_)) => {
                refused("Expected string for flow parameter 'name'.".to_owned())
            }
            "name" if is_named && value.as_str().is_none() => {
                refused(format!("Expected string for flow parameter 'name'; got {class} instead."))
            }
            "flow_run_name" if is_constant && !is_nothing && value.as_str().is_none() => refused(
                format!("Expected string or callable for 'flow_run_name'; got {class} instead."),
            ),
            "timeout_seconds" if is_constant && Self::truth(value) == Some(true) => match value {
                Value::Bool(_) | Value::Int(_) | Value::Float(_) => Ok(()),
                // Prefect calls `float(timeout_seconds)`, which takes text.
                Value::Str(text) if text.trim().parse::<f64>().is_ok() => Ok(()),
                Value::Str(text) => {
                    self.raise("ValueError", format!("could not convert string to float: '{text}'"))
                }
                _ => refused(format!("float() argument must be a number, not '{class}'")),
            },
            "result_storage" if is_constant && !is_nothing && value.as_str().is_none() => {
                refused("Result storage configuration must be persisted server-side.".to_owned())
            }
            _ if name.starts_with("on_") && !is_nothing => self.check_hooks(name, value),
            _ => Ok(()),
        }
    }

    fn check_hooks(&self, name: &str, hooks: &Value<'a>) -> Evaluated<()> {
        let is_builtin_function = hooks.as_symbol().is_some_and(|path| {
            path.strip_prefix("builtins.").is_some_and(|name| {
                matches!(name, "print" | "len" | "open" | "exit" | "repr" | "input" | "id")
            })
        });
        if is_not_iterable(hooks) || is_builtin_function {
            let class = class_name(hooks);
            let message = format!("Expected iterable for '{name}'; got {class} instead.");
            return self.raise("TypeError", message);
        }
        let (Value::List(items) | Value::Tuple(items) | Value::Set(items)) = hooks else {
            return Ok(());
        };
        match items.iter().find(|item| item.is_constant()) {
            None => Ok(()),
            Some(item) => {
                let class = class_name(item);
                let message = format!("Expected callables in '{name}'; got {class} instead.");
                self.raise("TypeError", message)
            }
        }
    }
}
