#!/usr/bin/env python3
"""flowreg on a `prefect.yaml` with 1,000 deployments, against the bare requests, on a real server.

    python3 benches/manifest.py [--rounds N] [--runs N] [--deployments N] [--deploy N]

Needs Prefect 3.8.8 in `target/prefect-3.8.8` (made by `scripts/test.sh`), or `$FLOWREG_TEST_PREFECT`
with the path of the `bin` directory of another environment. `$FLOWREG` names another binary than
`target/release/flowreg`, which is built when it is missing.
"""

import argparse
import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import measure
import server
from bare import Bare, read_pages, record, replay
from declared import POOL, TAG, make_repository
from generate import isolated_environment

# Fields that the two sides of a first registration can't have in common.
OWN_FIELDS = ("id", "created", "updated", "flow_id", "created_by", "updated_by", "work_queue_id", "labels")
# How long the server may take to have made the scheduled runs of new deployments.
SETTLING = 240


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=2, help="first registrations of each side")
    options.add_argument("--runs", type=int, default=11, help="runs with nothing changed in each round")
    options.add_argument("--deployments", type=int, default=1000)
    options.add_argument("--deploy", type=int, default=50, help="of these, for `prefect deploy --all`")
    arguments = options.parse_args()

    prefect = server.prefect_directory()
    flowreg = measure.flowreg_binary()
    with tempfile.TemporaryDirectory(prefix="flowreg-bench-") as scratch:
        directory = Path(scratch)
        (directory / "home").mkdir()
        environment = isolated_environment(directory / "home")
        environment["PATH"] = f"{prefect}:{environment['PATH']}"
        environment["TIER"] = "prod"
        bench = Bench(directory, prefect, flowreg, environment, arguments)
        print(f"{measure.machine()}; {arguments.deployments} deployments of {bench.flows} flows\n", flush=True)
        bench.run()
        bench.report()


class Bench:
    def __init__(self, directory, prefect, flowreg, environment, arguments):
        self.directory, self.prefect, self.flowreg = directory, prefect, flowreg
        self.environment, self.arguments = environment, arguments
        self.flows = arguments.deployments // 2
        self.repository = make_repository(directory / "all", "all", arguments.deployments, environment)
        self.requests = record(self.flowreg, self.repository, environment)
        self.first = {"flowreg": [], "bare": []}
        self.unchanged = []
        self.beside = []
        self.repeated = 0

    def run(self):
        held = {}
        for turn in range(self.arguments.rounds):
            sides = ["flowreg", "bare"]
            for side in sides if turn % 2 == 0 else reversed(sides):
                home = self.directory / f"{side}-{turn}"
                home.mkdir()
                with server.started(home, self.prefect, self.environment) as api:
                    api.create_pool(POOL)
                    environment = {**self.environment, "PREFECT_API_URL": api.url}
                    held[side] = getattr(self, f"first_by_{side}")(api, environment)
                    if side == "flowreg":
                        self.again(api, environment)
                        if turn == 0:
                            self.deploy(api, environment)
                shutil.rmtree(home)
            check_same(held["flowreg"], held["bare"])

    # First registration

    def first_by_flowreg(self, api, environment):
        # What flowreg keeps of the run before would save it the analysis.
        shutil.rmtree(self.repository / ".git/flowreg", ignore_errors=True)
        sample = measure.run([self.flowreg, "register"], self.repository, environment)
        self.first["flowreg"].append(sample.wall)
        return self.complete(api)

    def first_by_bare(self, api, _environment):
        bare = Bare(api.url)
        start = time.perf_counter()
        replay(bare, self.requests)
        self.first["bare"].append(time.perf_counter() - start)
        self.repeated += bare.repeated
        return self.complete(api)

    def complete(self, api):
        held = api.deployments({})
        if len(held) != self.arguments.deployments:
            raise SystemExit(f"{len(held)} of {self.arguments.deployments} deployments")
        for deployment in held.values():
            cloned = [list(step.values())[0].get("branch") for step in deployment["pull_steps"]]
            if TAG not in cloned:
                raise SystemExit(f"{deployment['name']} is not cloned at {TAG}: {cloned}")
        return held

    # Nothing changed

    def again(self, api, environment):
        settle(api)
        before = self.written(api)
        pages = -(-self.flows // server.PAGE), -(-self.arguments.deployments // server.PAGE)
        bare = Bare(api.url)

        def ours():
            sample = measure.run([self.flowreg, "register", "--format", "json"], self.repository, environment)
            summary = json.loads(sample.output)["summary"]
            if summary["unchanged"] != self.arguments.deployments:
                raise SystemExit(f"not unchanged: {summary}")
            return sample

        def theirs():
            bare.connect()
            start = time.perf_counter()
            read_pages(bare, *pages)
            return measure.Sample(time.perf_counter() - start, 0.0, b"")

        self.unchanged.append(measure.Comparison(ours, theirs, self.arguments.runs))
        written = [id for id, updated in self.written(api).items() if before.get(id) != updated]
        if written or len(before) != len(self.written(api)):
            print(f"note: the unchanged runs of flowreg wrote {len(written)} objects")

    def written(self, api):
        """When each object was written last: every write renews it, even one that changes nothing."""
        kinds = ("/flows/filter", "/deployments/filter", "/automations/filter")
        return {one["id"]: one["updated"] for kind in kinds for one in api.pages(kind, {})}

    # Beside it

    def deploy(self, api, environment):
        sides = {
            "prefect": [self.prefect / "prefect", "--no-prompt", "deploy", "--all"],
            "flowreg": [self.flowreg, "register"],
        }
        repositories = {
            side: make_repository(self.directory / side, side, self.arguments.deploy, self.environment)
            for side in sides
        }
        for kind in ("first time", "again"):
            walls = {
                side: measure.run(command, repositories[side], environment).wall
                for side, command in sides.items()
            }
            self.beside.append((kind, walls["prefect"], walls["flowreg"]))

    # Results

    def report(self):
        count = self.arguments.deployments
        print("| | flowreg | bare requests | ratio | | target |")
        print("|---|---|---|---|---|---|")
        rates = {side: [count / wall for wall in walls] for side, walls in self.first.items()}
        ours, theirs = statistics.median(rates["flowreg"]), statistics.median(rates["bare"])
        rounds = ", ".join(f"{a / b:.2f}" for a, b in zip(rates["flowreg"], rates["bare"]))
        print(
            f"| first registration, deployments a second | {ours:.1f} | {theirs:.1f} | "
            f"**{ours / theirs:.2f} ×** | in each round {rounds} | ≥ 0.8 × |"
        )
        for comparison in self.unchanged:
            ours, theirs, ratio, low, high = comparison.ratio("wall")
            print(
                f"| nothing changed, against reading | {measure.seconds(ours)} | {measure.seconds(theirs)} | "
                f"**{ratio:.2f} ×** | middle half {low:.2f} to {high:.2f} | ≤ 1.3 × |"
            )
        print(f"\n{len(self.requests)} requests in a replay, {self.repeated} sent again in all replays\n")
        print(f"| {self.arguments.deploy} of the deployments | `prefect deploy --all` | `flowreg register` | |")
        print("|---|---|---|---|")
        for kind, theirs, ours in self.beside:
            print(f"| {kind} | {measure.seconds(theirs)} | {measure.seconds(ours)} | {theirs / ours:.0f} × |")


def settle(api):
    """Waits until the server has made the scheduled runs of what is new."""
    count, since, deadline = None, time.monotonic(), time.monotonic() + SETTLING
    while time.monotonic() < min(since + 12, deadline):
        time.sleep(2)
        now = api.call("POST", "/flow_runs/count", {})
        if now != count:
            count, since = now, time.monotonic()


def check_same(ours, theirs):
    """Speed counts only if the work was done: both servers must hold the same."""
    differing = {}
    for entrypoint, deployment in ours.items():
        for field, value in deployment.items():
            values = [comparable(field, side) for side in (value, theirs[entrypoint][field])]
            if field not in OWN_FIELDS and values[0] != values[1]:
                differing.setdefault(field, []).append(entrypoint)
    for field, entrypoints in differing.items():
        print(f"note: {field} differs between flowreg and the replay in {len(entrypoints)}: {entrypoints[0]}")


def comparable(field, value):
    if field == "schedules":
        shown = ("schedule", "active", "slug", "parameters")
        return sorted(json.dumps({name: one[name] for name in shown}, sort_keys=True) for one in value)
    if isinstance(value, dict):
        return {name: inner for name, inner in value.items() if name not in ("id", "created", "updated", "name")}
    return value


if __name__ == "__main__":
    main()
