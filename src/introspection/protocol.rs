//! The messages between flowreg and Python: one JSON object a line, as `harness/` reads and writes
//! them.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::failure::Failure;

/// One file and what is asked about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Question {
    /// The file, from the root of the repository, or the name of a module.
    pub path: String,
    /// Whether the path is the name of a module, to be imported in the root.
    pub is_module: bool,
    /// Attribute paths of flows that are known to be there.
    pub objects: Vec<String>,
    /// Whether other flows of the file are wanted, too.
    pub discover: bool,
    /// Whether an answer that was given before will do.
    #[serde(skip)]
    pub may_be_kept: bool,
    /// Directories, from the root of the repository, that Python looks in besides the file's own and
    /// the root.
    pub source_roots: Vec<String>,
}

/// What is sent once Prefect is imported.
#[derive(Debug, Serialize)]
pub(super) struct Request<'a> {
    /// The checkout; the working directory while files are loaded.
    pub root: &'a Path,
    /// The root of the checkout, in which [`Request::root`] is.
    pub checkout: &'a Path,
    /// The directory that answers name instead of the checkout: the work tree, or `.`.
    pub shown: &'a Path,
    /// The work trees of the repository, or the same directory in them: what is on Python's path there
    /// counts as it is in the checkout.
    pub work_trees: &'a [PathBuf],
    /// The interpreter as it was started.
    pub python: &'a Path,
    /// `PYTHONPATH` as the user has it.
    pub python_path: Option<&'a str>,
    /// How long one file may take.
    pub seconds: f64,
    /// How large the answer about one file may be.
    pub answer_bytes: u64,
    /// How flows of Prefect 1 are to be prepared, where they are.
    pub prefect1: Option<&'a Value>,
    /// The files; answers name them by their index in this list.
    pub files: &'a [Question],
}

/// One line from Python.
#[derive(Debug, PartialEq)]
pub(super) enum Message {
    /// It has started, and has this version of Prefect; nothing is imported yet.
    Found(Option<String>),
    /// Prefect is imported.
    Ready(String),
    /// Prefect can't be imported, for this reason.
    Broken(String),
    /// The answer about the file with this index in the request.
    Answer(usize, Box<Answer>),
    /// All files are answered.
    Done,
}

/// The answer about one file.
#[derive(Debug, PartialEq)]
pub(super) struct Answer {
    /// What was found out.
    pub outcome: Result<LoadedFile, Failure>,
    /// What that depended on; `None` if it is not to be kept.
    pub depends: Option<Depends>,
    /// The line as it came.
    pub line: String,
}

/// What the answer about a file depended on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Depends {
    /// Files of the checkout that were opened, and the ids of their content by either of git's hashes.
    pub files: Vec<(String, Vec<String>)>,
    /// Files and directories outside of it, and their state; `None` where there was none.
    pub outside: Vec<(String, Option<String>)>,
    /// Variables of the environment that were read; `None` for all of them.
    pub variables: Option<Vec<String>>,
}

/// What Python says about a file that it could load.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LoadedFile {
    /// The flows that were asked for, and those that were found, by attribute path.
    pub flows: Vec<(String, Result<IntrospectedFlow, Failure>)>,
    /// Whether a name, description or schema holds the path of the checkout. It was replaced by that of
    /// the work tree, and is wrong on any other machine.
    pub names_paths: bool,
    /// The flows of Prefect 1, as they would be sent.
    pub built: Vec<BuiltFlow>,
    /// Name and line of flows of Prefect 1 that are made inside functions.
    pub nested: Vec<(String, u32)>,
}

/// A flow as `prefect deploy` would register it.
#[derive(Debug, Clone, PartialEq)]
pub struct IntrospectedFlow {
    /// Its name.
    pub name: String,
    /// Its description, not templated.
    pub description: Option<String>,
    /// What the client would send.
    pub schema: Value,
    /// The line of the first decorator; `None` if the function stands in another file.
    pub line: Option<u32>,
}

/// A flow of Prefect 1 that a file makes.
#[derive(Debug, Clone, PartialEq)]
pub struct BuiltFlow {
    /// The name that it has in the file.
    pub object: String,
    /// Its own name.
    pub flow_name: String,
    /// The name that it is registered by: on a feature branch it may have the branch in it.
    pub name: String,
    /// The line of the statement that binds it.
    pub line: Option<u32>,
    /// What would be sent, or why it would be of no use.
    pub outcome: Result<Serialized, BuildRefusal>,
}

/// A flow of Prefect 1 as the client sends it.
#[derive(Debug, Clone, PartialEq)]
pub struct Serialized {
    /// As JSON.
    pub serialized: Map<String, Value>,
    /// The same, compressed by Prefect.
    pub compressed: String,
    /// The key that the client computes of it.
    pub idempotency_key: String,
    /// Whether it has a schedule.
    pub has_schedule: bool,
    /// Modules of the repository that its file imports, which a run from git does not find.
    pub siblings: Vec<String>,
}

/// Why a flow of Prefect 1 is not registered.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct BuildRefusal {
    /// The word that JSON uses.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// What to type.
    pub hint: Option<String>,
}

impl Message {
    /// Reads one line; `None` if it is not a message of the harness.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let mut line: Line = serde_json::from_slice(text).ok()?;
        Some(match line.message.as_str() {
            "found" => Self::Found(line.prefect),
            "ready" => Self::Ready(line.prefect?),
            "broken" => Self::Broken(line.reason?),
            "answer" => {
                let (file, depends) = (line.file?, line.depends.take());
                let line_text =
                    depends.as_ref().map(|_| String::from_utf8_lossy(text).into_owned());
                let line_text = line_text.unwrap_or_default();
                let outcome = line.answer()?;
                Self::Answer(file, Box::new(Answer { outcome, depends, line: line_text }))
            }
            "done" => Self::Done,
            _ => return None,
        })
    }
}

// No tagged enums here: serde would buffer the object to find the tag, and the buffer loses numbers
// beyond 64 bits, which `serde_json` keeps as they are written (`arbitrary_precision`).

#[derive(Deserialize)]
struct Line {
    message: String,
    prefect: Option<String>,
    reason: Option<String>,
    file: Option<usize>,
    failure: Option<FailureLine>,
    flows: Option<Vec<FlowLine>>,
    depends: Option<Depends>,
    #[serde(default)]
    names_paths: bool,
    #[serde(default)]
    built: Vec<BuiltLine>,
    #[serde(default)]
    nested: Vec<(String, u32)>,
}

#[derive(Deserialize)]
struct BuiltLine {
    object: String,
    flow_name: String,
    name: String,
    line: Option<u32>,
    refused: Option<BuildRefusal>,
    serialized: Option<Map<String, Value>>,
    compressed: Option<String>,
    idempotency_key: Option<String>,
    #[serde(default)]
    has_schedule: bool,
    #[serde(default)]
    siblings: Vec<String>,
}

#[derive(Deserialize)]
struct FlowLine {
    object: String,
    failure: Option<FailureLine>,
    name: Option<String>,
    description: Option<String>,
    schema: Option<Value>,
    line: Option<u32>,
}

#[derive(Deserialize)]
struct FailureLine {
    kind: String,
    module: Option<String>,
    message: Option<String>,
    place: Option<String>,
    code: Option<i64>,
    last: Option<String>,
    signal: Option<i32>,
    bytes: Option<u64>,
}

impl Line {
    fn answer(self) -> Option<Result<LoadedFile, Failure>> {
        if let Some(failure) = self.failure {
            return Some(Err(failure.failure()?));
        }
        let flows = self.flows?.into_iter().map(FlowLine::flow).collect::<Option<_>>()?;
        let built = self.built.into_iter().map(BuiltLine::flow).collect::<Option<_>>()?;
        let (names_paths, nested) = (self.names_paths, self.nested);
        Some(Ok(LoadedFile { flows, names_paths, built, nested }))
    }
}

impl BuiltLine {
    fn flow(self) -> Option<BuiltFlow> {
        let Self { object, flow_name, name, line, .. } = self;
        let outcome = match self.refused {
            Some(refused) => Err(refused),
            None => Ok(Serialized {
                serialized: self.serialized?,
                compressed: self.compressed?,
                idempotency_key: self.idempotency_key?,
                has_schedule: self.has_schedule,
                siblings: self.siblings,
            }),
        };
        Some(BuiltFlow { object, flow_name, name, line, outcome })
    }
}

impl FlowLine {
    fn flow(self) -> Option<(String, Result<IntrospectedFlow, Failure>)> {
        if let Some(failure) = self.failure {
            return Some((self.object, Err(failure.failure()?)));
        }
        let flow = IntrospectedFlow {
            name: self.name?,
            description: self.description,
            schema: self.schema?,
            line: self.line,
        };
        Some((self.object, Ok(flow)))
    }
}

impl FailureLine {
    fn failure(self) -> Option<Failure> {
        let Self { module, message, place, .. } = self;
        Some(match self.kind.as_str() {
            "missing_module" => Failure::MissingModule { module: module?, place },
            "raised" => Failure::Raised { message: message?, place },
            "needs_api" => Failure::NeedsApi { place },
            "exited" => Failure::Exited { code: self.code?, last: self.last },
            "killed" => Failure::Killed { signal: self.signal? },
            "timed_out" => Failure::TimedOut,
            "too_large" => Failure::TooLarge { bytes: self.bytes? },
            "not_found" => Failure::NotFound,
            "not_a_flow" => Failure::NotAFlow,
            "work_tree" => Failure::WorkTree { module: module? },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Message {
        Message::read(line.as_bytes()).unwrap()
    }

    #[test]
    fn every_message_of_the_harness_is_read() {
        let found = r#"{"message": "found", "prefect": null, "python": "3.11.7"}"#;
        assert_eq!(read(found), Message::Found(None));
        let answer = r#"{"flows": [{"object": "C.a", "name": "a", "description": null, "schema": {},
            "line": 4}, {"object": "b", "failure": {"kind": "not_a_flow"}}], "names_paths": false,
            "message": "answer", "file": 3}"#;
        let flow = IntrospectedFlow {
            name: "a".to_owned(),
            description: None,
            schema: serde_json::json!({}),
            line: Some(4),
        };
        let flows = vec![("C.a".to_owned(), Ok(flow)), ("b".to_owned(), Err(Failure::NotAFlow))];
        let loaded = LoadedFile { flows, ..LoadedFile::default() };
        let answered = |file, line: &str| match read(line) {
            Message::Answer(number, answer) if number == file => answer.outcome,
            other => panic!("{other:?}"),
        };
        assert_eq!(answered(3, answer), Ok(loaded));
        let failed = r#"{"failure": {"kind": "exited", "code": 3, "last": null},
            "message": "answer", "file": 0}"#;
        let exited = Failure::Exited { code: 3, last: None };
        assert_eq!(answered(0, failed), Err(exited));
        assert_eq!(read(r#"{"message": "done"}"#), Message::Done);
    }

    #[test]
    fn what_is_no_message_is_none() {
        for line in [
            "",
            "{}",
            "[1]",
            r#"{"message": "hello"}"#,
            r#"{"message": "answer"}"#,
            r#"{"message": "answer", "file": 1}"#,
            r#"{"message": "answer", "file": 1, "failure": {"kind": "exited"}}"#,
            r#"{"message": "answer", "file": 1, "flows": [{"object": "a", "name": "a"}]}"#,
        ] {
            assert_eq!(Message::read(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn numbers_stay_as_python_wrote_them() {
        let line = r#"{"message": "answer", "file": 0, "flows": [{"object": "a", "name": "a",
            "description": null, "line": null,
            "schema": {"x": 123456789012345678901234567890, "y": 1.0}}]}"#;
        let Message::Answer(0, answer) = read(line) else { panic!("no answer") };
        let [(_, Ok(flow))] = &answer.outcome.as_ref().unwrap().flows[..] else {
            panic!("no flow")
        };
        let written = r#"{"x":123456789012345678901234567890,"y":1.0}"#;
        assert_eq!(flow.schema.to_string(), written);
    }
}
