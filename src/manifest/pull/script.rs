//! What a shell script of a pull step does to directories, as far as its commands tell.
//!
//! A script can do anything, and one that is in the repository is at the reference itself. What people write
//! in pull steps to bring code from elsewhere are git and a few programs that copy, and those are known here.

use super::paths;
use super::shell::{Argument, Invocation};

/// The subcommands of git that put other content into a work tree.
const CHANGING: &[&str] = &[
    "am",
    "apply",
    "bisect",
    "checkout",
    "checkout-index",
    "cherry-pick",
    "merge",
    "mv",
    "pull",
    "read-tree",
    "rebase",
    "reset",
    "restore",
    "revert",
    "rm",
    "stash",
    "switch",
];

/// Options of git itself that take the next word as their value.
const WITH_VALUE: &[&str] =
    &["-C", "-c", "--git-dir", "--work-tree", "--namespace", "--exec-path", "--config-env"];

/// Options of `git clone` that take the next word as their value.
const CLONE_WITH_VALUE: &[&str] = &[
    "-b",
    "--branch",
    "-c",
    "--config",
    "--depth",
    "--filter",
    "-j",
    "--jobs",
    "-o",
    "--origin",
    "--reference",
    "--separate-git-dir",
    "--shallow-exclude",
    "--shallow-since",
    "--template",
    "-u",
    "--upload-pack",
    "--revision",
];

/// What a command does to the directory or file that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Puts other content into the work tree in which the directory lies.
    WorkTree,
    /// Puts a directory there, with all that is in it.
    Creates,
    /// Takes it away, with all that is in it.
    Removes,
    /// Writes many files below it.
    Fills,
    /// Writes one file.
    File,
}

/// A command of a script that changes files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// `git pull`
    pub command: String,
    /// What it does.
    pub effect: Effect,
    /// Where; `None` if that is not known.
    pub path: Option<String>,
    /// What is copied there, if all of it is known.
    pub from: Vec<String>,
}

impl Change {
    /// Whether the code of a clone may be other code afterwards.
    pub(super) fn may_replace(&self, clone: &str) -> bool {
        let Some(path) = self.path.as_deref() else {
            // To take an unknown directory away, or to write one file, brings no code.
            return matches!(self.effect, Effect::WorkTree | Effect::Creates | Effect::Fills);
        };
        let is_own = |from: &String| paths::below(from, clone).is_some();
        match self.effect {
            // What is copied within a clone is its own code.
            Effect::Fills if !self.from.is_empty() && self.from.iter().all(is_own) => false,
            Effect::WorkTree | Effect::Fills => paths::below(path, clone).is_some(),
            Effect::Creates | Effect::Removes => {
                paths::below(clone, path).is_some()
                    || (self.effect == Effect::Creates && paths::below(path, clone).is_some())
            }
            Effect::File => false,
        }
    }

    /// Whether it writes a file with code into a clone.
    pub(super) fn writes_code_into(&self, clone: &str) -> bool {
        let path = self.path.as_deref().filter(|path| is_python(path));
        self.effect == Effect::File && path.is_some_and(|path| paths::below(path, clone).is_some())
    }
}

/// What the commands of a script change.
pub(super) fn changes(commands: &[Invocation]) -> Vec<Change> {
    commands.iter().flat_map(changes_of).collect()
}

/// Whether a script clones a repository.
pub(super) fn clones(commands: &[Invocation]) -> bool {
    commands.iter().any(|command| {
        let is_tool = ["gh", "glab", "hub"].contains(&command.program.as_str());
        git(command).is_some_and(|git| git.name == "clone")
            || (is_tool && command.arguments.iter().any(|word| word.text() == "clone"))
    })
}

/// Whether a command names a path at or below another one: as a path, or as a plain word, where
/// `is_distinctive` says that the name can't be an ordinary word.
pub(super) fn names(command: &Invocation, path: &str, is_distinctive: bool) -> bool {
    let words = std::iter::once(&command.written).chain(&command.arguments).chain(&command.outputs);
    let before = ["", command.program.as_str()]
        .into_iter()
        .chain(command.arguments.iter().map(Argument::text))
        .chain(std::iter::repeat(""));
    words.zip(before).any(|(word, before)| {
        let is_surely = is_distinctive
            || ["-C", "-d", "-e", "-r", "cd", "ls", "pushd"].contains(&before)
            || command.outputs.contains(word);
        names_in(word.text(), command.directory.as_deref(), path, is_surely)
    })
}

/// Whether a text has a part that is a path at or below another one.
pub(super) fn names_in(text: &str, directory: Option<&str>, path: &str, is_surely: bool) -> bool {
    text.split(|char: char| char.is_whitespace() || "=:,;\"'".contains(char)).any(|part| {
        let option = part.strip_prefix("-r").or_else(|| part.strip_prefix("-C")).unwrap_or(part);
        if option.is_empty() || !(is_surely || option.contains('/')) {
            return false;
        }
        let Some(directory) = directory else { return false };
        // The part behind an unknown one, or of a URL, is below no directory that is known.
        !option.contains('\u{1}') && paths::below(&paths::join(directory, option), path).is_some()
    })
}

/// A git command: what follows the word `git`.
struct GitCommand<'w> {
    name: &'w str,
    /// Where its work tree is.
    directory: Option<String>,
    rest: &'w [Argument],
}

fn git(command: &Invocation) -> Option<GitCommand<'_>> {
    if command.program != "git" {
        return None;
    }
    let mut directory = command.directory.clone();
    let mut rest = command.arguments.as_slice();
    while let Some((option, after)) =
        rest.split_first().filter(|(word, _)| word.text().starts_with('-'))
    {
        rest = after;
        if let Some(tree) = option.text().strip_prefix("--work-tree=") {
            directory = directory.map(|directory| paths::join(&directory, tree));
            if option.known().is_none() {
                directory = None;
            }
        }
        if WITH_VALUE.contains(&option.text())
            && let Some((value, after)) = rest.split_first()
        {
            if ["-C", "--work-tree"].contains(&option.text()) {
                directory = value.path(directory.as_deref());
            }
            rest = after;
        }
    }
    let (name, rest) = rest.split_first()?;
    Some(GitCommand { name: name.text(), directory, rest })
}

fn changes_of(command: &Invocation) -> Vec<Change> {
    let here = command.directory.as_deref();
    let words = &command.arguments;
    let mut found = Vec::new();
    let mut add = |name: &str, effect, path: Option<String>| {
        found.push(Change { command: name.to_owned(), effect, path, from: Vec::new() });
    };
    for output in &command.outputs {
        add(&command.program, Effect::File, output.path(here));
    }
    let has = |option: &str| words.iter().any(|word| word.text() == option);
    if has("--help") || has("--version") {
        return found;
    }
    let program = command.program.as_str();
    match program {
        "git" => found.extend(git(command).and_then(|git| git_change(&git))),
        "gh" | "glab" | "hub" if has("clone") => {
            let rest = words.iter().skip_while(|word| word.text() != "clone").skip(1);
            let rest: Vec<Argument> = rest.cloned().collect();
            add(&format!("{program} clone"), Effect::Creates, cloned(&rest, here));
        }
        "rm" => {
            for path in operands(words).filter_map(|word| word.path(here)) {
                add("rm", Effect::Removes, Some(path));
            }
        }
        "cp" | "mv" | "rsync" | "ln" | "install" => found.extend(copied(command)),
        "tar" | "bsdtar" if is_extracting(words) => {
            add(program, Effect::Fills, directory_option(words, &["-C", "--directory"], here));
        }
        "unzip" => add(program, Effect::Fills, directory_option(words, &["-d"], here)),
        "patch" => {
            add(program, Effect::Fills, directory_option(words, &["-d", "--directory"], here));
        }
        "curl" | "wget" => {
            for path in values(words, &["-o", "--output", "-O", "--output-document"]) {
                add(program, Effect::File, path.path(here));
            }
        }
        "sed"
            if words
                .iter()
                .any(|word| word.text().starts_with("-i") || word.text() == "--in-place") =>
        {
            for path in operands(words) {
                add("sed -i", Effect::File, path.path(here));
            }
        }
        "tee" => {
            for path in operands(words) {
                add(program, Effect::File, path.path(here));
            }
        }
        _ => {}
    }
    found
}

/// What a git command changes in a work tree.
fn git_change(git: &GitCommand<'_>) -> Option<Change> {
    let has = |options: &[&str]| git.rest.iter().any(|word| options.contains(&word.text()));
    let first = git.rest.first().map_or("", Argument::text);
    let command = format!("git {}", git.name);
    if has(&["-h"]) {
        return None;
    }
    let change = |effect, path| Some(Change { command, effect, path, from: Vec::new() });
    match git.name {
        "clone" => change(Effect::Creates, cloned(git.rest, git.directory.as_deref())),
        "worktree" if first == "add" => {
            let path = operands(git.rest.get(1..).unwrap_or_default()).next();
            change(Effect::Creates, path.and_then(|path| path.path(git.directory.as_deref())))
        }
        // These show, or keep what is there.
        "stash" if ["list", "show", "drop", "clear", "create", "store"].contains(&first) => None,
        "apply" if has(&["--stat", "--numstat", "--summary", "--check"]) && !has(&["--apply"]) => {
            None
        }
        // The files stay as they are unless it is told so.
        "reset" if !has(&["--hard", "--merge", "--keep"]) => None,
        "rm" if has(&["--cached", "-n", "--dry-run"]) => None,
        "submodule" if !has(&["--remote"]) => None,
        name if name == "submodule" || CHANGING.contains(&name) || name.contains('\u{1}') => {
            change(Effect::WorkTree, git.directory.clone())
        }
        _ => None,
    }
}

/// The directory that `git clone` makes, from what follows it.
fn cloned(words: &[Argument], directory: Option<&str>) -> Option<String> {
    let mut rest = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if CLONE_WITH_VALUE.contains(&word.text()) {
            words.next();
        } else if !word.text().starts_with('-') {
            rest.push(word);
        }
    }
    match rest.as_slice() {
        [_, named, ..] => named.path(directory),
        [url] => {
            let url = url.text().trim_end_matches('/');
            let name = url.rsplit(['/', ':']).next().unwrap_or(url);
            let name = name.strip_suffix(".git").unwrap_or(name);
            // Of a URL that is not known the directory has a name of its own, which is new there.
            let name = if name.contains('\u{1}') { "\0cloned" } else { name };
            Some(paths::join(directory?, name))
        }
        [] => None,
    }
}

/// What `cp` and its like write, with the last operand as the place.
fn copied(command: &Invocation) -> Vec<Change> {
    let here = command.directory.as_deref();
    let words = &command.arguments;
    let program = command.program.as_str();
    let target = values(words, &["-t", "--target-directory"]).first().copied();
    let operands: Vec<&Argument> = operands(words).filter(|word| Some(*word) != target).collect();
    let Some((to, sources)) = (match target {
        Some(target) => Some((target, operands.as_slice())),
        None => operands.split_last().map(|(last, rest)| (*last, rest)),
    }) else {
        return Vec::new();
    };
    let change = |effect, path, from| Change { command: program.to_owned(), effect, path, from };
    let from: Option<Vec<String>> = sources.iter().map(|word| word.path(here)).collect();
    let from = from.unwrap_or_default();
    let mut found = Vec::new();
    if program == "mv" {
        // What was in the clone before is not there any more.
        let gone = from.iter().map(|path| change(Effect::Removes, Some(path.clone()), Vec::new()));
        found.extend(gone);
    }
    let is_tree = match program {
        "cp" => {
            has_flag(words, "raR")
                || ["--recursive", "--archive"].iter().any(|long| is_given(words, long))
        }
        "install" => false,
        // Between machines `rsync` names no directory of this one.
        "rsync" if to.text().contains(':') => return found,
        _ => true,
    };
    if is_tree {
        found.push(change(Effect::Fills, to.path(here), from));
        return found;
    }
    // Into a directory a file keeps its name.
    for source in sources {
        let name = source.text().rsplit('/').next().unwrap_or_default();
        let path = to.path(here);
        let path = path.map(|to| if is_python(&to) { to } else { paths::join(&to, name) });
        found.push(change(Effect::File, path, Vec::new()));
    }
    found
}

fn is_python(path: &str) -> bool {
    std::path::Path::new(path).extension().is_some_and(|extension| extension == "py")
}

fn is_given(words: &[Argument], option: &str) -> bool {
    words.iter().any(|word| word.text() == option)
}

/// Whether one of the letters stands in the short options.
fn has_flag(words: &[Argument], letters: &str) -> bool {
    words.iter().any(|word| {
        let flags = word.text().strip_prefix('-').filter(|flags| !flags.starts_with('-'));
        flags.is_some_and(|flags| flags.contains(|flag| letters.contains(flag)))
    })
}

fn is_extracting(words: &[Argument]) -> bool {
    let first = words.first().map_or("", Argument::text);
    let is_old_style = !first.starts_with('-') && first.contains('x');
    let is_option = |word: &Argument| {
        let text = word.text();
        ["--extract", "--get"].contains(&text)
            || (text.starts_with('-') && !text.starts_with("--") && text.contains('x'))
    };
    is_old_style || words.iter().any(is_option)
}

/// The words that are no options.
fn operands(words: &[Argument]) -> impl Iterator<Item = &Argument> {
    words.iter().filter(|word| !word.text().starts_with('-'))
}

/// What stands behind options.
fn values<'w>(words: &'w [Argument], options: &[&str]) -> Vec<&'w Argument> {
    let pairs = words.iter().zip(words.iter().skip(1));
    pairs.filter(|(option, _)| options.contains(&option.text())).map(|(_, value)| value).collect()
}

/// The directory that an option names, else the one in which the command runs.
fn directory_option(words: &[Argument], options: &[&str], here: Option<&str>) -> Option<String> {
    let joined = words.iter().find_map(|word| {
        let text = word.text();
        let mut long = options.iter().filter(|option| option.starts_with("--"));
        long.find_map(|option| text.strip_prefix(option)?.strip_prefix('='))
    });
    if let Some(joined) = joined {
        return super::shell::argument(joined).path(here);
    }
    match values(words, options).first() {
        Some(named) => named.path(here),
        None => here.map(ToOwned::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::manifest::pull::shell::{argument, invocations};

    fn commands(script: &str) -> Vec<Invocation> {
        let variables = HashMap::from([("D".to_owned(), argument("code"))]);
        invocations(script, Some("/w"), &variables)
    }

    #[test]
    fn commands_that_may_replace_the_code_of_a_clone_are_found() {
        for script in [
            "git -C code checkout main",
            "git -C $D pull",
            "git -C $PWD/code reset --hard FETCH_HEAD",
            "git -C $(pwd)/code reset --hard FETCH_HEAD",
            "git -C $UNKNOWN pull",
            "git -C {{ x.directory }} pull",
            "for d in *; do git -C $d fetch -q; git -C $d reset --hard FETCH_HEAD; done",
            "cd code && git stash pop",
            "bash -c 'cd code && /usr/bin/git merge x'",
            "git --work-tree=code --git-dir o/.git checkout main",
            "git -C code submodule update --remote",
            "rm -rf code",
            "rm -rf /w/code/",
            "git clone -q -b main https://h/o/x.git code",
            "git clone https://h/o/code.git/",
            "git clone --depth 1 https://h/o/x.git $WHERE",
            "gh repo clone acme/flows code -- --depth 1",
            "git -C o worktree add ../code main",
            "cp -r other/. code",
            "cp -a other/flows code/flows",
            "cp -r other/flows -t code",
            "cd code && cp -r ../m/flows .",
            "mv other/flows code/",
            "mv code old",
            "git -C o archive HEAD | tar x -C code",
            "tar -xzf x.tgz --directory=code/flows",
            "unzip -o x.zip -d code",
            "rsync -a other/ code/",
            "ln -sfn ../other/flows code/flows",
            "patch -d code -p1",
            "cp -r x $WHERE",
        ] {
            let found = changes(&commands(script));
            assert!(found.iter().any(|one| one.may_replace("/w/code")), "{script} {found:?}");
        }
    }

    #[test]
    fn commands_that_leave_the_code_of_a_clone_are_no_changes() {
        for script in [
            "git pull",
            "git -C other checkout main",
            "git -C /opt/other pull",
            "cd /tmp/other && git pull",
            "echo \"git checkout main\"",
            "# git -C code pull",
            "git -C code stash list",
            "git -C code apply --stat x.patch",
            "git -C code apply --check x.patch",
            "git -C code clean -fdX",
            "git -C code reset -- x",
            "git -C code checkout -h",
            "git -C code submodule update --init --recursive",
            "git -C code lfs pull",
            "git -C code fetch --tags",
            "git -C code rev-parse HEAD",
            "git clone https://h/o/lib.git",
            "git clone {{ $URL }}",
            "git clone https://x:$TOKEN@h/o/lib.git lib",
            "rm -rf /tmp/x ~/.cache $CACHE code/tests",
            "cp -r code/config ~/.config/etl",
            "cp -r code/config $HOME/.config/etl",
            "cp code/.env.example code/.env",
            "cp -r code/config.example code/config",
            "tar czf /tmp/x.tgz code",
            "tar xzf x.tgz -C /opt/data",
            "mv x.csv data/",
            "pip install -e code git+https://example.com/x.git",
            "bash code/setup.sh",
            "curl -o code/data.csv https://h/x",
        ] {
            let found = changes(&commands(script));
            assert!(!found.iter().any(|one| one.may_replace("/w/code")), "{script} {found:?}");
            assert!(!found.iter().any(|one| one.writes_code_into("/w/code")), "{script} {found:?}");
        }
        for script in [
            "sed -i s/a/b/ code/flows/etl.py",
            "cp other/etl.py code/flows",
            "curl -fsSL -o code/etl.py https://h/x",
            "echo x > code/etl.py",
        ] {
            let found = changes(&commands(script));
            assert!(found.iter().any(|one| one.writes_code_into("/w/code")), "{script} {found:?}");
        }
    }

    #[test]
    fn clones_are_found() {
        assert!(clones(&commands("git clone --depth 1 https://example.com/x.git code")));
        assert!(clones(&commands("gh repo clone acme/flows")));
        assert!(!clones(&commands("git fetch")));
        assert!(!clones(&commands("echo git clone")));
    }

    #[test]
    fn a_path_is_named_from_where_the_command_runs() {
        let names = |script: &str, is_distinctive| {
            commands(script).iter().any(|one| names(one, "/w/flows", is_distinctive))
        };
        for script in [
            "pip install -r flows/requirements.txt",
            "ls flows",
            "cd flows && make",
            "./flows/x.sh && ls ./flows/x",
            "pip install --requirement=./flows/x.txt",
            "cd x && ls ../flows",
            "cat < flows/x",
        ] {
            assert!(names(script, false), "{script}");
        }
        for script in
            ["pip install flows", "cp x other/flows/etl.py", "cd x && ls flows/y", "ls x/flows-2"]
        {
            assert!(!names(script, false), "{script}");
        }
        assert!(names("pip install flows", true));
    }
}
