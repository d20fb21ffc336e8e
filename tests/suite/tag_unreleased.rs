//! `flowreg tag` where the commits ask for no release, although flows are affected.

use serde_json::json;

use crate::support::Tagged;

const FLOW: &str = "from prefect import flow\nfrom lib.tables import TABLE\n\n\n@flow\ndef report():\n    return TABLE\n";

/// A second flow, which imports a module; `v1.0.0` at it.
fn released() -> Tagged {
    let tagged = Tagged::new();
    tagged.repository.write("lib/tables.py", "TABLE = 1\n");
    tagged.repository.write("flows/report.py", FLOW);
    tagged.push("feat: a report");
    tagged.tag("v1.0.0");
    tagged
}

#[test]
fn flows_that_are_affected_and_not_released_are_named() {
    let tagged = released();
    tagged.repository.write("lib/tables.py", "TABLE = 2\n");
    tagged.push("Use the other table");
    let run = tagged.flowreg().run(&["tag"]);
    assert_eq!(run.code, 11, "{run:?}");
    assert_eq!(
        run.stdout,
        "nothing to release: the one commit since v1.0.0 is neither feat, fix, perf nor breaking \
         (--bump makes a version all the same)\n\
         1 flow is affected by what changed since v1.0.0:\n  report (flows/report.py → lib/tables.py)\n"
    );
    for arguments in
        [&["tag"][..], &["tag", "--register"], &["tag", "--dry-run"], &["tag", "--print"]]
    {
        let object = tagged.flowreg().json(arguments, 11);
        assert_eq!((&object["outcome"], &object["tag"]), (&json!("nothing"), &json!(null)));
        assert_eq!(
            object["affected"],
            json!([{"flow": "report", "path": "flows/report.py",
                "affected_by": ["flows/report.py", "lib/tables.py"]}])
        );
    }
    let printed = tagged.flowreg().run(&["tag", "--print"]);
    assert_eq!((printed.code, printed.stdout.as_str()), (11, ""));
    assert!(printed.stderr.contains("  report (flows/report.py → lib/tables.py)"), "{printed:?}");
    let markdown = tagged.flowreg().run(&["tag", "--format", "markdown"]);
    assert!(
        markdown.stdout.contains("1 flow is affected by what changed since v1.0.0:\n\n- report"),
        "{markdown:?}"
    );
    assert_eq!(tagged.tag_names(), ["v1.0.0"]);
    // Released all the same, everything is.
    assert_eq!(tagged.run(&["--bump", "patch"])["tag"], "v1.0.1");
    assert_eq!(tagged.run(&[])["outcome"], "exists");
}

#[test]
fn what_affects_no_flow_is_all_released() {
    let tagged = released();
    tagged.repository.write("README.md", "words");
    tagged.push("docs: words");
    tagged.repository.write("lib/other.py", "A = 1\n");
    tagged.push("chore: not imported");
    let run = tagged.flowreg().run(&["tag"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stdout.starts_with("nothing to release: none of the 2 commits"), "{run:?}");
    assert!(!tagged.run(&[]).as_object().unwrap().contains_key("affected"));
    // What was changed and changed back affects none either.
    tagged.repository.write("lib/tables.py", "TABLE = 2\n");
    tagged.push("Use the other table");
    assert_eq!(tagged.flowreg().run(&["tag"]).code, 11);
    tagged.repository.write("lib/tables.py", "TABLE = 1\n");
    tagged.push("Use the first table again");
    assert_eq!(tagged.flowreg().run(&["tag"]).code, 0);
}

#[test]
fn of_a_package_only_its_own_flows_are_named() {
    let tagged = released();
    tagged.repository.write("flowreg.toml", "[tag.package.etl]\npaths = [\"flows/etl.py\"]\n[tag.package.report]\npaths = [\"flows/report.py\"]\n");
    tagged.push("chore: packages");
    tagged.tag("etl/v1.0.0");
    tagged.tag("report/v1.0.0");
    // No commit touches the package's paths, but what it imports is another.
    tagged.repository.write("lib/tables.py", "TABLE = 2\n");
    tagged.push("feat: the other table");
    assert_eq!(tagged.flowreg().run(&["tag", "--package", "etl"]).code, 0);
    let report = tagged.flowreg().json(&["tag", "--package", "report"], 11);
    assert_eq!(report["affected"][0]["flow"], "report");
    assert!(
        report["notices"][0]
            .as_str()
            .unwrap()
            .starts_with("nothing to release: no commits since report/v1.0.0")
    );
}

#[test]
fn a_target_that_is_not_configured_is_no_reason_against_the_answer() {
    let tagged = released();
    tagged.repository.write("flowreg.toml", "target = \"prefect\"\n");
    tagged.repository.write("lib/tables.py", "TABLE = 2\n");
    tagged.push("Use the other table");
    let object = tagged.flowreg().json(&["tag"], 11);
    assert_eq!(object["affected"].as_array().unwrap().len(), 2, "flowreg.toml concerns every flow");
}

#[test]
fn flows_of_prefect_1_are_told_by_their_files_and_no_python_is_asked() {
    let tagged = Tagged::new();
    tagged
        .repository
        .write("flowreg.toml", "target = \"prefect1\"\n[flows]\npython = \"/nowhere/python\"\n");
    tagged.repository.write("flows/one.py", "from prefect import Flow\nfrom lib.tables import TABLE\n\nwith Flow('one') as flow:\n    pass\n");
    tagged.repository.write("lib/tables.py", "TABLE = 1\n");
    tagged.push("feat: one");
    tagged.run(&[]);
    tagged.repository.write("lib/tables.py", "TABLE = 2\n");
    tagged.push("Use the other table");
    let object = tagged.flowreg().json(&["tag"], 11);
    assert_eq!(
        object["affected"],
        json!([{"flow": null, "path": "flows/one.py", "affected_by": ["flows/one.py", "lib/tables.py"]}])
    );
}

#[test]
fn a_flow_that_was_removed_is_named() {
    let tagged = released();
    tagged.flowreg().json(&["register"], 0);
    tagged.repository.git(&["rm", "-q", "flows/report.py"]);
    tagged.push("Remove the report");
    let run = tagged.flowreg().run(&["tag"]);
    assert_eq!(run.code, 11, "{run:?}");
    assert!(
        run.stdout.ends_with(
            "1 flow is affected by what changed since v1.0.0:\n  report (flows/report.py, removed)\n"
        ),
        "{run:?}"
    );
    let object = tagged.flowreg().json(&["tag", "--register"], 11);
    assert_eq!(
        object["affected"],
        json!([{"flow": "report", "path": "flows/report.py",
            "affected_by": ["flows/report.py"], "removed": true}])
    );
    // Renamed: one goes, one comes.
    let tagged = released();
    tagged.repository.write("flows/report.py", FLOW.replace("def report", "def summary"));
    tagged.push("Call it a summary");
    let object = tagged.flowreg().json(&["tag"], 11);
    let names: Vec<_> =
        object["affected"].as_array().unwrap().iter().map(|one| &one["flow"]).collect();
    assert_eq!(names, ["summary", "report"]);
    // Moved to another file: it is there still.
    let tagged = released();
    tagged.repository.git(&["mv", "flows/report.py", "flows/weekly.py"]);
    tagged.push("Move it");
    let object = tagged.flowreg().json(&["tag"], 11);
    assert_eq!(object["affected"].as_array().unwrap().len(), 1, "{object}");
    assert_eq!(object["affected"][0]["removed"], json!(null));
    // No longer among the files that count.
    let tagged = released();
    tagged.repository.write("flowreg.toml", "[flows]\nexclude = [\"flows/report.py\"]\n");
    tagged.push("Leave it out");
    let object = tagged.flowreg().json(&["tag"], 11);
    let gone = object["affected"].as_array().unwrap().iter().find(|one| one["flow"] == "report");
    assert_eq!(gone.unwrap()["removed"], true, "{object}");
}

#[test]
fn a_deployment_that_was_removed_affects_its_flow() {
    let tagged = released();
    let entry = |name: &str| format!("- name: {name}\n  entrypoint: flows/report.py:report\n");
    let both = format!("deployments:\n{}{}", entry("nightly"), entry("weekly"));
    tagged.repository.write("prefect.yaml", both);
    tagged.push("feat: deployments");
    tagged.tag("v1.1.0");
    tagged.repository.write("prefect.yaml", format!("deployments:\n{}", entry("nightly")));
    tagged.push("No weekly report");
    let object = tagged.flowreg().json(&["tag"], 11);
    assert_eq!(
        object["affected"],
        json!([{"flow": "report", "path": "flows/report.py", "affected_by": ["prefect.yaml"]}])
    );
}

#[test]
fn a_removed_file_of_prefect_1_is_named() {
    let tagged = Tagged::new();
    tagged.repository.write("flowreg.toml", "target = \"prefect1\"\n");
    let flow = "from prefect import Flow\n\nwith Flow('one') as flow:\n    pass\n";
    tagged.repository.write("flows/one.py", flow);
    tagged.push("feat: one");
    tagged.run(&[]);
    tagged.repository.git(&["rm", "-q", "flows/one.py"]);
    tagged.push("Remove it");
    let object = tagged.flowreg().json(&["tag"], 11);
    assert_eq!(
        object["affected"],
        json!([{"flow": null, "path": "flows/one.py", "affected_by": ["flows/one.py"], "removed": true}])
    );
}
