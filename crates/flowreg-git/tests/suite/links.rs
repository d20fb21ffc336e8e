//! Symbolic links: followed as the system follows them in a checkout, and never out of the tree.

use std::collections::BTreeSet;

use flowreg_git::{GitError, LinkProblem, Tree, TreeFiles};

use proptest::prelude::*;

use crate::repository::TestRepository;

/// A repository with these files and links (path and target), committed.
fn repository(files: &[&str], links: &[(&str, &str)]) -> TestRepository {
    let repository = TestRepository::empty();
    for path in files {
        repository.write(path, format!("{path}\n"));
    }
    links.iter().for_each(|(path, target)| repository.link(path, target));
    repository.commit("first");
    repository
}

fn tree(repository: &TestRepository) -> Tree {
    repository.open().tree(&repository.commit_id("HEAD")).unwrap()
}

fn python(tree: &Tree) -> TreeFiles {
    tree.files(|_, _| true, |path| path.ends_with(b".py")).unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Paths, and where the files themselves are.
fn listed(files: &TreeFiles) -> Vec<(&str, Option<&str>)> {
    files.blobs.iter().map(|blob| (text(&blob.path), blob.target.as_deref().map(text))).collect()
}

#[test]
fn a_path_leads_over_links_to_what_the_system_finds_in_a_checkout() {
    let files = ["a/b/deep.py", "a/top.py", "other/x.py"];
    let links = [
        ("plain.py", "a/top.py"),
        ("chain.py", "other/again.py"),
        ("other/again.py", "../plain.py"),
        ("directory", "a"),
        ("other/up", "../a/b"),
        ("dotted.py", "./a//b/../top.py"),
        // `..` leaves the directory that the link before it leads to, not the one it stands in.
        ("physical.py", "other/up/../top.py"),
        ("here", "."),
    ];
    let repository = repository(&files, &links);
    let tree = tree(&repository);
    for path in [
        "plain.py",
        "chain.py",
        "directory/top.py",
        "directory/b/deep.py",
        "other/up/deep.py",
        "dotted.py",
        "physical.py",
        "here/here/other/x.py",
        "other/up/../../a/top.py",
        "a/none.py",
        "directory/none.py",
        "plain.py/x",
    ] {
        let in_checkout = std::fs::read(repository.root().join(path)).ok();
        assert_eq!(tree.read_path(path).unwrap(), in_checkout, "{path}");
    }
    let found = tree.find("physical.py").unwrap().unwrap();
    assert_eq!(found.target.as_deref().map(text), Some("a/top.py"));
    assert_eq!(tree.find("a/top.py").unwrap().unwrap().target, None);
}

#[test]
fn what_can_not_be_followed_says_why() {
    let outside = "../".repeat(9) + "etc/passwd";
    let links = [
        ("absolute.py", "/etc/passwd"),
        ("outside.py", outside.as_str()),
        ("a/over.py", "../../x.py"),
        ("missing.py", "nowhere.py"),
        ("through.py", "a/x.py/y.py"),
        ("self.py", "self.py"),
        ("one.py", "two.py"),
        ("two.py", "one.py"),
        ("chain.py", "missing.py"),
        ("lost", "/opt/lost"),
        ("directory.py", "a"),
    ];
    let repository = repository(&["a/x.py"], &links);
    let head = repository.git(&["rev-parse", "HEAD"]);
    repository.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{head},module")]);
    repository.link("inside.py", "module/x.py");
    repository.git(&["add", "inside.py"]);
    repository.git(&["commit", "-q", "-m", "second"]);
    let tree = tree(&repository);
    for (path, problem, message) in [
        (
            "absolute.py",
            LinkProblem::Outside,
            "`absolute.py` is a symbolic link to `/etc/passwd`, which is outside of the repository",
        ),
        ("outside.py", LinkProblem::Outside, "which is outside of the repository"),
        (
            "a/over.py",
            LinkProblem::Outside,
            "`a/over.py` is a symbolic link to `../../x.py`, which",
        ),
        ("missing.py", LinkProblem::Missing, "to `nowhere.py`, which does not exist"),
        ("through.py", LinkProblem::Missing, "to `a/x.py/y.py`, which does not exist"),
        ("self.py", LinkProblem::Circle, "to `self.py`, which leads in a circle"),
        ("one.py", LinkProblem::Circle, "`one.py` is a symbolic link to `two.py`, which leads in"),
        (
            "chain.py",
            LinkProblem::Missing,
            "`chain.py` leads over the symbolic link `missing.py` to `nowhere.py`, which does not",
        ),
        (
            "lost/etl.py",
            LinkProblem::Outside,
            "`lost/etl.py` leads over the symbolic link `lost` to `/opt/lost`, which is outside",
        ),
        ("directory.py", LinkProblem::Directory, "to `a`, which is a directory"),
        ("inside.py", LinkProblem::Submodule, "to `module/x.py`, which is in a submodule"),
    ] {
        let Err(GitError::BrokenLink(link)) = tree.find(path) else { panic!("{path}") };
        assert_eq!(link.problem, problem, "{path}");
        assert!(link.to_string().contains(message), "{link}");
    }
}

#[test]
fn a_chain_of_forty_links_is_followed_and_one_more_is_not() {
    let links: Vec<(String, String)> =
        (1..=41).map(|n| (format!("l{n}.py"), format!("l{}.py", n - 1))).collect();
    let links: Vec<(&str, &str)> = links.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let repository = repository(&["l0.py"], &links);
    let tree = tree(&repository);
    for path in ["l40.py", "l41.py"] {
        let is_there = std::fs::read(repository.root().join(path)).is_ok();
        assert_eq!(tree.find(path).is_ok(), is_there, "{path}");
    }
}

#[test]
fn files_are_listed_under_all_their_paths() {
    let files = ["src/pkg/__init__.py", "src/pkg/deep/x.py", "etl.py", "data.csv"];
    let links = [
        ("pkg", "src/pkg"),
        ("flows/etl.py", "../etl.py"),
        ("flows/pkg", "../pkg"),
        ("more.csv", "data.csv"),
        ("lost.py", "nowhere"),
        ("lost", "/opt/lost"),
    ];
    let repository = repository(&files, &links);
    let found = python(&tree(&repository));
    assert_eq!(
        listed(&found),
        [
            ("etl.py", None),
            ("flows/etl.py", Some("etl.py")),
            ("flows/pkg/__init__.py", Some("src/pkg/__init__.py")),
            ("flows/pkg/deep/x.py", Some("src/pkg/deep/x.py")),
            ("pkg/__init__.py", Some("src/pkg/__init__.py")),
            ("pkg/deep/x.py", Some("src/pkg/deep/x.py")),
            ("src/pkg/__init__.py", None),
            ("src/pkg/deep/x.py", None),
        ]
    );
    let broken: Vec<&str> = found.broken.iter().map(|(link, _)| text(&link.path)).collect();
    assert_eq!(broken, ["lost", "lost.py"]);
}

#[test]
fn links_to_directories_around_them_end() {
    let links = [("a/root", ".."), ("a/self", "."), ("b/a", "../a"), ("a/b", "../b")];
    let repository = repository(&["a/x.py", "b/y.py"], &links);
    let found = python(&tree(&repository));
    let paths: Vec<&str> = found.blobs.iter().map(|blob| text(&blob.path)).collect();
    assert_eq!(paths, ["a/b/y.py", "a/x.py", "b/a/x.py", "b/y.py"]);
    let loops = found.broken.iter().filter(|(_, link)| link.problem == LinkProblem::Loop);
    assert!(loops.count() >= 2);
}

#[test]
fn links_that_multiply_a_tree_are_refused() {
    let mut links = Vec::new();
    for level in 0..30 {
        for name in ["l", "m"] {
            links.push((format!("d{level}/{name}"), format!("../d{}", level + 1)));
        }
    }
    let links: Vec<(&str, &str)> = links.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let repository = repository(&["d30/x.py"], &links);
    let error = tree(&repository).files(|_, _| true, |path| path.ends_with(b".py")).unwrap_err();
    assert_eq!(error.code(), "too_many_links");
}

#[test]
fn a_directory_behind_a_link_is_a_tree_like_any_other() {
    let files = ["groups/teams/a/etl.py", "shared/lib.py"];
    let links = [("teams", "groups/teams"), ("groups/teams/a/lib.py", "../../../shared/lib.py")];
    let repository = repository(&files, &links);
    let team = tree(&repository).subtree("teams/a").unwrap().unwrap();
    assert_eq!(text(team.path()), "groups/teams/a");
    assert_eq!(listed(&python(&team)), [("etl.py", None), ("lib.py", Some("shared/lib.py"))]);
    assert!(tree(&repository).subtree("teams/b").unwrap().is_none());
}

/// A path of few names, so that paths meet.
fn path() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["a", "b", "c.py", "d"]);
    prop::collection::vec(name, 1..4).prop_map(|names| names.join("/"))
}

/// The target of a link: relative, and most often to something that is there.
fn target() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["a", "b", "c.py", "d", "..", ".", ".."]);
    prop::collection::vec(name, 1..5).prop_map(|names| names.join("/"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn random_links_lead_where_the_system_finds_them(
        files in prop::collection::vec(path(), 1..6),
        links in prop::collection::vec((path(), target()), 1..8),
        asked in prop::collection::vec(path(), 20),
    ) {
        let repository = TestRepository::empty();
        // Inside another directory that has nothing else, so that what leads out finds nothing.
        let root = repository.root().to_owned();
        for path in &files {
            let file = root.join(path);
            // What stands in the way of a random path is left alone.
            if std::fs::create_dir_all(file.parent().unwrap()).is_ok() && !file.exists() {
                let _ = std::fs::write(&file, path);
            }
        }
        for (path, target) in &links {
            let link = root.join(path);
            if std::fs::create_dir_all(link.parent().unwrap()).is_ok() {
                let _ = std::os::unix::fs::symlink(target, link);
            }
        }
        repository.git(&["add", "-A"]);
        repository.git(&["commit", "-q", "--allow-empty", "-m", "random"]);
        let tree = tree(&repository);
        for path in asked.iter().chain(&files).chain(links.iter().map(|(path, _)| path)) {
            let there = std::fs::read(root.join(path)).ok();
            match tree.read_path(path) {
                Ok(found) => prop_assert_eq!(found, there, "{}", path),
                Err(GitError::BrokenLink(link)) => {
                    // Out of the repository the system may find the work tree again.
                    let is_outside = link.problem == LinkProblem::Outside;
                    prop_assert!(is_outside || there.is_none(), "{}: {}", path, link);
                }
                Err(error) => prop_assert!(false, "{}: {}", path, error),
            }
        }
        let files = tree.files(|_, _| true, |_| true).unwrap();
        let mut seen = BTreeSet::new();
        for blob in &files.blobs {
            let path = text(&blob.path);
            prop_assert!(seen.insert(path), "{} is listed twice", path);
            let mut buffer = Vec::new();
            let found = tree.read(blob, &mut buffer).unwrap().to_vec();
            prop_assert_eq!(Some(found), std::fs::read(root.join(path)).ok(), "{}", path);
        }
    }
}
