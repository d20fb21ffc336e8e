//! History is what the graph of parents says, whatever the dates of the commits are.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::File;
use std::process::Command;

use flowreg_git::tagging::{
    Bump, Day, Decision, RequestedVersion, Scheme, Series, SeriesSet, SeriesTags, TagError,
    TagRequest, decide,
};
use flowreg_git::{RemoteTags, Repository};
use flowreg_model::{BranchName, CommitId};
use proptest::prelude::*;

use crate::repository::{TestRepository, git_environment};

/// A commit: its parents, as indices of earlier commits, and its date in seconds.
type RandomCommit = (Vec<usize>, i64);

/// A history that git has made, with commits in an order in which parents come first.
struct History {
    repository: TestRepository,
    commits: Vec<RandomCommit>,
    ids: Vec<CommitId>,
}

impl History {
    /// Makes the commits; the commit `n` is the branch `c<n>`, and the tag `v<n>.0.0` is at `tags[n]`.
    fn new(commits: &[RandomCommit], tags: &[usize]) -> Self {
        let repository = TestRepository::empty();
        let mut stream = String::new();
        for (index, (parents, seconds)) in commits.iter().enumerate() {
            let who = format!("Ada <ada@example.com> {seconds} +0000");
            let message = format!("feat: c{index}");
            write!(
                stream,
                "commit refs/heads/c{index}\nmark :{}\nauthor {who}\ncommitter {who}\ndata {}\n{message}\n",
                index + 1,
                message.len()
            )
            .unwrap();
            for (position, parent) in parents.iter().enumerate() {
                let word = if position == 0 { "from" } else { "merge" };
                writeln!(stream, "{word} :{}", parent + 1).unwrap();
            }
            stream.push('\n');
        }
        for (index, commit) in tags.iter().enumerate() {
            writeln!(stream, "reset refs/tags/v{index}.0.0\nfrom :{}\n", commit + 1).unwrap();
        }
        import(&repository, &stream);
        let ids = (0..commits.len()).map(|index| repository.commit_id(&format!("c{index}")));
        let ids = ids.collect();
        Self { repository, commits: commits.to_vec(), ids }
    }

    /// A commit-graph of the first commits only, as it is when others came after it was written.
    fn write_commit_graph(&self, of_first: usize) {
        let file = self.repository.outside().join("commits");
        let ids = self.ids[..of_first].iter().map(|id| format!("{id}\n")).collect::<String>();
        std::fs::write(&file, ids).unwrap();
        let write = Command::new("git")
            .args(["commit-graph", "write", "--stdin-commits"])
            .current_dir(self.repository.root())
            .env_clear()
            .envs(git_environment(self.repository.outside()))
            .stdin(File::open(file).unwrap())
            .output();
        assert!(write.unwrap().status.success());
    }

    /// The indices of a commit and of its history.
    fn of(&self, commit: usize) -> BTreeSet<usize> {
        let parents = self.commits[commit].0.iter();
        parents.flat_map(|parent| self.of(*parent)).chain([commit]).collect()
    }

    /// The indices of a commit and of those that its first parents lead to.
    fn first_parents(&self, commit: usize) -> Vec<usize> {
        let next = self.commits[commit].0.first();
        let rest = next.map(|next| self.first_parents(*next)).unwrap_or_default();
        [vec![commit], rest].concat()
    }

    fn is_in(&self, opened: &Repository, commit: usize, tip: usize) -> bool {
        let branch: BranchName = "main".parse().unwrap();
        let branches = [(branch, self.ids[tip].clone())];
        let found = opened.is_on_mainline(&self.ids[commit], &["main".to_owned()], None, &branches);
        found.unwrap().unwrap()
    }

    fn is_ancestor_for_git(&self, commit: usize, tip: usize) -> bool {
        let (commit, tip) = (self.ids[commit].as_str(), self.ids[tip].as_str());
        let arguments = ["merge-base", "--is-ancestor", commit, tip];
        self.repository.try_git(self.repository.root(), &arguments).status.success()
    }

    /// What is decided about a tag at a commit.
    fn decision(
        &self,
        opened: &Repository,
        commit: usize,
        version: &RequestedVersion,
    ) -> Result<Decision, TagError> {
        let series = series();
        let tags = opened.tags_here("").unwrap();
        let set = SeriesSet::Declared(vec![series.clone()]);
        let listed = RemoteTags { tags, branches: Vec::new() };
        let existing = SeriesTags::new(listed, &set, &series);
        let request = TagRequest {
            repository: opened,
            series: &series,
            commit: &self.ids[commit],
            version,
            remote: None,
            today: Some(Day { year: 2026, month: 1, day: 2, week: 1, week_year: 2026 }),
            provider: None,
        };
        decide(&request, &existing)
    }
}

fn import(repository: &TestRepository, stream: &str) {
    let file = repository.outside().join("stream");
    std::fs::write(&file, stream).unwrap();
    let import = Command::new("git")
        .args(["fast-import", "--quiet"])
        .current_dir(repository.root())
        .env_clear()
        .envs(git_environment(repository.outside()))
        .stdin(File::open(file).unwrap())
        .status();
    assert!(import.unwrap().success());
}

/// A branch of so many commits, with no commit of another one.
fn line(branch: &str, commits: usize) -> String {
    let commit = |number| {
        format!(
            "commit refs/heads/{branch}\ncommitter Ada <ada@example.com> {number} +0000\ndata {}\n{branch}\n",
            branch.len()
        )
    };
    (1_600_000_000..1_600_000_000 + commits).map(commit).collect()
}

#[test]
fn generation_numbers_end_a_search_where_nothing_can_be_found_any_more() {
    let repository = TestRepository::empty();
    import(&repository, &(line("one", 20_000) + &line("other", 20_000)));
    repository.git(&["branch", "root", "one~19999"]);
    repository.git(&["commit-graph", "write", "--reachable"]);
    let [one, other, root] = ["one", "other", "root"].map(|name| repository.commit_id(name));
    let opened = repository.open();
    let mainline: BranchName = "main".parse().unwrap();
    let is_in = |commit: &CommitId, tip: &CommitId| {
        let (branches, globs) = ([(mainline.clone(), tip.clone())], ["main".to_owned()]);
        let start = std::time::Instant::now();
        let found = opened.is_on_mainline(commit, &globs, None, &branches).unwrap().unwrap();
        (found, start.elapsed())
    };
    // The only way to find the first commit leads through all others.
    let (is_found, whole) = is_in(&root, &one);
    assert!(is_found);
    for (commit, tip) in [(&one, &other), (&other, &one), (&one, &root)] {
        let (is_found, taken) = is_in(commit, tip);
        assert!(!is_found);
        assert!(taken * 5 < whole, "{taken:?} of {whole:?}");
    }
}

fn series() -> Series {
    let prefix = "v".to_owned();
    Series { prefix, scheme: Scheme::default(), package: None, paths: Vec::new() }
}

/// Histories of up to `most` commits whose dates have nothing to do with their order.
fn histories(most: usize) -> impl Strategy<Value = Vec<RandomCommit>> {
    let commit = (prop::collection::vec(any::<prop::sample::Index>(), 0..3), 0..40_i64);
    prop::collection::vec(commit, 1..most).prop_map(|commits| {
        let commits = commits.into_iter().enumerate();
        let commits = commits.map(|(index, (parents, day))| {
            // Mostly one line with branches; now and then a second root.
            let mut parents: Vec<_> = if index == 0 {
                Vec::new()
            } else if parents.is_empty() && day > 1 {
                vec![index - 1]
            } else {
                parents.iter().map(|parent| parent.index(index)).collect()
            };
            parents.dedup();
            (parents, 1_700_000_000 + day * 86_400)
        });
        commits.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ancestors_are_those_of_git_whatever_the_dates_are(
        commits in histories(14),
        graph in prop::option::of(any::<prop::sample::Index>()),
        pairs in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 6),
    ) {
        let history = History::new(&commits, &[]);
        if let Some(graph) = graph {
            history.write_commit_graph(graph.index(commits.len()) + 1);
        }
        let opened = history.repository.open();
        for tip in 0..commits.len() {
            let of_tip = history.of(tip);
            for commit in 0..commits.len() {
                prop_assert_eq!(history.is_in(&opened, commit, tip), of_tip.contains(&commit), "{} in {}", commit, tip);
            }
        }
        for (commit, tip) in pairs {
            let (commit, tip) = (commit.index(commits.len()), tip.index(commits.len()));
            prop_assert_eq!(history.is_in(&opened, commit, tip), history.is_ancestor_for_git(commit, tip));
        }
    }

    #[test]
    fn versions_and_commits_since_them_follow_from_the_graph(
        commits in histories(20),
        tags in prop::collection::vec(any::<prop::sample::Index>(), 1..6),
        graph in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let tags: Vec<_> = tags.iter().map(|tag| tag.index(commits.len())).collect();
        let history = History::new(&commits, &tags);
        if let Some(graph) = graph {
            history.write_commit_graph(graph.index(commits.len()) + 1);
        }
        let opened = history.repository.open();
        for commit in (0..commits.len()).filter(|commit| !tags.contains(commit)) {
            let own = history.of(commit);
            let latest = (0..tags.len()).rev().find(|tag| own.contains(&tags[*tag]));
            let version = series().parse("99.0.0").unwrap();
            let exactly =
                RequestedVersion::Exactly { version, may_be_lower: false, is_in_full: false };
            let Ok(Decision::Create { previous, commits: since, .. }) = history.decision(&opened, commit, &exactly) else {
                panic!("no tag is made at {commit}");
            };
            let name = |tag: usize| format!("v{tag}.0.0");
            prop_assert_eq!(previous.map(|tag| tag.to_string()), latest.map(name));
            let released = latest.map(|tag| history.of(tags[tag])).unwrap_or_default();
            let since: BTreeSet<_> = since.into_iter().map(|commit| commit.id).collect();
            let expected = own.difference(&released).map(|commit| history.ids[*commit].clone()).collect();
            prop_assert_eq!(since, expected);
            let higher = latest.map_or(0, |latest| latest + 1)..tags.len();
            let by = higher.rev().find(|tag| history.first_parents(tags[*tag]).contains(&commit));
            let next = RequestedVersion::Next { bump: Some(Bump::Major), pre: None, build: None };
            let later = match history.decision(&opened, commit, &next) {
                Ok(Decision::Contained { by, .. }) => Some(by.to_string()),
                Ok(_) | Err(_) => None,
            };
            prop_assert_eq!(later, by.map(name));
        }
    }
}
