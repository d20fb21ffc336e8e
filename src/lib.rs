//! flowreg registers Prefect flows at the right code reference.
//!
//! One run is data that goes one way, in typed stages: see [`run`], which is what a program that
//! uses flowreg as a library starts from. The environment and the repository give a code reference
//! (`flowreg_git`), the tree at its commit gives flows ([`scan`] with `flowreg_python`, and
//! [`introspection`] where reading is not enough), `prefect.yaml` ([`manifest`]) and `flowreg.toml`
//! ([`settings`]) say which registrations there should be, a target (`flowreg_servers`, or the
//! embedded registry in [`store`]) tells those that are, and the difference is the plan that is
//! applied ([`registration`]). [`cli`] starts it; what git's hooks queued goes the same way.
//!
//! Nothing imports upward: `cli → output → run → push, registration → introspection, manifest, scan →
//! settings, store →` the crates. `tests/suite/layout.rs` reads the sources and fails on an upward
//! arrow. Public is what the program, its tests and a caller of [`run`] need.

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
