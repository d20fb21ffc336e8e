//! A repository with a bare remote, for what a tagging job does.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Flowreg, TestRepository};

/// A work tree whose `main` is pushed to `origin`.
pub(crate) struct Tagged {
    pub repository: TestRepository,
    pub remote: PathBuf,
}

impl Tagged {
    /// One flow, one commit.
    pub(crate) fn new() -> Self {
        let repository = TestRepository::empty();
        let remote = repository.add_bare_remote("origin");
        repository.git(&["config", "user.name", "Ada"]);
        let tagged = Self { repository, remote };
        tagged.repository.write(
            "flows/etl.py",
            "from prefect import flow\n\n\n@flow\ndef etl(n: int = 1):\n    return n\n",
        );
        tagged.push("feat: the first flow");
        tagged
    }

    /// Commits whatever changed with this message, pushes it and returns the commit.
    pub(crate) fn push(&self, message: &str) -> String {
        let commit = self.repository.commit(message);
        self.repository.git(&["push", "-q", "origin", "HEAD"]);
        commit
    }

    /// Tags HEAD and pushes the tag.
    pub(crate) fn tag(&self, tag: &str) {
        self.repository.git(&["tag", "-a", "-m", tag, tag]);
        self.repository.git(&["push", "-q", "origin", &format!("refs/tags/{tag}")]);
    }

    pub(crate) fn flowreg(&self) -> Flowreg {
        Flowreg::in_repository(&self.repository)
    }

    /// Runs it in a clone.
    pub(crate) fn flowreg_in(&self, directory: &Path) -> Flowreg {
        Flowreg::in_directory(directory, self.repository.outside())
    }

    /// `flowreg tag` with these arguments, which has to go well.
    pub(crate) fn run(&self, arguments: &[&str]) -> Value {
        self.flowreg().json(&[&["tag"], arguments].concat(), 0)
    }

    /// What `flowreg tag --print` prints.
    pub(crate) fn print(&self, arguments: &[&str]) -> String {
        let run = self.flowreg().run(&[&["tag", "--print"], arguments].concat());
        assert_eq!(run.code, 0, "{run:#?}");
        run.stdout.trim_end().to_owned()
    }

    /// The tags of the remote, each with the commit that it leads to.
    pub(crate) fn tags(&self) -> Vec<(String, String)> {
        let format = "--format=%(refname:short) %(if)%(*objectname)%(then)%(*objectname)%(else)%(objectname)%(end)";
        let listing = self.repository.git_in(&self.remote, &["for-each-ref", format, "refs/tags"]);
        let pairs = listing.lines().map(|line| line.split_once(' ').unwrap());
        pairs.map(|(tag, commit)| (tag.to_owned(), commit.to_owned())).collect()
    }

    /// The names of the remote's tags.
    pub(crate) fn tag_names(&self) -> Vec<String> {
        self.tags().into_iter().map(|(name, _)| name).collect()
    }

    /// A hook of the remote.
    pub(crate) fn hook(&self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.remote.join("hooks").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A clone of the remote beside the work tree, over a transport that honours `--depth`.
    pub(crate) fn clone(&self, name: &str, arguments: &[&str]) -> PathBuf {
        let url = format!("file://{}", self.remote.display());
        let path = self.repository.clone_beside(name, &[arguments, &[url.as_str()]].concat());
        self.repository.git_in(&path, &["config", "user.name", "Ada"]);
        path
    }
}
