//! Where other versions of Prefect make another schema than 3.8.8.
//!
//! Checked with 2.20.26, 3.0.11, 3.1.15, 3.2.15, 3.4.25, 3.6.29, 3.8.8 and 3.9.1, and the releases
//! around each limit, on the conformance corpus and 558 single parameters (`docs/exactness.md`).
//! All with pydantic 2.14, which `pip` installs beside every Prefect since 3.1; rules that older
//! versions of pydantic change are those of 2.14 here.

use semver::Version;

use crate::value::{Annotation, Function, ParameterKind, Value};
use flowreg_model::VersionLimit;

/// A difference, in the order of the versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Difference {
    /// Modules had other names before, and models were completed at another time: this shows in
    /// definitions. `@flow` above `@classmethod` could not be loaded.
    Loader,
    /// `self` and `cls` were parameters before.
    Receiver,
    /// A `Field(...)` as the default was an opaque object before.
    FieldDefault,
    /// A type without a JSON schema made the flow impossible to define before.
    NoSchema,
    /// `*args` and `**kwargs` are containers with a default from then on.
    Variadic,
}

impl Difference {
    /// The first version that is as 3.8.8, or the first that no longer is.
    fn limit(self) -> (Option<Version>, Option<Version>, &'static str) {
        let (major, minor, patch, what) = match self {
            Difference::Loader => (3, 2, 0, "shared definitions, or a flow over a class method,"),
            Difference::Receiver => (3, 4, 21, "`self` or `cls` as a parameter"),
            Difference::FieldDefault => (3, 5, 0, "`Field(...)` as a default"),
            Difference::NoSchema => (3, 6, 28, "a type without a schema"),
            Difference::Variadic => (3, 9, 0, "`*args` or `**kwargs`"),
        };
        let version = Version::new(major, minor, patch);
        match self {
            Difference::Variadic => (None, Some(version), what),
            _ => (Some(version), None, what),
        }
    }

    /// As a limit of a schema; `instead` is the schema of the other versions.
    pub(crate) fn of_schema(self, instead: Option<serde_json::Value>) -> VersionLimit {
        let (since, before, what) = self.limit();
        VersionLimit { since, before, reason: what.to_owned(), instead }
    }
}

/// What in a signature is read differently.
pub(crate) fn of_signature(function: &Function<'_>) -> Vec<Difference> {
    let mut found = Vec::new();
    for parameter in &function.parameters {
        let is_receiver = matches!(&*parameter.name, "self" | "cls");
        if is_receiver {
            found.push(Difference::Receiver);
        }
        if matches!(parameter.default, Some(Value::Field(_))) {
            found.push(Difference::FieldDefault);
        }
        if matches!(parameter.kind, ParameterKind::Rest | ParameterKind::Keywords) {
            found.push(Difference::Variadic);
        }
        let is_text = match &parameter.annotation {
            Annotation::Value(Value::Str(_)) => true,
            Annotation::Value(value) => has_forward(value),
            Annotation::Missing | Annotation::Postponed(_) => false,
        };
        if is_text {
            // Older versions resolved it when the flow was defined, newer ones when it is deployed.
            found.push(Difference::NoSchema);
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn has_forward(value: &Value<'_>) -> bool {
    use crate::value::Type;
    let Value::Type(expression) = value else { return false };
    match &**expression {
        Type::Forward(_) => true,
        Type::Generic(_, parts) | Type::Union(parts) => parts.iter().any(has_forward),
        Type::Annotated(base, _) => has_forward(base),
        _ => false,
    }
}
