//! Runs build and push steps of a `prefect.yaml` in the user's Python, in a clone at the reference.
//!
//! Only on request (`--run-steps`): registering runs no code of the repository unasked. The steps get
//! a clone and not a plain checkout, because they may ask git for the commit. It is temporary, so
//! the user's work tree is not touched.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::failure::Unavailable;
use super::interpreter;
use super::process::Watch;
use flowreg_git::{GitError, Repository, binds_to_repository};
use flowreg_model::{CodeReference, Environment};

/// How long all steps of one list may take: an image is built in minutes.
const TIME_LIMIT: Duration = Duration::from_mins(60);
const TICK: Duration = Duration::from_millis(100);
const PROGRAM: &str = include_str!("harness/steps.py");

/// The clone that steps are run in.
pub(crate) struct StepsContext<'a> {
    /// The repository.
    pub repository: &'a Repository,
    /// What is checked out.
    pub reference: &'a CodeReference,
    /// The remote's URL, which steps may ask git for.
    pub url: &'a str,
    /// The directory of the manifest, from the repository's root.
    pub directory: &'a str,
    /// The interpreter that the settings name.
    pub python: Option<&'a str>,
    /// The environment of the run.
    pub environment: &'a Environment,
}

/// Why there are no outputs.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StepsError {
    /// There is no Python to run them.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The clone can't be made.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A step failed.
    #[error("{0}")]
    Failed(String),
    /// They took too long.
    #[error("the steps did not end within {} minutes", .0.as_secs() / 60)]
    Late(Duration),
    /// The user pressed Ctrl-C.
    #[error("interrupted")]
    Interrupted,
}

impl From<std::io::Error> for StepsError {
    fn from(error: std::io::Error) -> Self {
        Self::Unavailable(error.into())
    }
}

#[derive(Deserialize)]
struct Answer {
    outputs: Option<Map<String, Value>>,
    error: Option<String>,
}

/// Runs build steps and then push steps, and returns what they put out.
///
/// # Errors
/// [`StepsError`] if they can't be run, one of them fails, or the user pressed Ctrl-C.
pub(crate) fn run_steps(
    context: &StepsContext<'_>,
    build: &[Value],
    push: &[Value],
    watch: &dyn Watch,
) -> Result<Map<String, Value>, StepsError> {
    let base = context.repository.workdir().unwrap_or(Path::new("."));
    // Before the clone, which takes seconds in a large repository: without Python it is not needed.
    let python = interpreter::find(context.python, base, context.environment)?;
    let parent = context.environment.path("TMPDIR").unwrap_or(Path::new("/tmp"));
    let home = tempfile::Builder::new().prefix("flowreg-").tempdir_in(parent)?;
    let clone = home.path().join("clone");
    context.repository.clone_at(context.reference, context.url, &clone)?;
    let (program, answer) = (home.path().join("steps.py"), home.path().join("answer"));
    std::fs::write(&program, PROGRAM)?;
    // In a git hook `GIT_DIR` and its like are set, and git in a step would work on the user's
    // repository instead of the clone. Credentials stay: steps push images.
    let is_of_repository = |name: &std::ffi::OsStr| name.to_str().is_some_and(binds_to_repository);
    let passed_on = context.environment.all().filter(|(name, _)| !is_of_repository(name));
    let mut child = Command::new(&python)
        .arg(&program)
        .current_dir(clone.join(context.directory))
        .env_clear()
        .envs(passed_on)
        .stdin(Stdio::piped())
        // Standard output is for flowreg's result, which may be JSON. What a build prints to standard
        // error is shown.
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| Unavailable::NotStarted { python, reason: error.to_string() })?;
    let request = json!({"build": build, "push": push, "answer": answer});
    if let Some(mut stdin) = child.stdin.take() {
        // An error means that Python has ended already; then the answer is missing below.
        let _ = stdin.write_all(request.to_string().as_bytes());
    }
    wait(&mut child, watch)?;
    // Steps print to standard output as they like, so the answer comes in a file.
    let answer: Option<Answer> =
        std::fs::read(&answer).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    match answer {
        Some(Answer { outputs: Some(outputs), .. }) => Ok(outputs),
        Some(Answer { error: Some(error), .. }) => Err(StepsError::Failed(error)),
        _ => Err(StepsError::Failed("Python ended before the steps did".to_owned())),
    }
}

fn wait(child: &mut Child, watch: &dyn Watch) -> Result<(), StepsError> {
    let started = Instant::now();
    loop {
        if child.try_wait()?.is_some() {
            return Ok(());
        }
        let is_late = started.elapsed() > TIME_LIMIT;
        if is_late || watch.is_interrupted() {
            let _ = child.kill();
            let _ = child.wait();
            return Err(if is_late {
                StepsError::Late(TIME_LIMIT)
            } else {
                StepsError::Interrupted
            });
        }
        std::thread::sleep(TICK);
    }
}
