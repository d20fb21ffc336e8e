//! `flowreg tag` on the messages that squash merges leave, and on what was taken back.

use crate::support::Tagged;

#[test]
fn squash_merges_release() {
    for (message, expected) in [
        ("Merged PR 77: feat: load more", "v1.1.0"),
        ("Merged in feature/x (pull request #3)\n\nfeat: load more\n\n* fix: a bug", "v1.1.0"),
        ("Load more (#12)\n\n* fix: a bug\n\n* feat: load more", "v1.1.0"),
        ("[DATA-12] feat: load more", "v1.1.0"),
        ("DATA-12: fix: a bug", "v1.0.1"),
        ("Merge branch 'x' into 'main'\n\nfix: a bug\n\nSee merge request a/b!3", "v1.0.1"),
    ] {
        let tagged = Tagged::new();
        tagged.tag("v1.0.0");
        tagged.push(message);
        assert_eq!(tagged.print(&[]), expected, "{message:?}");
    }
}

#[test]
fn a_message_that_begins_with_a_blank_line_is_read() {
    let tagged = Tagged::new();
    tagged.tag("v1.0.0");
    let message =
        ["commit", "-q", "--allow-empty", "--cleanup=verbatim", "-m", "\n\nfeat: load more\n"];
    tagged.repository.git(&message);
    tagged.repository.git(&["push", "-q", "origin", "main"]);
    assert_eq!(tagged.run(&[])["tag"], "v1.1.0");
    let notes =
        tagged.repository.git(&["for-each-ref", "--format=%(contents)", "refs/tags/v1.1.0"]);
    assert!(notes.contains("- feat: load more ("), "{notes}");
}

#[test]
fn what_git_merge_squash_writes_is_read() {
    let tagged = Tagged::new();
    tagged.tag("v1.0.0");
    tagged.repository.git(&["switch", "-qc", "feature/x"]);
    tagged.repository.write("notes.txt", "x");
    tagged.repository.commit("feat: load more\n\nBREAKING CHANGE: another table");
    tagged.repository.git(&["switch", "-q", "main"]);
    tagged.repository.git(&["merge", "-q", "--squash", "feature/x"]);
    tagged.repository.git(&["commit", "-q", "--no-edit"]);
    tagged.repository.git(&["push", "-q", "origin", "main"]);
    assert_eq!(tagged.print(&[]), "v2.0.0");
}

#[test]
fn what_was_taken_back_before_its_release_is_no_release() {
    let tagged = Tagged::new();
    tagged.tag("v1.0.0");
    let change = |path: &str, message: &str| {
        tagged.repository.write(path, message);
        tagged.push(message);
    };
    let revert = |revision: &str| {
        tagged.repository.git(&["revert", "--no-edit", revision]);
        tagged.repository.git(&["push", "-q", "origin", "main"]);
    };
    change("a.txt", "feat: a");
    change("b.txt", "fix: b");
    assert_eq!(tagged.print(&[]), "v1.1.0");
    revert("HEAD~1");
    assert_eq!(tagged.print(&[]), "v1.0.1");
    // Git calls it `Reapply "feat: a"`, older ones `Revert "Revert "feat: a""`.
    revert("HEAD");
    assert_eq!(tagged.print(&[]), "v1.1.0");
    revert("HEAD");
    revert("HEAD~3");
    assert_eq!(tagged.print(&[]), "");
    // With a merge goes what it brought.
    tagged.repository.git(&["switch", "-qc", "feature/x"]);
    tagged.repository.write("c.txt", "c");
    tagged.repository.commit("feat: c");
    tagged.repository.git(&["switch", "-q", "main"]);
    tagged.repository.git(&["merge", "-q", "--no-ff", "--no-edit", "feature/x"]);
    tagged.repository.git(&["push", "-q", "origin", "main"]);
    assert_eq!(tagged.print(&[]), "v1.1.0");
    tagged.repository.git(&["revert", "--no-edit", "-m", "1", "HEAD"]);
    tagged.repository.git(&["push", "-q", "origin", "main"]);
    assert_eq!(tagged.print(&[]), "");
    // What was released stays released.
    change("d.txt", "feat: d");
    tagged.run(&[]);
    change("e.txt", "feat: e");
    revert("HEAD~1");
    assert_eq!(tagged.print(&[]), "v1.2.0");
}
