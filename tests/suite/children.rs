//! `flowreg plan` warns of flows that start others which are nowhere.

use serde_json::Value;

use crate::support::prefect1::{Backend, FlowRepository, flow, programs};
use crate::support::{Flowreg, TestRepository};

fn notices(plan: &Value) -> Vec<&str> {
    let notices = plan["notices"].as_array().unwrap().iter().filter_map(Value::as_str);
    notices.filter(|notice| notice.contains(" starts the ")).collect()
}

#[test]
fn a_deployment_that_is_nowhere_is_told_with_the_nearest_name() {
    let repository = TestRepository::empty();
    let parent = "from prefect import flow\nfrom prefect.deployments import run_deployment\n\n\n\
        @flow\ndef parent():\n    run_deployment(\"child/default\")\n    \
        run_deployment(name=\"child/nightly\")\n    run_deployment(\"gone/default\", timeout=0)\n";
    repository.write("parent.py", parent);
    repository.write("child.py", "from prefect import flow\n\n\n@flow\ndef child(): ...\n");
    repository.write("gone.py", "from prefect import flow\n\n\n@flow\ndef gone(): ...\n");
    repository.commit("flows");
    repository.git(&["tag", "v1.0.0"]);
    let flowreg = Flowreg::in_repository(&repository);
    let plan = flowreg.json(&["plan"], 0);
    assert_eq!(
        notices(&plan),
        [
            "parent.py:8: run_deployment starts the deployment `child/nightly`, which the target does \
          not have and this run does not register; did you mean `child/default`?"
        ]
    );
    flowreg.json(&["register"], 0);
    // What is registered already is there, also where this run does not register it.
    let plan = flowreg.json(&["plan", "parent"], 0);
    assert_eq!(notices(&plan).len(), 1, "{plan:#}");
    repository.git(&["rm", "-q", "gone.py"]);
    repository.commit("without gone");
    repository.git(&["tag", "v1.1.0"]);
    assert_eq!(notices(&flowreg.json(&["plan"], 0)).len(), 1, "the registry still has it");
}

#[test]
fn a_flow_of_prefect_1_that_is_in_no_project_is_told() {
    let Some(programs) = programs("a_flow_of_prefect_1_that_is_in_no_project_is_told") else {
        return;
    };
    let backend = Backend::start(&["--projects", "data,other"]);
    let place = FlowRepository::new(&programs, "[prefect1]\nproject = \"data\"\n");
    let parent = "from prefect import Flow\nfrom prefect.tasks.prefect import create_flow_run\n\n\
        with Flow(\"parent\") as parent:\n    \
        create_flow_run(flow_name=\"child\", project_name=\"data\")\n    \
        create_flow_run(flow_name=\"child\", project_name=\"other\")\n    \
        create_flow_run(flow_name=\"child\")\n    create_flow_run(flow_name=\"chlid\")\n";
    place.repository.write("parent.py", parent);
    place.repository.write("child.py", flow("child", "one"));
    place.release("v1.0.0");
    let plan = place.flowreg(&backend).json(&["plan"], 0);
    let found = notices(&plan);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].starts_with("parent.py:6: create_flow_run starts the flow `child/other`"));
    assert!(found[1].starts_with("parent.py:8: create_flow_run starts the flow `chlid`"));
}
