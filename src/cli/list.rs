//! `flowreg list`: what the target holds.

use clap::Args;

use super::{CommandResult, Context, exit};
use crate::output::{ListReport, ListedRegistration};
use flowreg_model::{Field, Held};
use flowreg_servers::ReadScope;

#[derive(Debug, Args)]
pub(super) struct ListArguments {}

pub(super) fn run(context: &Context<'_>, _: &ListArguments) -> CommandResult {
    let opened = context.open()?;
    let target = opened.configure()?.connect(None)?;
    let mut registrations: Vec<ListedRegistration> =
        target.read(ReadScope::All)?.into_iter().filter_map(listed).collect();
    // A server answers in no particular order.
    registrations.sort_by(|left, right| {
        (&left.flow, &left.deployment).cmp(&(&right.flow, &right.deployment))
    });
    context.printer.list(&ListReport { target: target.describe(), registrations });
    Ok(exit::DONE)
}

/// `None` for what somebody else created.
fn listed(held: Held) -> Option<ListedRegistration> {
    let marks = held.marks?;
    let entrypoint = held.fields.text(Field::Entrypoint);
    let kind = match (&marks.tag, &marks.branch) {
        (Some(_), _) => Some("tag"),
        (None, Some(_)) => Some("branch"),
        (None, None) => None,
    };
    Some(ListedRegistration {
        entrypoint: entrypoint.map(str::to_owned),
        flow: held.flow,
        deployment: held.deployment,
        kind,
        reference: marks.tag.or(marks.branch),
        commit: marks.commit,
        repository: marks.repository,
        registered_at: held.registered_at,
    })
}
