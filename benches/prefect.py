#!/usr/bin/env python3
"""flowreg against `prefect deploy --all`, on a real Prefect server with 50 flows.

    python3 benches/prefect.py [--rounds N] [--flows N]

Needs Prefect 3.8.8 in `target/prefect-3.8.8` (made by `scripts/test.sh`), or `$FLOWREG_TEST_PREFECT`
with the path of the `bin` directory of another environment. `$FLOWREG` names another binary than
`target/release/flowreg`, which is built when it is missing.
"""

import argparse
import json
import os
import random
import subprocess
import tempfile
from pathlib import Path

import measure
import server
from generate import isolated_environment
from python_source import STANDARD_LIBRARIES, SourceWriter, join

POOL = "bench"
TAG = "v1.0.0"


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=3, help="times the whole is done")
    options.add_argument("--flows", type=int, default=50)
    arguments = options.parse_args()

    prefect = server.prefect_directory()
    flowreg = measure.flowreg_binary()

    with tempfile.TemporaryDirectory(prefix="flowreg-bench-") as scratch:
        directory = Path(scratch)
        (directory / "home").mkdir()
        environment = isolated_environment(directory / "home")
        environment["PATH"] = f"{prefect}{os.pathsep}{environment['PATH']}"
        with server.started(directory, prefect, environment) as api:
            environment["PREFECT_API_URL"] = api.url
            api.create_pool(POOL)
            measure_rounds(directory, prefect, flowreg, environment, api, arguments)


def measure_rounds(directory, prefect, flowreg, environment, api, arguments):
    deploy = [prefect / "prefect", "--no-prompt", "deploy", "--all"]
    register = [flowreg, "register"]
    kinds = ("first time", "again, unchanged")
    samples = {(who, kind): [] for who in ("prefect", "flowreg") for kind in kinds}
    for turn in range(arguments.rounds):
        sides = [("prefect", deploy, f"p{turn}"), ("flowreg", register, f"f{turn}")]
        if turn % 2:
            sides.reverse()
        repositories = {
            who: make_repository(directory, who, prefix, arguments.flows, environment) for who, _, prefix in sides
        }
        written = {}
        for kind in kinds:
            for who, command, prefix in sides:
                sample = measure.run(command, repositories[who], environment)
                samples[who, kind].append(sample)
                held = api.deployments({"flows": {"name": {"like_": f"{prefix}-flow-"}}})
                check_held(who, held, arguments.flows)
                if who == "flowreg" and kind == kinds[1]:
                    check_untouched(written[who], held)
                written[who] = held
        check_same(written["prefect"], written["flowreg"])

    print(f"{measure.machine()}; {arguments.flows} flows, {arguments.rounds} rounds\n")
    print("| | `prefect deploy --all` | `flowreg register` | wall ratio | in each round | CPU ratio (client) |")
    print("|---|---|---|---|---|---|")
    for kind in kinds:
        theirs, ours = samples["prefect", kind], samples["flowreg", kind]
        wall = [summary([sample.wall for sample in side]) for side in (theirs, ours)]
        cpu = [summary([sample.cpu for sample in side]) for side in (theirs, ours)]
        rounds = ", ".join(f"{a.wall / b.wall:.0f}" for a, b in zip(theirs, ours))
        print(
            f"| {kind} | {measure.seconds(wall[0])} | {measure.seconds(wall[1])} | "
            f"**{wall[0] / wall[1]:.0f} ×** | {rounds} | {cpu[0] / cpu[1]:.0f} × |"
        )


def summary(values):
    return sorted(values)[len(values) // 2]


# The two repositories: the same flows, once declared for `prefect deploy`, once for flowreg


def make_repository(directory, who, prefix, count, environment):
    """A clone with its own bare remote, both at the tag; `prefix` keeps its flow names apart."""
    home = directory / f"{who}-{prefix}"
    remote, repository = home / "flows.git", home / "flows"
    (repository / "flows").mkdir(parents=True)
    declared = []
    # The same seed for both sides: only the names of the flows differ.
    writer = SourceWriter(random.Random(50))
    for number in range(count):
        header = writer.header(
            ["from prefect import flow, task", "from typing import Any, Optional"], STANDARD_LIBRARIES
        )
        function, lines = writer.flow(f"{number:02}", "flow", named=f"{prefix}-flow-{number:02}")
        blocks = [header, writer.task(), writer.function(), lines]
        path = f"flows/job_{number:02}.py"
        (repository / path).write_text(join(blocks))
        declared.append(f"{path}:{function}")
    if who == "prefect":
        (repository / "prefect.yaml").write_text(prefect_yaml(remote, declared))
    else:
        (repository / "flowreg.toml").write_text(f'[mainline]\nwork_pool = "{POOL}"\n')

    def git(*command):
        subprocess.run(["git", *command], cwd=repository, env=environment, check=True)

    git("init", "--quiet", "--bare", str(remote))
    git("init", "--quiet", "--initial-branch=main")
    git("add", ".")
    git("commit", "--quiet", "--message", "Start")
    git("tag", "--annotate", "--message", TAG, TAG)
    git("remote", "add", "origin", f"file://{remote}")
    git("push", "--quiet", "--set-upstream", "origin", "main", TAG)
    return repository


def prefect_yaml(remote, entrypoints):
    lines = [
        "name: bench",
        "pull:",
        "- prefect.deployments.steps.git_clone:",
        f"    repository: file://{remote}",
        f"    branch: {TAG}",
        "deployments:",
    ]
    for entrypoint in entrypoints:
        lines += [
            "- name: default",
            f"  version: {TAG}",
            f"  entrypoint: {entrypoint}",
            "  work_pool:",
            f"    name: {POOL}",
        ]
    return "\n".join(lines) + "\n"


# Speed counts only if the work was done


def check_held(who, held, count):
    branches = {
        step.get("prefect.deployments.steps.git_clone", {}).get("branch")
        for deployment in held.values()
        for step in deployment["pull_steps"]
    }
    if len(held) != count or branches != {TAG}:
        raise SystemExit(f"{who}: {len(held)} of {count} deployments, cloned at {branches}")


def check_untouched(before, after):
    """Every write renews `updated`: a second run that changes nothing must not."""
    written = [entry for entry in after if after[entry]["updated"] != before[entry]["updated"]]
    if written:
        print(f"note: the unchanged run of flowreg wrote {len(written)} deployments")


def check_same(theirs, ours):
    """Both must have told the server the same about each flow."""
    differing = {}
    for entrypoint, deployment in theirs.items():
        for field in ("name", "work_pool_name", "version", "description", "parameter_openapi_schema"):
            # Prefect's client writes a missing description as the text `None`.
            values = [side.get(field) for side in (deployment, ours.get(entrypoint, {}))]
            if len({json.dumps(None if value == "None" else value, sort_keys=True) for value in values}) > 1:
                differing.setdefault(field, []).append(entrypoint)
    for field, entrypoints in differing.items():
        print(f"note: {field} differs between the two in {len(entrypoints)} deployments: {entrypoints[0]}")


if __name__ == "__main__":
    main()
