//! Fixtures that several test modules use.

pub mod prefect;
mod repository;

pub use repository::TestRepository;
