//! Fixtures that several test modules use.

mod repository;

pub use repository::TestRepository;
