//! From flows to registrations, from registrations to a plan, from a plan to outcomes.
//!
//! `build` says what should be, [`plan`] what differs from what is and what a guard refuses,
//! [`apply`] carries it out. None of them reads git or knows which target it talks to.

mod apply;
mod build;
mod changes;
mod declared;
mod diff;
mod durations;
mod guests;
mod layers;
mod moments;
pub(crate) mod names;
mod open_schema;
mod plan;
mod pools;
mod prefect1;
mod read;
mod refusal;
mod rules;
mod schedules;
mod slugs;
pub mod triggers;

pub(crate) use apply::Applied;
pub use apply::{Others, Outcome, apply};
pub(crate) use build::{
    BuildError, CodeSource, Declaration, Pinned, build, check_object, origin_of,
};
pub use changes::Kept;
pub(crate) use changes::{Change, HIDDEN};
pub(crate) use guests::{Counterpart, counterparts};
pub(crate) use moments::keep_moments;
pub use plan::{Action, Guards, PlanSummary, Planned, plan, plan_one};
pub(crate) use plan::{Plan, not_compared, outranks};
pub(crate) use pools::{choose_work_pools, needs_work_pools};
pub use prefect1::Prefect1SettingsError;
pub(crate) use prefect1::{Preparation, is_guest};
pub use read::read;
pub(crate) use refusal::Refusal;
pub(crate) use schedules::rename;
