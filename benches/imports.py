#!/usr/bin/env python3
"""flowreg against git, on 100 scripts that import 10 to 40 modules of their repository each.

    python3 benches/imports.py [DIRECTORY] [--runs N]

The repository is made in DIRECTORY (default: `target/bench-imports`) and used again from there.
`$FLOWREG` names another binary than `target/release/flowreg`, which is built when it is missing.
"""

import argparse
import json
import random
import shutil
import subprocess
from pathlib import Path

import generate
import measure
from python_source import SourceWriter, join

# Changed with every change to what is generated: a directory of another recipe is made anew.
RECIPE = "1"
SCRIPTS = 100
MODULES = 80
GREP = r"@(prefect\.)?flow"


def module(writer, number):
    """A module of the package `company`: it imports up to four others, which were made before it."""
    others = sorted({writer.below(number) for _ in range(min(number, 4))}) if number else []
    head = [f'"""What the area {number} shares."""', "", "from __future__ import annotations" if number % 5 == 0 else "import logging"]
    head += ["import os", "from dataclasses import dataclass", "from enum import Enum", "from typing import Optional", ""]
    head += ["from pydantic import BaseModel, Field", ""]
    head += [f"from company.m{other:02} import Mode{other:02}, Settings{other:02}, default_{other:02}" for other in others]
    base = f"Settings{others[-1]:02}" if others else "BaseModel"
    head += [
        "",
        f"ROOT_{number:02} = os.environ.get('ROOT_{number:02}', '/data')",
        f'TABLES_{number:02} = {{"raw": ["a", "b"], "clean": ["c"], "area": {number}}}',
        f"LIMITS_{number:02} = [size * 10 for size in range(12)]",
        "",
        "",
        f"class Mode{number:02}(Enum):",
        '    FULL = "full"',
        '    DELTA = "delta"',
        f'    REPAIR = "repair-{number}"',
        "",
        "",
        f"class Settings{number:02}({base}):",
        '    """Settings of one run."""',
        "",
        f"    mode_{number:02}: Mode{number:02} = Mode{number:02}.DELTA",
        f"    limit_{number:02}: Optional[int] = Field(default=None, ge=1)",
        "",
        "",
        "@dataclass",
        f"class Job{number:02}:",
        f"    name: str = 'job-{number}'",
        "    retries: int = 3",
        "",
        "    def label(self) -> str:",
        "        return f'{self.name}-{self.retries}'",
        "",
        "",
        f"def default_{number:02}(days: int = {number % 9 + 1}) -> int:",
        "    return days * 24",
        "",
        "",
        f"HOURS_{number:02} = default_{number:02}()",
        f"TABLES_{number:02}['late'] = LIMITS_{number:02}[2:4]",
    ]
    return generate.fill(writer, [head], generate.wanted_size(writer) + 1500)


def script(writer, number):
    """A script with a flow: it takes a type, a default and a model from 10 to 40 modules."""
    used = sorted({writer.below(MODULES) for _ in range(10 + writer.below(31))})
    last = used[-1]
    head = [f'"""The flow {number}."""', "", "from prefect import flow, task", ""]
    head += [f"from company.m{one:02} import HOURS_{one:02}, Mode{one:02}, Settings{one:02}, TABLES_{one:02}" for one in used]
    head += [
        "",
        "",
        f'@flow(name="import {number:03}")',
        f"def run_{number:03}(",
        f"    hours: int = HOURS_{last:02},",
        f"    mode: Mode{last:02} = Mode{last:02}.FULL,",
        f"    settings: Settings{last:02} = Settings{last:02}(),",
        f"    tables: list[str] = TABLES_{last:02}['raw'],",
        "):",
        '    """Loads an area."""',
        "    return hours",
    ]
    return generate.fill(writer, [head], generate.wanted_size(writer), task_share=0.3)


def make_repository(directory, environment):
    repository = directory / "repository"
    recipe = directory / "recipe"
    if recipe.exists() and recipe.read_text() == RECIPE:
        return repository
    shutil.rmtree(repository, ignore_errors=True)
    writer = SourceWriter(random.Random(11))
    for number in range(MODULES):
        write(repository / "company" / f"m{number:02}.py", module(writer, number))
    (repository / "company" / "__init__.py").touch()
    for number in range(SCRIPTS):
        write(repository / "flows" / f"f{number:03}.py", script(writer, number))
    (repository / "flowreg.toml").write_text('[flows]\nintrospect = "never"\n')
    for command in (
        ["init", "--quiet", "--initial-branch=main"],
        ["add", "."],
        ["commit", "--quiet", "--message=scripts"],
        ["remote", "add", "origin", "https://example.com/team/flows.git"],
        ["gc", "--quiet"],
    ):
        subprocess.run(["git", *command], cwd=repository, env=environment, check=True)
    recipe.write_text(RECIPE)
    return repository


def write(path, blocks):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(join(blocks))


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("directory", nargs="?", type=Path, default=measure.ROOT / "target" / "bench-imports")
    options.add_argument("--runs", type=int, default=15, help="counted runs of each (at least 9)")
    arguments = options.parse_args()
    runs = max(arguments.runs, 9)
    directory = arguments.directory.resolve()
    (directory / "home").mkdir(parents=True, exist_ok=True)
    flowreg = measure.flowreg_binary()
    environment = generate.isolated_environment(directory / "home")
    repository = make_repository(directory, environment)
    store = repository / ".git" / "flowreg"

    def run(*command):
        return measure.run(command, repository, environment)

    def fresh():
        shutil.rmtree(store, ignore_errors=True)
        return run(flowreg, "flows")

    def grep():
        return run("git", "grep", "-l", "-E", GREP, "HEAD", "--", "*.py")

    answer = json.loads(run(flowreg, "--format", "json", "flows").output)
    exact = sum(flow["exact"] for flow in answer["flows"])
    if answer["errors"] or exact != SCRIPTS:
        reasons = [flow["inexact"] for flow in answer["flows"] if flow["inexact"]]
        raise SystemExit(f"{exact} of {SCRIPTS} flows are exact: {answer['errors'][:2]} {reasons[:2]}")

    print(f"{measure.machine()}; median of {runs}, ratio with the middle half of the runs\n")
    print("| ours | against | CPU ours | CPU theirs | CPU ratio | target | wall ratio |")
    print("|---|---|---|---|---|---|---|")
    for title, ours, target in [("no store yet", fresh, 2.5), ("asked before", lambda: run(flowreg, "flows"), 0.5)]:
        comparison = measure.Comparison(ours, grep, runs)
        mine, other, ratio, low, high = comparison.ratio("cpu")
        print(
            f"| `flows`, {title} | `git grep -l` | {measure.seconds(mine)} | {measure.seconds(other)} | "
            f"**{ratio:.2f} ×** ({low:.2f} to {high:.2f}) | ≤ {target} × | {comparison.ratio('wall')[2]:.2f} × |",
            flush=True,
        )


if __name__ == "__main__":
    main()
