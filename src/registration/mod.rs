//! From flows to registrations, from registrations to a plan, from a plan to outcomes.
//!
//! [`build`] says what should be, [`plan`] what differs from what is and what a guard refuses,
//! [`apply`] carries it out. None of them reads git or knows which target it talks to.

mod apply;
mod build;
mod declared;
mod diff;
mod durations;
mod guests;
mod moments;
pub mod names;
mod plan;
mod pools;
mod prefect1;
mod read;
mod schedules;
mod slugs;
pub mod triggers;

pub use apply::{Applied, Outcome, apply};
pub use build::{BuildError, Built, CodeSource, Declaration, Pinned, build, origin_of};
pub use diff::Change;
pub use guests::{Counterpart, counterparts};
pub use moments::keep_moments;
pub use plan::{Action, Guards, Plan, PlanSummary, Planned, Refusal, plan};
pub use pools::{choose_work_pools, needs_work_pools};
pub use prefect1::{Prefect1SettingsError, Preparation, is_guest};
pub use read::read;
