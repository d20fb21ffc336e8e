//! The environment of git processes that nobody watches: they must never ask anything.

use flowreg_model::Environment;

/// Git, ssh, their askpass programs and the credential managers each ask in a way of their own, and
/// each has its own switch (docs/facts/git.md, "Prompts").
const NEVER_ASK: &[(&str, &str)] = &[
    ("GIT_TERMINAL_PROMPT", "0"),
    // Set to nothing and not unset: git takes the first of GIT_ASKPASS, `core.askPass` and
    // SSH_ASKPASS that is set, and an empty one means that there is no program to ask with.
    ("GIT_ASKPASS", ""),
    ("SSH_ASKPASS", ""),
    ("SSH_ASKPASS_REQUIRE", "never"),
    ("GCM_INTERACTIVE", "never"),
];

/// The same environment with everything that keeps processes from asking for a password.
pub fn unattended(environment: &Environment) -> Environment {
    let ssh = match (environment.get("GIT_SSH_COMMAND"), environment.get("GIT_SSH")) {
        (Some(command), _) if is_open_ssh(command) => Some(format!("{command} -oBatchMode=yes")),
        // GIT_SSH_COMMAND would replace `core.sshCommand` and GIT_SSH, which may name any program with
        // any arguments. Then SSH_ASKPASS_REQUIRE alone keeps OpenSSH silent.
        _ => None,
    };
    let kept = environment.all().map(|(name, value)| (name.to_owned(), value.to_owned()));
    let silent = NEVER_ASK.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    let ssh = ssh.map(|command| ("GIT_SSH_COMMAND".into(), command.into()));
    kept.chain(silent).chain(ssh).collect()
}

fn is_open_ssh(command: &str) -> bool {
    let program = command.split_whitespace().next().unwrap_or_default();
    program.rsplit('/').next() == Some("ssh") && !command.contains("BatchMode")
}
