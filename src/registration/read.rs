//! Reads what a target holds, as far as the registrations need it and in as few requests.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use super::declared::LastDeclaration;
use flowreg_model::{Field, FlowName, Held, Registration};
use flowreg_servers::{ReadScope, Target, TargetError};

/// Reads all deployments of the flows that are to be registered, and their triggers where some
/// are declared or were.
pub fn read(registrations: &[Registration], target: &dyn Target) -> Result<Vec<Held>, TargetError> {
    let flows: BTreeSet<&FlowName> = registrations.iter().map(|one| &one.flow).collect();
    if flows.is_empty() {
        return Ok(Vec::new());
    }
    let flows: Vec<FlowName> = flows.into_iter().cloned().collect();
    let mut held = target.read(ReadScope::Flows(&flows))?;
    read_triggers(registrations, &mut held, target)?;
    Ok(held)
}

/// Reads the triggers, and leaves in each deployment only those that are or were declared for it:
/// an automation of another name is somebody else's.
fn read_triggers(
    registrations: &[Registration],
    held: &mut [Held],
    target: &dyn Target,
) -> Result<(), TargetError> {
    let by_name: HashMap<(&str, &str), &Registration> = registrations
        .iter()
        .map(|one| ((one.flow.as_str(), one.deployment.as_str()), one))
        .collect();
    let mut concerned: Vec<(&mut Held, BTreeSet<String>)> = held
        .iter_mut()
        .filter_map(|held| {
            let registration = by_name.get(&(held.flow.as_str(), held.deployment.as_str()))?;
            let names = trigger_names(registration, held);
            (!names.is_empty()).then_some((held, names))
        })
        .collect();
    // Most repositories declare no triggers: then the automations are not asked for at all.
    let all: BTreeSet<&String> = concerned.iter().flat_map(|(_, names)| names).collect();
    if all.is_empty() {
        return Ok(());
    }
    let all: Vec<String> = all.into_iter().cloned().collect();
    let mut read: Vec<&mut Held> = concerned.iter_mut().map(|(held, _)| &mut **held).collect();
    target.read_triggers(&all, &mut read)?;
    // The names of all deployments were asked for at once, and reads do not tell which deployment an
    // automation was made for. So one that runs this deployment may have a name of another one.
    for (held, names) in concerned {
        if let Some(Value::Array(triggers)) = held.fields.get_mut(Field::Triggers) {
            triggers.retain(|trigger| names.contains(name(trigger)));
        }
    }
    Ok(())
}

fn trigger_names(registration: &Registration, held: &Held) -> BTreeSet<String> {
    let declared = registration.fields.items(Field::Triggers);
    let declared = declared.iter().map(|trigger| name(trigger).to_owned());
    let last = LastDeclaration::of(held);
    declared.chain(last.recorded().into_iter().flat_map(|last| last.triggers.clone())).collect()
}

/// The name of a trigger; one that Prefect names after the deployment's id has none.
fn name(trigger: &Value) -> &str {
    trigger.get("name").and_then(Value::as_str).unwrap_or_default()
}
