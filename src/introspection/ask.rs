//! One conversation with the user's Python: finds the interpreter, checks the commit out, sends the
//! questions and collects the answers. What is asked, and what the answers mean, is `merge`'s.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::failure::{Failure, Generation, Unavailable};
use super::interpreter;
use super::process::{PYTHONPATH, PythonProcess, Reply, Watch};
use super::protocol::{Answer, Depends, LoadedFile, Message, Question, Request};
use flowreg_git::Repository;
use flowreg_model::{CommitId, Environment};

/// Limits of time and size for one conversation with Python.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Until Prefect is imported.
    pub start: Duration,
    /// For one file. Data libraries take seconds to import, on a cold disk some ten; a module that
    /// waits for a server never ends.
    pub file: Duration,
    /// For all files together, because a hook or a CI step has to end.
    pub run: Duration,
    /// The size of the answer about one file. A schema has some kilobytes.
    pub answer_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            start: Duration::from_mins(1),
            file: Duration::from_mins(1),
            run: Duration::from_mins(10),
            answer_bytes: 4 << 20,
        }
    }
}

/// Which Python is asked, about which files of which commit.
pub struct IntrospectionContext<'a> {
    /// The repository.
    pub repository: &'a Repository,
    /// The commit whose files are loaded.
    pub commit: &'a CommitId,
    /// The directory in it that the paths of files count from, and Python's working directory; empty
    /// for the root.
    pub root: &'a str,
    /// The interpreter that the settings name.
    pub python: Option<&'a str>,
    /// The working directory, for a repository without a work tree.
    pub directory: &'a Path,
    /// The environment of the run.
    pub environment: &'a Environment,
    /// How long it may take, and how large answers may be.
    pub limits: Limits,
}

/// What Python answered.
#[derive(Debug)]
pub struct Answers {
    /// The interpreter, as a person would type it.
    pub python: String,
    /// The version of its Prefect.
    pub prefect: String,
    /// One for each question.
    pub files: Vec<Result<LoadedFile, Failure>>,
}

/// Why there are no answers.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nothing can be asked.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The user pressed Ctrl-C.
    #[error("interrupted")]
    Interrupted,
}

impl From<std::io::Error> for AskError {
    fn from(error: std::io::Error) -> Self {
        Self::Unavailable(error.into())
    }
}

/// Asks all questions in one process, because importing Prefect takes a second or more.
///
/// # Errors
/// [`AskError`] if nothing can be asked at all; what goes wrong with one file is in its answer.
pub fn ask(
    context: &IntrospectionContext<'_>,
    questions: &[Question],
    watch: &dyn Watch,
) -> Result<Answers, AskError> {
    logged(ask_python(context, None, questions, watch)).map(|(answers, _)| answers)
}

/// Tells the log why there are no answers.
pub(super) fn logged<T>(answers: Result<T, AskError>) -> Result<T, AskError> {
    answers.inspect_err(|error| tracing::debug!(%error, "Python gives no answers"))
}

/// Has flows of Prefect 1 built and serialized, in one process; `options` say how, in the form that
/// `harness/flowreg_prefect1.py` reads.
///
/// # Errors
/// [`AskError`] as of [`ask`].
pub(crate) fn build(
    context: &IntrospectionContext<'_>,
    options: &Value,
    paths: &[String],
    watch: &dyn Watch,
) -> Result<Answers, AskError> {
    let question = |path: &String| Question {
        path: path.clone(),
        is_module: false,
        objects: Vec::new(),
        discover: true,
        source_roots: Vec::new(),
        may_be_kept: false,
    };
    let questions: Vec<Question> = paths.iter().map(question).collect();
    logged(ask_python(context, Some(options), &questions, watch)).map(|(answers, _)| answers)
}

impl IntrospectionContext<'_> {
    /// The directory that paths of interpreters count from.
    fn base(&self) -> &Path {
        self.repository.workdir().unwrap_or(self.directory)
    }

    /// An interpreter as a person would type it.
    pub(super) fn shown(&self, python: &Path) -> String {
        python.strip_prefix(self.base()).unwrap_or(python).display().to_string()
    }
}

/// Finds the interpreter.
///
/// # Errors
/// [`Unavailable`] if there is none.
pub(super) fn find_python(context: &IntrospectionContext<'_>) -> Result<PathBuf, Unavailable> {
    interpreter::find(context.python, context.base(), context.environment)
}

/// For each answer what it depended on, and its text; `None` if it is not to be kept.
pub(super) type Kept = Vec<Option<(Depends, String)>>;

/// Asks the questions in a process of its own.
///
/// # Errors
/// [`AskError`] if nothing can be asked at all.
pub(super) fn ask_python(
    context: &IntrospectionContext<'_>,
    prefect1: Option<&Value>,
    questions: &[Question],
    watch: &dyn Watch,
) -> Result<(Answers, Kept), AskError> {
    let python = find_python(context)?;
    tracing::debug!(python = %python.display(), files = questions.len(), "asking Python");
    let home = TemporaryHome::make(context.environment)?;
    let generation = if prefect1.is_some() { Generation::One } else { Generation::Later };
    let started = Instant::now();
    let mut process = PythonProcess::start(&python, &home.path, context.environment, generation)?;
    let startup =
        Startup { process: &process, python: &python, context, generation, started, watch };
    // Python says whether it has Prefect before it imports it: without Prefect the checkout, which
    // can take seconds, is not made. With it, the import and the checkout go on side by side.
    startup.wait_for_prefect()?;
    let root = home.path.join("checkout");
    std::fs::create_dir(&root)?;
    let checkout = context.repository.check_out(context.commit, &root, &home.path.join("index"));
    // Looked at before the outcome of the checkout: Ctrl-C reaches its git process too, and then the
    // error of that is not the reason.
    if watch.is_interrupted() {
        return Err(AskError::Interrupted);
    }
    checkout.map_err(Unavailable::Checkout)?;
    let prefect = startup.until_imported()?;
    // `join("")` would append a slash, and answers would not begin with the same path any more.
    let within = |directory: &Path| match context.root {
        "" => directory.to_owned(),
        root => directory.join(root),
    };
    let work_tree = context.repository.workdir().map(within);
    let work_trees: Vec<PathBuf> =
        context.repository.work_trees().iter().map(|tree| within(tree)).collect();
    process.send(&Request {
        root: &within(&root),
        checkout: &root,
        shown: work_tree.as_deref().unwrap_or(Path::new(".")),
        work_trees: &work_trees,
        python: &python,
        python_path: context.environment.raw(PYTHONPATH).filter(|path| !path.is_empty()),
        seconds: context.limits.file.as_secs_f64(),
        answer_bytes: context.limits.answer_bytes,
        prefect1,
        files: questions,
    });
    // What is not answered when Python ends, or when the time for all files is up, stays so.
    let mut files = vec![Err(Failure::Unanswered); questions.len()];
    let mut kept: Kept = questions.iter().map(|_| None).collect();
    let until = Instant::now() + context.limits.run;
    let mut done = 0;
    while done < files.len() {
        match process.next_reply(until, done, watch) {
            Reply::Message(Message::Answer(number, answer)) => {
                // Files are loaded side by side, so answers come in any order.
                let Answer { outcome, depends, line } = *answer;
                if let (Some(file), Some(kept)) = (files.get_mut(number), kept.get_mut(number)) {
                    *file = outcome;
                    *kept = depends.map(|depends| (depends, line));
                }
                done += 1;
            }
            Reply::Message(Message::Done) | Reply::End | Reply::Late => break,
            // Nothing else is expected here. A message that is out of place is no reason to give up
            // the answers that still come.
            Reply::Message(_) => {}
            Reply::Interrupted => return Err(AskError::Interrupted),
        }
    }
    watch.progress(done);
    tracing::debug!(
        python = %python.display(),
        prefect,
        files = files.len(),
        answered = done,
        ms = started.elapsed().as_millis(),
        "asked Python"
    );
    // Python ends before its directory is removed, which it could still write into.
    drop(process);
    drop(home);
    Ok((Answers { python: context.shown(&python), prefect, files }, kept))
}

/// The messages before the first question: Python reports which Prefect it has, and then that it has
/// imported it.
struct Startup<'a> {
    process: &'a PythonProcess,
    python: &'a Path,
    context: &'a IntrospectionContext<'a>,
    generation: Generation,
    started: Instant,
    watch: &'a dyn Watch,
}

impl Startup<'_> {
    fn message(&self) -> Result<Message, AskError> {
        let python = self.python.to_owned();
        match self.process.next_reply(self.started + self.context.limits.start, 0, self.watch) {
            Reply::Message(message) => Ok(message),
            Reply::Interrupted => Err(AskError::Interrupted),
            Reply::Late => {
                let seconds = self.context.limits.start.as_secs();
                Err(Unavailable::Slow { python, seconds }.into())
            }
            Reply::End => Err(Unavailable::Ended { python, last: self.process.last_line() }.into()),
        }
    }

    /// Waits until Python has reported which Prefect it has.
    ///
    /// # Errors
    /// [`AskError`] if it has none, or one of another generation.
    fn wait_for_prefect(&self) -> Result<(), AskError> {
        match self.message()? {
            Message::Found(None) => {
                let (python, generation) = (self.python.to_owned(), self.generation);
                Err(Unavailable::NoPrefect { python, generation }.into())
            }
            Message::Found(Some(version)) => self.of_generation(version).map(drop),
            _ => Ok(()),
        }
    }

    /// Returns the version, or an error if it is one of another generation.
    fn of_generation(&self, version: String) -> Result<String, AskError> {
        let is_one = version.starts_with("0.") || version.starts_with("1.");
        let python = self.python.to_owned();
        match self.generation {
            Generation::Later if is_one => Err(Unavailable::OldPrefect { python, version }.into()),
            Generation::One if !is_one && version != "unknown" => {
                Err(Unavailable::NewPrefect { python, version }.into())
            }
            _ => Ok(version),
        }
    }

    fn until_imported(&self) -> Result<String, AskError> {
        loop {
            match self.message()? {
                Message::Ready(version) => return self.of_generation(version),
                Message::Broken(reason) => {
                    let (python, generation) = (self.python.to_owned(), self.generation);
                    return Err(Unavailable::BrokenPrefect { python, generation, reason }.into());
                }
                _ => {}
            }
        }
    }
}

/// The temporary directory of a conversation, removed with its content when dropped.
struct TemporaryHome {
    path: PathBuf,
    directory: Option<tempfile::TempDir>,
}

impl TemporaryHome {
    fn make(environment: &Environment) -> std::io::Result<Self> {
        let parent = environment.path("TMPDIR").unwrap_or(Path::new("/tmp"));
        let directory = tempfile::Builder::new().prefix("flowreg-").tempdir_in(parent)?;
        // Resolved now (`/tmp` is a link on macOS): Python resolves links in the paths of files, and
        // the answers would name paths that don't begin with the directory we know.
        let path = directory.path().canonicalize()?;
        Ok(Self { path, directory: Some(directory) })
    }
}

impl Drop for TemporaryHome {
    fn drop(&mut self) {
        if let Some(directory) = self.directory.take()
            && directory.close().is_err()
        {
            // A file of the user may have made a directory without write permission in it.
            make_writable(&self.path);
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

fn make_writable(directory: &Path) {
    use std::os::unix::fs::PermissionsExt;

    let _ = std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o700));
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        make_writable(&entry.path());
    }
}
