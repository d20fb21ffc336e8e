//! `flowreg hooks`: installs git's hooks, takes them away, and says whether they run.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::error::CommandError;
use super::{CommandResult, Context, exit};
use crate::output::{HookChangeReport, HookInstallReport, HookStatusReport};
use crate::push::{
    HookChange, HookName, HookState, InstallRequest, hook_status, install,
    install_in_configuration, program_beside, uninstall,
};
use crate::run::Surroundings;
use flowreg_git::Repository;

#[derive(Debug, Args)]
pub(super) struct HooksArguments {
    #[command(subcommand)]
    command: HooksCommand,
}

#[derive(Debug, Subcommand)]
enum HooksCommand {
    /// Register on push from now on
    Install(InstallArguments),
    /// Take the hook away and put back what was there
    Uninstall {
        /// Also a hook that was changed by hand
        #[arg(long)]
        force: bool,
    },
    /// Show which hook git will run, and what is wrong with it
    Status,
}

#[derive(Debug, Args)]
struct InstallArguments {
    /// Install post-receive, in a bare repository that others push to
    #[arg(long, conflicts_with = "config")]
    server: bool,
    /// Without a file: use git's own hook configuration (git 2.54 and newer)
    // Every command has `--config FILE`. Here the option may also stand alone, and then means git's
    // configuration; clap has no two options of one name.
    #[arg(id = "config", long = "config", value_name = "FILE", num_args = 0..=1)]
    #[expect(clippy::option_option, reason = "it is not there, alone, or with a file")]
    git_config: Option<Option<PathBuf>>,
    /// Also where other repositories look for hooks, and over changes made by hand
    #[arg(long)]
    force: bool,
    /// Refuse if there is a hook already, instead of running it first
    #[arg(long)]
    no_chain: bool,
}

pub(super) fn run(context: &Context<'_>, arguments: &HooksArguments) -> CommandResult {
    let Surroundings { directory, environment, .. } = context.surroundings;
    let repository = Repository::discover(directory, environment)?;
    match &arguments.command {
        HooksCommand::Install(arguments) => install_hook(context, &repository, arguments),
        HooksCommand::Uninstall { force } => {
            let removed = uninstall(&repository, *force)?;
            let hooks = removed.into_iter().map(reported).collect();
            context.printer.hook_install(&HookInstallReport { hooks });
            Ok(exit::DONE)
        }
        HooksCommand::Status => {
            let mut status = hook_status(&repository, environment)?;
            for problem in &mut status.problems {
                problem.hint = context.command.complete(&problem.hint);
            }
            // "Not installed" is no error: a script may ask in order to install. A broken hook is one,
            // as pushes go unregistered without a sign.
            let is_broken = status.state == HookState::Broken;
            context.printer.hook_status(&HookStatusReport::from(status));
            Ok(if is_broken { exit::REFUSED } else { exit::DONE })
        }
    }
}

fn install_hook(
    context: &Context<'_>,
    repository: &Repository,
    arguments: &InstallArguments,
) -> CommandResult {
    let mut installed = if arguments.git_config == Some(None) {
        install_in_configuration(repository, arguments.force)?
    } else {
        // The shim calls the small program, which starts faster. Where only `flowreg` was copied to
        // the machine, it serves as well, as both take the same arguments.
        let own = || std::env::current_exe();
        let binary = program_beside("flowreg-hook").map_or_else(own, Ok);
        let binary = binary.map_err(|error| CommandError::usage(error.to_string(), Vec::new()))?;
        let request = InstallRequest {
            hook: if arguments.server { HookName::PostReceive } else { HookName::PrePush },
            binary,
            force: arguments.force,
            chain: !arguments.no_chain,
        };
        install(repository, &request)?
    };
    // Whatever is wrong all the same: nobody asks for the status of a hook that has just been installed.
    let status = hook_status(repository, &context.surroundings.environment)?;
    let problems = status.problems.iter();
    installed.notes.extend(problems.map(|problem| {
        format!("{}; {}", problem.message, context.command.complete(&problem.hint))
    }));
    context.printer.hook_install(&HookInstallReport { hooks: vec![reported(installed)] });
    Ok(exit::DONE)
}

fn reported(change: HookChange) -> HookChangeReport {
    HookChangeReport {
        action: change.action,
        place: change.place,
        previous: change.previous.map(|path| path.display().to_string()),
        notes: change.notes,
    }
}
