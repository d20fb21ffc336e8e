//! `flowreg plan`: what register would do. Also prepares what `flowreg register` carries out.

use std::collections::HashMap;

use clap::Args;
use serde_json::{Value, json};

use super::affected::{self, Participation};
use super::arguments::RunArguments;
use super::error::{self, CommandError};
use super::gather::{Explained, Explanation, Gathered, Run};
use super::session::{self, Session};
use super::starts::Start;
use super::{CommandResult, Context, children, exit, prefect1, tag_rules};
use crate::output::{ChangeReport, ItemReport, RunReport, RunSummary};
use crate::registration::{
    Action, Change, CodeSource, Guards, Plan, Planned, choose_work_pools, keep_moments,
    needs_work_pools, origin_of, plan, read,
};
use crate::settings::Access;
use flowreg_model::{
    CodeReference, Entrypoint, FlowName, FlowProblem, Inexact, ReferenceSource, TargetKind,
};
use flowreg_servers::Target;

#[derive(Debug, Args)]
pub(super) struct PlanArguments {
    #[command(flatten)]
    pub common: RunArguments,
    /// Exit with 9 if there is anything to change
    #[arg(long)]
    exit_code: bool,
}

/// A run that is ready to be carried out.
pub(super) struct Prepared {
    pub session: Session,
    pub reference: CodeReference,
    pub repository: String,
    pub target: Box<dyn Target>,
    pub plan: Plan,
    pub problems: Vec<FlowProblem>,
    /// What is worth knowing and stops nothing.
    pub notices: Vec<String>,
    /// What can't become a registration, with the reason.
    pub unbuilt: Vec<ItemReport>,
    /// Where fields come from, and which must not be shown.
    pub explained: Explained,
    /// How many registrations take no part: their flows did not change.
    pub left_out: usize,
}

pub(super) fn run(context: &Context, arguments: &PlanArguments) -> CommandResult {
    show(context, &arguments.common, arguments.exit_code)
}

/// Plans and prints, and writes nothing.
pub(super) fn show(context: &Context, arguments: &RunArguments, exit_code: bool) -> CommandResult {
    let mut prepared = prepare(context, arguments, None)?;
    let Prepared { session, reference, plan, target, .. } = &prepared;
    let missing = children::missing(session, reference, plan, target.as_ref())?;
    prepared.notices.extend(missing);
    let summary = prepared.plan.summary();
    let is_changing = summary.create + summary.update + summary.remove > 0;
    let refused = summary.refuse + prepared.unbuilt.len();
    let good = prepared.plan.items.len() - summary.refuse;
    let failed = invalid(&prepared.problems);
    let code = Tally { good, refused, invalid: failed, failed: None }.exit_code();
    let report = RunReport {
        target: prepared.target.describe(),
        repository: prepared.repository,
        reference: prepared.reference,
        registrations: prepared
            .plan
            .items
            .iter()
            .map(|item| planned_report(item, &prepared.explained))
            .chain(prepared.unbuilt)
            .collect(),
        errors: prepared.problems,
        notices: prepared.notices,
        summary: RunSummary(vec![
            ("create", summary.create),
            ("update", summary.update),
            ("unchanged", summary.unchanged),
            ("remove", summary.remove),
            ("refuse", refused),
            ("failed", failed),
            ("left_out", prepared.left_out),
        ]),
        duration_ms: None,
    };
    context.printer.run(&report);
    context.printer.problems(&with_excerpts(&report.errors));
    Ok(if code == exit::DONE && exit_code && is_changing { exit::CHANGES } else { code })
}

/// How many registrations went which way.
pub(super) struct Tally {
    /// Registered, or as they should be.
    pub good: usize,
    /// Refused by a guard.
    pub refused: usize,
    /// Problems in sources.
    pub invalid: usize,
    /// The exit code of the first one that the target did not take.
    pub failed: Option<u8>,
}

impl Tally {
    /// Partial if anything went well beside what did not; else what went wrong.
    pub(super) fn exit_code(&self) -> u8 {
        match (self.failed, self.refused, self.invalid) {
            (None, 0, 0) => exit::DONE,
            _ if self.good > 0 => exit::PARTIAL,
            (Some(code), ..) => code,
            (None, 0, _) => exit::FLOW_SOURCE,
            (None, ..) => exit::REFUSED,
        }
    }
}

/// The number of problems that keep a flow from being registered.
pub(super) fn invalid(problems: &[FlowProblem]) -> usize {
    problems.iter().filter(|problem| problem.is_error()).count()
}

/// The problems whose place in the source is worth showing once more, in full.
pub(super) fn with_excerpts(problems: &[FlowProblem]) -> Vec<FlowProblem> {
    problems.iter().filter(|problem| problem.excerpt.is_some()).cloned().collect()
}

/// Resolves, finds what is to be registered, reads the target and compares.
pub(super) fn prepare(
    context: &Context,
    arguments: &RunArguments,
    jobs: Option<usize>,
) -> Result<Prepared, CommandError> {
    let (session, reference, mut notices) =
        session::open(context, &arguments.reference)?.reference()?;
    let is_offline = arguments.reference.offline;
    notices.extend(tag_rules::check(&session, &reference, &context.environment, is_offline)?);
    let since = affected::since(&session, &arguments.since)?;
    let repository = session.repository_url()?;
    notices.extend(circumstances(context, &session, &reference, repository.as_str())?);
    let author = session.repository.author();
    let target = session.connect(jobs)?;
    let run = Run {
        context,
        session: &session,
        reference: &reference,
        source: CodeSource {
            reference: &reference,
            pinned: session.pinned(&reference),
            repository: repository.as_str(),
            author: author.as_deref(),
        },
        target: target.as_ref(),
        arguments,
    };
    let manifests = session.manifests(&reference)?;
    let gathered = if session.is_prefect1() {
        run.built_flows()?
    } else if manifests.declare_deployments() {
        run.declared(&manifests)?
    } else {
        if !manifests.is_empty() {
            notices.push("prefect.yaml declares no deployments: every flow gets one".to_owned());
        }
        run.every_flow()?
    };
    let Gathered {
        mut registrations,
        mut unbuilt,
        mut problems,
        remarks,
        moments,
        inexact,
        explained,
        starts,
        files,
        ..
    } = gathered;
    notices.extend(gathered.notices);
    let paths = reference.tag().map(|tag| session.settings.tag.paths_of(tag)).unwrap_or_default();
    let elsewhere = |entrypoint: &str| !is_below(paths, entrypoint);
    registrations.retain(|one| {
        let start = starts.get(&(one.flow.to_string(), one.deployment.to_string()));
        !elsewhere(start.map_or(one.entrypoint.path(), Start::file))
    });
    unbuilt.retain(|item| !elsewhere(&item.entrypoint));
    problems.retain(|problem| !elsewhere(&problem.path));
    let kind = target.describe().kind;
    let participation = Participation {
        context,
        session: &session,
        reference: &reference,
        manifests: &manifests,
        files: files.as_deref(),
        starts: &starts,
        since,
        is_all: arguments.since.all || arguments.flows.is_restricted(),
    };
    let mut adapted = Vec::new();
    let (held, left_out) = participation.settle(&mut registrations, kind, |registrations| {
        if !registrations.is_empty() {
            adapted = target.adapt(registrations)?;
        }
        read(registrations, target.as_ref())
    })?;
    notices.extend(adapted);
    notices.extend(left_out.notices);
    for registration in &mut registrations {
        if let Some(parameters) = moments.get(&registration.entrypoint) {
            keep_moments(registration, &held, parameters);
        }
    }
    // The embedded registry lies in this repository: whatever its URL once was, all of it is ours.
    let adopt = arguments.adopt || kind == TargetKind::Local;
    let guards = Guards { allow_downgrade: arguments.allow_downgrade, adopt };
    let mut plan = plan(registrations, held, guards);
    notices.extend(settle_pools(&mut plan, target.as_ref())?);
    if kind == TargetKind::Prefect1 {
        prefect1::settle(&mut plan, &session, target.as_ref())?;
    }
    notices.extend(about_flows(&plan, &inexact, &remarks, context.printer.is_verbose()));
    let repository = repository.to_string();
    Ok(Prepared {
        session,
        reference,
        repository,
        target,
        plan,
        problems,
        notices,
        unbuilt,
        explained,
        left_out: left_out.count,
    })
}

/// Whether a file, or an entrypoint in it, is one that the tag stands for.
fn is_below(paths: &[String], file: &str) -> bool {
    let below = |path: &String| {
        let rest = file.strip_prefix(path.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', ':']))
    };
    paths.is_empty() || paths.iter().any(below)
}

/// What about the repository and the configuration is worth knowing.
fn circumstances(
    context: &Context,
    session: &Session,
    reference: &CodeReference,
    repository: &str,
) -> Result<Vec<String>, CommandError> {
    let mut notices = Vec::new();
    if reference.source == ReferenceSource::ActiveBranch && session.repository.uncommitted()? {
        let commit = reference.commit.short();
        notices.push(format!(
            "flows or configuration that are not committed do not count: {commit} is registered"
        ));
    }
    if session.has_other_configuration(context, reference)? {
        notices.push(format!(
            "flowreg.toml here is not the one that counts, at {}; for a try: --config flowreg.toml",
            reference.commit.short()
        ));
    }
    let remote = session.repository.remote(reference.remote.as_ref())?;
    let lost_credentials = remote.is_some_and(|remote| remote.had_credentials);
    if lost_credentials && !session.names_secret() {
        let place = if session.is_prefect1() {
            "[prefect1] names one as git_token_secret_name"
        } else {
            "[repository] names a secret as access_token or credentials"
        };
        notices.push(format!(
            "the remote's credentials are not registered: workers clone without them, unless {place}"
        ));
    }
    let is_https = repository.starts_with("https://");
    if !is_https && matches!(session.settings.repository.access, Some(Access::Token(_))) {
        notices.push(
            "Prefect uses an access token with https URLs only: a worker will clone without it"
                .to_owned(),
        );
    }
    Ok(notices)
}

/// Asks for the work pools if that is needed, and says which one was chosen.
fn settle_pools(plan: &mut Plan, target: &dyn Target) -> Result<Option<String>, CommandError> {
    if !needs_work_pools(plan) {
        return Ok(None);
    }
    let Some(pools) = target.work_pools()? else { return Ok(None) };
    Ok(choose_work_pools(plan, &pools)
        .map(|(chosen, why)| format!("no work pool is configured: using `{chosen}`, {why}")))
}

/// What is written although it is not exact, or not for ever; of what is not written only if all
/// is wanted.
fn about_flows(
    plan: &Plan,
    reasons: &HashMap<FlowName, Vec<Inexact>>,
    remarks: &HashMap<Entrypoint, Vec<String>>,
    all: bool,
) -> Vec<String> {
    let mut notices = Vec::new();
    for item in &plan.items {
        let is_written = matches!(item.action, Action::Create | Action::Update { .. });
        if !is_written && !all {
            continue;
        }
        let flow = &item.registration.flow;
        notices.extend(remarks.get(&item.registration.entrypoint).into_iter().flatten().cloned());
        for Inexact { what, reason } in reasons.get(flow).into_iter().flatten() {
            notices.push(match what.as_str() {
                "name" => format!("{flow}: the name is not certain: {reason}"),
                _ => {
                    format!("{flow}: {what} is not exact and stays as the target has it: {reason}")
                }
            });
        }
    }
    notices
}

/// One planned registration, as it is printed.
pub(super) fn planned_report(item: &Planned, explained: &Explained) -> ItemReport {
    let key = (item.registration.flow.to_string(), item.registration.deployment.to_string());
    let explanation = explained.0.get(&key);
    ItemReport {
        flow: item.registration.flow.to_string(),
        deployment: item.registration.deployment.to_string(),
        entrypoint: item.registration.entrypoint.to_string(),
        action: item.action.as_str(),
        outcome: None,
        id: item.held.as_ref().and_then(|held| held.id.clone()),
        changes: item.changes.iter().map(|change| reported(change, explanation)).collect(),
        error: match &item.action {
            Action::Refuse(refusal) => Some(error::refusal_report(refusal)),
            _ => None,
        },
    }
}

/// A change with its reason, and without a secret.
fn reported(change: &Change, explanation: Option<&Explanation>) -> ChangeReport {
    let Change { field, from, to } = change;
    let hides = |secret: &String| {
        let below = |one: &str, other: &str| {
            other.strip_prefix(one).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        below(secret, field) || below(field, secret)
    };
    let is_secret = explanation.is_some_and(|known| known.secrets.iter().any(hides));
    let shown = |value: &Value| match value {
        Value::Null => Value::Null,
        _ if is_secret => json!(HIDDEN),
        other => other.clone(),
    };
    let why = explanation.and_then(|known| origin_of(&known.origins, field));
    let is_gone = to.is_null() && !from.is_null();
    let why = if is_gone { why.or(Some("no longer declared")) } else { why };
    let why = why.or_else(|| field.starts_with("labels.").then_some("the mark of what is ours"));
    ChangeReport {
        field: field.clone(),
        from: shown(from),
        to: shown(to),
        why: why.map(ToOwned::to_owned),
    }
}

/// What stands for a secret in reports.
const HIDDEN: &str = "(hidden)";
