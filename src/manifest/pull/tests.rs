use super::*;

const URL: &str = "https://git.example.com/data/flows.git";
const SHORT: &str = "git@git.example.com:data/flows";
const OTHER: &str = "https://git.example.com/data/lib.git";
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
        {"prefect.deployments.steps.pull.git_clone": {"repository": URL, "commit_sha": "abc", "directories": ["a"], "clone_directory_name": "sparse"}},
        {SET_DIRECTORY: {"directory": "{{ code.directory }}/teams/a"}},
    ]);
    let pulled = clean(&steps);
    assert_eq!(
        json!(pulled.steps),
        json!([
            {GIT_CLONE: {"repository": SHORT, "branch": "v1", "id": "code"}},
            {GIT_CLONE: {"repository": OTHER, "branch": "main"}},
            {"prefect.deployments.steps.pull.git_clone": {"repository": URL, "directories": ["a"], "clone_directory_name": "sparse", "branch": "v1"}},
            {SET_DIRECTORY: {"directory": "{{ code.directory }}/teams/a"}},
        ])
    );
    assert_eq!(pulled.start, in_clone("teams/a", Some(0)));
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
        (
            json!([ours(), {"prefect_gcp.deployments.steps.pull_from_gcs": {"bucket": "b", "folder": "f"}}]),
            1,
        ),
        (json!([ours(), {"acme.steps.fetch": {}}]), 1),
        (json!([{"acme.steps.fetch": {}}]), 0),
        (
            json!([{"acme.steps.fetch": {"id": "f"}}, {SET_DIRECTORY: {"directory": "{{ f.path }}"}}]),
            1,
        ),
        // A script changes the clone, or may.
        (
            json!([ours(), {SHELL: {"script": "rm -rf flows-v1\ngit clone -q -b main https://h/flows.git flows-v1"}}]),
            1,
        ),
        (
            json!([ours(), {SHELL: {"script": "git clone -q https://h/flows.git m\ncp -r m/. flows-v1"}}]),
            1,
        ),
        (
            json!([ours(), {SHELL: {"script": "git -C o archive HEAD | tar x -C flows-v1", "shell": true}}]),
            1,
        ),
        (
            json!([ours(), {SHELL: {"script": "cp -r ../m/flows .", "directory": "{{ code.directory }}"}}]),
            1,
        ),
        (json!([ours(), {SHELL: {"script": "git -C $PWD/flows-v1 reset --hard FETCH_HEAD"}}]), 1),
        (json!([ours(), {SHELL: {"script": "git -C $D pull", "env": {"D": "flows-v1"}}}]), 1),
        (
            json!([ours(), {SHELL: {"script": "git -C $D pull", "env": {"D": "{{ code.directory }}"}}}]),
            1,
        ),
        (json!([ours(), {SHELL: {"script": "git -C $SOMEWHERE pull"}}]), 1),
        // Prefect would pull into the clone of the script, whose name the step keeps.
        (
            json!([{SHELL: {"script": "git clone -q https://h/flows.git"}},
                   {GIT_CLONE: {"repository": URL}}, {REQUIREMENTS: {"directory": "flows"}}]),
            0,
        ),
        (
            json!([ours(), {SHELL: {"script": "git checkout main", "directory": "{{ code.directory }}"}}]),
            1,
        ),
        (json!([ours(), {SHELL: {"script": "git -C {{ code.directory }} pull origin main"}}]), 1),
        (
            json!([ours(), {SHELL: {"script": "cd flows-v1 && git reset --hard origin/main", "shell": true}}]),
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
        json!([ours(), {SHELL: {"script": "git -C $D pull", "env": {"D": "/opt/other"}}}]),
        json!([ours(), {SHELL: {"script": "echo \"git -C flows-v1 checkout main\"; cd /tmp/o && git pull", "shell": true}}]),
        json!([ours(), {SHELL: {"script": "git stash list\ngit apply --check x\ngit clean -fdX\ngit reset -- x",
                                "directory": "{{ code.directory }}"}}]),
        json!([{SHELL: {"script": "rm -rf flows-v1"}}, ours()]),
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
            pull(&steps, tag(), Some("3.4.19")),
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
fn the_directory_of_a_clone_without_a_branch_is_known_by_its_bare_name() {
    let clone = || json!({GIT_CLONE: {"repository": URL, "id": "clone"}});
    let null =
        json!({GIT_CLONE: {"repository": URL, "branch": "main", "clone_directory_name": null}});
    for (first, user) in [
        (clone(), json!({SET_DIRECTORY: {"directory": "flows"}})),
        (clone(), json!({REQUIREMENTS: {"directory": "flows"}})),
        (clone(), json!({REQUIREMENTS: {"requirements_file": "flows/requirements.txt"}})),
        (clone(), json!({SHELL: {"script": "ls", "directory": "flows"}})),
        (clone(), json!({SHELL: {"script": "make -C flows"}})),
        (clone(), json!({SHELL: {"script": "x", "env": {"PYTHONPATH": "flows/lib"}}})),
        (
            json!({GIT_CLONE: {"repository": URL, "commit_sha": "0a1b"}}),
            json!({SET_DIRECTORY: {"directory": "flows"}}),
        ),
        (null, json!({SET_DIRECTORY: {"directory": "flows-main"}})),
    ] {
        let pulled = pull(&json!([first, user]), tag(), Some("3.8.8"));
        assert_eq!(pulled.problems, [], "{user}");
        let name = if user.to_string().contains("flows-main") { "flows-main" } else { "flows" };
        assert_eq!(pulled.steps[0][GIT_CLONE]["clone_directory_name"], name, "{user}");
        assert_eq!(pulled.start, in_clone("", Some(0)), "{user}");
    }
    // A directory `flows` within the clone is another one.
    for user in [
        json!({SHELL: {"script": "ls flows-v1/flows/etl.py"}}),
        json!({SHELL: {"script": "ls flows/etl.py", "directory": "{{ clone.directory }}"}}),
        json!({SHELL: {"script": "cd {{ clone.directory }} && ls flows/etl.py", "shell": true}}),
        json!({SHELL: {"script": "pip install flows"}}),
        json!({REQUIREMENTS: {"directory": "{{ clone.directory }}/flows"}}),
    ] {
        let pulled = clean(&json!([clone(), user]));
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
        assert!(problems.iter().any(|one| matches!(one.error, PullError::Secret(_))));
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
        (json!([{SHELL: {"script": ["a"]}}]), Some("script")),
        (json!([{SHELL: {"script": 5}}]), Some("script")),
        (json!([{SHELL: {"script": "ls", "env": ["a"]}}]), Some("env")),
        (json!([{SHELL: {"script": "ls", "env": {"A": 1}}}]), Some("env")),
        (json!([{SHELL: {"script": "ls", "id": ["a"]}}]), Some("id")),
        (json!([{SHELL: {"script": "ls", "requires": {"a": 1}}}]), Some("requires")),
        (
            json!([{REQUIREMENTS: {"requirements_file": 5, "directory": "x"}}]),
            Some("requirements_file"),
        ),
        (json!([{SHELL: {"script": "echo it's"}}]), Some("script")),
        (json!([{SHELL: {"script": "ls", "id": "directory"}}]), Some("id")),
        (one(json!({"repository": URL, "clone_directory_name": 5})), Some("clone_directory_name")),
        (
            one(json!({"repository": URL, "clone_directory_name": "/abs"})),
            Some("clone_directory_name"),
        ),
        (one(json!({"repository": URL, "directories": ["/flows"]})), Some("directories")),
        (one(json!({"repository": URL, "directories": ["flows/*"]})), Some("directories")),
        (one(json!({"repository": URL, "directories": ["a/../.."]})), Some("directories")),
        (json!([{"prefect_aws.deployments.steps.pull_from_s3": {"bucket": "b"}}]), None),
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
        ("echo {{ dotted.id.directory }}", true),
        // A variable of the worker's environment, an output of a build step, what a worker fills in.
        ("echo {{ HOME }} {{ image.name }} {{ ctx.flow_run.id }} {{ $X }}", false),
        ("echo {{ prefect.blocks.secret.x }} {{ prefect.variables.y }}", false),
    ] {
        let dotted = json!({SET_DIRECTORY: {"directory": ".", "id": "dotted.id"}});
        let back = json!({SET_DIRECTORY: {"directory": "{{ clone.directory }}"}});
        let found = problems(&json!([clone(), dotted, back, shell(text)]), None);
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
    let needs: Vec<_> = clean(&steps)
        .needs
        .into_iter()
        .map(|one| (one.step, one.path, one.kind == NeededKind::Directory))
        .collect();
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
        let twice = PullError::ChangedTwice { version: version.to_owned(), is_superfluous: true };
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
    let listed = ["./flows/teams".to_owned(), "lib/".to_owned()];
    for file in ["x.py", "flows/x.py", "flows/teams/x.py", "flows/teams/a/x.py", "lib/x.py"] {
        assert!(has_file(&listed, file), "{file}");
    }
    for file in ["other/x.py", "flows/more/x.py", "flows2/x.py", "libx/x.py"] {
        assert!(!has_file(&listed, file), "{file}");
    }
}

#[test]
fn two_urls_can_not_be_cloned_into_one_directory() {
    let steps = json!([
        {GIT_CLONE: {"repository": "https://mirror.example.com/flows.git", "branch": "v1"}},
        {GIT_CLONE: {"repository": URL, "branch": "main"}},
    ]);
    let problems = pull(&steps, tag(), None).problems;
    let is_same = |one: &PullProblem| matches!(one.error, PullError::SameDirectory { .. });
    assert!(problems.iter().any(|one| one.step == Some(1) && is_same(one)), "{problems:?}");
    let steps =
        json!([{GIT_CLONE: {"repository": URL}}, {GIT_CLONE: {"repository": URL, "branch": "x"}}]);
    assert_eq!(pull(&steps, tag(), None).problems, []);
}

#[test]
fn what_is_worth_knowing_is_told() {
    let ours = || json!({GIT_CLONE: {"repository": URL, "id": "clone"}});
    for (step, is_told) in [
        (json!({REQUIREMENTS: {}}), true),
        (json!({REQUIREMENTS: {"requirements_file": "requirements.txt"}}), true),
        (json!({REQUIREMENTS: {"requirements_file": "/opt/requirements.txt"}}), false),
        (json!({REQUIREMENTS: {"directory": "{{ clone.directory }}"}}), false),
        (json!({REQUIREMENTS: {"requirements_file": "flows-v1/requirements.txt"}}), false),
        (json!({SHELL: {"script": "sed -i s/a/b/ flows-v1/etl.py"}}), true),
        (json!({SHELL: {"script": "sed -i s/a/b/ flows-v1/config.yaml"}}), false),
    ] {
        let pulled = clean(&json!([ours(), step]));
        assert_eq!(pulled.remarks.len(), usize::from(is_told), "{step} {:?}", pulled.remarks);
    }
}

/// The hints about the way back to the clone.
fn ways_back(steps: &Value, version: Option<&str>) -> Vec<WayBack> {
    let problems = pull(steps, tag(), version).problems;
    let ways = problems.into_iter().filter_map(|one| match one.error {
        PullError::PinVoid { way_back, .. } => way_back,
        _ => None,
    });
    ways.collect()
}

#[test]
fn the_way_back_to_the_clone_is_one_that_works() {
    let ours = || json!({GIT_CLONE: {"repository": URL}});
    let set = |directory: &str| json!({SET_DIRECTORY: {"directory": directory}});
    let output =
        || DirectoryOutput { template: "{{ clone.directory }}".to_owned(), needs_id: true };
    let last = || vec![WayBack::LastStep(output())];
    for (steps, version, ways) in [
        (json!([ours(), {GIT_CLONE: {"repository": OTHER}}]), None, last()),
        (json!([ours(), {"acme.steps.fetch": {}}]), None, last()),
        // From another directory the clone is not found by its name.
        (json!([ours(), set("/opt/app")]), None, vec![WayBack::CloneLast]),
        (json!([ours(), set("nowhere")]), None, vec![WayBack::Named(output())]),
        (
            json!([ours(), {GIT_CLONE: {"repository": OTHER}}]),
            Some("2.20.25"),
            vec![WayBack::CloneLast],
        ),
        (json!([ours(), {SHELL: {"script": "git -C flows-v1 pull"}}]), None, vec![]),
        (json!([ours(), {SHELL: {"script": "ls {{ directory }}"}}, set("/opt/app")]), None, vec![]),
    ] {
        assert_eq!(ways_back(&steps, version), ways, "{steps}");
    }
}
