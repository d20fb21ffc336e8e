//! Whether husky runs any hooks: it reads `HUSKY` from the environment, after a script of the user's own has
//! been run, which may set it (<https://typicode.github.io/husky/how-to.html>).
//!
//! The script is read and not run: it is for hooks, and may start whatever it likes.

use std::path::PathBuf;

use flowreg_model::{Environment, quoted_path};

/// What switches the hooks of husky off, and what to do about it.
pub(super) struct HuskySwitch {
    /// What it is.
    pub message: String,
    /// What to type.
    pub hint: String,
}

/// An assignment of `HUSKY` in a script.
struct Assignment {
    is_off: bool,
    /// Whether the script may pass it by: something stands before it on its line.
    is_conditional: bool,
}

impl HuskySwitch {
    /// The switch that is on, if one is. Of several assignments the last one counts.
    pub(super) fn of(environment: &Environment) -> Option<Self> {
        let file = init_file(environment);
        let script = file.as_ref().and_then(|file| std::fs::read(file).ok()).unwrap_or_default();
        let assignments = assignments(&String::from_utf8_lossy(&script));
        let last = assignments.iter().rfind(|one| one.is_off || !one.is_conditional);
        match (last, file) {
            (Some(Assignment { is_off: true, is_conditional }), Some(file)) => {
                let (path, file) = (file.display(), quoted_path(&file));
                let effect = if *is_conditional {
                    "may set HUSKY to 0: then husky runs no hooks, and nothing is queued"
                } else {
                    "sets HUSKY to 0: husky runs no hooks, so nothing is queued"
                };
                Some(Self {
                    message: format!("{path} {effect}"),
                    hint: format!("take HUSKY=0 out of {file}"),
                })
            }
            (Some(_), _) => None,
            (None, _) => (environment.get("HUSKY") == Some("0")).then(|| Self {
                message:
                    "HUSKY is 0 in this environment: husky runs no hooks, so nothing is queued"
                        .to_owned(),
                hint: "unset HUSKY".to_owned(),
            }),
        }
    }
}

/// `${XDG_CONFIG_HOME:-$HOME/.config}/husky/init.sh`
fn init_file(environment: &Environment) -> Option<PathBuf> {
    let configuration = environment.get("XDG_CONFIG_HOME").map(PathBuf::from);
    let below_home = || Some(PathBuf::from(environment.get("HOME")?).join(".config"));
    Some(configuration.or_else(below_home)?.join("husky/init.sh"))
}

/// The assignments of `HUSKY` in a script, in their order.
fn assignments(script: &str) -> Vec<Assignment> {
    let mut found = Vec::new();
    for line in script.lines() {
        let words =
            line.split([' ', '\t', ';', '&', '|']).take_while(|word| !word.starts_with('#'));
        let mut is_conditional = line.starts_with([' ', '\t']);
        for word in words.filter(|word| !word.is_empty()) {
            if let Some(value) = word.strip_prefix("HUSKY=") {
                let is_off = value.trim_matches(['"', '\'']) == "0";
                found.push(Assignment { is_off, is_conditional });
            }
            is_conditional |= word != "export";
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_assignment_of_the_script_decides() {
        for (script, expected) in [
            ("export HUSKY=0\n", Some(false)),
            ("HUSKY=\"0\"", Some(false)),
            ("# HUSKY=0\nexport PATH=/x # HUSKY=0\n", None),
            ("HUSKY=0\nHUSKY=1\n", None),
            ("NOT_HUSKY=0\nHUSKY=00\n", None),
            ("if [ -n \"$X\" ]; then\n  export HUSKY=0\nfi\n", Some(true)),
            ("[ -n \"$X\" ] && export HUSKY=0", Some(true)),
            ("HUSKY=0\n[ -n \"$X\" ] && HUSKY=1", Some(false)),
            ("", None),
        ] {
            let assignments = assignments(script);
            let last = assignments.iter().rfind(|one| one.is_off || !one.is_conditional);
            let off = last.filter(|one| one.is_off).map(|one| one.is_conditional);
            assert_eq!(off, expected, "{script}");
        }
    }
}
