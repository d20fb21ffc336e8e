//! The log of the outbox: one line for each decision about a push, in a file of bounded size.
//!
//! Watchers run detached and print nothing, so this is where a person sees what they did
//! (`flowreg sync --status`).

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::store::Outbox;
use flowreg_model::escaped;

/// Beyond this size, in bytes, a new file is begun. The one before it is kept, so that the log has
/// several hundred decisions at least, and 256 KiB at most.
const LARGEST: u64 = 128 * 1024;

/// The log of one outbox. A line that can't be written is lost: no delivery fails because of it.
#[derive(Debug, Clone)]
pub(crate) struct DecisionLog {
    path: PathBuf,
}

impl DecisionLog {
    /// The log beside the records.
    pub(crate) fn of(outbox: &Outbox) -> Self {
        Self { path: outbox.directory().join("log") }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Appends one line: when, about what, and what was decided.
    pub(crate) fn write(&self, about: &str, decision: &str) {
        tracing::debug!(about, decision, "outbox");
        // Two processes may rename at once: then one of them begins the new file, and the other
        // renames that one. Lines of an old log are lost at worst, never a record.
        if self.path.metadata().is_ok_and(|file| file.len() > LARGEST) {
            let _ = std::fs::rename(&self.path, self.path.with_extension("1"));
        }
        let now = jiff::Timestamp::now().round(jiff::Unit::Millisecond).unwrap_or_default();
        let line = format!("{now} {}: {}\n", escaped(about), escaped(decision));
        if let Ok(mut file) = File::options().create(true).append(true).open(&self.path) {
            let _ = file.write_all(line.as_bytes());
        }
    }

    /// The last lines, oldest first.
    pub(crate) fn recent(&self, count: usize) -> Vec<String> {
        let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
        let text = read(&self.path.with_extension("1")) + &read(&self.path);
        let lines: Vec<&str> = text.lines().collect();
        let from = lines.len().saturating_sub(count);
        lines.get(from..).unwrap_or_default().iter().map(|line| (*line).to_owned()).collect()
    }
}

/// Writes down which branches and tags of a push are not registered because of their names. Returns what is
/// to be told, a line each.
pub(super) fn tell_of_not_text(names: &[String], outbox: &Outbox) -> Vec<String> {
    if !names.is_empty() {
        // Whatever else is queued would make it.
        let _ = std::fs::create_dir_all(outbox.directory());
    }
    let tell = |name: &String| {
        let rename = if name.starts_with("refs/tags/") { "git tag" } else { "git branch -m" };
        let reason = format!(
            "not registered: its name is not UTF-8; give it another one ({rename}), and push that"
        );
        DecisionLog::of(outbox).write(name, &reason);
        format!("{name} is {reason}")
    };
    names.iter().map(tell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_bounded_and_a_decision_is_one_line() {
        let directory = tempfile::tempdir().unwrap();
        let outbox = Outbox::of(directory.path());
        std::fs::create_dir_all(outbox.directory()).unwrap();
        let log = DecisionLog::of(&outbox);
        for number in 0..4000 {
            log.write("refs/heads/x\n2026 forged", &format!("{number} {}", "x".repeat(100)));
        }
        let size = |name: &str| outbox.directory().join(name).metadata().unwrap().len();
        assert!(size("log") + size("log.1") < 3 * LARGEST);
        let recent = log.recent(2);
        assert!(recent[1].contains("x\\n2026 forged: 3999 "), "{recent:?}");
        assert!(recent[0].contains("forged: 3998 "), "{recent:?}");
    }
}
