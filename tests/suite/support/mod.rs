//! Fixtures that several test modules use.

pub mod prefect;
mod program;
pub mod push;
pub mod random_flows;
pub mod random_yaml;
mod repository;
pub mod scripted;
pub mod yaml_corners;
pub mod remotes;
pub mod switchable;

pub use program::Flowreg;
pub use repository::{TestRepository, git_environment};
