//! `prefect.yaml`: read as Prefect reads it, templates filled in, pull steps at the code reference.
//!
//! `yaml` is PyYAML's reading of a file, `check` pydantic's of a deployment, `template` and
//! `declared` what becomes of it, `pull` puts the reference in. Knows nothing of servers and flows:
//! what templates need from a server is asked for by [`TemplateReferences`] and given as [`TemplateValues`].

mod check;
mod declared;
mod entrypoint;
mod file;
pub(crate) mod pull;
mod python;
mod schedule;
mod template;
mod yaml;

pub(crate) use declared::DeclaredDeployment;
pub(crate) use entrypoint::DeclaredEntrypoint;
pub(crate) use file::{Entry, EntryError, Manifest, ManifestError};
pub(crate) use template::TemplateValues;
pub use yaml::{Document, Node, Yaml, YamlError, read};
