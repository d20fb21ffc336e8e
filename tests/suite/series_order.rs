//! One order of versions for the pin, the guard and `flowreg tag`; which of them count, and what is told of the others.

use crate::support::Tagged;

/// The code of the error of a command, which ends with this exit code.
fn error(tagged: &Tagged, command: &[&str], exit: i32) -> String {
    let run = tagged.flowreg().json(command, exit);
    run["error"]["code"].as_str().unwrap_or_else(|| panic!("{command:?}: {run}")).to_owned()
}

#[test]
fn builds_of_a_version_have_one_order_for_pin_guard_and_list() {
    let tagged = Tagged::new();
    for tag in ["v1.0.0+9", "v1.0.0+10", "v1.0.0+2"] {
        tagged.tag(tag);
    }
    let flowreg = tagged.flowreg();
    let registered = flowreg.json(&["--target", "local", "register"], 0);
    assert_eq!(registered["reference"]["name"], "v1.0.0+10");
    assert_eq!(tagged.print(&[]), "v1.0.0+10");
    let list = flowreg.run(&["tag", "--list"]).stdout;
    let listed: Vec<_> = list.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(listed, ["v1.0.0+10", "v1.0.0+9", "v1.0.0+2"]);
    let lower = flowreg.json(&["--target", "local", "register", "--tag", "v1.0.0+9"], 1);
    assert_eq!(lower["registrations"][0]["error"]["code"], "downgrade", "{lower}");
}

#[test]
fn where_nothing_is_declared_a_lower_version_of_another_writing_is_a_downgrade() {
    for (before, named) in [("v2.0.0", "1.0.0"), ("v1.5.0", "release-1"), ("1.5.0", "v1.4.0")] {
        let tagged = Tagged::new();
        tagged.tag(before);
        tagged.push("feat: more");
        tagged.tag(named);
        let flowreg = tagged.flowreg();
        let register = ["--target", "local", "register", "--tag"];
        flowreg.json(&[&register[..], &[before]].concat(), 0);
        let lower = flowreg.json(&[&register[..], &[named]].concat(), 1);
        assert_eq!(lower["registrations"][0]["error"]["code"], "downgrade", "{named}: {lower}");
        flowreg.json(&[&register[..], &[named, "--allow-downgrade"]].concat(), 0);
        flowreg.json(&[&register[..], &[before]].concat(), 0);
    }
}

#[test]
fn a_higher_version_that_is_only_here_is_told_with_the_push_to_type() {
    let tagged = Tagged::new();
    let repository = &tagged.repository;
    let told = "v1.2.0 is only in this repository, so it does not count; to make it count: \
                git push origin refs/tags/v1.2.0";
    tagged.tag("v1.0.0");
    repository.git(&["tag", "v1.2.0"]);
    // One of another branch, and a lower one, are nobody's concern here.
    repository.git(&["tag", "v0.9.0"]);
    repository.git(&["checkout", "-q", "-b", "other"]);
    repository.commit("feat: elsewhere");
    repository.git(&["tag", "v3.0.0"]);
    repository.git(&["checkout", "-q", "main"]);
    let stderr = |arguments: &[&str]| tagged.flowreg().run(arguments).stderr;
    // At its own commit, and after it.
    for message in [None, Some("feat: more")] {
        message.map(|message| tagged.push(message));
        let stderr = stderr(&["tag", "--print"]);
        assert!(stderr.contains(told), "{message:?}: {stderr}");
        assert!(!stderr.contains("v3.0.0") && !stderr.contains("v0.9.0"), "{stderr}");
    }
    assert_eq!(tagged.print(&[]), "v1.1.0");
    // A push of it would make a name of two refs.
    repository.git(&["push", "-q", "origin", "HEAD:refs/heads/v1.2.0"]);
    assert!(!stderr(&["tag", "--print"]).contains("only in this repository"));
    repository.git(&["push", "-q", "origin", ":refs/heads/v1.2.0"]);
    // What was told can be typed, and then all answers are one.
    repository.git(&["push", "-q", "origin", "refs/tags/v1.2.0"]);
    assert!(!stderr(&["tag", "--print"]).contains("only in this repository"));
    assert_eq!(tagged.print(&[]), "v1.3.0");
}

#[test]
fn a_number_behind_a_word_founds_no_series_and_is_asked_about() {
    for (tag, prefix) in
        [("sprint-42", "sprint-"), ("DATA-12", "DATA-"), ("pr-17", "pr-"), ("python3", "python")]
    {
        let tagged = Tagged::new();
        tagged.tag(tag);
        assert_eq!(error(&tagged, &["--target", "local", "register"], 1), "untagged", "{tag}");
        let refused = tagged.flowreg().json(&["tag"], 1);
        assert_eq!(refused["error"]["code"], "second_series", "{tag}");
        let hints = refused["error"]["hints"].to_string();
        assert!(hints.contains(&format!("prefix = \\\"{prefix}\\\"")), "{hints}");
        assert!(hints.contains("flowreg tag --format json v1.0.0"), "{hints}");
        assert_eq!(tagged.tag_names(), [tag]);
        // Both ways out.
        assert_eq!(tagged.print(&["v1.0.0"]), "v1.0.0");
        tagged.repository.write("flowreg.toml", format!("[tag]\nprefix = \"{prefix}\"\n"));
        tagged.push("feat: say which");
        assert!(tagged.print(&[]).starts_with(prefix), "{tag}");
        // Beside versions it is nobody's concern.
        tagged.repository.git(&["rm", "-q", "flowreg.toml"]);
        tagged.push("chore: say nothing");
        tagged.tag("v2.0.0");
        tagged.push("fix: more");
        let run = tagged.flowreg().run(&["tag", "--print"]);
        assert_eq!((run.stdout.trim_end(), run.stderr.as_str()), ("v2.0.1", ""), "{tag}");
    }
    // A word for versions says what the number is.
    for tag in ["v7", "r12", "release-7", "7"] {
        let tagged = Tagged::new();
        tagged.tag(tag);
        assert_eq!(tagged.print(&[]), tag);
    }
}

#[test]
fn a_date_that_a_shallow_clone_computes_is_right_or_refused() {
    let tagged = Tagged::new();
    let toml = "[tag]\nscheme = \"calver\"\nprefix = \"\"\nformat = \"YYYY.0M.MICRO\"\n";
    tagged.repository.write("flowreg.toml", toml);
    tagged.push("chore: versions are dates");
    let first = tagged.print(&[]);
    tagged.tag(&first);
    tagged.push("fix: a");
    tagged.push("fix: b");
    let right = tagged.print(&[]);
    assert_ne!(first, right);
    for depth in ["1", "2", "3", "4"] {
        for more in [&[][..], &["--no-tags"]] {
            let name = format!("shallow-{depth}-{}", more.len());
            let clone = tagged.clone(&name, &[&["--depth", depth][..], more].concat());
            let flowreg = tagged.flowreg_in(&clone);
            let has_tag = !tagged.repository.git_in(&clone, &["tag"]).is_empty();
            for offline in [false, true] {
                let print = ["tag", "--print", "--offline"];
                let run = flowreg.run(&print[..if offline { 3 } else { 2 }]);
                let what = format!("{depth} {more:?} {offline}: {run:#?}");
                // The commits since the tag are all here, or the tag is.
                if depth >= "3" && (has_tag || !offline) {
                    assert_eq!((run.code, run.stdout.trim_end()), (0, right.as_str()), "{what}");
                } else {
                    assert_eq!((run.code, run.stdout.as_str()), (4, ""), "{what}");
                }
            }
            if !has_tag {
                let refused = flowreg.json(&["tag", "--print", "--offline"], 4);
                assert_eq!(refused["error"]["code"], "tags_needed");
                let hints = refused["error"]["hints"].to_string();
                assert!(hints.contains("git fetch --tags origin"), "{hints}");
                // A version that is named follows from nothing.
                let named = flowreg.run(&["tag", "--print", "--offline", "2030.01.0"]);
                assert_eq!((named.code, named.stdout.trim_end()), (0, "2030.01.0"));
            }
        }
    }
}
