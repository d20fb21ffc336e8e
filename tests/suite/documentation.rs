//! What the README and the pages of `docs/` say must be so.

use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap()
}

/// The README, CONTRIBUTING, CHANGELOG, and all pages below `docs/`.
fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> =
        ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(|name| root().join(name)).into();
    let mut directories = vec![root().join("docs")];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    pages
}

/// The targets of Markdown links, outside of blocks of code.
fn links(text: &str) -> Vec<&str> {
    let mut is_code = false;
    let mut links = Vec::new();
    for line in text.lines() {
        is_code ^= line.starts_with("```");
        if !is_code && !line.starts_with("    ") {
            let targets = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
            links.extend(targets);
        }
    }
    links
}

/// What a heading is called in a link: `Exit codes` is `exit-codes`.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept.chars().filter(|char| char.is_alphanumeric() || " -_".contains(*char));
    kept.map(|char| if char == ' ' { '-' } else { char }).collect()
}

#[test]
fn every_relative_link_leads_to_a_file_and_a_heading() {
    let mut count = 0;
    let mut dead = Vec::new();
    for path in pages() {
        let text = std::fs::read_to_string(&path).unwrap();
        for link in links(&text) {
            if link.contains("://") {
                continue;
            }
            count += 1;
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target =
                if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            let is_there = target.exists()
                && (heading.is_empty()
                    || std::fs::read_to_string(&target).unwrap().lines().any(|line| {
                        line.starts_with('#') && anchor(line.trim_start_matches('#')) == heading
                    }));
            if !is_there {
                dead.push(format!("{}: {link}", path.strip_prefix(root()).unwrap().display()));
            }
        }
    }
    assert!(count > 20, "only {count} links were found");
    assert!(dead.is_empty(), "{dead:#?}");
}

#[test]
fn every_page_can_be_found_from_the_readme() {
    let linked = |name: &str| {
        let text = page(name);
        let directory = Path::new(name).parent().unwrap();
        let files = links(&text).into_iter().map(|link| link.split('#').next().unwrap());
        files.map(|file| directory.join(file)).collect::<Vec<_>>()
    };
    let readme = linked("README.md");
    for entry in std::fs::read_dir(root().join("docs")).unwrap() {
        let path = entry.unwrap().path();
        let path = path.strip_prefix(root()).unwrap();
        if path.extension().is_some_and(|extension| extension == "md") {
            assert!(readme.contains(&path.to_owned()), "the README has no link to {path:?}");
        }
    }
}

#[test]
fn every_exit_code_is_documented() {
    let codes = page("docs/exit-codes.md");
    for (code, meaning) in flowreg::cli::EXIT_CODES {
        let row = format!("| {code} | {meaning} |");
        assert!(codes.contains(&row), "docs/exit-codes.md has no line `{row}`");
    }
    let rows = codes.lines().filter(|line| line.starts_with("| ")).count();
    assert_eq!(rows, flowreg::cli::EXIT_CODES.len() + 1, "{codes}");
}

#[test]
fn the_scripts_that_are_named_exist() {
    let (readme, contributing) = (page("README.md"), page("CONTRIBUTING.md"));
    assert!(readme.contains("scripts/demo.sh"));
    assert!(contributing.contains("scripts/test.sh"));
    for text in [&readme, &contributing] {
        for rest in text.split("scripts/").skip(1) {
            let end = rest.find(|char: char| !char.is_alphanumeric() && !"._-".contains(char));
            let script = Path::new("scripts").join(&rest[..end.unwrap_or(rest.len())]);
            assert!(root().join(&script).is_file(), "{}", script.display());
        }
    }
}

#[test]
fn the_modules_whose_needs_are_listed_exist() {
    for module in crate::support::needs::modules_with_needs() {
        assert!(root().join(format!("tests/suite/{module}.rs")).is_file(), "{module}");
    }
}

/// All text files below these directories, and those at the root.
fn sources() -> Vec<PathBuf> {
    let mut sources = Vec::new();
    let mut directories: Vec<PathBuf> =
        [".ci", "benches", "crates", "docs", "fixtures", "hooks", "scripts", "src", "tests"]
            .map(|name| root().join(name))
            .into();
    let top = std::fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path());
    sources.extend(top.filter(|path| path.is_file()));
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                sources.push(path);
            }
        }
    }
    sources
}

/// A stranger has the repository and nothing else: what the code rests on is in `docs/facts/`.
#[test]
fn every_fact_that_is_cited_is_in_the_repository() {
    // Not written out, as this file is read as well.
    let (folder, design) = (["facts", "/"].concat(), ["design", ".md"].concat());
    let is_of_path = |char: char| char.is_alphanumeric() || "._-".contains(char);
    let mut missing = Vec::new();
    for path in sources() {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let name = path.strip_prefix(root()).unwrap();
        let mut tell = |what: &str| missing.push(format!("{}: {what}", name.display()));
        if text.contains(&design) {
            tell(&design);
        }
        for (at, _) in text.match_indices(&folder) {
            let rest = &text[at + folder.len()..];
            let page = &rest[..rest.find(|char| !is_of_path(char)).unwrap_or(rest.len())];
            let page = page.trim_end_matches('.');
            // Pages of docs/ may say it without the folder that they are in.
            let is_named_right = text[..at].ends_with("docs/") || name.starts_with("docs");
            let is_there = root().join("docs").join(&folder).join(page).exists();
            if !is_named_right || !(page.is_empty() || is_there) {
                tell(&format!("{folder}{page}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
