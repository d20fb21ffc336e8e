//! The series of a repository that names none: tags of another kind neither stop a command nor decide anything.

use serde_json::Value;

use crate::support::Tagged;

fn tagged_with(tags: &[&str]) -> Tagged {
    let tagged = Tagged::new();
    tags.iter().for_each(|tag| tagged.tag(tag));
    tagged
}

fn reference(tagged: &Tagged, code: i32) -> Value {
    tagged.flowreg().json(&["reference"], code)
}

#[test]
fn a_stray_tag_of_another_kind_stops_nothing() {
    for (stray, next) in [
        ("prod-2026-01-10", "prod-2026-02-10"),
        ("py3.11", "py3.12"),
        ("schema-1.2", "schema-1.3"),
        ("eu-west-1.2", "eu-west-1.3"),
    ] {
        let tagged = tagged_with(&["v1.4.1", "v1.4.2", stray]);
        assert_eq!(reference(&tagged, 0)["reference"]["name"], "v1.4.2", "{stray}");
        tagged.flowreg().json(&["--target", "local", "register"], 0);
        tagged.push("feat: more");
        assert_eq!(tagged.print(&[]), "v1.5.0", "{stray}");
        // Whoever makes a version is told what was not counted; a date is none.
        let told = tagged.flowreg().run(&["tag", "--print"]).stderr;
        let is_told = told.contains(&format!("{stray} does not count as a version"));
        assert_eq!(is_told, !stray.contains("2026"), "{told}");
        // A commit that has none but that one has no version, and the message names it.
        tagged.tag(next);
        let error = reference(&tagged, 1);
        assert_eq!(error["error"]["code"], "untagged", "{next}");
        assert!(error["error"]["message"].as_str().unwrap().contains(next), "{error}");
    }
}

#[test]
fn a_series_that_may_be_meant_is_asked_about_with_the_line_to_write() {
    for tags in [
        &["v1.4.2", "flows-1.4.2"][..],
        &["v1.4.2", "pipeline-v1.4"],
        // The old writing is beside that of today.
        &["v0.1", "flows-1.3", "flows-1.4"],
        &["v2", "schema-1.2"],
    ] {
        let tagged = tagged_with(tags);
        for command in [&["reference"][..], &["tag", "--print"]] {
            let error = tagged.flowreg().json(command, 3);
            assert_eq!(error["error"]["code"], "several_series", "{tags:?}: {error}");
            let hints = error["error"]["hints"].to_string();
            assert!(hints.contains("[tag] prefix = "), "{tags:?}: {hints}");
        }
        tagged.repository.write("flowreg.toml", "[tag]\nprefix = \"v\"\n");
        tagged.push("chore: say which");
        assert_eq!(tagged.print(&["9.0.0"]), "v9.0.0", "{tags:?}");
    }
}

#[test]
fn the_line_that_is_proposed_can_be_pasted_whatever_the_prefix_is() {
    let tagged = tagged_with(&["v1.0.0", "we\"ird-1.0.0"]);
    let error = reference(&tagged, 3);
    let hint = error["error"]["hints"][1].as_str().unwrap();
    let line = hint.split_once("[tag] ").unwrap().1.split_once(", if").unwrap().0;
    tagged.repository.write("flowreg.toml", format!("[tag]\n{line}\n"));
    tagged.push("chore: say which");
    assert_eq!(tagged.print(&["--bump", "patch"]), "we\"ird-1.0.1");
}

#[test]
fn a_detached_head_is_at_the_one_version_beside_tags_of_no_series() {
    for (toml, tags, expected) in [
        ("", &["v1.0.0", "build-12", "latest"][..], Ok("v1.0.0")),
        ("", &["v1.0.0", "nightly-2026.01.10"], Ok("v1.0.0")),
        ("", &["v1.0.0", "sprint-42"], Ok("v1.0.0")),
        // Without a version it is at main, which has none either.
        ("", &["latest"], Err(("untagged", 1))),
        ("", &["latest", "build-12"], Err(("untagged", 1))),
        ("", &["sprint-42"], Err(("untagged", 1))),
        ("", &["v1.0.0", "v1.0.1", "latest"], Err(("undecided", 4))),
        ("", &["v1.0.0", "1.0.0"], Err(("several_series", 3))),
        // The settings of HEAD say which are versions.
        ("[tag]\nprefix = \"release-\"\n", &["v2.0.0", "release-1.0.0"], Ok("release-1.0.0")),
        ("[tag]\nprefix = \"release-\"\n", &["v2.0.0", "latest"], Err(("untagged", 1))),
    ] {
        let tagged = Tagged::new();
        if !toml.is_empty() {
            tagged.repository.write("flowreg.toml", toml);
            tagged.push("chore: configure");
        }
        tags.iter().for_each(|tag| tagged.tag(tag));
        tagged.repository.git(&["checkout", "-q", "--detach"]);
        let found = reference(&tagged, expected.err().map_or(0, |(_, exit)| exit));
        match expected {
            Ok(tag) => {
                assert_eq!(found["reference"]["name"], tag, "{toml} {tags:?}");
                assert_eq!(found["reference"]["kind"], "tag", "{toml} {tags:?}");
            }
            Err((code, _)) => assert_eq!(found["error"]["code"], code, "{toml} {tags:?}"),
        }
    }
}

#[test]
fn what_a_link_below_a_path_leads_to_counts_for_the_package() {
    for paths in ["etl", "e*", "etl/**"] {
        let tagged = Tagged::new();
        let repository = &tagged.repository;
        repository.write("flowreg.toml", format!("[tag.package.etl]\npaths = [\"{paths}\"]\n"));
        for file in
            ["etl/deep/flow.py", "lib/common/db.py", "lib/far/x.py", "lib/other.py", "one.py"]
        {
            repository.write(file, "first = 1\n");
        }
        repository.link("etl/deep/common", "../../lib/common");
        // A link behind a link, one to a file, and one that leads nowhere.
        repository.link("lib/common/far", "../far");
        repository.link("etl/one.py", "../one.py");
        repository.link("etl/lost", "../nowhere");
        tagged.push("feat: all");
        tagged.run(&["--package", "etl"]);
        let mut expected = 0;
        for (file, counts) in [
            ("lib/other.py", false),
            ("lib/common/db.py", true),
            ("lib/far/x.py", true),
            ("one.py", true),
            ("nowhere", true),
            ("lib/other.py", false),
        ] {
            repository.write(file, format!("changed = {expected}  # {file} {counts}\n"));
            tagged.push("feat: a change");
            let made = tagged.flowreg().json(&["tag", "--package", "etl"], 0);
            expected += u32::from(counts);
            assert_eq!(made["created"], counts, "{paths} {file}: {made}");
            let tag = if counts { format!("etl/v1.{expected}.0") } else { String::new() };
            assert!(!counts || made["tag"] == tag.as_str(), "{paths} {file}: {made}");
        }
        // The target is another one now, and nothing else has changed.
        std::fs::remove_file(repository.root().join("lib/common/far")).unwrap();
        repository.link("lib/common/far", "../other.py");
        tagged.push("feat: led elsewhere");
        assert_eq!(tagged.print(&["--package", "etl"]), format!("etl/v1.{}.0", expected + 1));
    }
}
