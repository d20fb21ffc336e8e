#!/usr/bin/env python3
"""flowreg on Prefect 1: what it adds to the time in which Python builds the flows.

    python3 benches/prefect1.py [--runs N] [--flows N] [--delay SECONDS]

Needs Prefect 1.4.1 in `target/prefect-1.4.1` (made by `scripts/test.sh`), or `$FLOWREG_TEST_PREFECT1`
with the path of the `bin` directory of another environment. `$FLOWREG` names another binary than
`target/release/flowreg`, which is built when it is missing. The backend is the one of the tests.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

import measure
from generate import isolated_environment

HARNESS = measure.ROOT / "src/introspection/harness"
SERVER = measure.ROOT / "tests/suite/support/prefect1_server.py"
FLOW = """import datetime
from prefect import Flow, Parameter, task


@task(max_retries=1, retry_delay=datetime.timedelta(seconds=5))
def extract(day):
    return [day]


@task
def load(rows):
    return len(rows)


with Flow("flow-{number}") as flow:
    load(extract(Parameter("day", default={number})))
"""


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--runs", type=int, default=9)
    options.add_argument("--flows", type=int, default=20)
    options.add_argument("--delay", type=float, default=0.1, help="of the slow backend, for each request")
    arguments = options.parse_args()
    programs = os.environ.get("FLOWREG_TEST_PREFECT1", measure.ROOT / "target/prefect-1.4.1/bin")
    python = Path(programs).absolute() / "python"
    if not python.exists():
        raise SystemExit(f"no Prefect 1 in {programs}: run scripts/test.sh once, or set FLOWREG_TEST_PREFECT1")
    flowreg = measure.flowreg_binary()
    with tempfile.TemporaryDirectory(prefix="flowreg-bench-") as scratch:
        directory = Path(scratch).resolve()
        (directory / "home").mkdir()
        environment = isolated_environment(directory / "home")
        repository = make_repository(directory, python, arguments.flows, environment)
        rows = [
            row(directory, flowreg, python, repository, environment, arguments, delay)
            for delay in (0, arguments.delay)
        ]
    print(f"{measure.machine()}; {arguments.flows} flows, {arguments.runs} runs of each in turn\n")
    print("| backend | `flowreg register`, first time | its Python alone | ratio | more |")
    print("|---|---|---|---|---|")
    print("\n".join(rows))


def row(directory, flowreg, python, repository, environment, arguments, delay):
    def ours():
        # A backend of its own for each run: every flow is new.
        with backend(directory, python, delay) as url:
            sample = measure.run([flowreg, "register"], repository, dict(environment, PREFECT__CLOUD__API=url))
            held = json.load(urllib.request.urlopen(url + "/flows"))
        if len(held) != arguments.flows or any(flow["version"] != 1 for flow in held):
            raise SystemExit(f"{len(held)} versions are held instead of {arguments.flows}")
        return sample

    def theirs():
        return build(directory, python, repository, environment, arguments.flows)

    compared = measure.Comparison(ours, theirs, arguments.runs)
    mine, other, ratio, low, high = compared.ratio("wall")
    more = statistics.median(a.wall - b.wall for a, b in zip(compared.ours, compared.theirs))
    name = f"{delay * 1000:.0f} ms for each request" if delay else "answers at once"
    return (
        f"| {name} | {measure.seconds(mine)} | {measure.seconds(other)} | **{ratio:.2f} ×** "
        f"({low:.2f} to {high:.2f}) | {measure.seconds(more)} |"
    )


def make_repository(directory, python, count, environment):
    remote, repository = directory / "flows.git", directory / "flows"
    (repository / "flows").mkdir(parents=True)
    for number in range(count):
        (repository / f"flows/flow_{number:02}.py").write_text(FLOW.format(number=number))
    (repository / "flowreg.toml").write_text(
        f'target = "prefect1"\n[flows]\npython = "{python}"\n[repository]\n'
        'url = "https://git.example.com/team/flows.git"\n[prefect1]\nproject = "data"\n'
    )

    def git(*arguments):
        subprocess.run(["git", *arguments], cwd=repository, env=environment, check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    git("init", "-q", "--bare", str(remote))
    git("remote", "add", "origin", str(remote))
    git("add", "-A")
    git("commit", "-qm", "flows")
    git("tag", "v1.0.0")
    git("push", "-q", "origin", "main", "v1.0.0")
    return repository


def build(directory, python, repository, environment, count):
    """The harness as flowreg starts it, on files that are there already."""
    storage = {"repo": "team/flows", "repo_host": "git.example.com", "tag": "v1.0.0", "use_ssh": False}
    defaults = {"storage": {"type": "git", "options": storage}, "run_config": {}, "labels": []}
    request = {
        "root": str(repository),
        "shown": str(repository),
        "work_tree": None,
        "python_path": None,
        "seconds": 60,
        "answer_bytes": 1 << 24,
        "prefect1": {"defaults": defaults, "flows": {}, "suffix": ""},
        "files": [
            {"path": f"flows/flow_{number:02}.py", "is_module": False, "objects": [], "discover": True}
            for number in range(count)
        ],
    }
    with tempfile.TemporaryDirectory(dir=directory) as home:
        start = time.perf_counter()
        child = subprocess.Popen(
            [python, HARNESS / "harness.py", home, "prefect1"],
            cwd=home,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        child.stdin.write(json.dumps(request).encode() + b"\n")
        child.stdin.flush()
        answers = [json.loads(line) for line in child.stdout]
        child.stdin.close()
        child.wait()
        wall = time.perf_counter() - start
    built = [flow for answer in answers for flow in answer.get("built", ())]
    if sum("serialized" in flow for flow in built) != count:
        raise SystemExit(f"the harness built {len(built)} flows: {answers}")
    return measure.Sample(wall, 0, b"")


@contextlib.contextmanager
def backend(directory, python, delay):
    with tempfile.TemporaryDirectory(dir=directory) as place:
        port = Path(place) / "port"
        process = subprocess.Popen([python, SERVER, port, "--delay", str(delay)])
        try:
            while not port.exists():
                time.sleep(0.01)
            yield f"http://127.0.0.1:{port.read_text()}"
        finally:
            process.kill()
            process.wait()


main()
