//! Register on push: what hooks queue, how a push is confirmed, and who delivers it.
//!
//! `pre-push` only writes down what is about to be pushed and starts a detached watcher. The watcher
//! waits for the push to end, asks whether the remote has it, and only then has it registered: the
//! hook itself can't know whether a push will succeed (`docs/facts/hooks.md`).
//!
//! The way of one push: [`HookRun`] writes a [`QueuedPush`] into the outbox, [`watch`] waits and
//! calls [`deliver`], `confirm` looks for evidence, and a [`Delivery`] registers. How a commit is
//! registered is not known here.

mod confirm;
mod deliver;
mod discard;
mod fault;
mod hooked;
mod husky_switch;
mod install;
mod install_error;
mod log;
mod manager;
mod outdone;
mod previous;
mod process;
mod queue;
mod queued;
mod recognition;
mod shim;
mod spool;
mod status;
mod watch;
mod without_series;

pub(crate) use confirm::rechecks;
pub(crate) use deliver::{Delivery, DeliveryOutcome, DeliveryPolicy, deliver};
pub(crate) use discard::{DiscardError, discard};
pub(crate) use hooked::{HookRun, PushCandidate, QueuedCount, program_beside};
pub(crate) use install::{
    HookChange, InstallRequest, install, install_in_configuration, uninstall,
};
pub(crate) use install_error::InstallError;
pub(crate) use log::DecisionLog;
pub(crate) use process::{GitProcess, close_inherited, own_session};
pub(crate) use queue::{
    PreCommitPush, PushContext, PushedRef, PushedRefs, pre_push_refs, received_refs,
};
pub(crate) use queued::{OutboxRecord, PushState, QueuedPush, QueuedTarget, outbox_records};
pub(crate) use shim::HookName;
pub(crate) use spool::TARGET_VARIABLES;
pub(crate) use status::{HookState, HookStatus, status as hook_status};
pub(crate) use watch::{wait_for_end, watch};
pub(crate) use without_series::{reason_without_series, told_without_series};
