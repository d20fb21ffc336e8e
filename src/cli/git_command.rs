//! The git commands of hints, for the repository that the user named with `-C`.

/// What hints have people do with git in the repository of the command.
const COMMANDS: [&str; 22] = [
    "am",
    "bisect",
    "branch",
    "checkout",
    "cherry-pick",
    "commit",
    "config",
    "fetch",
    "for-each-ref",
    "fsck",
    "init",
    "log",
    "ls-files",
    "ls-remote",
    "merge",
    "push",
    "rebase",
    "remote",
    "revert",
    "status",
    "switch",
    "tag",
];
/// Parts of the configuration that are no repository's.
const ELSEWHERE: [&str; 3] = ["--global", "--system", "--file"];

/// A hint whose git commands are for `directory`, which is quoted for the shell.
pub(super) fn in_directory(hint: &str, directory: &str) -> String {
    let mut changed = String::new();
    let mut rest = hint;
    while let Some((before, after)) = rest.split_once("git ") {
        changed.push_str(before);
        changed.push_str("git ");
        if is_start(&changed) && is_of_repository(after) {
            changed.push_str("-C ");
            changed.push_str(directory);
            changed.push(' ');
        }
        rest = after;
    }
    changed + rest
}

/// Whether the word `git` at the end begins there.
fn is_start(text: &str) -> bool {
    let before = text.strip_suffix("git ").and_then(|before| before.chars().next_back());
    before.is_none_or(|char| matches!(char, ' ' | '`' | '('))
}

fn is_of_repository(command: &str) -> bool {
    let mut words = command.split([' ', ',', '`', ';']);
    let is_known = words.next().is_some_and(|word| COMMANDS.contains(&word));
    is_known && !words.next().is_some_and(|word| ELSEWHERE.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_is_that_of_every_command() {
        for (hint, expected) in [
            ("git push -u origin x", "git -C 'a b' push -u origin x"),
            (
                "git tag -a v1 -m v1 && git push origin v1",
                "git -C 'a b' tag -a v1 -m v1 && git -C 'a b' push origin v1",
            ),
            (
                "or, if up has tags: git fetch --tags up",
                "or, if up has tags: git -C 'a b' fetch --tags up",
            ),
            (
                "checkout, or `git fetch --unshallow`",
                "checkout, or `git -C 'a b' fetch --unshallow`",
            ),
            ("git init", "git -C 'a b' init"),
            ("git config --unset flowreg.enabled", "git -C 'a b' config --unset flowreg.enabled"),
            // Not of this repository.
            (
                "git config --global --add safe.directory /x",
                "git config --global --add safe.directory /x",
            ),
            ("git config --file /x --unset a.b", "git config --file /x --unset a.b"),
            (
                "git submodule update --init, in the repository that it belongs to",
                "git submodule update --init, in the repository that it belongs to",
            ),
            // No command.
            ("as git has it, legit push", "as git has it, legit push"),
            ("/x/.git config", "/x/.git config"),
        ] {
            assert_eq!(in_directory(hint, "'a b'"), expected, "{hint}");
        }
    }
}
