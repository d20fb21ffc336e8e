//! `--debug` and `FLOWREG_LOG`: what a run did, on standard error.
//!
//! References, git processes, HTTP requests and look-ups in caches, with the time they took. What is
//! secret is never in it: no header, no body, no credential, no value of the environment.

use flowreg_model::Environment;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::time::uptime;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::error::CommandError;

/// The variable that stands for the option, where a command line can't be changed.
const VARIABLE: &str = "FLOWREG_LOG";

/// Whose events may be shown.
const CRATES: [&str; 5] =
    ["flowreg", "flowreg_model", "flowreg_python", "flowreg_git", "flowreg_servers"];

/// Starts the log if it is asked for. Without it, an event costs one look at a static.
///
/// # Errors
/// A usage error if `FLOWREG_LOG` is neither a level nor a list of `crate=level`.
pub(super) fn start(is_debug: bool, environment: &Environment) -> Result<(), CommandError> {
    let targets = match environment.get(VARIABLE) {
        // The option says everything; the variable may say less.
        _ if is_debug => of_flowreg(LevelFilter::DEBUG),
        Some(text) => parse(text)?,
        None => return Ok(()),
    };
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_timer(uptime());
    // Fails if a log was started before, as by a second run in the same process. That log goes on.
    let _ = tracing_subscriber::registry().with(lines).with(targets).try_init();
    Ok(())
}

/// Only flowreg's own crates: what its libraries tell may hold headers.
fn of_flowreg(level: LevelFilter) -> Targets {
    Targets::new().with_target("flowreg", level)
}

/// A level for all of flowreg, or pairs of a crate (or a module in it) and a level.
fn parse(text: &str) -> Result<Targets, CommandError> {
    if let Some(level) = level(text) {
        return Ok(of_flowreg(level));
    }
    let mut targets = Some(Targets::new());
    for pair in text.split(',') {
        let known = pair.split_once('=').and_then(|(target, word)| {
            let name = target.trim();
            // A level without a target would be for all libraries, too.
            let is_ours = CRATES.contains(&name.split("::").next().unwrap_or_default());
            is_ours.then_some(name).zip(level(word))
        });
        targets =
            targets.zip(known).map(|(targets, (name, level))| targets.with_target(name, level));
    }
    targets.ok_or_else(|| {
        let message = format!("{VARIABLE}: `{text}` is no level, and no list of crate=level");
        let hints = vec![
            format!("{VARIABLE}=debug"),
            format!("{VARIABLE}=flowreg_git=debug,flowreg_servers=debug"),
        ];
        CommandError::usage(message, hints)
    })
}

fn level(word: &str) -> Option<LevelFilter> {
    match word.trim().to_ascii_lowercase().as_str() {
        "off" => Some(LevelFilter::OFF),
        "error" => Some(LevelFilter::ERROR),
        "warn" => Some(LevelFilter::WARN),
        "info" => Some(LevelFilter::INFO),
        "debug" => Some(LevelFilter::DEBUG),
        "trace" => Some(LevelFilter::TRACE),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_for_flowreg_and_a_list_may_name_only_its_crates() {
        assert_eq!(parse("debug").unwrap(), of_flowreg(LevelFilter::DEBUG));
        assert!(parse("flowreg_git=debug,flowreg=info").is_ok());
        let pairs = parse("flowreg_git=debug, flowreg::run=trace").unwrap();
        assert!(pairs.would_enable("flowreg_git::process", &tracing::Level::DEBUG));
        assert!(!pairs.would_enable("flowreg::cli", &tracing::Level::ERROR));
        for other in [
            "loud",
            "1",
            "hyper=trace",
            "flowreg_git=loud",
            "flowreg_nope=debug",
            "trace,flowreg_git=debug",
            "debug,",
        ] {
            let report = parse(other).unwrap_err().report();
            assert!(report.message.contains(other) && !report.hints.is_empty(), "{other}");
        }
    }
}
