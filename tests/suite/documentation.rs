//! What the README says must be so.

use std::path::Path;

fn readme() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

#[test]
fn every_exit_code_is_documented() {
    let readme = readme();
    for (code, meaning) in flowreg::cli::EXIT_CODES {
        let row = format!("| {code} | {meaning} |");
        assert!(readme.contains(&row), "the README has no line `{row}`");
    }
    let section = readme.split("## Exit codes").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| ")).count();
    assert_eq!(rows, flowreg::cli::EXIT_CODES.len() + 1, "{section}");
}

#[test]
fn the_scripts_of_the_readme_exist() {
    let readme = readme();
    for script in ["scripts/demo.sh", "scripts/test.sh"] {
        assert!(readme.contains(script));
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(script).is_file(), "{script}");
    }
}
