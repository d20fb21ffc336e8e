//! `PYTHONPATH` where runs start: in Dockerfiles, and in the job variables and steps of a `prefect.yaml`.

use std::collections::BTreeSet;

use super::{Layout, SourceRoot, join, within};

/// Whether a file of this name builds an image.
pub(super) fn is_dockerfile(name: &str) -> bool {
    ["Dockerfile", "Containerfile"].iter().any(|word| name.starts_with(word))
        || name.to_lowercase().ends_with(".dockerfile")
}

/// The directories that a Dockerfile copies into the image and puts in `PYTHONPATH` there.
pub(super) fn of_dockerfile(text: &str, path: &str, layout: &Layout) -> Vec<SourceRoot> {
    if !text.contains("PYTHONPATH") {
        return Vec::new();
    }
    let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
    let mut image = Image { directory: "/".to_owned(), ..Image::default() };
    let joined = text.replace("\\\r\n", " ").replace("\\\n", " ");
    for line in joined.lines() {
        let Some((instruction, rest)) = line.trim().split_once(char::is_whitespace) else {
            continue;
        };
        image.run(&instruction.to_uppercase(), rest.trim());
    }
    // The build's context is not in the file: mostly the repository, else the Dockerfile's directory.
    let contexts: BTreeSet<&str> = BTreeSet::from(["", directory]);
    let mut roots = Vec::new();
    for entry in &image.python_path {
        let found: BTreeSet<(String, &str)> = contexts
            .iter()
            .flat_map(|context| {
                let sources = image.sources_of(entry).into_iter();
                sources.filter_map(|source| Some((within(context, &source)?, *context)))
            })
            .filter(|(directory, _)| layout.has_directory(directory))
            .collect();
        let places: BTreeSet<&String> = found.iter().map(|(directory, _)| directory).collect();
        if let (1, Some((directory, context))) = (places.len(), found.first()) {
            roots.push(before_installed(directory, context, format!("{path}: PYTHONPATH")));
        }
    }
    roots
}

/// The directories of the repository in each `PYTHONPATH` that a `prefect.yaml` sets.
pub(super) fn of_manifest(text: &str, path: &str, layout: &Layout) -> Vec<SourceRoot> {
    let scope = path.rsplit_once('/').map_or("", |(directory, _)| directory);
    let mut roots = Vec::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        for entry in value(line).into_iter().flat_map(|value| value.split(':')) {
            // Where the clone is depends on the worker. The end of the path has to lead somewhere,
            // and to one place only.
            let parts: Vec<&str> = entry.split('/').filter(|part| !part.is_empty()).collect();
            let ends = (0..parts.len()).filter_map(|start| Some(parts.get(start..)?.join("/")));
            let ends: Vec<String> = ends.filter_map(|end| within(scope, &end)).collect();
            let mut found = ends.iter().filter(|end| layout.has_directory(end));
            if let (Some(directory), None) = (found.next(), found.next()) {
                roots.push(before_installed(directory, scope, format!("{path}: PYTHONPATH")));
            }
        }
    }
    roots
}

fn before_installed(directory: &str, scope: &str, why: String) -> SourceRoot {
    SourceRoot {
        directory: directory.to_owned(),
        scope: scope.to_owned(),
        modules: None,
        is_before_installed: true,
        why,
    }
}

/// What a Dockerfile has done so far.
#[derive(Default)]
struct Image {
    /// The working directory.
    directory: String,
    /// What was copied from the build's context, and where to.
    copies: Vec<(String, String)>,
    /// The entries of `PYTHONPATH`.
    python_path: Vec<String>,
}

impl Image {
    fn run(&mut self, instruction: &str, rest: &str) {
        match instruction {
            "FROM" => "/".clone_into(&mut self.directory),
            "WORKDIR" => self.directory = self.absolute(unquoted(rest)),
            "COPY" | "ADD" => self.copy(rest),
            "ENV" => {
                let entries = value(rest).into_iter().flat_map(|value| value.split(':'));
                // What variables stand for is not known; `$PYTHONPATH` itself adds nothing.
                let entries = entries.filter(|entry| !entry.is_empty() && !entry.contains('$'));
                let entries: Vec<String> = entries.map(|entry| self.absolute(entry)).collect();
                self.python_path.extend(entries);
            }
            _ => {}
        }
    }

    fn copy(&mut self, rest: &str) {
        // What another stage made is not of the context.
        if rest.contains("--from=") {
            return;
        }
        let list = rest.replace(['[', ']', '"', ','], " ");
        let mut words: Vec<&str> =
            list.split_whitespace().filter(|word| !word.starts_with("--")).collect();
        let Some(to) = words.pop() else { return };
        let to = self.absolute(to);
        self.copies.extend(
            words.into_iter().map(|from| (from.trim_start_matches('/').to_owned(), to.clone())),
        );
    }

    fn absolute(&self, path: &str) -> String {
        let inside = path.strip_prefix('/').map_or_else(
            || within(self.directory.trim_start_matches('/'), path),
            |path| within("", path),
        );
        format!("/{}", inside.unwrap_or_default())
    }

    /// The paths in the build's context that stand at a path of the image.
    fn sources_of(&self, path: &str) -> Vec<String> {
        let source = |(from, to): &(String, String)| {
            let rest = path.strip_prefix(to.trim_end_matches('/'))?;
            let is_below = rest.is_empty() || rest.starts_with('/');
            is_below.then(|| join(from, rest.trim_start_matches('/')))
        };
        self.copies.iter().filter_map(source).collect()
    }
}

/// What a text sets `PYTHONPATH` to, as YAML, a shell and a Dockerfile write it.
fn value(text: &str) -> Option<&str> {
    let (before, rest) = text.split_once("PYTHONPATH")?;
    let is_in_name = |char: char| char.is_ascii_alphanumeric() || char == '_';
    let rest = rest.trim_start_matches(['"', '\'']);
    if before.ends_with(is_in_name) || !rest.starts_with([':', '=', ' ']) {
        return None;
    }
    let rest = rest.trim_start_matches([':', '=']).trim_start();
    let quote = rest.chars().next().filter(|char| matches!(char, '"' | '\''));
    let value = rest.trim_start_matches(['"', '\'']);
    let is_end = |char: char| quote.map_or(char.is_whitespace(), |quote| char == quote);
    value.get(..value.find(is_end).unwrap_or(value.len()))
}

fn unquoted(text: &str) -> &str {
    text.trim_matches(['"', '\''])
}
