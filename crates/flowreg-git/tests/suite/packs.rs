//! Reading many files out of packs at once gives what reading them one by one gives.

use std::fs;
use std::path::PathBuf;

use flowreg_git::{Tree, TreeBlob};

use crate::repository::TestRepository;

/// Families of files that resemble each other, some of them the same, with a history.
fn repository(after_each_commit: &[&str]) -> TestRepository {
    let repository = TestRepository::empty();
    for round in 0..4 {
        for file in 0..60 {
            if round == 0 || file % 7 == round {
                repository.write(&format!("team{}/f{file}.py", file % 3), text(file, round));
            }
        }
        repository.commit("next");
        if !after_each_commit.is_empty() {
            repository.git(after_each_commit);
        }
    }
    repository
}

fn text(file: usize, round: usize) -> String {
    let line = |number| format!("name_{}_{number} = {}\n", file % 6, number * (file % 6 + 3));
    let lines: String = (0..80 + file % 6 * 30).map(line).collect();
    // Every tenth file is a copy of another one.
    format!("{lines}own = {}\n{}", file / 2 * 2 % 50, "later = 1\n".repeat(round))
}

fn tree(repository: &TestRepository) -> (Tree, Vec<TreeBlob>) {
    let tree = repository.open().tree(&repository.commit_id("HEAD")).unwrap();
    let blobs = tree.files(|_, _| true, |path| path.ends_with(b".py")).unwrap().blobs;
    (tree, blobs)
}

/// How many files are read as planned; all are handed on, and are what gix reads.
fn read(tree: &Tree, blobs: &[TreeBlob]) -> usize {
    let plan = tree.pack_plan(blobs);
    let mut reader = plan.reader();
    let mut seen = vec![0; blobs.len()];
    let mut found = 0;
    for family in 0..plan.families() {
        reader.read(family, |number, content| {
            seen[number] += 1;
            if let Some(content) = content {
                found += 1;
                let mut buffer = Vec::new();
                assert_eq!(content, tree.read(&blobs[number], &mut buffer).unwrap());
            }
        });
    }
    plan.elsewhere().iter().for_each(|number| seen[*number] += 1);
    assert!(seen.iter().all(|times| *times == 1), "{seen:?}");
    found
}

fn pack(repository: &TestRepository) -> PathBuf {
    let files = fs::read_dir(repository.root().join(".git/objects/pack")).unwrap();
    let packs = files.map(|file| file.unwrap().path());
    packs.into_iter().find(|path| path.extension().unwrap() == "pack").unwrap()
}

#[test]
fn every_file_of_a_pack_is_read_in_families() {
    let repack = ["repack", "-q", "-a", "-d", "-f", "--depth=50", "--window=50"];
    for arguments in [
        [&["-c", "repack.useDeltaBaseOffset=true"], &repack[..]].concat(),
        [&["-c", "repack.useDeltaBaseOffset=false"], &repack[..]].concat(),
        vec!["gc", "-q"],
    ] {
        let repository = repository(&[]);
        repository.git(&arguments);
        let (tree, blobs) = tree(&repository);
        assert_eq!(read(&tree, &blobs), blobs.len(), "{arguments:?}");
        let plan = tree.pack_plan(&blobs);
        assert!(plan.families() < blobs.len(), "{} families", plan.families());
    }
}

#[test]
fn files_of_several_packs_and_of_another_repository_are_read() {
    let repository = repository(&["repack", "-q", "-d"]);
    let (own, blobs) = tree(&repository);
    assert_eq!(read(&own, &blobs), blobs.len());
    let shared =
        repository.clone_beside("shared", &["--shared", repository.root().to_str().unwrap()]);
    let opened = repository.open_in(&shared, &[]).unwrap();
    let borrowed = opened.tree(&repository.commit_id("HEAD")).unwrap();
    assert_eq!(read(&borrowed, &blobs), blobs.len());
}

#[test]
fn what_is_loose_is_left_to_gix() {
    let repository = repository(&[]);
    let (loose, blobs) = tree(&repository);
    assert_eq!(read(&loose, &blobs), 0);
}

#[test]
fn a_replacement_is_read_neither_from_packs_nor_by_gix() {
    let repository = repository(&["gc", "-q"]);
    let (before, blobs) = tree(&repository);
    let mut content = Vec::new();
    let content = before.read(&blobs[0], &mut content).unwrap();
    repository.git(&["replace", &blobs[0].id.to_string(), &blobs[5].id.to_string()]);
    let (after, blobs) = tree(&repository);
    assert_eq!(read(&after, &blobs), blobs.len());
    let mut again = Vec::new();
    assert_eq!(after.read(&blobs[0], &mut again).unwrap(), content);
}

#[test]
fn a_damaged_pack_gives_what_gix_reads_or_nothing() {
    let repository = repository(&["gc", "-q"]);
    let (whole, blobs) = tree(&repository);
    assert_eq!(read(&whole, &blobs), blobs.len());
    let path = pack(&repository);
    let bytes = fs::read(&path).unwrap();
    let commit = repository.commit_id("HEAD");
    let mut lost = 0;
    for at in (12..bytes.len() - 20).step_by(bytes.len() / 60) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x55;
        fs::remove_file(&path).unwrap();
        fs::write(&path, &damaged).unwrap();
        // The commit itself may be what is damaged.
        if let Ok(tree) = repository.open().tree(&commit) {
            lost += blobs.len() - read(&tree, &blobs);
        }
    }
    assert!(lost > 0);
}
