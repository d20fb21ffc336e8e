//! Answers that Python gave before, as long as all that they depended on is as it was: the files of
//! the commit that were read, the names of all others, what was opened outside of it, the variables of
//! the environment that were read, and the installed packages. `harness/flowreg_depends.py` looks on.
//!
//! Of the time of day nothing tells that it was asked for by code of a package, so an answer is kept
//! for a day at most.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::ask::{Answers, AskError, IntrospectionContext, ask_python, find_python, logged};
use super::failure::Failure;
use super::process::{HARNESS, Watch};
use super::protocol::{Depends, LoadedFile, Message, Question};
use crate::store::AnalysisCache;
use flowreg_git::{GitError, Tree};
use flowreg_model::Environment;

/// The mode of a symbolic link in a tree.
const LINK: u16 = 0o120_000;

/// How long an answer is kept, in seconds.
const KEPT_SECONDS: u64 = 24 * 60 * 60;

/// So many bytes of answers are kept.
const LARGEST_STORE: usize = 8 << 20;

/// Variables that decide how Python and Prefect start, before it is noted which are read.
const STARTING: &[&str] = &["HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "VIRTUAL_ENV"];
const STARTING_PREFIXES: &[&str] = &["PREFECT_", "PYTHON"];

#[derive(Debug, Serialize, Deserialize)]
struct KeptAnswer {
    /// Who was asked what.
    key: String,
    /// The version of Prefect that answered.
    prefect: String,
    /// As Python wrote it.
    line: String,
    /// The names of all files of the commit.
    names: String,
    /// The files that were read, and their ids.
    files: Vec<(String, String)>,
    /// As [`Depends::outside`].
    outside: Vec<(String, Option<String>)>,
    /// As [`Depends::variables`].
    variables: Option<Vec<String>>,
    /// The values of these variables.
    values: String,
    /// When it was given: seconds since 1970.
    at: u64,
}

/// The files of the commit, looked up once and only if an answer may hold.
struct Commit<'t> {
    tree: &'t Tree,
    files: OnceCell<Option<CommitFiles>>,
}

struct CommitFiles {
    names: String,
    ids: HashMap<Vec<u8>, String>,
}

/// Answers the questions from what was kept, and asks Python the others.
///
/// # Errors
/// As of [`ask`](super::ask::ask).
pub fn ask_what_is_new(
    context: &IntrospectionContext<'_>,
    tree: &Tree,
    questions: &[Question],
    watch: &dyn Watch,
) -> Result<Answers, AskError> {
    let python = find_python(context)?;
    let store = AnalysisCache::of_answers(context.repository.common_dir(), crate::scan::ANALYSER);
    let kept: Vec<KeptAnswer> = serde_json::from_slice(store.content()).unwrap_or_default();
    let commit = Commit { tree, files: OnceCell::new() };
    let general = digest_of_run(context, &python);
    let keys: Vec<Option<String>> = questions
        .iter()
        .map(|question| question.may_be_kept.then(|| digest_of_question(&general, question)))
        .collect();
    let now = seconds_now();
    let holds = |answer: &&KeptAnswer| {
        now.checked_sub(answer.at).is_some_and(|age| age < KEPT_SECONDS)
            && answer.values == digest_of_values(context.environment, answer.variables.as_deref())
            && answer.outside.iter().all(|(path, known)| is_as_it_was(path, known.as_deref()))
            && commit.holds(answer)
    };
    let found: Vec<Option<&KeptAnswer>> = keys
        .iter()
        .map(|key| {
            let key = key.as_ref()?;
            kept.iter().filter(|answer| answer.key == *key).find(holds)
        })
        .collect();
    let mut files: Vec<Option<Result<LoadedFile, Failure>>> =
        found.iter().map(|answer| answer.and_then(|answer| outcome(&answer.line))).collect();
    let open: Vec<usize> =
        (0..).zip(&files).filter(|(_, file)| file.is_none()).map(|(at, _)| at).collect();
    tracing::debug!(kept = questions.len() - open.len(), asked = open.len(), "answers of Python");
    if open.is_empty()
        && let Some(Some(first)) = found.first()
    {
        let files = files.into_iter().flatten().collect();
        return Ok(Answers {
            python: context.shown(&python),
            prefect: first.prefect.clone(),
            files,
        });
    }
    let asked: Vec<Question> = open.iter().filter_map(|at| questions.get(*at)).cloned().collect();
    let (answers, depends) = logged(ask_python(context, None, &asked, watch))?;
    let mut fresh = Vec::new();
    for ((at, answer), depends) in open.into_iter().zip(answers.files).zip(depends) {
        if let (Some(Some(key)), Some((depends, line))) = (keys.get(at), depends)
            && is_lasting(&answer)
            && let Some(kept) = commit.kept(key, depends, context.environment)
        {
            fresh.push(KeptAnswer { prefect: answers.prefect.clone(), line, at: now, ..kept });
        }
        if let Some(file) = files.get_mut(at) {
            *file = Some(answer);
        }
    }
    if !fresh.is_empty() {
        let still = kept.into_iter().filter(|answer| now.saturating_sub(answer.at) < KEPT_SECONDS);
        save(&store, fresh.into_iter().chain(still));
    }
    let files = files.into_iter().map(|file| file.unwrap_or(Err(Failure::Unanswered))).collect();
    Ok(Answers { files, ..answers })
}

/// Whether the same would come out again. Why a file fails can lie in anything, such as a library of the
/// system; only that a module is missing shows where it would be.
fn is_lasting(answer: &Result<LoadedFile, Failure>) -> bool {
    matches!(answer, Ok(_) | Err(Failure::MissingModule { .. }))
}

/// Writes the answers, the newest first. One that can't be written costs only time.
fn save(store: &AnalysisCache, answers: impl Iterator<Item = KeptAnswer>) {
    let mut seen = HashSet::new();
    let mut size = 0;
    let is_kept = |answer: &KeptAnswer| {
        let of_files: usize = answer.files.iter().map(|(path, id)| path.len() + id.len() + 8).sum();
        let of_paths: usize = answer.outside.iter().map(|(path, _)| path.len() + 48).sum();
        size += answer.line.len() + of_files + of_paths + 512;
        let KeptAnswer { key, names, files, values, .. } = answer;
        let same = [key.clone(), names.clone(), values.clone(), format!("{files:?}")];
        size < LARGEST_STORE && seen.insert(same)
    };
    let answers: Vec<KeptAnswer> = answers.filter(is_kept).collect();
    let saved =
        serde_json::to_vec(&answers).map_err(Into::into).and_then(|bytes| store.save(&bytes));
    if let Err(error) = saved {
        tracing::debug!(%error, "the answers of Python are not kept");
    }
}

fn outcome(line: &str) -> Option<Result<LoadedFile, Failure>> {
    match Message::read(line.as_bytes())? {
        Message::Answer(_, answer) => Some(answer.outcome),
        _ => None,
    }
}

impl Commit<'_> {
    fn files(&self) -> Option<&CommitFiles> {
        let read =
            || self.read().inspect_err(|error| tracing::debug!(%error, "files of the commit"));
        self.files.get_or_init(|| read().ok()).as_ref()
    }

    fn read(&self) -> Result<CommitFiles, GitError> {
        let mut names = Sha256::new();
        let mut ids = HashMap::new();
        self.tree.entries(|path, mode, id| {
            names.update(path);
            names.update([0]);
            names.update(mode.to_le_bytes());
            // Where a link leads decides what other files are.
            if mode == LINK {
                names.update(id);
            } else {
                ids.insert(path.to_vec(), hex(id));
            }
        })?;
        Ok(CommitFiles { names: hex(&names.finalize()), ids })
    }

    fn holds(&self, answer: &KeptAnswer) -> bool {
        self.files().is_some_and(|files| {
            let is_same =
                |(path, id): &(String, String)| files.ids.get(path.as_bytes()) == Some(id);
            files.names == answer.names && answer.files.iter().all(is_same)
        })
    }

    /// What is kept of an answer; `None` if it read a file that is not the commit's.
    fn kept(&self, key: &str, depends: Depends, environment: &Environment) -> Option<KeptAnswer> {
        let commit = self.files()?;
        // Content that is not the commit's came through a filter, which may be another one tomorrow.
        let with_id = |(path, read): (String, Vec<String>)| {
            let id = commit.ids.get(path.as_bytes()).filter(|id| read.contains(id))?.clone();
            Some((path, id))
        };
        let files = depends.files.into_iter().map(with_id).collect::<Option<_>>()?;
        Some(KeptAnswer {
            key: key.to_owned(),
            prefect: String::new(),
            line: String::new(),
            names: commit.names.clone(),
            files,
            outside: depends.outside,
            values: digest_of_values(environment, depends.variables.as_deref()),
            variables: depends.variables,
            at: 0,
        })
    }
}

/// Which Python, started how, and what it runs.
fn digest_of_run(context: &IntrospectionContext<'_>, python: &Path) -> Sha256 {
    let mut digest = Sha256::new();
    let mut add = |bytes: &[u8]| {
        digest.update(bytes.len().to_le_bytes());
        digest.update(bytes);
    };
    for (_, text) in HARNESS {
        add(text.as_bytes());
    }
    add(python.as_os_str().as_encoded_bytes());
    let work_tree = context.repository.workdir().unwrap_or(Path::new("."));
    add(work_tree.as_os_str().as_encoded_bytes());
    add(context.root.as_bytes());
    add(&context.limits.answer_bytes.to_le_bytes());
    let mut variables: Vec<(&[u8], &[u8])> = context
        .environment
        .all()
        .map(|(name, value)| (name.as_encoded_bytes(), value.as_encoded_bytes()))
        .filter(|(name, _)| {
            STARTING.iter().any(|one| one.as_bytes() == *name)
                || STARTING_PREFIXES.iter().any(|prefix| name.starts_with(prefix.as_bytes()))
        })
        .collect();
    variables.sort_unstable();
    for (name, value) in variables {
        add(name);
        add(value);
    }
    digest
}

fn digest_of_question(general: &Sha256, question: &Question) -> String {
    let mut digest = general.clone();
    digest.update(serde_json::to_vec(question).unwrap_or_default());
    hex(&digest.finalize())
}

/// A digest, as values may be secret; `None`: of all variables.
fn digest_of_values(environment: &Environment, names: Option<&[String]>) -> String {
    let mut digest = Sha256::new();
    let mut variables: Vec<(&[u8], Option<&[u8]>)> = match names {
        Some(names) => names
            .iter()
            .map(|name| (name.as_bytes(), environment.os(name).map(OsStr::as_encoded_bytes)))
            .collect(),
        None => environment
            .all()
            .map(|(name, value)| (name.as_encoded_bytes(), Some(value.as_encoded_bytes())))
            .collect(),
    };
    variables.sort_unstable();
    for (name, value) in variables {
        for part in [Some(name), value] {
            digest.update(part.map_or(u64::MAX, |part| part.len() as u64).to_le_bytes());
            digest.update(part.unwrap_or_default());
        }
    }
    hex(&digest.finalize())
}

/// Whether something outside of the commit is as the harness has seen it.
fn is_as_it_was(path: &str, known: Option<&str>) -> bool {
    match known {
        Some("directory") => Path::new(path).is_dir(),
        known => state(path).as_deref() == known,
    }
}

/// As `state` of the harness.
fn state(path: &str) -> Option<String> {
    let status = std::fs::metadata(path).ok()?;
    let nanoseconds =
        |seconds: i64, more: i64| i128::from(seconds) * 1_000_000_000 + i128::from(more);
    let modified = nanoseconds(status.mtime(), status.mtime_nsec());
    let changed = nanoseconds(status.ctime(), status.ctime_nsec());
    Some(format!("{modified} {changed} {} {} {}", status.size(), status.ino(), status.mode()))
}

fn seconds_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;

    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
