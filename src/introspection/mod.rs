//! Asks the user's Python what static analysis could not prove: name, description and schema of
//! flows as `prefect deploy` would register them.
//!
//! `merge` says what has to be asked and puts the answers over the scan; `ask` finds the
//! `interpreter` and talks (`protocol`) with one `process` of it, which runs `harness/` on a
//! checkout of the commit in a temporary directory. Flows of Prefect 1 are objects that only running
//! makes: `build` has them made and serialized in the same way. `steps` runs the build steps of a
//! `prefect.yaml` where that was asked for. The only room that runs the user's code. Whatever
//! goes wrong is a reason for the flows concerned, never the end of a run.

mod ask;
mod failure;
mod interpreter;
mod merge;
mod process;
mod protocol;
mod steps;

pub(crate) use ask::build;
pub use ask::{Answers, AskError, IntrospectionContext, Limits, ask};
pub use failure::{Failure, Unavailable};
pub use merge::{IntrospectedScan, merge_answers, note_unanswered, questions};
pub use process::Watch;
pub(crate) use protocol::{BuildRefusal, BuiltFlow, Serialized};
pub use protocol::{IntrospectedFlow, LoadedFile, Question};
pub(crate) use steps::{StepsContext, StepsError, run_steps};
