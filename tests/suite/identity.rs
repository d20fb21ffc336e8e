//! One repository under several URLs: who owns a registration, what `prune` and a deletion by push
//! remove, which pushes are registered, and names that only this machine knows. With a real Prefect
//! server and the real ssh.

use serde_json::{Value, json};

use crate::support::prefect::{Server, Turn, unique, wait_for};
use crate::support::{Flowreg, TestRepository, git_environment};

/// A repository with one flow and a bare remote, and a server.
struct Project {
    repository: TestRepository,
    server: Turn,
    flow: String,
    pool: String,
    remote: String,
}

impl Project {
    fn new() -> Self {
        let server = Server::shared();
        let pool = server.api.pool();
        let repository = TestRepository::empty();
        let remote = repository.add_bare_remote("origin").to_str().unwrap().to_owned();
        let project = Self { repository, server, flow: unique("identity"), pool, remote };
        project.configure("");
        project.write_flow(1);
        project
    }

    /// Writes a `flowreg.toml` with these lines under `[repository]`.
    fn configure(&self, repository: &str) {
        let pool = &self.pool;
        self.repository.write(
            "flowreg.toml",
            format!(
                "[repository]\n{repository}\n[mainline]\nwork_pool = \"{pool}\"\n\
                 [feature]\nwork_pool = \"{pool}\"\n"
            ),
        );
        self.repository.commit("configure");
    }

    fn write_flow(&self, default: u32) {
        let flow = &self.flow;
        let text = format!(
            "from prefect import flow\n\n\n@flow(name=\"{flow}\")\ndef etl(n: int = {default}):\n    ...\n"
        );
        self.repository.write("flows/etl.py", text);
        self.repository.commit("change the flow");
    }

    fn at(&self, url: &str) {
        self.repository.git(&["remote", "set-url", "origin", url]);
    }

    fn flowreg(&self) -> Flowreg {
        Flowreg::in_repository(&self.repository).env("PREFECT_API_URL", &self.server.api_url)
    }

    /// The deployments that the server has, with their repository.
    fn held(&self) -> Vec<(String, String)> {
        let filter = json!({"flows": {"name": {"any_": [self.flow]}}, "sort": "NAME_ASC"});
        let found = self.server.api.ask("POST", "/deployments/filter", &filter);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        found
            .as_array()
            .unwrap()
            .iter()
            .map(|one| (text(&one["name"]), text(&one["labels"]["flowreg.repository"])))
            .collect()
    }
}

#[test]
fn a_registration_is_ours_under_every_spelling_and_not_written_again_for_it() {
    let project = Project::new();
    project.repository.git(&["tag", "v1.0.0"]);
    project.at("git@github.com:Acme/Flows.git");
    project.flowreg().json(&["register", "--offline"], 0);
    let held = [("default".to_owned(), "git@github.com:Acme/Flows.git".to_owned())];
    assert_eq!(project.held(), held);
    for url in [
        "https://github.com/acme/flows",
        "https://ada:t0ken@GITHUB.com/acme/flows.git/",
        "ssh://git@ssh.github.com:443/acme/flows.git",
    ] {
        project.at(url);
        let run = project.flowreg().json(&["plan", "--offline"], 0);
        let one = &run["registrations"][0];
        assert_ne!(one["error"]["code"], "other_repository", "{url}: {run}");
        // The URL that workers clone is another text, and nothing else differs.
        let fields: Vec<_> = one["changes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|change| change["field"].as_str().unwrap())
            .collect();
        assert_eq!(fields, ["pull_steps"], "{url}: {run}");
    }
    project.at("https://git.example.com/acme/flows.git");
    let refused = project.flowreg().json(&["register", "--offline"], 1);
    let error = &refused["registrations"][0]["error"];
    assert_eq!(error["code"], "other_repository", "{refused}");
    let hint = "[repository] aliases = [\"git@github.com:Acme/Flows.git\"]";
    assert!(error["hints"].to_string().contains(&hint.replace('"', "\\\"")), "{refused}");
    project.configure("aliases = [\"git@github.com:Acme/Flows.git\"]");
    project.repository.git(&["tag", "v1.1.0"]);
    project.flowreg().json(&["register", "--offline"], 0);
    let moved = ("default".to_owned(), "https://git.example.com/acme/flows.git".to_owned());
    assert_eq!(project.held(), [moved]);
}

#[test]
fn what_is_as_on_mainline_is_left_to_it_whatever_its_spelling() {
    let project = Project::new();
    project.repository.git(&["tag", "v1.0.0"]);
    project.at("https://github.com/acme/flows");
    project.flowreg().json(&["register", "--offline"], 0);
    project.repository.git(&["switch", "-qc", "feat/x"]);
    for (url, registered) in
        [("git@github.com:acme/flows.git", 0), ("git@github.com:acme/other.git", 1)]
    {
        project.at(url);
        let run = project.flowreg().json(&["plan", "--offline"], 0);
        assert_eq!(run["registrations"].as_array().unwrap().len(), registered, "{url}: {run}");
    }
}

#[test]
fn prune_removes_what_was_registered_under_another_spelling() {
    let project = Project::new();
    project.configure("aliases = [\"https://github.com/acme/flows.git\"]");
    project.repository.git(&["push", "-q", "origin", "main"]);
    for (branch, url) in [
        ("feat/ours", "git@github.com:Acme/flows.git"),
        ("feat/theirs", "git@github.com:acme/others.git"),
        ("feat/here", &format!("file://{}", project.remote)),
    ] {
        project.repository.git(&["switch", "-qc", branch, "main"]);
        project.write_flow(2);
        project.at(url);
        project.flowreg().json(&["register", "--all", "--offline"], 0);
    }
    project.repository.git(&["switch", "-q", "main"]);
    project.at(&project.remote);
    let run = project.flowreg().json(&["prune"], 0);
    assert_eq!(run["registrations"].as_array().unwrap().len(), 2, "{run}");
    let left: Vec<String> = project.held().into_iter().map(|(name, _)| name).collect();
    assert_eq!(left, ["default@feat~theirs"]);
}

#[test]
fn a_push_to_another_spelling_is_registered_and_a_deletion_removes() {
    let project = Project::new();
    let repository = &project.repository;
    repository.git(&["push", "-q", "origin", "main"]);
    project.flowreg().json(&["hooks", "install"], 0);
    let push = |arguments: &[&str]| {
        let mut command = std::process::Command::new("git");
        command.arg("push").args(arguments).current_dir(repository.root()).env_clear();
        let environment = git_environment(repository.outside());
        command.envs(environment).env("PREFECT_API_URL", &project.server.api_url);
        let pushed = command.env("FLOWREG_RECHECKS", "0.1,0.4,1,2,4,8,16,32").output().unwrap();
        assert!(pushed.status.success(), "{pushed:?}");
        wait_for("the push is dealt with", 150, || {
            let status = project.flowreg().json(&["sync", "--status"], 0);
            (status["watched"] == false).then_some(status)
        })
    };
    let names = || project.held().into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    let by_file = format!("file://{}", project.remote);
    // By a URL, and by a second remote of the same repository.
    repository.git(&["remote", "add", "again", project.remote.trim_end_matches(".git")]);
    for (branch, to) in [("feat/url", by_file.as_str()), ("feat/remote", "again")] {
        repository.git(&["switch", "-qc", branch, "main"]);
        project.write_flow(2);
        push(&["-q", to, branch]);
    }
    assert_eq!(names(), ["default@feat~remote", "default@feat~url"]);
    // Another repository is another one.
    let other = repository.outside().join("other.git");
    repository.git(&["init", "-q", "--bare", other.to_str().unwrap()]);
    repository.git(&["switch", "-qc", "feat/other", "main"]);
    project.write_flow(3);
    push(&["-q", other.to_str().unwrap(), "feat/other"]);
    assert_eq!(names(), ["default@feat~remote", "default@feat~url"]);
    push(&["-q", "--delete", &by_file, "feat/url"]);
    project.flowreg().json(&["sync"], 0);
    assert_eq!(names(), ["default@feat~remote"]);
}

/// Has git use the real ssh with this configuration.
fn configure_ssh(repository: &TestRepository, text: &str) {
    let path = repository.outside().join("ssh_config");
    std::fs::write(&path, text).unwrap();
    let command = format!("ssh -F '{}'", path.display());
    repository.git(&["config", "core.sshCommand", &command]);
}

const SSH: &str = "Host github-work\n HostName github.com\n User git\n\
                   Host git.example.com\n HostName 10.0.0.5\n";

#[test]
fn an_alias_of_ssh_is_not_registered_as_the_url_that_workers_clone() {
    let project = Project::new();
    configure_ssh(&project.repository, SSH);
    project.repository.git(&["tag", "v1.0.0"]);
    project.at("git@github-work:acme/flows.git");
    for command in ["plan", "register"] {
        let run = project.flowreg().json(&[command, "--offline"], 3);
        let error = &run["error"];
        assert_eq!(error["code"], "configuration", "{run}");
        assert!(error["message"].as_str().unwrap().contains("`github-work`"), "{run}");
        let hint = "in flowreg.toml: [repository] url = \"ssh://git@github.com/acme/flows.git\"";
        assert_eq!(error["hints"], json!([hint]), "{run}");
    }
    assert_eq!(project.held(), []);
    // The embedded registry has no workers.
    let run = project.flowreg().json(&["register", "--target", "local"], 0);
    assert!(run["notices"].to_string().contains("`github-work` is an alias"), "{run}");
    project.configure("url = \"https://github.com/acme/flows.git\"");
    project.repository.git(&["tag", "v1.0.1"]);
    project.flowreg().json(&["register", "--offline"], 0);
    let held = [("default".to_owned(), "https://github.com/acme/flows.git".to_owned())];
    assert_eq!(project.held(), held);
}

#[test]
fn a_host_that_ssh_knows_by_another_name_is_registered_and_told() {
    let project = Project::new();
    configure_ssh(&project.repository, SSH);
    project.repository.git(&["tag", "v1.0.0"]);
    for (url, told) in [
        ("git@git.example.com:acme/flows.git", true),
        ("git@other.example.com:acme/flows.git", false),
        ("git@gitserver:acme/flows.git", false),
    ] {
        project.at(url);
        let run = project.flowreg().json(&["plan", "--offline"], 0);
        let text = "[repository] url = \\\"git@10.0.0.5:acme/flows.git\\\"";
        assert_eq!(run["notices"].to_string().contains(text), told, "{run}");
    }
}

#[test]
fn a_pull_step_that_names_the_repository_by_an_alias_is_pinned_and_told() {
    let project = Project::new();
    configure_ssh(&project.repository, SSH);
    project.repository.git(&["config", "url.https://github.com/.insteadOf", "gh:"]);
    let step =
        |url: &str| format!("- prefect.deployments.steps.git_clone:\n        repository: {url}\n");
    let deployment = |name: &str, url: &str| {
        format!("- name: {name}\n  entrypoint: flows/etl.py:etl\n  pull:\n    {}", step(url))
    };
    project.repository.write(
        "prefect.yaml",
        format!(
            "deployments:\n{}{}{}",
            deployment("by-ssh", "git@github-work:acme/flows.git"),
            deployment("by-rule", "gh:acme/flows"),
            deployment("plain", "https://github.com/Acme/flows"),
        ),
    );
    project.repository.commit("declare");
    project.repository.git(&["tag", "v1.0.0"]);
    project.at("https://github.com/acme/flows.git");
    let run = project.flowreg().json(&["register", "--offline"], 0);
    let filter = json!({"flows": {"name": {"any_": [project.flow]}}});
    let found = project.server.api.ask("POST", "/deployments/filter", &filter);
    for one in found.as_array().unwrap() {
        let steps = one["pull_steps"].as_array().unwrap();
        assert_eq!(steps.len(), 1, "{one}");
        let inputs = &steps[0]["prefect.deployments.steps.git_clone"];
        assert_eq!(inputs["branch"], "v1.0.0", "{one}");
    }
    let notices = run["notices"].to_string();
    for (told, is_told) in [
        ("need ssh://git@github.com/acme/flows.git", true),
        ("need https://github.com/acme/flows\"", true),
        ("clones https://github.com", false),
    ] {
        assert_eq!(notices.contains(told), is_told, "{told}: {notices}");
    }
}
