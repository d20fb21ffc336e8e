//! Fixtures that several test modules use.

pub mod prefect;
mod program;
pub mod random_flows;
mod repository;
pub mod scripted;

pub use program::Flowreg;
pub use repository::{TestRepository, git_environment};
pub mod random_yaml;
