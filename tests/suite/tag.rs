//! `flowreg tag`: which version, what is made, what is pushed, what is told.

use serde_json::{Value, json};

use crate::support::Tagged;

#[test]
fn the_first_version_is_the_initial_one() {
    let tagged = Tagged::new();
    assert_eq!(tagged.print(&[]), "v1.0.0");
    assert_eq!(tagged.print(&["--bump", "pre"]), "v1.0.0-rc.1");
    tagged.repository.write("flowreg.toml", "[tag]\ninitial = \"0.1.0\"\nprefix = \"release-\"\n");
    tagged.push("chore: configure");
    assert_eq!(tagged.print(&[]), "release-0.1.0");
    assert!(tagged.tags().is_empty(), "--print makes nothing");
    assert_eq!(tagged.repository.git(&["tag"]), "");
}

#[test]
fn commits_since_the_last_release_decide() {
    for (commits, expected) in [
        (&["fix: a"][..], "v1.4.3"),
        (&["perf: a", "chore: b"], "v1.4.3"),
        (&["fix: a", "feat(x): b"], "v1.5.0"),
        (&["feat: a", "docs!: b"], "v2.0.0"),
        (&["fix: a\n\nBREAKING CHANGE: b"], "v2.0.0"),
        (&["Some words", "chore: b"], ""),
        (&[], "v1.4.2"),
    ] {
        let tagged = Tagged::new();
        tagged.tag("v1.4.2");
        commits.iter().for_each(|message| drop(tagged.push(message)));
        assert_eq!(tagged.print(&[]), expected, "{commits:?}");
    }
}

#[test]
fn before_1_0_0_what_breaks_is_a_minor_version() {
    let tagged = Tagged::new();
    tagged.tag("v0.3.1");
    tagged.push("feat!: a");
    assert_eq!(tagged.print(&[]), "v0.4.0");
    assert_eq!(tagged.print(&["--bump", "major"]), "v1.0.0");
}

#[test]
fn what_releases_nothing_is_said_and_is_no_error() {
    let tagged = Tagged::new();
    tagged.tag("v1.0.0");
    tagged.push("chore: tidy");
    let run = tagged.flowreg().run(&["tag"]);
    assert_eq!(run.code, 0);
    assert!(run.stdout.starts_with("nothing to release: the one commit since v1.0.0"), "{run:?}");
    let object = tagged.run(&[]);
    assert_eq!(object["tag"], Value::Null);
    assert_eq!(object["outcome"], "nothing");
    assert_eq!(object["previous"], "v1.0.0");
    assert_eq!(tagged.tag_names(), ["v1.0.0"]);
}

#[test]
fn a_bump_or_a_version_decides_instead() {
    let tagged = Tagged::new();
    tagged.tag("v1.4.2");
    tagged.push("chore: tidy");
    for (arguments, expected) in [
        (&["--bump", "major"][..], "v2.0.0"),
        (&["--bump", "minor"], "v1.5.0"),
        (&["--bump", "patch"], "v1.4.3"),
        (&["--bump", "pre"], "v1.4.3-rc.1"),
        (&["--bump", "pre", "--pre", "beta"], "v1.4.3-beta.1"),
        (&["--bump", "patch", "--build", "7"], "v1.4.3+7"),
        (&["3.0.0"], "v3.0.0"),
        (&["v3.0.0-rc.1+b"], "v3.0.0-rc.1+b"),
    ] {
        assert_eq!(tagged.print(arguments), expected);
    }
    let lower = tagged.flowreg().json(&["tag", "1.4.1"], 1);
    assert_eq!(lower["error"]["code"], "not_higher");
    assert_eq!(tagged.print(&["1.4.1", "--allow-downgrade"]), "v1.4.1");
    for (arguments, code) in [
        (&["one"][..], 2),
        (&["1.0"], 2),
        (&["1.0.0", "--bump", "major"], 2),
        (&["--pre", "rc"], 2),
        (&["--bump", "pre", "--pre", "r c"], 2),
    ] {
        assert_eq!(
            tagged.flowreg().run(&[&["tag"], arguments].concat()).code,
            code,
            "{arguments:?}"
        );
    }
}

#[test]
fn pre_releases_count_up_and_lead_to_their_release() {
    let tagged = Tagged::new();
    tagged.tag("v1.0.0");
    tagged.push("feat: a");
    assert_eq!(tagged.run(&["--bump", "pre"])["tag"], "v1.1.0-rc.1");
    assert_eq!(tagged.run(&["--bump", "pre"])["created"], false, "the commit has one");
    tagged.push("fix: b");
    assert_eq!(tagged.run(&["--bump", "pre"])["tag"], "v1.1.0-rc.2");
    // The same commit becomes the release, after the last release.
    let release = tagged.run(&[]);
    assert_eq!((&release["tag"], &release["previous"]), (&json!("v1.1.0"), &json!("v1.0.0")));
    assert_eq!(tagged.run(&["--bump", "patch"])["tag"], "v1.1.0", "run again");
    let message =
        tagged.repository.git(&["for-each-ref", "--format=%(contents)", "refs/tags/v1.1.0"]);
    assert!(message.contains("- feat: a (") && message.contains("- fix: b ("), "{message}");
}

#[test]
fn the_tag_is_annotated_tells_what_is_in_it_and_only_it_is_pushed() {
    let tagged = Tagged::new();
    tagged.tag("v1.0.0");
    let feature = tagged.push("feat(etl): load more");
    tagged.repository.git(&["tag", "private"]);
    tagged.repository.git(&["branch", "unpushed"]);
    tagged.repository.git(&["config", "push.followTags", "true"]);
    tagged.repository.git(&["tag", "-a", "-m", "x", "v1.0.1-local"]);
    let object = tagged.run(&[]);
    assert_eq!(
        object,
        json!({"schema": 1, "tag": "v1.1.0", "version": "1.1.0", "commit": feature,
            "previous": "v1.0.0", "created": true, "registered": false, "outcome": "created",
            "remote": "origin", "notices": []})
    );
    assert_eq!(tagged.tag_names(), ["v1.0.0", "v1.1.0"]);
    assert_eq!(tagged.repository.git_in(&tagged.remote, &["branch"]), "* main");
    let kind = tagged.repository.git_in(&tagged.remote, &["cat-file", "-t", "v1.1.0"]);
    assert_eq!(kind, "tag");
    let message =
        tagged.repository.git(&["for-each-ref", "--format=%(contents)", "refs/tags/v1.1.0"]);
    let short = feature.get(..7).unwrap();
    assert_eq!(message, format!("v1.1.0\n\nSince v1.0.0:\n\n- feat(etl): load more ({short})"));
    assert_eq!(tagged.repository.git(&["rev-parse", "v1.1.0^{commit}"]), feature);
    tagged.push("fix: c");
    tagged.run(&["-m", "# My words"]);
    let message =
        tagged.repository.git(&["for-each-ref", "--format=%(contents)", "refs/tags/v1.1.1"]);
    assert_eq!(message, "# My words");
}

#[test]
fn for_prefect1_the_tag_is_lightweight() {
    let tagged = Tagged::new();
    tagged.repository.write("flowreg.toml", "target = \"prefect1\"\n");
    let commit = tagged.push("chore: configure");
    assert_eq!(tagged.run(&[])["created"], true);
    assert_eq!(tagged.repository.git_in(&tagged.remote, &["rev-parse", "v1.0.0"]), commit);
    assert_eq!(tagged.run(&[])["created"], false);
    assert_eq!(tagged.flowreg().run(&["tag", "2.0.0", "--sign"]).code, 2);
    // One that its workers can't use is told.
    tagged.push("feat: a");
    tagged.tag("v1.1.0");
    let notices = tagged.run(&[])["notices"].to_string();
    assert!(notices.contains("v1.1.0 is an annotated tag"), "{notices}");
}

#[test]
fn a_tag_at_this_commit_is_success_and_at_another_refused_with_both_ids() {
    let tagged = Tagged::new();
    let first = tagged.repository.git(&["rev-parse", "HEAD"]);
    tagged.tag("v1.0.0");
    for arguments in [&[][..], &["--bump", "minor"], &["1.0.0"], &["v1.0.0"]] {
        let object = tagged.run(arguments);
        assert_eq!(object["tag"], "v1.0.0", "{arguments:?}");
        assert_eq!((&object["created"], &object["commit"]), (&json!(false), &json!(first)));
        assert_eq!(object["outcome"], "exists");
    }
    let second = tagged.push("feat: a");
    let error = tagged.flowreg().json(&["tag", "v1.0.0"], 1);
    let message = error["error"]["message"].as_str().unwrap();
    assert_eq!(error["error"]["code"], "tag_taken");
    assert!(message.contains(&first) && message.contains(&second), "{message}");
    assert_eq!(tagged.tags(), [("v1.0.0".to_owned(), first)]);
}

#[test]
fn only_tags_in_the_commits_history_count() {
    let tagged = Tagged::new();
    tagged.tag("v1.0.0");
    tagged.repository.git(&["switch", "-qc", "release/2"]);
    tagged.push("feat!: another world");
    tagged.tag("v2.0.0");
    tagged.repository.git(&["switch", "-q", "main"]);
    tagged.push("fix: a");
    assert_eq!(tagged.run(&[])["tag"], "v1.0.1");
    // What would come next is used elsewhere: nobody could tell the two apart.
    tagged.repository.git(&["switch", "-q", "release/2"]);
    tagged.push("feat: b");
    tagged.tag("v1.1.0");
    tagged.repository.git(&["switch", "-q", "main"]);
    tagged.push("feat: c");
    let error = tagged.flowreg().json(&["tag"], 1);
    assert_eq!(error["error"]["code"], "tag_taken");
}

#[test]
fn a_commit_that_a_later_tag_has_needs_none() {
    let tagged = Tagged::new();
    tagged.tag("v1.0.0");
    let early = tagged.push("fix: a");
    tagged.push("feat: b");
    tagged.run(&[]);
    let object = tagged.run(&["--commit", &early]);
    assert_eq!((&object["tag"], &object["outcome"]), (&Value::Null, &json!("contained")));
    // Merged back, a hotfix of another branch gets its own version.
    tagged.repository.git(&["switch", "-qc", "release/1.0", "v1.0.0"]);
    tagged.repository.write("flows/fix.py", "x = 1\n");
    let hotfix = tagged.push("fix: hot");
    tagged.repository.git(&["switch", "-q", "main"]);
    tagged.repository.git(&["merge", "-q", "--no-ff", "-m", "feat: merge", "release/1.0"]);
    tagged.repository.git(&["push", "-q", "origin", "main"]);
    assert_eq!(tagged.run(&[])["tag"], "v1.2.0");
    let object = tagged.run(&["--commit", &hotfix]);
    assert_eq!(object["tag"], "v1.0.1", "{object}");
}

#[test]
fn calendar_versions_follow_from_the_date() {
    let tagged = Tagged::new();
    tagged.repository.write(
        "flowreg.toml",
        "[tag]\nprefix = \"\"\nscheme = \"calver\"\nformat = \"YYYY.0M.MICRO\"\n",
    );
    tagged.push("configure");
    let first = tagged.run(&[]);
    let tag = first["tag"].as_str().unwrap();
    let month = tag.strip_suffix(".0").unwrap();
    assert_eq!(tag.len(), "2026.01.0".len(), "{tag}");
    assert_eq!(tagged.run(&[])["created"], false);
    tagged.push("whatever");
    let second = tagged.run(&[]);
    assert_eq!(second["tag"], format!("{month}.1"));
    assert_eq!(second["previous"], tag);
    assert_eq!(tagged.flowreg().run(&["tag", "--bump", "major", "--commit", "HEAD"]).code, 0);
    tagged.push("more");
    assert_eq!(tagged.flowreg().run(&["tag", "--bump", "major"]).code, 2);
    assert_eq!(tagged.run(&["9998.12.0"])["tag"], "9998.12.0");
    tagged.push("still more");
    assert_eq!(tagged.run(&[])["tag"], "9998.12.1", "never lower than what there is");
}

#[test]
fn packages_have_versions_of_their_own() {
    let tagged = Tagged::new();
    tagged.repository.write(
        "flowreg.toml",
        "[tag.package.etl]\n[tag.package.ml]\nprefix = \"ml-\"\npaths = [\"models\", \"shared/ml.py\"]\n",
    );
    tagged.repository.write("etl/flow.py", "from prefect import flow\n\n@flow\ndef load(): ...\n");
    tagged
        .repository
        .write("models/flow.py", "from prefect import flow\n\n@flow\ndef train(): ...\n");
    tagged.repository.write("shared/ml.py", "");
    tagged.push("feat: two packages");
    let which = tagged.flowreg().run(&["tag"]);
    assert_eq!(which.code, 2);
    assert!(which.stderr.contains("flowreg tag --package etl"), "{}", which.stderr);
    assert!(tagged.flowreg().run(&["tag", "--package", "mk"]).stderr.contains("--package ml"));

    assert_eq!(tagged.run(&["--package", "etl"])["tag"], "etl/v1.0.0");
    assert_eq!(tagged.run(&["--package", "ml"])["tag"], "ml-1.0.0");
    tagged.repository.write("etl/more.py", "x = 1\n");
    tagged.push("feat: more etl");
    tagged.repository.write("shared/ml.py", "x = 1\n");
    tagged.push("fix: shared by ml");
    tagged.repository.write("README", "x");
    tagged.push("feat!: nobody's");
    assert_eq!(tagged.print(&["--package", "etl"]), "etl/v1.1.0");
    assert_eq!(tagged.print(&["--package", "ml"]), "ml-1.0.1");
    assert_eq!(tagged.print(&["ml-3.0.0"]), "ml-3.0.0", "the prefix says which");
    // A package's tag stands for its files, and only its flows are registered at it.
    let object = tagged.run(&["--package", "etl", "--register"]);
    let flows: Vec<_> = object["registration"]["registrations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["flow"].as_str().unwrap())
        .collect();
    assert_eq!(flows, ["load"]);
    let message =
        tagged.repository.git(&["for-each-ref", "--format=%(contents)", "refs/tags/etl/v1.1.0"]);
    assert!(message.contains("more etl") && !message.contains("shared"), "{message}");
    // Nothing of it changed since.
    tagged.repository.write("shared/ml.py", "x = 2\n");
    tagged.push("feat: ml only");
    assert_eq!(tagged.run(&["--package", "etl"])["outcome"], "nothing");
}

#[test]
fn a_branch_goes_along_or_nothing_does() {
    let tagged = Tagged::new();
    tagged.tag("v1.0.0");
    let ahead = tagged.repository.commit("feat: not pushed");
    let alone = tagged.flowreg().json(&["tag"], 1);
    assert_eq!(alone["error"]["code"], "not_mainline");
    assert!(alone["error"]["hints"].to_string().contains("--with-branch"));
    assert_eq!(tagged.run(&["--with-branch"])["tag"], "v1.1.0");
    assert_eq!(tagged.repository.git_in(&tagged.remote, &["rev-parse", "main"]), ahead);

    // Somebody pushed in between: neither of both.
    let other = tagged.clone("other", &[]);
    tagged.repository.git_in(&other, &["commit", "-q", "--allow-empty", "-m", "chore: other"]);
    tagged.repository.git_in(&other, &["push", "-q", "origin", "main"]);
    tagged.repository.commit("feat: late");
    let run = tagged.flowreg().run(&["tag", "--with-branch"]);
    assert_eq!(run.code, 4, "{run:?}");
    assert!(run.stderr.contains("origin did not take main"), "{}", run.stderr);
    assert!(run.stderr.contains("git pull --rebase origin main"), "{}", run.stderr);
    assert_eq!(tagged.tag_names(), ["v1.0.0", "v1.1.0"]);
    assert_eq!(tagged.repository.git(&["tag", "-l", "v1.2.0"]), "");
    tagged.repository.git(&["checkout", "-q", "--detach"]);
    assert_eq!(
        tagged.flowreg().json(&["tag", "--with-branch", "--off-mainline"], 4)["error"]["code"],
        "no_branch"
    );
}

#[test]
fn a_commit_off_mainline_is_refused_unless_it_is_meant() {
    let tagged = Tagged::new();
    tagged.tag("v1.0.0");
    tagged.repository.git(&["switch", "-qc", "feature/x"]);
    tagged.push("feat: x");
    let refused = tagged.flowreg().json(&["tag"], 1);
    assert_eq!(refused["error"]["code"], "not_mainline");
    let print = tagged.flowreg().run(&["tag", "--print"]);
    assert_eq!((print.code, print.stdout.as_str()), (0, "v1.1.0\n"));
    assert!(print.stderr.contains("not on a mainline branch"), "{}", print.stderr);
    let meant = tagged.run(&["--bump", "pre", "--off-mainline"]);
    assert_eq!(meant["tag"], "v1.1.0-rc.1");
    tagged.repository.write("flowreg.toml", "[mainline]\nrequire_tag_on_mainline = true\n");
    tagged.push("chore: be strict");
    assert_eq!(tagged.flowreg().run(&["tag", "--off-mainline"]).code, 1);
}

#[test]
fn what_the_server_refuses_leaves_nothing_behind() {
    let tagged = Tagged::new();
    tagged.hook(
        "pre-receive",
        "#!/bin/sh\nwhile read -r old new ref; do case $ref in refs/tags/*)\n\
         echo 'GH013: Repository rule violations found for '$ref'.' >&2\n\
         echo 'Cannot create ref due to creations being restricted.' >&2; exit 1;; esac; done\n",
    );
    for arguments in [&["tag"][..], &["tag", "--with-branch"]] {
        let run = tagged.flowreg().run(arguments);
        assert_eq!(run.code, 4, "{run:?}");
        assert!(
            run.stderr.contains("error: origin did not take v1.0.0: pre-receive hook declined"),
            "{}",
            run.stderr
        );
        assert!(
            run.stderr.contains("caused by: GH013: Repository rule violations"),
            "{}",
            run.stderr
        );
        assert!(run.stderr.contains("caused by: Cannot create ref"), "{}", run.stderr);
        assert!(run.stderr.contains("hint: ask for: Settings, Rules, Rulesets"), "{}", run.stderr);
        assert_eq!(tagged.repository.git(&["tag"]), "");
        assert!(tagged.tags().is_empty());
    }
    for (words, hint) in [
        ("GitLab: You are not allowed to create this tag as it is protected.", "Protected tags"),
        ("TF401027: You need the Git 'CreateTag' permission", "Create tag"),
        ("Permission to x.git denied to github-actions[bot].", "contents: write"),
        ("No.", "its message is above"),
    ] {
        tagged.hook("pre-receive", &format!("#!/bin/sh\necho \"{words}\" >&2\nexit 1\n"));
        let run = tagged.flowreg().run(&["tag"]);
        assert!(run.stderr.contains(hint), "{words}: {}", run.stderr);
    }
    // A hook of one ref, which says nothing about the others.
    tagged.hook("pre-receive", "#!/bin/sh\nexit 0\n");
    tagged.hook("update", "#!/bin/sh\ncase $1 in refs/tags/*) echo 'not now' >&2; exit 1;; esac\n");
    let run = tagged.flowreg().run(&["tag"]);
    assert!(run.stderr.contains("caused by: not now"), "{}", run.stderr);
    assert_eq!(tagged.repository.git(&["tag"]), "");
    tagged.hook("update", "#!/bin/sh\nexit 0\n");
    assert_eq!(tagged.run(&[])["created"], true, "the same command can be run again");
}

#[test]
fn an_unreachable_remote_is_no_rejection() {
    let tagged = Tagged::new();
    tagged.repository.git(&["config", "remote.origin.url", "/nowhere.git"]);
    let error = tagged.flowreg().json(&["tag"], 4);
    assert_eq!(error["error"]["code"], "remote_unreachable");
    tagged.repository.git(&["remote", "remove", "origin"]);
    assert_eq!(tagged.flowreg().json(&["tag"], 4)["error"]["code"], "no_remote");
    assert_eq!(tagged.print(&[]), "v1.0.0", "the tags that are here");
}

#[test]
fn what_is_here_only_does_not_count_and_is_never_replaced() {
    let tagged = Tagged::new();
    let first = tagged.repository.git(&["rev-parse", "HEAD"]);
    tagged.repository.git(&["tag", "v7.0.0"]);
    assert_eq!(tagged.print(&[]), "v1.0.0", "a tag that was never pushed is no version");
    assert_eq!(tagged.print(&["--offline"]), "v7.0.0");
    // A tag that somebody made by hand is what is pushed, message and all.
    tagged.repository.git(&["tag", "-a", "-m", "by hand", "v1.0.0"]);
    tagged.run(&[]);
    let message = tagged
        .repository
        .git_in(&tagged.remote, &["for-each-ref", "--format=%(contents)", "refs/tags/v1.0.0"]);
    assert_eq!(message, "by hand");
    tagged.push("feat: a");
    tagged.repository.git(&["tag", "v1.1.0", &first]);
    let error = tagged.flowreg().json(&["tag"], 4);
    assert_eq!(error["error"]["code"], "tag_taken");
    assert_eq!(error["error"]["hints"], json!(["git tag -d v1.1.0"]));
    assert_eq!(tagged.repository.git(&["rev-parse", "v1.1.0"]), first);
}

#[test]
fn who_makes_the_tag_has_to_be_known() {
    let tagged = Tagged::new();
    let flowreg = tagged.flowreg().env("GIT_COMMITTER_NAME", "").env("GIT_AUTHOR_NAME", "");
    tagged.repository.git(&["config", "user.name", ""]);
    tagged.repository.git(&["config", "user.useConfigOnly", "true"]);
    let run = flowreg.run(&["tag"]);
    assert_eq!(run.code, 4, "{run:?}");
    assert!(run.stderr.contains("GIT_COMMITTER_NAME and GIT_COMMITTER_EMAIL"), "{}", run.stderr);
}

#[test]
fn results_go_where_providers_look_for_them() {
    let tagged = Tagged::new();
    tagged.tag("v1.0.0");
    let commit = tagged.push("feat: a");
    let outside = tagged.repository.outside();
    let (output, summary) = (outside.join("output"), outside.join("summary"));
    std::fs::write(&output, "before=1\n").unwrap();
    let flowreg = tagged
        .flowreg()
        .env("GITHUB_OUTPUT", output.to_str().unwrap())
        .env("GITHUB_STEP_SUMMARY", summary.to_str().unwrap());
    let dotenv = outside.join("tag.env");
    let run = flowreg.run(&["tag", "--register", "--dotenv", dotenv.to_str().unwrap()]);
    assert_eq!(run.code, 0, "{run:?}");
    let lines = format!(
        "tag=v1.1.0\nversion=1.1.0\ncommit={commit}\nprevious=v1.0.0\ncreated=true\nregistered=true\n"
    );
    assert_eq!(std::fs::read_to_string(&dotenv).unwrap(), lines);
    assert_eq!(std::fs::read_to_string(&output).unwrap(), format!("before=1\n{lines}"));
    let summary = std::fs::read_to_string(&summary).unwrap();
    assert!(summary.starts_with("### Tag v1.1.0 created, after v1.0.0"), "{summary}");
    assert!(summary.contains("| created | `etl/default` |"), "{summary}");
    // Run again: the same, and nothing is made.
    flowreg.run(&["tag", "--register", "--dotenv", dotenv.to_str().unwrap()]);
    let again = std::fs::read_to_string(&dotenv).unwrap();
    assert_eq!(again, lines.replace("created=true", "created=false"));
    let unwritable = tagged.flowreg().run(&["tag", "--dotenv", "/nowhere/x"]);
    assert_eq!(unwritable.code, 3, "{unwritable:?}");
}

#[test]
fn people_read_one_line() {
    let tagged = Tagged::new();
    tagged.tag("v1.0.0");
    let commit = tagged.push("feat: a");
    let short = commit.get(..7).unwrap();
    let run = tagged.flowreg().run(&["tag"]);
    assert_eq!(run.stdout, format!("created tag v1.1.0 at {short} on origin, after v1.0.0\n"));
    let run = tagged.flowreg().run(&["tag"]);
    assert_eq!(run.stdout, format!("exists tag v1.1.0 at {short} on origin, after v1.0.0\n"));
    assert_eq!(tagged.flowreg().run(&["tag", "-q"]).stdout, "");
    assert_eq!(tagged.flowreg().run(&["list", "--format", "markdown"]).code, 2);
}
