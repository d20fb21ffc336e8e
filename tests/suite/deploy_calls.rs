//! Deployments that Python declares by itself: told, read like those of `prefect.yaml`, or ignored.

use flowreg::run::{Opened, RunRequest, Surroundings, Unobserved};
use serde_json::{Value, json};

use crate::support::{Flowreg, TestRepository};

const ETL: &str = "from prefect import flow\n\n\n@flow\ndef etl(days: int = 1):\n    ...\n\n\n\
                   if __name__ == \"__main__\":\n    etl.deploy(name=\"nightly\", work_pool_name=\"k8s\")\n";

/// A tagged repository with these files, and `flowreg.toml` with `deploy_calls` if that is given.
fn repository(mode: Option<&str>, files: &[(&str, &str)]) -> TestRepository {
    let repository = TestRepository::empty();
    for (path, text) in files {
        repository.write(path, text);
    }
    if let Some(mode) = mode {
        repository.write("flowreg.toml", format!("[flows]\ndeploy_calls = \"{mode}\"\n"));
    }
    repository.commit("add");
    repository.git(&["tag", "v1.0.0"]);
    repository
}

/// A flow file whose block for `__main__` has these lines.
fn script(lines: &str) -> String {
    let body: String = lines.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "from prefect import flow\n@flow\ndef etl(days: int = 1): ...\nif __name__ == '__main__':\n{body}"
    )
}

fn notices(run: &Value) -> Vec<&str> {
    run["notices"].as_array().unwrap().iter().map(|notice| notice.as_str().unwrap()).collect()
}

/// `flow/deployment outcome-or-action: message` of each registration, sorted.
fn outcomes(run: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let registrations = run["registrations"].as_array().unwrap().iter();
    let mut outcomes: Vec<String> = registrations
        .map(|one| {
            let name =
                format!("{}/{}", text(&one["flow"]).unwrap(), text(&one["deployment"]).unwrap());
            let outcome = text(&one["outcome"]).or(text(&one["action"])).unwrap();
            let error =
                text(&one["error"]["message"]).map_or_else(String::new, |why| format!(": {why}"));
            format!("{name} {outcome}{error}")
        })
        .collect();
    outcomes.sort();
    outcomes
}

/// The fields that a run would register, by `flow/deployment`.
fn fields(repository: &TestRepository) -> Value {
    let environment = repository.environment(&[]);
    let surroundings =
        Surroundings { environment, ..Surroundings::of_directory(repository.root()) };
    let opened = Opened::discover(surroundings, &Unobserved).unwrap();
    let request = RunRequest::default();
    let desired = opened.reference(&request.reference).unwrap().desire(&request).unwrap();
    let registrations = desired.registrations().iter().map(|one| {
        let name = format!("{}/{}", one.flow, one.deployment);
        (name, Value::Object(one.fields.clone().into_object()))
    });
    Value::Object(registrations.collect())
}

#[test]
fn what_python_deploys_is_told_beside_what_is_registered() {
    let told = repository(None, &[("flows/etl.py", ETL)]);
    let flowreg = Flowreg::in_repository(&told);
    let plan = flowreg.json(&["plan"], 0);
    assert_eq!(outcomes(&plan), ["etl/default create"]);
    assert_eq!(
        notices(&plan),
        [
            "flows/etl.py:10 deploys `etl/nightly` by itself; flowreg registers `etl/default`",
            "to register what they declare: [flows] deploy_calls = \"read\" in flowreg.toml; to hear \
             nothing of it: \"ignore\""
        ]
    );
    assert_eq!(notices(&flowreg.json(&["register"], 0)).len(), 2);
    // The second time the answer comes from the cache.
    assert_eq!(notices(&flowreg.json(&["plan"], 0)), notices(&plan));
}

#[test]
fn what_python_deploys_can_be_ignored() {
    let ignored = repository(Some("ignore"), &[("flows/etl.py", ETL)]);
    let plan = Flowreg::in_repository(&ignored).json(&["plan"], 0);
    assert_eq!((outcomes(&plan), notices(&plan)), (vec!["etl/default create".to_owned()], vec![]));
}

#[test]
fn many_calls_are_counted_and_all_of_them_are_told_to_who_asks() {
    let lines: String =
        ["a", "b", "c", "d", "e"].map(|name| format!("etl.serve('{name}')\n")).concat();
    let told = repository(None, &[("etl.py", &script(&lines))]);
    let flowreg = Flowreg::in_repository(&told);
    let run = flowreg.run(&["plan"]);
    assert_eq!(run.stderr.matches(" serves `etl/").count(), 3, "{}", run.stderr);
    assert!(run.stderr.contains("2 more calls deploy flows by themselves"), "{}", run.stderr);
    assert_eq!(flowreg.run(&["plan", "-v"]).stderr.matches(" serves `etl/").count(), 5);
}

#[test]
fn calls_are_read_like_the_deployments_of_prefect_yaml() {
    let lines = "from prefect import deploy, serve\n\
        from prefect.schedules import Cron\n\
        from datetime import timedelta\n\
        etl.deploy(name='nightly', work_pool_name='k8s', cron='0 3 * * *', tags=['a'],\n\
        \u{20}   parameters={'days': 2}, job_variables={'cpu': 2}, image='r.io/etl:1', build=False)\n\
        for region in ['eu', 'us']:\n\
        \u{20}   etl.deploy(name=f'hourly-{region}', work_pool_name=region, interval=timedelta(hours=1))\n\
        def served(name):\n\
        \u{20}   return etl.to_deployment(name, schedule=Cron('0 1 * * *', timezone='Europe/Berlin'))\n\
        serve(served('first'), served('second'))\n";
    let read = repository(Some("read"), &[("flows/etl.py", &script(lines))]);
    let plan = Flowreg::in_repository(&read).json(&["plan"], 0);
    assert_eq!(
        outcomes(&plan),
        [
            "etl/first create",
            "etl/hourly-eu create",
            "etl/hourly-us create",
            "etl/nightly create",
            "etl/second create"
        ]
    );
    assert!(notices(&plan).is_empty(), "{plan}");
    let fields = fields(&read);
    let nightly = &fields["etl/nightly"];
    let expected = json!({
        "version": "v1.0.0",
        "entrypoint": "flows/etl.py:etl",
        "work_pool_name": "k8s",
        "tags": ["a"],
        "parameters": {"days": 2},
        "job_variables": {"cpu": 2, "image": "r.io/etl:1"},
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(nightly[field], *value, "{field}");
    }
    assert_eq!(nightly["schedules"][0]["schedule"]["cron"], "0 3 * * *");
    assert_eq!(nightly["pull_steps"][0]["prefect.deployments.steps.git_clone"]["branch"], "v1.0.0");
    assert_eq!(fields["etl/hourly-us"]["work_pool_name"], "us");
    assert_eq!(fields["etl/hourly-us"]["schedules"][0]["schedule"]["interval"], 3600.0);
    assert_eq!(fields["etl/first"]["schedules"][0]["schedule"]["timezone"], "Europe/Berlin");
    assert_eq!(fields["etl/first"].get("work_pool_name"), None);
}

#[test]
fn a_script_that_deploys_the_flows_of_others_is_read() {
    let flow = "from prefect import flow\n@flow\ndef etl(): ...\n";
    let deploy = "\"\"\"Ships the flows.\"\"\"\nfrom jobs.etl import etl as job\nfrom jobs.common import ship\n\
                  if __name__ == '__main__':\n    ship(job, 'nightly')\n";
    let common = "def ship(job, name):\n    job.deploy(name=name, work_pool_name='p')\n";
    let files = [("jobs/etl.py", flow), ("deploy.py", deploy), ("jobs/common.py", common)];
    let read = repository(Some("read"), &files);
    let flowreg = Flowreg::in_repository(&read);
    assert_eq!(outcomes(&flowreg.json(&["register"], 0)), ["etl/nightly created"]);
    // A change of the file that declares the deployment concerns it on a feature branch, too.
    read.git(&["switch", "-qc", "feat"]);
    read.write("other.txt", "x");
    read.commit("other");
    assert_eq!(outcomes(&flowreg.json(&["plan"], 0)), Vec::<String>::new());
    read.write("deploy.py", deploy.replace("'nightly'", "'weekly'"));
    read.commit("weekly");
    assert_eq!(outcomes(&flowreg.json(&["plan"], 0)), ["etl/weekly@feat create"]);
}

#[test]
fn a_call_that_cannot_be_read_says_why_and_the_others_go_on() {
    for (lines, why) in [
        (
            "import os\netl.deploy(name='bad', work_pool_name=os.environ['POOL'])",
            "the call `deploy()` of `bad` can't be read: `work_pool_name` is not known: it depends \
             on the environment (`os.environ`)",
        ),
        (
            "import sys\nif 'x' in sys.argv:\n    etl.serve('bad')",
            "the call `serve()` of `bad` can't be read: it stands under a condition that is not \
             known: `sys.argv` depends on where the module runs (flows/etl.py:8)",
        ),
        (
            "etl.deploy(name='bad', image='r.io/x:1')",
            "the call `deploy()` of `bad` can't be read: it builds an image: with `build=False` \
             the image is used as it is",
        ),
        (
            "etl.serve('bad', cron='every day')",
            "the call `serve()` of `bad`: `cron` has five fields, or six with seconds",
        ),
        (
            "flow.from_source(source='.', entrypoint='flows/no.py:etl').deploy(name='bad')",
            "the call `deploy()` of `bad`: there is no flow `flows/flows/no.py:etl` or \
             `flows/no.py:etl` at COMMIT",
        ),
    ] {
        let lines = format!("etl.serve('good')\n{lines}");
        // One line before the block, so that the numbers are those of a file that people write.
        let source = format!("import logging\n{}", script(&lines));
        let read = repository(Some("read"), &[("flows/etl.py", &source)]);
        let run = Flowreg::in_repository(&read).json(&["register"], 8);
        let commit = &run["reference"]["commit"].as_str().unwrap()[..7];
        let why = why.replace("COMMIT", commit);
        let outcomes = outcomes(&run);
        assert!(outcomes.contains(&"etl/good created".to_owned()), "{outcomes:?}");
        assert!(outcomes.iter().any(|one| one.ends_with(&why)), "{why}: {outcomes:?}");
        assert_eq!(outcomes.len(), 2, "a flow that calls deploy gets no default: {outcomes:?}");
    }
}

#[test]
fn a_call_where_nothing_is_followed_is_told_and_not_read() {
    let lines = "print('hello')";
    let source =
        format!("{}def later():\n    etl.deploy(name='x', work_pool_name='p')\n", script(lines));
    let read = repository(Some("read"), &[("etl.py", &source)]);
    let plan = Flowreg::in_repository(&read).json(&["plan"], 0);
    assert_eq!(outcomes(&plan), ["etl/default create"]);
    assert_eq!(
        notices(&plan),
        ["etl.py:7 deploys `etl/x` where it is not followed whether it runs: it is not registered"]
    );
}

#[test]
fn a_deployment_that_is_declared_twice_is_refused() {
    let twice = script("etl.serve('a', cron='0 1 * * *')\netl.serve('a', cron='0 2 * * *')");
    let read = repository(Some("read"), &[("etl.py", &twice)]);
    let plan = Flowreg::in_repository(&read).json(&["plan"], 3);
    let refused = |place: &str, name: &str, lines: &str| {
        format!("etl/{name} refuse: {place}: the deployment is declared more than once: {lines}")
    };
    let lines = "etl.py:5, etl.py:6";
    assert_eq!(
        outcomes(&plan),
        [refused("etl.py:5:5", "a", lines), refused("etl.py:6:5", "a", lines)]
    );

    let manifest = "deployments:\n  - name: nightly\n    entrypoint: flows/etl.py:etl\n\
                    \u{20}   work_pool: {name: p}\n  - name: other\n    entrypoint: flows/etl.py:etl\n";
    let files = [("flows/etl.py", ETL), ("prefect.yaml", manifest)];
    let plan = Flowreg::in_repository(&repository(Some("read"), &files)).json(&["plan"], 3);
    let lines = "prefect.yaml:2, flows/etl.py:10";
    assert_eq!(
        outcomes(&plan),
        [
            refused("flows/etl.py:10:5", "nightly", lines),
            refused("prefect.yaml:2:11", "nightly", lines),
            "etl/other create".to_owned(),
        ]
    );

    // Told only, it is one deployment that both write.
    let plan = Flowreg::in_repository(&repository(None, &files)).json(&["plan"], 0);
    assert_eq!(outcomes(&plan), ["etl/nightly create", "etl/other create"]);
    assert_eq!(
        notices(&plan),
        [
            "flows/etl.py:10 deploys `etl/nightly`, which prefect.yaml:2 declares as well: both write it"
        ]
    );
}

#[test]
fn calls_are_read_beside_prefect_yaml_and_selected_by_name() {
    let manifest = "deployments:\n  - name: other\n    entrypoint: flows/etl.py:etl\n";
    let serve = "from prefect import flow\n@flow\ndef web(): ...\nif __name__ == '__main__':\n\
                 \u{20}   web.serve()\n    web.serve('b')\n";
    let files = [("flows/etl.py", ETL), ("prefect.yaml", manifest), ("web.py", serve)];
    let flowreg_in = repository(Some("read"), &files);
    let flowreg = Flowreg::in_repository(&flowreg_in);
    let plan = |arguments: &[&str]| outcomes(&flowreg.json(&[&["plan"], arguments].concat(), 0));
    assert_eq!(
        plan(&[]),
        ["etl/nightly create", "etl/other create", "web/b create", "web/web create"]
    );
    assert_eq!(plan(&["web/b"]), ["web/b create"]);
    assert_eq!(plan(&["etl"]), ["etl/nightly create", "etl/other create"]);

    let without = repository(Some("read"), &[("flows/etl.py", ETL), ("web.py", serve)]);
    let flowreg = Flowreg::in_repository(&without);
    let plan = |arguments: &[&str]| outcomes(&flowreg.json(&[&["plan"], arguments].concat(), 0));
    assert_eq!(plan(&["web/*"]), ["web/b create", "web/web create"]);
    assert_eq!(plan(&["etl"]), ["etl/nightly create"]);
}

#[test]
fn code_of_this_repository_is_ours_and_that_of_another_is_left_alone() {
    let source = |url: &str| {
        format!(
            "flow.from_source(source='{url}', entrypoint='flows/etl.py:etl').deploy(name='a')\n\
             from pathlib import Path\n\
             flow.from_source(source=Path(__file__).parent, entrypoint='etl.py:etl').deploy(name='b')\n\
             from prefect.runner.storage import GitRepository\n\
             flow.from_source(source=GitRepository('{url}', branch='dev'),\n\
             \u{20}   entrypoint='flows/etl.py:etl').deploy(name='c')\n\
             flow.from_source(source='https://x:s3cret@git.example.com/other.git',\n\
             \u{20}   entrypoint='a.py:b').deploy(name='d')"
        )
    };
    let url = "https://git.example.com/acme/flows.git";
    let read = TestRepository::empty();
    read.write("flows/etl.py", script(&source(url)));
    read.write(
        "flowreg.toml",
        format!("[repository]\nurl = \"{url}\"\n[flows]\ndeploy_calls = \"read\"\n"),
    );
    read.commit("add");
    read.git(&["tag", "v1.0.0"]);
    let plan = Flowreg::in_repository(&read).json(&["plan"], 0);
    assert_eq!(outcomes(&plan), ["etl/a create", "etl/b create", "etl/c create"]);
    assert_eq!(
        notices(&plan),
        [
            "flows/etl.py:10: `etl/c`: the call names `dev` of this repository: what is registered \
             runs at the code reference instead"
                .replace(":10: ", ":9:5: ")
                .as_str(),
            "flows/etl.py:11 deploys a flow of https://git.example.com/other.git: it is left to Python",
        ]
    );
}

#[test]
fn a_version_that_is_not_known_is_that_of_the_reference() {
    let lines = "import os\netl.serve('a', version=os.environ['SHA'])";
    let read = repository(Some("read"), &[("etl.py", &script(lines))]);
    let flowreg = Flowreg::in_repository(&read);
    let run = flowreg.json(&["register"], 0);
    assert_eq!((outcomes(&run), notices(&run)), (vec!["etl/a created".to_owned()], vec![]));
    assert_eq!(fields(&read)["etl/a"]["version"], "v1.0.0");
    read.git(&["switch", "-qc", "feat"]);
    let plan = flowreg.json(&["plan", "--all"], 0);
    assert_eq!(outcomes(&plan), ["etl/a@feat create"]);
    assert_eq!(
        notices(&plan),
        ["etl.py:6:5: `etl/a`: the version that the call gives is not known: the name of the \
             branch is registered as its version"]
    );
    assert_eq!(fields(&read)["etl/a@feat"]["version"], "feat");
}

#[test]
fn a_deployment_that_nothing_deploys_is_told_and_not_read() {
    let lines = "etl.to_deployment('a')";
    let read = repository(Some("read"), &[("etl.py", &script(lines))]);
    let plan = Flowreg::in_repository(&read).json(&["plan"], 0);
    assert_eq!(outcomes(&plan), ["etl/default create"]);
    assert_eq!(
        notices(&plan),
        ["etl.py:5 declares `etl/a` and nothing that is followed deploys it: it is not registered"]
    );
}

#[test]
fn guests_of_read_calls_have_names_of_their_own_and_no_schedules() {
    let lines = "etl.serve('a', cron='0 1 * * *')";
    let read = repository(Some("read"), &[("etl.py", &script(lines))]);
    read.git(&["switch", "-qc", "feat"]);
    let fields = fields(&read);
    assert_eq!(fields["etl/a@feat"]["schedules"][0]["active"], false);
    assert_eq!(fields["etl/a@feat"]["schedules"][0]["schedule"]["cron"], "0 1 * * *");
}
