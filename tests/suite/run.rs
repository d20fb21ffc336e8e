//! A run without the command line: the stages by themselves.

use flowreg::run::{Opened, RunRequest, Surroundings, Unobserved};

use crate::support::TestRepository;

const FLOW: &str = "from prefect import flow\n\n\n@flow\ndef etl(days: int = 1): ...\n";

fn surroundings(repository: &TestRepository) -> Surroundings {
    let environment = repository.environment(&[]);
    Surroundings { environment, ..Surroundings::of_directory(repository.root()) }
}

#[test]
fn a_program_registers_without_the_command_line() {
    let repository = TestRepository::empty();
    repository.write("flows/etl.py", FLOW);
    repository.commit("etl");
    repository.git(&["tag", "v1.0.0"]);
    let opened = Opened::discover(surroundings(&repository), &Unobserved).unwrap();
    let request = RunRequest::default();
    let applied = opened.plan(&request).unwrap().apply();
    assert!(applied.is_complete());
    assert_eq!(applied.reference.name.as_str(), "v1.0.0");
    assert_eq!(applied.summary()[0], ("created", 1));
    let again = opened.plan(&request).unwrap();
    assert_eq!(again.plan.summary().unchanged, 1);
}

#[test]
fn each_stage_can_be_asked_for_what_is_known_there() {
    let repository = TestRepository::empty();
    repository.write("flows/etl.py", FLOW);
    repository.commit("etl");
    repository.git(&["checkout", "-q", "-b", "feat/x"]);
    let opened = Opened::discover(surroundings(&repository), &Unobserved).unwrap();
    let request = RunRequest::default();
    let referenced = opened.reference(&request.reference).unwrap();
    assert_eq!(referenced.reference.name.as_str(), "feat/x");
    let flows = referenced.list_flows(&request.flows, None, false).unwrap().flows;
    assert_eq!(flows[0].flow.entrypoint.to_string(), "flows/etl.py:etl");
    let desired = referenced.desire(&request).unwrap();
    assert_eq!(desired.registrations()[0].deployment.as_str(), "default@feat~x");
    let compared = desired.compare().unwrap();
    assert!(compared.held().is_empty());
    assert_eq!(compared.plan().unwrap().plan.summary().create, 1);
}
