//! Included configuration counts where and in the order in which it counts for git.

use std::fs;
use std::path::PathBuf;

use flowreg_git::Repository;

use crate::repository::TestRepository;

struct Included {
    repository: TestRepository,
    /// The repository's own configuration without includes.
    own: String,
}

impl Included {
    fn new() -> Self {
        let repository = TestRepository::empty();
        repository.commit("first");
        repository.git(&["remote", "add", "origin", "https://example.com/acme/flows.git"]);
        for (name, value) in [("on", "true"), ("off", "false")] {
            let path = repository.outside().join(name);
            fs::write(path, format!("[flowreg]\n\tenabled = {value}\n")).unwrap();
        }
        let own = fs::read_to_string(repository.root().join(".git/config")).unwrap();
        Self { repository, own }
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.repository.outside().join(name);
        fs::write(&path, self.filled(text)).unwrap();
        path
    }

    /// `@` stands for the directory with the files.
    fn filled(&self, text: &str) -> String {
        text.replace('@', self.repository.outside().to_str().unwrap())
    }

    fn configure(&self, text: &str) {
        let text = format!("{}{}", self.own, self.filled(text));
        fs::write(self.repository.root().join(".git/config"), text).unwrap();
    }

    /// What git says, and what flowreg says.
    fn both(&self, variables: &[(&str, &str)]) -> (Option<bool>, Option<bool>) {
        let git = std::process::Command::new("git")
            .args(["config", "--type=bool", "--get", "flowreg.enabled"])
            .current_dir(self.repository.root())
            .env_clear()
            .envs(crate::repository::git_environment(self.repository.outside()))
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        let said = String::from_utf8(git.stdout).unwrap().trim().parse().ok();
        let environment = self.repository.environment(variables);
        let opened = Repository::discover(self.repository.root(), &environment).unwrap();
        (said, opened.switch("flowreg.enabled"))
    }
}

#[test]
fn included_files_count_in_the_order_of_git() {
    let included = Included::new();
    included.file("both", "[include]\n\tpath = on\n\tpath = @/off\n");
    included.file("nested", "[include]\n\tpath = both\n[flowreg]\n\tother = 1\n");
    for (text, expected) in [
        ("[include]\n\tpath = @/off\n", Some(false)),
        ("[include]\n\tpath = @/off\n\tpath = @/on\n", Some(true)),
        ("[include]\n\tpath = @/on\n\tpath = @/off\n", Some(false)),
        (
            "[include]\n\tpath = @/on\n\tpath = @/nope\n\tpath = @/off\n\tpath = @/nope\n",
            Some(false),
        ),
        ("[flowreg]\n\tenabled = true\n[include]\n\tpath = @/off\n", Some(false)),
        ("[include]\n\tpath = @/off\n[flowreg]\n\tenabled = true\n", Some(true)),
        ("[INCLUDE]\n\tPath = @/off\n", Some(false)),
        ("[IncludeIf \"onbranch:main\"]\n\tpath = @/off\n", Some(false)),
        ("[includeIf \"onbranch:other\"]\n\tpath = @/off\n", None),
        ("[includeIf \"gitdir:@/\"]\n\tpath = @/on\n\tpath = @/off\n", Some(false)),
        ("[includeIf \"gitdir:@/\"]\n\tpath = @/off\n\tpath = @/on\n", Some(true)),
        (
            "[includeIf \"hasconfig:remote.*.url:https://example.com/**\"]\n\tpath = @/off\n",
            Some(false),
        ),
        ("[includeIf \"hasconfig:remote.*.url:https://other.example/**\"]\n\tpath = @/off\n", None),
        ("[include]\n\tpath = @/both\n", Some(false)),
        ("[include]\n\tpath = @/nested\n", Some(false)),
        ("[include]\n\tpath = @/nested\n\tpath = @/on\n", Some(true)),
        ("[include \"x\"]\n\tpath = @/off\n", None),
        ("[includeIf]\n\tpath = @/off\n", None),
    ] {
        included.configure(text);
        assert_eq!(included.both(&[]), (expected, expected), "{text}");
    }
}

#[test]
fn what_the_environment_includes_counts_as_well_and_before_every_file() {
    let included = Included::new();
    let off = included.filled("@/off");
    let count = |key: &'static str| -> Vec<(&'static str, String)> {
        vec![
            ("GIT_CONFIG_COUNT", "1".to_owned()),
            ("GIT_CONFIG_KEY_0", key.to_owned()),
            ("GIT_CONFIG_VALUE_0", off.clone()),
        ]
    };
    let by_option = vec![("GIT_CONFIG_PARAMETERS", format!("'include.path'='{off}'"))];
    included.configure("[include]\n\tpath = @/on\n[flowreg]\n\tenabled = true\n");
    for variables in [count("include.path"), count("includeIf.onbranch:main.path"), by_option] {
        let variables: Vec<_> =
            variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(included.both(&variables), (Some(false), Some(false)), "{variables:?}");
    }
    let global = included.file("global", "[include]\n\tpath = @/off\n");
    let global = [("GIT_CONFIG_GLOBAL", global.to_str().unwrap())];
    assert_eq!(included.both(&global), (Some(true), Some(true)));
    included.configure("");
    assert_eq!(included.both(&global), (Some(false), Some(false)));
}

#[test]
fn includes_that_never_end_are_an_error() {
    let included = Included::new();
    included.file("circle", "[include]\n\tpath = circle\n");
    included.configure("[include]\n\tpath = @/circle\n");
    let error = included.repository.open_in(included.repository.root(), &[]).err().unwrap();
    assert_eq!(error.code(), "git_configuration");
    assert!(error.to_string().contains("more than 10 levels deep"), "{error}");
    // As deep as git goes.
    for level in 1..10 {
        included
            .file(&format!("level-{level}"), &format!("[include]\n\tpath = level-{}\n", level + 1));
    }
    included.file("level-10", "[flowreg]\n\tenabled = false\n");
    included.configure("[include]\n\tpath = @/level-1\n");
    assert_eq!(included.both(&[]), (Some(false), Some(false)));
}

#[test]
fn the_file_that_sets_a_value_is_told_and_how_to_unset_it() {
    let included = Included::new();
    let repository = &included.repository;
    let unset = |variables: &[(&str, &str)]| {
        let opened = repository.open_in(repository.root(), variables).unwrap();
        let found = opened.configured_in("flowreg.enabled").unwrap().unwrap();
        (found.place(), found.unset("flowreg.enabled"))
    };
    included.configure("[flowreg]\n\tenabled = false\n");
    let own = ("local".to_owned(), "git config --unset flowreg.enabled".to_owned());
    assert_eq!(unset(&[]), own);
    let off = included.filled("@/off");
    let of_file = format!("git config --file {off} --unset flowreg.enabled");
    // Set in both, where the included one counts.
    included.configure("[flowreg]\n\tenabled = true\n[include]\n\tpath = @/off\n");
    assert_eq!(unset(&[]), (format!("local, in {off}"), of_file.clone()));
    repository.git(&["config", "--file", &off, "--unset", "flowreg.enabled"]);
    assert_eq!(included.both(&[]), (Some(true), Some(true)), "the hint helps");
    included.configure("[include]\n\tpath = ../../off\n");
    fs::write(&off, "[flowreg]\n\tenabled = false\n").unwrap();
    let (place, hint) = unset(&[]);
    assert!(place.starts_with("local, in ") && place.ends_with("/off"), "{place}");
    repository.git(&hint.split(' ').skip(1).collect::<Vec<_>>());
    assert_eq!(included.both(&[]), (None, None), "the hint helps");
    fs::write(&off, "[flowreg]\n\tenabled = false\n").unwrap();
    included.configure("");
    let global = included.file("global", "[include]\n\tpath = @/off\n");
    let global = [("GIT_CONFIG_GLOBAL", global.to_str().unwrap())];
    assert_eq!(unset(&global), (format!("global, in {off}"), of_file));
    let command = [
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_CONFIG_KEY_0", "flowreg.enabled"),
        ("GIT_CONFIG_VALUE_0", "false"),
    ];
    assert_eq!(unset(&command).0, "command");
}
