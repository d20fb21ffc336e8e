//! The files of `docs/ci/`, run: each provider's checkout, variables and scripts, a bare remote and
//! the real Prefect server. Only the services around it (comments) are stood in for.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::pipelines::{
    self, Values, at, azure_condition, expand, github_if, gitlab_rules, items, jenkins_stages,
    jenkins_when, pairs, text, values, yaml,
};
use crate::support::prefect::{Server, Turn, unique};
use crate::support::{Tagged, git_environment};

/// A repository with one flow, a server, and a machine that builds run on.
struct Site {
    tagged: Tagged,
    server: Turn,
    flow: String,
    bin: PathBuf,
    count: u32,
}

/// What a script left behind.
#[derive(Debug)]
struct Ran {
    code: i32,
    output: String,
}

impl Site {
    fn new() -> Self {
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
    fn push_feature(&self) -> String {
        self.tagged.repository.git(&["switch", "-qc", "feature/x", "main"]);
        self.tagged.repository.write("flows/etl.py", source(&self.flow, 2));
        let commit = self.tagged.push("feat: another default");
        self.tagged.repository.git(&["switch", "-q", "main"]);
        commit
    }

    fn delete_feature(&self) {
        self.tagged.repository.git(&["push", "-q", "--delete", "origin", "feature/x"]);
    }

    fn head(&self, revision: &str) -> String {
        self.tagged.repository.git(&["rev-parse", revision])
    }

    /// A fresh work space whose remote is `origin`.
    fn workspace(&mut self) -> PathBuf {
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

    fn git(&self, directory: &Path, arguments: &[&str]) {
        self.tagged.repository.git_in(directory, arguments);
    }

    /// Fetches a commit with or without history, and leaves HEAD detached at it.
    fn detached(&mut self, commit: &str, refspec: &str, depth: Option<&str>) -> PathBuf {
        let path = self.workspace();
        let depth = depth.map(|depth| format!("--depth={depth}"));
        let mut fetch = vec!["fetch", "-q", "--no-tags"];
        fetch.extend(depth.as_deref());
        self.git(&path, &[fetch.as_slice(), &["origin", refspec]].concat());
        self.git(&path, &["checkout", "-q", "--detach", commit]);
        path
    }

    /// Runs a script as a provider's runner does.
    fn run(&self, directory: &Path, script: &str, variables: &Values) -> Ran {
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
    fn sent(&self, service: &str) -> String {
        std::fs::read_to_string(self.bin.join(format!("{service}.log"))).unwrap_or_default()
    }

    fn deployments(&self) -> Vec<(String, Value)> {
        let filter = json!({"flows": {"name": {"any_": [self.flow]}}, "sort": "NAME_ASC"});
        let found = self.server.api.ask("POST", "/deployments/filter", &filter);
        found
            .as_array()
            .unwrap()
            .iter()
            .map(|one| (one["name"].as_str().unwrap().to_owned(), one["version"].clone()))
            .collect()
    }

    fn assert_registered(&self, expected: &[(&str, &str)]) {
        let expected: Vec<_> =
            expected.iter().map(|(name, version)| ((*name).to_owned(), json!(version))).collect();
        assert_eq!(self.deployments(), expected);
    }

    fn assert_tag(&self, tag: &str, commit: &str, tagger: &str) {
        assert_eq!(self.tagged.tags(), [(tag.to_owned(), commit.to_owned())]);
        let format = "--format=%(objecttype) %(taggername)";
        let made = self
            .tagged
            .repository
            .git_in(&self.tagged.remote, &["for-each-ref", format, "refs/tags"]);
        assert_eq!(made, format!("tag {tagger}"));
    }

    fn assert_comment(&self, service: &str) {
        let sent = self.sent(service);
        assert!(sent.contains("**flowreg plan** for branch feature/x"), "{sent}");
        assert!(
            sent.contains(&format!("| create | `{}/default@feature~x` |", self.flow)),
            "{sent}"
        );
    }
}

fn source(flow: &str, default: u32) -> String {
    format!(
        "from prefect import flow\n\n\n@flow(name=\"{flow}\")\ndef etl(n: int = {default}):\n    return n\n"
    )
}

impl Ran {
    #[track_caller]
    fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{}", self.output);
        self
    }
}

/// Runs the one job of GitHub's workflow that an event starts; returns its name and the outputs of
/// the step `tag`.
fn github(site: &mut Site, event: &Values, variables: &Values) -> (String, Values) {
    let (workflow, action) = (yaml("github/workflow.yml"), yaml("github/action.yml"));
    let jobs = workflow.get("jobs").unwrap();
    let all = pipelines::keys(jobs);
    let started: Vec<_> = all
        .iter()
        .filter(|name| github_if(&text(at(jobs, &[name, "if"]).unwrap()), event))
        .collect();
    assert_eq!(started.len(), 1, "{started:?} for {event:?}");
    let (job, mut known) = (jobs.get(started[0]).unwrap(), event.clone());
    let temporary = site.tagged.repository.outside().join("runner-temp");
    std::fs::create_dir_all(&temporary).unwrap();
    let mut outputs = Values::new();
    let mut place = None;
    for step in items(job.get("steps")) {
        if !step.get("if").is_none_or(|condition| github_if(&text(condition), &known)) {
            continue;
        }
        let uses = step.get("uses").map(text).unwrap_or_default();
        let with: Values = pairs(step.get("with"))
            .into_iter()
            .map(|(name, value)| (name, expand(&value, &known)))
            .collect();
        if uses.starts_with("actions/checkout@") {
            let branch =
                with.get("ref").cloned().unwrap_or_else(|| event["github.ref_name"].clone());
            let path = site.workspace();
            if with.get("fetch-depth").is_some_and(|depth| depth == "0") {
                site.git(
                    &path,
                    &[
                        "fetch",
                        "-q",
                        "--prune",
                        "--no-recurse-submodules",
                        "origin",
                        "+refs/heads/*:refs/remotes/origin/*",
                        "+refs/tags/*:refs/tags/*",
                    ],
                );
            } else {
                let refspec = format!("+refs/heads/{branch}:refs/remotes/origin/{branch}");
                site.git(&path, &["fetch", "-q", "--no-tags", "--depth=1", "origin", &refspec]);
            }
            let remote = format!("refs/remotes/origin/{branch}");
            site.git(&path, &["checkout", "-q", "--force", "-B", &branch, &remote]);
            place = Some(path);
            continue;
        }
        let mut environment = variables.clone();
        environment.extend([
            ("GITHUB_ACTIONS".to_owned(), "true".to_owned()),
            ("RUNNER_TEMP".to_owned(), temporary.display().to_string()),
        ]);
        for file in ["GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"] {
            environment.insert(file.to_owned(), temporary.join(file).display().to_string());
        }
        let _ = std::fs::remove_file(temporary.join("GITHUB_OUTPUT"));
        let script = if uses == "./.github/actions/flowreg" {
            let inner = &items(at(&action, &["runs", "steps"]))[0];
            let mut inputs = values(&[("inputs.arguments", "")]);
            inputs.extend(with.into_iter().map(|(name, value)| (format!("inputs.{name}"), value)));
            let own = pairs(inner.get("env"));
            environment
                .extend(own.into_iter().map(|(name, value)| (name, expand(&value, &inputs))));
            text(inner.get("run").unwrap())
        } else {
            let own = pairs(step.get("env"));
            environment.extend(own.into_iter().map(|(name, value)| (name, expand(&value, &known))));
            expand(&text(step.get("run").unwrap()), &known)
        };
        site.run(place.as_ref().unwrap(), &script, &environment).ok();
        let written = std::fs::read_to_string(temporary.join("GITHUB_OUTPUT")).unwrap_or_default();
        for (name, value) in written.lines().filter_map(|line| line.split_once('=')) {
            outputs.insert(name.to_owned(), value.to_owned());
            if let Some(id) = step.get("id") {
                known.insert(format!("steps.{}.outputs.{name}", text(id)), value.to_owned());
            }
        }
    }
    (started[0].clone(), outputs)
}

#[test]
fn github_actions() {
    let mut site = Site::new();
    let event = |name: &str, branch: &str| {
        values(&[
            ("github.event_name", name),
            ("github.ref_name", branch),
            ("github.head_ref", ""),
            ("github.event.repository.default_branch", "main"),
            ("github.repository", "acme/flows"),
            ("github.event.pull_request.head.repo.full_name", ""),
            ("github.event.ref_type", ""),
            ("github.token", "t0ken"),
            ("github.event.pull_request.number", "12"),
            ("github.event.ref", ""),
        ])
    };
    let pushed = |branch: &str| {
        values(&[
            ("GITHUB_REF", &format!("refs/heads/{branch}")),
            ("GITHUB_REF_NAME", branch),
            ("GITHUB_REF_TYPE", "branch"),
        ])
    };
    let commit = site.head("main");
    for created in ["true", "false"] {
        let (job, outputs) = github(&mut site, &event("push", "main"), &pushed("main"));
        assert_eq!(job, "tag");
        assert_eq!(outputs["tag"], "v1.0.0");
        assert_eq!(
            (outputs["created"].as_str(), outputs["registered"].as_str()),
            (created, "true")
        );
        site.assert_tag("v1.0.0", &commit, "github-actions[bot]");
        site.assert_registered(&[("default", "v1.0.0")]);
    }
    site.push_feature();
    let mut request = event("pull_request", "12/merge");
    request.extend(values(&[
        ("github.head_ref", "feature/x"),
        ("github.event.pull_request.head.repo.full_name", "acme/flows"),
    ]));
    let variables = values(&[
        ("GITHUB_REF", "refs/pull/12/merge"),
        ("GITHUB_REF_NAME", "12/merge"),
        ("GITHUB_HEAD_REF", "feature/x"),
        ("GITHUB_BASE_REF", "main"),
    ]);
    assert_eq!(github(&mut site, &request, &variables).0, "plan");
    site.assert_comment("gh");
    assert!(site.sent("gh").starts_with("pr comment 12 --edit-last --create-if-none --body-file"));

    assert_eq!(github(&mut site, &event("push", "feature/x"), &pushed("feature/x")).0, "branch");
    site.assert_registered(&[("default", "v1.0.0"), ("default@feature~x", "feature/x")]);
    site.delete_feature();
    let mut deleted = event("delete", "main");
    deleted
        .extend(values(&[("github.event.ref_type", "branch"), ("github.event.ref", "feature/x")]));
    assert_eq!(github(&mut site, &deleted, &pushed("main")).0, "clean-up");
    site.assert_registered(&[("default", "v1.0.0")]);
}

/// Runs the one job that GitLab starts for these variables, in a checkout of `commit`.
fn gitlab(site: &mut Site, commit: &str, refspec: &str, variables: &Values) -> (String, PathBuf) {
    let file = yaml("gitlab/flowreg.gitlab-ci.yml");
    let all = pipelines::keys(&file);
    let started: Vec<_> = all
        .iter()
        .filter(|name| !name.starts_with('.'))
        .filter(|name| gitlab_rules(file.get(name).unwrap(), variables))
        .collect();
    assert_eq!(started.len(), 1, "{started:?} for {variables:?}");
    let job = file.get(started[0]).unwrap();
    let base = file.get(&text(job.get("extends").unwrap())).unwrap();
    let own: Values = pairs(base.get("variables")).into_iter().collect();
    let depth = own.get("GIT_DEPTH").map_or("20", String::as_str);
    let path = site.detached(commit, refspec, Some(depth).filter(|depth| *depth != "0"));
    let script: Vec<_> = items(job.get("script")).iter().map(text).collect();
    let mut environment = variables.clone();
    environment.extend(own);
    site.run(&path, &script.join("\n"), &environment).ok();
    (started[0].clone(), path)
}

#[test]
fn gitlab_ci() {
    let mut site = Site::new();
    let base = values(&[
        ("GITLAB_CI", "true"),
        ("CI_DEFAULT_BRANCH", "main"),
        ("CI_PROJECT_ID", "7"),
        ("CI_API_V4_URL", "https://gitlab.example.com/api/v4"),
        ("CI_PIPELINE_SOURCE", "push"),
    ]);
    let with =
        |more: &[(&str, &str)]| base.clone().into_iter().chain(values(more)).collect::<Values>();
    let of_branch = |branch: &str| format!("+refs/heads/{branch}:refs/remotes/origin/{branch}");
    let commit = site.head("main");
    for created in [true, false] {
        let variables = with(&[("CI_COMMIT_BRANCH", "main"), ("CI_COMMIT_SHA", &commit)]);
        let (job, path) = gitlab(&mut site, &commit, &of_branch("main"), &variables);
        assert_eq!(job, "flowreg tag");
        let dotenv = std::fs::read_to_string(path.join("tag.env")).unwrap();
        assert!(
            dotenv.contains("tag=v1.0.0\n") && dotenv.contains(&format!("created={created}\n")),
            "{dotenv}"
        );
        site.assert_tag("v1.0.0", &commit, "GitLab CI");
        site.assert_registered(&[("default", "v1.0.0")]);
    }
    let feature = site.push_feature();
    let request = with(&[
        ("CI_PIPELINE_SOURCE", "merge_request_event"),
        ("CI_MERGE_REQUEST_IID", "12"),
        ("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "7"),
        ("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "feature/x"),
        ("CI_COMMIT_REF_NAME", "feature/x"),
        ("FLOWREG_COMMENT_TOKEN", "t0ken"),
    ]);
    site.git(&site.tagged.remote.clone(), &["update-ref", "refs/merge-requests/12/head", &feature]);
    let head = "+refs/merge-requests/12/head:refs/pipelines/1";
    assert_eq!(gitlab(&mut site, &feature, head, &request).0, "flowreg plan");
    site.assert_comment("curl");
    assert!(
        site.sent("curl")
            .contains("https://gitlab.example.com/api/v4/projects/7/merge_requests/12/notes")
    );
    assert!(!site.sent("curl").contains("t0ken"), "a token is no argument");

    let pushed = with(&[("CI_COMMIT_BRANCH", "feature/x")]);
    assert_eq!(gitlab(&mut site, &feature, &of_branch("feature/x"), &pushed).0, "flowreg branch");
    site.assert_registered(&[("default", "v1.0.0"), ("default@feature~x", "feature/x")]);
    site.delete_feature();
    let nightly = with(&[("CI_COMMIT_BRANCH", "main"), ("CI_PIPELINE_SOURCE", "schedule")]);
    assert_eq!(gitlab(&mut site, &commit, &of_branch("main"), &nightly).0, "flowreg clean-up");
    site.assert_registered(&[("default", "v1.0.0")]);
}

/// Runs the one stage of the Jenkinsfile that these variables start: the git plugin's checkout has
/// all branches and tags, and HEAD is detached.
fn jenkins(site: &mut Site, commit: &str, variables: &Values, is_timer: bool) -> (String, PathBuf) {
    let stages = jenkins_stages(&pipelines::file("jenkins/Jenkinsfile"));
    let mut started =
        stages.into_iter().filter(|(_, when, _)| jenkins_when(when, variables, is_timer));
    let (name, _, script) = started.next().unwrap_or_else(|| panic!("no stage for {variables:?}"));
    assert!(started.next().is_none());
    let path = site.workspace();
    site.git(
        &path,
        &["fetch", "-q", "--tags", "--force", "origin", "+refs/heads/*:refs/remotes/origin/*"],
    );
    site.git(&path, &["checkout", "-q", "-f", commit]);
    let own = pipelines::file("jenkins/Jenkinsfile");
    let mut environment = variables.clone();
    for line in own.split_once("environment {").unwrap().1.split_once('}').unwrap().0.lines() {
        if let Some((name, value)) =
            line.split_once(" = ").filter(|(name, _)| name.trim().starts_with("GIT_"))
        {
            environment.insert(name.trim().to_owned(), value.trim().trim_matches('\'').to_owned());
        }
    }
    site.run(&path, &script, &environment).ok();
    (name, path)
}

#[test]
fn jenkins_multibranch() {
    let mut site = Site::new();
    let build = |branch: &str, more: &[(&str, &str)]| -> Values {
        let base = [
            ("JENKINS_URL", "https://jenkins.example.com/"),
            ("BUILD_NUMBER", "7"),
            ("JOB_NAME", "flows/main"),
            ("BUILD_TAG", "jenkins-flows-main-7"),
            ("BRANCH_NAME", branch),
            ("GIT_BRANCH", branch),
        ];
        values(&[&base[..], more].concat())
    };
    let commit = site.head("main");
    for created in [true, false] {
        let (stage, path) = jenkins(&mut site, &commit, &build("main", &[]), false);
        assert_eq!(stage, "tag");
        let dotenv = std::fs::read_to_string(path.join("tag.env")).unwrap();
        assert!(dotenv.contains(&format!("created={created}\n")), "{dotenv}");
        site.assert_tag("v1.0.0", &commit, "Jenkins");
        site.assert_registered(&[("default", "v1.0.0")]);
    }
    let feature = site.push_feature();
    let request = build(
        "PR-12",
        &[("CHANGE_ID", "12"), ("CHANGE_BRANCH", "feature/x"), ("CHANGE_TARGET", "main")],
    );
    let (stage, path) = jenkins(&mut site, &feature, &request, false);
    assert_eq!(stage, "plan");
    let plan = std::fs::read_to_string(path.join("plan.md")).unwrap();
    assert!(plan.contains("| create |") && plan.contains("default@feature~x"), "{plan}");

    assert_eq!(jenkins(&mut site, &feature, &build("feature/x", &[]), false).0, "branch");
    site.assert_registered(&[("default", "v1.0.0"), ("default@feature~x", "feature/x")]);
    site.delete_feature();
    assert_eq!(jenkins(&mut site, &commit, &build("main", &[]), true).0, "clean-up");
    site.assert_registered(&[("default", "v1.0.0")]);
}

/// Runs a pipeline of Bitbucket's: a clone of the branch, on that branch.
fn bitbucket(
    site: &mut Site,
    path: &[&str],
    branch: &str,
    variables: &Values,
) -> (String, PathBuf) {
    let file = yaml("bitbucket/bitbucket-pipelines.yml");
    let steps = items(at(&file, path));
    assert_eq!(steps.len(), 1, "{path:?}");
    let step = steps[0].get("step").unwrap();
    assert_eq!(text(at(&file, &["clone", "depth"]).unwrap()), "full");
    let place = site.workspace();
    let refspec = format!("+refs/heads/{branch}:refs/remotes/origin/{branch}");
    site.git(&place, &["fetch", "-q", "origin", &refspec]);
    site.git(&place, &["checkout", "-q", "-B", branch, &format!("refs/remotes/origin/{branch}")]);
    let script: Vec<_> = items(step.get("script")).iter().map(text).collect();
    site.run(&place, &script.join("\n"), variables).ok();
    (text(step.get("name").unwrap()), place)
}

#[test]
fn bitbucket_pipelines() {
    let mut site = Site::new();
    let build = |branch: &str, more: &[(&str, &str)]| -> Values {
        let base = [
            ("BITBUCKET_BUILD_NUMBER", "7"),
            ("BITBUCKET_BRANCH", branch),
            ("BITBUCKET_REPO_FULL_NAME", "acme/flows"),
        ];
        values(&[&base[..], more].concat())
    };
    let commit = site.head("main");
    for created in [true, false] {
        let (step, path) =
            bitbucket(&mut site, &["pipelines", "branches", "main"], "main", &build("main", &[]));
        assert_eq!(step, "tag");
        let dotenv = std::fs::read_to_string(path.join("tag.env")).unwrap();
        assert!(dotenv.contains(&format!("created={created}\n")), "{dotenv}");
        site.assert_tag("v1.0.0", &commit, "Bitbucket Pipelines");
        site.assert_registered(&[("default", "v1.0.0")]);
    }
    site.push_feature();
    let request = build(
        "feature/x",
        &[
            ("BITBUCKET_PR_ID", "12"),
            ("FLOWREG_COMMENT_TOKEN", "t0ken"),
            ("BITBUCKET_PR_DESTINATION_BRANCH", "main"),
        ],
    );
    assert_eq!(
        bitbucket(&mut site, &["pipelines", "pull-requests", "**"], "feature/x", &request).0,
        "plan"
    );
    let sent = site.sent("curl");
    assert!(sent.contains("/2.0/repositories/acme/flows/pullrequests/12/comments"), "{sent}");
    assert!(sent.contains("default@feature~x") && !sent.contains("t0ken"), "{sent}");

    let pushed = build("feature/x", &[]);
    assert_eq!(bitbucket(&mut site, &["pipelines", "default"], "feature/x", &pushed).0, "branch");
    site.assert_registered(&[("default", "v1.0.0"), ("default@feature~x", "feature/x")]);
    site.delete_feature();
    let nightly = build("main", &[]);
    assert_eq!(
        bitbucket(&mut site, &["pipelines", "custom", "clean-up"], "main", &nightly).0,
        "clean-up"
    );
    site.assert_registered(&[("default", "v1.0.0")]);
}

/// Runs the one job that Azure starts: HEAD is detached, and shallow unless the file says otherwise.
fn azure(site: &mut Site, commit: &str, variables: &Values) -> (String, Ran) {
    let file = yaml("azure/azure-pipelines.yml");
    let jobs = items(file.get("jobs"));
    let started: Vec<_> = jobs
        .iter()
        .filter(|job| azure_condition(&text(job.get("condition").unwrap()), variables))
        .collect();
    assert_eq!(started.len(), 1, "{variables:?}");
    let steps = items(started[0].get("steps"));
    let depth = steps[0].get("fetchDepth").map_or("1".to_owned(), text);
    let refspec = "+refs/heads/*:refs/remotes/origin/*";
    let path = site.detached(commit, refspec, Some(depth.as_str()).filter(|depth| *depth != "0"));
    let mut environment = variables.clone();
    environment.extend(pairs(file.get("variables")));
    let is_secret = |(name, _): &(String, String)| name == "SYSTEM_ACCESSTOKEN";
    environment.extend(pairs(steps[1].get("env")).into_iter().filter(is_secret));
    let ran = site.run(&path, &text(steps[1].get("script").unwrap()), &environment).ok();
    (text(started[0].get("job").unwrap()), ran)
}

#[test]
fn azure_pipelines() {
    let mut site = Site::new();
    let build = |reference: &str, reason: &str, more: &[(&str, &str)]| -> Values {
        let base = [
            ("TF_BUILD", "True"),
            ("BUILD_SOURCEBRANCH", reference),
            ("BUILD_REASON", reason),
            ("SYSTEM_COLLECTIONURI", "https://dev.azure.com/acme/"),
            ("SYSTEM_TEAMPROJECTID", "p"),
            ("BUILD_REPOSITORY_ID", "r"),
        ];
        values(&[&base[..], more].concat())
    };
    let commit = site.head("main");
    for created in [true, false] {
        let (job, ran) = azure(&mut site, &commit, &build("refs/heads/main", "IndividualCI", &[]));
        assert_eq!(job, "tag");
        assert!(
            ran.output.contains("##vso[task.setvariable variable=tag;isOutput=true]v1.0.0\n"),
            "{}",
            ran.output
        );
        assert!(
            ran.output.contains(&format!("variable=created;isOutput=true]{created}\n")),
            "{}",
            ran.output
        );
        site.assert_tag("v1.0.0", &commit, "Azure Pipelines");
        site.assert_registered(&[("default", "v1.0.0")]);
    }
    let feature = site.push_feature();
    let request = build(
        "refs/pull/12/merge",
        "PullRequest",
        &[
            ("SYSTEM_PULLREQUEST_ISFORK", "False"),
            ("SYSTEM_PULLREQUEST_SOURCEBRANCH", "refs/heads/feature/x"),
            ("SYSTEM_PULLREQUEST_PULLREQUESTID", "12"),
        ],
    );
    assert_eq!(azure(&mut site, &feature, &request).0, "plan");
    let sent = site.sent("curl");
    assert!(sent.contains("/p/_apis/git/repositories/r/pullRequests/12/threads"), "{sent}");
    assert!(sent.contains("default@feature~x"), "{sent}");

    let pushed = build("refs/heads/feature/x", "IndividualCI", &[]);
    assert_eq!(azure(&mut site, &feature, &pushed).0, "branch");
    site.assert_registered(&[("default", "v1.0.0"), ("default@feature~x", "feature/x")]);
    site.delete_feature();
    assert_eq!(azure(&mut site, &commit, &build("refs/heads/main", "Schedule", &[])).0, "clean_up");
    site.assert_registered(&[("default", "v1.0.0")]);
}

#[test]
fn an_older_tags_job_that_ends_later_does_not_roll_back() {
    let site = Site::new();
    let server = site.server.api_url.clone();
    let flowreg = || site.tagged.flowreg().env("PREFECT_API_URL", &server);
    // Two jobs made their tags; the first one registers last.
    let first = flowreg().json(&["tag"], 0);
    site.tagged.repository.write("flows/etl.py", source(&site.flow, 2));
    site.tagged.push("feat: another default");
    let second = flowreg().json(&["tag", "--register"], 0);
    assert_eq!((&first["tag"], &second["tag"]), (&json!("v1.0.0"), &json!("v1.1.0")));
    site.assert_registered(&[("default", "v1.1.0")]);
    let commit = first["commit"].as_str().unwrap();
    let late = flowreg().run(&["tag", "--register", "--commit", commit]);
    assert_eq!(late.code, 1, "{late:?}");
    assert!(
        late.stdout.contains("the target holds v1.1.0, which is a higher version than v1.0.0"),
        "{late:?}"
    );
    site.assert_registered(&[("default", "v1.1.0")]);
    let by_tag = flowreg().env("BUILD_TAG", "v1.0.0").run(&["register"]);
    assert_eq!(by_tag.code, 1, "{by_tag:?}");
    site.assert_registered(&[("default", "v1.1.0")]);
    // Meant, it goes back.
    let meant = flowreg().run(&["tag", "--register", "--allow-downgrade", "--commit", commit]);
    assert_eq!(meant.code, 0, "{meant:?}");
    site.assert_registered(&[("default", "v1.0.0")]);
}

#[test]
fn a_job_that_was_interrupted_is_finished_by_the_next() {
    let site = Site::new();
    let server = site.server.api_url.clone();
    // The server was away when the tag was made.
    let away = site
        .tagged
        .flowreg()
        .env("PREFECT_API_URL", "http://127.0.0.1:9/api")
        .env("PREFECT_CLIENT_MAX_RETRIES", "0");
    let first = away.run(&["tag", "--register"]);
    assert_eq!(first.code, 7, "{first:?}");
    assert!(first.stdout.starts_with("created tag v1.0.0"), "{first:?}");
    assert!(first.stderr.contains("error: "), "{first:?}");
    let again =
        site.tagged.flowreg().env("PREFECT_API_URL", &server).json(&["tag", "--register"], 0);
    assert_eq!((&again["created"], &again["registered"]), (&json!(false), &json!(true)));
    site.assert_registered(&[("default", "v1.0.0")]);
}

#[test]
fn what_changes_is_a_table_that_a_comment_can_hold() {
    let site = Site::new();
    let flowreg = site.tagged.flowreg().env("PREFECT_API_URL", &site.server.api_url);
    flowreg.json(&["tag", "--register"], 0);
    site.tagged.repository.write("flows/etl.py", source(&site.flow, 2));
    site.tagged.repository.write("flows/broken.py", "from prefect import flow\n@flow\ndef x(:\n");
    site.tagged.push("feat: another default | of @somebody");
    flowreg.json(&["tag"], 0);
    let plan = flowreg.run(&["plan", "--format", "markdown"]);
    assert_eq!(plan.code, 8, "{plan:?}");
    let table: Vec<_> = plan.stdout.lines().filter(|line| line.starts_with('|')).collect();
    assert_eq!(table[0], "| | deployment | what |");
    assert!(
        table[2].starts_with(&format!(
            "| update | `{}/default` | `version` v1.0.0 → v1.1.0<br>",
            site.flow
        )),
        "{table:?}"
    );
    assert!(table[3].starts_with("| failed | `flows/broken.py:3:"), "{table:?}");
    let error = site.tagged.flowreg().run(&["plan", "--format", "markdown", "--tag", "no|such"]);
    assert_eq!(error.code, 4);
    assert!(
        error.stdout.contains("**flowreg failed**: --tag names the tag no\\|such"),
        "{error:?}"
    );
}
