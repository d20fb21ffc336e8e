//! Turns the text of a setting into what it means, as the official client's settings do.

use std::time::Duration;

use percent_encoding::percent_decode_str;
use secrecy::SecretString;
use url::Url;

use super::layer::SettingValue;
use super::{ConnectionError, elsewhere};
use crate::connection::placeholder::Placeholder;

/// An address, taken apart.
pub(super) struct Address {
    /// Without credentials, without a slash at the end.
    pub url: String,
    /// `user:password` that the address carried.
    pub credentials: Option<SecretString>,
}

/// The error for a value that is not what it should be.
pub(super) fn invalid(found: &SettingValue, expected: &'static str) -> ConnectionError {
    ConnectionError::value(found.setting, &found.origin, expected)
}

/// The error for what stands in place of a value.
pub(crate) fn unfilled(setting: &str, origin: &str, placeholder: Placeholder) -> ConnectionError {
    let origin = elsewhere(setting, origin);
    ConnectionError::Unfilled { setting: setting.to_owned(), origin, placeholder }
}

/// The address of an API; only `http` and `https` can be one.
pub(super) fn address(found: &SettingValue) -> Result<Address, ConnectionError> {
    if let Some(placeholder) = Placeholder::within_address(&found.value) {
        return Err(unfilled(found.setting, &found.origin, placeholder));
    }
    let error = || invalid(found, "an http:// or https:// address");
    let mut url = Url::parse(found.value.trim()).map_err(|_| error())?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(error());
    }
    let has_credentials = !url.username().is_empty() || url.password().is_some();
    let credentials = has_credentials.then(|| {
        let password = url.password().unwrap_or("");
        // An address has `%40` for a `@` in a password; the header is made of the password itself.
        let decoded = |text| percent_decode_str(text).decode_utf8_lossy();
        SecretString::from(format!("{}:{}", decoded(url.username()), decoded(password)))
    });
    url.set_username("").map_err(|()| error())?;
    url.set_password(None).map_err(|()| error())?;
    // Paths of requests are appended to the address.
    url.set_query(None);
    url.set_fragment(None);
    Ok(Address { url: url.as_str().trim_end_matches('/').to_owned(), credentials })
}

/// A value of a TOML file as the text that the environment would hold.
pub(super) fn text(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(is_set) => Some(is_set.to_string()),
        toml::Value::Array(items) => {
            let items: Option<Vec<String>> = items.iter().map(text).collect();
            items.map(|items| items.join(","))
        }
        toml::Value::Table(_) | toml::Value::Datetime(_) => None,
    }
}

/// The words that pydantic takes for a boolean.
pub(super) fn boolean(found: &SettingValue) -> Result<bool, ConnectionError> {
    match found.value.to_ascii_lowercase().as_str() {
        "1" | "true" | "t" | "yes" | "y" | "on" => Ok(true),
        "0" | "false" | "f" | "no" | "n" | "off" => Ok(false),
        _ => Err(invalid(found, "true or false")),
    }
}

/// A time of more than nothing, in seconds.
pub(super) fn seconds(found: &SettingValue) -> Result<Duration, ConnectionError> {
    let seconds = found.value.trim().parse::<f64>().ok();
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| invalid(found, "a number of seconds"))
}

/// A number from 0 up.
pub(super) fn count(found: &SettingValue) -> Result<u32, ConnectionError> {
    found.value.trim().parse().map_err(|_| invalid(found, "a whole number"))
}

/// HTTP statuses: `404,503`.
pub(super) fn codes(found: &SettingValue) -> Result<Vec<u16>, ConnectionError> {
    let codes = found.value.split(',').map(str::trim).filter(|code| !code.is_empty());
    codes
        .map(|code| code.parse().ok().filter(|code| (100..600).contains(code)))
        .collect::<Option<_>>()
        .ok_or_else(|| invalid(found, "a list of HTTP statuses"))
}

/// Headers: a table of texts, or the same as JSON text.
pub(super) fn headers(value: &toml::Value) -> Option<Vec<(String, String)>> {
    match value {
        toml::Value::Table(table) => {
            let text = |value: &toml::Value| value.as_str().map(ToOwned::to_owned);
            table.iter().map(|(name, value)| Some((name.clone(), text(value)?))).collect()
        }
        toml::Value::String(json) => {
            let table: serde_json::Map<String, serde_json::Value> =
                serde_json::from_str(json).ok()?;
            table
                .into_iter()
                .map(|(name, value)| match value {
                    serde_json::Value::String(text) => Some((name, text)),
                    _ => None,
                })
                .collect()
        }
        _ => None,
    }
}
