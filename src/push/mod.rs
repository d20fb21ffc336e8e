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

pub(crate) use confirm::RECHECKS;
pub(crate) use deliver::{Delivered, Delivery, Policy, deliver};
pub(crate) use hooked::{Candidate, Hooked, program_beside};
pub(crate) use install::{
    InstallError, InstallRequest, Installed, install, install_in_configuration, uninstall,
};
pub(crate) use log::Log;
pub(crate) use process::{GitProcess, close_inherited, own_session};
pub(crate) use queue::{Place, PushedLine, pre_push_lines, received_lines};
pub(crate) use queued::{PushState, QueuedPush, QueuedTarget, Waiting, waiting};
pub(crate) use shim::HookName;
pub(crate) use status::{HookState, HookStatus, status as hook_status};
pub(crate) use watch::{wait_for_end, watch};
