//! The integration tests: one binary, one module for each room or promise.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that can't go on should stop where it is"
)]

mod support;

mod affected;
mod bad_input;
mod beside_prefect_deploy;
mod children;
mod debug_log;
mod deploy_calls;
mod deploy_calls_differential;
mod documentation;
mod end_to_end;
mod entrypoint_names;
mod flow_differential;
mod flow_scan;
mod hints;
mod hooks_beside;
mod hooks_install;
mod hooks_managers;
mod hooks_server;
mod identity;
mod in_progress;
mod introspection;
mod introspection_corpus;
mod introspection_kept;
mod introspection_merge;
mod introspection_runs;
mod layout;
mod links;
mod local;
mod manifest_differential;
mod manifest_errors;
mod manifest_yaml;
mod merge_queue;
mod notices;
mod open_schema;
mod outbox_files;
mod output;
mod output_git;
mod pin_holds;
mod prefect1;
mod prefect1_client;
mod prefect1_errors;
mod prefect2;
mod prefect_errors;
mod prefect_fields;
mod prefect_races;
mod prefect_server;
mod prefect_tls;
mod program_differential;
mod push_addresses;
mod push_crash;
mod push_delivery;
mod push_landing;
mod push_remotes;
mod push_switches;
mod push_tags;
mod push_target;
mod push_told;
mod reftable;
mod registry_faults;
mod run;
mod series;
mod series_found;
mod series_order;
mod server_errors;
mod source_roots;
mod tag;
mod tag_checkouts;
mod tag_ci;
mod tag_hints;
mod tag_list;
mod tag_plan;
mod tag_races;
mod tag_rules;
mod tag_server;
mod tag_squash;
mod tag_unreleased;
mod triggers;
