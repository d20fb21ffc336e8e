//! Which URLs are of one repository: a table of pairs, and what ssh and git make of names that only
//! one machine knows.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use flowreg_git::{LocalRule, Repository, RepositoryIdentity};
use proptest::prelude::*;

use crate::repository::TestRepository;

fn is_same(one: &str, other: &str) -> bool {
    let answer = RepositoryIdentity::of_urls([one]).is(other);
    assert_eq!(RepositoryIdentity::of_urls([other]).is(one), answer, "{one} {other}");
    answer
}

/// Each line has the spellings of one repository; none of another line is the same.
const SPELLINGS: &[&[&str]] = &[
    // A server of which nothing is known.
    &[
        "https://git.example.com/data/flows.git",
        "https://Git.Example.COM/data/flows",
        "https://git.example.com./data/flows/",
        "https://git.example.com:443/data/flows.git/",
        "https://ada@git.example.com/data/flows.git",
        "https://ada:t0ken@git.example.com/data/flows.git?private_token=x",
        "HTTPS://git.example.com/data//./flows.git",
        "https://git.example.com/data/old/../flows",
        "http://git.example.com:80/data/flows.git",
        "http://git.example.com/data/flows.git",
        "ssh://git@git.example.com/data/flows.git",
        "ssh://git.example.com/data/flows.git",
        "ssh://git@git.example.com:22/data/flows.git",
        "git+ssh://git@git.example.com/data/flows.git",
        "ssh+git://git@git.example.com/data/flows.git",
        "ssh://git@git.example.com/~/data/flows.git",
        "git@git.example.com:data/flows.git",
        "git@git.example.com:/data/flows.git",
        "git@git.example.com:~/data/flows.git",
        "git.example.com:data/flows",
        "git://git.example.com/data/flows.git",
        "git://git.example.com:9418/data/flows.git",
        " https://git.example.com/data/flows.git\n",
        "https://git.example.com/d%61ta/flows%2Egit",
    ],
    &["https://git.example.com/Data/flows.git", "git@git.example.com:Data/flows"],
    &["https://git.example.com/data/flows2.git", "git@git.example.com:data/flows2"],
    &["https://git.example.com/team/data/flows.git", "git@git.example.com:team/data/flows"],
    &["https://git2.example.com/data/flows.git", "git@git2.example.com:data/flows.git"],
    &["https://example.com/data/flows.git"],
    &["https://git.example.com/data/my%20flows.git", "git@git.example.com:data/my flows.git"],
    &["http://[::1]:3000/data/flows", "http://[0:0:0:0:0:0:0:1]:3000/data/flows.git"],
    &[
        "ssh://git@[2001:DB8::1]/data/flows",
        "git@[2001:db8:0::1]:data/flows",
        "[git@2001:db8::1]:data/flows",
    ],
    &["ssh://git@other.example.com:2222/a/b", "[git@other.example.com:2222]:a/b.git"],
    &[
        "https://github.com/acme/flows.git",
        "https://GitHub.com/Acme/Flows",
        "https://www.github.com/acme/flows",
        "https://github.com/acme/flows.GIT",
        "git@github.com:ACME/flows.git",
        "org-1234@github.com:acme/flows.git",
        "ssh://git@ssh.github.com:443/acme/flows.git",
        "git://github.com/acme/flows.git",
    ],
    &["https://github.com/acme/flow.git"],
    &["https://github.com.example.com/acme/flows.git"],
    &["https://notgithub.com/acme/flows.git"],
    &[
        "https://gitlab.com/Acme/Data/flows.git",
        "git@gitlab.com:acme/data/flows.git",
        "ssh://git@altssh.gitlab.com:443/acme/data/flows.git",
        "https://oauth2:t0ken@gitlab.com/acme/data/flows.git",
    ],
    &["https://gitlab.com/acme/flows.git"],
    &[
        "https://bitbucket.org/Acme/flows.git",
        "https://ada@bitbucket.org/acme/flows.git",
        "git@bitbucket.org:acme/Flows.git",
        "ssh://git@altssh.bitbucket.org:443/acme/flows.git",
    ],
    &[
        "https://dev.azure.com/acme/Data%20Team/_git/flows",
        "https://acme@dev.azure.com/acme/Data%20Team/_git/flows",
        "https://dev.azure.com/Acme/data%20team/_git/Flows/",
        "https://dev.azure.com/acme/DefaultCollection/Data%20Team/_git/flows",
        "https://dev.azure.com/acme/Data%20Team/_git/_full/flows",
        "https://dev.azure.com/acme/Data%20Team/_git/_optimized/flows",
        "https://acme.visualstudio.com/Data%20Team/_git/flows",
        "https://acme.visualstudio.com/DefaultCollection/Data%20Team/_git/flows",
        "git@ssh.dev.azure.com:v3/acme/Data%20Team/flows",
        "ssh://git@ssh.dev.azure.com:22/v3/acme/Data%20Team/flows",
        "ssh://git@ssh.dev.azure.com/v3/acme/Data%20Team/flows",
        "acme@vs-ssh.visualstudio.com:v3/acme/Data%20Team/flows",
        "ssh://acme@vs-ssh.visualstudio.com/v3/acme/Data%20Team/flows",
        "ssh://acme@vs-ssh.visualstudio.com:22/Data%20Team/_ssh/flows",
        "ssh://acme@acme.visualstudio.com:22/DefaultCollection/Data%20Team/_git/flows",
    ],
    &[
        "https://dev.azure.com/acme/_git/flows",
        "https://dev.azure.com/acme/flows/_git/flows",
        "https://acme.visualstudio.com/_git/flows",
        "https://acme.visualstudio.com/DefaultCollection/_git/flows",
        "git@ssh.dev.azure.com:v3/acme/flows/flows",
    ],
    &["https://other.visualstudio.com/_git/flows", "https://dev.azure.com/other/_git/flows"],
    &[
        "https://acme.visualstudio.com/other/_git/flows",
        "git@ssh.dev.azure.com:v3/acme/other/flows",
    ],
    // Two paths on a Bitbucket Server.
    &[
        "https://bitbucket.example.com/scm/proj/flows.git",
        "ssh://git@bitbucket.example.com:7999/proj/flows.git",
    ],
    &[
        "https://bitbucket.example.com/scm/~ada/flows.git",
        "ssh://git@bitbucket.example.com:7999/~ada/flows.git",
    ],
    &[
        "https://code.example.com/bitbucket/scm/proj/flows",
        "ssh://git@code.example.com:7999/proj/flows.git",
    ],
    // AWS CodeCommit.
    &[
        "https://git-codecommit.eu-west-1.amazonaws.com/v1/repos/flows",
        "ssh://APKAEXAMPLE@git-codecommit.eu-west-1.amazonaws.com/v1/repos/flows",
        "https://git-codecommit-fips.eu-west-1.amazonaws.com/v1/repos/flows",
        "codecommit::eu-west-1://flows",
        "codecommit::eu-west-1://profile@flows",
    ],
    &[
        "https://git-codecommit.eu-west-1.amazonaws.com/v1/repos/Flows",
        "codecommit::eu-west-1://Flows",
    ],
    &[
        "https://git-codecommit.us-east-1.amazonaws.com/v1/repos/flows",
        "codecommit::us-east-1://flows",
    ],
    &[
        "https://git-codecommit.cn-north-1.amazonaws.com.cn/v1/repos/flows",
        "codecommit::cn-north-1://flows",
    ],
    &["codecommit://flows"],
    &["codecommit://profile@flows"],
    // Paths that this machine does not have.
    &[
        "/srv/nowhere/flows.git",
        "/srv/nowhere/flows",
        "/srv/nowhere/flows/.git",
        "file:///srv/nowhere/flows.git",
        "file://localhost/srv/nowhere/flows/",
    ],
    &["/srv/nowhere/data/flows", "/srv/nowhere//data/./flows/"],
    // What is no address.
    &["{{ $REPOSITORY }}", "{{$REPOSITORY}}"],
    &["{{ $OTHER }}"],
    &["the secret git-url"],
    &["data/flows"],
    &[""],
];

#[test]
fn all_spellings_of_one_repository_are_the_same_and_of_no_other() {
    for (line, spellings) in SPELLINGS.iter().enumerate() {
        for one in *spellings {
            for (other_line, others) in SPELLINGS.iter().enumerate() {
                for other in *others {
                    assert_eq!(is_same(one, other), line == other_line, "{one} and {other}");
                }
            }
        }
    }
}

#[test]
fn a_port_is_compared_with_those_of_the_same_protocol_only() {
    let by_ssh = "ssh://git@git.example.com:2222/data/flows.git";
    for (one, other, expected) in [
        (by_ssh, "https://git.example.com/data/flows.git", true),
        (by_ssh, "https://git.example.com:8443/data/flows.git", true),
        ("git@git.example.com:data/flows", "https://git.example.com:8443/data/flows.git", true),
        (by_ssh, "git@git.example.com:data/flows.git", false),
        (by_ssh, "ssh://git@git.example.com:2223/data/flows.git", false),
        ("https://git.example.com:8443/x", "https://git.example.com/x", false),
        ("https://git.example.com:8443/x", "https://git.example.com:9443/x", false),
        ("http://git.example.com:8080/x", "https://git.example.com:8080/x", true),
        ("git://git.example.com:9419/x", "git://git.example.com/x", false),
    ] {
        assert_eq!(is_same(one, other), expected, "{one} {other}");
    }
}

#[test]
fn the_home_directories_of_two_users_are_two_places() {
    assert!(!is_same("ssh://ada@host.example.com/~/flows", "ssh://bob@host.example.com/~/flows"));
    assert!(is_same("ssh://ada@host.example.com/~/flows", "ada@host.example.com:~/flows"));
    // Many servers have a user for each person and the same repositories for all.
    assert!(is_same("ssh://ada@gerrit.example.com/flows", "ssh://bob@gerrit.example.com/flows"));
}

#[test]
fn any_of_several_urls_is_enough() {
    let ours =
        RepositoryIdentity::of_urls(["https://github.com/acme/flows", "git@mirror:flows.git"]);
    for (url, expected) in [
        ("git@github.com:acme/flows.git", true),
        ("https://mirror/flows", true),
        ("https://github.com/flows", false),
    ] {
        assert_eq!(ours.is(url), expected, "{url}");
    }
}

#[test]
fn paths_that_lead_to_one_directory_are_the_same() {
    let repository = TestRepository::empty();
    repository.commit("first");
    let remote = repository.add_bare_remote("origin");
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let link = repository.outside().join("link");
    std::os::unix::fs::symlink(&remote, &link).unwrap();
    let work_tree = text(repository.root());
    for (one, other, expected) in [
        (text(&remote), text(&link), true),
        (text(&remote), text(&remote).trim_end_matches(".git").to_owned(), true),
        (text(&remote), format!("file://{}", text(&link)), true),
        (work_tree.clone(), format!("{work_tree}/.git"), true),
        (work_tree.clone(), text(&remote), false),
    ] {
        assert_eq!(is_same(&one, &other), expected, "{one} {other}");
    }
    // If there is a directory with the name and one with `.git`, they are two repositories.
    let bare = text(&remote);
    fs::create_dir(bare.trim_end_matches(".git")).unwrap();
    assert!(!is_same(&bare, bare.trim_end_matches(".git")));
}

proptest! {
    #[test]
    fn every_text_is_the_same_as_itself(text in "[ -~]{0,40}") {
        prop_assert!(is_same(&text, &text), "{}", text);
    }

    #[test]
    fn the_spelling_makes_no_difference(
        host in "[a-z]{1,8}(\\.[a-z]{1,6}){1,2}",
        path in "[a-zA-Z][a-zA-Z0-9_-]{0,8}(/[a-zA-Z][a-zA-Z0-9_-]{0,8}){0,3}",
        user in "[a-z]{1,6}",
        one in 0..8usize,
        other in 0..8usize,
        other_name in "[0-9]{1,4}",
    ) {
        let spelling = |kind: usize, path: &str| match kind {
            0 => format!("https://{host}/{path}.git"),
            1 => format!("https://{user}:secret@{}/{path}/", host.to_uppercase()),
            2 => format!("ssh://{user}@{host}/{path}"),
            3 => format!("ssh://{user}@{host}:22//{path}.git/"),
            4 => format!("{user}@{host}:{path}.git"),
            5 => format!("{host}:/{path}"),
            6 => format!("git://{host}/./{path}.git"),
            _ => format!("http://{host}:80/{path}"),
        };
        prop_assert!(is_same(&spelling(one, &path), &spelling(other, &path)));
        let elsewhere = format!("{path}{other_name}");
        prop_assert!(!is_same(&spelling(one, &path), &spelling(other, &elsewhere)));
    }
}

fn write_script(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A repository whose git uses the real ssh with a configuration of the test, and counts how often.
struct WithSsh {
    repository: TestRepository,
    opened: Repository,
}

impl WithSsh {
    fn new(configuration: &str) -> Self {
        let repository = TestRepository::empty();
        repository.commit("first");
        let outside = repository.outside();
        fs::write(outside.join("ssh_config"), configuration).unwrap();
        let (count, config) = (outside.join("count"), outside.join("ssh_config"));
        let script = format!(
            "#!/bin/sh\necho \"$*\" >> '{}'\nexec ssh -F '{}' \"$@\"\n",
            count.display(),
            config.display()
        );
        let bin = outside.join("bin");
        fs::create_dir(&bin).unwrap();
        write_script(&bin.join("ssh"), &script);
        let program = bin.join("ssh");
        let command = format!("'{}'", program.display());
        repository.git(&["config", "core.sshCommand", &command]);
        let opened = repository.open();
        Self { repository, opened }
    }

    fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(self.repository.outside().join("count")).unwrap_or_default();
        text.lines().map(ToOwned::to_owned).collect()
    }
}

const SSH_CONFIGURATION: &str = "\
Host github-work github.com-work
    HostName github.com
    User git
Host gh443
    HostName ssh.github.com
    Port 443
Host azure-work
    HostName ssh.dev.azure.com
Host git.example.com
    HostName 10.0.0.5
    Port 2222
Host lab
    HostName lab.example.com
    Port 2200
    User gitlab
Host intranet
    User git
";

#[test]
fn an_alias_of_ssh_is_the_host_that_it_stands_for() {
    let with = WithSsh::new(SSH_CONFIGURATION);
    let is = |ours: &str, url: &str| with.opened.identity([ours]).is(url);
    let github = "https://github.com/acme/flows.git";
    for (ours, url, expected) in [
        (github, "git@github-work:acme/flows.git", true),
        (github, "github.com-work:Acme/Flows", true),
        (github, "git@gh443:acme/flows.git", true),
        (github, "ssh://git@github-work/acme/flows.git", true),
        ("git@github-work:acme/flows.git", github, true),
        ("git@github-work:acme/flows.git", "git@gh443:acme/flows.git", true),
        (github, "git@github-work:acme/other.git", false),
        (github, "git@github-work:other/flows.git", false),
        (github, "git@nowhere:acme/flows.git", false),
        (github, "git@intranet:acme/flows.git", false),
        (github, "https://github-work/acme/flows.git", false),
        ("https://dev.azure.com/acme/data/_git/flows", "git@azure-work:v3/acme/data/flows", true),
        ("ssh://git@git.example.com:2222/a/flows", "git@git.example.com:a/flows", true),
        ("git@10.0.0.5:a/flows", "ssh://git@git.example.com:22/a/flows", true),
        ("https://lab.example.com:8443/a/flows", "lab:a/flows.git", true),
    ] {
        assert_eq!(is(ours, url), expected, "{ours} {url}");
    }
}

#[test]
fn ssh_is_asked_once_for_each_host_and_only_if_it_matters() {
    let with = WithSsh::new(SSH_CONFIGURATION);
    let ours = with.opened.identity(["https://github.com/acme/flows.git"]);
    for url in [
        "git@github.com:acme/flows.git",
        "git@gitlab.com:acme/flows.git",
        "git@github-work:acme/other.git",
        "https://github-work/acme/flows.git",
        "git@-oProxyCommand=touch:acme/flows.git",
        "ssh://git@-oProxyCommand=touch/acme/flows.git",
        "git@work$(touch):acme/flows.git",
        "git@10.1.2.3:acme/flows.git",
        "git@[::1]:acme/flows.git",
    ] {
        ours.is(url);
    }
    assert_eq!(with.calls(), Vec::<String>::new());
    for _ in 0..3 {
        assert!(ours.is("git@github-work:acme/flows.git"));
        assert!(
            with.opened
                .identity(["git@github-work:acme/flows.git"])
                .is("git@github.com:acme/flows")
        );
    }
    let calls = with.calls();
    assert_eq!(calls.len(), 1, "{calls:?}");
    assert!(calls[0].ends_with("-G -- git@github-work"), "{calls:?}");
    assert!(calls[0].contains("BatchMode=yes"), "{calls:?}");
}

#[test]
fn what_only_this_machine_knows_is_told_with_the_url_for_others() {
    let with = WithSsh::new(SSH_CONFIGURATION);
    let alias = |host: &str| LocalRule::SshAlias { host: host.to_owned() };
    let changed = |host: &str| LocalRule::SshConfiguration { host: host.to_owned() };
    for (url, expected) in [
        (
            "git@github-work:acme/flows.git",
            Some(("ssh://git@github.com/acme/flows.git", alias("github-work"))),
        ),
        (
            "github.com-work:acme/flows.git",
            Some(("ssh://git@github.com/acme/flows.git", alias("github.com-work"))),
        ),
        (
            "git@gh443:acme/flows.git",
            Some(("ssh://git@ssh.github.com:443/acme/flows.git", alias("gh443"))),
        ),
        ("lab:~/flows.git", Some(("ssh://gitlab@lab.example.com:2200/~/flows.git", alias("lab")))),
        (
            "git@git.example.com:a/flows",
            Some(("ssh://git@10.0.0.5:2222/a/flows", changed("git.example.com"))),
        ),
        // A name of the intranet, for which ssh has nothing but a user.
        ("git@intranet:a/flows.git", None),
        ("git@nowhere:a/flows.git", None),
        ("git@github.com:a/flows.git", None),
        ("https://github-work/a/flows.git", None),
        ("/srv/flows.git", None),
    ] {
        let spelling = with.opened.ssh_spelling(url);
        let spelling = spelling.map(|spelling| (spelling.url, spelling.rule));
        let expected = expected.map(|(url, rule)| (url.to_owned(), rule));
        assert_eq!(spelling, expected, "{url}");
    }
}

#[test]
fn without_ssh_an_alias_is_what_it_says() {
    let repository = TestRepository::empty();
    repository.commit("first");
    repository.git(&["config", "core.sshCommand", "/nowhere/ssh"]);
    let opened = repository.open();
    let ours = opened.identity(["https://github.com/acme/flows.git"]);
    assert!(!ours.is("git@github-work:acme/flows.git"));
    assert_eq!(opened.ssh_spelling("git@github-work:acme/flows.git"), None);
    assert!(opened.identity(["git@github-work:acme/flows"]).is("git@github-work:acme/flows.git"));
}

#[test]
fn a_program_that_is_not_ssh_is_never_started() {
    let repository = TestRepository::empty();
    repository.commit("first");
    let asked = repository.outside().join("asked");
    for name in ["plink", "connect.sh"] {
        let program = repository.outside().join(name);
        write_script(&program, &format!("#!/bin/sh\necho >'{}'\n", asked.display()));
        repository.git(&["config", "core.sshCommand", program.to_str().unwrap()]);
        let ours = repository.open().identity(["https://github.com/acme/flows.git"]);
        assert!(!ours.is("git@no-such-alias:acme/flows.git"));
        assert!(!asked.exists(), "{name}");
    }
}

#[test]
fn rules_of_this_machine_count_and_are_told_where_others_need_them() {
    let repository = TestRepository::empty();
    repository.commit("first");
    for (base, prefix) in [
        ("https://token@github.com/", "gh:"),
        ("git@github.com:", "https://github.com/"),
        ("https://mirror.example.com/", "https://git.example.com/"),
    ] {
        repository.git(&["config", &format!("url.{base}.insteadOf"), prefix]);
    }
    let opened = repository.open();
    let ours = opened.identity(["https://github.com/acme/flows.git"]);
    let told = |url: &str| ours.local_spelling(url).map(|spelling| spelling.url);
    for (url, expected, other) in [
        ("gh:acme/flows", true, Some("https://github.com/acme/flows")),
        ("https://github.com/acme/flows", true, None),
        ("git@github.com:acme/flows.git", true, None),
        ("gh:acme/other", false, Some("https://github.com/acme/other")),
    ] {
        assert_eq!((ours.is(url), told(url).as_deref()), (expected, other), "{url}");
    }
    let mirrored = opened.identity(["https://mirror.example.com/acme/flows.git"]);
    assert!(mirrored.is("https://git.example.com/acme/flows"));
    assert!(!RepositoryIdentity::of_urls(["https://github.com/acme/flows"]).is("gh:acme/flows"));
}
