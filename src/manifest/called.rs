//! What a call in Python declares (`flow.deploy(…)`), by the names of the API.
//!
//! The analyser gives the arguments by the keys of `prefect.yaml`. Prefect's client fills in no
//! templates of theirs, and sends what is given for a worker to fill in.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::declared::{COLLISION_STRATEGIES, secret_paths};
use super::schedule::{self, ScheduleError};
use flowreg_model::{Field, Fields};

/// A deployment as a call declares it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CalledDeployment {
    /// The declared fields.
    pub fields: Fields,
    /// Paths in the fields whose values look like a secret.
    pub secrets: BTreeSet<String>,
    /// Whether there is a version that is not known.
    pub lacks_version: bool,
}

/// Why what a call declares can't be registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CalledError {
    /// A schedule is not one.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// A number is out of its range.
    #[error("`{0}` has to be {1}")]
    Range(&'static str, &'static str),
    /// What happens beyond the limit is none of the choices.
    #[error("`collision_strategy` has to be one of ENQUEUE and CANCEL_NEW")]
    Strategy,
}

impl CalledDeployment {
    /// The deployment that arguments declare.
    ///
    /// # Errors
    /// [`CalledError`] where Prefect refuses a value.
    pub(crate) fn of(arguments: &Map<String, Value>) -> Result<Self, CalledError> {
        let mut fields = Fields::new();
        let plain = [
            Field::Version,
            Field::Description,
            Field::Tags,
            Field::Paused,
            Field::EnforceParameterSchema,
            Field::Parameters,
        ];
        for field in plain {
            let given = arguments.get(field.name()).filter(|value| !value.is_null());
            fields.extend(given.map(|value| (field, value.clone())));
        }
        concurrency(arguments, &mut fields)?;
        if let Some(pool) = arguments.get("work_pool") {
            for (key, field) in [
                ("name", Field::WorkPoolName),
                ("work_queue_name", Field::WorkQueueName),
                ("job_variables", Field::JobVariables),
            ] {
                fields.extend(pool.get(key).map(|value| (field, value.clone())));
            }
        }
        if let Some(Value::Array(schedules)) = arguments.get("schedules") {
            let schedules = schedules.iter().filter_map(Value::as_object).map(schedule::registered);
            fields.set(Field::Schedules, schedules.collect::<Result<Vec<Value>, _>>()?);
        }
        let secrets = secret_paths(&BTreeSet::new(), &fields);
        let lacks_version = arguments.get("version").is_some_and(Value::is_null);
        Ok(Self { fields, secrets, lacks_version })
    }
}

/// A number, or a mapping that also says what happens to runs beyond it.
fn concurrency(arguments: &Map<String, Value>, fields: &mut Fields) -> Result<(), CalledError> {
    let Some(declared) = arguments.get("concurrency_limit") else { return Ok(()) };
    let (limit, options) = match declared {
        Value::Object(map) => {
            let mut options = map.clone();
            let limit = options.shift_remove("limit").unwrap_or_default();
            options.retain(|_, value| !value.is_null());
            let strategy = options.get("collision_strategy").and_then(Value::as_str);
            if !strategy.is_some_and(|strategy| COLLISION_STRATEGIES.contains(&strategy)) {
                return Err(CalledError::Strategy);
            }
            (limit, Value::Object(options))
        }
        limit => (limit.clone(), Value::Null),
    };
    let is_in = |value: &Value, range: RangeInclusive<i64>| {
        value.as_i64().is_some_and(|number| range.contains(&number))
    };
    if !is_in(&limit, 1..=i64::MAX) {
        return Err(CalledError::Range("concurrency_limit", "at least 1"));
    }
    let grace = options.get("grace_period_seconds").unwrap_or(&Value::Null);
    if !grace.is_null() && !is_in(grace, 60..=86_400) {
        return Err(CalledError::Range("grace_period_seconds", "between 60 and 86400"));
    }
    fields.set(Field::ConcurrencyLimit, limit);
    fields.set(Field::ConcurrencyOptions, options);
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn called(arguments: &Value) -> Result<CalledDeployment, CalledError> {
        CalledDeployment::of(arguments.as_object().unwrap())
    }

    #[test]
    fn arguments_become_the_fields_of_the_api() {
        let deployment = called(&json!({
            "name": "nightly",
            "tags": ["a"],
            "work_pool": {"name": "p", "job_variables": {"env": {"API_TOKEN": "s3cret"}}},
            "concurrency_limit": {"limit": 2, "collision_strategy": "CANCEL_NEW"},
            "schedules": [{"interval": 60, "slug": "x"}],
        }))
        .unwrap();
        assert_eq!(
            deployment.fields.into_object(),
            json!({
                "tags": ["a"],
                "concurrency_limit": 2,
                "concurrency_options": {"collision_strategy": "CANCEL_NEW"},
                "work_pool_name": "p",
                "job_variables": {"env": {"API_TOKEN": "s3cret"}},
                "schedules": [{"schedule": {"interval": 60.0, "timezone": "UTC"}, "slug": "x"}],
            })
            .as_object()
            .cloned()
            .unwrap()
        );
        assert!(deployment.secrets.contains("job_variables.env.API_TOKEN"));
    }

    #[test]
    fn what_prefect_refuses_is_refused() {
        for (arguments, error) in [
            (json!({"schedules": [{"cron": "daily"}]}), CalledError::Schedule(ScheduleError::Cron)),
            (
                json!({"schedules": [{"interval": -1}]}),
                CalledError::Schedule(ScheduleError::NotPositive),
            ),
            (
                json!({"concurrency_limit": 0}),
                CalledError::Range("concurrency_limit", "at least 1"),
            ),
            (
                json!({"concurrency_limit": {"limit": 1, "collision_strategy": "X"}}),
                CalledError::Strategy,
            ),
        ] {
            assert_eq!(called(&arguments).unwrap_err(), error);
        }
    }
}
