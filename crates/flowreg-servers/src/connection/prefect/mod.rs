//! How to reach Prefect, resolved as the official client does (docs/facts/prefect.md,
//! "Configuration").
//!
//! The environment, the directory and the home come in as values; only files are read. No request
//! is sent here: whether the address works is found out by [`crate::prefect`].

mod dotenv;
mod layer;
mod layers;
mod profiles;
mod values;

use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::placeholder::Placeholder;
use crate::TlsSettings;
use flowreg_model::Environment;
use layer::SettingValue;
pub(super) use layer::read_toml;
use layers::Layers;
pub(super) use values::unfilled;

/// The connection to a Prefect API.
#[derive(Debug, Clone)]
pub struct PrefectConnection {
    /// The API's address, without credentials and without a slash at the end.
    pub api_url: String,
    /// Where the address came from, for people: ``profile `dev` in ~/.prefect/profiles.toml``.
    pub origin: String,
    /// The active profile, whether or not the address came from it: a key or a header may have.
    pub profile: Option<String>,
    /// `user:password` of basic authentication; wins over the key.
    pub auth_string: Option<SecretString>,
    /// The API key, sent as a bearer token.
    pub key: Option<SecretString>,
    /// Headers to send with every request, by name; `Authorization` among them wins over the
    /// two above.
    pub headers: Vec<(String, SecretString)>,
    /// How the server's certificate is checked.
    pub tls: Tls,
    /// `PREFECT_API_REQUEST_TIMEOUT`, if it is set.
    pub request_timeout: Option<Duration>,
    /// `PREFECT_CLIENT_MAX_RETRIES`, if it is set.
    pub max_retries: Option<u32>,
    /// Statuses that are retried besides the usual ones (`PREFECT_CLIENT_RETRY_EXTRA_CODES`).
    pub retry_extra_codes: Vec<u16>,
    /// The work pool of deployments that name none, and where it is named.
    pub default_work_pool: Option<(String, String)>,
}

/// How the server's certificate is checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// A PEM file whose certificates are trusted instead of the system's.
    pub certificates: Option<CertificateFile>,
    /// `PREFECT_API_TLS_INSECURE_SKIP_VERIFY`.
    pub skip_verify: bool,
    /// Whose settings these are.
    pub settings: TlsSettings,
}

/// A file of certificates, and what names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFile {
    /// The setting's name in the environment.
    pub setting: &'static str,
    /// The file in which it is set; `None` if that is the environment.
    pub origin: Option<String>,
    /// The file that it names.
    pub path: PathBuf,
}

impl CertificateFile {
    /// One that a variable of the environment names.
    pub(crate) fn of_variable(setting: &'static str, path: PathBuf) -> Self {
        Self { setting, origin: None, path }
    }
}

/// What is wrong with Prefect's configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// The file exists but can't be read.
    #[error("{path} can't be read: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// The system's words.
        reason: String,
    },
    /// The file is not TOML.
    #[error("{path}:{line}:{column}: {message}")]
    Syntax {
        /// The file.
        path: String,
        /// 1-based.
        line: usize,
        /// 1-based, in characters.
        column: usize,
        /// The parser's words, in one line.
        message: String,
    },
    /// A setting has a value that it can't have. The value itself is not shown: it may be secret.
    #[error("{setting}{} is not {expected}", in_origin(.origin.as_ref()))]
    Value {
        /// The setting's name in the environment.
        setting: String,
        /// Where it is set; `None`: in the environment.
        origin: Option<String>,
        /// What it should be: `a number`.
        expected: &'static str,
    },
    /// Something stands where a value should be.
    #[error("{setting}{} {}", in_origin(.origin.as_ref()), .placeholder.text())]
    Unfilled {
        /// The setting's name in the environment.
        setting: String,
        /// Where it is set; `None`: in the environment.
        origin: Option<String>,
        /// What stands there.
        placeholder: Placeholder,
    },
    /// The active profile does not exist.
    #[error("the Prefect profile `{name}` ({origin}) is not in {path}")]
    UnknownProfile {
        /// The profile that was asked for.
        name: String,
        /// `PREFECT_PROFILE`, or the file whose `active` names it.
        origin: String,
        /// The file that was searched.
        path: String,
        /// The profiles that it has.
        known: Vec<String>,
    },
}

impl ConnectionError {
    /// What to type.
    pub fn hints(&self) -> Vec<String> {
        let (setting, placeholder) = match self {
            Self::Unfilled { setting, placeholder, .. } => (setting, Some(placeholder)),
            Self::Value { setting, .. } => (setting, None),
            _ => return Vec::new(),
        };
        let is_address = setting.ends_with("URL") || setting.ends_with("API");
        let example = if is_address { "https://…/api" } else { "…" };
        let export = format!("export {setting}={example}");
        let Some(placeholder) = placeholder else {
            return if is_address { vec![export] } else { Vec::new() };
        };
        let why = match placeholder {
            Placeholder::Blank(written) => {
                format!("a value of your own belongs in place of `{written}`")
            }
            Placeholder::Quotes => {
                "an --env-file of docker and the forms of CI providers keep quotes: leave them out"
                    .to_owned()
            }
            Placeholder::Template(written) => {
                format!("is what `{written}` names defined for this job?")
            }
            Placeholder::Nothing(_) => {
                "is the variable that it is made of defined for this job?".to_owned()
            }
            Placeholder::Mask => {
                "the secret itself is needed, and not what a log shows of it".to_owned()
            }
        };
        vec![why, export]
    }

    /// A value that a setting can't have.
    pub(in crate::connection) fn value(
        setting: &str,
        origin: &str,
        expected: &'static str,
    ) -> Self {
        Self::Value { setting: setting.to_owned(), origin: elsewhere(setting, origin), expected }
    }
}

/// Where a setting is set, unless that is the variable of its name.
fn elsewhere(setting: &str, origin: &str) -> Option<String> {
    Some(origin.to_owned()).filter(|origin| origin != setting)
}

fn in_origin(origin: Option<&String>) -> String {
    origin.map_or_else(String::new, |origin| format!(" ({origin})"))
}

/// Resolves how to reach Prefect, or `None` if no address is configured anywhere.
///
/// `directory` is the working directory: `.env`, `prefect.toml` and `pyproject.toml` are read
/// from there and nowhere else. An address that is set but empty switches Prefect off, whatever
/// the sources below say.
///
/// # Errors
/// [`ConnectionError`] if a file is broken or a value can't be understood. A profile that does
/// not exist is an error here where the official client warns and starts a server of its own.
pub fn connection(
    environment: &Environment,
    directory: &Path,
    home: Option<&Path>,
) -> Result<Option<PrefectConnection>, ConnectionError> {
    let layers = Layers::read(environment, directory, home)?;
    let Some(found) = layers.text("PREFECT_API_URL")? else {
        return layers.missing_profile().map_or(Ok(None), Err);
    };
    if found.value.trim().is_empty() {
        return Ok(None);
    }
    let address = values::address(&found)?;
    let mut headers = layers.headers()?;
    let (auth_string, key) = if address.credentials.is_some() {
        // The official client's HTTP library (httpx) prefers the credentials in the address to all
        // others.
        headers.retain(|(name, _)| !name.eq_ignore_ascii_case("authorization"));
        (address.credentials, None)
    } else {
        (layers.secret("PREFECT_API_AUTH_STRING")?, layers.secret("PREFECT_API_KEY")?)
    };
    Ok(Some(PrefectConnection {
        api_url: address.url,
        origin: found.origin,
        profile: layers.profile.clone(),
        auth_string,
        key,
        headers,
        tls: tls(&layers, environment, directory)?,
        request_timeout: layers
            .text("PREFECT_API_REQUEST_TIMEOUT")?
            .map(|found| values::seconds(&found))
            .transpose()?,
        max_retries: layers
            .text("PREFECT_CLIENT_MAX_RETRIES")?
            .map(|found| values::count(&found))
            .transpose()?,
        retry_extra_codes: layers
            .text("PREFECT_CLIENT_RETRY_EXTRA_CODES")?
            .map(|found| values::codes(&found))
            .transpose()?
            .unwrap_or_default(),
        default_work_pool: layers
            .text(layer::DEFAULT_WORK_POOL)?
            .filter(|found| !found.value.is_empty())
            .map(|found| (found.value, found.origin)),
    }))
}

/// Refuses a variable that is no text: as unset, another place would decide in its stead.
pub(super) fn refuse_no_text(
    environment: &Environment,
    prefix: &str,
) -> Result<(), ConnectionError> {
    let names = environment.all().filter_map(|(name, _)| name.to_str());
    let mut ours = names.filter(|name| name.starts_with(prefix));
    match ours.find(|name| !environment.is_text(name)) {
        Some(name) => Err(ConnectionError::value(name, name, "UTF-8")),
        None => Ok(()),
    }
}

fn tls(
    layers: &Layers,
    environment: &Environment,
    directory: &Path,
) -> Result<Tls, ConnectionError> {
    let skip_verify = layers
        .text("PREFECT_API_TLS_INSECURE_SKIP_VERIFY")?
        .map(|found| values::boolean(&found))
        .transpose()?
        .unwrap_or(false);
    // An empty setting means "no file", and hides SSL_CERT_FILE as it does in the official client.
    let certificates = match layers.text("PREFECT_API_SSL_CERT_FILE")? {
        Some(found) if found.value.is_empty() => None,
        Some(SettingValue { setting, origin, value }) => Some(CertificateFile {
            setting,
            origin: Some(origin).filter(|origin| origin != setting),
            path: directory.join(value),
        }),
        None => environment
            .path("SSL_CERT_FILE")
            .map(|path| CertificateFile::of_variable("SSL_CERT_FILE", directory.join(path))),
    };
    Ok(Tls { certificates, skip_verify, settings: TlsSettings::Prefect })
}

impl PrefectConnection {
    /// Whether the address is one of this machine.
    pub fn is_on_this_machine(&self) -> bool {
        let url = url::Url::parse(&self.api_url).ok();
        match url.as_ref().and_then(url::Url::host) {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(address)) => address.is_loopback() || address.is_unspecified(),
            Some(url::Host::Ipv6(address)) => address.is_loopback() || address.is_unspecified(),
            None => false,
        }
    }

    /// Every secret text: before a server's words are shown, these are taken out of them.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &str> {
        let passwords = self.auth_string.iter().flat_map(|auth| {
            let auth = auth.expose_secret();
            [Some(auth), auth.split_once(':').map(|(_, password)| password)]
        });
        passwords
            .flatten()
            .chain(self.key.iter().map(ExposeSecret::expose_secret))
            .chain(self.headers.iter().map(|(_, value)| value.expose_secret()))
            .filter(|secret| !secret.is_empty())
    }
}

#[cfg(test)]
mod tests;
