//! The debug log: what it tells about git processes and the ladder, and what it must never tell.

use std::io::Write;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flowreg_git::{ReferenceRequest, ReferenceRules, resolve};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::repository::TestRepository;

/// The lines of a log.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// What is logged at a level while something runs.
fn logged(level: LevelFilter, run: impl FnOnce()) -> String {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(lines.clone())
        .with_max_level(level)
        .with_ansi(false)
        .without_time()
        .finish();
    tracing::subscriber::with_default(subscriber, run);
    let bytes = lines.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

/// The one line that contains a text.
fn line<'l>(log: &'l str, text: &str) -> &'l str {
    let mut lines = log.lines().filter(|line| line.contains(text));
    let line = lines.next().unwrap_or_else(|| panic!("no `{text}` in:\n{log}"));
    assert!(lines.next().is_none(), "`{text}` more than once in:\n{log}");
    line
}

#[test]
fn a_git_process_is_logged_with_its_exit_code_and_without_the_token_in_its_address() {
    let repository = TestRepository::empty();
    let opened = repository.open_in(repository.root(), &[("SECRET", "t0ken-of-env")]).unwrap();
    // Nothing listens on port 1.
    let address = "https://ada:t0ken@127.0.0.1:1/etl.git";
    let log = logged(LevelFilter::DEBUG, || {
        let refs = opened.remote_refs(address, &["refs/heads/x"], Duration::from_secs(20));
        assert!(refs.is_err());
    });
    let line = line(&log, "git process");
    assert!(line.contains("flowreg_git::process"), "{line}");
    assert!(
        line.contains("git ls-remote --quiet -- https://127.0.0.1:1/etl.git refs/heads/x"),
        "{line}"
    );
    assert!(line.contains("exit_code=128") && line.contains("ms="), "{line}");
    assert!(!log.contains("t0ken") && !log.contains("ada"), "{log}");
}

#[test]
fn a_git_process_that_takes_too_long_is_logged_once() {
    let repository = TestRepository::empty();
    let opened = repository.open();
    // It takes connections and never answers.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://ada:t0ken@{}/etl.git", listener.local_addr().unwrap());
    let log = logged(LevelFilter::DEBUG, || {
        let refs = opened.remote_refs(&address, &["refs/heads/x"], Duration::from_millis(300));
        assert!(refs.is_err());
    });
    let line = line(&log, "git ls-remote");
    assert!(line.contains("no answer within") && line.contains("ms="), "{line}");
    assert!(!log.contains("t0ken") && !log.contains("ada"), "{log}");
}

#[test]
fn each_rung_and_what_it_led_to_is_logged() {
    let repository = TestRepository::empty();
    repository.commit("first");
    repository.git(&["checkout", "-q", "-b", "feature/x"]);
    let environment = repository.environment(&[("GIT_BRANCH", "detached")]);
    let request =
        ReferenceRequest::from(ReferenceRules { ask_remote: false, ..Default::default() });
    let log = logged(LevelFilter::DEBUG, || {
        let opened = repository.open();
        assert!(resolve(&opened, &environment, &request).reference.is_ok());
        opened.tree(&repository.commit_id("HEAD")).unwrap();
    });
    line(&log, "repository opened");
    line(&log, "tree opened");
    let skipped = line(&log, "rung=\"GIT_BRANCH\"");
    assert!(skipped.contains("value=\"detached\"") && skipped.contains("outcome=Skipped"));
    assert!(skipped.contains("reason=\"a detached HEAD is no branch\""), "{skipped}");
    let taken = line(&log, "rung=\"active branch\"");
    assert!(taken.contains("value=\"feature/x\"") && taken.contains("outcome=Taken"), "{taken}");
    let reference = line(&log, "code reference");
    assert!(reference.contains("refs/heads/feature/x"), "{reference}");
}

#[test]
fn a_reference_that_can_not_be_had_is_logged_with_the_error() {
    let repository = TestRepository::empty();
    repository.commit("first");
    let environment = repository.environment(&[("BUILD_TAG", "v\n9")]);
    let request =
        ReferenceRequest::from(ReferenceRules { ask_remote: false, ..Default::default() });
    let opened = repository.open();
    let log = logged(LevelFilter::DEBUG, || {
        assert!(resolve(&opened, &environment, &request).reference.is_err());
    });
    let rung = line(&log, "rung=\"BUILD_TAG\"");
    assert!(rung.contains("outcome=Refused") && rung.contains(r"v\\n9"), "{rung}");
    line(&log, "no code reference");
}

#[test]
fn above_debug_nothing_is_logged() {
    let repository = TestRepository::empty();
    repository.commit("first");
    let log = logged(LevelFilter::INFO, || {
        let opened = repository.open();
        let _ = resolve(&opened, &repository.environment(&[]), &ReferenceRequest::default());
    });
    assert_eq!(log, "");
}
