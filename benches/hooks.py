#!/usr/bin/env python3
"""What a hook adds to `git push`: flowreg's against an empty sh script and against prek.

    python3 benches/hooks.py [DIRECTORY] [--runs N]

The repository has 1,000 flows; each push has one small commit on a feature branch, and goes to a
local bare repository. Ours is measured twice: with the embedded registry, and with a server that
is down, which a hook must not notice. `$FLOWREG` names another binary than
`target/release/flowreg`, `$PREK` another prek than the one of scripts/test.sh.
"""

import argparse
import json
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
    # The watcher goes as soon as it met a target that is down: it is not what is measured.
    environment["FLOWREG_RECHECKS"] = "0"
    down = {**environment, "PREFECT_API_URL": f"http://127.0.0.1:{free_port()}/api"}

    sides = {
        name: Side(directory / name.replace(" ", "-"), variables, install)
        for name, variables, install in [
            ("none", environment, lambda side: None),
            ("empty sh", environment, lambda side: side.write_hook("#!/bin/sh\nexit 0\n")),
            ("flowreg", environment, lambda side: side.install_flowreg(flowreg)),
            ("flowreg, target down", down, lambda side: side.install_flowreg(flowreg)),
            ("prek", environment, lambda side: side.install_prek(prek)),
        ]
    }
    for side in sides.values():
        side.push()
    for turn in range(runs):
        order = list(sides.values())
        for position in range(len(order)):
            order[(position + turn) % len(order)].count()

    print(f"{measure.machine()}; CPU and wall medians of {runs} interleaved pushes, {FLOWS} flows\n")
    print("| hook | CPU | added | in units of an empty sh hook | wall |")
    print("|---|---|---|---|---|")
    base, unit = sides["none"].cpu(), sides["empty sh"].cpu() - sides["none"].cpu()
    for name, side in sides.items():
        added = side.cpu() - base
        print(
            f"| {name} | {side.cpu() * 1000:.1f} ms | {added * 1000:+.1f} ms | {added / unit:.1f} | "
            f"{side.wall() * 1000:.1f} ms |"
        )
    theirs = sides["prek"].cpu() - base
    print()
    for name in ("flowreg", "flowreg, target down"):
        ours = sides[name].cpu() - base
        print(f"{name}: {ours / unit:.1f} times an empty sh hook (target: 4), {ours / theirs:.2f} of prek (target: 0.25)")
    sides["flowreg"].check(lambda status: not status["waiting"] and "registered" in status["recent"][-1])
    sides["flowreg, target down"].check(lambda status: status["waiting"])


class Side:
    """A clone with one kind of hook."""

    def __init__(self, directory, environment, install):
        self.work, self.environment, self.samples, self.number = directory / "work", environment, [], 0
        self.flowreg = None
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

    def install_flowreg(self, flowreg):
        self.flowreg = flowreg
        self.run(flowreg, "hooks", "install")

    def status(self):
        return json.loads(self.run(self.flowreg, "sync", "--status", "--format", "json").output)

    def check(self, is_right):
        """What was measured has to be the hook at work."""
        if not is_right(self.status()):
            raise SystemExit(f"the pushes of {self.work} were not queued and delivered: {self.status()}")

    def settle(self):
        """The next push, whoever's it is, must not run beside our watcher."""
        for _ in range(600):
            status = self.status()
            is_seen = all(item["reason"] != "not looked at yet" for item in status["waiting"])
            if is_seen and not status["watched"]:
                return
            time.sleep(0.05)
        raise SystemExit(f"the watcher of {self.work} does not end")

    def install_prek(self, prek):
        self.run(prek, "install", "-t", "pre-push")

    def push(self):
        self.number += 1
        (self.work / "README").write_text(f"{self.number}\n")
        self.run("git", "add", "-A")
        self.run("git", "commit", "-q", "-m", f"commit {self.number}")
        sample = self.run("git", "push", "-q", "origin", "feat/x")
        if self.flowreg:
            self.settle()
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
