//! Triggers.
use serde_json::Value;

/// Why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TriggerError(pub String);

/// Temporary.
pub fn normalised(_name: &str, triggers: &[Value]) -> Result<Vec<Value>, TriggerError> {
    Ok(triggers.to_vec())
}
