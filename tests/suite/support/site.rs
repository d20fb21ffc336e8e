//! A machine that CI builds run on: work spaces, scripts, services that are stood in for, a bare
//! remote and the real Prefect server.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::pipelines::Values;
use super::prefect::{Server, Turn, unique};
use super::{Tagged, git_environment};

/// A repository with one flow, a server, and a machine that builds run on.
pub(crate) struct Site {
    pub tagged: Tagged,
    pub server: Turn,
    pub flow: String,
    bin: PathBuf,
    count: u32,
}

/// What a script left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub code: i32,
    pub output: String,
}

impl Site {
    pub(crate) fn new() -> Self {
        let server = Server::shared();
        let tagged = Tagged::new();
        let (flow, pool) = (unique("ci"), server.api.pool());
        tagged.repository.write(
            "flowreg.toml",
            format!("[mainline]\nwork_pool = \"{pool}\"\n[feature]\nwork_pool = \"{pool}\"\n"),
        );
        tagged.repository.write("flows/etl.py", source(&flow, 1));
        tagged.repository.git(&["config", "uploadpack.allowReachableSHA1InWant", "true"]);
        tagged
            .repository
            .git_in(&tagged.remote, &["config", "uploadpack.allowReachableSHA1InWant", "true"]);
        tagged.push("feat: a flow");
        let bin = tagged.repository.outside().join("bin");
        std::fs::create_dir(&bin).unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_flowreg"), bin.join("flowreg")).unwrap();
        for service in ["gh", "curl"] {
            // Keeps what it was called with, and the files that it would send.
            let log = bin.join(format!("{service}.log"));
            let script = format!(
                "#!/bin/sh\n{{ echo \"$@\"; for one in \"$@\"; do case $one in body=\\<*) cat \"${{one#body=<}}\";; \
                 @*) cat \"${{one#@}}\";; *.md) cat \"$one\";; esac; done; }} >> {}\ncat > /dev/null\n",
                log.display()
            );
            std::fs::write(bin.join(service), script).unwrap();
            std::fs::set_permissions(bin.join(service), std::fs::Permissions::from_mode(0o755))
                .unwrap();
        }
        Self { tagged, server, flow, bin, count: 0 }
    }

    /// Pushes the branch `feature/x`, on which the flow has another parameter.
    pub(crate) fn push_feature(&self) -> String {
        self.tagged.repository.git(&["switch", "-qc", "feature/x", "main"]);
        self.tagged.repository.write("flows/etl.py", source(&self.flow, 2));
        let commit = self.tagged.push("feat: another default");
        self.tagged.repository.git(&["switch", "-q", "main"]);
        commit
    }

    pub(crate) fn delete_feature(&self) {
        self.tagged.repository.git(&["push", "-q", "--delete", "origin", "feature/x"]);
    }

    pub(crate) fn head(&self, revision: &str) -> String {
        self.tagged.repository.git(&["rev-parse", revision])
    }

    /// A fresh work space whose remote is `origin`.
    pub(crate) fn workspace(&mut self) -> PathBuf {
        self.count += 1;
        let path = self.tagged.repository.outside().join(format!("build{}", self.count));
        std::fs::create_dir(&path).unwrap();
        let url = format!("file://{}", self.tagged.remote.display());
        self.git(&path, &["init", "-q", "-b", "unborn"]);
        self.git(&path, &["remote", "add", "origin", &url]);
        // Nobody but the job says who it is.
        self.git(&path, &["config", "user.useConfigOnly", "true"]);
        path
    }

    pub(crate) fn git(&self, directory: &Path, arguments: &[&str]) {
        self.tagged.repository.git_in(directory, arguments);
    }

    /// Fetches a commit with or without history, and leaves HEAD detached at it.
    pub(crate) fn detached(&mut self, commit: &str, refspec: &str, depth: Option<&str>) -> PathBuf {
        let path = self.workspace();
        let depth = depth.map(|depth| format!("--depth={depth}"));
        let mut fetch = vec!["fetch", "-q", "--no-tags"];
        fetch.extend(depth.as_deref());
        self.git(&path, &[fetch.as_slice(), &["origin", refspec]].concat());
        self.git(&path, &["checkout", "-q", "--detach", commit]);
        path
    }

    /// Runs a script as a provider's runner does.
    pub(crate) fn run(&self, directory: &Path, script: &str, variables: &Values) -> Ran {
        let home = self.tagged.repository.outside();
        let path = format!("{}:{}", self.bin.display(), std::env::var("PATH").unwrap());
        let identity = |name: &str| {
            ["GIT_AUTHOR_", "GIT_COMMITTER_"].iter().any(|start| name.starts_with(start))
        };
        let output = Command::new("bash")
            .args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script])
            .current_dir(directory)
            .env_clear()
            .envs(git_environment(home).into_iter().filter(|(name, _)| !identity(name)))
            .env("PATH", path)
            .env("CI", "true")
            .env("PREFECT_API_URL", &self.server.api_url)
            .envs(variables)
            .output()
            .unwrap();
        let output_text = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        Ran { code: output.status.code().unwrap(), output: output_text }
    }

    /// What a service was sent.
    pub(crate) fn sent(&self, service: &str) -> String {
        std::fs::read_to_string(self.bin.join(format!("{service}.log"))).unwrap_or_default()
    }

    pub(crate) fn deployments(&self) -> Vec<(String, Value)> {
        let filter = json!({"flows": {"name": {"any_": [self.flow]}}, "sort": "NAME_ASC"});
        let found = self.server.api.ask("POST", "/deployments/filter", &filter);
        found
            .as_array()
            .unwrap()
            .iter()
            .map(|one| (one["name"].as_str().unwrap().to_owned(), one["version"].clone()))
            .collect()
    }

    pub(crate) fn assert_registered(&self, expected: &[(&str, &str)]) {
        let expected: Vec<_> =
            expected.iter().map(|(name, version)| ((*name).to_owned(), json!(version))).collect();
        assert_eq!(self.deployments(), expected);
    }

    pub(crate) fn assert_tag(&self, tag: &str, commit: &str, tagger: &str) {
        assert_eq!(self.tagged.tags(), [(tag.to_owned(), commit.to_owned())]);
        let format = "--format=%(objecttype) %(taggername)";
        let made = self
            .tagged
            .repository
            .git_in(&self.tagged.remote, &["for-each-ref", format, "refs/tags"]);
        assert_eq!(made, format!("tag {tagger}"));
    }

    pub(crate) fn assert_comment(&self, service: &str) {
        let sent = self.sent(service);
        assert!(sent.contains("**flowreg plan** for branch feature/x"), "{sent}");
        assert!(
            sent.contains(&format!("| create | `{}/default@feature~x` |", self.flow)),
            "{sent}"
        );
    }
}

pub(crate) fn source(flow: &str, default: u32) -> String {
    format!(
        "from prefect import flow\n\n\n@flow(name=\"{flow}\")\ndef etl(n: int = {default}):\n    return n\n"
    )
}

impl Ran {
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{}", self.output);
        self
    }
}
