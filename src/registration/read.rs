//! Reads what a target holds, as far as the registrations need it and in as few requests.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use super::declared::LastDeclaration;
use super::plan::is_registered_by;
use flowreg_model::{Field, FlowName, Held, Registration};
use flowreg_servers::{ReadScope, Target, TargetError};

/// Reads all deployments of the flows that are to be registered, and their triggers where some
/// are declared, or were, or may have been by somebody whose deployment is adopted (`adopts`).
/// `is_ours` says whether a repository's URL is one of this repository.
pub fn read(
    registrations: &[Registration],
    target: &dyn Target,
    adopts: bool,
    is_ours: &dyn Fn(&str) -> bool,
) -> Result<Vec<Held>, TargetError> {
    let flows: BTreeSet<&FlowName> = registrations.iter().map(|one| &one.flow).collect();
    if flows.is_empty() {
        return Ok(Vec::new());
    }
    let flows: Vec<FlowName> = flows.into_iter().cloned().collect();
    let mut held = target.read(ReadScope::Flows(&flows))?;
    read_triggers(registrations, &mut held, target, adopts, is_ours)?;
    Ok(held)
}

/// Which automations that run a deployment may be its triggers.
enum Candidates {
    /// Those of these names.
    Named(BTreeSet<String>),
    /// All of them: nothing tells which ones somebody else has declared.
    All,
}

/// Reads the triggers, and leaves in each deployment only those that are or were declared for it:
/// an automation of another name is somebody else's.
fn read_triggers(
    registrations: &[Registration],
    held: &mut [Held],
    target: &dyn Target,
    adopts: bool,
    is_ours: &dyn Fn(&str) -> bool,
) -> Result<(), TargetError> {
    let by_name: HashMap<(&str, &str), &Registration> = registrations
        .iter()
        .map(|one| ((one.flow.as_str(), one.deployment.as_str()), one))
        .collect();
    let mut concerned: Vec<(&mut Held, Candidates)> = held
        .iter_mut()
        .filter_map(|held| {
            let registration = by_name.get(&(held.flow.as_str(), held.deployment.as_str()))?;
            let is_ours = is_registered_by(held, &registration.marks, is_ours);
            let last = LastDeclaration::of(held, is_ours);
            let candidates = candidates(registration, &last, adopts)?;
            Some((held, candidates))
        })
        .collect();
    // Most repositories declare no triggers: then the automations are not asked for at all.
    if concerned.is_empty() {
        return Ok(());
    }
    let mut names: Option<BTreeSet<&String>> = Some(BTreeSet::new());
    for (_, candidates) in &concerned {
        match (candidates, &mut names) {
            (Candidates::Named(own), Some(names)) => names.extend(own),
            _ => names = None,
        }
    }
    let names: Option<Vec<String>> = names.map(|names| names.into_iter().cloned().collect());
    let mut read: Vec<&mut Held> = concerned.iter_mut().map(|(held, _)| &mut **held).collect();
    target.read_triggers(names.as_deref(), &mut read)?;
    // The names of all deployments were asked for at once, and reads do not tell which deployment an
    // automation was made for. So one that runs this deployment may have a name of another one.
    for (held, candidates) in concerned {
        if let (Some(Value::Array(triggers)), Candidates::Named(names)) =
            (held.fields.get_mut(Field::Triggers), candidates)
        {
            triggers.retain(|trigger| names.contains(name(trigger)));
        }
    }
    Ok(())
}

/// The candidates for the triggers of one deployment; `None` if it can't have any.
fn candidates(
    registration: &Registration,
    last: &LastDeclaration,
    adopts: bool,
) -> Option<Candidates> {
    // Without `--adopt` the deployment is refused, and nothing of it is compared.
    if adopts && last.is_foreign() {
        return Some(Candidates::All);
    }
    let declared = registration.fields.items(Field::Triggers);
    let declared = declared.iter().map(|trigger| name(trigger).to_owned());
    let last = last.recorded().into_iter().flat_map(|last| last.triggers.clone());
    let names: BTreeSet<String> = declared.chain(last).collect();
    (!names.is_empty()).then_some(Candidates::Named(names))
}

/// The name of a trigger; one that Prefect names after the deployment's id has none.
fn name(trigger: &Value) -> &str {
    trigger.get("name").and_then(Value::as_str).unwrap_or_default()
}
