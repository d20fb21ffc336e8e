//! The environment of git processes that nobody watches: they must never ask anything.

use flowreg_model::Environment;

/// Not only git asks: ssh, its askpass programs, and the credential managers do.
const SILENT: &[(&str, &str)] = &[
    ("GIT_TERMINAL_PROMPT", "0"),
    // Set, though blank, it stands before `core.askPass` and SSH_ASKPASS (git's credential.c).
    ("GIT_ASKPASS", ""),
    ("SSH_ASKPASS", ""),
    ("SSH_ASKPASS_REQUIRE", "never"),
    ("GCM_INTERACTIVE", "never"),
];

/// The same environment for processes that must not ask for a password.
pub fn unattended(environment: &Environment) -> Environment {
    let ssh = match (environment.get("GIT_SSH_COMMAND"), environment.get("GIT_SSH")) {
        (Some(command), _) if is_open_ssh(command) => Some(format!("{command} -oBatchMode=yes")),
        // Before `core.sshCommand`, which may be anything, an environment variable must not step.
        _ => None,
    };
    let kept = environment.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    let silent = SILENT.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let ssh = ssh.map(|command| ("GIT_SSH_COMMAND".to_owned(), command));
    kept.chain(silent).chain(ssh).collect()
}

fn is_open_ssh(command: &str) -> bool {
    let program = command.split_whitespace().next().unwrap_or_default();
    program.rsplit('/').next() == Some("ssh") && !command.contains("BatchMode")
}
