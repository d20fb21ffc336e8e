//! A flow as it stands in the source, and what is wrong with sources that have none to offer.

use semver::Version;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Entrypoint, FlowName, VersionLimit};

/// Which generation of Prefect a flow is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// A decorated function: Prefect 2 and 3.
    Prefect,
    /// A `prefect.Flow` object: Prefect 1.
    Prefect1,
}

/// How it was found out what a flow is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FlowSource {
    /// Its source, read and not run.
    #[default]
    Static,
    /// Prefect, in the user's Python.
    Introspected,
}

/// One thing about a flow that could not be proved from the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inexact {
    /// What is not known: `name`, `description` or `parameter_openapi_schema`.
    pub what: String,
    /// Why, in words a data engineer understands.
    pub reason: String,
}

/// What is known of a parameter schema that is not known for certain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpenSchema {
    /// A schema with all parameters, in which nothing is said of what is not known.
    pub schema: Value,
    /// The parameters of which something is not known.
    pub open: Vec<OpenParameter>,
}

/// A parameter of which something is not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenParameter {
    /// Its name.
    pub name: String,
    /// As it stands in the source, with type and default.
    pub written: String,
}

/// A flow at a commit.
#[derive(Debug, Clone, PartialEq)]
pub struct Flow {
    /// The name as Prefect would register it.
    pub name: FlowName,
    /// File and attribute path.
    pub entrypoint: Entrypoint,
    /// The entrypoint where the flow is defined, if this module only imports it.
    pub imported_from: Option<Entrypoint>,
    /// The line of the first decorator, or of the assignment that makes the flow; 1-based.
    pub line: u32,
    /// The description as `flow.description` has it, not templated.
    pub description: Option<String>,
    /// Prefect's generation.
    pub engine: Engine,
    /// What `POST /deployments/` would carry; `None` if it could not be computed.
    pub parameter_openapi_schema: Option<Value>,
    /// What is known of the schema where it could not be computed, if the parameters are known.
    pub open_schema: Option<OpenSchema>,
    /// Empty if the flow is exact.
    pub inexact: Vec<Inexact>,
    /// For which versions of Prefect the schema holds, where not for all.
    pub limits: Vec<VersionLimit>,
    /// Where name, description and schema come from.
    pub source: FlowSource,
}

impl Flow {
    /// Whether name, description and schema are proved to be what Prefect computes.
    pub fn is_exact(&self) -> bool {
        self.inexact.is_empty()
    }

    /// Gives the flow the schema that this version of Prefect makes of it, or none if that is not
    /// known; the flow is then not exact.
    pub fn resolve_for(&mut self, version: &Version) {
        for limit in std::mem::take(&mut self.limits) {
            if limit.holds(version) {
                continue;
            }
            if self.parameter_openapi_schema.is_none() {
                self.open_schema = None;
                continue;
            }
            self.parameter_openapi_schema = limit.instead;
            if self.parameter_openapi_schema.is_none() {
                self.inexact.push(Inexact {
                    what: "parameter_openapi_schema".to_owned(),
                    reason: format!("Prefect {version} reads {} in another way", limit.reason),
                });
            }
        }
    }
}

impl Serialize for Flow {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut object = serializer.serialize_struct("Flow", 11)?;
        object.serialize_field("name", &self.name)?;
        object.serialize_field("entrypoint", &self.entrypoint)?;
        object.serialize_field("path", self.entrypoint.path())?;
        object.serialize_field("function", self.entrypoint.object())?;
        object.serialize_field("line", &self.line)?;
        object.serialize_field("imported_from", &self.imported_from)?;
        object.serialize_field("description", &self.description)?;
        object.serialize_field("engine", &self.engine)?;
        object.serialize_field("parameter_openapi_schema", &self.parameter_openapi_schema)?;
        object.serialize_field("exact", &self.is_exact())?;
        object.serialize_field("inexact", &self.inexact)?;
        let is_introspected = self.source == FlowSource::Introspected;
        object.serialize_field("introspected", &is_introspected)?;
        object.end()
    }
}

/// What kind of problem a source has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemCode {
    /// The file does not parse.
    Syntax,
    /// The module certainly raises when it is imported, so Prefect could not load it.
    LoadError,
    /// Two flows share one name.
    Duplicate,
    /// A flow inside a function: seen, but nothing that Prefect could load by name.
    Nested,
    /// The name of the flow is not known without running the module.
    UnknownName,
    /// A `prefect.yaml` that can't be read.
    Manifest,
    /// A symbolic link that leads out of the repository, to nothing, or in a circle.
    Link,
}

/// Something in a source file that keeps flows from being registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FlowProblem {
    /// The file, from the repository root.
    pub path: String,
    /// 1-based; 1 if the problem is the whole file's.
    pub line: u32,
    /// 1-based, in characters.
    pub column: u32,
    /// The kind of problem.
    pub code: ProblemCode,
    /// What is wrong, in one line.
    pub message: String,
    /// The source around it with a marker below, several lines, for people.
    #[serde(skip)]
    pub excerpt: Option<String>,
}

impl FlowProblem {
    /// Whether a flow is lost by it. A nested flow is only a finding: no one could register it.
    pub fn is_error(&self) -> bool {
        self.code != ProblemCode::Nested
    }
}
