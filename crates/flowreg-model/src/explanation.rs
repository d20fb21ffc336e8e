//! What a flow's registration follows from: `flowreg flows --explain`.

use serde::Serialize;
use serde_json::Value;

use super::{Entrypoint, FlowName};

/// One part of a flow, and where it comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evidence {
    /// `name`, `description`, or the name of a parameter.
    pub part: String,
    /// What would be registered; `None` if there is nothing, or it is not known.
    pub value: Option<Value>,
    /// File and line that it was read from.
    pub place: String,
    /// How it follows, or why it is not known.
    pub rule: String,
    /// Whether it is proved.
    pub exact: bool,
}

/// What name, description and parameters of a flow follow from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The flow's name.
    pub flow: FlowName,
    /// File and attribute path.
    pub entrypoint: Entrypoint,
    /// Name and description, then the parameters in their order.
    pub evidence: Vec<Evidence>,
    /// What else is not known.
    pub inexact: Vec<String>,
    /// The files that decide about it besides its own.
    pub imports: Vec<String>,
    /// Where Python looks for what the file imports, in this order.
    pub search_path: Vec<SearchedDirectory>,
}

/// A directory in which Python looks for modules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SearchedDirectory {
    /// From the root of the repository; `.` is the root itself.
    pub directory: String,
    /// What says so.
    pub why: String,
}
