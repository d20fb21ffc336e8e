//! Bad input: a clear error, the right exit code, and everything else still registered.

use std::fmt::Write;

use crate::support::{Flowreg, TestRepository};

const GOOD: &str = "from prefect import flow\n\n\n@flow\ndef good(days: int = 1):\n    ...\n";

/// A tagged repository with one good flow and these files.
fn repository_with(files: &[(&str, &str)]) -> TestRepository {
    let repository = TestRepository::empty();
    repository.write("flows/good.py", GOOD);
    for (path, content) in files {
        repository.write(path, content);
    }
    repository.commit("add the flows");
    repository.git(&["tag", "v1.0.0"]);
    repository
}

fn is_registered(flowreg: &Flowreg, flow: &str) -> bool {
    let list = flowreg.json(&["list"], 0);
    list["registrations"].as_array().unwrap().iter().any(|one| one["flow"] == flow)
}

#[test]
fn a_file_that_does_not_parse_fails_alone() {
    let broken = "from prefect import flow\n\n@flow\ndef broken(:\n    ...\n";
    let repository = repository_with(&[("flows/broken.py", broken)]);
    let flowreg = Flowreg::in_repository(&repository);
    let run = flowreg.run(&["register"]);
    assert_eq!(run.code, 8, "{run:?}");
    assert!(run.stdout.contains("  failed     flows/broken.py:4:12: "), "{}", run.stdout);
    assert!(run.stderr.contains("def broken(:"), "{}", run.stderr);
    assert!(is_registered(&flowreg, "good"));
    let json = flowreg.json(&["flows"], 8);
    assert_eq!(json["errors"][0]["code"], "syntax");
    assert_eq!(json["errors"][0]["line"], 4);
}

#[test]
fn nothing_but_a_file_that_does_not_parse_is_exit_code_five() {
    let repository = TestRepository::empty();
    repository.write("broken.py", "from prefect import flow\n@flow\ndef broken(:\n");
    repository.commit("broken");
    repository.git(&["tag", "v1"]);
    let flowreg = Flowreg::in_repository(&repository);
    assert_eq!(flowreg.run(&["register"]).code, 5);
    assert_eq!(flowreg.run(&["flows"]).code, 5);
}

#[test]
fn two_flows_of_one_name_are_refused_with_both_entrypoints() {
    let twin = "from prefect import flow\n\n@flow(name=\"twin\")\ndef one():\n    ...\n";
    let repository =
        repository_with(&[("flows/a.py", twin), ("flows/b.py", &twin.replace("one", "two"))]);
    let flowreg = Flowreg::in_repository(&repository);
    let run = flowreg.run(&["register"]);
    assert_eq!(run.code, 8, "{run:?}");
    let all = format!("{}{}", run.stdout, run.stderr);
    assert!(all.contains("flows/a.py:one") && all.contains("flows/b.py:two"), "{all}");
    assert!(is_registered(&flowreg, "good"));
    assert!(!is_registered(&flowreg, "twin"));
    assert_eq!(flowreg.json(&["flows"], 8)["errors"][0]["code"], "duplicate");
}

#[test]
fn a_flow_name_with_a_slash_is_refused() {
    let slash = "from prefect import flow\n\n@flow(name=\"a/b\")\ndef one():\n    ...\n";
    let repository = repository_with(&[("flows/a.py", slash)]);
    let flowreg = Flowreg::in_repository(&repository);
    let run = flowreg.run(&["register"]);
    assert_eq!(run.code, 8, "{run:?}");
    assert!(run.stdout.contains("flows/a.py:"), "{}", run.stdout);
    assert!(run.stdout.contains("a/b"), "{}", run.stdout);
    assert!(is_registered(&flowreg, "good"));
}

#[test]
fn an_unknown_flow_names_the_nearest_one() {
    let repository = repository_with(&[]);
    let run = Flowreg::in_repository(&repository).run(&["register", "goood"]);
    assert_eq!(run.code, 2);
    assert_eq!(run.stderr, "error: no flow matches `goood`\nhint: did you mean `good`?\n");
}

#[test]
fn a_directory_without_a_repository_is_exit_code_four() {
    let directory = tempfile::tempdir().unwrap();
    let flowreg = Flowreg::in_directory(directory.path(), directory.path());
    let json = flowreg.json(&["register"], 4);
    assert_eq!(json["error"]["code"], "not_a_repository");
}

#[test]
fn a_server_needs_a_remote() {
    let repository = repository_with(&[]);
    let flowreg =
        Flowreg::in_repository(&repository).env("PREFECT_API_URL", "http://127.0.0.1:9/api");
    let json = flowreg.json(&["register"], 4);
    assert_eq!(json["error"]["code"], "no_remote");
}

#[test]
fn an_unknown_key_is_exit_code_three_with_line_and_column() {
    let repository = repository_with(&[("flowreg.toml", "[repository]\nremot = \"origin\"\n")]);
    let run = Flowreg::in_repository(&repository).run(&["register"]);
    assert_eq!(run.code, 3);
    assert_eq!(
        run.stderr,
        "error: flowreg.toml:2:1: unknown key `remot`\nhint: did you mean `remote`?\n"
    );
}

#[test]
fn a_mistake_in_the_configuration_is_exit_code_three_in_every_command() {
    for (text, told) in [
        ("[repository]\nremot = \"origin\"\n", "flowreg.toml:2:1: unknown key `remot`"),
        ("[repository]\nremote = \"a b\"\n", "flowreg.toml:2:10: "),
        (
            "[repository]\nmainline = [\"main\", \"release/[\"]\n",
            "flowreg.toml:2:21: `release/[` is",
        ),
        ("[repository]\nuntagged = \"ask\"\n", "flowreg.toml:2:12: `ask` is not one of "),
        ("[flows]\ninclude = \"flows\"\n", "flowreg.toml:2:11: "),
        ("[flows]\nexclude = [\"{a\"]\n", "flowreg.toml:2:12: `{a` is not a glob: "),
        ("[manifest]\nfiles = [\"teams/[\"]\n", "flowreg.toml:2:10: `teams/[` is not a glob: "),
        ("[flow.good]\nschedules = [{ cron = \"daily\" }]\n", "flowreg.toml:2:14: "),
        ("not toml\n", "flowreg.toml:1:5: "),
    ] {
        let repository = repository_with(&[("flowreg.toml", text)]);
        let flowreg = Flowreg::in_repository(&repository);
        for command in [
            &["register"][..],
            &["plan"],
            &["flows"],
            &["list"],
            &["prune"],
            &["reference"],
            &["tag", "--print", "--offline"],
        ] {
            let run = flowreg.run(command);
            assert_eq!(run.code, 3, "{command:?}: {run:?}");
            assert!(run.stderr.contains(told), "{run:?}");
        }
    }
}

#[test]
fn a_wrong_type_is_exit_code_three_with_line_and_column() {
    let repository = repository_with(&[("flowreg.toml", "[mainline]\ntags = \"prod\"\n")]);
    let run = Flowreg::in_repository(&repository).run(&["register"]);
    assert_eq!(run.code, 3);
    assert!(run.stderr.starts_with("error: flowreg.toml:2:8: "), "{}", run.stderr);
}

#[test]
fn a_literal_token_is_refused_and_never_shown() {
    let text = "[repository]\naccess_token = \"ghp_Vb7s3cret\"\n";
    let repository = repository_with(&[("flowreg.toml", text)]);
    let run = Flowreg::in_repository(&repository).run(&["register", "-v"]);
    assert_eq!(run.code, 3);
    assert!(!format!("{run:?}").contains("s3cret"));
}

#[test]
fn prefect_without_an_address_is_exit_code_three() {
    let repository = repository_with(&[]);
    let run = Flowreg::in_repository(&repository).run(&["register", "--target", "prefect"]);
    assert_eq!(run.code, 3, "{run:?}");
    assert!(run.stderr.contains("PREFECT_API_URL"), "{}", run.stderr);
}

#[test]
fn a_usage_error_is_json_when_json_is_asked_for() {
    let repository = repository_with(&[]);
    let json = Flowreg::in_repository(&repository).json(&["register", "--nonsense"], 2);
    assert_eq!(json["error"]["code"], "usage");
}

/// A token in the remote's URL must reach neither the database, nor the output.
#[test]
fn credentials_in_the_remotes_url_are_stripped_everywhere() {
    let repository = repository_with(&[]);
    repository.git(&[
        "remote",
        "add",
        "origin",
        "https://bot:Vb7s3cret@git.example.com/data/flows.git",
    ]);
    let flowreg = Flowreg::in_repository(&repository);
    let mut seen = String::new();
    for arguments in [
        &["register", "-v"][..],
        &["register", "--format", "json"],
        &["plan", "-v"],
        &["list", "--format", "json"],
        &["reference", "--explain", "--format", "json"],
        &["register", "--tag", "v9"],
    ] {
        let _ = write!(seen, "{:?}", flowreg.run(arguments));
    }
    assert!(seen.contains("https://git.example.com/data/flows.git"), "{seen}");
    assert!(!seen.contains("s3cret"), "{seen}");
    let store = repository.root().join(".git/flowreg");
    for entry in std::fs::read_dir(store).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"s3cret"));
    }
}

#[test]
fn a_ci_build_without_a_server_is_exit_code_three() {
    let repository = TestRepository::empty();
    repository.write("etl.py", "from prefect import flow\n\n\n@flow\ndef etl():\n    ...\n");
    repository.commit("etl");
    repository.add_bare_remote("origin");
    repository.git(&["push", "-q", "origin", "main"]);
    let flowreg = |variables: &[(&str, &str)]| {
        variables.iter().fold(Flowreg::in_repository(&repository), |flowreg, (name, value)| {
            flowreg.env(name, value)
        })
    };
    // Also where the reference would be refused: main has no tag.
    let untagged = flowreg(&[("CI", "true")]).run(&["register"]);
    assert_eq!(untagged.code, 3, "{untagged:?}");
    let actions = [("GITHUB_ACTIONS", "true"), ("PREFECT_API_URL", "")];
    for (variables, told) in [
        (
            &[("CI", "true")][..],
            "no server is configured in this build: PREFECT_API_URL is not set",
        ),
        (
            &actions,
            "no server is configured in this build of GitHub Actions: PREFECT_API_URL is blank",
        ),
        (
            &[("TF_BUILD", "True")],
            "no server is configured in this build of Azure DevOps: PREFECT_API_URL is not set",
        ),
    ] {
        for command in [
            &["plan", "--untagged", "branch"][..],
            &["register", "--untagged", "branch"],
            &["list"],
            &["tag", "--register"],
        ] {
            let error = &flowreg(variables).json(command, 3)["error"];
            assert_eq!(error["code"], "configuration", "{command:?}: {error}");
            assert_eq!(error["message"], told, "{command:?}");
            assert!(error["hints"].to_string().contains("--target local"), "{error}");
        }
    }
    // To wait for the next commit would not bring a server.
    let arguments = ["register", "--watch", "--untagged", "branch"];
    let mut watch = flowreg(&[("CI", "true")]).command(&arguments).spawn().unwrap();
    let ended = (0..200).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        watch.try_wait().unwrap()
    });
    if ended.is_none() {
        watch.kill().unwrap();
        watch.wait().unwrap();
    }
    assert_eq!(ended.and_then(|status| status.code()), Some(3));
    // No tag was made that nothing is registered at.
    assert_eq!(repository.git(&["tag", "--list"]), "");
    for variables in [&[("CI", "false")][..], &[("BRANCH_NAME", "main")]] {
        flowreg(variables).json(&["register", "--untagged", "branch"], 0);
    }
    let ci = flowreg(&[("CI", "true")]);
    ci.json(&["--target", "local", "register", "--untagged", "branch"], 0);
    // What needs no target says what it knows.
    for command in [&["reference", "--untagged", "branch"][..], &["flows", "--untagged", "branch"]]
    {
        ci.json(command, 0);
    }
    repository.write("flowreg.toml", "target = \"local\"\n");
    repository.commit("on purpose");
    ci.json(&["register", "--untagged", "branch"], 0);
}

#[test]
fn a_hint_is_the_users_own_command_line_quoted_for_the_shell() {
    let repository = TestRepository::empty();
    let remote = repository.add_bare_remote("origin");
    repository.write("flows/etl.py", "from prefect import flow\n\n\n@flow\ndef etl(): ...\n");
    repository.commit("a flow");
    repository.git(&["tag", "v1.0.0"]);
    repository.git(&["push", "-q", "origin", "main", "v1.0.0"]);
    repository.git(&["switch", "-qc", "feat/`id`&x"]);
    let flowreg = Flowreg::in_repository(&repository);
    let hints = |arguments: &[&str]| {
        let run = flowreg.run(arguments);
        assert_ne!(run.code, 0, "{run:?}");
        let hints = run.stderr.lines().filter_map(|line| line.strip_prefix("hint: "));
        hints.map(str::to_owned).collect::<Vec<_>>()
    };
    let misspelt = ["plan", "e*", "--tag", "v1.0.O", "--all"];
    assert_eq!(hints(&misspelt)[0], "flowreg plan 'e*' --all --tag v1.0.0");
    let branch = ["-C", ".", "register", "--branch=feat/`id`&y"];
    assert_eq!(hints(&branch)[0], "flowreg -C . register --branch 'feat/`id`&x'");
    // What is to be typed goes through a shell as it is.
    let server =
        Flowreg::in_repository(&repository).env("PREFECT_API_URL", "http://127.0.0.1:9/api");
    let run = server.run(&["register"]);
    let hint = run.stderr.lines().find_map(|line| line.strip_prefix("hint: ")).unwrap();
    assert_eq!(hint, "git push -u origin 'feat/`id`&x'");
    let done = std::process::Command::new("sh")
        .args(["-c", hint])
        .current_dir(repository.root())
        .status()
        .unwrap();
    assert!(done.success());
    let there = repository.git_in(&remote, &["branch", "--list"]);
    assert!(there.contains("feat/`id`&x"), "{there}");
}
