//! Paths on a worker, as text: where it starts is not known, so that place has a name of its own.

/// The directory in which a worker starts. No path has a zero byte, so it can't be mistaken for one.
pub(super) const START: &str = "\0";

/// A directory that is not known; each step that leads to one has its own.
pub(super) fn unknown(step: Option<usize>) -> String {
    format!("\0?{}", step.map_or_else(String::new, |step| step.to_string()))
}

/// A path that is relative to a directory, or absolute, without `.` and with `..` taken away where
/// that is possible.
pub(super) fn join(directory: &str, path: &str) -> String {
    let is_absolute = path.starts_with(['/', '\0']);
    let whole = if is_absolute { path.to_owned() } else { format!("{directory}/{path}") };
    // The part before the first slash is empty for an absolute path, or the name of an unknown place.
    let (root, rest) = whole.split_once('/').unwrap_or((&whole, ""));
    let mut parts: Vec<&str> = Vec::new();
    for part in rest.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            // Above the root there is the root again; above an unknown place there is something.
            ".." if root.is_empty() => {}
            part => parts.push(part),
        }
    }
    if parts.is_empty() {
        return if root.is_empty() { "/".to_owned() } else { root.to_owned() };
    }
    format!("{root}/{}", parts.join("/"))
}

/// The rest of a path below a directory, if it is there; empty for the directory itself.
pub(super) fn below<'p>(path: &'p str, directory: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(directory)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
}

/// A path from the root of a repository, without `.` and `..`.
pub(super) fn from_root(path: &str) -> String {
    join("", path).trim_start_matches('/').to_owned()
}

/// A path as messages show it.
pub(super) fn shown(path: &str) -> String {
    match path.split_once('/') {
        _ if !path.starts_with('\0') => path.to_owned(),
        Some((_, rest)) => rest.to_owned(),
        None => ".".to_owned(),
    }
}

/// The name of the directory into which Prefect clones if the step names none
/// (`prefect/runner/storage.py`, `GitRepository`).
pub(super) fn clone_name(url: &str, branch: Option<&str>) -> String {
    // Python's `urlparse` finds a path behind `scheme://host` only; of `git@host:a/b.git` all is path.
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        None => url,
    };
    let path = path.split(['?', '#']).next().unwrap_or(path);
    let name = path.rsplit('/').next().unwrap_or(path).replace(".git", "");
    match branch.filter(|branch| !branch.is_empty()) {
        Some(branch) => format!("{name}-{}", branch.replace('/', "-")),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_joined_without_dots() {
        for (directory, path, joined) in [
            (START, "flows-v1", "\0/flows-v1"),
            (START, "./a/../b/", "\0/b"),
            (START, "..", "\0/.."),
            (START, ".", START),
            ("\0/a", "/opt/x", "/opt/x"),
            ("/opt", "../../x", "/x"),
            ("/opt", "..", "/"),
            ("/opt", "\0/a", "\0/a"),
        ] {
            assert_eq!(join(directory, path), joined, "{directory} {path}");
        }
        assert_eq!(below("\0/a/b", "\0/a"), Some("b"));
        assert_eq!(below("\0/a", "\0/a"), Some(""));
        assert_eq!(below("\0/ab", "\0/a"), None);
    }

    #[test]
    fn clones_are_named_as_prefect_names_them() {
        for (url, branch, name) in [
            ("https://h/a/flows.git", Some("main"), "flows-main"),
            ("https://h/a/flows.git", None, "flows"),
            ("git@h:a/flows.git", Some("feat/x"), "flows-feat-x"),
            ("git@h:flows.git", None, "git@h:flows"),
            ("https://h/a/my.github.io.git", None, "myhub.io"),
            ("https://h/a/flows/", Some("v1"), "-v1"),
            ("/srv/flows", Some("v1"), "flows-v1"),
            ("https://h", None, ""),
        ] {
            assert_eq!(clone_name(url, branch), name, "{url}");
        }
    }
}
