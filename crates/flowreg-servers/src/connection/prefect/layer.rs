//! One source of settings: the environment, a file, or a profile.

use std::collections::BTreeMap;
use std::path::Path;

use super::ConnectionError;

/// The settings that matter here: name in environment and profiles, table and key in TOML.
const SETTINGS: &[(&str, &str, &str)] = &[
    ("PREFECT_API_URL", "api", "url"),
    ("PREFECT_API_KEY", "api", "key"),
    ("PREFECT_API_AUTH_STRING", "api", "auth_string"),
    ("PREFECT_API_TLS_INSECURE_SKIP_VERIFY", "api", "tls_insecure_skip_verify"),
    ("PREFECT_API_SSL_CERT_FILE", "api", "ssl_cert_file"),
    ("PREFECT_API_REQUEST_TIMEOUT", "api", "request_timeout"),
    ("PREFECT_CLIENT_CUSTOM_HEADERS", "client", "custom_headers"),
    ("PREFECT_CLIENT_MAX_RETRIES", "client", "max_retries"),
    ("PREFECT_CLIENT_RETRY_EXTRA_CODES", "client", "retry_extra_codes"),
    (DEFAULT_WORK_POOL, "deployments", "default_work_pool_name"),
];

/// The pool of deployments that name none.
pub(super) const DEFAULT_WORK_POOL: &str = "PREFECT_DEPLOYMENTS_DEFAULT_WORK_POOL_NAME";
/// Older names of settings, in the environment and in profiles.
const ALIASES: &[(&str, &str)] = &[("PREFECT_DEFAULT_WORK_POOL_NAME", DEFAULT_WORK_POOL)];

/// A value with the source that it came from.
#[derive(Clone)]
pub(super) struct SettingValue {
    /// The setting's name in the environment.
    pub setting: &'static str,
    /// The source, for people.
    pub origin: String,
    /// The value as text.
    pub value: String,
}

/// One source.
pub(super) struct Layer {
    /// The source, for people; empty for the environment, whose variables name themselves.
    pub origin: String,
    /// Values by the setting's name.
    pub values: BTreeMap<&'static str, toml::Value>,
}

impl Layer {
    /// What people know the source of this setting by.
    pub(super) fn origin_of(&self, setting: &str) -> String {
        if self.origin.is_empty() { setting.to_owned() } else { self.origin.clone() }
    }
}

/// Variables are known in any case; where two spellings are set, the usual one counts.
pub(super) fn from_variables<'a>(
    origin: &str,
    variables: impl Iterator<Item = (&'a str, &'a str)>,
) -> Layer {
    let mut values = BTreeMap::new();
    let mut older = Vec::new();
    for (name, value) in variables {
        let value = toml::Value::String(value.to_owned());
        if let Some((_, setting)) =
            ALIASES.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(name))
        {
            older.push((*setting, value));
            continue;
        }
        let Some((setting, _, _)) =
            SETTINGS.iter().find(|(setting, _, _)| setting.eq_ignore_ascii_case(name))
        else {
            continue;
        };
        if name == *setting {
            values.insert(*setting, value);
        } else {
            values.entry(*setting).or_insert(value);
        }
    }
    // The newer name counts, in whatever order the variables come.
    for (setting, value) in older {
        values.entry(setting).or_insert(value);
    }
    Layer { origin: origin.to_owned(), values }
}

/// The values of a file, by table and key.
pub(super) fn from_table(origin: &str, table: &toml::Table) -> Layer {
    let values = SETTINGS
        .iter()
        .filter_map(|(setting, section, key)| {
            Some((*setting, table.get(*section)?.get(*key)?.clone()))
        })
        .collect();
    Layer { origin: origin.to_owned(), values }
}

/// The values of a profile, whose keys are the upper-case names of the environment.
pub(super) fn from_profile(origin: String, profile: &toml::Table) -> Layer {
    let values = SETTINGS
        .iter()
        .filter_map(|(setting, _, _)| {
            let older = || {
                let (alias, _) = ALIASES.iter().find(|(_, newer)| newer == setting)?;
                profile.get(*alias)
            };
            Some((*setting, profile.get(*setting).or_else(older)?.clone()))
        })
        .collect();
    Layer { origin, values }
}

/// The file's text, or `None` if there is no such file.
pub(super) fn read_file(path: &Path) -> Result<Option<String>, ConnectionError> {
    use std::io::ErrorKind;
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error)
            // Also a `.env` that is a directory (of a virtual environment) is no file.
            if matches!(
                error.kind(),
                ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(ConnectionError::Unreadable {
            path: path.display().to_string(),
            reason: error.to_string(),
        }),
    }
}

/// The file's table, empty if there is no such file.
pub(crate) fn read_toml(path: &Path, shown: &str) -> Result<toml::Table, ConnectionError> {
    let Some(text) = read_file(path)? else { return Ok(toml::Table::new()) };
    text.parse().map_err(|error: toml::de::Error| {
        let before = text.get(..error.span().map_or(0, |span| span.start)).unwrap_or("");
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        ConnectionError::Syntax {
            path: shown.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).map_or(0, |line| line.chars().count()) + 1,
            message: error.message().lines().collect::<Vec<_>>().join(", "),
        }
    })
}
