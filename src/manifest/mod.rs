//! `prefect.yaml`: read as Prefect reads it, templates filled in, pull steps at the code reference.
//!
//! `yaml` is PyYAML's reading of a file, `check` pydantic's of a deployment, `template` and
//! `declared` what becomes of it, `pull` puts the reference in. Knows nothing of servers and flows:
//! what templates need from a server is asked for by [`References`] and given as [`Values`].

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
pub use declared::Declared;
pub use entrypoint::Place;
pub use file::{Entry, EntryError, Manifest, ManifestError, StepsOf};
pub use template::{References, TemplateError, Values};
pub use yaml::{Document, Node, Position, Yaml, YamlError, read};
