//! `flowreg prune`: removes the registrations of feature branches that the remote no longer has.
//!
//! What is registered at a tag or on mainline, by another repository or by somebody else, is never
//! touched.

use std::collections::HashSet;

use clap::Args;

use super::error::{self, CommandError};
use super::session::{self, Session};
use super::{CommandResult, Context, exit};
use crate::output::{PruneReport, PrunedRegistration};
use crate::store::{LedgerEntry, Store, StoreError};
use flowreg_git::ReferenceError;
use flowreg_model::{BranchName, Held, RemoteName, TargetDescription, TargetKind, same_repository};
use flowreg_servers::{ReadScope, Write};

#[derive(Debug, Args)]
pub(super) struct PruneArguments {
    /// Only those of this branch
    #[arg(long, value_name = "BRANCH")]
    branch: Option<BranchName>,
    /// Only show what would be removed
    #[arg(long)]
    dry_run: bool,
    /// The remote that has the branches
    #[arg(long, value_name = "NAME")]
    remote: Option<RemoteName>,
}

pub(super) fn run(context: &Context, arguments: &PruneArguments) -> CommandResult {
    let session = session::open_target(context)?;
    let there = branches(&session, arguments)?;
    if let Some(branch) = arguments.branch.as_ref().filter(|branch| there.contains(*branch)) {
        return Err(CommandError::branch_is_there(branch));
    }
    let target = session.connect(Some(1))?;
    let repository = session.repository_url()?;
    // The embedded registry lies in this repository: all of it is ours.
    let is_local = target.describe().kind == TargetKind::Local;
    let is_ours = |url: &str| is_local || same_repository(url, repository.as_str());
    let gone = |held: &Held| {
        let marks = held.marks.as_ref()?;
        let branch: BranchName = marks.branch.as_ref()?.parse().ok()?;
        let is_meant = arguments.branch.as_ref().is_none_or(|wanted| *wanted == branch);
        let is_feature = marks.channel == flowreg_model::Channel::Feature.as_str();
        let is_gone = is_meant && is_feature && !there.contains(&branch);
        let is_free = is_gone && is_ours(&marks.repository) && session.may_remove(held, &branch);
        is_free.then_some(branch)
    };
    let held = target.read(ReadScope::All)?;
    let mut found: Vec<(Held, BranchName)> =
        held.into_iter().filter_map(|held| gone(&held).map(|branch| (held, branch))).collect();
    found.sort_by(|(one, _), (other, _)| {
        (&one.flow, &one.deployment).cmp(&(&other.flow, &other.deployment))
    });
    let (mut registrations, mut entries, mut failed) = (Vec::new(), Vec::new(), None);
    for (held, branch) in &found {
        let outcome =
            if arguments.dry_run { None } else { Some(target.apply(&Write::Remove(held))) };
        let error = match &outcome {
            Some(Err(error)) => {
                failed = failed.or(Some(error::target_codes(error).0));
                Some(error::target_report(error))
            }
            Some(Ok(_)) => {
                entries.push(entry(&target.describe(), held, branch));
                None
            }
            None => None,
        };
        registrations.push(PrunedRegistration {
            flow: held.flow.clone(),
            deployment: held.deployment.clone(),
            branch: branch.clone(),
            outcome: match (&outcome, &error) {
                (None, _) => "remove",
                (_, None) => "removed",
                _ => "failed",
            },
            error,
        });
    }
    let recorded = record(&session, &entries);
    let notices = recorded.err().map(|error| format!("the ledger could not be written: {error}"));
    context.printer.prune(&PruneReport {
        target: target.describe(),
        registrations,
        notices: notices.into_iter().collect(),
    });
    Ok(match failed {
        None => exit::DONE,
        Some(_) if !entries.is_empty() => exit::PARTIAL,
        Some(code) => code,
    })
}

/// The branches that are there: the remote's; of a repository without one its own.
fn branches(
    session: &Session,
    arguments: &PruneArguments,
) -> Result<HashSet<BranchName>, CommandError> {
    let configured = session.settings.repository.remote.as_ref().map(|remote| &remote.value);
    let name = arguments.remote.as_ref().or(configured);
    let found = match session.repository.remote(name)? {
        Some(remote) => session.repository.ask_for_branches(&remote)?,
        None if session.target.needs_remote() => return Err(ReferenceError::NoRemote.into()),
        None => session.repository.own_branches()?,
    };
    // Everything would be gone: more likely it is not the remote that was meant.
    if found.is_empty() {
        return Err(CommandError::no_branches());
    }
    Ok(found.into_iter().map(|(branch, _)| branch).collect())
}

fn entry(target: &TargetDescription, held: &Held, branch: &BranchName) -> LedgerEntry {
    LedgerEntry {
        at: super::now(),
        target: target.url.clone().unwrap_or_else(|| target.kind.as_str().to_owned()),
        action: "removed".to_owned(),
        flow: held.flow.clone(),
        deployment: held.deployment.clone(),
        kind: "branch".to_owned(),
        reference: branch.to_string(),
        commit: String::new(),
    }
}

fn record(session: &Session, entries: &[LedgerEntry]) -> Result<(), StoreError> {
    if entries.is_empty() {
        return Ok(());
    }
    Store::open(session.repository.common_dir())?.append_to_ledger(entries)
}
