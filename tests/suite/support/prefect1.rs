//! Prefect 1 in tests: the real client where it is installed, a backend that records, and
//! repositories with flows.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::prefect::{Watched, wait_for};
use super::{Flowreg, TestRepository, git_environment, needs};

/// The version that flowreg is tested with.
const VERSION: &str = "1.4.1";

/// The directory with the programs of Prefect 1; `None` where `scripts/test.sh` has found no Python
/// that Prefect 1 runs on: the test is skipped, and the output names it.
pub(crate) fn programs(test: &str) -> Option<PathBuf> {
    needs::uses("prefect1");
    if std::env::var_os("FLOWREG_TEST_PREFECT1").is_some_and(|value| value == "none") {
        // Not by a macro: what those print of a test that passes is not shown.
        let note = format!("SKIPPED {test}: there is no Python for Prefect {VERSION}\n");
        std::io::stderr().write_all(note.as_bytes()).unwrap();
        return None;
    }
    let directory = std::env::var_os("FLOWREG_TEST_PREFECT1").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("target/prefect-{VERSION}/bin")),
        PathBuf::from,
    );
    if !directory.join("prefect").exists() {
        needs::not_installed(&format!("Prefect {VERSION}"), &directory);
    }
    Some(directory)
}

/// A backend that keeps flows as the real one does, and what it was asked.
pub(crate) struct Backend {
    /// `http://127.0.0.1:…`
    pub url: String,
    _process: Watched,
    _directory: tempfile::TempDir,
}

impl Backend {
    /// With the project `data`, and more arguments.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("port");
        let script =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/support/prefect1_server.py");
        let first = [script.to_str().unwrap(), file.to_str().unwrap()];
        let process = Watched::start("python", &[&first, arguments].concat(), &[]);
        let port = wait_for("the backend of Prefect 1", 60, || {
            std::fs::read_to_string(&file).ok()?.parse::<u16>().ok()
        });
        let url = format!("http://127.0.0.1:{port}");
        Self { url, _process: process, _directory: directory }
    }

    /// Everything that was sent, in order.
    pub(crate) fn requests(&self) -> Vec<Value> {
        self.get("/requests")
    }

    /// All versions of all flows.
    pub(crate) fn flows(&self) -> Vec<Value> {
        self.get("/flows")
    }

    /// What was sent to register flows, by the names of the flows.
    pub(crate) fn registrations(&self) -> Vec<Value> {
        let mut sent: Vec<Value> = self.requests();
        sent.retain(|request| request.get("serialized").is_some());
        sent.sort_by_key(|request| request["serialized"]["name"].to_string());
        sent
    }

    /// The flow of this name that is not archived.
    pub(crate) fn live(&self, name: &str) -> Value {
        let mut live = self.flows();
        live.retain(|flow| flow["name"] == name && flow["archived"] == false);
        assert_eq!(live.len(), 1, "{name}: {live:#?}");
        live.remove(0)
    }

    fn get(&self, path: &str) -> Vec<Value> {
        let address = self.url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }
}

/// A flow with one task.
pub(crate) fn flow(name: &str, task: &str) -> String {
    format!(
        "from prefect import Flow, task\n\n\n@task(name=\"{task}\")\ndef step():\n    ...\n\n\n\
         with Flow(\"{name}\") as flow:\n    step()\n"
    )
}

/// A repository for the target `prefect1`, with a bare remote.
pub(crate) struct FlowRepository {
    pub repository: TestRepository,
    pub remote: PathBuf,
    programs: PathBuf,
}

impl FlowRepository {
    /// Not committed yet: `configuration` goes into `flowreg.toml`.
    pub(crate) fn new(programs: &Path, configuration: &str) -> Self {
        let repository = TestRepository::empty();
        let remote = repository.add_bare_remote("origin");
        let place = Self { repository, remote, programs: programs.to_owned() };
        place.configure(configuration);
        place
    }

    /// Writes `flowreg.toml`.
    pub(crate) fn configure(&self, configuration: &str) {
        let text = format!(
            "target = \"prefect1\"\n[repository]\n\
             url = \"https://git.example.com/team/flows.git\"\n[flows]\npython = \"{}\"\n\
             {configuration}\n",
            self.programs.join("python").display()
        );
        self.repository.write("flowreg.toml", text);
    }

    /// Commits everything, tags it and pushes branch and tag.
    pub(crate) fn release(&self, tag: &str) {
        self.repository.commit(tag);
        self.repository.git(&["tag", tag]);
        self.repository.git(&["push", "-q", "origin", "HEAD", tag]);
    }

    /// Commits everything to a new branch and pushes it.
    pub(crate) fn branch(&self, name: &str) {
        self.repository.git(&["switch", "-qc", name]);
        self.repository.commit(name);
        self.repository.git(&["push", "-q", "origin", "HEAD"]);
    }

    /// flowreg in the work tree, with this backend.
    pub(crate) fn flowreg(&self, backend: &Backend) -> Flowreg {
        Flowreg::in_repository(&self.repository).env("PREFECT__CLOUD__API", &backend.url)
    }

    /// Runs a program of Prefect 1 and returns what it prints.
    pub(crate) fn run(
        &self,
        program: &str,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> String {
        let home = self.repository.outside();
        let output = Command::new(self.programs.join(program))
            .args(arguments)
            .current_dir(home)
            .env_clear()
            .envs(git_environment(home))
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {arguments:?}: {text}\n{errors}");
        text
    }
}
