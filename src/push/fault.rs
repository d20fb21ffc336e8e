//! Why a script that is executable can't be run: what stands in its first line.

use std::path::{Path, PathBuf};

use super::recognition::is_executable;
use flowreg_model::Environment;

/// What is wrong with a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ScriptFault {
    /// There is nothing in it.
    Empty,
    /// A carriage return is part of the interpreter's name.
    WindowsLineEnds,
    /// The interpreter is not there.
    NoInterpreter(String),
}

impl ScriptFault {
    /// What is wrong with a script; `None` if nothing is, as far as the first line tells.
    pub(super) fn of(script: &[u8], environment: &Environment) -> Option<Self> {
        if script.trim_ascii().is_empty() {
            return Some(Self::Empty);
        }
        let first = script.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let first = String::from_utf8_lossy(first.strip_prefix(b"#!")?).into_owned();
        if first.ends_with('\r') {
            return Some(Self::WindowsLineEnds);
        }
        let mut words = first.split_whitespace();
        let interpreter = words.next()?;
        if !is_executable(Path::new(interpreter)) {
            return Some(Self::NoInterpreter(interpreter.to_owned()));
        }
        // `env` looks on PATH for what follows its options.
        let is_env = Path::new(interpreter).file_name().is_some_and(|name| name == "env");
        let program = words.find(|word| !word.starts_with('-') && !word.contains('='));
        let program = program.filter(|_| is_env)?;
        (!is_found(program, environment)).then(|| Self::NoInterpreter(program.to_owned()))
    }
}

/// Whether a program is where it says, or on PATH.
fn is_found(program: &str, environment: &Environment) -> bool {
    if program.contains('/') {
        return is_executable(Path::new(program));
    }
    let path = environment.os("PATH").map(PathBuf::from).unwrap_or_default();
    std::env::split_paths(&path).any(|place| is_executable(&place.join(program)))
}
