//! Work pools: one is chosen for registrations that name none, and one that does not exist is
//! refused before anything is written.

use super::plan::{Action, Plan, Planned};
use super::refusal::{NONE_USABLE, Refusal};
use flowreg_model::Field;
use flowreg_servers::{WorkPool, WorkPools};

/// The type of pools that Prefect 2's agents poll. Workers do not, so it is never chosen.
const AGENT_KIND: &str = "prefect-agent";

/// Whether the server's work pools have to be known: the plan writes one, or creates a deployment
/// without one.
pub(crate) fn needs_work_pools(plan: &Plan) -> bool {
    plan.items.iter().any(|item| lacks_pool(item) || written_pool(item).is_some())
}

/// Gives what has no work pool the default one or the only usable one, and refuses what names one
/// that is missing.
///
/// Returns the pool that was chosen, if one was, and why this one.
pub(crate) fn choose_work_pools(plan: &mut Plan, pools: &WorkPools) -> Option<(String, String)> {
    // A guess between several pools could start production runs on a test cluster. So only a pool
    // that is the default or the only one that can run anything is chosen.
    let usable: Vec<&WorkPool> =
        pools.offered.iter().filter(|pool| !pool.is_paused && pool.kind != AGENT_KIND).collect();
    let choice = match (&pools.default, usable.as_slice()) {
        (Some((name, origin)), _) => Some((name.clone(), format!("as {origin} says"))),
        (None, [only]) => Some((only.name.clone(), "the only usable one on the server".to_owned())),
        (None, _) => None,
    };
    let mut chosen = None;
    for item in &mut plan.items {
        if lacks_pool(item) {
            match &choice {
                Some((name, _)) => {
                    chosen.clone_from(&choice);
                    choose(item, name);
                }
                None => refuse(item, Refusal::NoWorkPool { offered: offered(&usable) }),
            }
        }
        // The server answers a missing pool with a bare 500 on updates, and only after other
        // registrations were written.
        if let Some(pool) = written_pool(item).map(str::to_owned)
            && !pools.offered.iter().any(|offered| offered.name == pool)
        {
            refuse(item, Refusal::WorkPoolMissing { pool, offered: offered(&usable) });
        }
    }
    chosen
}

/// A registration that is to be created without a pool; what exists keeps what it has.
fn lacks_pool(item: &Planned) -> bool {
    item.action == Action::Create && !item.registration.fields.has(Field::WorkPoolName)
}

/// The pool that is going to be written. One that does not change is not looked up: it exists at the
/// server, and an update that leaves it alone works even if it does not.
fn written_pool(item: &Planned) -> Option<&str> {
    let fields = match &item.action {
        Action::Create => &item.registration.fields,
        Action::Update { fields, .. } => fields,
        Action::Unchanged | Action::Refuse(_) => return None,
    };
    fields.text(Field::WorkPoolName)
}

fn choose(item: &mut Planned, pool: &str) {
    item.registration.fields.set(Field::WorkPoolName, pool);
}

fn refuse(item: &mut Planned, refusal: Refusal) {
    item.action = Action::Refuse(refusal);
    item.changes.clear();
}

fn offered(pools: &[&WorkPool]) -> String {
    if pools.is_empty() {
        return NONE_USABLE.to_owned();
    }
    let names: Vec<String> =
        pools.iter().map(|pool| format!("`{}` ({})", pool.name, pool.kind)).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registration::{Guards, plan};
    use flowreg_model::{
        Channel, CodeReference, Entrypoint, Fields, Marks, ReferenceName, ReferenceSource,
        Registration,
    };

    fn planned(pool: Option<&str>) -> Plan {
        let reference = CodeReference {
            name: ReferenceName::Tag("v1".parse().unwrap()),
            commit: "a".repeat(40).parse().unwrap(),
            source: ReferenceSource::Flag,
            source_detail: "--tag".to_owned(),
            channel: Channel::Mainline,
            remote: None,
            proved: true,
        };
        let mut fields = Fields::new();
        fields.extend(pool.map(|pool| (Field::WorkPoolName, pool.into())));
        let registration = Registration {
            flow: "etl".parse().unwrap(),
            deployment: "default".parse().unwrap(),
            entrypoint: Entrypoint::new("etl.py", "etl"),
            marks: Marks::new("r", &reference, true, None),
            reference,
            fields,
            open_schema: None,
            upload: None,
        };
        plan(vec![registration], Vec::new(), &Guards::default(), &|_| true)
    }

    fn pool(name: &str, kind: &str, is_paused: bool) -> WorkPool {
        WorkPool { name: name.to_owned(), kind: kind.to_owned(), is_paused }
    }

    fn refusal(plan: &Plan) -> Option<&'static str> {
        match &plan.items[0].action {
            Action::Refuse(refusal) => Some(refusal.code()),
            _ => None,
        }
    }

    fn offers(pools: &[WorkPool]) -> WorkPools {
        WorkPools { offered: pools.to_vec(), default: None }
    }

    #[test]
    fn the_default_pool_wins_and_has_to_exist() {
        let default = Some(("docker".to_owned(), "PREFECT_DEFAULT_WORK_POOL_NAME".to_owned()));
        let mut offered = vec![pool("k8s", "kubernetes", false)];
        let mut plan = planned(None);
        let pools = WorkPools { offered: offered.clone(), default: default.clone() };
        choose_work_pools(&mut plan, &pools);
        assert_eq!(refusal(&plan), Some("work_pool_missing"));
        offered.push(pool("docker", "docker", false));
        let mut plan = planned(None);
        let chosen = choose_work_pools(&mut plan, &WorkPools { offered, default });
        assert_eq!(chosen.unwrap().1, "as PREFECT_DEFAULT_WORK_POOL_NAME says");
        assert_eq!(plan.items[0].registration.fields.value(Field::WorkPoolName), "docker");
    }

    #[test]
    fn the_only_usable_pool_is_taken() {
        let mut plan = planned(None);
        assert!(needs_work_pools(&plan));
        let pools = [
            pool("k8s", "kubernetes", false),
            pool("old", "prefect-agent", false),
            pool("off", "process", true),
        ];
        let (chosen, why) = choose_work_pools(&mut plan, &offers(&pools)).unwrap();
        assert_eq!((&*chosen, &*why), ("k8s", "the only usable one on the server"));
        assert_eq!(plan.items[0].registration.fields.value(Field::WorkPoolName), "k8s");
        assert_eq!(refusal(&plan), None);
    }

    #[test]
    fn none_or_several_usable_pools_are_refused() {
        let mut plan = planned(None);
        assert_eq!(choose_work_pools(&mut plan, &offers(&[])), None);
        assert_eq!(refusal(&plan), Some("no_work_pool"));
        let mut plan = planned(None);
        choose_work_pools(
            &mut plan,
            &offers(&[pool("a", "process", false), pool("b", "docker", false)]),
        );
        let Action::Refuse(refusal) = &plan.items[0].action else { panic!("{plan:?}") };
        assert_eq!(
            refusal.to_string(),
            "no work pool is configured, and the server has `a` (process), `b` (docker)"
        );
    }

    #[test]
    fn a_configured_pool_must_exist_even_if_it_is_paused() {
        let mut plan = planned(Some("off"));
        choose_work_pools(&mut plan, &offers(&[pool("off", "process", true)]));
        assert_eq!(refusal(&plan), None);
        choose_work_pools(&mut plan, &offers(&[pool("other", "process", false)]));
        assert_eq!(refusal(&plan), Some("work_pool_missing"));
    }
}
