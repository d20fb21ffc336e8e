//! Requirements: which packages are installed, and which projects of the repository.

use super::project::{Link, Project};
use super::within;

/// Whether a file has this name that pip reads requirements from.
pub(super) fn is_requirements(name: &str) -> bool {
    let parts = name.rsplit_once('.');
    parts.is_some_and(|(stem, end)| stem.starts_with("requirements") && matches!(end, "txt" | "in"))
}

/// Reads a file of requirements, one a line.
pub(super) fn read(text: &str, directory: &str, project: &mut Project) {
    for line in text.lines() {
        let line = line.split(" #").next().unwrap_or(line).trim();
        let editable = line.strip_prefix("-e").or_else(|| line.strip_prefix("--editable"));
        let target = editable.map_or(line, |rest| rest.trim_start_matches('=').trim());
        // What is fetched from elsewhere is no project of this repository.
        if target.is_empty() || target.starts_with(['#', '-']) || target.contains("://") {
            continue;
        }
        if editable.is_some() || target.starts_with('.') {
            let path = target.split(['[', ';']).next().unwrap_or(target).trim();
            project.links.extend(within(directory, path).map(Link::Directory));
        } else {
            project.requires.extend(name(target).map(str::to_owned));
        }
    }
}

/// The name that a requirement begins with (`pandas[sql]>=2 ; python_version > "3.9"`).
pub(super) fn name(requirement: &str) -> Option<&str> {
    let is_in_name = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.');
    let end = requirement.find(|char| !is_in_name(char)).unwrap_or(requirement.len());
    requirement.get(..end).filter(|name| !name.is_empty())
}
