//! What ssh makes of a host: `ssh -G` prints the host, port and user that the configuration of ssh
//! leads to, and contacts nobody.
//!
//! Git's own choice of the ssh program is followed, as people name the configuration of an account
//! there: `core.sshCommand = ssh -F ~/.ssh/work`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::IpAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::address::{SSH_PORT, ServerAddress};
use super::hosting;
use crate::process::{drain, free_of_repository, stop};
use flowreg_model::{Environment, escaped};

/// How long ssh may take to print its configuration. A `Match exec` in it runs a program.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// How many hosts are asked about. URLs may come from others, as on a git server, and each new host
/// in them would start a process.
const MOST_HOSTS: usize = 32;

/// Programs that git knows as ssh and that have no `-G`.
const OTHERS: &[&str] = &["plink", "putty", "tortoiseplink"];

/// Where ssh would connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SshDestination {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: Option<String>,
}

/// Asks ssh about hosts, each of them once.
pub(crate) struct SshHosts {
    program: Option<SshProgram>,
    variables: Vec<(OsString, OsString)>,
    known: Mutex<BTreeMap<String, Option<SshDestination>>>,
}

/// How ssh is started.
#[derive(Debug, PartialEq, Eq)]
enum SshProgram {
    /// A program, without arguments.
    File(String),
    /// A command for the shell.
    Command(String),
}

impl SshHosts {
    /// For the ssh that git would start in this environment, with this configuration.
    pub(crate) fn new(configuration: &gix::config::File, environment: &Environment) -> Self {
        let variables = free_of_repository(environment);
        Self {
            program: program(configuration, environment),
            variables: variables.map(|(name, value)| (name.into(), value.into())).collect(),
            known: Mutex::default(),
        }
    }

    /// Where ssh would connect to for this address; `None` if it can't be asked. Starts one process
    /// for each user and host.
    pub(super) fn destination(&self, address: &ServerAddress) -> Option<SshDestination> {
        let program = self.program.as_ref()?;
        let host = address.host.as_str();
        // A number has no configuration that others lack. The rest is refused because it would be
        // expanded in a `Match exec` of the configuration, where a shell would see it.
        if host.parse::<IpAddr>().is_ok() || !is_plain(host) {
            return None;
        }
        let user = address.user.as_deref().filter(|user| is_plain(user));
        let destination = user.map_or_else(|| host.to_owned(), |user| format!("{user}@{host}"));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.contains_key(&destination) && known.len() >= MOST_HOSTS {
            return None;
        }
        let ask = || {
            let started = Instant::now();
            let answer = program.ask(&destination, &self.variables);
            let (ms, is_known) = (started.elapsed().as_millis(), answer.is_some());
            let host = escaped(&destination);
            tracing::debug!(host, is_known, ms, "ssh process: ssh -G");
            answer
        };
        known.entry(destination.clone()).or_insert_with(ask).clone()
    }

    /// The same address with the host, port and user that ssh would use.
    pub(super) fn resolved(&self, address: &ServerAddress) -> Option<ServerAddress> {
        let SshDestination { host, port, user } = self.destination(address)?;
        Some(hosting::canonical(ServerAddress {
            host: host.to_lowercase(),
            port: address.port.or(Some(port)),
            user: address.user.clone().or(user),
            ..address.clone()
        }))
    }
}

impl SshDestination {
    /// The port, unless it is the one that ssh takes by itself.
    pub(super) fn unusual_port(&self) -> Option<u16> {
        (self.port != SSH_PORT).then_some(self.port)
    }
}

impl SshProgram {
    fn ask(&self, host: &str, variables: &[(OsString, OsString)]) -> Option<SshDestination> {
        let mut child = self
            .command()
            // A name is not looked up in the network, whatever the configuration says.
            .args(["-oBatchMode=yes", "-oCanonicalizeHostname=no", "-G", "--", host])
            .env_clear()
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let output = output_of(&mut child)?;
        let value = |key: &str| {
            let mut lines = output.lines();
            lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')).map(str::trim)
        };
        Some(SshDestination {
            host: value("hostname")?.to_owned(),
            port: value("port")?.parse().ok()?,
            user: value("user").map(ToOwned::to_owned),
        })
    }

    fn command(&self) -> Command {
        match self {
            Self::File(program) => Command::new(program),
            Self::Command(text) => {
                let mut command = Command::new("sh");
                command.args(["-c", &format!("{text} \"$@\""), text]);
                command
            }
        }
    }
}

/// What the process prints, if it succeeds in time.
fn output_of(child: &mut Child) -> Option<String> {
    let stdout = drain(child.stdout.take());
    let Ok(output) = stdout.recv_timeout(TIME_LIMIT) else {
        stop(child);
        return None;
    };
    let is_success = child.wait().is_ok_and(|status| status.success());
    is_success.then(|| String::from_utf8_lossy(&output).into_owned())
}

/// The ssh that git starts, in git's order (<https://github.com/git/git/blob/v2.47.0/connect.c>,
/// `get_ssh_command`); `None` if it has no configuration that could be asked for.
fn program(configuration: &gix::config::File, environment: &Environment) -> Option<SshProgram> {
    let configured = || configuration.string("core.sshCommand").map(|text| text.to_string());
    let command = environment.get("GIT_SSH_COMMAND").map(ToOwned::to_owned).or_else(configured);
    let command = command.map(SshProgram::Command);
    let file = || environment.get("GIT_SSH").map(|path| SshProgram::File(path.to_owned()));
    let plain = || SshProgram::File("ssh".to_owned());
    let Some(chosen) = command.or_else(file) else { return Some(plain()) };
    let name = match &chosen {
        SshProgram::File(path) => path.as_str(),
        SshProgram::Command(text) => first_word(text),
    };
    let name = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
    match name.trim_end_matches(".exe") {
        "ssh" => Some(chosen),
        name if OTHERS.contains(&name) => None,
        // A program around ssh, which may not know `-G` and connect. What it starts in the end reads
        // the usual configuration.
        _ => Some(plain()),
    }
}

/// The program in a command for the shell.
fn first_word(command: &str) -> &str {
    let command = command.trim_start();
    let end: &[char] = match command.chars().next() {
        Some('\'') => &['\''],
        Some('"') => &['"'],
        _ => &[' ', '\t'],
    };
    command.trim_start_matches(['\'', '"']).split(end).next().unwrap_or_default()
}

/// Whether a host or user has only characters that mean nothing to a shell, and is no option.
fn is_plain(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    !name.is_empty() && !name.starts_with('-') && name.bytes().all(is_plain)
}
