//! Hooks and tags in repositories that keep their refs as reftable: the tests of repositories with files,
//! once more.

use crate::support::hold_with_reftable;

#[test]
fn pushes_are_queued_and_proved_with_reftable() {
    hold_with_reftable(&[
        "push_landing::the_first_push",
        "push_landing::of_a_push",
        "push_landing::many_branches",
        "push_landing::what_the_remote",
        "push_landing::a_tracking_branch",
        "push_landing::a_deleted_branch",
        "push_landing::tags_of",
        "push_landing::linked",
        "push_landing::a_push_from",
        "push_landing::an_atomic",
        "hooks_server::",
    ]);
}

#[test]
fn tags_are_made_with_reftable() {
    hold_with_reftable(&["tag::", "tag_races::"]);
}
