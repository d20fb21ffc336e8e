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

/// Starts the log if it is asked for. Without it, an event costs one look at a static.
///
/// # Errors
/// A usage error if `FLOWREG_LOG` is neither a level nor a list of `target=level`.
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

/// A level for all of flowreg, or `target=level` pairs.
fn parse(text: &str) -> Result<Targets, CommandError> {
    if let Ok(level) = text.trim().parse() {
        return Ok(of_flowreg(level));
    }
    let targets: Option<Targets> = text.parse().ok().filter(|targets: &Targets| {
        targets.iter().all(|(target, _)| target.starts_with("flowreg"))
    });
    targets.ok_or_else(|| {
        let message = format!("{VARIABLE}: `{text}` is no level, and no list of target=level");
        let hints = vec![
            format!("{VARIABLE}=debug"),
            format!("{VARIABLE}=flowreg_git=debug,flowreg_servers=debug"),
        ];
        CommandError::usage(message, hints)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_for_flowreg_and_a_list_may_name_only_its_crates() {
        assert_eq!(parse("debug").unwrap(), of_flowreg(LevelFilter::DEBUG));
        assert!(parse("flowreg_git=debug,flowreg=info").is_ok());
        for other in ["loud", "hyper=trace", "flowreg_git=loud"] {
            let report = parse(other).unwrap_err().report();
            assert!(report.message.contains(other) && !report.hints.is_empty(), "{other}");
        }
    }
}
