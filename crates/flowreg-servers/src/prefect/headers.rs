//! What every request carries: who asks, and what the user's configuration adds.

use std::hash::{BuildHasher, Hasher, RandomState};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret;

use crate::TargetError;
use crate::connection::prefect::PrefectConnection;

/// The headers of a connection; a custom `Authorization` wins over basic, basic over the key.
pub(super) fn of(connection: &PrefectConnection) -> Result<HeaderMap, TargetError> {
    let mut headers = HeaderMap::new();
    let authorization = match (&connection.auth_string, &connection.key) {
        (Some(auth), _) => Some(format!("Basic {}", STANDARD.encode(auth.expose_secret()))),
        (None, Some(key)) => Some(format!("Bearer {}", key.expose_secret())),
        (None, None) => None,
    };
    if let Some(authorization) = authorization {
        headers.insert(AUTHORIZATION, secret(&authorization, "the API key")?);
    }
    for (name, value) in &connection.headers {
        let is_prefects_own = name.eq_ignore_ascii_case("User-Agent")
            || name.to_ascii_lowercase().starts_with("prefect-csrf-");
        // The official client ignores these as well, as it sets them itself.
        if is_prefects_own {
            continue;
        }
        let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
            TargetError::Configuration(format!("the custom header `{name}` has no valid name"))
        })?;
        let what = format!("the custom header `{name}`");
        headers.insert(parsed, secret(value.expose_secret(), &what)?);
    }
    Ok(headers)
}

fn secret(text: &str, what: &str) -> Result<HeaderValue, TargetError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        TargetError::Configuration(format!("{what} has characters that HTTP can't carry"))
    })?;
    // Keeps it out of whatever prints the headers for debugging.
    value.set_sensitive(true);
    Ok(value)
}

/// A name for this process that no other has.
pub(super) fn client_id() -> String {
    let random = || RandomState::new().build_hasher().finish();
    format!("flowreg-{:016x}{:016x}", random(), random())
}

/// An address without credentials and without its query.
pub(super) fn shown(address: &str) -> String {
    match url::Url::parse(address) {
        Ok(mut url) => {
            // Both fail only for addresses that can't have credentials.
            let _ = url.set_username("");
            let _ = url.set_password(None);
            url.set_query(None);
            url.to_string()
        }
        Err(_) => address.split('?').next().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_without_credentials() {
        assert_eq!(shown("https://u:p@h/x?token=1"), "https://h/x");
        assert_eq!(shown("/login?next=1"), "/login");
    }
}
