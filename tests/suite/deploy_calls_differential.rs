//! Calls that deploy flows against the real Prefect 3.8.8: what is read of a call has to be what the
//! client makes of it, and of a call that it refuses nothing is read.
//!
//! Needs the real Prefect (`scripts/test.sh`). `FLOWREG_DIFFERENTIAL_SEED` repeats a run,
//! `FLOWREG_DIFFERENTIAL_CALLS` makes it longer.

#![expect(clippy::print_stdout, reason = "the figures are for people")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use flowreg::run::{Opened, RunRequest, Surroundings, Unobserved};
use flowreg_git::Untagged;
use flowreg_model::json_equal;
use serde_json::{Map, Value, json};

use crate::support::TestRepository;
use crate::support::prefect::programs;
use crate::support::random_flows::Random;

/// Random calls of a run, if nobody wants another number.
const CALLS: usize = 240;
/// Of a hundred calls that Prefect takes, so many may be declined; measured: 27.
const DECLINED_CEILING: usize = 36;

const HEAD: &str = "import asyncio
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from prefect import deploy, flow, serve
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule, RRuleSchedule
from prefect.deployments.runner import EntrypointType
from prefect.docker import DockerImage
from prefect.schedules import Cron, Interval, RRule, Schedule

NAME = 'nightly'
TAGS = ['t', 'u']
PARAMETERS = {'days': 3, 'more': [1, {'a': None}]}

@flow
def FLOW(days: int = 1, more: list = [], when: str = ''):
    \"\"\"Loads.\"\"\"

";

/// Arguments that any of the methods takes, and what may be written for them; some are refused.
const ARGUMENTS: &[(&str, &[&str])] = &[
    (
        "cron",
        &["'0 3 * * *'", "['0 1 * * *', '0 2 * * 1']", "('5 4 * * *',)", "'0 3 * *'", "[]", "None"],
    ),
    (
        "interval",
        &[
            "60",
            "90.5",
            "timedelta(hours=2)",
            "timedelta(days=1, seconds=3)",
            "[60, timedelta(minutes=5)]",
            "0",
            "'60'",
            "True",
        ],
    ),
    ("rrule", &["'FREQ=DAILY'", "['FREQ=WEEKLY;BYDAY=MO', 'FREQ=HOURLY;INTERVAL=2']", "''"]),
    (
        "schedule",
        &[
            "Cron('0 1 * * *')",
            "Cron('0 1 * * *', 'Europe/Berlin', False)",
            "Cron(cron='0 1 * * *')",
            "Interval(60)",
            "Interval(60, None, 'Europe/Berlin')",
            "Interval(timedelta(hours=1), anchor_date=datetime(2024, 1, 1, 5), timezone='Europe/Berlin', slug='s')",
            "Interval(interval=60)",
            "RRule('FREQ=DAILY', timezone='Europe/Berlin', active=False)",
            "Schedule(cron='0 1 * * *', parameters={'days': 3})",
            "Schedule(interval=timedelta(hours=3), anchor_date=datetime(2024, 1, 1, tzinfo=timezone.utc))",
            "Schedule(interval=60)",
            "Schedule()",
            "CronSchedule(cron='0 1 * * *', timezone='Europe/Berlin', day_or=False)",
            "IntervalSchedule(interval=timedelta(minutes=5), anchor_date=datetime(2024, 1, 1, tzinfo=timezone.utc))",
            "IntervalSchedule(interval=60, timezone='Europe/Berlin')",
            "RRuleSchedule(rrule='FREQ=DAILY')",
            "'0 1 * * *'",
            "None",
        ],
    ),
    (
        "schedules",
        &[
            "[Cron('0 1 * * *', slug='a'), Interval(60, slug='b')]",
            "[]",
            "[CronSchedule(cron='0 1 * * *')]",
            "[{'schedule': CronSchedule(cron='0 1 * * *'), 'active': False}]",
            "[{'schedule': Cron('0 1 * * *', active=False), 'active': True}]",
            "[{'schedule': Cron('0 1 * * *'), 'slug': 'x'}]",
            "(RRule('FREQ=DAILY', parameters={'days': 9}),)",
            "[{'cron': '0 1 * * *'}]",
            "[DeploymentScheduleCreate(schedule=CronSchedule(cron='0 1 * * *'), active=False, parameters={'days': 4}, slug='z')]",
            "[DeploymentScheduleCreate(schedule=Cron('0 1 * * *'))]",
            "Cron('0 1 * * *')",
            "None",
        ],
    ),
    (
        "parameters",
        &[
            "{'days': 2}",
            "PARAMETERS",
            "{'more': [1, 2.5, None, True, 'a', {'z': (1, 2)}]}",
            "{}",
            "None",
            "{'when': date(2024, 1, 1)}",
            "{'days': 1 + 2}",
            "dict(days=4)",
            "{**PARAMETERS, 'days': 5}",
            "{1: 2}",
            "[1]",
            "{'when': str(Path('a') / 'b')}",
        ],
    ),
    (
        "tags",
        &[
            "['a', 'b']",
            "('a',)",
            "['', ' ', 'c']",
            "[]",
            "TAGS",
            "['a'] + TAGS",
            "'abc'",
            "[1, 'a']",
            "None",
            "[f'{NAME}-{n}' for n in (1, 2)]",
        ],
    ),
    ("description", &["'text'", "''", "None", "f'for {NAME}'", "1"]),
    ("version", &["'1.2'", "''", "None", "NAME", "2"]),
    ("paused", &["True", "False", "None", "1"]),
    ("enforce_parameter_schema", &["True", "False", "None"]),
    ("triggers", &["[]", "None"]),
    ("entrypoint_type", &["EntrypointType.FILE_PATH", "EntrypointType.MODULE_PATH"]),
];

/// How many of them say when to run.
const RULES: usize = 5;

const LIMITS: &[&str] = &[
    "3",
    "None",
    "'2'",
    "ConcurrencyLimitConfig(limit=2)",
    "ConcurrencyLimitConfig(limit=2, collision_strategy='CANCEL_NEW')",
    "ConcurrencyLimitConfig(limit=2, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE, grace_period_seconds=120)",
    "ConcurrencyLimitConfig(limit=2, grace_period_seconds=5)",
    "ConcurrencyLimitConfig(limit=2, collision_strategy='NEVER')",
];

const OF_POOLS: &[(&str, &[&str])] = &[
    (
        "job_variables",
        &["{'cpu': 2}", "{'env': {'A': 'b'}, 'image': 'x'}", "{}", "None", "dict(cpu=NAME)"],
    ),
    ("work_queue_name", &["'q'", "None", "NAME"]),
    ("version_type", &["None"]),
];

const NAMES: &[&str] = &[
    "'n'",
    "'daily'",
    "'weekly'",
    "NAME",
    "NAME + '2'",
    "f'{NAME}-x'",
    "'with blank'",
    "'flows/job.py'",
    "'a/b'",
    "'job.py'",
    "NAME.upper()",
    "None",
    "'@x'",
];

const IMAGES: &[&str] = &[
    "'r.io/x:1'",
    "'r.io/team/x:1.2'",
    "DockerImage(name='r.io/x', tag='2')",
    "DockerImage('r.io/x:3')",
    "DockerImage('r.io/x:3', tag='4')",
    "'localhost:5000/x:9'",
    "'org/x:1'",
    "'registry.example.com/data/etl:v1.2.3'",
    "f'r.io/{NAME}:1'",
    "'x:1'",
    "'r.io/x'",
    "'r.io/x@sha256:abc'",
];

/// Where a call may stand.
const PLACES: &[&str] = &[
    "CALL",
    "CALL",
    "for _ in [0]:\n    CALL",
    "def ship(job):\n    FLOW = job\n    CALL\nship(FLOW)",
    "try:\n    CALL\nfinally:\n    print('x')",
    "if NAME == 'nightly' and TAGS:\n    CALL\nelse:\n    FLOW.serve('other')",
    "with open(__file__):\n    CALL",
];

/// What becomes of what `to_deployment()` gives.
const CONSUMERS: &[&str] = &[
    "serve(CALL)",
    "serve(CALL, limit=2)",
    "deploy(CALL, work_pool_name='k', image='r.io/y:2', build=False)",
    "CALL.apply(work_pool_name='k', image='r.io/z:1')",
    "d = CALL\nserve(d)",
    "ds = [CALL]\ndeploy(*ds, work_pool_name='k', image=DockerImage('r.io/y:2'), build=False, push=False)",
];

/// One call: how it is written.
fn call(random: &mut Random) -> String {
    let method = random.pick(&["deploy", "serve", "to_deployment"]);
    let mut arguments: Vec<String> = Vec::new();
    let name = random.pick(NAMES);
    match (method, random.below(3)) {
        ("serve", 0) => {}
        (_, 1) => arguments.push(name.to_owned()),
        _ => arguments.push(format!("name={name}")),
    }
    let mut add = |name: &str, value: &str| arguments.push(format!("{name}={value}"));
    // Prefect takes one of the five that say when to run.
    let (rules, others) = ARGUMENTS.split_at(RULES);
    for _ in 0..random.pick(&[0, 1, 1, 1, 1, 1, 2]) {
        let (name, values) = random.pick(rules);
        add(name, random.pick(values));
    }
    for (name, values) in others {
        if random.below(5) == 0 {
            add(name, random.pick(values));
        }
    }
    if random.below(5) == 0 {
        let name = if method == "serve" { "global_limit" } else { "concurrency_limit" };
        add(name, random.pick(LIMITS));
    }
    if method != "serve" {
        for (name, values) in OF_POOLS {
            if random.below(4) == 0 {
                add(name, random.pick(values));
            }
        }
    }
    if method == "deploy" {
        add("work_pool_name", "'p'");
        add("image", random.pick(IMAGES));
        add("build", "False");
        if random.below(4) == 0 {
            add("print_next_steps", "False");
        }
    }
    if method == "to_deployment" && random.below(3) == 0 {
        add("work_pool_name", "'own'");
    }
    if random.below(25) == 0 {
        add(random.pick(&["is_schedule_active", "timezone", "anchor_date"]), "True");
    }
    format!("FLOW.{method}({})", arguments.join(", "))
}

/// The lines of a block for `__main__`.
fn block(random: &mut Random) -> String {
    let call = call(random);
    if call.starts_with("FLOW.deploy(") && random.below(6) == 0 {
        let call = call.replacen("deploy", "adeploy", 1);
        return format!("async def main():\n    await {call}\nasyncio.run(main())");
    }
    if call.starts_with("FLOW.to_deployment(") {
        return random.pick(CONSUMERS).replace("CALL", &call);
    }
    random.pick(PLACES).replace("CALL", &call)
}

/// Blocks that people write.
const WRITTEN: &[&str] = &[
    "for name, cron in [('a', '0 1 * * *'), ('b', '0 2 * * *')]:\n    FLOW.deploy(name=name, cron=cron, work_pool_name='p', image='r.io/x:1', build=False)",
    "for name, options in {'a': {'days': 1}, 'b': {'days': 2}}.items():\n    FLOW.serve(f'{name}-daily', parameters=options, tags=[name])",
    "serve(*[FLOW.to_deployment(f'part-{n}', parameters={'days': n}) for n in [1, 2, 3]])",
    "flow.from_source(source=str(Path(__file__).parent), entrypoint='FLOW.py:FLOW').deploy('local', 'p')",
    "FLOW.from_source(source=Path(__file__).resolve().parent.parent, entrypoint='flows/FLOW.py:FLOW').to_deployment('root').apply(work_pool_name='p')",
    "flow.from_source('.', 'flows/FLOW.py:FLOW').deploy(name='cwd', work_pool_name='p', job_variables={'a': 1})",
    "def options(n):\n    if n > 1:\n        return {'cron': f'{n} * * * *'}\n    return {'interval': 60}\nFLOW.serve('one', **options(1))\nFLOW.serve('two', **options(2))",
    "COMMON = dict(work_pool_name='p', image='r.io/x:1', build=False)\nFLOW.deploy('a', **COMMON)\nFLOW.deploy('b', tags=['x'], **COMMON)",
    "DS = []\nDS.append(FLOW.to_deployment('a'))\nserve(*DS)",
    "names = ['a', 'b']\nnames.append('c')\nfor name in names:\n    FLOW.serve(name)",
    "if len(TAGS) > 5:\n    FLOW.serve('many')\nelse:\n    FLOW.serve('few')",
    "other = FLOW.with_options(name='other')\nother.serve('a')",
    "try:\n    raise ValueError\nexcept ValueError:\n    FLOW.serve('handled')",
    "flag = [] or TAGS\nflag and FLOW.serve('short')\nNAME == 'x' and FLOW.serve('never')",
    "FLOW.serve('a' if NAME else 'b')",
    "while True:\n    FLOW.serve('once')\n    break",
    "for n in [1, 2, 3]:\n    if n == 2:\n        continue\n    FLOW.serve(f'x{n}')",
    "PARAMETERS['days'] = 9\nFLOW.serve('changed', parameters=PARAMETERS)",
];

/// Blocks of which it is hard to say what runs in them, and with what.
const CORNERS: &[&str] = &[
    "def f():\n    return\n    FLOW.serve('x')\nf()",
    "def g():\n    yield FLOW.serve('x')\ng()",
    "def run(f):\n    f()\n    return f\n@run\ndef go():\n    FLOW.serve('x')",
    "class C:\n    FLOW.serve('in-class')",
    "try:\n    int('x')\n    FLOW.serve('no')\nexcept ValueError:\n    FLOW.serve('yes')",
    "try:\n    {}['x']\n    FLOW.serve('no')\nexcept KeyError:\n    FLOW.serve('yes')",
    "import contextlib\nwith contextlib.suppress(ValueError):\n    int('x')\n    FLOW.serve('no')",
    "try:\n    FLOW.serve('first')\n    int('x')\n    FLOW.serve('second')\nexcept ValueError:\n    pass",
    "n = 0\nwhile n < 2:\n    FLOW.serve(f'x{n}')\n    n += 1\nFLOW.serve(f'after-{n}')",
    "import os, sys\ndef guard():\n    if not os.environ.get('NEVER'):\n        raise SystemExit\nguard()\nFLOW.serve('x')",
    "import os, sys\ndef guard():\n    for name in os.environ:\n        sys.exit()\nguard()\nFLOW.serve('x')",
    "import os, sys\nfor name in os.environ:\n    sys.exit()\nFLOW.serve('x')",
    "import os, sys\nwhile os.environ:\n    sys.exit(0)\nFLOW.serve('x')",
    "import os, sys\nmatch 1:\n    case 1:\n        sys.exit(0)\nFLOW.serve('x')",
    "import os\nif not os.environ.get('NEVER'):\n    quit()\nFLOW.serve('x')",
    "import os\nos.environ.get('NEVER') and FLOW.serve('x')",
    "import os\nFLOW.serve('a') if os.environ.get('NEVER') else FLOW.serve('b')",
    "C = {'p': PARAMETERS}\nC['p']['days'] = 5\nFLOW.serve('x', parameters=PARAMETERS)",
    "PARAMETERS['more'].append(7)\nFLOW.serve('x', parameters=PARAMETERS)",
    "for p in [PARAMETERS]:\n    p['days'] = 5\nFLOW.serve('x', parameters=PARAMETERS)",
    "def change(p=PARAMETERS):\n    p['days'] = 5\nchange()\nFLOW.serve('x', parameters=PARAMETERS)",
    "class C:\n    p = PARAMETERS\nC.p['days'] = 7\nFLOW.serve('x', parameters=PARAMETERS)",
    "[p.update(days=8) for p in [PARAMETERS]]\nFLOW.serve('x', parameters=PARAMETERS)",
    "P = dict(PARAMETERS)\nP['more'].append(7)\nFLOW.serve('x', parameters=PARAMETERS)",
    "P = PARAMETERS.copy()\nP['days'] = 7\nFLOW.serve('x', parameters=PARAMETERS)",
    "first, second = PARAMETERS, TAGS\nsecond.append('z')\nFLOW.serve('x', tags=TAGS)",
    "TAGS += ['z']\nFLOW.serve('x', tags=TAGS)",
    "TAGS = TAGS + ['z']\nFLOW.serve('x', tags=TAGS)",
    "tags = TAGS\ntags.sort(reverse=True)\nFLOW.serve('x', tags=TAGS)",
    "def f(n):\n    if n == 0:\n        return\n    FLOW.serve(f'x{n}')\n    f(n - 1)\nf(2)",
    "for n in [1, 0]:\n    1 / n\n    FLOW.serve(f'x{n}')",
    "FLOW.adeploy('never', work_pool_name='p', image='r.io/x:1', build=False)",
    "async def main():\n    FLOW.adeploy('never', work_pool_name='p', image='r.io/x:1', build=False)\nasyncio.run(main())",
    "async def main():\n    await FLOW.adeploy('now', work_pool_name='p', image='r.io/x:1', build=False)\nmain()",
    "asyncio.run(FLOW.adeploy('now', work_pool_name='p', image='r.io/x:1', build=False))",
    "async def main():\n    d = await FLOW.ato_deployment('a')\n    await d.aapply(work_pool_name='p')\nasyncio.run(main())",
    "lambda: FLOW.serve('x')",
    "f = lambda name: FLOW.serve(name)\nf('called')",
    "import functools\nship = functools.partial(FLOW.serve, tags=['p'])\nship('partial')",
    "import threading\nthreading.Thread(target=lambda: FLOW.serve('x')).start()",
    "names = ('a', 'b')\nlist(map(FLOW.serve, names))",
    "any(FLOW.serve(n) for n in 'ab')",
    "{FLOW.serve(n) for n in ('a', 'b')}",
    "for n in ('a', 'b'):\n    name = n\nFLOW.serve(name)",
    "for n in ():\n    FLOW.serve('x')\nelse:\n    FLOW.serve('else')",
    "name = 'a'\ndef rename():\n    global name\n    name = 'b'\nrename()\nFLOW.serve(name)",
    "options = {'tags': ['a']}\noptions.update(tags=['b'])\nFLOW.serve('x', **options)",
    "FLOW.name = 'renamed'\nFLOW.serve('x')",
    "import sys\nsys.argv.append('x')\nif len(sys.argv) > 1:\n    FLOW.serve('x')",
    "import random\nif random.random() > 2:\n    FLOW.serve('x')\nFLOW.serve('y')",
    "if __file__.startswith('/nowhere'):\n    FLOW.serve('x')\nFLOW.serve(Path(__file__).stem)",
    "assert TAGS\nFLOW.serve('x')\nraise ValueError('late')",
    "del TAGS\nFLOW.serve('x')",
    "exec(\"NAME = 'other'\")\nFLOW.serve(NAME)",
    "globals()['NAME'] = 'other'\nFLOW.serve(NAME)",
    "serve = print\nserve(FLOW.to_deployment('x'))",
    "d = FLOW.to_deployment('x')\nd.tags = ['changed']\nserve(d)",
    "d = FLOW.to_deployment('x')\nd.name = 'y'\nd.apply(work_pool_name='p')",
    "d = FLOW.to_deployment('x', tags=['a'])\nd.tags.append('b')\nserve(d)",
    "FLOW.serve('x', tags=TAGS)\nTAGS.append('late')",
    "d = FLOW.to_deployment('x')\nprint(d.name)\nserve(d)",
    "def tag(d):\n    d.tags.append('b')\n    return d\nserve(tag(FLOW.to_deployment('x')))",
    "s = CronSchedule(cron='0 1 * * *')\ns.cron = '0 2 * * *'\nFLOW.serve('x', schedule=s)",
    "ds = [FLOW.to_deployment('x')]\nfor d in ds:\n    d.tags = ['late']\nserve(*ds)",
    "ds = {'a': FLOW.to_deployment('x')}\nserve(ds['a'])",
    "ds = {'a': FLOW.to_deployment('x')}\nds['a'].paused = True\nserve(*ds.values())",
    "FLOW.fn.__name__ = 'z'\nFLOW.serve('x')",
    "setattr(FLOW, 'name', 'z')\nFLOW.serve('x')",
    "limit = ConcurrencyLimitConfig(limit=1)\nlimit.limit = 4\nFLOW.serve('x', global_limit=limit)",
    "o = FLOW\no.serve('x')\no = None",
    "while True:\n    pass\n    break\nFLOW.serve('x')",
];

/// What the real Prefect makes of each file of a directory.
fn real(directory: &Path) -> BTreeMap<String, Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/support/deploy_calls.py");
    let home = tempfile::tempdir().unwrap();
    let answers = home.path().join("answers");
    let status = Command::new(programs().join("python"))
        .arg(script)
        .arg(directory)
        .arg(&answers)
        .env_clear()
        .env("HOME", home.path())
        .env("TMPDIR", home.path())
        .env("PREFECT_HOME", home.path())
        .env("PREFECT_LOGGING_LEVEL", "CRITICAL")
        .env("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
        .env("DO_NOT_TRACK", "1")
        .stdin(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    let text = std::fs::read_to_string(answers).unwrap();
    let answers = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    answers.map(|answer| (answer["file"].as_str().unwrap().to_owned(), answer)).collect()
}

/// What flowreg reads, by flow and deployment.
fn read(repository: &TestRepository) -> BTreeMap<(String, String), Map<String, Value>> {
    let environment = repository.environment(&[]);
    let surroundings =
        Surroundings { environment, ..Surroundings::of_directory(repository.root()) };
    let opened = Opened::discover(surroundings, &Unobserved).unwrap();
    let mut request = RunRequest::default();
    // A branch that is not pinned keeps the version that a call gives.
    request.reference.untagged = Some(Untagged::Branch);
    let desired = opened.reference(&request.reference).unwrap().desire(&request).unwrap();
    let registrations = desired.registrations().iter().map(|one| {
        let names = (one.flow.to_string(), one.deployment.to_string());
        (names, one.fields.clone().into_object())
    });
    registrations.collect()
}

/// Without when a rule starts: the client puts in the moment of the call.
fn rule(schedule: &Value) -> Value {
    let mut schedule = schedule.clone();
    if let Some(rrule) = schedule["rrule"].as_str() {
        let line = rrule.lines().find(|line| line.contains("FREQ=")).unwrap_or(rrule);
        schedule["rrule"] = json!(line.trim_start_matches("RRULE:"));
    }
    schedule
}

/// Where what flowreg reads differs from what the client registers.
fn differences(ours: &Map<String, Value>, theirs: &Value) -> Vec<String> {
    let mut theirs = theirs.clone();
    if let Some(options) = theirs["concurrency_options"].as_object_mut() {
        options.retain(|_, value| !value.is_null());
    }
    let defaults = json!({
        "tags": [], "parameters": {}, "job_variables": {}, "paused": false,
        "enforce_parameter_schema": true, "schedules": [],
    });
    let mut found = Vec::new();
    let mut differ = |what: &str, ours: &Value, theirs: &Value| {
        if !json_equal(ours, theirs) {
            found.push(format!("{what}: {ours} for {theirs}"));
        }
    };
    for field in [
        "tags",
        "parameters",
        "job_variables",
        "paused",
        "enforce_parameter_schema",
        "description",
        "work_pool_name",
        "work_queue_name",
        "concurrency_limit",
        "concurrency_options",
    ] {
        let ours = ours.get(field).unwrap_or(&defaults[field]);
        differ(field, ours, &theirs[field]);
    }
    if !theirs["entrypoint"].is_null() {
        differ("entrypoint", &ours["entrypoint"], &theirs["entrypoint"]);
    }
    // Without a version the client makes a check sum of the file, and flowreg names the reference.
    if ours["version"] != "main" {
        differ("version", &ours["version"], &theirs["version"]);
    }
    let none = Vec::new();
    let (left, right) =
        (ours["schedules"].as_array().unwrap_or(&none), theirs["schedules"].as_array().unwrap());
    differ("number of schedules", &json!(left.len()), &json!(right.len()));
    for (ours, theirs) in left.iter().zip(right) {
        let (mut rule_of_ours, mut rule_of_theirs) =
            (rule(&ours["schedule"]), rule(&theirs["schedule"]));
        if rule_of_ours.get("interval").is_some() {
            // Without an anchor the client takes the moment of the call.
            match rule_of_ours.get("anchor_date").and_then(Value::as_str) {
                None => drop(rule_of_theirs.as_object_mut().unwrap().shift_remove("anchor_date")),
                Some(anchor) => rule_of_ours["anchor_date"] = json!(anchor.replace('Z', "+00:00")),
            }
        }
        differ("schedule", &rule_of_ours, &rule_of_theirs);
        for (field, usual) in
            [("active", json!(true)), ("parameters", json!({})), ("slug", Value::Null)]
        {
            differ(field, ours.get(field).unwrap_or(&usual), &theirs[field]);
        }
    }
    found
}

fn compare(blocks: &[String], declined_ceiling: usize) {
    let repository = TestRepository::empty();
    for (number, block) in blocks.iter().enumerate() {
        let name = format!("c{number}");
        let block: String = block.lines().map(|line| format!("    {line}\n")).collect();
        let source = format!("{HEAD}if __name__ == '__main__':\n{block}").replace("FLOW", &name);
        repository.write(&format!("flows/{name}.py"), &source);
    }
    repository.write("flowreg.toml", "[flows]\ndeploy_calls = \"read\"\n");
    repository.commit("calls");
    let theirs = real(repository.root());
    let ours = read(&repository);
    let (mut same, mut declined, mut refused, mut wrong) = (0, 0, 0, Vec::new());
    for (number, block) in blocks.iter().enumerate() {
        let flow = format!("c{number}");
        let answer = &theirs[&format!("flows/{flow}.py")];
        let registered = answer["deployments"].as_array().unwrap();
        let is_theirs = |name: &str| registered.iter().any(|one| one["name"] == name);
        let claimed = ours.iter().filter(|((of, _), _)| *of == flow);
        for (_, name) in claimed.map(|(names, _)| names).filter(|(_, name)| !is_theirs(name)) {
            // A file whose calls are only told has the deployment that every flow has.
            if name != "default" {
                wrong.push(format!("{block}\n  {name} is read: {}", answer["error"]));
            }
        }
        refused += usize::from(!answer["error"].is_null());
        for deployment in registered {
            let (flow, name) =
                (deployment["flow"].as_str().unwrap(), deployment["name"].as_str().unwrap());
            match ours.get(&(flow.to_owned(), name.to_owned())) {
                None => {
                    declined += 1;
                    if std::env::var_os("FLOWREG_DIFFERENTIAL_KEEP").is_some() {
                        println!("declined: {block}");
                    }
                }
                Some(ours) => match &differences(ours, deployment)[..] {
                    [] => same += 1,
                    differences => wrong.push(format!("{block}\n  {}", differences.join("\n  "))),
                },
            }
        }
    }
    println!(
        "{same} the same, {declined} declined, {refused} refused by Prefect, {} wrong",
        wrong.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(
        declined * 100 <= (same + declined) * declined_ceiling,
        "{declined} of {}",
        same + declined
    );
    assert!(same > 0);
}

#[test]
fn what_is_read_of_calls_that_people_write_is_what_prefect_registers() {
    let blocks: Vec<String> = WRITTEN.iter().map(|block| (*block).to_owned()).collect();
    // The last of them are there to be declined.
    compare(&blocks, 34);
}

#[test]
fn what_is_read_of_corners_is_what_runs() {
    let blocks: Vec<String> = CORNERS.iter().map(|block| (*block).to_owned()).collect();
    compare(&blocks, 100);
}

#[test]
fn what_is_read_of_random_calls_is_what_prefect_registers() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seed = number("FLOWREG_DIFFERENTIAL_SEED").unwrap_or(11);
    let calls =
        number("FLOWREG_DIFFERENTIAL_CALLS").map_or(CALLS, |calls| usize::try_from(calls).unwrap());
    let mut random = Random::new(seed);
    let blocks: Vec<String> = (0..calls).map(|_| block(&mut random)).collect();
    println!("seed {seed}");
    compare(&blocks, DECLINED_CEILING);
}
