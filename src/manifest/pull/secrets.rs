//! Secrets in the inputs of a step, which would be registered in clear text and be shown to everybody who may
//! read the deployment: one rule for every text, however deep it lies.

use flowreg_model::secrets;
use serde_json::{Map, Value};

/// Words that stand where a token is expected and are none (`token: anon` of gcsfs).
const NO_SECRETS: &[&str] =
    &["anon", "browser", "cache", "cloud", "default", "google_default", "none"];
/// Options of commands whose next word is a secret.
const SECRET_OPTIONS: &[&str] = &["--api-key", "--password", "--secret", "--token"];
/// A user without a password is a token if it is as long as one.
const TOKEN_LENGTH: usize = 20;

/// Where a secret stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SecretPlace {
    /// It is the value of this key.
    Key(String),
    /// It is a part of a text.
    Text,
    /// It is a part of the URL of a repository.
    Url,
}

/// The first input that holds a secret, and where in it.
pub(super) fn find(inputs: &Map<String, Value>) -> Option<(String, SecretPlace)> {
    inputs
        .iter()
        .filter(|(input, _)| !["id", "requires"].contains(&input.as_str()))
        .find_map(|(input, value)| Some((input.clone(), place(input, value)?)))
}

/// Whether a URL has a user that is a secret, or a password.
pub(super) fn has_secret(url: &str) -> bool {
    secrets::is_literal(url)
        || url.split("://").skip(1).any(|rest| {
            let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
            let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
            user.len() >= TOKEN_LENGTH
                && user.contains(|char: char| char.is_ascii_digit())
                && user.chars().all(|char| char.is_ascii_alphanumeric() || "_-".contains(char))
        })
}

fn place(key: &str, value: &Value) -> Option<SecretPlace> {
    match value {
        Value::String(text) => {
            let is_named =
                matches!(key, "access_token" | "credentials") || secrets::is_secret_name(key);
            if key == "repository" && has_secret(text) {
                Some(SecretPlace::Url)
            } else if is_named && is_value(key, text) {
                Some(SecretPlace::Key(key.to_owned()))
            } else {
                is_inside(text).then_some(SecretPlace::Text)
            }
        }
        Value::Array(items) => items.iter().find_map(|item| place(key, item)),
        Value::Object(map) => map.iter().find_map(|(key, value)| place(key, value)),
        _ => None,
    }
}

/// Whether a text in the place of a secret is one: no template, variable, path, number or word for "none".
fn is_value(key: &str, text: &str) -> bool {
    let is_path = text.starts_with(['/', '~', '.']) || (key == "key" && text.contains(['/', '.']));
    let is_word =
        text.parse::<f64>().is_ok() || text.parse::<bool>().is_ok() || NO_SECRETS.contains(&text);
    !(text.is_empty()
        || text.contains("{{")
        || text.starts_with(['$', '%', '<'])
        || is_path
        || is_word)
}

/// Whether a text has a secret somewhere: a token, a URL with a password, a header, `TOKEN=value`.
fn is_inside(text: &str) -> bool {
    secrets::is_literal(text) || has_header(text) || has_assignment(text)
}

fn has_header(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    lower.split("authorization:").skip(1).any(|rest| {
        let rest = rest.trim_start();
        let scheme =
            ["bearer ", "basic ", "token "].into_iter().find_map(|one| rest.strip_prefix(one));
        let value = scheme.unwrap_or(rest).trim_start().split(['"', '\'', '\n', ' ']).next();
        value.is_some_and(|value| is_value("", value))
    })
}

fn has_assignment(text: &str) -> bool {
    let is_end = |char: char| char.is_whitespace() || ";&|()".contains(char);
    let words: Vec<&str> = text.split(is_end).filter(|word| !word.is_empty()).collect();
    let bare = |word: &str| word.trim_matches(['"', '\'']).to_owned();
    let is_assigned = words.iter().any(|word| {
        let Some((name, value)) = word.split_once('=') else { return false };
        let name = name.trim_start_matches(['-', '"', '\'']);
        let is_name = name.chars().all(|char| char.is_ascii_alphanumeric() || "_-".contains(char));
        let name = name.replace('-', "_");
        is_name && secrets::is_secret_name(&name) && is_value("key", &bare(value))
    });
    is_assigned
        || words.iter().zip(words.iter().skip(1)).any(|(option, value)| {
            SECRET_OPTIONS.contains(option) && !value.starts_with('-') && is_value("", &bare(value))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TOKEN: &str = "ghp_abcdefghijklmnopqrstuvwxyz0123456789";

    #[test]
    fn a_secret_is_found_wherever_it_stands() {
        let key = |name: &str| SecretPlace::Key(name.to_owned());
        for (inputs, input, place) in [
            (json!({"access_token": "hunter2"}), "access_token", key("access_token")),
            (
                json!({"credentials": {"username": "u", "access_token": TOKEN}}),
                "credentials",
                key("access_token"),
            ),
            (
                json!({"credentials": {"username": "u", "password": "p"}}),
                "credentials",
                key("password"),
            ),
            (json!({"key": "AKIAABCDEFGHIJKLMNOP"}), "key", key("key")),
            (json!({"secret": "wJalrXUtnFEMI/K7MDENG"}), "secret", key("secret")),
            (
                json!({"credentials": {"aws_secret_access_key": "x1"}}),
                "credentials",
                key("aws_secret_access_key"),
            ),
            (json!({"env": {"GITHUB_TOKEN": "abc"}}), "env", key("GITHUB_TOKEN")),
            (json!({"options": [{"token": "abc"}]}), "options", key("token")),
            (
                json!({"script": format!("git clone https://{TOKEN}@host/x")}),
                "script",
                SecretPlace::Text,
            ),
            (json!({"script": "git clone https://u:hunter2@host/x"}), "script", SecretPlace::Text),
            (
                json!({"script": "curl -H \"Authorization: Bearer abc\" https://h"}),
                "script",
                SecretPlace::Text,
            ),
            (json!({"script": "export API_TOKEN='abc'"}), "script", SecretPlace::Text),
            (json!({"script": "login --password hunter2"}), "script", SecretPlace::Text),
            (json!({"env": {"NOTE": TOKEN}}), "env", SecretPlace::Text),
            (json!({"repository": "https://u:p@h/x"}), "repository", SecretPlace::Url),
            (
                json!({"repository": "https://0123456789abcdef0123@h/x"}),
                "repository",
                SecretPlace::Url,
            ),
        ] {
            assert_eq!(
                find(inputs.as_object().unwrap()),
                Some((input.to_owned(), place)),
                "{inputs}"
            );
        }
    }

    #[test]
    fn what_names_a_secret_is_none() {
        for inputs in [
            json!({"access_token": "{{ prefect.blocks.secret.t }}"}),
            json!({"credentials": {"username": "u", "access_token": "{{ prefect.blocks.secret.t }}"}}),
            json!({"credentials": "{{ prefect.blocks.github-credentials.x }}", "access_token": null}),
            json!({"token": "anon", "key": "folder/code.zip", "secret": ""}),
            json!({"env": {"GITHUB_TOKEN": "{{ $T }}", "KEY_FILE": "/run/key", "MAX_TOKENS": "4096", "PRIVATE_KEY": "$K"}}),
            json!({"script": "git clone https://x:{{ $T }}@h/x; git clone https://x:$T@h/x; git clone https://$T@h/x"}),
            json!({"script": "curl -H \"Authorization: Bearer $T\" h; curl -H 'Authorization: token {{ T }}' h"}),
            json!({"script": "docker login --password-stdin h; x --token $T; TOKEN=$(cat x) y; KEY=/x y"}),
            json!({"repository": "https://org@dev.azure.com/org/p/_git/x"}),
            json!({"repository": "git@github.com:acme/flows.git"}),
            json!({"repository": "https://x:{{ prefect.blocks.secret.t }}@h/x.git"}),
            json!({"id": "git-token", "requires": "token-tools==1"}),
        ] {
            assert_eq!(find(inputs.as_object().unwrap()), None, "{inputs}");
        }
    }
}
