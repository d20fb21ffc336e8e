//! A block document of a Prefect server, as far as it may be known here.

use serde_json::Value;

/// What a block holds, with its secrets hidden by the server.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BlockDocument {
    /// The block's data; the server puts asterisks in the place of secret parts.
    pub data: Value,
    /// Paths of the secret parts: `value`, `credentials.token`, `headers.*`.
    pub secret_fields: Vec<String>,
}

impl BlockDocument {
    /// Whether the part that these keys lead to is secret, is part of something secret, or has
    /// something secret in it.
    pub fn is_secret(&self, keys: &[&str]) -> bool {
        // `zip` ends with the shorter of the two, so a path that leads only a part of the way matches
        // as well: what holds a secret is one.
        self.secret_fields
            .iter()
            .any(|field| field.split('.').zip(keys).all(|(part, key)| part == *key || part == "*"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_above_or_below_a_secret_is_secret() {
        let block = BlockDocument {
            data: Value::Null,
            secret_fields: vec!["login.password".to_owned(), "headers.*".to_owned()],
        };
        for keys in [&["login"][..], &["login", "password"], &["headers", "x"], &[]] {
            assert!(block.is_secret(keys), "{keys:?}");
        }
        for keys in [&["url"][..], &["login", "user"]] {
            assert!(!block.is_secret(keys), "{keys:?}");
        }
    }
}
