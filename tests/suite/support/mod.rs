//! Fixtures that several test modules use.

pub(crate) mod needs;
pub(crate) mod official;
#[path = "../../../crates/flowreg-python/tests/suite/open_schemas.rs"]
pub(crate) mod open_schemas;
pub(crate) mod pipelines;
pub(crate) mod prefect;
pub(crate) mod prefect1;
mod program;
pub(crate) mod push;
#[expect(dead_code, unused_imports, reason = "some are for the analyser's own tests only")]
#[path = "../../../crates/flowreg-python/tests/suite/random_flows/mod.rs"]
pub(crate) mod random_flows;
pub(crate) mod random_programs;
pub(crate) mod random_yaml;
pub(crate) mod remotes;
#[path = "../../../crates/flowreg-git/tests/suite/repository.rs"]
mod repository;
pub(crate) mod scripted;
pub(crate) mod site;
pub(crate) mod switchable;
mod tagged;
pub(crate) mod tls;
pub(crate) mod yaml_corners;

pub(crate) use program::Flowreg;
pub(crate) use repository::{REF_FORMAT, TestRepository, git_environment, hold_with_reftable};
pub(crate) use tagged::Tagged;
