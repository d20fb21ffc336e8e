//! The sources of a setting from the strongest down, each with the name that people know it by.

use std::collections::BTreeMap;
use std::path::Path;

use secrecy::SecretString;

use super::{ConnectionError, dotenv, profiles, values};
use crate::model::Environment;

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
];

/// A value with the source that it came from.
#[derive(Clone)]
pub struct Found {
    /// The setting's name in the environment.
    pub setting: &'static str,
    /// The source, for people.
    pub origin: String,
    /// The value as text.
    pub value: String,
}

/// One source.
pub struct Layer {
    /// The source, for people; empty for the environment, whose variables name themselves.
    pub origin: String,
    /// Values by the setting's name.
    pub values: BTreeMap<&'static str, toml::Value>,
}

/// All sources, the strongest first.
pub struct Layers {
    layers: Vec<Layer>,
    missing_profile: Option<ConnectionError>,
}

impl Layers {
    /// Reads every source; files that do not exist are empty.
    pub fn read(
        environment: &Environment,
        directory: &Path,
        home: Option<&Path>,
    ) -> Result<Self, ConnectionError> {
        let dotenv = read_file(&directory.join(".env"))?
            .map(|text| dotenv::parse(&text, environment))
            .unwrap_or_default();
        let prefect = read_toml(&directory.join("prefect.toml"), "prefect.toml")?;
        let pyproject = read_toml(&directory.join("pyproject.toml"), "pyproject.toml")?;
        let pyproject = pyproject
            .get("tool")
            .and_then(|tool| tool.get("prefect")?.as_table().cloned())
            .unwrap_or_default();
        let files = [&prefect, &pyproject];
        let path = profiles::path(environment, &dotenv, &files, directory, home);
        let profile = profiles::active(environment, path.as_deref(), home)?;
        let layers = vec![
            from_variables("", environment.iter()),
            from_variables(
                ".env",
                dotenv.iter().map(|(name, value)| (name.as_str(), value.as_str())),
            ),
            from_table("prefect.toml", &prefect),
            from_table("pyproject.toml", &pyproject),
            profile.layer,
        ];
        Ok(Self { layers, missing_profile: profile.missing })
    }

    /// The error to report if nothing but the missing profile could have named a server.
    pub fn missing_profile(self) -> Option<ConnectionError> {
        self.missing_profile
    }

    /// The strongest value of a setting.
    pub fn text(&self, setting: &'static str) -> Result<Option<Found>, ConnectionError> {
        let Some((layer, value)) =
            self.layers.iter().find_map(|layer| Some((layer, layer.values.get(setting)?)))
        else {
            return Ok(None);
        };
        let found = |value| Found { setting, origin: layer.origin_of(setting), value };
        match values::text(value) {
            Some(value) => Ok(Some(found(value))),
            None => Err(values::invalid(&found(String::new()), "a text, a number or a list")),
        }
    }

    /// The strongest value of a secret setting; empty is `None`.
    pub fn secret(&self, setting: &'static str) -> Result<Option<SecretString>, ConnectionError> {
        let found = self.text(setting)?.map(|found| found.value);
        Ok(found.filter(|value| !value.is_empty()).map(SecretString::from))
    }

    /// The custom headers of all sources together; for one name the strongest source counts.
    pub fn headers(&self) -> Result<Vec<(String, SecretString)>, ConnectionError> {
        let setting = "PREFECT_CLIENT_CUSTOM_HEADERS";
        let mut headers: Vec<(String, SecretString)> = Vec::new();
        for layer in &self.layers {
            let Some(value) = layer.values.get(setting) else { continue };
            let origin = layer.origin_of(setting);
            let table = values::headers(value).ok_or_else(|| ConnectionError::Value {
                setting: setting.to_owned(),
                origin,
                expected: "a table of names and texts",
            })?;
            for (name, value) in table {
                if !headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(&name)) {
                    headers.push((name, SecretString::from(value)));
                }
            }
        }
        Ok(headers)
    }
}

impl Layer {
    fn origin_of(&self, setting: &str) -> String {
        if self.origin.is_empty() { setting.to_owned() } else { self.origin.clone() }
    }
}

/// Variables are known in any case; where two spellings are set, the usual one counts.
fn from_variables<'a>(origin: &str, variables: impl Iterator<Item = (&'a str, &'a str)>) -> Layer {
    let mut values = BTreeMap::new();
    for (name, value) in variables {
        let Some((setting, _, _)) =
            SETTINGS.iter().find(|(setting, _, _)| setting.eq_ignore_ascii_case(name))
        else {
            continue;
        };
        let value = toml::Value::String(value.to_owned());
        if name == *setting {
            values.insert(*setting, value);
        } else {
            values.entry(*setting).or_insert(value);
        }
    }
    Layer { origin: origin.to_owned(), values }
}

fn from_table(origin: &str, table: &toml::Table) -> Layer {
    let values = SETTINGS
        .iter()
        .filter_map(|(setting, section, key)| {
            Some((*setting, table.get(*section)?.get(*key)?.clone()))
        })
        .collect();
    Layer { origin: origin.to_owned(), values }
}

/// The values of a profile, whose keys are the upper-case names of the environment.
pub fn from_profile(origin: String, profile: &toml::Table) -> Layer {
    let values = SETTINGS
        .iter()
        .filter_map(|(setting, _, _)| Some((*setting, profile.get(*setting)?.clone())))
        .collect();
    Layer { origin, values }
}

/// The file's text, or `None` if there is no such file.
pub fn read_file(path: &Path) -> Result<Option<String>, ConnectionError> {
    use std::io::ErrorKind;
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error)
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
pub fn read_toml(path: &Path, shown: &str) -> Result<toml::Table, ConnectionError> {
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
