//! Calls that deploy flows: which are read, which are only told, and why.

use flowreg_model::{CallArguments, DeployCall, DeployedCode};
use flowreg_python::analyse;

/// Every script starts with these two lines.
const HEAD: &str = "from prefect import flow\n@flow\ndef etl(days: int = 1): ...\n";

fn shown(call: &DeployCall) -> String {
    let name = |name: &Option<String>| name.clone().unwrap_or_else(|| "?".to_owned());
    let code = match &call.code {
        DeployedCode::Here(entrypoint) => entrypoint.to_string(),
        DeployedCode::Directory(directory, entrypoint) => {
            format!("{} {entrypoint}", directory.as_deref().unwrap_or("cwd"))
        }
        DeployedCode::Repository { url, reference, entrypoint } => {
            format!("{url} {} {entrypoint}", reference.as_deref().unwrap_or("-"))
        }
        DeployedCode::Unknown => "?".to_owned(),
    };
    let declared = match &call.declared {
        CallArguments::Known(map) => serde_json::to_string(map).unwrap(),
        CallArguments::Unreadable(why) => {
            let place = why.place.as_ref().map_or_else(String::new, |at| format!(" ({at})"));
            format!("! {}{place}", why.reason)
        }
        CallArguments::NotFollowed => "-".to_owned(),
        CallArguments::OnlyMade => "only made".to_owned(),
    };
    format!(
        "{}:{} {} {}/{} [{code}] {declared}",
        call.line,
        call.column,
        call.method.name(),
        name(&call.flow),
        name(&call.deployment)
    )
}

fn calls(source: &str) -> Vec<String> {
    let analysis = analyse("flows/etl.py", source.as_bytes());
    analysis.deploy_calls.iter().map(shown).collect()
}

/// What is said of a script whose block for `__main__` has these lines.
fn main(lines: &str) -> String {
    let body: String = lines.lines().map(|line| format!("    {line}\n")).collect();
    calls(&format!("{HEAD}if __name__ == '__main__':\n{body}")).join("\n")
}

#[test]
fn calls_that_certainly_run_with_known_arguments_are_read() {
    for (lines, told) in [
        (
            "etl.deploy(name='nightly', work_pool_name='p')",
            r#"5:5 deploy etl/nightly [flows/etl.py:etl] {"name":"nightly","work_pool":{"name":"p"}}"#,
        ),
        (
            "etl.deploy('nightly', 'p')",
            r#"5:5 deploy etl/nightly [flows/etl.py:etl] {"name":"nightly","work_pool":{"name":"p"}}"#,
        ),
        ("etl.serve()", "5:5 serve etl/etl [flows/etl.py:etl] {}"),
        (
            "etl.serve('a', cron='0 3 * * *', limit=4)",
            r#"5:5 serve etl/a [flows/etl.py:etl] {"name":"a","schedules":[{"cron":"0 3 * * *"}]}"#,
        ),
        (
            "from prefect import serve\nserve(etl.to_deployment('a'), etl.to_deployment('b', tags=['x']))",
            "6:11 to_deployment etl/a [flows/etl.py:etl] {\"name\":\"a\"}\n6:35 to_deployment etl/b [flows/etl.py:etl] {\"name\":\"b\",\"tags\":[\"x\"]}",
        ),
        (
            "from prefect import deploy\ndeploy(etl.to_deployment('a'), work_pool_name='k8s', image='r.io/x:1', build=False)",
            r#"6:12 to_deployment etl/a [flows/etl.py:etl] {"name":"a","work_pool":{"name":"k8s","job_variables":{"image":"r.io/x:1"}}}"#,
        ),
        (
            "etl.to_deployment('a').apply(work_pool_name='p')",
            r#"5:5 to_deployment etl/a [flows/etl.py:etl] {"name":"a","work_pool":{"name":"p"}}"#,
        ),
        (
            "for name, cron in [('a', '0 1 * * *'), ('b', '0 2 * * *')]:\n    etl.deploy(name=f'{name}-x', cron=cron, work_pool_name='p')",
            "6:9 deploy etl/a-x [flows/etl.py:etl] {\"name\":\"a-x\",\"schedules\":[{\"cron\":\"0 1 * * *\"}],\"work_pool\":{\"name\":\"p\"}}\n6:9 deploy etl/b-x [flows/etl.py:etl] {\"name\":\"b-x\",\"schedules\":[{\"cron\":\"0 2 * * *\"}],\"work_pool\":{\"name\":\"p\"}}",
        ),
        (
            "POOL = 'p'\nTAGS = ['a', 'b']\nP = {'days': 2, 'x': [1, None, 2.5]}\netl.deploy(name='a', work_pool_name=POOL, tags=TAGS, parameters=P, paused=True)",
            r#"8:5 deploy etl/a [flows/etl.py:etl] {"name":"a","tags":["a","b"],"paused":true,"parameters":{"days":2,"x":[1,null,2.5]},"work_pool":{"name":"p"}}"#,
        ),
        (
            "TAGS = ['a']\nTAGS.append('b')\netl.deploy(name='a', tags=TAGS)",
            r#"7:5 deploy etl/a [flows/etl.py:etl] {"name":"a","tags":["a","b"]}"#,
        ),
        (
            "from prefect.schedules import Cron, Interval, RRule\nfrom datetime import timedelta, datetime\netl.serve('a', schedules=[Cron('0 1 * * *', timezone='Europe/Berlin', parameters={'days': 3}, slug='x'), Interval(timedelta(hours=1), anchor_date=datetime(2024,1,1)), RRule('FREQ=DAILY', active=False)])",
            r#"7:5 serve etl/a [flows/etl.py:etl] {"name":"a","schedules":[{"cron":"0 1 * * *","timezone":"Europe/Berlin","parameters":{"days":3},"slug":"x"},{"interval":3600.0,"anchor_date":"2024-01-01T00:00:00"},{"rrule":"FREQ=DAILY","active":false}]}"#,
        ),
        (
            "etl.serve('a', interval=[60, 90.5])",
            r#"5:5 serve etl/a [flows/etl.py:etl] {"name":"a","schedules":[{"interval":60},{"interval":90.5}]}"#,
        ),
        (
            "flow.from_source(source='https://github.com/acme/x.git', entrypoint='flows/etl.py:etl').deploy(name='a', work_pool_name='p')",
            r#"5:5 deploy ?/a [https://github.com/acme/x.git - flows/etl.py:etl] {"name":"a","work_pool":{"name":"p"}}"#,
        ),
        (
            "from pathlib import Path\nflow.from_source(source=str(Path(__file__).parent), entrypoint='etl.py:etl').deploy(name='a', work_pool_name='p')",
            r#"6:5 deploy ?/a [flows etl.py:etl] {"name":"a","work_pool":{"name":"p"}}"#,
        ),
        (
            "from pathlib import Path\netl.from_source(source=Path(__file__).resolve().parent.parent, entrypoint='flows/etl.py:etl').deploy(name='a', work_pool_name='p')",
            r#"6:5 deploy ?/a [ flows/etl.py:etl] {"name":"a","work_pool":{"name":"p"}}"#,
        ),
        (
            "etl.from_source(source='.', entrypoint='./flows/etl.py:etl').serve('a')",
            r#"5:5 serve ?/a [cwd flows/etl.py:etl] {"name":"a"}"#,
        ),
        (
            "from prefect.runner.storage import GitRepository\nflow.from_source(source=GitRepository('https://github.com/acme/x', branch='dev'), entrypoint='flows/etl.py:etl').deploy(name='a')",
            r#"6:5 deploy ?/a [https://github.com/acme/x dev flows/etl.py:etl] {"name":"a"}"#,
        ),
        (
            "def deploy_all(name):\n    etl.deploy(name=name, work_pool_name='p')\ndeploy_all('x')\ndeploy_all('y')",
            "6:9 deploy etl/x [flows/etl.py:etl] {\"name\":\"x\",\"work_pool\":{\"name\":\"p\"}}\n6:9 deploy etl/y [flows/etl.py:etl] {\"name\":\"y\",\"work_pool\":{\"name\":\"p\"}}",
        ),
        (
            "import asyncio\nasync def main():\n    await etl.adeploy(name='a', work_pool_name='p')\nasyncio.run(main())",
            r#"7:15 deploy etl/a [flows/etl.py:etl] {"name":"a","work_pool":{"name":"p"}}"#,
        ),
        (
            "ds = []\nfor n in 'a', 'b':\n    ds.append(etl.to_deployment(n))\nfrom prefect import serve\nserve(*ds)",
            "7:19 to_deployment etl/a [flows/etl.py:etl] {\"name\":\"a\"}\n7:19 to_deployment etl/b [flows/etl.py:etl] {\"name\":\"b\"}",
        ),
        (
            "ds = [etl.to_deployment(n) for n in ('a', 'b')]\nfrom prefect import serve\nserve(*ds)",
            "5:11 to_deployment etl/a [flows/etl.py:etl] {\"name\":\"a\"}\n5:11 to_deployment etl/b [flows/etl.py:etl] {\"name\":\"b\"}",
        ),
        (
            "try:\n    etl.deploy(name='a')\nexcept Exception:\n    print('x')",
            r#"6:9 deploy etl/a [flows/etl.py:etl] {"name":"a"}"#,
        ),
        (
            "from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy\netl.deploy(name='a', concurrency_limit=ConcurrencyLimitConfig(limit=2, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW))",
            r#"6:5 deploy etl/a [flows/etl.py:etl] {"name":"a","concurrency_limit":{"collision_strategy":"CANCEL_NEW","limit":2}}"#,
        ),
        (
            "etl.deploy(name='a', concurrency_limit=3, triggers=[], version='1', description='d', enforce_parameter_schema=False, work_queue_name='q', job_variables={'env': {'A': 'b'}})",
            r#"5:5 deploy etl/a [flows/etl.py:etl] {"name":"a","version":"1","description":"d","enforce_parameter_schema":false,"concurrency_limit":3,"work_pool":{"work_queue_name":"q","job_variables":{"env":{"A":"b"}}}}"#,
        ),
        (
            "etl.to_deployment('a', work_pool_name='q').apply()",
            r#"5:5 to_deployment etl/a [flows/etl.py:etl] {"name":"a","work_pool":{"name":"q"}}"#,
        ),
        (
            "from prefect import aserve\nimport asyncio\nasync def main():\n    await aserve(await etl.ato_deployment('a'))\nasyncio.run(main())",
            r#"8:28 to_deployment etl/a [flows/etl.py:etl] {"name":"a"}"#,
        ),
        (
            "flow.from_source(source='jobs', entrypoint='pkg.mod.run').deploy(name='a')",
            r#"5:5 deploy ?/a [cwd jobs/pkg/mod.py:run] {"name":"a"}"#,
        ),
    ] {
        assert_eq!(main(lines), told, "{lines}");
    }
}

#[test]
fn calls_that_may_not_run_or_have_unknown_arguments_say_why() {
    for (lines, told) in [
        (
            "import os\nif os.environ.get('X'):\n    etl.deploy(name='a', work_pool_name='p')",
            "7:9 deploy etl/a [flows/etl.py:etl] ! it stands under a condition that is not known: it depends on the environment (`os.environ`) (flows/etl.py:6)",
        ),
        (
            "import sys\nif '--deploy' not in sys.argv:\n    sys.exit()\netl.deploy(name='a', work_pool_name='p')",
            "8:5 deploy etl/a [flows/etl.py:etl] ! the program may end before: `sys.argv` depends on where the module runs (flows/etl.py:7)",
        ),
        (
            "import os\netl.deploy(name='a', work_pool_name=os.environ['POOL'])",
            "6:5 deploy etl/a [flows/etl.py:etl] ! `work_pool_name` is not known: it depends on the environment (`os.environ`)",
        ),
        (
            "from ours import fill\nTAGS = ['a']\nfill(TAGS)\netl.deploy(name='a', tags=TAGS)",
            "8:5 deploy etl/a [flows/etl.py:etl] ! `tags` is not known: it is given to `ours.fill`, which may change it (flows/etl.py:7)",
        ),
        (
            "etl.serve('a', interval=60, cron='* * * * *')",
            "5:5 serve etl/a [flows/etl.py:etl] ! Prefect takes one of `interval` and `cron`, not both",
        ),
        (
            "etl.deploy(name='a', image='r.io/x:1', work_pool_name='p')",
            "5:5 deploy etl/a [flows/etl.py:etl] ! it builds an image: with `build=False` the image is used as it is",
        ),
        (
            "etl.deploy(name='a', bogus=1)",
            "5:5 deploy etl/a [flows/etl.py:etl] ! `deploy()` of Prefect 3 has no argument `bogus`",
        ),
        (
            "etl.with_options(name='other').deploy(name='a', work_pool_name='p')",
            "5:5 deploy other/a [?] ! the flow has no name in a module by which a run could load it",
        ),
        (
            "etl.deploy(name='a', parameters={'p': __file__})",
            "5:5 deploy etl/a [flows/etl.py:etl] ! `parameters` is not known: it depends on where the repository is checked out",
        ),
        (
            "while True:\n    etl.deploy(name='a')",
            "6:9 deploy etl/a [flows/etl.py:etl] ! it stands in a loop or a `match` that is not followed (flows/etl.py:5)",
        ),
        (
            "from ours import fill\nds = []\nfor n in 'a', 'b':\n    ds.append(etl.to_deployment(n))\nfill(ds)\nfrom prefect import serve\nserve(*ds)",
            "8:19 to_deployment etl/a [flows/etl.py:etl] ! which deployments `serve()` is given is not known (flows/etl.py:11)\n8:19 to_deployment etl/b [flows/etl.py:etl] ! which deployments `serve()` is given is not known (flows/etl.py:11)",
        ),
        (
            "import argparse\nargs = argparse.ArgumentParser().parse_args()\netl.deploy(name=args.name, work_pool_name='p')",
            "7:5 deploy etl/? [flows/etl.py:etl] ! `name` is not known: `argparse.ArgumentParser()` is not evaluated (flows/etl.py:6)",
        ),
        (
            "from prefect import serve\nserve(etl.to_deployment('a', work_queue_name='q'))",
            "6:11 to_deployment etl/a [flows/etl.py:etl] ! Prefect refuses `work_queue_name` for a deployment that is served",
        ),
        (
            "import unknown\nunknown.job.deploy(name='a', work_pool_name='p')",
            "6:5 deploy ?/a [?] ! the flow is not known: the module `unknown` is not in the repository",
        ),
        (
            "[etl.deploy(name=n) for n in ['a', 'b'] if n]",
            "5:6 deploy etl/? [?] ! it stands where it is not followed whether it runs",
        ),
        (
            "etl.deploy('a', 'p', None, False, True, 'q', {}, 60, None, None, True, None)",
            "5:5 deploy etl/a [flows/etl.py:etl] ! `deploy()` is given an argument by position after `paused`, and Prefect 2 and 3 have different ones there: name it",
        ),
        (
            "etl.serve('b.csv')",
            "5:5 serve etl/b.csv [flows/etl.py:etl] ! what Prefect makes of a name with a dot depends on whether it is a file",
        ),
        (
            "etl.serve('flows/b.py')",
            "5:5 serve etl/flows/b.py [flows/etl.py:etl] ! Prefect refuses `/` in the name of a deployment that is served",
        ),
        (
            "from prefect.schedules import Cron\netl.serve('a', schedule=Cron(cron='0 1 * * *'))",
            "6:5 serve etl/a [flows/etl.py:etl] ! `Cron()` is given its rule by name, which Prefect refuses",
        ),
        (
            "from prefect.server.schemas.schedules import CronSchedule\netl.serve('a', schedule=CronSchedule(cron='0 1 * * *'))",
            "6:5 serve etl/a [flows/etl.py:etl] ! `prefect.server.schemas.schedules.CronSchedule` is not read as a schedule",
        ),
        (
            "etl.deploy(name='a', image='x:1', build=False)",
            "5:5 deploy etl/a [flows/etl.py:etl] ! a setting of Prefect's client may put a registry before the image `x:1`: write it with its registry",
        ),
        (
            "etl.deploy(name='a', image='r.io/x', build=False)",
            "5:5 deploy etl/a [flows/etl.py:etl] ! Prefect's client makes a tag of its own for the image `r.io/x`: write it with a tag",
        ),
        (
            "etl.deploy(name='a', triggers=[1])",
            "5:5 deploy etl/a [flows/etl.py:etl] ! triggers are not read: declare them in prefect.yaml",
        ),
        (
            "flow.from_source(source='https://u:s3cret@bucket.example.com/x', entrypoint='a.py:b').deploy(name='a')",
            "5:5 deploy ?/a [?] ! the code is at `https://bucket.example.com/x`, which is no git repository for Prefect",
        ),
        (
            "flow.from_source(source='/srv/flows', entrypoint='a.py:b').deploy(name='a')",
            "5:5 deploy ?/a [?] ! the code is in a directory of one machine",
        ),
        (
            "exec('x = 1')\netl.deploy(name='a')",
            "6:5 deploy etl/a [flows/etl.py:etl] ! what the script does is not known: the module uses `exec()`, which can bind any name (flows/etl.py:5)",
        ),
        (
            "match 1:\n    case 1:\n        etl.deploy(name='a')",
            "7:13 deploy etl/a [flows/etl.py:etl] ! it stands in a loop or a `match` that is not followed (flows/etl.py:5)",
        ),
        (
            "etl.serve('a')\nraise SystemExit\netl.serve('b')",
            "5:5 serve etl/a [flows/etl.py:etl] {\"name\":\"a\"}\n7:5 serve etl/b [?] ! it stands where it is not followed whether it runs",
        ),
    ] {
        assert_eq!(main(lines), told, "{lines}");
    }
}

#[test]
fn calls_in_code_that_nothing_calls_are_only_told() {
    for (lines, told) in [
        ("etl.to_deployment('a')", "5:5 to_deployment etl/a [flows/etl.py:etl] only made"),
        ("def later():\n    etl.deploy(name='a')", "6:9 deploy etl/a [?] -"),
        (
            "import asyncio\nasync def main():\n    await etl.adeploy(name='a')\nmain()",
            "7:15 deploy etl/a [?] -",
        ),
        (
            "def ship():\n    import os\n    if os.environ.get('X'):\n        return\n    etl.deploy(name='a')\nship()",
            "9:9 deploy etl/a [?] -",
        ),
        ("nested = lambda: etl.deploy(name='a', work_pool_name='p')", "5:22 deploy etl/a [?] -"),
    ] {
        assert_eq!(main(lines), told, "{lines}");
    }
}

#[test]
fn other_calls_are_none() {
    for (lines, told) in [
        ("app = object()\napp.serve()", ""),
        ("from prefect.deployments import run_deployment\nrun_deployment('etl/a')", ""),
    ] {
        assert_eq!(main(lines), told, "{lines}");
    }
}

#[test]
fn a_call_at_the_top_of_a_module_runs_at_every_import() {
    let told = calls(&format!("{HEAD}etl.deploy(name='a', work_pool_name='p')\n"));
    assert_eq!(
        told,
        [r#"4:1 deploy etl/a [flows/etl.py:etl] {"name":"a","work_pool":{"name":"p"}}"#]
    );
}

#[test]
fn a_file_without_the_words_has_no_calls() {
    assert!(calls(&format!("{HEAD}# to deploy it, serve it\n")).is_empty());
}

#[test]
fn the_flows_of_a_file_are_the_same_whatever_it_deploys() {
    let plain = analyse("etl.py", HEAD.as_bytes());
    let deploys = format!("{HEAD}if __name__ == '__main__':\n    etl = None\n    etl.deploy()\n");
    let deploys = analyse("etl.py", deploys.as_bytes());
    assert_eq!((plain.flows, plain.problems), (deploys.flows, deploys.problems));
}

#[test]
fn a_repository_that_is_named_with_a_token_is_told_without_it() {
    let told = main(
        "flow.from_source(source='https://x:s3cret@git.example.com/a.git', entrypoint='a.py:b')\
         .deploy(name='a')",
    );
    assert!(told.contains("[https://git.example.com/a.git - a.py:b]"), "{told}");
}
