//! The sources of a setting from the strongest down, each with the name that people know it by.

use std::path::Path;

use secrecy::SecretString;

use super::layer::{Layer, SettingValue, from_table, from_variables, read_file, read_toml};
use super::refuse_no_text;
use super::{ConnectionError, dotenv, profiles, values};
use crate::connection::placeholder::Placeholder;
use flowreg_model::Environment;

/// All sources, the strongest first.
pub(super) struct Layers {
    layers: Vec<Layer>,
    /// The name of the active profile.
    pub(super) profile: Option<String>,
    missing_profile: Option<ConnectionError>,
}

impl Layers {
    /// Reads every source; files that do not exist are empty.
    pub(super) fn read(
        environment: &Environment,
        directory: &Path,
        home: Option<&Path>,
    ) -> Result<Self, ConnectionError> {
        refuse_no_text(environment, "PREFECT_")?;
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
        // Which file has the profiles may be set in the files above, so it is found last.
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
        Ok(Self { layers, profile: profile.name, missing_profile: profile.missing })
    }

    /// The error to report if nothing but the missing profile could have named a server.
    pub(super) fn missing_profile(self) -> Option<ConnectionError> {
        self.missing_profile
    }

    /// The strongest value of a setting.
    pub(super) fn text(
        &self,
        setting: &'static str,
    ) -> Result<Option<SettingValue>, ConnectionError> {
        let Some((layer, value)) =
            self.layers.iter().find_map(|layer| Some((layer, layer.values.get(setting)?)))
        else {
            return Ok(None);
        };
        let found = |value| SettingValue { setting, origin: layer.origin_of(setting), value };
        match values::text(value) {
            Some(value) => Ok(Some(found(value))),
            None => Err(values::invalid(&found(String::new()), "a text, a number or a list")),
        }
    }

    /// The strongest value of a secret setting; empty is `None`.
    pub(super) fn secret(
        &self,
        setting: &'static str,
    ) -> Result<Option<SecretString>, ConnectionError> {
        let found = self.text(setting)?.filter(|found| !found.value.is_empty());
        let Some(SettingValue { origin, value, .. }) = found else { return Ok(None) };
        match Placeholder::of(&value) {
            Some(placeholder) => Err(values::unfilled(setting, &origin, placeholder)),
            None => Ok(Some(SecretString::from(value))),
        }
    }

    /// The custom headers of all sources together; for one name the strongest source counts.
    pub(super) fn headers(&self) -> Result<Vec<(String, SecretString)>, ConnectionError> {
        let setting = "PREFECT_CLIENT_CUSTOM_HEADERS";
        let mut headers: Vec<(String, SecretString)> = Vec::new();
        for layer in &self.layers {
            let Some(value) = layer.values.get(setting) else { continue };
            let origin = layer.origin_of(setting);
            let table = values::headers(value).ok_or_else(|| {
                ConnectionError::value(setting, &origin, "a table of names and texts")
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
