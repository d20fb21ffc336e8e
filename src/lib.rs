//! flowreg registers Prefect flows at the right code reference.
//!
//! One run is data that goes one way: environment and repository give a code reference
//! ([`git`]), the tree at its commit gives flows ([`flow`], and
//! [`introspection`] where reading is not enough), flows and configuration
//! ([`settings`]) give the registrations that should be, a [`target`] tells those that are, and
//! the difference is the plan that is applied ([`registration`]). [`push`] does the same for what
//! git's hooks queued, [`tagging`] says which version a tag is to be. [`cli`] starts it, [`output`]
//! prints it, [`store`] keeps what must outlive the run, [`model`] is what they all talk about.
//!
//! Nothing imports upward: `cli → output → push, registration → target, flow, settings → tagging →
//! store, git → model`. `tests/suite/layout.rs` reads the `use` lines and fails on an upward arrow.

pub mod cli;
pub mod introspection;
pub mod manifest;
mod output;
mod push;
pub mod registration;
pub mod run;
pub mod scan;
pub mod settings;
pub mod store;
