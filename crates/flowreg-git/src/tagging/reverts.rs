//! What the commits since a release ask for together: the most of what any of them asks for, but
//! nothing for what was taken back before it was released.

use super::conventional::Impact;
use super::squash::{Change, Reverted, changes};
use crate::LoggedCommit;

/// A commit of the log, with the changes that its message tells of.
struct ReadCommit<'c> {
    commit: &'c LoggedCommit,
    /// Its own first; `None` where one was taken back.
    changes: Vec<Option<Change>>,
}

/// The most that the commits ask for; they are in the log's order, newest first.
///
/// `brought_by` lists the ids of the commits that a merge brought to the commit it was merged into;
/// both are ids as a message names them.
///
/// # Errors
/// Those of `brought_by`.
pub(super) fn impact_of<E>(
    commits: &[LoggedCommit],
    brought_by: impl Fn(&str, &str) -> Result<Vec<String>, E>,
) -> Result<Option<Impact>, E> {
    let mut history: Vec<ReadCommit<'_>> = commits
        .iter()
        .map(|commit| {
            let changes = changes(&commit.message).into_iter().map(Some).collect();
            ReadCommit { commit, changes }
        })
        .collect();
    // Newest first, so that a revert which was itself taken back takes nothing back.
    for index in 0..history.len() {
        let count = history.get(index).map_or(0, |one| one.changes.len());
        for position in 0..count {
            let change = history.get(index).and_then(|one| one.changes.get(position)?.as_ref());
            let Some(reverted) = change.and_then(|change| change.reverts.clone()) else { continue };
            let mut merged = Vec::new();
            if let (Some(base), Some(merge)) = (&reverted.merged_into, reverted.commits.first()) {
                merged = brought_by(merge, base)?;
            }
            take_back(&mut history, index, &reverted, &merged);
        }
    }
    let left = history.iter().flat_map(|one| &one.changes).flatten();
    Ok(left.filter_map(|change| change.impact).max())
}

/// Strikes out what the commit at `index` reverts: the commits that it names by id; if none of them
/// is there, as after a rebase, the newest change before it of the subject that it names. What is
/// not there was released, and taking it back takes no other change back.
fn take_back(history: &mut [ReadCommit<'_>], index: usize, reverted: &Reverted, merged: &[String]) {
    let Some(older) = history.get_mut(index..) else { return };
    let is_named = |commit: &LoggedCommit| {
        let id = commit.id.as_str();
        reverted.commits.iter().chain(merged).any(|named| id.starts_with(named.as_str()))
    };
    let mut is_found = false;
    for one in older.iter_mut().filter(|one| is_named(one.commit)) {
        is_found = true;
        one.changes.clear();
    }
    if is_found {
        return;
    }
    let is_meant = |change: &Option<Change>| {
        change.as_ref().is_some_and(|change| change.subject == reverted.subject)
    };
    for one in older {
        match one.changes.iter().position(is_meant) {
            // With its own change goes all that was joined to the commit.
            Some(0) => one.changes.clear(),
            Some(position) => drop(one.changes.get_mut(position).and_then(Option::take)),
            None => continue,
        }
        return;
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    /// Commits from the oldest to the newest; the id of each is its number, repeated.
    fn asked_for(messages: &[&str]) -> Option<Impact> {
        let commits: Vec<LoggedCommit> = messages
            .iter()
            .enumerate()
            .map(|(number, message)| LoggedCommit {
                id: number.to_string().repeat(40).parse().unwrap(),
                message: (*message).to_owned(),
            })
            .rev()
            .collect();
        let brought_by = |merge: &str, _: &str| -> Result<Vec<String>, Infallible> {
            Ok(vec![merge.to_owned(), "1".repeat(40)])
        };
        impact_of(&commits, brought_by).unwrap()
    }

    #[test]
    fn the_strongest_of_several_counts() {
        assert_eq!(asked_for(&["fix: a", "chore: b", "feat: c"]), Some(Impact::Minor));
        assert_eq!(asked_for(&["chore: b"]), None);
        assert_eq!(asked_for(&[]), None);
    }

    #[test]
    fn a_change_and_its_revert_cancel_out() {
        let of_first = "Revert \"feat: a\"\n\nThis reverts commit 0000000.";
        for (messages, expected) in [
            (&["feat: a", of_first][..], None),
            (&["feat: a", "fix: b", of_first], Some(Impact::Patch)),
            (&["feat: a (#12)", "Revert \"feat: a\" (#13)\n\nReverts x/y#12"], None),
            (&["Merged PR 7: feat: a", "Merged PR 8: Revert \"feat: a\""], None),
            (&["[DATA-1] feat: a", "Revert \"[DATA-1] feat: a\""], None),
            // The id is that of the branch before it was rebased.
            (&["feat: a", "Revert \"feat: a\"\n\nThis reverts commit fffffff."], None),
            (&["feat: a", "revert: feat: a"], None),
            // What came again after the revert counts, and so does what was there twice.
            (&["feat: a", of_first, "feat: a"], Some(Impact::Minor)),
            (&["feat: a", "feat: a", "Revert \"feat: a\""], Some(Impact::Minor)),
            // What was released before is not in the log, so the revert takes nothing back.
            (
                &["feat: b", "Revert \"feat: a\"\n\nThis reverts commit fffffff."],
                Some(Impact::Minor),
            ),
            (
                &["Revert \"feat: a\"\n\nThis reverts commit fffffff.", "feat: a"],
                Some(Impact::Minor),
            ),
        ] {
            assert_eq!(asked_for(messages), expected, "{messages:?}");
        }
    }

    #[test]
    fn a_revert_that_was_reverted_takes_nothing_back() {
        let revert = "Revert \"feat: a\"\n\nThis reverts commit 0000000.";
        for again in [
            "Revert \"Revert \"feat: a\"\"\n\nThis reverts commit 1111111.",
            "Reapply \"feat: a\"\n\nThis reverts commit 1111111.",
            "Reapply \"feat: a\"",
        ] {
            assert_eq!(asked_for(&["feat: a", revert, again]), Some(Impact::Minor), "{again}");
        }
    }

    #[test]
    fn a_squashed_change_is_taken_back_alone_or_with_all_others() {
        let squashed = "Load (#12)\n\n* feat: a\n\n* fix: b";
        for (messages, expected) in [
            (&[squashed, "Revert \"Load (#12)\" (#13)"][..], None),
            (&[squashed, "Revert \"Load\"\n\nThis reverts commit 0000000."], None),
            (&[squashed, "Revert \"feat: a\""], Some(Impact::Patch)),
            // Within one squash, in either order.
            (&["Load (#12)\n\n* feat: a\n\n* Revert \"feat: a\"\n\n* fix: b"], Some(Impact::Patch)),
            (&["Load (#12)\n\n* Revert \"feat: a\"\n\n* feat: a"], None),
        ] {
            assert_eq!(asked_for(messages), expected, "{messages:?}");
        }
    }

    #[test]
    fn with_a_merge_all_that_it_brought_is_taken_back() {
        let revert = "Revert \"Merge branch 'x'\"\n\nThis reverts commit 2222222, reversing\nchanges made to 0000000.";
        assert_eq!(
            asked_for(&["fix: a", "feat: b", "Merge branch 'x'", revert]),
            Some(Impact::Patch)
        );
    }

    proptest! {
        #[test]
        fn what_is_left_of_a_history_is_what_was_not_taken_back(
            titles in prop::collection::vec("(feat|fix|feat!|chore): [ab]", 1..5),
            fates in prop::collection::vec(0..3_usize, 5),
        ) {
            // Each change stays, or is taken back, or comes again after that.
            let mut messages = titles.clone();
            let mut expected = None;
            for (number, (title, fate)) in titles.iter().zip(fates).enumerate() {
                let revert = messages.len();
                let by_id = |title: String, number: usize| {
                    let id = number.to_string().repeat(40);
                    format!("{title}\n\nThis reverts commit {}.", id.get(..40).unwrap())
                };
                if fate > 0 && revert < 9 {
                    messages.push(by_id(format!("Revert \"{title}\""), number));
                }
                if fate > 1 && revert < 9 {
                    messages.push(by_id(format!("Reapply \"{title}\""), revert));
                }
                if fate != 1 || revert >= 9 {
                    expected = expected.max(asked_for(&[title]));
                }
            }
            let messages: Vec<&str> = messages.iter().map(String::as_str).collect();
            prop_assume!(messages.len() <= 10);
            prop_assert_eq!(asked_for(&messages), expected, "{:?}", messages);
        }
    }
}
