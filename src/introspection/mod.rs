//! Asks the user's Python what static analysis could not prove: name, description and schema of
//! flows as `prefect deploy` would register them.
//!
//! `merge` says what has to be asked and merges the answers into the scan. `ask` finds the
//! `interpreter` and talks (`protocol`) to one `process` of it, which runs `harness/` on a checkout
//! of the commit in a temporary directory. What it answers is `kept` for the next run. A flow of Prefect 1 exists only once its file has run:
//! `build` has such flows made and serialized in the same way. `steps` runs the build steps of a
//! `prefect.yaml` where a person asked for that.
//!
//! This is the only room that runs the user's code. Whatever goes wrong there becomes a reason of the
//! flows concerned, and never ends the run.

mod ask;
mod failure;
mod interpreter;
mod kept;
mod merge;
mod process;
mod protocol;
mod steps;

pub(crate) use ask::build;
pub use ask::{Answers, AskError, IntrospectionContext, Limits, ask};
pub use failure::{Failure, Unavailable};
pub use kept::ask_what_is_new;
pub use merge::{IntrospectedScan, merge_answers, note_unanswered, questions};
pub use process::Watch;
pub(crate) use protocol::{BuildRefusal, BuiltFlow, Serialized};
pub use protocol::{IntrospectedFlow, LoadedFile, Question};
pub(crate) use steps::{StepsContext, StepsError, run_steps};
