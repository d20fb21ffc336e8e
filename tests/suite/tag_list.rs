//! `flowreg tag --list`.

use serde_json::{Value, json};

use crate::support::Tagged;

fn names(object: &Value) -> Vec<&str> {
    object["tags"].as_array().unwrap().iter().map(|one| one["tag"].as_str().unwrap()).collect()
}

#[test]
fn the_remotes_tags_of_the_series_are_listed_highest_first() {
    let tagged = Tagged::new();
    let commit = tagged.repository.git(&["rev-parse", "HEAD"]);
    for tag in ["v1.9.0", "v1.10.0", "v1.10.0-rc.1", "latest", "etl/v7.0.0"] {
        tagged.tag(tag);
    }
    tagged.repository.git(&["tag", "v3.0.0"]);
    let list = tagged.flowreg().json(&["tag", "--list"], 0);
    assert_eq!(names(&list), ["v1.10.0", "v1.10.0-rc.1", "v1.9.0"]);
    let date = list["tags"][0]["date"].as_str().unwrap().to_owned();
    assert_eq!(
        list["tags"][0],
        json!({"tag": "v1.10.0", "version": "1.10.0", "commit": commit, "date": date})
    );
    assert_eq!((&list["remote"], &list["notices"]), (&json!("origin"), &json!([])));
    let made = tagged.repository.git(&[
        "for-each-ref",
        "--format=%(taggerdate:unix)",
        "refs/tags/v1.10.0",
    ]);
    let read: jiff::Timestamp = date.parse().unwrap();
    assert_eq!(read.as_second().to_string(), made);
    let screen = tagged.flowreg().run(&["tag", "--list"]);
    let (short, day) = (&commit[..7], &date[..10]);
    assert_eq!(
        screen.stdout,
        format!(
            "v1.10.0       {short}  {day}\nv1.10.0-rc.1  {short}  {day}\nv1.9.0        {short}  {day}\n"
        )
    );
    // Those that are here, without asking anybody.
    tagged.repository.git(&["remote", "set-url", "origin", "/nowhere"]);
    assert_eq!(tagged.flowreg().run(&["tag", "--list"]).code, 4);
    let here = tagged.flowreg().json(&["tag", "--list", "--offline"], 0);
    assert_eq!(names(&here), ["v3.0.0", "v1.10.0", "v1.10.0-rc.1", "v1.9.0"]);
    assert_eq!(here["remote"], Value::Null);
}

#[test]
fn a_tag_with_a_number_that_is_too_large_is_told_not_to_count() {
    let tagged = Tagged::new();
    tagged.tag("v99999999999999999999.0.0");
    // Neither build metadata nor what counts no versions.
    tagged.tag("v0.9.0+99999999999999999999");
    tagged.push("feat: more");
    tagged.tag("build-99999999999999999999");
    let told = "v99999999999999999999.0.0 counts as no version, as it has a number above \
                18446744073709551615";
    assert_eq!(tagged.flowreg().json(&["tag", "--list"], 0)["notices"], json!([told]));
    let print = tagged.flowreg().run(&["tag", "--print", "--bump", "minor"]);
    assert_eq!((&*print.stdout, print.stderr), ("v0.10.0\n", format!("warning: {told}\n")));
    tagged.tag("release-v99999999999999999999");
    let told = "release-v99999999999999999999, v99999999999999999999.0.0 count as no version, as they have";
    let made = tagged.run(&["--bump", "minor"]);
    let notices = made["notices"].to_string();
    assert!(notices.contains(told), "{notices}");
    assert!(!notices.contains("build-"), "{notices}");
}

#[test]
fn a_tag_that_is_not_here_has_no_date_and_that_is_said() {
    let tagged = Tagged::new();
    let clone = tagged.clone("elsewhere", &[]);
    tagged.tag("v1.0.0");
    let list = tagged.flowreg_in(&clone).json(&["tag", "--list"], 0);
    assert_eq!(list["tags"][0]["date"], Value::Null);
    let notice = list["notices"][0].as_str().unwrap();
    assert!(notice.ends_with("git fetch origin --tags"), "{notice}");
    let screen = tagged.flowreg_in(&clone).run(&["tag", "--list"]);
    assert!(screen.stdout.ends_with("  -\n"), "{screen:?}");
    assert!(screen.stderr.starts_with("warning: 1 tag is not in this repository"), "{screen:?}");
}

#[test]
fn a_series_without_tags_and_one_of_several_packages() {
    let tagged = Tagged::new();
    assert_eq!(tagged.flowreg().json(&["tag", "--list"], 0)["tags"], json!([]));
    tagged
        .repository
        .write("flowreg.toml", "[tag.package.etl]\nscheme = \"calver\"\n[tag.package.ml]\n");
    tagged.push("chore: packages");
    for tag in ["etl/v2026.9.1", "etl/v2026.10.0", "ml/v1.0.0"] {
        tagged.tag(tag);
    }
    assert_eq!(tagged.flowreg().run(&["tag", "--list"]).code, 2);
    let list = tagged.flowreg().json(&["tag", "--list", "--package", "etl"], 0);
    assert_eq!(names(&list), ["etl/v2026.10.0", "etl/v2026.9.1"]);
}
