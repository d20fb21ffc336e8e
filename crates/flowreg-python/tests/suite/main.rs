//! The tests of the analyser: what real Prefect said of flow files, rules, and hostile sources.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that can't go on should stop where it is"
)]

mod conformance;
mod deploy_calls;
mod fuzz;
mod load_errors;
mod open_schemas;
mod programs;
#[expect(dead_code, reason = "some is for the comparison with the real Prefect only")]
mod random_flows;
mod robustness;
mod rules;
mod schema_rules;
mod versions;
