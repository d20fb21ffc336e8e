//! What a shell script of a pull step does with git, as far as its words tell.
//!
//! Not a shell: a script can do anything. What people write in pull steps are plain git commands, and those
//! that replace the code of a clone are found.

/// The subcommands of git that put other content into a work tree.
const CHANGING: &[&str] = &[
    "am",
    "apply",
    "bisect",
    "checkout",
    "checkout-index",
    "cherry-pick",
    "clean",
    "merge",
    "pull",
    "read-tree",
    "rebase",
    "reset",
    "restore",
    "revert",
    "stash",
    "switch",
];

/// Options of git itself that take the next word as their value.
const WITH_VALUE: &[&str] =
    &["-C", "-c", "--git-dir", "--work-tree", "--namespace", "--exec-path", "--config-env"];

/// Words after which a command may work in another directory than the script.
const ELSEWHERE: &[&str] =
    &["cd", "pushd", "--git-dir", "--work-tree", "GIT_DIR", "GIT_WORK_TREE", "env", "sh", "bash"];

/// A git command of a script that replaces code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CodeChange {
    /// `git pull`
    pub command: String,
    /// The directory that `-C` names.
    pub directory: Option<String>,
    /// Whether it surely works in the directory of the script, where `-C` names none.
    pub is_here: bool,
}

/// The git commands of a script that may replace the code of a clone.
pub(super) fn changes(script: &str) -> Vec<CodeChange> {
    let script = without_inner_blanks(script);
    let words = words(&script);
    let is_here = !words.iter().any(|word| ELSEWHERE.contains(&name_of(word)));
    commands(&words)
        .filter_map(|command| {
            let changes = CHANGING.contains(&command.name)
                || (command.name == "submodule" && command.rest.contains(&"--remote"));
            changes.then(|| CodeChange {
                command: format!("git {}", command.name),
                directory: command.directory.map(ToOwned::to_owned),
                is_here,
            })
        })
        .collect()
}

/// Whether a script clones a repository.
pub(super) fn clones(script: &str) -> bool {
    let script = without_inner_blanks(script);
    let words = words(&script);
    // `gh repo clone` and its like have `clone` as a word as well.
    commands(&words).any(|command| command.name == "clone")
        || ["gh", "glab", "hub"].iter().any(|tool| words.contains(tool) && words.contains(&"clone"))
}

/// Whether a script names a file or directory of this name: as a part of a path, or alone, where
/// `is_distinctive` says that the name can't be an ordinary word.
pub(super) fn names(text: &str, name: &str, is_distinctive: bool) -> bool {
    let text = without_inner_blanks(text);
    let words = words(&text);
    words.iter().enumerate().any(|(at, word)| {
        let mut parts = word.trim_start_matches("./").split('/').filter(|part| !part.is_empty());
        if !parts.any(|part| part == name) {
            return false;
        }
        let after_cd = at
            .checked_sub(1)
            .and_then(|before| words.get(before))
            .is_some_and(|before| ["cd", "pushd", "-C"].contains(before));
        is_distinctive || word.contains('/') || after_cd
    })
}

/// A git command: what follows the word `git`.
struct GitCommand<'w> {
    name: &'w str,
    directory: Option<&'w str>,
    rest: &'w [&'w str],
}

fn commands<'w>(words: &'w [&'w str]) -> impl Iterator<Item = GitCommand<'w>> {
    words.iter().enumerate().filter_map(|(at, word)| {
        let is_git = word.rsplit('/').next() == Some("git");
        if !is_git {
            return None;
        }
        let mut rest = words.get(at + 1..)?;
        let mut directory = None;
        while let Some((option, after)) =
            rest.split_first().filter(|(word, _)| word.starts_with('-'))
        {
            rest = after;
            if WITH_VALUE.contains(option)
                && let Some((value, after)) = rest.split_first()
            {
                if *option == "-C" {
                    directory = Some(*value);
                }
                rest = after;
            }
        }
        let (name, rest) = rest.split_first()?;
        Some(GitCommand { name, directory, rest })
    })
}

/// An option or variable without the value that follows `=`.
fn name_of(word: &str) -> &str {
    word.split('=').next().unwrap_or(word)
}

fn words(script: &str) -> Vec<&str> {
    script
        .split(|char: char| char.is_whitespace() || ";|&()\"'`<>".contains(char))
        .filter(|word| !word.is_empty())
        .collect()
}

/// The same text with `{{ x }}` as `{{x}}`, so that a placeholder is one word.
fn without_inner_blanks(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        result.push_str(before);
        result.push_str("{{");
        match after.split_once("}}") {
            Some((inside, after)) => {
                result.push_str(inside.trim());
                result.push_str("}}");
                rest = after;
            }
            None => rest = after,
        }
    }
    result.push_str(rest);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(script: &str) -> Vec<(String, Option<String>, bool)> {
        changes(script)
            .into_iter()
            .map(|change| (change.command, change.directory, change.is_here))
            .collect()
    }

    #[test]
    fn commands_that_replace_code_are_found_with_their_directory() {
        let one = |command: &str, directory: Option<&str>, is_here| {
            vec![(format!("git {command}"), directory.map(ToOwned::to_owned), is_here)]
        };
        assert_eq!(found("git checkout main"), one("checkout", None, true));
        assert_eq!(
            found("git -c a.b=c -C {{ clone.directory }} pull origin main"),
            one("pull", Some("{{clone.directory}}"), true)
        );
        assert_eq!(found("bash -c 'cd x && /usr/bin/git reset --hard'"), one("reset", None, false));
        assert_eq!(found("git submodule update --remote"), one("submodule", None, true));
        for harmless in [
            "git submodule update --init --recursive",
            "git lfs pull",
            "git rev-parse HEAD",
            "git status",
            "echo checkout",
            "pip install git+https://example.com/x.git",
        ] {
            assert_eq!(found(harmless), [], "{harmless}");
        }
    }

    #[test]
    fn clones_are_found() {
        assert!(clones("git clone --depth 1 https://example.com/x.git code"));
        assert!(clones("gh repo clone acme/flows"));
        assert!(!clones("git fetch"));
    }

    #[test]
    fn a_name_is_a_part_of_a_path_or_distinctive() {
        assert!(names("pip install -r flows-main/requirements.txt", "flows-main", true));
        assert!(names("ls flows-main", "flows-main", true));
        assert!(names("cd flows && make", "flows", false));
        assert!(names("./flows/x.sh", "flows", false));
        assert!(!names("pip install flows", "flows", false));
        assert!(!names("x/flows-main2", "flows-main", true));
    }
}
