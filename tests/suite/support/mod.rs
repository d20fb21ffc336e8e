//! Fixtures that several test modules use.

pub mod pipelines;
pub mod prefect;
pub mod prefect1;
mod program;
pub mod push;
pub mod random_flows;
pub mod random_yaml;
pub mod remotes;
mod repository;
pub mod scripted;
pub mod site;
pub mod switchable;
mod tagged;
pub mod yaml_corners;

pub use program::Flowreg;
pub use repository::{TestRepository, git_environment};
pub use tagged::Tagged;
