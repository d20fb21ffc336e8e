//! The tests of references: real repositories and real remotes, made by git.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that can't go on should stop where it is"
)]

mod branch_names;
mod changes;
mod checkout;
mod ci;
mod ci_git_branch;
mod ci_head;
mod ci_moved;
mod head;
mod history;
mod identity;
mod includes;
mod ladder;
mod links;
mod log;
mod names_at_head;
mod open;
mod operation;
mod packs;
mod paths;
mod proof;
mod pull_requests;
mod push_reference;
mod reftable;
mod repository;
mod tree;
mod unusable;
mod url;
