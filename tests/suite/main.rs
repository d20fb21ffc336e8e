//! The integration tests: one binary, one module for each room or promise.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    reason = "a test that can't go on should stop where it is"
)]

mod support;

mod conformance;
mod layout;
