#!/usr/bin/env python3
"""What a hook adds to `git push`: flowreg's against an empty sh script and against prek.

    python3 benches/hooks.py [DIRECTORY] [--runs N]

The repository has 1,000 flows; each push has one small commit on a feature branch, and goes to a
local bare repository. The target is down: a hook must not notice. `$FLOWREG` names another binary
than `target/release/flowreg`, `$PREK` another prek than the one of scripts/test.sh.
"""

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import time
from pathlib import Path

import generate
import measure

FLOWS = 1000
PREK_CONFIGURATION = """\
repos:
  - repo: local
    hooks:
      - id: nothing
        name: nothing
        entry: "true"
        language: system
        stages: [pre-push]
        always_run: true
"""


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("directory", nargs="?", type=Path, default=measure.ROOT / "target" / "bench-hooks")
    options.add_argument("--runs", type=int, default=21, help="counted pushes of each (at least 20)")
    arguments = options.parse_args()
    runs = max(arguments.runs, 20)
    directory = arguments.directory.resolve()
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)

    flowreg = measure.flowreg_binary()
    prek = Path(os.environ.get("PREK", measure.ROOT / "target" / "hook-managers" / "bin" / "prek")).resolve()
    environment = generate.isolated_environment(directory / "home")
    Path(environment["HOME"]).mkdir(exist_ok=True)
    environment["PREFECT_API_URL"] = f"http://127.0.0.1:{free_port()}/api"
    # The watcher goes as soon as it met a target that is down: it is not what is measured.
    environment["FLOWREG_RECHECKS"] = "0"

    sides = {
        name: Side(directory / name, environment, install)
        for name, install in {
            "none": lambda side: None,
            "empty sh": lambda side: side.write_hook("#!/bin/sh\nexit 0\n"),
            "flowreg": lambda side: side.run(flowreg, "hooks", "install"),
            "prek": lambda side: side.install_prek(prek),
        }.items()
    }
    for side in sides.values():
        side.push()
    for turn in range(runs):
        order = list(sides.values())
        for position in range(len(order)):
            order[(position + turn) % len(order)].count()

    print(f"{measure.machine()}; CPU and wall medians of {runs} interleaved pushes, {FLOWS} flows, target down\n")
    print("| hook | CPU | added | in units of an empty sh hook | wall |")
    print("|---|---|---|---|---|")
    base, unit = sides["none"].cpu(), sides["empty sh"].cpu() - sides["none"].cpu()
    for name, side in sides.items():
        added = side.cpu() - base
        print(
            f"| {name} | {side.cpu() * 1000:.1f} ms | {added * 1000:+.1f} ms | {added / unit:.1f} | "
            f"{side.wall() * 1000:.1f} ms |"
        )
    ours, theirs = sides["flowreg"].cpu() - base, sides["prek"].cpu() - base
    print(f"\nflowreg adds {ours / unit:.1f} times an empty sh hook (target: 4) and {ours / theirs:.2f} of prek (target: 0.25)")
    waits = len(list((directory / "flowreg" / "work" / ".git" / "flowreg" / "outbox").glob("*.json")))
    if waits == 0:
        raise SystemExit("flowreg's hook queued nothing: what was measured is not the hook")


class Side:
    """A clone with one kind of hook."""

    def __init__(self, directory, environment, install):
        self.work, self.environment, self.samples, self.number = directory / "work", environment, [], 0
        directory.mkdir()
        subprocess.run(["git", "init", "-q", "--bare", str(directory / "up.git")], env=environment, check=True)
        subprocess.run(["git", "init", "-q", "-b", "main", str(self.work)], env=environment, check=True)
        for number in range(FLOWS):
            file = self.work / f"flows/team_{number % 20}/flow_{number}.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"from prefect import flow\n\n\n@flow(name='flow-{number}')\ndef f(n: int = {number}):\n    ...\n")
        (self.work / ".pre-commit-config.yaml").write_text(PREK_CONFIGURATION)
        self.run("git", "remote", "add", "origin", "../up.git")
        self.run("git", "add", "-A")
        self.run("git", "commit", "-q", "-m", "flows")
        self.run("git", "checkout", "-q", "-b", "feat/x")
        install(self)

    def run(self, *command):
        return measure.run(command, self.work, self.environment)

    def write_hook(self, script):
        hook = self.work / ".git/hooks/pre-push"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(script)
        hook.chmod(0o755)

    def install_prek(self, prek):
        self.run(prek, "install", "-t", "pre-push")

    def push(self):
        self.number += 1
        (self.work / "README").write_text(f"{self.number}\n")
        self.run("git", "add", "-A")
        self.run("git", "commit", "-q", "-m", f"commit {self.number}")
        sample = self.run("git", "push", "-q", "origin", "feat/x")
        # The next one, whoever's it is, must not run beside our watcher.
        time.sleep(0.15)
        return sample

    def count(self):
        self.samples.append(self.push())

    def cpu(self):
        return statistics.median(sample.cpu for sample in self.samples)

    def wall(self):
        return statistics.median(sample.wall for sample in self.samples)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"{error}") from None
