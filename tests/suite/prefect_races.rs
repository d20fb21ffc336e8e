//! Runs that write to one server at once: an older version never replaces a newer one, nothing is half of
//! two versions, and nothing is there twice. The server itself orders nothing.

use flowreg_model::{
    Channel, CodeReference, Field, Fields, Marks, ReferenceName, ReferenceSource, Registration,
};
use flowreg_servers::{ReadScope, Target, TargetError, Write};
use serde_json::Value;

use crate::support::prefect::{Server, Turn, unique};
use crate::support::{Flowreg, TestRepository};

struct Project {
    server: Turn,
    repository: TestRepository,
    flow: String,
}

impl Project {
    /// A repository with one flow and these tags, a commit each, of which everything that is declared
    /// names the tag.
    fn new(tags: &[&str]) -> Self {
        let server = Server::shared();
        let (flow, pool) = (unique("race"), server.api.pool());
        let repository = TestRepository::empty();
        for tag in tags {
            let source = format!(
                "from prefect import flow\n\n\n@flow(name='{flow}')\ndef load(n: str = '{tag}'):\n    ...\n"
            );
            repository.write("load.py", source);
            let manifest = format!(
                "deployments:\n- name: nightly\n  entrypoint: load.py:load\n  work_pool: {{name: {pool}}}\n  \
                 tags: [{tag}]\n  parameters: {{n: {tag}}}\n  schedules: [{{cron: 0 1 * * *, slug: {}}}]\n  \
                 triggers: [{{name: {flow}, expect: [{tag}]}}]\n",
                tag.replace('.', "-")
            );
            repository.write("prefect.yaml", manifest);
            repository.commit(tag);
            repository.git(&["tag", tag]);
        }
        repository.add_bare_remote("origin");
        repository.git(&["push", "-q", "--tags", "origin", "HEAD"]);
        Self { server, repository, flow }
    }

    fn flowreg(&self) -> Flowreg {
        Flowreg::in_repository(&self.repository).env("PREFECT_API_URL", &self.server.api_url)
    }

    /// The deployment, and the automations that run it.
    fn held(&self) -> (Value, Vec<Value>) {
        let deployment = self.server.api.deployment(&self.flow, "nightly");
        let filter = serde_json::json!({"automations": {"name": {"any_": [self.flow]}}});
        let found = self.server.api.ask("POST", "/automations/filter", &filter);
        (deployment, found.as_array().unwrap().clone())
    }

    /// Makes sure that all of the deployment is of one version.
    fn is_all_of(&self, tag: &str, when: &str) {
        let (held, automations) = self.held();
        let slug = tag.replace('.', "-");
        let parts = [
            &held["version"],
            &held["labels"]["flowreg.tag"],
            &held["tags"][0],
            &held["parameters"]["n"],
            &held["parameter_openapi_schema"]["properties"]["n"]["default"],
            &held["pull_steps"][0]["prefect.deployments.steps.git_clone"]["branch"],
        ];
        assert!(parts.iter().all(|part| *part == tag), "{when}: {parts:?}");
        assert_eq!(held["schedules"].as_array().unwrap().len(), 1, "{when}: {held:#}");
        assert_eq!(held["schedules"][0]["slug"], slug.as_str(), "{when}");
        assert_eq!(automations.len(), 1, "{when}: {automations:#?}");
        assert_eq!(automations[0]["trigger"]["expect"][0], tag, "{when}");
    }
}

#[test]
fn of_two_versions_at_once_the_higher_one_stays_on_a_server() {
    let project = Project::new(&["v1.0.0", "v1.1.0", "v1.2.0"]);
    let flowreg = project.flowreg();
    for round in 0..20 {
        flowreg.json(&["register", "--tag", "v1.0.0", "--allow-downgrade"], 0);
        let mut order = ["v1.1.0", "v1.2.0"];
        order.rotate_left(round % 2);
        let running = order.map(|tag| flowreg.start(&["register", "--tag", tag]));
        let codes = running.map(|child| child.wait_with_output().unwrap().status.code().unwrap());
        let of = |tag: &str| codes[order.iter().position(|one| *one == tag).unwrap()];
        // The lower one was first, or was refused, or found itself replaced.
        assert!([0, 1].contains(&of("v1.1.0")), "round {round}: {codes:?}");
        assert_eq!(of("v1.2.0"), 0, "round {round}: {codes:?}");
        project.is_all_of("v1.2.0", &format!("round {round}"));
    }
}

#[test]
fn of_ten_first_registrations_at_once_one_creates_on_a_server() {
    let project = Project::new(&["v1.0.0"]);
    let flowreg = project.flowreg();
    let running = [(); 10].map(|()| flowreg.start(&["register", "--format", "json"]));
    let mut created = 0;
    for child in running {
        let output = child.wait_with_output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{report}");
        created += report["summary"]["created"].as_u64().unwrap();
    }
    assert_eq!(created, 1);
    project.is_all_of("v1.0.0", "ten at once");
    assert_eq!(flowreg.json(&["register"], 0)["summary"]["unchanged"], 1);
}

/// What was written after the target was read is seen by the write itself, and nothing is written over it.
#[test]
fn a_write_that_was_planned_before_another_one_is_not_carried_out() {
    let project = Project::new(&["v1.0.0", "v1.1.0", "v1.2.0"]);
    let flowreg = project.flowreg();
    flowreg.json(&["register", "--tag", "v1.0.0"], 0);
    let late = project.server.target();
    let names = [project.flow.parse().unwrap()];
    let held = late.read(ReadScope::Flows(&names)).unwrap().remove(0);
    flowreg.json(&["register", "--tag", "v1.2.0"], 0);
    let reference = CodeReference {
        name: ReferenceName::Tag("v1.1.0".parse().unwrap()),
        commit: project.repository.commit_id("v1.1.0"),
        source: ReferenceSource::Flag,
        source_detail: "--tag".to_owned(),
        channel: Channel::Mainline,
        remote: None,
        proved: true,
    };
    let registration = Registration {
        flow: project.flow.parse().unwrap(),
        deployment: "nightly".parse().unwrap(),
        entrypoint: "load.py:load".parse().unwrap(),
        marks: Marks::new("https://git.example.com/r.git", &reference, true, None),
        reference,
        fields: Fields::from_iter([(Field::Version, "v1.1.0".into())]),
        open_schema: None,
        upload: None,
    };
    let (fields, marks_change) = (&registration.fields, true);
    let update = Write::Update { held: &held, registration: &registration, fields, marks_change };
    for write in [update, Write::Create(&registration)] {
        let Err(TargetError::Overtaken { held: Some(now) }) = late.apply(&write) else {
            panic!("it was written over what came in between")
        };
        assert_eq!(*now.fields.value(Field::Version), "v1.2.0");
    }
    project.is_all_of("v1.2.0", "afterwards");
}
