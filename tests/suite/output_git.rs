//! What people read, word for word: tags, hooks, the queue, branches that are gone.
//!
//! `CONTRIBUTING.md` says how to take a new layout over.

use insta::assert_snapshot;

use crate::support::push::write_script;
use crate::support::{Flowreg, Tagged, TestRepository};

#[test]
fn tag_created_and_there_already() {
    let tagged = Tagged::new();
    let flowreg = tagged.flowreg();
    assert_snapshot!(flowreg.screen(&["tag", "--print"]), @"
    v1.0.0
    --- exit code 0
    ");
    assert_snapshot!(flowreg.screen(&["tag"]), @"
    created tag v1.0.0 at 8a04b0e on origin
    --- exit code 0
    ");
    assert_snapshot!(flowreg.screen(&["tag"]), @"
    exists tag v1.0.0 at 8a04b0e on origin
    --- exit code 0
    ");
    tagged.push("docs: a word");
    assert_snapshot!(flowreg.screen(&["tag"]), @"
    nothing to release: the one commit since v1.0.0 is neither feat, fix, perf nor breaking (--bump makes a version all the same)
    --- exit code 0
    ");
    assert_snapshot!(flowreg.screen(&["tag", "--print"]), @"
    --- standard error
    nothing to release: the one commit since v1.0.0 is neither feat, fix, perf nor breaking (--bump makes a version all the same)
    --- exit code 0
    ");
    tagged.push("fix: a bug");
    assert_snapshot!(flowreg.screen(&["tag", "--register"]), @"
    created tag v1.0.1 at e928213 on origin, after v1.0.0
    tag v1.0.1 (--tag) at e928213 on origin · local registry
      created    etl/default  flows/etl.py:etl
    1 created   [time] s
    --- exit code 0
    ");
    assert_snapshot!(flowreg.screen(&["tag", "1.0.1"]), @"
    exists tag v1.0.1 at e928213 on origin, after v1.0.0
    --- exit code 0
    ");
}

#[test]
fn tag_as_markdown() {
    let tagged = Tagged::new();
    let flowreg = tagged.flowreg();
    assert_snapshot!(flowreg.screen(&["tag", "--register", "--format", "markdown"]), @"
    ### Tag v1.0.0 created, at 8a04b0e

    <!-- flowreg -->
    **flowreg register** for tag v1.0.0 (--tag) at 8a04b0e on origin · local registry

    | | deployment | what |
    |---|---|---|
    | created | `etl/default` | `flows/etl.py:etl` |

    1 created   [time] s
    --- exit code 0
    ");
}

#[test]
fn tag_refused_with_the_words_of_the_server() {
    let tagged = Tagged::new();
    tagged.tag("v1.0.0");
    tagged.push("feat: more");
    let flowreg = tagged.flowreg();
    assert_snapshot!(flowreg.screen(&["tag", "1.0.0"]), @"
    --- standard error
    error: the tag v1.0.0 exists on origin, at 8a04b0e5949efda5b3d23c41d27a72ca0ed68bb7, so it can't be made at 5436268ffb9973f7889103bb240f1036d6e367be
    hint: a tag never moves: choose the next version
    --- exit code 1
    ");
    tagged.hook("pre-receive", "#!/bin/sh\necho 'tags are made by the release manager'\nexit 1\n");
    assert_snapshot!(flowreg.screen(&["tag"]), @"
    --- standard error
    error: origin did not take v1.1.0: pre-receive hook declined
    caused by: tags are made by the release manager
    hint: a rule or hook of the server refused it: its message is above
    hint: nothing is left behind: the same command can be run again
    --- exit code 4
    ");
}

#[test]
fn prune() {
    let tagged = Tagged::new();
    let flowreg = tagged.flowreg();
    assert_snapshot!(flowreg.screen(&["prune"]), @"
    local registry
    nothing to remove
    --- exit code 0
    ");
    tagged.repository.git(&["switch", "-qc", "feature/gone"]);
    tagged.push("feat: on a branch");
    flowreg.json(&["register", "--all"], 0);
    tagged.repository.git(&["push", "-q", "--delete", "origin", "feature/gone"]);
    assert_snapshot!(flowreg.screen(&["prune", "--dry-run"]), @"
    local registry
      remove     etl/default@feature~gone  feature/gone is gone
    1 to remove
    --- exit code 0
    ");
    assert_snapshot!(flowreg.screen(&["prune"]), @"
    local registry
      removed    etl/default@feature~gone  feature/gone is gone
    1 removed
    --- exit code 0
    ");
}

#[test]
fn hooks() {
    let repository = TestRepository::empty();
    let flowreg = Flowreg::in_repository(&repository);
    assert_snapshot!(flowreg.screen(&["hooks", "status"]), @"
    not installed
      git runs    [repository]/.git/hooks/pre-push (nothing is there)
    --- exit code 0
    ");
    assert_snapshot!(flowreg.screen(&["hooks", "install"]), @"
    installed  [repository]/.git/hooks/pre-push
    --- exit code 0
    ");
    assert_snapshot!(flowreg.screen(&["hooks", "install"]), @"
    unchanged  [repository]/.git/hooks/pre-push
    --- exit code 0
    ");
    assert_snapshot!(flowreg.screen(&["hooks", "status"]), @"
    installed
      git runs    [repository]/.git/hooks/pre-push (of flowreg)
      ours is     [repository]/.git/hooks/pre-push
      calls       [binaries]/flowreg-hook
    --- exit code 0
    ");
    assert_snapshot!(flowreg.screen(&["hooks", "uninstall"]), @"
    removed  [repository]/.git/hooks/pre-push
    --- exit code 0
    ");
    assert_snapshot!(flowreg.screen(&["hooks", "uninstall"]), @"
    nothing is installed
    --- exit code 0
    ");
}

#[test]
fn hooks_beside_another_one() {
    use std::os::unix::fs::PermissionsExt;
    let repository = TestRepository::empty();
    let hook = repository.root().join(".git/hooks/pre-push");
    write_script(&hook, "#!/bin/sh\nexit 0\n");
    let flowreg = Flowreg::in_repository(&repository);
    assert_snapshot!(flowreg.screen(&["hooks", "install"]), @"
    installed  [repository]/.git/hooks/pre-push
      first runs [repository]/.git/hooks.flowreg/pre-push
    --- exit code 0
    ");
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_snapshot!(flowreg.screen(&["hooks", "status"]), @"
    broken
      git runs    [repository]/.git/hooks/pre-push (of flowreg)
      ours is     [repository]/.git/hooks/pre-push
      calls       [binaries]/flowreg-hook
      problem     [repository]/.git/hooks/pre-push is not executable: git skips it
      hint:       chmod +x [repository]/.git/hooks/pre-push
    --- exit code 1
    ");
    assert_snapshot!(flowreg.screen(&["hooks", "uninstall"]), @"
    restored  [repository]/.git/hooks/pre-push
    --- exit code 0
    ");
}

/// With `CI=true` no watcher is started, so a push waits until `flowreg sync`.
#[test]
fn sync() {
    let tagged = Tagged::new();
    // In CI, so that no watcher delivers the push before it is looked at.
    let flowreg = tagged.flowreg().env("CI", "true");
    assert_snapshot!(flowreg.screen(&["sync", "--status"]), @"
    0 pushes waiting
    --- exit code 0
    ");
    flowreg.json(&["hooks", "install"], 0);
    tagged.repository.git(&["switch", "-qc", "feature/x"]);
    tagged.repository.commit("feat: on a branch");
    let push = std::process::Command::new("git")
        .args(["push", "-q", "origin", "feature/x"])
        .current_dir(tagged.repository.root())
        .env_clear()
        .envs(crate::support::git_environment(tagged.repository.outside()))
        .env("CI", "true")
        .output()
        .unwrap();
    assert!(push.status.success(), "{push:?}");
    assert_snapshot!(flowreg.screen(&["sync", "--status"]), @"
      waits      branch feature/x at 6069491 to origin
                 not looked at yet
    1 push waiting
    hint: to forget it without registering: flowreg sync --discard feature/x
    --- exit code 0
    ");
    let named = flowreg.run(&["-C", ".", "sync", "--status"]);
    assert!(named.stdout.contains("flowreg -C . sync --discard feature/x"), "{named:?}");
    let named = flowreg.run(&["-C", ".", "--target", "local", "list"]);
    assert!(named.stderr.contains("`flowreg -C . sync` delivers"), "{named:?}");
    assert_snapshot!(flowreg.screen(&["--target", "local", "list"]), @"
    local registry
    0 registrations
    --- standard error
    1 push waits to be registered: `flowreg sync` delivers, `flowreg sync --status` says why
    --- exit code 0
    ");
    assert_snapshot!(flowreg.screen(&["--target", "local", "sync"]), @"
      delivered  branch feature/x at 6069491 to origin
                 1 created
    1 delivered · 0 dropped · 0 waiting
    --- exit code 0
    ");
    assert_snapshot!(flowreg.screen(&["--target", "local", "sync"]), @"
    0 delivered · 0 dropped · 0 waiting
    --- exit code 0
    ");
    assert_snapshot!(flowreg.screen(&["sync", "--status"]), @"
    0 pushes waiting
    [repository]/.git/flowreg/outbox/log
      [time] refs/heads/feature/x 6069491 origin: confirmed by the reflog
      [time] refs/heads/feature/x 6069491 origin: registered: 1 created
    --- exit code 0
    ");
}

#[test]
fn hints_are_for_the_repository_that_was_named() {
    let tagged = Tagged::new();
    let flowreg = tagged.flowreg().env("PREFECT_API_URL", "http://127.0.0.1:9/api");
    tagged.repository.git(&["switch", "-qc", "feature/x"]);
    let hints = |arguments: &[&str], code: i32| {
        let said = flowreg.json(&[&["-C", "."], arguments].concat(), code);
        said["error"]["hints"].as_array().unwrap().clone()
    };
    let push = "git -C . push -u origin feature/x";
    assert_eq!(hints(&["--target", "prefect", "register"], 4), [push]);
    assert_eq!(
        hints(&["--target", "prefect", "register", "--tag", "v7.0.0"], 4),
        ["git -C . tag -a -m v7.0.0 v7.0.0 && git -C . push origin v7.0.0"]
    );
    let broken =
        |name: &str| flowreg.json(&["-C", ".", "hooks", "status"], 1)["problems"][0][name].clone();
    let hook = tagged.repository.root().join(".git/hooks/pre-push");
    flowreg.json(&["hooks", "install"], 0);
    let script = std::fs::read_to_string(&hook).unwrap();
    write_script(&hook, &format!("{script}echo more\n"));
    assert_eq!(broken("hint"), "flowreg -C . hooks install --force");
    write_script(&hook, &script);
    tagged.repository.git(&["config", "flowreg.enabled", "of course"]);
    assert_eq!(broken("hint"), "git -C . config --unset flowreg.enabled");
}
