//! `prefect.yaml`: read as Prefect reads it, templates filled in, pull steps at the code reference.
//!
//! `yaml` reads a file as PyYAML does, `check` checks a deployment's types as pydantic does, `keys`
//! knows which key belongs where, `template` and `declared` fill in what `prefect deploy` would, and
//! `pull` puts the code reference into the pull steps. `called` is what Python declares by itself. The rules and their sources stand in
//! `docs/facts/prefect-yaml.md`.
//!
//! Knows nothing of servers and flows: `Manifest::references` says which variables and blocks of a
//! server are needed, and they are given as `TemplateValues`.

mod called;
mod check;
mod declared;
mod entrypoint;
mod file;
mod keys;
pub(crate) mod pull;
mod python;
mod schedule;
mod template;
mod yaml;

pub(crate) use called::CalledDeployment;
pub(crate) use check::Steps;
pub(crate) use declared::{DeclaredDeployment, step_ids};
pub(crate) use entrypoint::DeclaredEntrypoint;
pub(crate) use file::{Entry, EntryError, FilePlace, Manifest, ManifestError, ManifestNotice};
pub(crate) use template::TemplateValues;
pub use yaml::{Document, Node, Yaml, YamlError, read};
