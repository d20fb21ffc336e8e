//! Fixtures that several test modules use.

mod repository;

#[expect(unused_imports, reason = "the first tests that use it come with their rooms")]
pub use repository::{TestRepository, git_environment};
