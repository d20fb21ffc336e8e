//! Fixtures that several test modules use.

pub mod prefect;
mod repository;
pub mod scripted;

pub use repository::{TestRepository, git_environment};
