//! Plain data shared by all rooms: what a code reference, a flow and a registration are.
//!
//! There is no I/O here, and nothing is decided: how a reference is resolved is in `flowreg-git`,
//! what makes a function a flow in `flowreg-python`, what has to change in `registration` of the
//! root package.

mod block;
mod deploy_call;
mod environment;
mod escape;
mod explanation;
mod fields;
mod flow;
mod json;
mod names;
mod near;
mod paths;
mod reference;
mod registration;
pub mod secrets;
mod shell;
mod versions;

pub use block::BlockDocument;
pub use deploy_call::{CallArguments, CallObstacle, DeployCall, DeployMethod, DeployedCode};
pub use environment::Environment;
pub use escape::{escaped, escaped_bytes};
pub use explanation::{Evidence, Explanation, SearchedDirectory};
pub use fields::{Field, Fields};
pub use flow::{
    Engine, Flow, FlowProblem, FlowSource, Inexact, OpenParameter, OpenSchema, ProblemCode,
};
pub use json::json_equal;
pub use names::{
    BranchName, CommitId, DeploymentName, Entrypoint, FlowName, NameError, RemoteName, TagName,
};
pub use near::{either, misspelt, nearest};
pub use paths::normalized_path;
pub use reference::{Channel, CodeReference, ReferenceName, ReferenceSource};
pub use registration::{
    Held, Marks, Registration, Schedule, ScheduleRule, TargetDescription, TargetKind, Upload,
};
pub use shell::{quoted, quoted_path};
pub use versions::VersionLimit;
