//! Calls in Python that deploy a flow: `flow.deploy()`, `flow.serve()`, `flow.to_deployment()`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Entrypoint;

/// A call in Python that deploys a flow, beside whatever flowreg registers for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeployCall {
    /// The file that deploys when it is run.
    pub path: String,
    /// The line of the call, or of the call that leads to it; 1-based.
    pub line: u32,
    /// The column, 1-based.
    pub column: u32,
    /// The method that is called, without the `a` of its asynchronous form.
    pub method: DeployMethod,
    /// The flow's name, if it is known.
    pub flow: Option<String>,
    /// Where the flow is.
    pub code: DeployedCode,
    /// The deployment's name, if it is known. `serve()` without a name takes that of the flow.
    pub deployment: Option<String>,
    /// What the call declares, if that is known.
    pub declared: CallArguments,
}

/// The method of a flow that deploys it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeployMethod {
    /// `deploy`: the deployment runs in a work pool.
    Deploy,
    /// `serve`: the deployment runs where it was made.
    Serve,
    /// `to_deployment`: something else deploys or serves what it gives.
    ToDeployment,
}

impl DeployMethod {
    /// The method as it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Serve => "serve",
            Self::ToDeployment => "to_deployment",
        }
    }
}

/// Where the code of a flow is that a call deploys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeployedCode {
    /// A flow of this repository.
    Here(Entrypoint),
    /// What `from_source` gives for a directory of this repository; `None` stands for the directory
    /// in which the script is run. The text is the entrypoint from there.
    Directory(Option<String>, String),
    /// What `from_source` gives for a git repository.
    Repository {
        /// The repository's URL.
        url: String,
        /// The branch, tag or commit that is named.
        reference: Option<String>,
        /// The entrypoint from the repository's root.
        entrypoint: String,
    },
    /// It is not known.
    Unknown,
}

/// What a call declares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum CallArguments {
    /// Its arguments by the names of the keys of `prefect.yaml`, the schedules always as a list.
    /// Without a `name` the deployment is called like the flow; a `version` that is null is given
    /// and not known.
    Known(Map<String, Value>),
    /// It runs, or may run, with arguments that are not known.
    Unreadable(CallObstacle),
    /// It stands where it is not followed whether it runs.
    NotFollowed,
    /// It makes a deployment, and nothing that is followed deploys it.
    OnlyMade,
}

/// Why a call can't be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallObstacle {
    /// Why, as a sentence without a full stop.
    pub reason: String,
    /// Where the reason stands, `flows/etl.py:12`, if it is at another line than the call.
    pub place: Option<String>,
}
