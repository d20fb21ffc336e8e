//! What people read, word for word: flows, plans, runs and references.
//!
//! `CONTRIBUTING.md` says how to take a new layout over.

use insta::assert_snapshot;

use crate::support::{Flowreg, TestRepository};

const SYNC: &str = r#"from prefect import flow


@flow(name="nightly-sync", description="Copies what changed.")
def nightly_sync(days: int = 1, dry_run: bool = False):
    ...
"#;

const REPORT: &str = r#"from prefect import flow

from lib.pages import PAGES


@flow(name="weekly-report")
def weekly_report(title: str, pages: int = PAGES):
    """Prints.

    Args:
        title: Stands on the first page.
    """
"#;

/// Two flows on `main`, tagged `v1.0.0`.
fn repository() -> TestRepository {
    let repository = TestRepository::empty();
    repository.write("flows/sync.py", SYNC);
    repository.write("flows/report.py", REPORT);
    repository.write("lib/pages.py", "PAGES = 3\n");
    repository.commit("add the flows");
    repository.git(&["tag", "v1.0.0"]);
    repository
}

/// The same, registered at `v1.0.0`; then the parameters of one flow changed, a flow came, and all
/// is tagged `v1.1.0`.
fn changed() -> (TestRepository, Flowreg) {
    let repository = repository();
    let flowreg = Flowreg::in_repository(&repository);
    flowreg.json(&["register"], 0);
    repository.write(
        "flows/sync.py",
        SYNC.replace("days: int = 1, dry_run: bool = False", "days: int = 2, since: str = \"\""),
    );
    repository
        .write("flows/clean.py", "from prefect import flow\n\n\n@flow\ndef clean_up():\n    ...\n");
    repository.write(
        "flowreg.toml",
        "[flow.\"nightly-sync\"]\ntags = [\"sync\"]\n\
         schedules = [{ cron = \"0 3 * * *\", timezone = \"Europe/Berlin\" }]\n",
    );
    repository.commit("change the flows");
    repository.git(&["tag", "v1.1.0"]);
    (repository, flowreg)
}

#[test]
fn register_for_the_first_time_and_again() {
    let repository = repository();
    let flowreg = Flowreg::in_repository(&repository);
    assert_snapshot!(flowreg.screen(&["register"]), @"
    tag v1.0.0 (active branch main) at bb48e9d · local registry
      created    weekly-report/default  flows/report.py:weekly_report
      created    nightly-sync/default   flows/sync.py:nightly_sync
    2 created   [time] s
    --- exit code 0
    ");
    assert_snapshot!(flowreg.screen(&["register"]), @"
    tag v1.0.0 (active branch main) at bb48e9d · local registry
    2 unchanged   [time] s
    --- exit code 0
    ");
    assert_snapshot!(flowreg.screen(&["register", "-v"]), @"
    tag v1.0.0 (active branch main) at bb48e9d · local registry
      unchanged  weekly-report/default  flows/report.py:weekly_report
      unchanged  nightly-sync/default   flows/sync.py:nightly_sync
    2 unchanged   [time] s
    --- exit code 0
    ");
    assert_snapshot!(flowreg.screen(&["register", "-q"]), @"--- exit code 0");
}

#[test]
fn register_what_changed() {
    let (_repository, flowreg) = changed();
    assert_snapshot!(flowreg.screen(&["register"]), @"
    tag v1.1.0 (active branch main) at cb0c2fb · local registry
      created    clean-up/default       flows/clean.py:clean_up
      updated    weekly-report/default  version v1.0.0 → v1.1.0, pull_steps
      updated    nightly-sync/default   version v1.0.0 → v1.1.0, parameters +since -dry_run ~days, tags, schedules, pull_steps
    1 created · 2 updated   [time] s
    --- exit code 0
    ");
}

#[test]
fn register_what_changed_with_details() {
    let (_repository, flowreg) = changed();
    assert_snapshot!(flowreg.screen(&["register", "-v"]), @r#"
    tag v1.1.0 (active branch main) at cb0c2fb · local registry
      created    clean-up/default       flows/clean.py:clean_up
      updated    weekly-report/default  version v1.0.0 → v1.1.0, pull_steps
          version                          v1.0.0 → v1.1.0  (the code reference)
          pull_steps[0].git_clone.branch   v1.0.0 → v1.1.0  (the code reference)
          labels.flowreg.tag               v1.0.0 → v1.1.0  (the mark of what is ours)
          labels.flowreg.commit            bb48e9d07ab5ba99ce4458fea7c1761f7495c88a → cb0c2fb543326b9c3bed76a3df33ecb78af44c07  (the mark of what is ours)
      updated    nightly-sync/default   version v1.0.0 → v1.1.0, parameters +since -dry_run ~days, tags, schedules, pull_steps
          version                          v1.0.0 → v1.1.0  (the code reference)
          parameter_openapi_schema         parameters +since -dry_run ~days  (flows/sync.py:4)
          tags                             + sync  (flowreg.toml [flow."nightly-sync"])
          schedules                        + cron 0 3 * * *, timezone Europe/Berlin, day_or true  (flowreg.toml [flow."nightly-sync"])
          pull_steps[0].git_clone.branch   v1.0.0 → v1.1.0  (the code reference)
          labels.flowreg.tag               v1.0.0 → v1.1.0  (the mark of what is ours)
          labels.flowreg.commit            bb48e9d07ab5ba99ce4458fea7c1761f7495c88a → cb0c2fb543326b9c3bed76a3df33ecb78af44c07  (the mark of what is ours)
    1 created · 2 updated   [time] s
    --- exit code 0
    "#);
}

#[test]
fn register_on_a_feature_branch() {
    let (repository, flowreg) = changed();
    flowreg.json(&["register"], 0);
    repository.git(&["switch", "-qc", "feature/pages"]);
    repository.write("lib/pages.py", "PAGES = 4\n");
    repository.commit("more pages");
    assert_snapshot!(flowreg.screen(&["register"]), @"
    branch feature/pages (active branch) at e0250ed · local registry
      created    weekly-report/default@feature~pages  flows/report.py:weekly_report
    1 created · 2 left out   [time] s
    --- standard error
    warning: 2 flows are as on mainline at v1.1.0 and get no registration of their own; --all registers them too
    --- exit code 0
    ");
    repository.write("lib/pages.py", "PAGES = 5\n");
    assert_snapshot!(flowreg.screen(&["register", "-v"]), @"
    branch feature/pages (active branch) at e0250ed · local registry
      unchanged  weekly-report/default@feature~pages  flows/report.py:weekly_report
    1 unchanged · 2 left out   [time] s
    --- standard error
    warning: some flows or configuration are not committed: what is registered is commit e0250ed
    warning: 2 flows are as on mainline at v1.1.0 and get no registration of their own; --all registers them too
    warning: left out: clean-up/default@feature~pages (flows/clean.py:clean_up)
    warning: left out: nightly-sync/default@feature~pages (flows/sync.py:nightly_sync)
    --- exit code 0
    ");
}

#[test]
fn register_with_a_refusal_and_a_failure() {
    let (repository, flowreg) = changed();
    flowreg.json(&["register"], 0);
    repository.write("flows/broken.py", "from prefect import flow\n\n@flow\ndef broken(:\n");
    repository.commit("break a flow");
    repository.git(&["tag", "v1.0.1"]);
    assert_snapshot!(flowreg.screen(&["register", "--tag", "v1.0.1"]), @"
    tag v1.0.1 (--tag) at 4ca6d6b · local registry
      refused    3 deployments: the target holds v1.1.0, which is a higher version than v1.0.1
                 clean-up/default, weekly-report/default, nightly-sync/default
                 hint: to go back on purpose: flowreg register --tag v1.0.1 --allow-downgrade
      failed     flows/broken.py:4:12: expected a parameter or the end of the parameter list
    3 refused · 1 failed   [time] s
    --- standard error
    error: flows/broken.py:4:12: expected a parameter or the end of the parameter list
       --> flows/broken.py:4:12
        |
      4 | def broken(:
        |            ^
    --- exit code 1
    ");
    assert_snapshot!(flowreg.screen(&["register", "--tag", "v1.0.1", "-q"]), @"
    --- standard error
    error: clean-up/default: the target holds v1.1.0, which is a higher version than v1.0.1 (the same for weekly-report/default, nightly-sync/default)
    hint: to go back on purpose: flowreg register --tag v1.0.1 -q --allow-downgrade
    error: flows/broken.py:4:12: expected a parameter or the end of the parameter list
       --> flows/broken.py:4:12
        |
      4 | def broken(:
        |            ^
    --- exit code 1
    ");
}

#[test]
fn what_several_deployments_have_wrong_is_told_once() {
    let repository = repository();
    let entry = |name: &str| {
        format!(
            "  - name: {name}\n    entrypoint: flows/sync.py:nightly_sync\n    tags: [\"{{{{ commit.stdout }}}}\"]\n"
        )
    };
    let step = "build:\n  - prefect.deployments.steps.run_shell_script:\n      id: commit\n      script: x\n";
    let entries: String = ["a", "b", "c", "d", "e"].into_iter().map(entry).collect();
    let broken = "  - name: f\n    entrypoint: flows/sync.py:nightly_sync\n    tags: nightly\n";
    let anchors = "  - {<<: *wrong, name: g}\n  - {<<: *wrong, name: h}\n";
    repository.write(
        "prefect.yaml",
        format!("definitions:\n  - &wrong {{entrypoint: flows/sync.py:nightly_sync, paused: perhaps}}\n{step}deployments:\n{entries}{broken}{anchors}"),
    );
    repository.commit("declare deployments");
    repository.git(&["tag", "v1.1.0"]);
    let flowreg = Flowreg::in_repository(&repository);
    assert_snapshot!(flowreg.screen(&["plan"]), @"
    tag v1.1.0 (active branch main) at ecd8cc2 · local registry
      refuse     nightly_sync/f  prefect.yaml:25:11: `tags` is text, and should be a list
                 hint: tags: [nightly]
      refuse     2 deployments: prefect.yaml:2:61: `paused` is text, and should be true or false
                 nightly_sync/g, nightly_sync/h
      refuse     5 deployments: `{{ commit.stdout }}` in `tags` is an output of the build steps
                 nightly_sync/a (prefect.yaml:10:11), nightly_sync/b (prefect.yaml:13:11), nightly_sync/c (prefect.yaml:16:11) and 2 more
                 hint: to have the steps run here: flowreg plan --run-steps
    8 refused
    --- exit code 3
    ");
    assert_snapshot!(flowreg.screen(&["plan", "-v"]), @"
    tag v1.1.0 (active branch main) at ecd8cc2 · local registry
      refuse     nightly_sync/f  prefect.yaml:25:11: `tags` is text, and should be a list
                 hint: tags: [nightly]
      refuse     nightly_sync/g  prefect.yaml:2:61: `paused` is text, and should be true or false
      refuse     nightly_sync/h  prefect.yaml:2:61: `paused` is text, and should be true or false
      refuse     nightly_sync/a  prefect.yaml:10:11: `{{ commit.stdout }}` in `tags` is an output of the build steps
                 hint: to have the steps run here: flowreg plan -v --run-steps
      refuse     nightly_sync/b  prefect.yaml:13:11: `{{ commit.stdout }}` in `tags` is an output of the build steps
                 hint: to have the steps run here: flowreg plan -v --run-steps
      refuse     nightly_sync/c  prefect.yaml:16:11: `{{ commit.stdout }}` in `tags` is an output of the build steps
                 hint: to have the steps run here: flowreg plan -v --run-steps
      refuse     nightly_sync/d  prefect.yaml:19:11: `{{ commit.stdout }}` in `tags` is an output of the build steps
                 hint: to have the steps run here: flowreg plan -v --run-steps
      refuse     nightly_sync/e  prefect.yaml:22:11: `{{ commit.stdout }}` in `tags` is an output of the build steps
                 hint: to have the steps run here: flowreg plan -v --run-steps
    8 refused
    --- exit code 3
    ");
    assert_snapshot!(flowreg.screen(&["plan", "--format", "markdown"]), @r"
    <!-- flowreg -->
    **flowreg plan** for tag v1.1.0 (active branch main) at ecd8cc2 · local registry

    | | deployment | what |
    |---|---|---|
    | refuse | `nightly_sync/f` | prefect.yaml:25:11: \`tags\` is text, and should be a list |
    | refuse | nightly\_sync/g, nightly\_sync/h | 2 deployments: prefect.yaml:2:61: \`paused\` is text, and should be true or false |
    | refuse | nightly\_sync/a (prefect.yaml:10:11), nightly\_sync/b (prefect.yaml:13:11), nightly\_sync/c (prefect.yaml:16:11) and 2 more | 5 deployments: \`{{ commit.stdout }}\` in \`tags\` is an output of the build steps |

    8 refused
    --- exit code 3
    ");
    let json = flowreg.json(&["plan"], 3);
    assert_eq!(json["registrations"].as_array().unwrap().len(), 8, "{json:#}");
    assert_eq!(json["registrations"][3]["error"]["place"], "prefect.yaml:10:11", "{json:#}");
}

#[test]
fn plan_for_people() {
    let (_repository, flowreg) = changed();
    assert_snapshot!(flowreg.screen(&["plan"]), @r#"
    tag v1.1.0 (active branch main) at cb0c2fb · local registry
      create     clean-up/default       flows/clean.py:clean_up
      update     weekly-report/default  flows/report.py:weekly_report
          version                          v1.0.0 → v1.1.0  (the code reference)
          pull_steps[0].git_clone.branch   v1.0.0 → v1.1.0  (the code reference)
      update     nightly-sync/default   flows/sync.py:nightly_sync
          version                          v1.0.0 → v1.1.0  (the code reference)
          parameter_openapi_schema         parameters +since -dry_run ~days  (flows/sync.py:4)
          tags                             + sync  (flowreg.toml [flow."nightly-sync"])
          schedules                        + cron 0 3 * * *, timezone Europe/Berlin, day_or true  (flowreg.toml [flow."nightly-sync"])
          pull_steps[0].git_clone.branch   v1.0.0 → v1.1.0  (the code reference)
    1 to create · 2 to update
    --- exit code 0
    "#);
    assert_snapshot!(flowreg.screen(&["plan", "-v", "nightly-sync"]), @r#"
    tag v1.1.0 (active branch main) at cb0c2fb · local registry
      update     nightly-sync/default  flows/sync.py:nightly_sync
          version                          v1.0.0 → v1.1.0  (the code reference)
          parameter_openapi_schema         parameters +since -dry_run ~days  (flows/sync.py:4)
          tags                             + sync  (flowreg.toml [flow."nightly-sync"])
          schedules                        + cron 0 3 * * *, timezone Europe/Berlin, day_or true  (flowreg.toml [flow."nightly-sync"])
          pull_steps[0].git_clone.branch   v1.0.0 → v1.1.0  (the code reference)
          labels.flowreg.tag               v1.0.0 → v1.1.0  (the mark of what is ours)
          labels.flowreg.commit            bb48e9d07ab5ba99ce4458fea7c1761f7495c88a → cb0c2fb543326b9c3bed76a3df33ecb78af44c07  (the mark of what is ours)
    1 to update
    --- exit code 0
    "#);
}

#[test]
fn plan_as_markdown() {
    let (_repository, flowreg) = changed();
    assert_snapshot!(flowreg.screen(&["plan", "--format", "markdown"]), @r"
    <!-- flowreg -->
    **flowreg plan** for tag v1.1.0 (active branch main) at cb0c2fb · local registry

    | | deployment | what |
    |---|---|---|
    | create | `clean-up/default` | `flows/clean.py:clean_up` |
    | update | `weekly-report/default` | `version` v1.0.0 → v1.1.0<br>`pull_steps[0].git_clone.branch` v1.0.0 → v1.1.0 |
    | update | `nightly-sync/default` | `version` v1.0.0 → v1.1.0<br>`parameter_openapi_schema` parameters +since -dry\_run \~days<br>`tags` + sync<br>`schedules` + cron 0 3 \* \* \*, timezone Europe/Berlin, day\_or true<br>`pull_steps[0].git_clone.branch` v1.0.0 → v1.1.0 |

    1 to create · 2 to update
    --- exit code 0
    ");
}

#[test]
fn reference() {
    let repository = repository();
    let flowreg = Flowreg::in_repository(&repository);
    assert_snapshot!(flowreg.screen(&["reference"]), @"
    tag v1.0.0 (active branch main) at bb48e9d · mainline
    --- exit code 0
    ");
    assert_snapshot!(flowreg.screen(&["reference", "--explain"]), @"
    tag v1.0.0 (active branch main) at bb48e9d · mainline

      --tag          unset
      --branch       unset
      BUILD_TAG      unset
      GIT_BRANCH     unset
      active branch  taken        main
      CI             not reached
      git            not reached
    --- exit code 0
    ");
    let jenkins = flowreg
        .env("JENKINS_URL", "https://jenkins.example.com/")
        .env("JOB_NAME", "flows")
        .env("BUILD_NUMBER", "12")
        .env("BUILD_TAG", "jenkins-flows-12")
        .env("GIT_BRANCH", "main");
    assert_snapshot!(jenkins.screen(&["reference", "--explain"]), @"
    tag v1.0.0 (GIT_BRANCH main) at bb48e9d · mainline

      --tag          unset
      --branch       unset
      BUILD_TAG      skipped      jenkins-flows-12  Jenkins sets it to the name of the build, which is no git tag
      GIT_BRANCH     taken        main
      active branch  not reached
      CI             not reached
      git            not reached
    --- standard error
    warning: BUILD_TAG is `jenkins-flows-12`, which is skipped: Jenkins sets it to the name of the build, which is no git tag
    --- exit code 0
    ");
}

#[test]
fn flows() {
    let (repository, flowreg) = changed();
    assert_snapshot!(flowreg.screen(&["flows"]), @"
    tag v1.1.0 (active branch main) at cb0c2fb
      clean-up       flows/clean.py:clean_up
      weekly-report  flows/report.py:weekly_report
      nightly-sync   flows/sync.py:nightly_sync
    3 flows
    --- exit code 0
    ");
    assert_snapshot!(flowreg.screen(&["flows", "--affected-by", "v1.0.0"]), @"
    tag v1.1.0 (active branch main) at cb0c2fb
      clean-up       flows/clean.py:clean_up  flows/clean.py changed
      weekly-report  flows/report.py:weekly_report  flowreg.toml
      nightly-sync   flows/sync.py:nightly_sync  flows/sync.py changed
    3 flows
    --- exit code 0
    ");
    repository.write("flowreg.toml", "[flows]\nintrospect = \"never\"\n");
    repository.write("lib/pages.py", "import os\n\nPAGES = int(os.environ[\"PAGES\"])\n");
    repository.commit("pages from the environment");
    repository.git(&["tag", "v1.2.0"]);
    assert_snapshot!(flowreg.screen(&["flows", "-v"]), @"
    tag v1.2.0 (active branch main) at 9077945
      clean-up       flows/clean.py:clean_up
      weekly-report  flows/report.py:weekly_report  not exact
          parameter_openapi_schema: the default of `pages` is not known: it depends on the environment (`os.environ`) (lib/pages.py:3)
      nightly-sync   flows/sync.py:nightly_sync
    3 flows · 1 not exact
    --- exit code 0
    ");
    assert_snapshot!(flowreg.screen(&["flows", "--explain", "weekly-report"]), @r#"
    tag v1.2.0 (active branch main) at 9077945

      weekly-report  flows/report.py:weekly_report
        name         the `name` given to the flow
                     "weekly-report" (flows/report.py:6)
        description  the docstring of the function
                     "Prints.\n\nArgs:\n    title: Stands on the first page." (flows/report.py:7)
        title        not exact: `title: str`: not computed, for another part is not known
                     — (flows/report.py:7)
        pages        not exact: the default of `pages` is not known: it depends on the environment (`os.environ`) (lib/pages.py:3)
                     — (flows/report.py:7)
        imports lib/pages.py
        modules from flows (the script's directory), . (where a run starts)
    --- exit code 0
    "#);
}

#[test]
fn list() {
    let (repository, flowreg) = changed();
    repository.git(&["switch", "-qc", "feature/x"]);
    flowreg.json(&["register"], 0);
    assert_snapshot!(flowreg.screen(&["list"]), @"
    local registry
      clean-up/default@feature~x       branch feature/x       flows/clean.py:clean_up
      nightly-sync/default             tag v1.0.0 at bb48e9d  flows/sync.py:nightly_sync
      nightly-sync/default@feature~x   branch feature/x       flows/sync.py:nightly_sync
      weekly-report/default            tag v1.0.0 at bb48e9d  flows/report.py:weekly_report
      weekly-report/default@feature~x  branch feature/x       flows/report.py:weekly_report
    5 registrations
    --- exit code 0
    ");
    let empty = TestRepository::empty();
    assert_snapshot!(Flowreg::in_repository(&empty).screen(&["list"]), @"
    local registry
    0 registrations
    --- exit code 0
    ");
}

#[test]
fn an_error_with_hints() {
    let repository = repository();
    repository.commit("not tagged");
    let flowreg = Flowreg::in_repository(&repository);
    assert_snapshot!(flowreg.screen(&["register"]), @"
    --- standard error
    error: main is mainline and no tag points at 189d5ea
    hint: git tag -a v1.0.1 -m v1.0.1 189d5ea
    hint: flowreg register --untagged branch
    --- exit code 1
    ");
    assert_snapshot!(flowreg.screen(&["register", "--tag", "v1.0.1"]), @"
    --- standard error
    error: --tag names the tag v1.0.1, which is not in the repository
    hint: git tag --list
    --- exit code 4
    ");
    assert_snapshot!(flowreg.screen(&["register", "weekly-reprot", "--tag", "v1.0.0"]), @"
    --- standard error
    error: no flow matches `weekly-reprot`
    hint: did you mean `weekly-report`?
    --- exit code 2
    ");
}

#[test]
fn an_error_of_a_file_and_of_a_server() {
    let repository = repository();
    let flowreg = Flowreg::in_repository(&repository);
    assert_snapshot!(flowreg.screen(&["register", "--config", "missing.toml"]), @"
    --- standard error
    error: [repository]/missing.toml: No such file or directory (os error 2)
    --- exit code 3
    ");
    let flowreg = flowreg
        .env("PREFECT_API_URL", "http://127.0.0.1:9/api")
        .env("PREFECT_CLIENT_MAX_RETRIES", "0");
    repository.add_bare_remote("origin");
    repository.git(&["push", "-q", "origin", "main", "v1.0.0"]);
    // The number of "Connection refused" on macOS and on Linux.
    let screen = flowreg.screen(&["register"]).replace("os error 61", "os error 111");
    assert_snapshot!(screen, @"
    --- standard error
    error: http://127.0.0.1:9/api can't be reached: Connection refused (os error 111)
    hint: nothing is lost: run the same command again once the server answers
    --- exit code 7
    ");
}

#[test]
fn a_usage_error() {
    let repository = repository();
    let flowreg = Flowreg::in_repository(&repository);
    assert_snapshot!(flowreg.screen(&["register", "--alow-downgrade"]), @"
    --- standard error
    error: unexpected argument '--alow-downgrade' found

      tip: a similar argument exists: '--allow-downgrade'

    Usage: flowreg register --allow-downgrade [FLOW]...

    For more information, try '--help'.
    --- exit code 2
    ");
    assert_snapshot!(flowreg.screen(&["regster"]), @"
    --- standard error
    error: unrecognized subcommand 'regster'

      tip: a similar subcommand exists: 'register'

    Usage: flowreg [OPTIONS] <COMMAND>

    For more information, try '--help'.
    --- exit code 2
    ");
}

#[test]
fn help() {
    let repository = repository();
    let flowreg = Flowreg::in_repository(&repository);
    // clap leaves blanks at the end of lines, which editors take out of this file.
    let screen = flowreg.screen(&["--help"]);
    let screen: Vec<&str> = screen.lines().map(str::trim_end).collect();
    assert_snapshot!(screen.join("\n"), @"
    Register Prefect flows at the right code reference

    Usage: flowreg [OPTIONS] <COMMAND>

    Commands:
      register   Register what changed
      plan       Show what register would do
      reference  Show the code reference and why
      flows      List the flows at the reference
      list       List what the target holds
      tag        Make the tag of the next version, push it, register at it
      prune      Remove the registrations of branches that are gone
      hooks      Register on push: install, uninstall, status
      sync       Deliver the pushes that wait
      help       Print this message or the help of the given subcommand(s)

    Options:
      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version

    Global options:
      -C <DIR>
              Run as if started in DIR

          --config <FILE>
              Read this file instead of flowreg.toml at the reference

          --target <TARGET>
              Where registrations live

              [possible values: local, prefect, prefect1]

          --format <FORMAT>
              How results are printed

              Possible values:
              - human
              - json
              - markdown: For a comment or a summary: plan, register, tag

              [default: human]

      -q, --quiet
              Print errors only

      -v, --verbose
              Print unchanged registrations and details

          --debug
              Log on standard error what is done: references, git processes, requests, caches

          --color <WHEN>
              When to colour the output

              [default: auto]
              [possible values: auto, always, never]

          --no-progress
              Never show progress

    The code reference is resolved from BUILD_TAG, then GIT_BRANCH, then the active branch.
    `flowreg reference --explain` shows how.
    --- exit code 0
    ");
    assert_snapshot!(flowreg.screen(&["register", "-h"]), @"
    Register what changed

    Usage: flowreg register [OPTIONS] [FLOW]...

    Arguments:
      [FLOW]...  Flow names, flow/deployment, or globs of them; all flows if none is given

    Options:
          --changed-since <REVISION>  Only flows that are affected by what changed since a revision
          --all                       On a feature branch: flows that are as on mainline, too
          --allow-downgrade           Replace a newer version with an older one
          --adopt                     Take over deployments that flowreg did not create
          --allow-unpinned            Register deployments whose runs would not use the code at the
                                      reference
          --run-steps                 Run the build and push steps of prefect.yaml, for templates that
                                      need their outputs
          --dry-run                   Only show what would be done, as `flowreg plan`
          --jobs <N>                  At most this many writes at once; the server may get fewer
                                      [default: 8, or 1 for a server on this machine]
          --watch                     Go on, and register again whenever the reference moves
      -h, --help                      Print help (see more with '--help')

    Code reference:
          --tag <TAG>        Take this tag
          --branch <BRANCH>  Take this branch
          --remote <NAME>    The remote that workers clone from
          --offline          Do not ask the remote whether it has the reference
          --strict           Use flags, BUILD_TAG, GIT_BRANCH and the active branch only
          --untagged <WHAT>  What to do on a mainline branch without a tag [possible values: refuse,
                             branch, commit]

    Global options:
      -C <DIR>               Run as if started in DIR
          --config <FILE>    Read this file instead of flowreg.toml at the reference
          --target <TARGET>  Where registrations live [possible values: local, prefect, prefect1]
          --format <FORMAT>  How results are printed [default: human] [possible values: human, json,
                             markdown]
      -q, --quiet            Print errors only
      -v, --verbose          Print unchanged registrations and details
          --debug            Log on standard error what is done: references, git processes, requests,
                             caches
          --color <WHEN>     When to colour the output [default: auto] [possible values: auto, always,
                             never]
          --no-progress      Never show progress
    --- exit code 0
    ");
}
