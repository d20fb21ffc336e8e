//! Register on push: what hooks queue, how a push is confirmed, and who delivers it.
//!
//! `pre-push` only writes down what is about to be pushed and starts a detached watcher; what is
//! registered was seen to be on the remote after the push had ended (facts/hooks.md, `design.md`
//! §9). How a commit is registered is not known here: that is a [`Delivery`].

mod confirm;
mod deliver;
mod hooked;
mod install;
mod log;
mod manager;
mod process;
mod queue;
mod queued;
mod shim;
mod spool;
mod status;
mod watch;

pub use confirm::{ASK_LIMIT, RECHECKS};
pub use deliver::{Delivered, Delivery, Passed, Policy, deliver};
pub use hooked::{Candidate, Hooked, program_beside};
pub use install::{
    InstallError, InstallRequest, Installed, install, install_in_configuration, uninstall,
};
pub use log::Log;
pub use manager::Manager;
pub use process::{GitProcess, close_inherited, own_session};
pub use queue::{Place, PushedLine, pre_push_lines, queued, received_lines};
pub use queued::{PushState, QueuedPush, QueuedTarget, Waiting, waiting};
pub use shim::HookName;
pub use status::{HookProblem, HookState, HookStatus, status as hook_status};
pub use watch::{wait_for_end, watch};
