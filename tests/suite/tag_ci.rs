//! The files of `docs/ci/`, run: each provider's checkout, variables and scripts, a bare remote and
//! the real Prefect server. Only the services around it (comments) are stood in for.

use std::path::PathBuf;

use crate::support::pipelines::{
    self, Values, at, azure_condition, expand, github_if, gitlab_rules, items, jenkins_stages,
    jenkins_when, pairs, text, values, yaml,
};
use crate::support::site::{Ran, Site};

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
