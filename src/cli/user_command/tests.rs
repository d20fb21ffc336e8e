use clap::Parser;

use super::*;

fn completed(typed: &[&str], hint: &str) -> String {
    let arguments: Vec<OsString> = std::iter::once("/usr/bin/flowreg")
        .chain(typed.iter().copied())
        .map(OsString::from)
        .collect();
    let cli = Cli::try_parse_from(&arguments).ok();
    let directory = cli.and_then(|cli| cli.global.directory);
    UserCommand::new(&arguments, directory.as_deref()).complete(hint)
}

#[test]
fn the_option_is_added_to_what_was_typed() {
    for (typed, hint, expected) in [
        (&["register"][..], "flowreg … --untagged branch", "flowreg register --untagged branch"),
        (
            &["-C", "my flows", "plan", "etl*", "--adopt"],
            "flowreg … --tag v1.0.0",
            "flowreg -C 'my flows' plan 'etl*' --adopt --tag v1.0.0",
        ),
        // What it contradicts goes.
        (
            &["register", "--tag", "v1.0.O", "etl"],
            "flowreg … --tag v1.0.0",
            "flowreg register etl --tag v1.0.0",
        ),
        (&["plan", "--tag=v1"], "flowreg … --branch 'a;b'", "flowreg plan --branch 'a;b'"),
        (&["register", "--branch", "x"], "flowreg … --tag v1", "flowreg register --tag v1"),
        (&["plan", "--", "etl"], "flowreg … --adopt", "flowreg plan --adopt -- etl"),
        (
            &["plan"],
            r"flowreg … --tag 'it'\''s a tag', and more",
            r"flowreg plan --tag 'it'\''s a tag', and more",
        ),
        // A hint is more than the command.
        (
            &["register"],
            "git push origin v1 && flowreg … --tag v1",
            "git push origin v1 && flowreg register --tag v1",
        ),
        (&["register"], "BUILD_TAG=v1 flowreg …", "BUILD_TAG=v1 flowreg register"),
        (
            &["register"],
            "flowreg … --allow-downgrade, to go back on purpose",
            "flowreg register --allow-downgrade, to go back on purpose",
        ),
        (&["register"], "git fetch origin", "git fetch origin"),
        (
            &["-C", "my flows", "register"],
            "git push origin v1 && flowreg … --tag v1",
            "git -C 'my flows' push origin v1 && flowreg -C 'my flows' register --tag v1",
        ),
        (
            &["-C", "flows", "hooks", "status"],
            "rm -r x && flowreg hooks install … --force, or flowreg hooks uninstall …",
            "rm -r x && flowreg -C flows hooks install --force, or flowreg -C flows hooks uninstall",
        ),
        (
            &["-C", "flows", "--target", "local", "list"],
            "`flowreg sync …` delivers, `flowreg sync … --status` says why",
            "`flowreg -C flows sync` delivers, `flowreg -C flows sync --status` says why",
        ),
        (
            &["hooks", "install", "--shared"],
            "flowreg … --force",
            "flowreg hooks install --shared --force",
        ),
        // A command without the option, and none of a person.
        (&["sync"], "flowreg … --remote origin", "flowreg register --remote origin"),
        (
            &["-C", "flows", "tag", "--target=local", "--remote", "up", "--bump", "minor"],
            "flowreg … --tag v1",
            "flowreg -C flows --target=local --remote up register --tag v1",
        ),
        (
            &["-qC", "flows", "register", "etl"],
            "flowreg tag … --package etl, and flowreg sync … --status",
            "flowreg -qC flows tag --package etl, and flowreg -qC flows sync --status",
        ),
        // A version in the place of another one, and of what would say which.
        (
            &["tag", "1.11.0", "-m", "a text", "--package", "etl", "--register", "-y"],
            "to begin one: flowreg tag … etl/v1.11.0",
            "to begin one: flowreg tag -m 'a text' --package etl --register -y etl/v1.11.0",
        ),
        (
            &["tag", "--bump=pre", "--pre", "rc", "--print"],
            "flowreg tag … v1.11.0, with the version",
            "flowreg tag --print v1.11.0, with the version",
        ),
        (&["plan"], "flowreg tag … VERSION", "flowreg tag VERSION"),
        (
            &["tag", "--register", "--adopt", "--jobs", "4", "--bump", "minor"],
            "flowreg … without --register, or flowreg register … --tag v1",
            "flowreg tag --bump minor, or flowreg register --tag v1",
        ),
        (
            &["tag", "1.x", "--package", "etl"],
            "flowreg tag … without VERSION --print",
            "flowreg tag --package etl --print",
        ),
        (
            &["plan", "--changed-since", "v1.0.O", "--adopt"],
            "flowreg … with v1.0.0 for v1.0.O",
            "flowreg plan --changed-since v1.0.0 --adopt",
        ),
        (
            &["tag", "--commit=orign/it's"],
            r"flowreg … with 'origin/it'\''s' for 'orign/it'\''s'",
            r"flowreg tag --commit='origin/it'\''s'",
        ),
        (
            &["sync", "--discard", "v1.0.O", "fix/*", "--format", "json"],
            "flowreg … with v1.0.0 for v1.0.O, or flowreg sync … --status",
            "flowreg sync --discard v1.0.0 'fix/*' --format json, or flowreg sync --format json \
             --status",
        ),
        (&["plan"], "and so on … flowreg plans", "and so on … flowreg plans"),
        (&["hook", "pre-push", "origin"], "flowreg … --tag v1", "flowreg register --tag v1"),
    ] {
        assert_eq!(completed(typed, hint), expected, "{typed:?} {hint}");
    }
}
