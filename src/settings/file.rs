//! `flowreg.toml` as it is written: its tables, its keys, and errors with line and column.
//!
//! What a value means together with flags and defaults is decided in `layers`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{Keys, ROOT};
use super::prefect1_table::{Prefect1Table, RunConfigTable, StorageKind};
use super::tag::TagTable;
use flowreg_git::{Pin, Untagged};
use flowreg_model::{TargetKind, nearest, secrets};

/// What is wrong with `flowreg.toml`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {message}")]
pub struct FileError {
    /// The file as the user knows it: `flowreg.toml`, `flowreg.toml at 3f2a91c`, or a path.
    pub file: String,
    /// 1-based.
    pub line: usize,
    /// 1-based, in characters.
    pub column: usize,
    /// What is wrong there, without the value itself: it may be a secret.
    pub message: String,
    /// What to type instead, if it can be guessed.
    pub hint: Option<String>,
}

/// The whole file. Every key may be missing.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct File {
    /// `target`
    pub target: Option<TargetKind>,
    /// `[repository]`
    pub repository: RepositoryTable,
    /// `[flows]`
    pub flows: FlowsTable,
    /// `[manifest]`
    pub manifest: ManifestTable,
    /// `[prefect1]`
    pub prefect1: Prefect1Table,
    /// `[mainline]`
    pub mainline: ChannelTable,
    /// `[feature]`
    pub feature: ChannelTable,
    /// `[tag]`
    pub tag: TagTable,
    /// `[hooks]`
    pub hooks: HooksTable,
    /// `[flow."name"]`
    pub flow: BTreeMap<String, FlowTable>,
}

/// `[repository]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RepositoryTable {
    /// The remote that workers clone from.
    pub remote: Option<Spanned<String>>,
    /// Its URL, where workers reach it by another one than this clone.
    pub url: Option<Spanned<String>>,
    /// Other URLs of the repository.
    pub aliases: Option<Vec<Spanned<String>>>,
    /// A template that names the secret with an access token.
    pub access_token: Option<Spanned<String>>,
    /// A template that names a credentials block.
    pub credentials: Option<Spanned<String>>,
    /// Globs of mainline branches.
    pub mainline: Option<Vec<Spanned<String>>>,
    /// What happens on a mainline branch without a tag.
    pub untagged: Option<Untagged>,
    /// What the pull step names.
    pub pin: Option<Pin>,
    /// What happens to a deployment whose runs would not use the code at the reference.
    pub unpinned: Option<Unpinned>,
    /// Whether workers clone submodules.
    pub submodules: Option<bool>,
}

/// `unpinned`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Unpinned {
    /// It is not registered.
    #[default]
    Refuse,
    /// It is registered, with a notice.
    Allow,
}

/// `[flows]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct FlowsTable {
    /// Globs of files to read.
    pub include: Option<Vec<Spanned<String>>>,
    /// Globs of files to leave out.
    pub exclude: Option<Vec<Spanned<String>>>,
    /// The source roots.
    pub search_path: Option<Vec<Spanned<String>>>,
    /// The interpreter for introspection.
    pub python: Option<String>,
    /// Whether Python is asked about inexact flows.
    pub introspect: Option<Introspect>,
    /// What becomes of the deployments that Python declares.
    pub deploy_calls: Option<DeployCalls>,
}

/// `[manifest]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ManifestTable {
    /// Globs of the `prefect.yaml` files that count.
    pub files: Option<Vec<Spanned<String>>>,
}

/// `introspect`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Introspect {
    /// For flows that are not exact, where it is possible.
    #[default]
    Auto,
    /// Not at all.
    Never,
    /// For every flow.
    Always,
}

/// `deploy_calls`: what becomes of the deployments that Python declares (`flow.deploy()` and its
/// siblings).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DeployCalls {
    /// A notice says what is deployed besides.
    #[default]
    Tell,
    /// They are registered like those of `prefect.yaml`.
    Read,
    /// Nothing is said.
    Ignore,
}

/// `schedules` of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Switch {
    /// They are registered switched off.
    Off,
    /// They are registered as declared.
    On,
}

/// `[mainline]` and `[feature]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ChannelTable {
    /// The work pool.
    pub work_pool: Option<String>,
    /// The work queue in it.
    pub work_queue: Option<String>,
    /// Tags that every registration of the channel gets.
    pub tags: Option<Vec<String>>,
    /// Whether declared schedules are active.
    pub schedules: Option<Switch>,
    /// Job variables of every registration of the channel.
    pub job_variables: Option<Map<String, Value>>,
    /// How Prefect 1 runs the flows of the channel.
    pub run_config: Option<RunConfigTable>,
    /// Whether a tag has to be in the history of a mainline branch; `[mainline]` only.
    pub require_tag_on_mainline: Option<bool>,
    /// Whether a tag has to have a signature that holds; `[mainline]` only.
    pub require_signed_tags: Option<bool>,
    /// What becomes of the registrations of a branch that is deleted; `[feature]` only.
    pub on_delete: Option<OnDelete>,
}

/// `on_delete`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnDelete {
    /// They go with the next `flowreg sync`.
    Remove,
    /// They stay.
    Keep,
}

/// `[hooks]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct HooksTable {
    /// Whether flows are checked before a push, which then may fail.
    pub blocking: Option<bool>,
    /// How many seconds that check may take.
    pub time_limit: Option<u32>,
}

/// `[flow."name"]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct FlowTable {
    /// The deployment's name.
    pub deployment: Option<Spanned<String>>,
    /// The description, instead of the flow's own.
    pub description: Option<String>,
    /// Default parameters.
    pub parameters: Option<Map<String, Value>>,
    /// Further tags.
    pub tags: Option<Vec<String>>,
    /// The work pool.
    pub work_pool: Option<String>,
    /// The work queue in it.
    pub work_queue: Option<String>,
    /// Job variables; `{tag}`, `{branch}` and `{commit}` are filled in.
    pub job_variables: Option<Map<String, Value>>,
    /// When it runs.
    pub schedules: Option<Vec<Spanned<ScheduleTable>>>,
    /// How Prefect 1 runs it.
    pub run_config: Option<RunConfigTable>,
    /// Where Prefect 1 gets its code from.
    pub storage: Option<StorageKind>,
    /// The image that holds its code, for Docker storage.
    pub image_name: Option<String>,
    /// The image's tag.
    pub image_tag: Option<String>,
    /// Where the code is in the image.
    pub path: Option<String>,
    /// What happens if its runs would not use the code at the reference.
    pub unpinned: Option<Unpinned>,
}

/// One entry of `schedules`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ScheduleTable {
    /// A cron expression.
    pub cron: Option<String>,
    /// Seconds between two runs.
    pub interval: Option<f64>,
    /// An RFC 5545 rule.
    pub rrule: Option<String>,
    /// An IANA name.
    pub timezone: Option<String>,
    /// Whether day of month and day of week are joined by "or".
    pub day_or: Option<bool>,
    /// The moment from which an interval is counted, RFC 3339.
    #[serde(deserialize_with = "text_or_date")]
    pub anchor_date: Option<String>,
    /// Whether it is switched on. Without it, a schedule that people switched off at the target stays
    /// off.
    pub active: Option<bool>,
    /// Parameters of the runs that it starts.
    pub parameters: Option<Map<String, Value>>,
    /// What identifies it within the deployment, whatever becomes of its rule.
    pub slug: Option<String>,
}

/// A moment may be written with or without quotes.
fn text_or_date<'de, D: serde::Deserializer<'de>>(input: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum TextOrDate {
        Text(String),
        Date(toml::value::Datetime),
    }
    Ok(Some(match TextOrDate::deserialize(input)? {
        TextOrDate::Text(text) => text,
        TextOrDate::Date(date) => date.to_string(),
    }))
}

/// Reads the text of a `flowreg.toml`; `name` is what messages call the file.
///
/// # Errors
/// [`FileError`] with the place of the first thing that is not TOML, an unknown key, or a value
/// of the wrong type.
pub(super) fn read(text: &str, name: &str) -> Result<File, FileError> {
    // Read twice: the first pass checks keys and secrets with their positions, which serde's errors
    // lack (an unknown key below a flattened table) or would print with the value.
    let table = DeTable::parse(text).map_err(|error| syntax_error(&error, text, name))?;
    check_keys(table.get_ref(), &ROOT, text, name)?;
    table.get_ref().values().try_for_each(|value| check_content(value, text, name))?;
    let mut file: File = toml::from_str(text).map_err(|error| syntax_error(&error, text, name))?;
    // TOML has dates and JSON has none. Settings of a flow are sent to the server as JSON.
    for flow in file.flow.values_mut() {
        for map in [&mut flow.parameters, &mut flow.job_variables].into_iter().flatten() {
            map.values_mut().for_each(write_dates_as_text);
        }
    }
    Ok(file)
}

/// An error at a byte range of the text.
pub(super) fn error_at(text: &str, name: &str, start: usize, message: String) -> FileError {
    let before = text.get(..start).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    FileError {
        file: name.to_owned(),
        line: before.matches('\n').count() + 1,
        column: before.get(line_start..).unwrap_or("").chars().count() + 1,
        message,
        hint: None,
    }
}

fn syntax_error(error: &toml::de::Error, text: &str, name: &str) -> FileError {
    let start = error.span().map_or(0, |span| span.start);
    // serde's message for a wrong type quotes the value, which may be a secret in the wrong place, so
    // only the kinds are taken from it.
    let message = match error.message().split_once(", expected ") {
        Some((found, expected)) if found.starts_with("invalid type") => {
            let kind = found.trim_start_matches("invalid type: ").split([' ', '`']).next();
            let expected = expected.replace("a sequence", "an array").replace("a map", "a table");
            let found = match kind {
                Some("sequence") => "array",
                Some("map") => "table",
                Some("floating") => "float",
                kind => kind.unwrap_or("something else"),
            };
            format!("expected {expected}, found {found}")
        }
        // The word is quoted here: it is one of a few fixed words, so a secret is not to be expected.
        Some((found, expected)) if found.starts_with("unknown variant") => {
            let found = found.trim_start_matches("unknown variant ");
            format!("{found} is not one of {}", expected.trim_start_matches("one of "))
        }
        _ => error.message().lines().next().unwrap_or("not valid TOML").to_owned(),
    };
    error_at(text, name, start, message)
}

fn check_keys(table: &DeTable<'_>, keys: &Keys, text: &str, name: &str) -> Result<(), FileError> {
    for (key, value) in table {
        let word = key.get_ref().as_ref();
        if !keys.names.is_empty() && !keys.names.contains(&word) {
            let mut error = error_at(text, name, key.span().start, format!("unknown key `{word}`"));
            error.hint = nearest(word, keys.names).map(|near| format!("did you mean `{near}`?"));
            return Err(error);
        }
        if let Some(below) = (keys.below)(word) {
            check_value(value, below, text, name)?;
        }
    }
    Ok(())
}

fn check_value(
    value: &Spanned<DeValue<'_>>,
    keys: &Keys,
    text: &str,
    name: &str,
) -> Result<(), FileError> {
    match value.get_ref() {
        DeValue::Table(table) => check_keys(table, keys, text, name),
        DeValue::Array(values) => {
            values.iter().try_for_each(|value| check_value(value, keys, text, name))
        }
        _ => Err(error_at(text, name, value.span().start, "expected a table".to_owned())),
    }
}

/// Refuses a value that is a secret, which would be registered in clear text, and a number that JSON
/// does not have.
fn check_content(value: &Spanned<DeValue<'_>>, text: &str, name: &str) -> Result<(), FileError> {
    let refused = |message: &str, hint: &str| {
        let mut error = error_at(text, name, value.span().start, message.to_owned());
        error.hint = Some(hint.to_owned());
        Err(error)
    };
    match value.get_ref() {
        DeValue::String(content) if secrets::is_literal(content) => refused(
            "a literal token or password has no place in the configuration",
            "name a block that holds it: \"{{ prefect.blocks.secret.NAME }}\"",
        ),
        // TOML's `inf` and `nan`, with or without a sign; no other float ends so.
        DeValue::Float(number) if number.as_str().ends_with(['f', 'n']) => {
            refused("Prefect can't be sent `inf` or `nan`", "use a number or a text")
        }
        DeValue::Array(values) => {
            values.iter().try_for_each(|value| check_content(value, text, name))
        }
        DeValue::Table(table) => {
            table.values().try_for_each(|value| check_content(value, text, name))
        }
        _ => Ok(()),
    }
}

/// JSON has no dates: those of parameters and job variables become text, as TOML writes them.
fn write_dates_as_text(value: &mut Value) {
    match value {
        Value::Object(map) => {
            // How the `toml` crate gives a date to a type that knows no dates.
            let date = map.get("$__toml_private_datetime").and_then(Value::as_str);
            if let Some(date) = date {
                *value = Value::String(date.to_owned());
            } else {
                map.values_mut().for_each(write_dates_as_text);
            }
        }
        Value::Array(values) => values.iter_mut().for_each(write_dates_as_text),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> FileError {
        read(text, "flowreg.toml").unwrap_err()
    }

    #[test]
    fn every_key_of_the_design_is_read() {
        let file = read(
            r#"
            target = "prefect"
            [repository]
            remote = "origin"
            url = "https://git.example.com/data/flows.git"
            aliases = ["git@work:data/flows.git"]
            access_token = "{{ prefect.blocks.secret.git-token }}"
            mainline = ["main", "release/*"]
            untagged = "refuse"
            pin = "tag"
            [flows]
            include = ["flows/**/*.py"]
            exclude = ["**/tests/**"]
            search_path = ["src"]
            python = ".venv/bin/python"
            introspect = "auto"
            deploy_calls = "read"
            [mainline]
            work_pool = "k8s-prod"
            tags = ["prod"]
            require_tag_on_mainline = true
            require_signed_tags = false
            [feature]
            work_pool = "k8s-dev"
            schedules = "off"
            on_delete = "keep"
            [hooks]
            blocking = true
            time_limit = 10
            [tag]
            prefix = "v"
            scheme = "semver"
            initial = "0.1.0"
            pre = "rc"
            paths = ["flows"]
            [tag.package.etl]
            prefix = "etl/v"
            scheme = "calver"
            format = "YYYY.MM.MICRO"
            [flow."nightly-sync"]
            deployment = "nightly"
            schedules = [{ cron = "0 3 * * *", timezone = "Europe/Berlin" }]
            parameters = { days = 1, since = 2026-01-02 }
            job_variables = { image = "registry.example.com/etl:{tag}" }
            "#,
            "flowreg.toml",
        )
        .unwrap();
        assert_eq!(file.target, Some(TargetKind::Prefect));
        assert_eq!(file.flows.deploy_calls, Some(DeployCalls::Read));
        let flow = &file.flow["nightly-sync"];
        assert_eq!(flow.deployment.as_ref().map(|name| name.get_ref().as_str()), Some("nightly"));
        assert_eq!(
            flow.parameters,
            serde_json::json!({"days": 1, "since": "2026-01-02"}).as_object().cloned()
        );
    }

    #[test]
    fn the_known_keys_are_the_keys_that_are_read() {
        // Each known key with a value of a type that no key takes: serde must complain about it,
        // and would not if it did not know the key.
        for prefix in [
            "",
            "repository.",
            "flows.",
            "prefect1.",
            "mainline.",
            "feature.",
            "tag.",
            "tag.package.x.",
            "flow.x.",
        ] {
            let tables = prefix.split_terminator('.');
            let keys = tables.fold(&ROOT, |keys, table| (keys.below)(table).unwrap());
            // The only number of the file that is whole.
            for name in keys.names.iter().filter(|name| **name != "clone_depth") {
                let text = format!("{prefix}{name} = 3\n");
                assert!(read(&text, "f").is_err(), "{text}");
            }
        }
    }

    #[test]
    fn an_unknown_key_is_an_error_with_place_and_nearest_key() {
        let error = error("target = \"local\"\n[repository]\n  remot = \"origin\"\n");
        assert_eq!(error.to_string(), "flowreg.toml:3:3: unknown key `remot`");
        assert_eq!(error.hint.as_deref(), Some("did you mean `remote`?"));
    }

    #[test]
    fn an_unknown_key_of_a_flow_or_a_schedule_is_found() {
        assert_eq!(error("[flow.a]\nworkpool = \"x\"\n").line, 2);
        assert_eq!(error("[flow.a]\nschedules = [{ crn = \"* * * * *\" }]\n").column, 16);
    }

    #[test]
    fn a_wrong_type_is_an_error_with_place_and_without_the_value() {
        let error = error("[repository]\nmainline = \"s3cret\"\n");
        assert_eq!(error.to_string(), "flowreg.toml:2:12: expected an array, found string");
    }

    #[test]
    fn a_literal_secret_anywhere_is_refused_with_its_place_and_not_repeated() {
        for value in [
            "parameters = { who = \"ghp_Vb7s3cretVb7s3cretVb7\" }",
            "job_variables = { env = { URL = \"https://u:Vb7s3cret@h/x\" } }",
        ] {
            let error = error(&format!("[flow.a]\n{value}\n"));
            assert_eq!(error.line, 2);
            assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
        }
    }

    #[test]
    fn a_number_that_json_lacks_is_refused() {
        for number in ["inf", "-inf", "nan"] {
            assert_eq!(error(&format!("[flow.a]\nparameters = {{ n = {number} }}\n")).column, 20);
        }
    }

    #[test]
    fn a_moment_may_be_a_toml_date() {
        let text =
            "[flow.a]\nschedules = [{ interval = 60, anchor_date = 2026-01-01T00:00:00Z }]\n";
        let file = read(text, "flowreg.toml").unwrap();
        let schedule = file.flow["a"].schedules.as_ref().unwrap()[0].get_ref();
        assert_eq!(schedule.anchor_date.as_deref(), Some("2026-01-01T00:00:00Z"));
    }

    #[test]
    fn a_wrong_word_names_the_right_ones() {
        assert_eq!(
            error("target = \"prefekt\"\n").message,
            "`prefekt` is not one of `local`, `prefect`, `prefect1`"
        );
    }

    #[test]
    fn text_that_is_no_toml_is_an_error_with_place() {
        assert_eq!(error("a = \n").line, 1);
    }
}
