//! The layout test: nothing imports upward (`docs/architecture.md`).

use std::path::{Path, PathBuf};

/// The rooms from the top down. A room may import its own row's rooms only where listed in
/// [`SAME_ROW`], and everything of the rows below.
const ROWS: &[&[&str]] = &[
    &["cli"],
    &["output"],
    &["run"],
    &["push", "registration"],
    &["introspection", "manifest", "scan"],
    &["settings", "store"],
];

/// Arrows inside one row.
const SAME_ROW: &[(&str, &str)] = &[("introspection", "scan"), ("push", "registration")];

fn row(room: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&room))
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The rooms that a source names after `crate::`.
fn imported_rooms(source: &str) -> Vec<&str> {
    source
        .split("crate::")
        .skip(1)
        .filter_map(|rest| rest.split(|char: char| !char.is_alphanumeric() && char != '_').next())
        .filter(|room| row(room).is_some())
        .collect()
}

#[test]
fn nothing_imports_upward() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let mut upward = Vec::new();
    for file in &files {
        let inside = file.strip_prefix(&src).unwrap();
        let Some(room) = inside.components().next().and_then(|part| part.as_os_str().to_str())
        else {
            continue;
        };
        let Some(from) = row(room) else { continue };
        for imported in imported_rooms(&std::fs::read_to_string(file).unwrap()) {
            let to = row(imported).unwrap();
            let is_allowed =
                imported == room || (to > from) || SAME_ROW.contains(&(room, imported));
            if !is_allowed {
                upward.push(format!("{}: {room} imports {imported}", inside.display()));
            }
        }
    }
    assert!(files.len() > 5, "the sources were not found");
    assert!(upward.is_empty(), "{upward:#?}");
}

/// Who alone may use a library whose changes should stay in one room. Cargo enforces the rest: a
/// crate that does not list a library can't name it.
#[test]
fn moving_libraries_stay_in_their_room() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    sources(&root.join("crates"), &mut files);
    for (name, room) in [
        ("gix", "crates/flowreg-git/src"),
        ("ruff_python_parser", "crates/flowreg-python/src"),
        ("reqwest", "crates/flowreg-servers/src"),
        ("libyaml_safer", "src/manifest"),
        ("rusqlite", "src/store"),
        ("clap", "src/cli"),
    ] {
        let mut files_with_it = 0;
        for file in &files {
            let inside = file.strip_prefix(root).unwrap();
            let uses = std::fs::read_to_string(file).unwrap().contains(&format!("{name}::"));
            assert!(!uses || inside.starts_with(room), "{} names {name}", inside.display());
            files_with_it += usize::from(uses);
        }
        assert!(files_with_it > 0, "{name} is not used at all");
    }
}

/// Long files are a sign that a room is missing, and the command line is no place for the work itself: a
/// command of it only says which work is done.
#[test]
fn no_file_is_long_and_those_of_the_command_line_are_short() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    sources(&root.join("crates"), &mut files);
    for file in &files {
        let lines = std::fs::read_to_string(file).unwrap().lines().count();
        let inside = file.strip_prefix(root).unwrap();
        let most = if inside.starts_with("src/cli") { 300 } else { 600 };
        assert!(lines <= most, "{} has {lines} lines", inside.display());
    }
}
