use super::*;

const URL: &str = "https://git.example.com/data/flows.git";
const SHORT: &str = "git@git.example.com:data/flows";
const OTHER: &str = "https://git.example.com/data/lib.git";
const SET_DIRECTORY: &str = "prefect.deployments.steps.set_working_directory";
const SHELL: &str = "prefect.deployments.steps.run_shell_script";
const REQUIREMENTS: &str = "prefect.deployments.steps.pip_install_requirements";

fn at(check_out: CheckOut<'_>) -> GitClone<'_> {
    GitClone { repository: URL, check_out, access: None, submodules: false }
}

fn tag() -> GitClone<'static> {
    at(CheckOut::Name("v1"))
}

fn pull(steps: &Value, clone: GitClone<'_>, version: Option<&str>) -> PinnedSteps {
    let version = version.map(|version| version.parse().unwrap());
    let context = PullContext {
        clone,
        reference: "v1",
        is_ours: &|url| [URL, SHORT].contains(&url),
        fill: &|text| text.replace("{{ $HERE }}", OTHER),
        version: version.as_ref(),
        filled_ids: &["image"],
    };
    pinned(steps.as_array().unwrap(), &context)
}

fn clean(steps: &Value) -> PinnedSteps {
    let pulled = pull(steps, tag(), None);
    assert_eq!(pulled.problems, [], "{steps}");
    pulled
}

/// The code and the step of each problem.
fn problems(
    steps: &Value,
    version: Option<&str>,
) -> Vec<(&'static str, Option<usize>, Option<String>)> {
    let problems = pull(steps, tag(), version).problems;
    problems.into_iter().map(|one| (one.error.code(), one.step, one.input)).collect()
}

fn in_clone(directory: &str, step: Option<usize>) -> RunStart {
    RunStart::Clone { directory: directory.to_owned(), step }
}

#[test]
fn every_clone_of_this_repository_gets_the_reference_and_no_other() {
    let steps = json!([
        {GIT_CLONE: {"repository": SHORT, "branch": "main", "id": "code"}},
        {GIT_CLONE: {"repository": OTHER, "branch": "main"}},
        {"prefect.deployments.steps.pull.git_clone": {"repository": URL, "commit_sha": "abc", "directories": ["a"]}},
        {SET_DIRECTORY: {"directory": "{{ code.directory }}/teams/a"}},
    ]);
    let pulled = clean(&steps);
    assert_eq!(
        json!(pulled.steps),
        json!([
            {GIT_CLONE: {"repository": SHORT, "branch": "v1", "id": "code"}},
            {GIT_CLONE: {"repository": OTHER, "branch": "main"}},
            {"prefect.deployments.steps.pull.git_clone": {"repository": URL, "directories": ["a"], "branch": "v1"}},
            {SET_DIRECTORY: {"directory": "{{ code.directory }}/teams/a"}},
        ])
    );
    // The later clone of the same repository at the same tag is in the same directory.
    assert_eq!(pulled.start, in_clone("teams/a", Some(2)));
}

#[test]
fn a_clone_comes_first_where_no_step_brings_code() {
    for (steps, directory) in [
        (json!([{SHELL: {"script": "pip list"}}]), ""),
        (json!([{SET_DIRECTORY: {"directory": "{{ directory }}/teams/a"}}]), "teams/a"),
        (json!([{REQUIREMENTS: {"directory": "{{ directory }}"}}]), ""),
        (json!([{}]), ""),
    ] {
        let pulled = clean(&steps);
        assert_eq!(pulled.steps[0], json!({GIT_CLONE: {"repository": URL, "branch": "v1"}}));
        assert_eq!(pulled.steps.len(), 2);
        assert_eq!(pulled.start, in_clone(directory, None), "{steps}");
    }
}

#[test]
fn code_that_is_not_in_git_gets_no_clone_and_is_told() {
    for steps in [
        json!([{SET_DIRECTORY: {"directory": "/opt/app"}}]),
        json!([{SET_DIRECTORY: {"directory": "app"}}, {REQUIREMENTS: {}}]),
        json!([{"prefect_aws.deployments.steps.pull_from_s3": {"bucket": "b", "folder": "f"}}]),
        json!([{"prefect.deployments.steps.pull_with_block":
            {"block_document_name": "x", "block_type_slug": "s3-bucket"}}]),
        json!([{SHELL: {"script": "git clone https://x/y.git code"}}, {SET_DIRECTORY: {"directory": "code"}}]),
        json!([{GIT_CLONE: {"repository": OTHER}}, {SET_DIRECTORY: {"directory": "/opt/app"}}]),
    ] {
        let pulled = clean(&steps);
        assert_eq!(json!(pulled.steps), steps);
        let RunStart::Elsewhere { code, .. } = pulled.start else { panic!("{steps}") };
        assert!(code.is_not_in_git(), "{steps}");
    }
}

#[test]
fn a_run_that_would_not_start_in_our_clone_is_void() {
    let ours = || json!({GIT_CLONE: {"repository": URL, "id": "code"}});
    for (steps, at) in [
        // The last clone wins.
        (json!([ours(), {GIT_CLONE: {"repository": OTHER}}]), 1),
        (json!([{GIT_CLONE: {"repository": OTHER}}]), 0),
        (json!([ours(), {GIT_CLONE: {"repository": "{{ $HERE }}"}}]), 1),
        (json!([ours(), {GIT_CLONE: {"repository": "{{ $NOT_HERE }}"}}]), 1),
        (json!([ours(), {"prefect.deployments.steps.pull.git_clone": {"repository": OTHER}}]), 1),
        (json!([ours(), {"prefect.deployments.steps:git_clone": {"repository": OTHER}}]), 1),
        // So does a directory, a download, and what nobody knows.
        (json!([ours(), {SET_DIRECTORY: {"directory": "/opt/app"}}]), 1),
        (json!([ours(), {SET_DIRECTORY: {"directory": "{{ $WHERE }}"}}]), 1),
        (json!([ours(), {SET_DIRECTORY: {"directory": "{{ code.directory }}/../other"}}]), 1),
        (json!([ours(), {"prefect_gcp.deployments.steps.pull_from_gcs": {"bucket": "b"}}]), 1),
        (json!([ours(), {"acme.steps.fetch": {}}]), 1),
        (json!([{"acme.steps.fetch": {}}]), 0),
        (
            json!([{"acme.steps.fetch": {"id": "f"}}, {SET_DIRECTORY: {"directory": "{{ f.path }}"}}]),
            1,
        ),
        // A script changes the clone.
        (
            json!([ours(), {SHELL: {"script": "git checkout main", "directory": "{{ code.directory }}"}}]),
            1,
        ),
        (json!([ours(), {SHELL: {"script": "git -C {{ code.directory }} pull origin main"}}]), 1),
        (
            json!([ours(), {SHELL: {"script": "cd x && git reset --hard origin/main", "shell": true}}]),
            1,
        ),
    ] {
        let found = problems(&steps, None);
        assert_eq!(found.len(), 1, "{steps}");
        assert_eq!((found[0].0, found[0].1), ("pin_void", Some(at)), "{steps}");
    }
}

#[test]
fn a_run_that_ends_in_our_clone_is_not_void_whatever_comes_before() {
    let ours = || json!({GIT_CLONE: {"repository": URL, "id": "code"}});
    let back = || json!({SET_DIRECTORY: {"directory": "{{ code.directory }}"}});
    for steps in [
        json!([{GIT_CLONE: {"repository": OTHER}}, ours()]),
        json!([ours(), {GIT_CLONE: {"repository": OTHER}}, back()]),
        json!([ours(), {"acme.steps.fetch": {}}, back()]),
        json!([{SET_DIRECTORY: {"directory": "/srv"}}, ours()]),
        json!([ours(), {"prefect_aws.deployments.steps.push_to_s3": {}}]),
        json!([ours(), {SHELL: {"script": "git -C /opt/other pull\ngit submodule update --init"}}]),
        json!([ours(), {SHELL: {"script": "git pull"}}]),
        json!([{SET_DIRECTORY: {"directory": "/srv"}}, ours(), {SET_DIRECTORY: {"directory": "/srv/flows-v1"}}]),
        json!([ours(), {SET_DIRECTORY: {"directory": "{{ code.directory }}/a/../b"}},
               {SET_DIRECTORY: {"directory": ".."}}]),
    ] {
        let RunStart::Clone { directory, .. } = clean(&steps).start else { panic!("{steps}") };
        assert_eq!(directory, "", "{steps}");
    }
}

#[test]
fn a_clone_keeps_the_name_of_its_directory_where_a_later_step_names_it() {
    let main = || json!({GIT_CLONE: {"repository": URL, "branch": "main"}});
    for user in [
        json!({SET_DIRECTORY: {"directory": "flows-main/teams"}}),
        json!({REQUIREMENTS: {"directory": "./flows-main"}}),
        json!({SHELL: {"script": "pip install -e flows-main"}}),
        json!({"acme.steps.prepare": {"paths": ["flows-main/x"]}}),
    ] {
        let steps = json!([main(), user]);
        let named = pull(&steps, tag(), Some("3.8.8"));
        assert_eq!(named.steps[0][GIT_CLONE]["clone_directory_name"], "flows-main", "{user}");
        // An older Prefect does not know it, and a commit needs a directory of its own.
        for pulled in [
            pull(&steps, tag(), Some("3.4.0")),
            pull(&steps, at(CheckOut::Commit("0a1b")), Some("3.8.8")),
        ] {
            let is_name = |one: &PullProblem| matches!(one.error, PullError::DirectoryName { .. });
            assert!(pulled.problems.iter().any(is_name), "{user}");
        }
    }
    let steps = json!([main(), {SET_DIRECTORY: {"directory": "flows-main/teams"}}]);
    assert_eq!(pull(&steps, tag(), None).start, in_clone("teams", Some(0)));
    for user in [
        json!({SET_DIRECTORY: {"directory": "{{ directory }}/flows-mainly"}}),
        json!({SHELL: {"script": "echo main"}}),
    ] {
        let pulled = pull(&json!([main(), user]), tag(), None);
        assert_eq!(pulled.steps[0][GIT_CLONE].get("clone_directory_name"), None, "{user}");
    }
}

#[test]
fn a_commit_has_a_directory_of_its_own() {
    let steps =
        json!([{GIT_CLONE: {"repository": URL, "branch": "main", "clone_directory_name": "x"}}]);
    let commit = at(CheckOut::Commit("0a1b"));
    let pulled = pull(&steps, commit, None);
    let expected =
        json!({"repository": URL, "clone_directory_name": "x-0a1b", "commit_sha": "0a1b"});
    assert_eq!(pulled.steps[0][GIT_CLONE], expected);
    assert_eq!(step(&commit)[GIT_CLONE]["clone_directory_name"], "flows-0a1b");
}

#[test]
fn no_secret_is_registered() {
    for inputs in [
        json!({"repository": URL, "access_token": "hunter2"}),
        json!({"repository": "https://me:hunter2@git.example.com/data/flows.git"}),
        json!({"repository": "https://me:hunter2@git.example.com/data/other.git",
               "access_token": "{{ prefect.blocks.secret.t }}"}),
    ] {
        let problems = pull(&json!([{GIT_CLONE: inputs}]), tag(), None).problems;
        assert!(problems.iter().any(|one| one.error == PullError::Secret));
    }
}

#[test]
fn access_of_the_settings_is_for_clones_that_name_none() {
    let clone = GitClone { access: Some(("access_token", "{{ $T }}")), ..tag() };
    let steps = json!([
        {GIT_CLONE: {"repository": URL}},
        {GIT_CLONE: {"repository": URL, "credentials": "{{ prefect.blocks.x.y }}"}},
    ]);
    let steps = pull(&steps, clone, None).steps;
    assert_eq!(steps[0][GIT_CLONE]["access_token"], "{{ $T }}");
    assert_eq!(steps[1][GIT_CLONE].get("access_token"), None);
}

#[test]
fn submodules_are_cloned_at_a_tag_and_refused_at_a_commit() {
    let clone = GitClone { submodules: true, ..tag() };
    assert_eq!(step(&clone)[GIT_CLONE]["include_submodules"], true);
    let without = json!([{GIT_CLONE: {"repository": URL}}]);
    assert_eq!(pull(&without, clone, None).without_submodules, [0]);
    let with = json!([{GIT_CLONE: {"repository": URL, "include_submodules": true}}]);
    assert_eq!(pull(&with, clone, None).without_submodules, [0; 0]);
    let commit = GitClone { submodules: true, ..at(CheckOut::Commit("0a")) };
    for pulled in [
        pull(&with, commit, None),
        pull(&json!([{SHELL: {"script": "ls"}}]), commit, None),
        PinnedSteps::default(&commit),
    ] {
        assert!(pulled.problems.iter().any(|one| one.error == PullError::Submodules));
    }
}

#[test]
fn what_makes_every_run_fail_is_an_error_at_its_place() {
    let one = |inputs: Value| json!([{GIT_CLONE: inputs}]);
    let step_error =
        |input: Option<&str>| vec![("pull_steps", Some(0), input.map(ToOwned::to_owned))];
    for (steps, input) in [
        (json!([{"prefect.deployments.steps.git_clon": {"repository": URL}}]), None),
        (json!([{"prefect.projects.steps.git_clone_project": {"repository": URL}}]), None),
        (json!([{"prefect.deployment.steps.git_clone": {"repository": URL}}]), None),
        (one(json!({"repository": URL, "brunch": "x"})), Some("brunch")),
        (one(json!({"repository": URL, "directories": "a"})), Some("directories")),
        (
            one(json!({"repository": URL, "access_token": "{{ $A }}", "credentials": "{{ $B }}"})),
            Some("credentials"),
        ),
        (json!([{SET_DIRECTORY: {"directory": "{{ clone.directory }}"}}]), Some("directory")),
        (json!([{SHELL: null}]), None),
        (json!([{SHELL: {"directory": "/x"}}]), None),
    ] {
        let found = problems(&steps, Some("3.8.8"));
        let found: Vec<_> = found.into_iter().filter(|one| one.0 == "pull_steps").collect();
        assert_eq!(found, step_error(input), "{steps}");
    }
    for (steps, version, is_fault) in [
        (one(json!({"repository": URL, "directories": ["a"]})), "3.1.10", true),
        (one(json!({"repository": URL, "directories": ["a"]})), "3.1.11", false),
        (
            json!([{"prefect.deployments.steps.git_clone_project": {"repository": URL}}]),
            "3.0.0",
            true,
        ),
        (
            json!([{"prefect.deployments.steps.git_clone_project": {"repository": URL}}]),
            "2.20.25",
            false,
        ),
        (
            json!([{"prefect.deployments.steps.pull.agit_clone": {"repository": URL}}]),
            "3.1.6",
            true,
        ),
        (
            json!([{"prefect.deployments.steps.pull.agit_clone": {"repository": URL}}]),
            "3.1.7",
            false,
        ),
    ] {
        assert_eq!(!problems(&steps, Some(version)).is_empty(), is_fault, "{steps} {version}");
    }
}

#[test]
fn outputs_of_earlier_steps_may_be_named_and_no_others() {
    let clone = || json!({GIT_CLONE: {"repository": URL, "id": "clone"}});
    let shell = |text: &str| json!({SHELL: {"script": text, "id": "out"}});
    for (text, is_fault) in [
        ("echo {{ clone.directory }} {{ directory }}", false),
        ("echo {{ clone.path }}", true),
        ("echo {{ clon.directory }}", true),
        ("echo {{ out.stdout }}", true),
        ("echo {{ stdout }}", true),
        // A variable of the worker's environment, an output of a build step, what a worker fills in.
        ("echo {{ HOME }} {{ image.name }} {{ ctx.flow_run.id }} {{ $X }}", false),
        ("echo {{ prefect.blocks.secret.x }} {{ prefect.variables.y }}", false),
    ] {
        let found = problems(&json!([clone(), shell(text)]), None);
        assert_eq!(!found.is_empty(), is_fault, "{text} {found:?}");
    }
}

#[test]
fn what_the_steps_need_from_the_commit_is_known() {
    let steps = json!([
        {GIT_CLONE: {"repository": URL, "id": "clone"}},
        {REQUIREMENTS: {"directory": "{{ clone.directory }}", "requirements_file": "deploy/requirements.txt"}},
        {REQUIREMENTS: {}},
        {SET_DIRECTORY: {"directory": "{{ clone.directory }}/teams"}},
        {REQUIREMENTS: {}},
    ]);
    let needs: Vec<_> =
        clean(&steps).needs.into_iter().map(|one| (one.step, one.path, one.is_directory)).collect();
    assert_eq!(
        needs,
        [
            (Some(1), "deploy/requirements.txt".to_owned(), false),
            (Some(3), "teams".to_owned(), true),
            (Some(4), "teams/requirements.txt".to_owned(), false),
            (Some(3), "teams".to_owned(), true),
        ]
    );
}

#[test]
fn an_older_prefect_changes_into_a_relative_directory_twice() {
    let steps = json!([
        {GIT_CLONE: {"repository": URL, "id": "clone"}},
        {SET_DIRECTORY: {"directory": "{{ clone.directory }}/teams"}},
    ]);
    for version in ["2.20.25", "3.4.18"] {
        let problems = pull(&steps, tag(), Some(version)).problems;
        let twice = PullError::ChangedTwice { version: version.to_owned() };
        assert!(
            problems.iter().any(|one| one.step == Some(1) && one.error == twice),
            "{problems:?}"
        );
    }
    let absolute = json!([
        {SET_DIRECTORY: {"directory": "/srv"}},
        {GIT_CLONE: {"repository": URL}},
        {SET_DIRECTORY: {"directory": "/srv/flows-v1/teams"}},
    ]);
    assert_eq!(pull(&absolute, tag(), Some("2.20.25")).problems, []);
    assert_eq!(pull(&steps, tag(), Some("3.4.19")).start, in_clone("teams", Some(0)));
}

#[test]
fn a_sparse_clone_has_files_of_its_directories_and_of_those_above() {
    let listed = ["flows/teams".to_owned(), "lib/".to_owned()];
    for file in ["x.py", "flows/x.py", "flows/teams/x.py", "flows/teams/a/x.py", "lib/x.py"] {
        assert!(has_file(&listed, file), "{file}");
    }
    for file in ["other/x.py", "flows/more/x.py", "flows2/x.py", "libx/x.py"] {
        assert!(!has_file(&listed, file), "{file}");
    }
}
