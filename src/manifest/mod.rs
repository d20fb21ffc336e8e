//! Reads `prefect.yaml` files as Prefect reads them. Knows nothing of git, servers or flows.

mod yaml;

pub use yaml::{Document, Node, Position, Yaml, YamlError, read};
