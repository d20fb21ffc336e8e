//! How to reach Prefect 1, resolved as its client does (docs/facts/prefect1.md, "Configuration").
//!
//! The environment and the home come in as values; only files are read, and no request is sent.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::placeholder::Placeholder;
use super::prefect::{CertificateFile, ConnectionError, Tls, read_toml, refuse_no_text, unfilled};
use crate::TlsSettings;
use flowreg_model::Environment;

/// The connection to the GraphQL API of Prefect 1.
#[derive(Debug, Clone)]
pub struct Prefect1Connection {
    /// The API's address, without a slash at the end.
    pub api_url: String,
    /// Where the address came from, for people.
    pub origin: String,
    /// The API key, sent as a bearer token.
    pub key: Option<SecretString>,
    /// The tenant, sent along with a key.
    pub tenant: Option<String>,
    /// How the server's certificate is checked.
    pub tls: Tls,
}

/// A setting's value, and where it was set.
#[derive(Debug, Clone)]
struct SettingValue {
    value: String,
    origin: String,
}

/// All settings by their dotted names: `server.host`.
type Settings = BTreeMap<String, SettingValue>;

const DEFAULTS: &[(&str, &str)] = &[
    ("home_dir", "~/.prefect"),
    ("backend", "cloud"),
    ("server.host", "http://localhost"),
    ("server.port", "4200"),
    ("server.endpoint", "${server.host}:${server.port}"),
    ("cloud.endpoint", "https://api.prefect.io"),
    ("cloud.api", "${${backend}.endpoint}"),
];

/// How often references inside references are resolved; the client stops after as many.
const MOST_ROUNDS: usize = 10;

/// Resolves how to reach Prefect 1: the environment over `backend.toml` over `config.toml`, and the
/// key also from what `prefect auth login` keeps.
///
/// # Errors
/// [`ConnectionError`] if a file is broken, the address is none, or the tenant is no UUID.
pub fn connection(
    environment: &Environment,
    directory: &Path,
    home: Option<&Path>,
) -> Result<Prefect1Connection, ConnectionError> {
    refuse_no_text(environment, "PREFECT__")?;
    let sources = SettingSources { environment, home };
    let settings = sources.settings()?;
    let api =
        settings.get("cloud.api").cloned().unwrap_or_else(|| default("https://api.prefect.io"));
    let address = api.value.trim().trim_end_matches('/');
    if let Some(placeholder) = Placeholder::within_address(address) {
        return Err(unfilled("PREFECT__CLOUD__API", &api.origin, placeholder));
    }
    let url = url::Url::parse(address).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.host_str().is_some()
            && url.username().is_empty()
            && url.password().is_none()
    });
    if url.is_none() {
        let expected = "an http:// or https:// address without credentials";
        return Err(ConnectionError::value("PREFECT__CLOUD__API", &api.origin, expected));
    }
    // A login is kept for one address: the key of another server must not be sent to this one.
    let login = sources.login(&settings, address)?;
    let configured = |name: &str| {
        let own = settings.get(&format!("cloud.{name}"));
        own.filter(|found| !found.value.is_empty()).or_else(|| login.get(name)).cloned()
    };
    let key = configured("api_key");
    if let Some(found) = &key
        && let Some(placeholder) = Placeholder::of(&found.value)
    {
        return Err(unfilled("PREFECT__CLOUD__API_KEY", &found.origin, placeholder));
    }
    let tenant = configured("tenant_id");
    if let Some(SettingValue { origin, .. }) =
        tenant.as_ref().filter(|found| !is_uuid(&found.value))
    {
        return Err(ConnectionError::value("PREFECT__CLOUD__TENANT_ID", origin, "a UUID"));
    }
    // The client uses `requests`, which reads these variables.
    let certificates = ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"];
    let certificates = certificates.iter().find_map(|name| {
        let path = environment.path(name)?;
        Some(CertificateFile::of_variable(name, directory.join(path)))
    });
    Ok(Prefect1Connection {
        api_url: address.to_owned(),
        origin: api.origin,
        key: key.map(|found| SecretString::from(found.value)),
        tenant: tenant.map(|found| found.value.to_ascii_lowercase()),
        tls: Tls { certificates, skip_verify: false, settings: TlsSettings::Prefect1 },
    })
}

struct SettingSources<'a> {
    environment: &'a Environment,
    home: Option<&'a Path>,
}

impl SettingSources<'_> {
    fn settings(&self) -> Result<Settings, ConnectionError> {
        let mut settings: Settings =
            DEFAULTS.iter().map(|(name, value)| ((*name).to_owned(), default(value))).collect();
        for (variable, usual) in [
            ("PREFECT__USER_CONFIG_PATH", "~/.prefect/config.toml"),
            ("PREFECT__BACKEND_CONFIG_PATH", "~/.prefect/backend.toml"),
        ] {
            let path =
                PathBuf::from(self.expanded(self.environment.raw(variable).unwrap_or(usual)));
            let shown = path.display().to_string();
            flatten(&read_toml(&path, &shown)?, "", &shown, &mut settings);
        }
        for (name, value) in self.environment.iter() {
            let Some(option) = name.strip_prefix("PREFECT__") else { continue };
            let key = option.to_ascii_lowercase().replace("__", ".");
            settings.insert(key, SettingValue { value: value.to_owned(), origin: name.to_owned() });
        }
        // After all sources are merged, as the client does it: a reference may lead to another one.
        for found in settings.values_mut() {
            found.value = self.expanded(&found.value);
        }
        resolve_references(&mut settings);
        Ok(settings)
    }

    /// What `prefect auth login` keeps for this API.
    fn login(&self, settings: &Settings, address: &str) -> Result<Settings, ConnectionError> {
        let home = settings.get("home_dir").map_or("~/.prefect", |found| found.value.as_str());
        let path = Path::new(&self.expanded(home)).join("auth.toml");
        let shown = path.display().to_string();
        let mut login = Settings::new();
        let table = read_toml(&path, &shown)?;
        if let Some(section) = table.get(&slug(address)).and_then(toml::Value::as_table) {
            flatten(section, "", &shown, &mut login);
        }
        Ok(login)
    }

    /// Expands `~`, `$NAME` and `${NAME}`; what is not set stays as it is.
    fn expanded(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for _ in 0..MOST_ROUNDS {
            let mut next = expand_variables(&text, self.environment);
            if let (Some(rest), Some(home)) = (next.strip_prefix('~'), self.home)
                && (rest.is_empty() || rest.starts_with('/'))
            {
                next = format!("{}{rest}", home.display());
            }
            if next == text {
                break;
            }
            text = next;
        }
        text
    }
}

fn default(value: &str) -> SettingValue {
    SettingValue { value: value.to_owned(), origin: "default".to_owned() }
}

fn flatten(table: &toml::Table, prefix: &str, origin: &str, settings: &mut Settings) {
    for (key, value) in table {
        let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        let value = match value {
            toml::Value::Table(below) => {
                flatten(below, &name, origin, settings);
                continue;
            }
            toml::Value::String(text) => text.clone(),
            toml::Value::Array(_) => continue,
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Float(number) => number.to_string(),
            toml::Value::Boolean(value) => value.to_string(),
            toml::Value::Datetime(moment) => moment.to_string(),
        };
        settings.insert(name, SettingValue { value, origin: origin.to_owned() });
    }
}

/// Fills in `${server.host}`, the innermost first.
fn resolve_references(settings: &mut Settings) {
    for _ in 0..MOST_ROUNDS {
        let mut changed = Vec::new();
        for (name, found) in &*settings {
            let Some((start, end)) = innermost(&found.value) else { continue };
            let referenced = found.value.get(start + 2..end).and_then(|name| settings.get(name));
            let value = referenced.map_or("", |found| found.value.as_str());
            let before = found.value.get(..start).unwrap_or_default();
            let after = found.value.get(end + 1..).unwrap_or_default();
            // An address that is put together from `server.host` and `server.port` came from
            // where those were set, not from the default that joins them.
            let origin = referenced.filter(|referenced| referenced.origin != "default");
            let origin = origin.map_or(&found.origin, |referenced| &referenced.origin).clone();
            let value = format!("{before}{value}{after}");
            changed.push((name.clone(), SettingValue { value, origin }));
        }
        if changed.is_empty() {
            return;
        }
        settings.extend(changed);
    }
}

/// Where a `${…}` without another one in it starts, and where its bracket closes.
fn innermost(text: &str) -> Option<(usize, usize)> {
    let mut from = 0;
    while let Some(start) = text.get(from..)?.find("${").map(|at| from + at) {
        let inside = start + 2;
        let end = text.get(inside..)?.find(['$', '{', '}']).map(|at| inside + at)?;
        if text.get(end..)?.starts_with('}') && end > inside {
            return Some((start, end));
        }
        from = inside;
    }
    None
}

fn expand_variables(text: &str, environment: &Environment) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, found) = rest.split_at(at);
        result.push_str(before);
        let after = found.get(1..).unwrap_or_default();
        let (name, length) = if let Some(braced) = after.strip_prefix('{') {
            braced.find('}').map_or(("", 1), |end| (braced.get(..end).unwrap_or(""), end + 3))
        } else {
            let is_word = |char: char| char.is_ascii_alphanumeric() || char == '_';
            let end = after.find(|char| !is_word(char)).unwrap_or(after.len());
            (after.get(..end).unwrap_or(""), end + 1)
        };
        let length = length.min(found.len());
        match environment.raw(name) {
            Some(value) if !name.is_empty() => result.push_str(value),
            _ => result.push_str(found.get(..length).unwrap_or(found)),
        }
        rest = found.get(length..).unwrap_or_default();
    }
    result.push_str(rest);
    result
}

/// The section of `auth.toml`: host and port in lower case, what is unusual as `-`.
fn slug(address: &str) -> String {
    let host = address.split_once("://").map_or(address, |(_, rest)| rest);
    let host = host.split(['/', '?', '#']).next().unwrap_or(host).to_lowercase();
    let mut slug = String::new();
    for char in host.chars() {
        if char.is_ascii_alphanumeric() || char == '.' || char == '-' {
            slug.push(char);
        } else if !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.trim_matches('-').to_owned()
}

fn is_uuid(text: &str) -> bool {
    let digits: String = text.chars().filter(|char| *char != '-').collect();
    digits.len() == 32 && digits.chars().all(|char| char.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests;
