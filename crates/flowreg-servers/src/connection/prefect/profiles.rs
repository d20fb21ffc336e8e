//! Prefect's profiles: which file has them, and which one is active.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::ConnectionError;
use super::layer::{Layer, from_profile, read_toml};
use flowreg_model::Environment;

/// The profiles that Prefect brings along, with the address of those that have one.
const BUILT_IN: &[(&str, Option<&str>)] = &[
    ("ephemeral", None),
    ("local", Some("http://127.0.0.1:4200/api")),
    ("test", None),
    ("cloud", None),
];

/// The active profile, and what is wrong if it does not exist.
pub(super) struct Active {
    /// Its name; `None` if no profile is active, or it does not exist.
    pub name: Option<String>,
    /// Empty if no profile is active.
    pub layer: Layer,
    /// Only an error if nothing stronger names a server.
    pub missing: Option<ConnectionError>,
}

/// Where the profiles are: `PREFECT_PROFILES_PATH`, `.env`, the TOML files, `PREFECT_HOME`, home.
///
/// `PREFECT_HOME` counts only in the environment, as in the official client.
pub(super) fn path(
    environment: &Environment,
    dotenv: &BTreeMap<String, String>,
    files: &[&toml::Table],
    directory: &Path,
    home: Option<&Path>,
) -> Option<PathBuf> {
    let set = |text: &str| Some(directory.join(text)).filter(|_| !text.is_empty());
    let of_environment = |name| environment.raw(name).and_then(set);
    let of_files = || files.iter().find_map(|table| set(table.get("profiles_path")?.as_str()?));
    of_environment("PREFECT_PROFILES_PATH")
        .or_else(|| dotenv.get("PREFECT_PROFILES_PATH").and_then(|text| set(text)))
        .or_else(of_files)
        .or_else(|| of_environment("PREFECT_HOME").map(|home| home.join("profiles.toml")))
        .or_else(|| {
            home.map(|home| home.join(".prefect").join("profiles.toml"))
                .filter(|path| path.exists())
        })
}

/// Reads the active profile; with no file at all, those count that Prefect brings along.
pub(super) fn active(
    environment: &Environment,
    path: Option<&Path>,
    home: Option<&Path>,
) -> Result<Active, ConnectionError> {
    let none = || Active {
        name: None,
        layer: from_profile(String::new(), &toml::Table::new()),
        missing: None,
    };
    let asked = environment.raw("PREFECT_PROFILE").filter(|name| !name.is_empty());
    let Some(path) = path else {
        return Ok(asked.map_or_else(none, built_in));
    };
    let shown = shown(path, home);
    let table = read_toml(path, &shown)?;
    let (name, origin) = match (asked, table.get("active").and_then(toml::Value::as_str)) {
        (Some(name), _) => (name, "PREFECT_PROFILE"),
        (None, Some(name)) => (name, shown.as_str()),
        (None, None) => return Ok(none()),
    };
    let profiles = table.get("profiles").and_then(toml::Value::as_table);
    if let Some(profile) = profiles.and_then(|all| all.get(name)?.as_table()) {
        let layer = from_profile(format!("profile `{name}` in {shown}"), profile);
        return Ok(Active { name: Some(name.to_owned()), layer, missing: None });
    }
    // Prefect itself has these profiles, so one that is not in the file is no error.
    if BUILT_IN.iter().any(|(known, _)| *known == name) {
        return Ok(Active { name: Some(name.to_owned()), ..none() });
    }
    let missing = ConnectionError::UnknownProfile {
        name: name.to_owned(),
        origin: origin.to_owned(),
        path: shown.clone(),
        known: profiles.map(|all| all.keys().cloned().collect()).unwrap_or_default(),
    };
    Ok(Active { missing: Some(missing), ..none() })
}

fn built_in(name: &str) -> Active {
    let known = BUILT_IN.iter().find(|(known, _)| *known == name);
    let mut profile = toml::Table::new();
    if let Some(url) = known.and_then(|(_, url)| *url) {
        profile.insert("PREFECT_API_URL".to_owned(), toml::Value::String(url.to_owned()));
    }
    let missing = known.is_none().then(|| ConnectionError::UnknownProfile {
        name: name.to_owned(),
        origin: "PREFECT_PROFILE".to_owned(),
        path: "~/.prefect/profiles.toml".to_owned(),
        known: BUILT_IN.iter().map(|(known, _)| (*known).to_owned()).collect(),
    });
    Active {
        name: known.is_some().then(|| name.to_owned()),
        layer: from_profile(format!("profile `{name}` of Prefect itself"), &profile),
        missing,
    }
}

fn shown(path: &Path, home: Option<&Path>) -> String {
    match home.and_then(|home| path.strip_prefix(home).ok()) {
        Some(inside) => format!("~/{}", inside.display()),
        None => path.display().to_string(),
    }
}
