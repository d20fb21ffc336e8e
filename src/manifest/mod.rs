//! `prefect.yaml`: read as Prefect reads it, templates filled in, pull steps at the code reference.
//!
//! `yaml` is PyYAML's reading of a file, `check` pydantic's of a deployment, `template` and
//! `declared` what becomes of it, `pull` puts the reference in. Knows nothing of servers and flows:
//! what templates need from a server is asked for by [`TemplateReferences`] and given as [`TemplateValues`].

mod check;
mod declared;
mod entrypoint;
mod file;
pub mod pull;
mod python;
mod schedule;
mod template;
mod yaml;

pub use check::Steps;
pub use declared::DeclaredDeployment;
pub use entrypoint::DeclaredEntrypoint;
pub use file::{DeploymentSteps, Entry, EntryError, Manifest, ManifestError};
pub use template::{TemplateError, TemplateReferences, TemplateValues};
pub use yaml::{Document, Node, Position, Yaml, YamlError, read};
