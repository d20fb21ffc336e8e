//! Where the code is that `Flow.from_source()` gives: a directory of this repository, or a git
//! repository by its URL.

use flowreg_model::DeployedCode;

use super::{Obstacle, given, open_arguments};
use crate::interpreter::Interpreter;
use crate::value::{Keywords, Made, PrefectCall, Value, set_keyword};

type Read<T> = Result<T, Obstacle>;

/// The code of a flow that `from_source` loads.
pub(super) fn of_source<'a>(
    interpreter: &Interpreter<'a>,
    call: &PrefectCall<'a>,
) -> Read<DeployedCode> {
    let keywords = bound(call, &["source", "entrypoint"])?;
    let (Some(source), Some(entrypoint)) =
        (given(&keywords, "source"), given(&keywords, "entrypoint"))
    else {
        return Err(Obstacle::new("`from_source()` wants `source` and `entrypoint`"));
    };
    let Value::Str(entrypoint) = entrypoint else {
        return Err(unfit(interpreter, "entrypoint", entrypoint));
    };
    let entrypoint = by_file(entrypoint)?;
    match source {
        Value::Str(text) => from_here(interpreter, of_text(text, entrypoint)?),
        Value::Std(path) => match path.json() {
            Some(text) => from_here(interpreter, of_text(&text, entrypoint)?),
            None => Err(unfit(interpreter, "source", source)),
        },
        Value::Made(made) => match &**made {
            Made::InCheckout(directory) => {
                Ok(DeployedCode::Directory(Some(directory.to_string()), entrypoint))
            }
            Made::Call(call) if is_git_repository(&call.path) => {
                of_repository(interpreter, call, entrypoint)
            }
            _ => Err(unfit(interpreter, "source", source)),
        },
        _ => Err(unfit(interpreter, "source", source)),
    }
}

/// Refuses a directory that counts from where the script is, if the script moves.
fn from_here(interpreter: &Interpreter<'_>, code: DeployedCode) -> Read<DeployedCode> {
    let moves = interpreter.script().is_some_and(|script| script.module.text.contains("chdir("));
    match code {
        DeployedCode::Directory(None, _) if moves => {
            Err(Obstacle::new("the directory of the code depends on `chdir()`"))
        }
        code => Ok(code),
    }
}

fn is_git_repository(path: &str) -> bool {
    matches!(path, "prefect.runner.storage.GitRepository" | "prefect.runner.GitRepository")
}

/// A source that is written as a text: as `create_storage_from_source` reads it.
fn of_text(text: &str, entrypoint: String) -> Read<DeployedCode> {
    // As it is spelled: Prefect takes `x.GIT` for no git repository.
    let is_git = text.starts_with("git://") || text.strip_suffix(".git").is_some();
    if is_git {
        let url = without_credentials(text);
        return Ok(DeployedCode::Repository { url, reference: None, entrypoint });
    }
    if text.contains("://") {
        return Err(Obstacle::new(format!(
            "the code is at `{}`, which is no git repository for Prefect",
            without_credentials(text)
        )));
    }
    match text.trim_end_matches('/') {
        "." | "./" => Ok(DeployedCode::Directory(None, entrypoint)),
        path if path.starts_with(['/', '~']) || path.is_empty() => {
            Err(Obstacle::new("the code is in a directory of one machine"))
        }
        path => {
            let path = path.trim_start_matches("./");
            Ok(DeployedCode::Directory(None, format!("{path}/{entrypoint}")))
        }
    }
}

/// Without what stands before the host: it may be a token, and is of no use here.
fn without_credentials(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => match rest.split_once('@') {
            Some((_, rest)) => format!("{scheme}://{rest}"),
            None => url.to_owned(),
        },
        None => url.to_owned(),
    }
}

/// The entrypoint with the path of its file; Prefect also takes that of a module.
fn by_file(entrypoint: &str) -> Read<String> {
    let entrypoint = entrypoint.trim_start_matches("./");
    if entrypoint.contains(':') {
        return Ok(entrypoint.to_owned());
    }
    match entrypoint.rsplit_once('.') {
        Some((module, object)) => Ok(format!("{}.py:{object}", module.replace('.', "/"))),
        None => Err(Obstacle::new(format!("`{entrypoint}` is no entrypoint"))),
    }
}

fn of_repository<'a>(
    interpreter: &Interpreter<'a>,
    call: &PrefectCall<'a>,
    entrypoint: String,
) -> Read<DeployedCode> {
    let keywords = bound(call, &["url", "credentials", "name", "branch", "commit_sha"])?;
    let url = match given(&keywords, "url") {
        Some(Value::Str(url)) => without_credentials(url),
        Some(value) => return Err(unfit(interpreter, "url", value)),
        None => return Err(Obstacle::new("`GitRepository` wants a `url`")),
    };
    // Whatever it is, what runs is at flowreg's reference.
    let named = |name: &str| given(&keywords, name).and_then(Value::as_str).map(str::to_owned);
    let reference = named("branch").or_else(|| named("commit_sha"));
    Ok(DeployedCode::Repository { url, reference, entrypoint })
}

fn bound<'a>(call: &PrefectCall<'a>, positions: &[&str]) -> Read<Keywords<'a>> {
    let mut bound = Keywords::new();
    for (name, value) in positions.iter().zip(&call.arguments) {
        set_keyword(&mut bound, name, value.clone());
    }
    bound.extend(call.keywords.iter().cloned());
    if open_arguments(&bound).is_some() || call.arguments.len() > positions.len() {
        let leaf = call.path.rsplit('.').next().unwrap_or_default();
        let why = format!("the arguments of `{leaf}()` are not known");
        return Err(Obstacle { why, at: Some(call.at) });
    }
    Ok(bound)
}

fn unfit<'a>(interpreter: &Interpreter<'a>, name: &str, value: &Value<'a>) -> Obstacle {
    match value.find_unknown(interpreter.here()) {
        Some(unknown) => Obstacle::of(&format!("`{name}`"), &unknown),
        None => Obstacle::new(format!("`{name}` is not read")),
    }
}
