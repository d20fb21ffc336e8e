//! Takes the message of a commit apart: the change that it names itself, and those of the commits
//! that a hosting service or `git merge --squash` joined to it.
//!
//! Each service writes such messages in a form of its own (docs/facts/git.md, "Squash merges"):
//! around the title, before it, or as a list in the body. Where a message is none of these, its
//! title is all that counts, as Conventional Commits says.

use super::conventional::{Header, Impact, is_breaking_footer};

/// One change that a message tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// Its title, without what a service or a ticket system put around it.
    pub subject: String,
    /// What it asks for; `None` for what needs no release, and for titles in another form.
    pub impact: Option<Impact>,
    /// What it takes back, if it is a revert.
    pub reverts: Option<Reverted>,
}

/// What a revert takes back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Reverted {
    /// The subject of the change.
    pub subject: String,
    /// Ids of commits, as far as they are named; each may be shortened.
    pub commits: Vec<String>,
    /// Where the commit is a merge: the id of the commit that it was merged into.
    pub merged_into: Option<String>,
}

/// The title of a message without what stands around it.
struct Title<'t> {
    subject: &'t str,
    joined: Joined,
}

/// In which form the body has the titles of the commits that were joined to this one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Joined {
    /// None were joined.
    No,
    /// As a list; other lines are prose.
    Listed,
    /// On any line.
    Anyhow,
}

/// The changes of a message: its own, then those that were joined to it, in the order of the body.
pub(super) fn changes(message: &str) -> Vec<Change> {
    let mut lines = message.lines().skip_while(|line| line.trim().is_empty());
    let title = Title::read(lines.next().unwrap_or_default());
    let body: Vec<&str> = lines.collect();
    let has_header = Header::read(title.subject).is_some();
    // A list in a message with a header of its own is an explanation, unless commits were joined.
    let is_listed = !has_header || body.iter().any(|line| line.starts_with("See merge request "));
    let form = title.joined.max(if is_listed { Joined::Listed } else { Joined::No });
    let mut changes = vec![Change::of(title.subject)];
    // The latest change, which a footer belongs to. Also that of a title without a type: a change that breaks
    // something must not get lost with the type of a commit that was joined.
    let mut current = 0;
    for line in body {
        let joined = joined_subject(line, form);
        if let Some(subject) = joined {
            current = changes.len();
            changes.push(Change::of(subject));
            continue;
        }
        // What `git merge --squash` joins is indented, and so may be what belongs to an entry of a list.
        let line = if form == Joined::No { line } else { line.trim_start() };
        if let Some(change) = changes.get_mut(current).filter(|_| is_breaking_footer(line)) {
            change.impact = Some(Impact::Major);
        }
        if let Some(reverted) = changes.iter_mut().rev().find_map(|change| change.reverts.as_mut())
        {
            reverted.read_line(line);
        }
    }
    changes
}

impl Change {
    fn of(subject: &str) -> Self {
        let header = Header::read(subject);
        Self {
            subject: subject.to_owned(),
            impact: header.and_then(|header| header.impact),
            reverts: reverted_subject(subject, header)
                .map(|subject| Reverted { subject, ..Reverted::default() }),
        }
    }
}

impl Reverted {
    /// Reads what git and Conventional Commits write into the body of a revert:
    /// `This reverts commit 3f2a91c, reversing changes made to eb84d0b.`, `Refs: 3f2a91c, eb84d0b`.
    fn read_line(&mut self, line: &str) {
        let ids = |text: &str| -> Vec<String> {
            let words = text.split(|char: char| !char.is_ascii_alphanumeric());
            let is_id =
                |word: &&str| word.len() >= 7 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
            words.filter(is_id).map(str::to_ascii_lowercase).collect()
        };
        if let Some((_, rest)) = line.split_once("changes made to ") {
            self.merged_into = ids(rest).into_iter().next();
        } else if let Some(rest) =
            line.strip_prefix("This reverts commit").or_else(|| line.strip_prefix("Refs: "))
        {
            self.commits.extend(ids(rest));
        }
    }
}

/// The subject that a revert names: `Revert "x"`, `revert: x`; of `Reapply "x"`, which reverts a
/// revert, that is `Revert "x"`.
fn reverted_subject(subject: &str, header: Option<Header<'_>>) -> Option<String> {
    let quoted = |word: &str| {
        let rest = subject.strip_prefix(word)?.strip_prefix(' ')?;
        let inside = |quote| rest.strip_prefix(quote)?.strip_suffix(quote);
        inside('"').or_else(|| inside('\''))
    };
    if let Some(inner) = quoted("Revert") {
        return Some(Title::read(inner).subject.to_owned());
    }
    if let Some(inner) = quoted("Reapply") {
        return Some(format!("Revert \"{inner}\""));
    }
    let header = header.filter(|header| header.kind.eq_ignore_ascii_case("revert"))?;
    Some(Title::read(header.description.trim_matches('"')).subject.to_owned())
}

/// The subject of a commit that was joined to this one, if a line of the body names one.
fn joined_subject(line: &str, form: Joined) -> Option<&str> {
    let line = line.trim();
    let item = ["* ", "- ", "+ ", "• "].iter().find_map(|bullet| line.strip_prefix(bullet));
    let item = item.filter(|_| form >= Joined::Listed);
    let subject = Title::read(item.or((form == Joined::Anyhow).then_some(line))?).subject;
    let header = Header::read(subject);
    let is_change = header.is_some() || reverted_subject(subject, header).is_some();
    is_change.then_some(subject)
}

impl<'t> Title<'t> {
    fn read(line: &'t str) -> Self {
        let line = line.trim();
        let (line, has_number) = match without_number(line) {
            Some(line) => (line, true),
            None => (line, false),
        };
        // Azure DevOps: `Merged PR 77: x`. Bitbucket Data Center: `Pull request #77: x`.
        let titled = ["Merged PR ", "Pull request #"].iter().find_map(|before| {
            let (number, title) = line.strip_prefix(before)?.split_once(": ")?;
            is_number(number).then_some(title)
        });
        // Gitea and Forgejo: `Merge pull request 'x' (#77) from y into main`.
        let quoted = || {
            let rest = line.strip_prefix("Merge pull request '")?;
            rest.split_once("' (#").map(|(title, _)| title)
        };
        if let Some(title) = titled.or_else(quoted) {
            return Self { subject: without_tickets(title), joined: Joined::Anyhow };
        }
        // Bitbucket: `Merged in x (pull request #77)`; git, GitHub, GitLab and Azure DevOps:
        // `Merge branch 'x' into 'main'`, `Merge pull request #77 from x`. The body has the title.
        let is_merge = ["Merge ", "Merged in ", "Squashed commit of the following:"]
            .iter()
            .any(|start| line.starts_with(start));
        if is_merge {
            return Self { subject: line, joined: Joined::Anyhow };
        }
        let joined = if has_number { Joined::Listed } else { Joined::No };
        Self { subject: without_tickets(line), joined }
    }
}

/// A title without the number of its pull request at the end: `x (#77)`, `x (pull request #77)`.
fn without_number(title: &str) -> Option<&str> {
    let (title, number) = title.strip_suffix(')')?.rsplit_once(" (")?;
    let number = ["pull request ", "PR "]
        .iter()
        .find_map(|word| number.strip_prefix(word))
        .unwrap_or(number);
    let digits = number.strip_prefix(['#', '!'])?;
    is_number(digits).then_some(title.trim_end())
}

/// A title without the tickets and emojis before it: `[DATA-12] x`, `DATA-12: x`, `#12 x`, `✨ x`.
fn without_tickets(title: &str) -> &str {
    let mut title = title.trim();
    loop {
        let bracketed = title.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        let in_parentheses = || {
            let (inner, rest) = title.strip_prefix('(')?.split_once(')')?;
            is_ticket(inner).then_some(rest)
        };
        let word = |is_end: fn(char) -> bool, is_passed: fn(&str) -> bool| {
            let (word, rest) = title.split_at_checked(title.find(is_end)?)?;
            is_passed(word).then_some(rest)
        };
        let ticket = || word(|char| char.is_whitespace() || matches!(char, ':' | ','), is_ticket);
        let emoji = || word(char::is_whitespace, is_emoji);
        let bracketed = bracketed.map(|(_, rest)| rest);
        let Some(rest) = bracketed.or_else(in_parentheses).or_else(ticket).or_else(emoji) else {
            return title;
        };
        title = rest.trim_start_matches([' ', ':', ',', '-', '–', '—', '|']);
    }
}

/// Whether a word is the number of a ticket: `DATA-12`, `#12`, `!12`, `AB#12`.
fn is_ticket(word: &str) -> bool {
    let is_project = |project: &str| {
        project.starts_with(|char: char| char.is_ascii_alphabetic())
            && project.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
    };
    match word.rsplit_once(['-', '#', '!']) {
        Some((project, number)) if is_number(number) => {
            is_project(project) || (project.is_empty() && !word.starts_with('-'))
        }
        _ => false,
    }
}

/// Whether a word is an emoji: `✨`, `:sparkles:`.
fn is_emoji(word: &str) -> bool {
    let is_named = word.len() > 2 && word.starts_with(':') && word.ends_with(':');
    let is_symbol = |char: char| !char.is_ascii() && !char.is_alphanumeric();
    is_named || (!word.is_empty() && word.chars().all(is_symbol))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn impact(message: &str) -> Option<Impact> {
        changes(message).into_iter().filter_map(|change| change.impact).max()
    }

    #[test]
    fn of_a_plain_message_the_title_and_its_footers_count() {
        for (message, expected) in [
            ("feat: x", Some(Impact::Minor)),
            ("refactor: x\n\nBREAKING CHANGE: y", Some(Impact::Major)),
            ("fix: x\n\nbody\n\nReviewed-by: Z\nBREAKING-CHANGE: y", Some(Impact::Major)),
            ("fix: x\r\n\r\nBREAKING CHANGE: y\r\n", Some(Impact::Major)),
            ("fix: x\n\nno BREAKING CHANGE: y", Some(Impact::Patch)),
            ("Say it\n\nBREAKING CHANGE: y", Some(Impact::Major)),
            // A list explains a title that is a header.
            ("chore: tidy\n\n* feat: is what the next one is\n- fix: too", None),
            ("chore: tidy\n\nfeat: is what the next one is", None),
            // A line of a body without any sign of a squash is prose.
            ("Update the loader\n\nfeat: x", None),
            ("\n\nfeat: x\n", Some(Impact::Minor)),
            ("\r\n  feat: x\r\n", Some(Impact::Minor)),
            ("", None),
        ] {
            assert_eq!(impact(message), expected, "{message:?}");
        }
    }

    #[test]
    fn squash_merges_of_each_service_count() {
        for (message, expected) in [
            ("Merged PR 77: feat: x\n\nRelated work items: #12", Some(Impact::Minor)),
            ("Merged PR 77: Add x\n\n- feat: x\n- fix: y", Some(Impact::Minor)),
            ("Merged PR 77: chore: x\n\nSome words.", None),
            ("Merged PR many: feat: x", None),
            (
                "Merged in feature/x (pull request #3)\n\nFeature/x\n\n* feat: x\n\n* fix: y\n\nApproved-by: Ada",
                Some(Impact::Minor),
            ),
            ("Merged in feature/x (pull request #3)\n\nDATA-12: fix: y", Some(Impact::Patch)),
            ("Merged in feature/x (pull request #3)\n\nWords\n\nApproved-by: Ada", None),
            (
                "Pull request #3: feat!: x\n\nMerge in DATA/flows from x to main",
                Some(Impact::Major),
            ),
            (
                "Pull request #3: Words\n\nMerge in DATA/flows from x to main\n\n* commit '3f2a91c':\n  feat: x\n  Words",
                Some(Impact::Minor),
            ),
            ("Load more (#12)\n\n* feat: x\n\nWhy.\n\n* fix: y\n\n* wip", Some(Impact::Minor)),
            ("Load more\n\n* feat: x\n* fix: y", Some(Impact::Minor)),
            ("chore: tidy (#12)\n\n* fix: y\n* chore: z", Some(Impact::Patch)),
            ("feat: x (#12)", Some(Impact::Minor)),
            // The body of a single commit is prose.
            ("chore: tidy (#12)\n\nWhat was wrong:\nfix: is no type for it", None),
            ("Load more (#12)\n\n* wip\n* more", None),
            ("Load more (#12)\n\n* fix: x\n\nBREAKING CHANGE: y", Some(Impact::Major)),
            ("Merge pull request #12 from ada/x\n\nfeat: x", Some(Impact::Minor)),
            ("Merge pull request 'feat: x' (#12) from ada/x into main", Some(Impact::Minor)),
            (
                "Merge branch 'x' into 'main'\n\nfeat: x\n\nCloses #1\n\nSee merge request data/flows!12",
                Some(Impact::Minor),
            ),
            (
                "docs: x\n\n* docs: x\n\n* fix: y\n\nSee merge request data/flows!12",
                Some(Impact::Patch),
            ),
            (
                "Squashed commit of the following:\n\ncommit 3f2a91c\nAuthor: Ada <a@example.com>\nDate:   Thu\n\n    feat: x\n\n    BREAKING CHANGE: y\n",
                Some(Impact::Major),
            ),
        ] {
            assert_eq!(impact(message), expected, "{message:?}");
        }
    }

    #[test]
    fn tickets_and_emojis_before_the_header_do_not_hide_it() {
        for title in [
            "[DATA-12] feat: x",
            "[DATA-12]: feat: x",
            "[DATA-12][DATA-13] feat: x",
            "DATA-12: feat: x",
            "DATA-12 feat: x",
            "DATA-12 - feat: x",
            "DATA-12:feat: x",
            "DATA-12, DATA-13: feat: x",
            "data_1-12 | feat: x",
            "(DATA-12) feat: x",
            "#12 feat: x",
            "#12: feat: x",
            "!12 feat: x",
            "AB#12 feat: x",
            "✨ feat: x",
            ":sparkles: feat: x",
            "Merged PR 77: [DATA-12] feat: x",
            "[DATA-12] feat: x (#12)",
        ] {
            assert_eq!(impact(title), Some(Impact::Minor), "{title}");
            assert_eq!(changes(title)[0].subject, "feat: x", "{title}");
        }
        for title in [
            "Say feat: x",
            "12 feat: x",
            "DATA feat: x",
            "-12 feat: x",
            "DATA-12: x",
            "DATA-12 x: feat: y z",
        ] {
            assert!(impact(title).is_none(), "{title}");
        }
    }

    #[test]
    fn a_revert_names_what_it_takes_back() {
        let id = "3f2a91c".repeat(6);
        for (message, subject, commits) in [
            (format!("Revert \"feat: x\"\n\nThis reverts commit {id}."), "feat: x", vec![&*id]),
            (
                "Revert \"feat: x (#12)\" (#13)\n\nReverts data/flows#12".to_owned(),
                "feat: x",
                vec![],
            ),
            ("Merged PR 78: Revert 'Merged PR 77: feat: x'".to_owned(), "feat: x", vec![]),
            ("Revert \"Revert \"feat: x\"\"".to_owned(), "Revert \"feat: x\"", vec![]),
            ("Reapply \"feat: x\"".to_owned(), "Revert \"feat: x\"", vec![]),
            (
                "revert: feat: x\n\nRefs: 3f2a91c, eb84d0b".to_owned(),
                "feat: x",
                vec!["3f2a91c", "eb84d0b"],
            ),
            ("revert(etl): feat: x".to_owned(), "feat: x", vec![]),
        ] {
            let change = changes(&message).remove(0);
            let reverted = change.reverts.unwrap();
            assert_eq!((reverted.subject.as_str(), change.impact), (subject, None), "{message}");
            assert_eq!(reverted.commits, commits, "{message}");
        }
        let merge = format!(
            "Revert \"Merge branch 'x'\"\n\nThis reverts commit {id}, reversing\nchanges made to eb84d0b."
        );
        let reverted = changes(&merge).remove(0).reverts.unwrap();
        assert_eq!(reverted.merged_into.as_deref(), Some("eb84d0b"));
        assert_eq!(changes("Revert the loader")[0].reverts, None);
    }
}
