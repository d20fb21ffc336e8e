//! `flowreg hooks install`, `uninstall` and `status`.

use std::fmt::Write;

use serde::Serialize;

use super::{BAD, CHANGED, DIM, GOOD, HINT, Printer};
use crate::push::{HookState, HookStatus};
use flowreg_model::escaped;

/// A place where a hook is, and what was done there.
#[derive(Debug, Serialize)]
pub(crate) struct HookChangeReport {
    /// `installed`, `updated`, `unchanged`, `removed` or `restored`.
    pub action: &'static str,
    /// The file, or the section of git's configuration.
    pub place: String,
    /// The hook that was there already; it runs before ours.
    pub previous: Option<String>,
    /// What is worth knowing.
    pub notes: Vec<String>,
}

/// What `install` and `uninstall` did.
#[derive(Debug, Serialize)]
pub(crate) struct HookInstallReport {
    /// One entry a place.
    pub hooks: Vec<HookChangeReport>,
}

/// What git will run.
#[derive(Debug, Serialize)]
pub(crate) struct HookStatusReport {
    #[serde(flatten)]
    status: HookStatus,
}

impl From<HookStatus> for HookStatusReport {
    fn from(status: HookStatus) -> Self {
        Self { status }
    }
}

impl Printer {
    /// Prints what `install` and `uninstall` did.
    pub(crate) fn hook_install(&self, report: &HookInstallReport) {
        if self.is_json {
            return self.json(report);
        }
        let mut text = String::new();
        for hook in &report.hooks {
            let _ = writeln!(text, "{GOOD}{}{GOOD:#}  {}", hook.action, escaped(&hook.place));
            if let Some(previous) = &hook.previous {
                let _ = writeln!(text, "  {DIM}first runs{DIM:#} {}", escaped(previous));
            }
            for note in &hook.notes {
                let _ = writeln!(text, "  {DIM}{}{DIM:#}", escaped(note));
            }
        }
        // `uninstall` twice is no error.
        if report.hooks.is_empty() {
            text.push_str("nothing is installed\n");
        }
        self.human(&text);
    }

    /// Prints what git will run.
    pub(crate) fn hook_status(&self, report: &HookStatusReport) {
        if self.is_json {
            return self.json(report);
        }
        let status = &report.status;
        let mut text = match status.state {
            HookState::Installed => format!("{GOOD}installed{GOOD:#}"),
            HookState::NotInstalled => "not installed".to_owned(),
            HookState::Broken => format!("{BAD}broken{BAD:#}"),
            HookState::Off => format!("{CHANGED}off{CHANGED:#}"),
        };
        text.push('\n');
        let owner = status.owner.map_or("nothing is there".to_owned(), |who| format!("of {who}"));
        let runs = format!("{} ({owner})", status.path.display());
        let path = |path: &Option<std::path::PathBuf>| {
            path.as_ref().map(|path| path.display().to_string())
        };
        for (name, value) in [
            ("git runs", Some(runs)),
            ("hooks path", status.hooks_path.clone()),
            ("ours is", status.ours.clone()),
            ("calls", path(&status.binary)),
            ("first runs", path(&status.previous)),
        ] {
            if let Some(value) = value {
                let _ = writeln!(text, "  {DIM}{name:<10}{DIM:#}  {}", escaped(value));
            }
        }
        for problem in &status.problems {
            let _ = writeln!(text, "  {BAD}problem{BAD:#}     {}", escaped(&problem.message));
            let _ = writeln!(text, "  {HINT}hint:{HINT:#}       {}", escaped(&problem.hint));
        }
        self.human(&text);
    }
}
