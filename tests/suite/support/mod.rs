//! Fixtures that several test modules use.

pub mod pipelines;
pub mod prefect;
pub mod prefect1;
mod program;
pub mod push;
#[expect(dead_code, unused_imports, reason = "some are for the analyser's own tests only")]
#[path = "../../../crates/flowreg-python/tests/suite/random_flows/mod.rs"]
pub mod random_flows;
pub mod random_yaml;
pub mod remotes;
#[path = "../../../crates/flowreg-git/tests/suite/repository.rs"]
mod repository;
pub mod scripted;
pub mod site;
pub mod switchable;
mod tagged;
pub mod yaml_corners;

pub use program::Flowreg;
pub use repository::{TestRepository, git_environment};
pub use tagged::Tagged;
