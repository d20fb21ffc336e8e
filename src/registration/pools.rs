//! Work pools: the one that nobody chose, and the one that does not exist.

use serde_json::{Value, json};

use super::plan::{Action, Plan, Planned, Refusal};
use crate::target::WorkPool;

/// Prefect 2's agents: nothing that a worker polls (`facts/prefect3.md` §4.5).
const AGENT_KIND: &str = "prefect-agent";

/// Whether the plan writes a work pool, or needs one that nobody chose.
pub fn needs_work_pools(plan: &Plan) -> bool {
    plan.items.iter().any(|item| lacks_pool(item) || written_pool(item).is_some())
}

/// Gives what has no work pool the only usable one, and refuses what names one that is missing.
///
/// Returns the pool that was chosen, if one was.
pub fn settle(plan: &mut Plan, pools: &[WorkPool]) -> Option<String> {
    let usable: Vec<&WorkPool> =
        pools.iter().filter(|pool| !pool.is_paused && pool.kind != AGENT_KIND).collect();
    let mut chosen = None;
    for item in &mut plan.items {
        if lacks_pool(item) {
            match usable.as_slice() {
                [only] => {
                    chosen = Some(only.name.clone());
                    choose(item, &only.name);
                }
                _ => refuse(item, Refusal::NoWorkPool { offered: offered(&usable) }),
            }
        } else if let Some(pool) = written_pool(item).map(str::to_owned)
            && !pools.iter().any(|offered| offered.name == pool)
        {
            refuse(item, Refusal::WorkPoolMissing { pool, offered: offered(&usable) });
        }
    }
    chosen
}

/// A registration that is to be created without a pool; what exists keeps what it has.
fn lacks_pool(item: &Planned) -> bool {
    item.action == Action::Create && !item.registration.fields.contains_key("work_pool_name")
}

fn written_pool(item: &Planned) -> Option<&str> {
    let fields = match &item.action {
        Action::Create => &item.registration.fields,
        Action::Update { fields, .. } => fields,
        Action::Unchanged | Action::Refuse(_) => return None,
    };
    fields.get("work_pool_name").and_then(Value::as_str)
}

fn choose(item: &mut Planned, pool: &str) {
    item.registration.fields.insert("work_pool_name".to_owned(), json!(pool));
}

fn refuse(item: &mut Planned, refusal: Refusal) {
    item.action = Action::Refuse(refusal);
    item.changes.clear();
}

fn offered(pools: &[&WorkPool]) -> String {
    if pools.is_empty() {
        return "no usable one".to_owned();
    }
    let names: Vec<String> =
        pools.iter().map(|pool| format!("`{}` ({})", pool.name, pool.kind)).collect();
    names.join(", ")
}
