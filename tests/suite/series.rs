//! One notion of the version in a tag: the pin of a mainline branch, the guard against downgrades,
//! `flowreg tag` and several packages at one commit.

use serde_json::Value;

use crate::support::Tagged;

const FLOW: &str = "from prefect import flow\n\n\n@flow\ndef NAME():\n    ...\n";

fn flow(name: &str) -> String {
    FLOW.replace("NAME", name)
}

/// A pushed repository with this `flowreg.toml`.
fn configured(toml: &str) -> Tagged {
    let tagged = Tagged::new();
    if !toml.is_empty() {
        tagged.repository.write("flowreg.toml", toml);
        tagged.push("chore: configure");
    }
    tagged
}

/// The settings that the hints of a second series show, as they are to be written.
fn proposed_settings(error: &Value) -> String {
    let hints = error["error"]["hints"].as_array().unwrap().iter();
    let hints: Vec<&str> = hints.map(|hint| hint.as_str().unwrap()).collect();
    let table = hints[0].split_once("in flowreg.toml under ").unwrap().1;
    let lines = hints[1..].iter().take_while(|hint| hint.contains(" = "));
    let lines: Vec<&str> =
        [table.trim_end_matches(':')].into_iter().chain(lines.copied()).collect();
    lines.join("\n") + "\n"
}

fn pinned(tagged: &Tagged) -> String {
    tagged.flowreg().json(&["reference"], 0)["reference"]["name"].as_str().unwrap().to_owned()
}

/// `flow tag outcome` of each registration.
fn registered(run: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let registrations = run["registrations"].as_array().unwrap().iter();
    let line = |one: &Value| {
        format!("{} {} {}", text(&one["flow"]), text(&one["tag"]), text(&one["outcome"]))
    };
    registrations.map(line).collect()
}

#[test]
fn mainline_is_pinned_to_the_highest_version_of_its_series() {
    let calver = "[tag]\nscheme = \"calver\"\nformat = \"YYYY.0M.MICRO\"\n";
    for (toml, tags, expected) in [
        ("", &["release-1.9.0", "release-1.10.0"][..], "release-1.10.0"),
        ("", &["2026.01.9", "2026.01.10"], "2026.01.10"),
        ("", &["v1.9", "v1.10"], "v1.10"),
        ("", &["v1.10.0", "nightly", "zulu", "latest"], "v1.10.0"),
        ("", &["etl2-v1.9.0", "etl2-v1.10.0"], "etl2-v1.10.0"),
        (calver, &["2026.01.9", "2026.01.10", "v9.0.0"], "2026.01.10"),
        (
            "[tag]\nprefix = \"release-\"\n",
            &["release-1.0.0", "v2.0.0", "docs-3.0.0"],
            "release-1.0.0",
        ),
    ] {
        let tagged = configured(toml);
        tags.iter().for_each(|tag| tagged.tag(tag));
        assert_eq!(pinned(&tagged), expected, "{toml} {tags:?}");
        // And the next version follows that one.
        let made = tagged.flowreg().json(&["tag", "--print"], 0);
        assert_eq!(made["tag"], expected, "{toml} {tags:?}");
    }
}

#[test]
fn a_tag_of_no_series_pins_nothing() {
    for (toml, tags) in [
        ("", &["latest", "nightly"][..]),
        ("[tag]\nprefix = \"v\"\n", &["docs-2.0.0", "1.4.2"]),
        ("[tag.package.flows]\n", &["v1.0.0"]),
    ] {
        let tagged = configured(toml);
        tags.iter().for_each(|tag| tagged.tag(tag));
        let error = tagged.flowreg().json(&["register"], 1);
        assert_eq!(error["error"]["code"], "untagged", "{toml}");
        let message = error["error"]["message"].as_str().unwrap();
        assert!(tags.iter().all(|tag| message.contains(tag)), "{message}");
    }
}

#[test]
fn two_series_that_fit_are_named_by_every_command() {
    let tagged = Tagged::new();
    tagged.tag("1.4.2");
    tagged.push("feat: more");
    tagged.tag("v1.5.0");
    for command in [&["register"][..], &["plan"], &["reference"], &["tag", "--print"], &["tag"]] {
        let error = tagged.flowreg().json(command, 3);
        assert_eq!(error["error"]["code"], "several_series", "{command:?}");
        let text = error["error"].to_string();
        for part in ["1.4.2", "v1.5.0", "[tag] prefix"] {
            assert!(text.contains(part), "{command:?} {text}");
        }
    }
    // A branch is not pinned, and whoever names a tag has said which.
    tagged.flowreg().json(&["register", "--tag", "v1.5.0"], 0);
    tagged.repository.write("flowreg.toml", "[tag]\nprefix = \"v\"\n");
    tagged.push("fix: one series");
    assert_eq!(tagged.print(&[]), "v1.5.1");
    tagged.run(&[]);
    assert_eq!(pinned(&tagged), "v1.5.1");
}

#[test]
fn the_guard_compares_within_a_series() {
    for (newer, older, code) in [
        ("etl2-v1.10.0", "etl2-v1.9.0", 1),
        ("k8s-1.10.0", "k8s-1.9.0", 1),
        ("v1.10", "v1.9", 1),
        ("2026.01.10", "2026.01.9", 1),
        ("v1.10.0", "v1.10.0-rc.1", 1),
        ("release-2", "release-1", 1),
        ("v1.10.0", "nightly", 1),
        ("1.2.0", "1.2.0rc1", 1),
        ("k8s-1.10.0", "etl2-v1.9.0", 0),
        ("nightly", "v1.0.0", 0),
    ] {
        let tagged = Tagged::new();
        tagged.tag(older);
        tagged.push("feat: more");
        tagged.tag(newer);
        let flowreg = tagged.flowreg();
        flowreg.json(&["register", "--tag", newer], 0);
        let back = flowreg.json(&["register", "--tag", older], code);
        let error = &back["registrations"][0]["error"];
        let expected = if code == 0 { Value::Null } else { "downgrade".into() };
        assert_eq!(error["code"], expected, "{newer} {older}");
    }
}

/// Three packages, of which the first two have a tag at HEAD.
fn packages() -> Tagged {
    let tagged = configured(
        "[tag.package.etl]\n[tag.package.ml]\nprefix = \"ml-\"\n[tag.package.web]\n\
         [repository]\nurl = \"https://git.example.com/data/flows.git\"\n",
    );
    tagged.repository.git(&["rm", "-q", "-r", "flows"]);
    for package in ["etl", "ml", "web"] {
        tagged.repository.write(&format!("{package}/flow.py"), flow(package));
    }
    tagged.push("feat: packages");
    tagged.tag("etl/v1.9.0");
    tagged.tag("etl/v1.10.0");
    tagged.tag("ml-2.0.0");
    tagged.tag("latest");
    tagged
}

#[test]
fn packages_at_one_commit_are_registered_in_one_run_each_at_its_tag() {
    let tagged = packages();
    let flowreg = tagged.flowreg();
    let run = flowreg.json(&["register"], 0);
    assert_eq!(registered(&run), ["etl etl/v1.10.0 created", "ml ml-2.0.0 created"]);
    assert_eq!(run["reference"]["name"], "etl/v1.10.0");
    assert_eq!(run["further"][0]["name"], "ml-2.0.0");
    let notices = run["notices"].to_string();
    assert!(
        notices
            .contains("web/default belongs to no package that etl/v1.10.0 and ml-2.0.0 stand for"),
        "{notices}"
    );
    assert_eq!(run["summary"]["left_out"], 1, "{run}");
    let screen = flowreg.screen(&["register"]);
    assert!(screen.contains("tags etl/v1.10.0 and ml-2.0.0 (active branch main)"), "{screen}");
    assert!(screen.contains("2 unchanged"), "{screen}");
    let held = flowreg.json(&["list"], 0);
    let held = held["registrations"].as_array().unwrap();
    let held: Vec<_> = held.iter().map(|one| (&one["flow"], &one["reference"])).collect();
    assert_eq!(held, [(&"etl".into(), &"etl/v1.10.0".into()), (&"ml".into(), &"ml-2.0.0".into())]);
    // A package's tag that is named stands for the package alone.
    let one = flowreg.json(&["register", "--tag", "ml-2.0.0"], 0);
    assert_eq!(registered(&one), ["ml - unchanged"]);
    // What is asked for is found, whichever package has it.
    let one = flowreg.json(&["register", "ml"], 0);
    assert_eq!(registered(&one), ["ml ml-2.0.0 unchanged"]);
}

#[test]
fn a_package_of_a_prefect_yaml_is_cloned_at_its_own_tag() {
    let tagged = packages();
    tagged.repository.write(
        "prefect.yaml",
        "deployments:\n- name: nightly\n  entrypoint: etl/flow.py:etl\n- name: nightly\n  \
         entrypoint: ml/flow.py:ml\n  pull:\n  - prefect.deployments.steps.git_clone:\n      \
         repository: https://git.example.com/data/flows.git\n      branch: main\n",
    );
    tagged.push("feat: deployments");
    tagged.tag("etl/v1.11.0");
    tagged.tag("ml-2.1.0");
    let plan = tagged.flowreg().json(&["register"], 0);
    assert_eq!(registered(&plan), ["etl etl/v1.11.0 created", "ml ml-2.1.0 created"]);
    let store = flowreg::store::Store::open(&tagged.repository.root().join(".git")).unwrap();
    let held = store.registrations().unwrap().into_iter();
    let cloned: Vec<(String, Value)> = held
        .map(|row| {
            let fields = serde_json::to_value(&row.fields).unwrap();
            let steps = fields["pull_steps"].as_array().unwrap();
            let clone = steps.iter().flat_map(|step| step.as_object().unwrap().values());
            (row.flow, clone.map(|inputs| inputs["branch"].clone()).collect())
        })
        .collect();
    let at = |flow: &str, tag: &str| (flow.to_owned(), serde_json::json!([tag]));
    assert_eq!(cloned, [at("etl", "etl/v1.11.0"), at("ml", "ml-2.1.0")]);
    let again = tagged.flowreg().json(&["register"], 0);
    assert_eq!(registered(&again), ["etl etl/v1.11.0 unchanged", "ml ml-2.1.0 unchanged"]);
}

#[test]
fn the_tag_of_the_whole_stands_for_what_no_package_at_the_commit_has() {
    let tagged = packages();
    let toml = tagged.repository.git(&["show", "HEAD:flowreg.toml"]);
    tagged.repository.write("flowreg.toml", format!("[tag]\nprefix = \"v\"\n{toml}"));
    tagged.push("feat: all of it");
    tagged.tag("etl/v1.11.0");
    tagged.tag("v3.0.0");
    let run = tagged.flowreg().json(&["register"], 0);
    let expected = ["etl etl/v1.11.0 created", "ml v3.0.0 created", "web v3.0.0 created"];
    assert_eq!(registered(&run), expected);
    assert_eq!(run["reference"]["name"], "v3.0.0");
}

#[test]
fn a_second_series_is_not_begun_by_accident() {
    for (toml, there, package, first, prefix) in [
        ("[tag]\nprefix = \"v\"\n", "1.4.2", None, "v1.4.3", ""),
        ("[tag]\nprefix = \"v\"\n", "v.1.2.0", None, "v1.2.1", "v."),
        ("[tag]\nprefix = \"v\"\n", "V1", None, "v1.0.1", "V"),
        ("[tag]\nprefix = \"v\"\n", "1", None, "v1.0.1", ""),
        ("[tag]\nprefix = \"v\"\n", "release-7", None, "v7.0.1", "release-"),
        ("[tag]\nprefix = \"v\"\n", "releases/v1.2.3", None, "v1.2.4", "releases/v"),
        ("[tag]\nprefix = \"v\"\n", "version/1.2.3", None, "v1.2.4", "version/"),
        ("[tag]\nprefix = \"v\"\n", "stable-v3", None, "v3.0.1", "stable-v"),
        ("[tag]\nprefix = \"v\"\n", "V1.4", None, "v1.4.1", "V"),
        ("[tag]\nprefix = \"v\"\n", "release-1.10.0", None, "v1.10.1", "release-"),
        ("[tag.package.flows]\n", "flows-1.4.2", Some("flows"), "flows/v1.4.3", "flows-"),
    ] {
        let tagged = configured(toml);
        tagged.tag(there);
        tagged.push("feat: more");
        let of_package: Vec<&str> = package.iter().flat_map(|name| ["--package", name]).collect();
        let error = tagged.flowreg().json(&[&["tag", "--print"], &of_package[..]].concat(), 1);
        assert_eq!(error["error"]["code"], "second_series", "{there}");
        let text = error["error"].to_string();
        assert!(text.contains(there) && text.contains(&format!("--format json {first}")), "{text}");
        // Nor is it proposed.
        if package.is_none() {
            let hints = tagged.flowreg().json(&["register"], 1)["error"]["hints"].to_string();
            assert!(!hints.contains("git tag"), "{hints}");
        }
        // A version without the prefix says as little.
        tagged.flowreg().json(&[&["tag", "1.11.0"], &of_package[..]].concat(), 1);
        assert_eq!(tagged.tag_names(), [there]);
        // Both ways out.
        assert_eq!(tagged.print(&[first]), first);
        tagged.repository.write("flowreg.toml", proposed_settings(&error));
        tagged.repository.write("flows/more.py", flow("more"));
        tagged.push("feat: the prefix that is there");
        let next = tagged.print(&of_package);
        assert!(next.starts_with(prefix) && next.len() > prefix.len(), "{next}");
    }
    // No prefix can express them; without any settings neither. The command is the user's own.
    let tomls = ["", "[tag]\nprefix = \"v\"\n"];
    let written = [
        ("v1_2_3", "v1.2.4"),
        ("1-2-3", "v1.2.4"),
        ("1.2.0rc1", "v1.2.1"),
        ("v1.2.0.Final", "v1.2.1"),
        ("v1.2.0.post1", "v1.2.1"),
        ("1.4.2_prod", "v1.4.3"),
        ("1.4.x", "v1.4.1"),
    ];
    for ((there, first), toml) in written.into_iter().zip(tomls.into_iter().cycle()) {
        let tagged = configured(toml);
        tagged.tag(there);
        tagged.push("feat: more");
        let error = tagged.flowreg().json(&["tag", "--bump", "minor", "--register"], 1);
        assert_eq!(error["error"]["code"], "second_series", "{there}");
        let text = error["error"].to_string();
        assert!(!text.contains("[tag]"), "{there} {text}");
        assert!(text.contains(&format!("no series goes on after {there}: ")), "{text}");
        let begin = format!("flowreg tag --register --format json {first}");
        assert!(text.contains(&begin), "{text}");
        assert_eq!(tagged.tag_names(), [there]);
        assert_eq!(tagged.run(&["--register", first])["tag"], first);
    }
    // Dates go on as dates.
    for (there, prefix, format) in
        [("2026.01.10", "", "YYYY.0M.0D"), ("release-2026-01-10", "release-", "YYYY-0M-0D")]
    {
        let tagged = configured("[tag]\nprefix = \"v\"\n");
        tagged.tag(there);
        tagged.push("feat: more");
        let error = tagged.flowreg().json(&["tag"], 1);
        let text = error["error"].to_string();
        assert!(text.contains("flowreg tag --format json v1.0.0"), "{text}");
        let toml = proposed_settings(&error);
        assert!(toml.contains(&format!("format = \"{format}\"")), "{toml}");
        tagged.repository.write("flowreg.toml", toml);
        tagged.push("feat: as it was");
        assert!(tagged.print(&[]).starts_with(&format!("{prefix}20")));
    }
    let tagged = configured("[tag]\nprefix = \"v\"\n");
    tagged.tag("20260110");
    tagged.push("feat: more");
    let text = tagged.flowreg().json(&["tag"], 1)["error"].to_string();
    assert!(text.contains("no series goes on after 20260110") && text.contains("json v1.0.0"));
    // Tags of other things are none of a second series.
    let tagged = configured("[tag]\nprefix = \"v\"\n[tag.package.etl]\npaths = [\"flows\"]\n");
    for tag in ["latest", "build-12", "docs/v3.0.0", "etl/v1.0.0", "etl-1.2.0"] {
        tagged.tag(tag);
    }
    assert_eq!(tagged.print(&[]), "v1.0.0");
    // Nor are those that programs count, with settings and without.
    let counted = [
        "latest",
        "nightly",
        "build-12",
        "sprint-12-build-7",
        "nightly-20260101",
        "nightly-2026.01.10",
        "deploy-2026-01-10",
        "backup-2026-01-10",
        "77-fix-login",
    ];
    for toml in ["", "[tag]\nprefix = \"v\"\n"] {
        let tagged = configured(toml);
        counted.iter().for_each(|tag| tagged.tag(tag));
        assert_eq!(tagged.run(&[])["tag"], "v1.0.0", "{toml}");
        assert_eq!(pinned(&tagged), "v1.0.0");
        tagged.push("feat: more");
        assert_eq!(tagged.print(&[]), "v1.1.0");
    }
}

#[test]
fn names_of_products_that_count_something_have_versions() {
    for (there, next, declared) in [
        ("data-pipeline-v1.4.2", "data-pipeline-v1.5.0", 1),
        ("data-pipeline-1.4.2", "data-pipeline-1.5.0", 1),
        ("pipeline-v1", "pipeline-v1.1.0", 1),
        ("job-scheduler-v1.4.2", "job-scheduler-v1.5.0", 1),
        ("daily-report-1.4.2", "daily-report-1.5.0", 1),
        ("deployment-v1.0.0", "deployment-v1.1.0", 1),
        // Of a part of the repository, by its directory.
        ("etl-pipeline/v1.4.2", "etl-pipeline/v1.5.0", 0),
    ] {
        let tagged = Tagged::new();
        tagged.tag(there);
        tagged.push("feat: more");
        assert_eq!(tagged.print(&[]), next, "{there}");
        tagged.repository.write("flowreg.toml", "[tag]\nprefix = \"v\"\n");
        tagged.push("chore: configure");
        tagged.flowreg().json(&["tag", "--print"], declared);
    }
}

#[test]
fn a_calendar_beside_other_versions_goes_on_or_begins_as_it_is_told() {
    for (format, settings) in [
        ("YYYY.MM.MICRO", ""),
        ("YYYY.0M.0D", "prefix = \"\"\n"),
        ("YYYY.MM.MICRO", "prefix = \"rel-\"\n"),
    ] {
        let toml = format!("[tag]\n{settings}scheme = \"calver\"\nformat = \"{format}\"\n");
        let tagged = configured(&toml);
        tagged.tag("v1.4.2");
        tagged.push("feat: more");
        let error = tagged.flowreg().json(&["tag", "--print"], 1);
        assert_eq!(error["error"]["code"], "second_series", "{error}");
        let hints = error["error"]["hints"].as_array().unwrap();
        // As it is typed.
        let begin = hints.last().unwrap().as_str().unwrap();
        let (_, begin) = begin.split_once("flowreg tag ").unwrap();
        let typed: Vec<&str> = ["tag"].into_iter().chain(begin.split(' ')).collect();
        let made = tagged.flowreg().run(&typed);
        assert_eq!(made.code, 0, "{made:?}");
        let made: Value = serde_json::from_str(&made.stdout).unwrap();
        assert!(begin.ends_with(made["tag"].as_str().unwrap()), "{begin} {made}");
        assert!(made["tag"].as_str().unwrap().contains("20"), "{made}");
        // As it is pasted.
        tagged.repository.write("flowreg.toml", proposed_settings(&error));
        tagged.push("feat: as it was");
        assert_eq!(tagged.print(&[]), "v1.5.0");
    }
}

#[test]
fn a_version_that_can_not_be_counted_up_is_not_guessed() {
    let dates = ["20260110", "20260110.1", "2026-01-10.1", "2026_01_10.1", "2026-Q1", "2026.1"];
    for there in ["2026.01.10", "v1.2.3.4"].into_iter().chain(dates) {
        let tagged = Tagged::new();
        tagged.tag(there);
        tagged.push("feat: more");
        let error = tagged.flowreg().json(&["tag", "--print"], 4);
        assert!(error["error"]["message"].as_str().unwrap().contains("no semantic version"));
        assert!(error["error"]["hints"].to_string().contains("calver"), "{error}");
    }
    let tagged = Tagged::new();
    tagged.tag("v1.9");
    tagged.push("feat: more");
    assert_eq!(tagged.print(&[]), "v1.10.0");
}

#[test]
fn paths_are_taken_as_people_write_them() {
    for paths in ["./etl", "etl/", "/etl", "et[kl]", "etl/**/*.py", "*/extract", "."] {
        let tagged = configured(&format!("[tag]\nprefix = \"v\"\npaths = [\"{paths}\"]\n"));
        tagged.repository.write("etl/extract/flow.py", flow("extract"));
        tagged.push("feat: etl");
        tagged.tag("v1.0.0");
        tagged.repository.write("docs/x.md", "x");
        tagged.push("feat: something else");
        let expected = if paths == "." { "v1.1.0" } else { "v1.0.0" };
        let print = tagged.flowreg().json(&["tag", "--print"], 0);
        let is_nothing = print["outcome"] == "nothing";
        assert_eq!(is_nothing, paths != ".", "{paths} {expected}");
        tagged.repository.write("etl/extract/flow.py", format!("{}\n", flow("extract")));
        tagged.push("fix: of the package");
        let expected = if paths == "." { "v1.1.0" } else { "v1.0.1" };
        assert_eq!(tagged.print(&[]), expected, "{paths}");
    }
}

#[test]
fn a_path_that_is_nowhere_is_an_error() {
    for path in ["elt", "flows/elt.py", "packages/*/flows"] {
        let tagged = configured(&format!("[tag.package.etl]\npaths = [\"flows\", \"{path}\"]\n"));
        let error = tagged.flowreg().json(&["tag", "--package", "etl"], 3);
        assert_eq!(error["error"]["code"], "no_files", "{path}");
        let message = error["error"]["message"].as_str().unwrap();
        assert!(message.contains(path) && message.contains("package etl"), "{message}");
        // A tag that somebody made by hand would register nothing of it.
        tagged.tag("etl/v1.0.0");
        let error = tagged.flowreg().json(&["register"], 3);
        assert_eq!(error["error"]["code"], "no_files", "{path}");
    }
    // What a link leads to changes under its own name.
    for (path, leads_to) in [
        ("linked", "flows"),
        ("linked/etl.py", "flows/etl.py"),
        ("lin*", "flows"),
        ("gone", "nowhere"),
    ] {
        let tagged = configured(&format!("[tag]\nprefix = \"v\"\npaths = [\"{path}\"]\n"));
        tagged.repository.link("linked", "flows");
        tagged.repository.link("gone", "nowhere");
        tagged.push("feat: links");
        let error = tagged.flowreg().json(&["tag", "--print"], 3);
        assert_eq!(error["error"]["code"], "no_files", "{path}");
        assert!(error["error"]["message"].as_str().unwrap().contains("symbolic link"), "{error}");
        let hint = error["error"]["hints"][0].as_str().unwrap();
        assert!(hint.contains(&format!("\"{leads_to}\" in place of")), "{hint}");
    }
    for paths in ["[\"flows\"]", "[\"lin*\", \"flows\"]", "[\"**/*.py\"]"] {
        let tagged = configured(&format!("[tag]\nprefix = \"v\"\npaths = {paths}\n"));
        tagged.repository.link("linked", "flows");
        tagged.push("feat: a link");
        assert_eq!(tagged.print(&[]), "v1.0.0", "{paths}");
    }
    for path in ["../etl", "fl[ows"] {
        let tagged = configured(&format!("[tag]\npaths = [\"{path}\"]\n"));
        let run = tagged.flowreg().run(&["tag", "--print"]);
        assert_eq!(run.code, 3, "{run:?}");
        assert!(run.stderr.contains("flowreg.toml:2:"), "{}", run.stderr);
    }
    let twice = configured("[tag.package.etl]\nprefix = \"v\"\n[tag.package.ml]\nprefix = \"v\"\n");
    let run = twice.flowreg().run(&["register"]);
    assert_eq!(run.code, 3, "{run:?}");
    assert!(run.stderr.contains("`ml` and `etl` have the same prefix"), "{}", run.stderr);
}

#[test]
fn the_tag_of_the_whole_leaves_packages_at_their_own_however_it_is_named() {
    let tagged = packages();
    let toml = tagged.repository.git(&["show", "HEAD:flowreg.toml"]);
    tagged.repository.write("flowreg.toml", format!("[tag]\nprefix = \"v\"\n{toml}"));
    tagged.push("feat: all of it");
    tagged.tag("etl/v1.11.0");
    let expected = ["etl etl/v1.11.0", "ml v1.0.0", "web v1.0.0"];
    let at = |run: &Value| -> Vec<String> {
        let lines = registered(run).into_iter();
        lines.map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect()
    };
    let made = tagged.run(&["v1.0.0", "--register"]);
    assert_eq!(at(&made["registration"]), expected);
    for arguments in [&["register", "--tag", "v1.0.0"][..], &["register"]] {
        let again = tagged.flowreg().json(arguments, 0);
        assert_eq!(at(&again), expected, "{arguments:?}");
        assert_eq!(again["summary"]["unchanged"], 3, "{arguments:?}");
    }
}

#[test]
fn a_tag_that_the_guard_can_not_compare_is_registered_with_a_word_about_it() {
    for (before, named) in [("v1.5.0", "other-v9"), ("v1.5.0", "schema-1.2"), ("nightly", "v1.0.0")]
    {
        let tagged = Tagged::new();
        tagged.tag(before);
        tagged.push("feat: more");
        tagged.tag(named);
        let flowreg = tagged.flowreg();
        let first = flowreg.json(&["register", "--tag", before], 0);
        assert!(!first["notices"].to_string().contains("step back"), "{first}");
        let run = flowreg.json(&["register", "--tag", named], 0);
        let expected = format!(
            "1 registration is at {before} now: it is no version of the same series as {named}, so \
             whether this is a step back was not checked"
        );
        assert!(run["notices"].to_string().contains(&expected), "{run}");
        let again = flowreg.json(&["register", "--tag", named], 0);
        assert!(!again["notices"].to_string().contains("step back"), "{again}");
    }
}

#[test]
fn the_paths_of_every_package_are_checked_where_one_of_them_counts() {
    let toml = "[tag.package.etl]\npaths = [\"flows\"]\n[tag.package.ml]\npaths = [\"PATH\"]\n";
    for path in ["mll", "ml/*/flows"] {
        let tagged = configured(&toml.replace("PATH", path));
        tagged.tag("etl/v1.0.0");
        for command in [
            &["tag", "--package", "etl", "--print"][..],
            &["register"],
            &["register", "--tag", "etl/v1.0.0"],
            &["plan"],
        ] {
            let error = tagged.flowreg().json(command, 3);
            assert_eq!(error["error"]["code"], "no_files", "{command:?}");
            assert!(error["error"]["message"].to_string().contains("package ml"), "{error}");
        }
        // A branch has all flows, of whichever package.
        tagged.repository.git(&["checkout", "-q", "-b", "feature"]);
        tagged.flowreg().json(&["register"], 0);
    }
}

#[test]
fn a_flow_of_another_package_that_is_named_is_an_error() {
    let tagged = packages();
    let flowreg = tagged.flowreg();
    for (arguments, text) in [
        (
            &["register", "--tag", "ml-2.0.0", "etl"][..],
            "`etl` is of no package that ml-2.0.0 stands for",
        ),
        (&["plan", "--tag", "ml-2.0.0", "ml", "etl"], "`etl` is of no package"),
        (&["register", "web"], "`web` is of no package that etl/v1.10.0 and ml-2.0.0 stand for"),
    ] {
        let error = flowreg.json(arguments, 2);
        assert!(error["error"]["message"].as_str().unwrap().contains(text), "{error}");
        let package = if text.contains("web") { "web" } else { "etl" };
        let hint = format!("is of the package `{package}`: flowreg tag --package {package}");
        assert!(error["error"]["hints"].to_string().contains(&hint), "{error}");
    }
    assert_eq!(flowreg.json(&["list"], 0)["registrations"], serde_json::json!([]));
    // What is of no package has no tag at all, until a prefix says that the repository has versions.
    tagged.repository.write("shared/flow.py", flow("shared"));
    tagged.push("feat: a flow of no package");
    tagged.tag("ml-2.1.0");
    let error = flowreg.json(&["register", "shared"], 2);
    let hint = "`shared/flow.py` is of no package; for tags that have it: prefix = \"v\" under [tag] in \
                flowreg.toml";
    assert_eq!(error["error"]["hints"], serde_json::json!([hint]), "{error}");
    // A glob that has some of each is about those that are there.
    let run = flowreg.json(&["register", "--tag", "ml-2.0.0", "*l"], 0);
    assert_eq!(registered(&run), ["ml - created"]);
}
