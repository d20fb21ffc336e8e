//! Splits the script of a pull step into the commands that it runs, each with its working directory.
//!
//! Prefect runs each line on its own, in the directory of the step: a `cd` reaches to the end of its line.
//! Not a shell: what only the worker knows (variables, the output of commands, globs) stays unknown.

use std::collections::HashMap;
use std::iter::Peekable;
use std::str::Chars;

use super::paths;

/// Stands in a text for a part that is not known here.
const UNKNOWN: char = '\u{1}';
/// The home of the user as whom a worker runs. It is not the directory in which a worker starts.
const HOME: &str = "\0home";
/// Scripts within scripts, and brackets within brackets, are followed this deep.
const DEPTH: u8 = 8;

/// Words of the shell that may stand before a command.
const KEYWORDS: &[&str] =
    &["!", "do", "elif", "else", "export", "if", "then", "until", "while", "{"];
/// Programs that run the one that follows in their arguments.
const WRAPPERS: &[&str] = &[
    "builtin", "command", "env", "exec", "find", "flock", "ionice", "nice", "nohup", "setsid",
    "stdbuf", "sudo", "time", "timeout", "xargs",
];
/// The commands that are looked for behind a wrapper.
const WRAPPED: &[&str] = &[
    "bash", "cd", "cp", "curl", "dash", "eval", "gh", "git", "glab", "hub", "ln", "mv", "patch",
    "rm", "rsync", "sed", "sh", "tar", "tee", "unzip", "wget", "zsh",
];
const SHELLS: &[&str] = &["bash", "dash", "sh", "zsh"];

/// A word of a command, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Argument(String);

impl Argument {
    /// The text, if all of it is known.
    pub(super) fn known(&self) -> Option<&str> {
        (!self.0.contains(UNKNOWN)).then_some(self.0.as_str())
    }

    /// The text; what is not known is a character that no path and no option has.
    pub(super) fn text(&self) -> &str {
        &self.0
    }

    /// The path that it names from a directory.
    pub(super) fn path(&self, directory: Option<&str>) -> Option<String> {
        let text = self.known()?;
        if text.starts_with(['/', '\0']) {
            return Some(paths::join("", text));
        }
        directory.map(|directory| paths::join(directory, text))
    }
}

/// A command that a script runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Invocation {
    /// The name of the program, without its directory.
    pub program: String,
    /// The program as it is written.
    pub written: Argument,
    /// What follows it.
    pub arguments: Vec<Argument>,
    /// The files into which its output goes.
    pub outputs: Vec<Argument>,
    /// Where it runs; `None` if that is not known.
    pub directory: Option<String>,
}

/// The commands of a script that runs in a directory with these variables.
pub(super) fn invocations(
    script: &str,
    directory: Option<&str>,
    variables: &HashMap<String, Argument>,
) -> Vec<Invocation> {
    let mut found = Vec::new();
    for line in script.lines() {
        let mut shell = Shell {
            directory: directory.map(ToOwned::to_owned),
            variables: variables.clone(),
            found: Vec::new(),
            depth: 0,
        };
        shell.run(&tokens(&mut line.chars().peekable(), None, 0));
        found.extend(shell.found);
    }
    found
}

/// A text in which `{{ … }}` are the parts that are not known.
pub(super) fn argument(text: &str) -> Argument {
    let mut result = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        result.push_str(before);
        result.push(UNKNOWN);
        rest = after.split_once("}}").map_or("", |(_, after)| after);
    }
    result.push_str(rest);
    Argument(result)
}

/// Whether Python's `shlex`, which splits a line that no shell runs, finds the end of every quotation.
pub(super) fn is_closed(line: &str) -> bool {
    let mut quote = None;
    let mut chars = line.chars();
    while let Some(char) = chars.next() {
        match (quote, char) {
            (None | Some('"'), '\\') if chars.next().is_none() => return false,
            (None | Some('"'), '\\') => {}
            (None, '\'' | '"') => quote = Some(char),
            (Some(open), _) if open == char => quote = None,
            _ => {}
        }
    }
    quote.is_none()
}

#[derive(Debug)]
enum Piece {
    Text(String),
    Variable(String),
    Unknown,
}

#[derive(Debug)]
enum Token {
    Word(Vec<Piece>),
    /// The next word is a file into which output goes.
    Output,
    /// The end of a command.
    End,
    /// Commands in a shell of their own: `( … )`, `$( … )`.
    Nested(Vec<Token>),
}

/// A command of which nothing is known: it may do anything, anywhere.
fn anything() -> Vec<Token> {
    let git = vec![Piece::Text("git".to_owned())];
    vec![Token::Word(git), Token::Word(vec![Piece::Unknown]), Token::End]
}

/// Splits up to a closing character, or to the end.
fn tokens(chars: &mut Peekable<Chars<'_>>, close: Option<char>, depth: u8) -> Vec<Token> {
    // A file from a stranger must not exhaust the stack.
    if depth > DEPTH {
        return anything();
    }
    let depth = depth + 1;
    let mut found = Vec::new();
    let mut word: Option<Vec<Piece>> = None;
    while let Some(char) = chars.next() {
        if Some(char) == close {
            break;
        }
        match char {
            '#' if word.is_none() => {
                // A comment reaches to the end of the line, also over the closing character.
                while chars.next_if(|char| *char != '\n').is_some() {}
            }
            ' ' | '\t' | '\r' | '<' => found.extend(word.take().map(Token::Word)),
            ';' | '&' | '|' | '\n' => {
                found.extend(word.take().map(Token::Word));
                found.push(Token::End);
            }
            '(' | ')' => {
                found.extend(word.take().map(Token::Word));
                found.push(Token::End);
                if char == '(' {
                    found.push(Token::Nested(tokens(chars, Some(')'), depth)));
                }
            }
            '>' => {
                // `2>` and `1>`: the number is no word.
                found.extend(word.take().filter(|word| !is_number(word)).map(Token::Word));
                while chars.next_if(|next| ">|".contains(*next)).is_some() {}
                if chars.next_if_eq(&'&').is_none() {
                    found.push(Token::Output);
                } else {
                    while chars.next_if(char::is_ascii_digit).is_some() {}
                }
            }
            '\'' => {
                let quoted: String = chars.by_ref().take_while(|char| *char != '\'').collect();
                word.get_or_insert_default().push(Piece::Text(quoted));
            }
            '"' => quoted(chars, word.get_or_insert_default(), &mut found, depth),
            '\\' => word
                .get_or_insert_default()
                .extend(chars.next().map(|char| Piece::Text(char.into()))),
            '*' | '?' => word.get_or_insert_default().push(Piece::Unknown),
            '~' if word.is_none() => {
                word.get_or_insert_default().push(Piece::Text(HOME.to_owned()));
            }
            char => special(char, chars, word.get_or_insert_default(), &mut found, depth),
        }
    }
    found.extend(word.map(Token::Word));
    found.push(Token::End);
    found
}

fn quoted(
    chars: &mut Peekable<Chars<'_>>,
    word: &mut Vec<Piece>,
    found: &mut Vec<Token>,
    depth: u8,
) {
    // An empty text is a word too.
    word.push(Piece::Text(String::new()));
    while let Some(char) = chars.next() {
        match char {
            '"' => break,
            '\\' => {
                let escaped = chars.next_if(|char| "\"\\$`".contains(*char));
                word.push(Piece::Text(escaped.unwrap_or('\\').into()));
            }
            char => special(char, chars, word, found, depth),
        }
    }
}

/// What has a meaning within double quotes as well: variables, the output of commands, templates.
fn special(
    char: char,
    chars: &mut Peekable<Chars<'_>>,
    word: &mut Vec<Piece>,
    found: &mut Vec<Token>,
    depth: u8,
) {
    match (char, chars.peek().copied()) {
        ('{', Some('{')) => {
            let mut last = ' ';
            for char in chars.by_ref() {
                if (last, char) == ('}', '}') {
                    break;
                }
                last = char;
            }
            word.push(Piece::Unknown);
        }
        ('`', _) => {
            found.push(Token::Nested(tokens(chars, Some('`'), depth)));
            word.push(Piece::Unknown);
        }
        ('$', Some('(')) => {
            chars.next();
            let inner = tokens(chars, Some(')'), depth);
            let is_pwd = matches!(inner.as_slice(), [Token::Word(word), Token::End]
                if matches!(word.as_slice(), [.., Piece::Text(_)]) && literal(word) == "pwd");
            word.push(if is_pwd { Piece::Variable("PWD".to_owned()) } else { Piece::Unknown });
            found.push(Token::Nested(inner));
        }
        ('$', Some('{')) => {
            let inside: String = chars.by_ref().skip(1).take_while(|char| *char != '}').collect();
            let is_name = inside.chars().all(is_name);
            word.push(if is_name { Piece::Variable(inside) } else { Piece::Unknown });
        }
        ('$', Some(next)) if is_name(next) => {
            let mut name = String::new();
            while let Some(char) = chars.next_if(|char| is_name(*char)) {
                name.push(char);
            }
            word.push(Piece::Variable(name));
        }
        // `{}` is what `find` and `xargs` put in.
        ('$', Some('@' | '*' | '?' | '!' | '#')) | ('{', Some('}')) => {
            chars.next();
            word.push(Piece::Unknown);
        }
        (char, _) => word.push(Piece::Text(char.into())),
    }
}

fn is_name(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '_'
}

fn is_number(word: &[Piece]) -> bool {
    literal(word).bytes().all(|byte| byte.is_ascii_digit())
}

fn literal(word: &[Piece]) -> String {
    let texts = word.iter().map(|piece| match piece {
        Piece::Text(text) => text.as_str(),
        Piece::Variable(_) | Piece::Unknown => "\u{1}",
    });
    texts.collect()
}

/// A shell on its way through one line.
struct Shell {
    directory: Option<String>,
    variables: HashMap<String, Argument>,
    found: Vec<Invocation>,
    depth: u8,
}

impl Shell {
    fn run(&mut self, tokens: &[Token]) {
        let (mut words, mut outputs): (Vec<Argument>, Vec<Argument>) = (Vec::new(), Vec::new());
        let mut is_output = false;
        for token in tokens {
            match token {
                Token::Word(pieces) => {
                    let word = self.expanded(pieces);
                    if is_output {
                        outputs.push(word);
                    } else {
                        words.push(word);
                    }
                    is_output = false;
                }
                Token::Output => is_output = true,
                Token::End => {
                    self.command(&std::mem::take(&mut words), std::mem::take(&mut outputs));
                }
                Token::Nested(inner) => self.nested(inner),
            }
        }
    }

    /// Runs commands in a shell of their own, which leaves this one where it is.
    fn nested(&mut self, tokens: &[Token]) {
        if self.depth == DEPTH {
            // What is in there is not known, so it may change anything.
            self.directory = None;
            self.run(&anything());
            return;
        }
        let (directory, variables) = (self.directory.clone(), self.variables.clone());
        self.depth += 1;
        self.run(tokens);
        self.depth -= 1;
        (self.directory, self.variables) = (directory, variables);
    }

    fn expanded(&self, pieces: &[Piece]) -> Argument {
        let unknown = || UNKNOWN.to_string();
        let texts = pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Unknown => unknown(),
            Piece::Variable(name) => match self.variables.get(name) {
                Some(value) => value.0.clone(),
                None if name == "PWD" => self.directory.clone().unwrap_or_else(unknown),
                None if ["HOME", "TMPDIR"].contains(&name.as_str()) => HOME.to_owned(),
                None => unknown(),
            },
        });
        Argument(texts.collect())
    }

    fn command(&mut self, mut words: &[Argument], outputs: Vec<Argument>) {
        loop {
            let Some((first, rest)) = words.split_first() else {
                self.add(&Argument::default(), &[], outputs);
                return;
            };
            let text = first.text();
            if let Some((name, value)) = assignment(text) {
                self.variables.insert(name.to_owned(), Argument(value.to_owned()));
                words = rest;
            } else if KEYWORDS.contains(&text) {
                words = rest;
            } else if WRAPPERS.contains(&base_name(text)) {
                let is_wrapped = |word: &Argument| WRAPPED.contains(&base_name(word.text()));
                for (name, value) in rest.iter().map_while(|word| assignment(word.text())) {
                    self.variables.insert(name.to_owned(), Argument(value.to_owned()));
                }
                let at = rest.iter().position(is_wrapped).unwrap_or(rest.len());
                let mut wrapped = rest.get(at..).unwrap_or_default().to_vec();
                // What `xargs` adds is read by it.
                if base_name(text) == "xargs" {
                    wrapped.push(Argument(UNKNOWN.to_string()));
                }
                let Some((program, arguments)) = wrapped.split_first() else {
                    self.add(&Argument::default(), &[], outputs);
                    return;
                };
                self.invoke(program, arguments, outputs);
                return;
            } else {
                self.invoke(first, rest, outputs);
                return;
            }
        }
    }

    fn invoke(&mut self, program: &Argument, arguments: &[Argument], outputs: Vec<Argument>) {
        let name = base_name(program.text());
        self.add(program, arguments, outputs);
        match name {
            "cd" | "pushd" => {
                let to = arguments.iter().find(|word| !word.text().starts_with('-'));
                let home = Argument(HOME.to_owned());
                let to = to.unwrap_or(&home).path(self.directory.as_deref());
                self.directory = to.filter(|_| arguments.iter().all(|word| word.text() != "-"));
            }
            "popd" => self.directory = None,
            "eval" => {
                let texts: Vec<&str> = arguments.iter().map(Argument::text).collect();
                self.run_text(&texts.join(" "));
            }
            shell if SHELLS.contains(&shell) => {
                let is_command =
                    |word: &Argument| word.text().starts_with('-') && word.text().ends_with('c');
                let at = arguments.iter().position(is_command);
                if let Some(text) = at.and_then(|at| arguments.get(at + 1)) {
                    self.run_text(text.text());
                }
            }
            _ => {}
        }
    }

    fn run_text(&mut self, text: &str) {
        self.nested(&tokens(&mut text.chars().peekable(), None, 0));
    }

    fn add(&mut self, program: &Argument, arguments: &[Argument], outputs: Vec<Argument>) {
        if program.text().is_empty() && outputs.is_empty() {
            return;
        }
        // Git works in this directory, wherever it runs.
        let tree = self.variables.get("GIT_WORK_TREE");
        let tree = tree.filter(|_| base_name(program.text()) == "git");
        let directory = match tree {
            Some(tree) => tree.path(self.directory.as_deref()),
            None => self.directory.clone(),
        };
        self.found.push(Invocation {
            program: base_name(program.text()).to_owned(),
            written: program.clone(),
            arguments: arguments.to_vec(),
            outputs,
            directory,
        });
    }
}

/// `NAME=value`
fn assignment(word: &str) -> Option<(&str, &str)> {
    let (name, value) = word.split_once('=')?;
    let is_variable = name.starts_with(|char: char| char.is_ascii_alphabetic() || char == '_');
    (is_variable && name.chars().all(is_name)).then_some((name, value))
}

fn base_name(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(script: &str) -> Vec<String> {
        let variables = HashMap::from([("D".to_owned(), argument("code"))]);
        let shown = |one: Invocation| {
            let words: Vec<&str> = one.arguments.iter().map(Argument::text).collect();
            let outputs: String =
                one.outputs.iter().map(|file| format!(" >{}", file.text())).collect();
            let directory = one.directory.unwrap_or_else(|| "?".to_owned());
            format!("{directory}: {} {}{outputs}", one.program, words.join(" "))
                .replace(UNKNOWN, "?")
                .replace(HOME, "~")
        };
        invocations(script, Some("/w"), &variables).into_iter().map(shown).collect()
    }

    #[test]
    fn a_script_that_nests_too_deeply_may_do_anything() {
        for open in ["(", "$(", "\"$(", "(\""] {
            let commands = found(&open.repeat(50_000));
            assert!(commands.iter().any(|command| command.ends_with(": git ?")), "{open}");
        }
        let within = format!("{}git pull{}", "(".repeat(5), ")".repeat(5));
        assert_eq!(found(&within), ["/w: git pull"]);
        let mut deep = "git pull".to_owned();
        for _ in 0..12 {
            deep = format!("eval \"{}\"", deep.replace('\\', "\\\\").replace('"', "\\\""));
        }
        assert!(
            found(&deep).iter().any(|command| command == "?: git ?"),
            "{:?}",
            found(&deep).last()
        );
    }

    #[test]
    fn a_script_is_split_into_its_commands_with_their_directories() {
        for (script, commands) in [
            ("git pull", vec!["/w: git pull"]),
            ("cd a && git pull\ngit status", vec!["/w: cd a", "/w/a: git pull", "/w: git status"]),
            ("(cd a; ls); ls", vec!["/w: cd a", "/w/a: ls ", "/w: ls "]),
            ("echo 'git pull' # git pull", vec!["/w: echo git pull"]),
            ("# it's", vec![]),
            (
                "bash -c 'cd x && /usr/bin/git reset'",
                vec!["/w: bash -c cd x && /usr/bin/git reset", "/w: cd x", "/w/x: git reset"],
            ),
            (
                "git -C $D pull; git -C \"${D}/x\" pull",
                vec!["/w: git -C code pull", "/w: git -C code/x pull"],
            ),
            (
                "git -C $PWD/a -C $(pwd)/b -C `pwd` log",
                vec!["/w: pwd ", "/w: pwd ", "/w: git -C /w/a -C /w/b -C ? log"],
            ),
            ("X=a; git -C $X log", vec!["/w: git -C a log"]),
            (
                "for d in *; do git -C $d log; done",
                vec!["/w: for d in ?", "/w: git -C ? log", "/w: done "],
            ),
            ("if test -d x; then git pull; fi", vec!["/w: test -d x", "/w: git pull", "/w: fi "]),
            ("sudo -u me env A=b timeout 5 git pull", vec!["/w: git pull"]),
            ("cd ~/x && ls {{ a.b }} > out 2>&1", vec!["/w: cd ~/x", "~/x: ls ? >out"]),
            ("GIT_WORK_TREE=x git log && ls", vec!["/w/x: git log", "/w: ls "]),
            ("ls | xargs rm -rf", vec!["/w: ls ", "/w: rm -rf ?"]),
            ("cd $X && ls", vec!["/w: cd ?", "?: ls "]),
            ("cd \"a", vec!["/w: cd a"]),
        ] {
            assert_eq!(found(script), commands, "{script}");
        }
    }

    #[test]
    fn quotations_end_as_for_shlex() {
        for line in ["echo 'a'", "echo \"it's\"", "echo it\\'s", ""] {
            assert!(is_closed(line), "{line}");
        }
        for line in ["echo it's", "echo \"", "echo \\", "echo a # it's"] {
            assert!(!is_closed(line), "{line}");
        }
    }
}
