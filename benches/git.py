#!/usr/bin/env python3
"""flowreg against git, on 1,000 flow files among 10,000 Python files.

    python3 benches/git.py [DIRECTORY] [--runs N]

The repository is made in DIRECTORY (default: `target/bench-git`) and used again from there.
`$FLOWREG` names another binary than `target/release/flowreg`, which is built when it is missing.
"""

import argparse
import json
import shutil
import subprocess
from pathlib import Path

import generate
import measure

GREP = r"@(prefect\.)?flow"


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("directory", nargs="?", type=Path, default=measure.ROOT / "target" / "bench-git")
    options.add_argument("--runs", type=int, default=15, help="counted runs of each (at least 9)")
    arguments = options.parse_args()
    runs = max(arguments.runs, 9)
    directory = arguments.directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)

    flowreg = measure.flowreg_binary()
    repositories = generate.make_repositories(directory)
    environment = generate.isolated_environment(directory / "home")
    Path(environment["HOME"]).mkdir(exist_ok=True)

    print(f"{measure.machine()}; median of {runs}, ratio with the middle half of the runs\n")
    print("| pack | ours | against | CPU ours | CPU theirs | CPU ratio | target | wall ratio |")
    print("|---|---|---|---|---|---|---|---|")
    for packing, repository in repositories.items():
        measure_packing(packing, repository, flowreg, environment, runs)


def measure_packing(packing, repository, flowreg, environment, runs):
    store = repository / ".git" / "flowreg"

    def run(*command):
        return measure.run(command, repository, environment)

    def fresh_flows():
        shutil.rmtree(store, ignore_errors=True)
        return run(flowreg, "flows")

    def forgetful_flows():
        (store / "analyses").unlink(missing_ok=True)
        return run(flowreg, "flows")

    commit = run("git", "rev-parse", "HEAD").output.decode().strip()

    def grep():
        return run("git", "grep", "-l", "-E", GREP, commit, "--", "*.py")

    def flows():
        return run(flowreg, "flows")

    check_same_files(run(flowreg, "--format", "json", "flows").output, grep().output)

    def row(ours, theirs, target, first, second, times=runs):
        comparison = measure.Comparison(first, second, times)
        mine, other, ratio, low, high = comparison.ratio("cpu")
        wall = comparison.ratio("wall")[2]
        print(
            f"| {packing} | {ours} | {theirs} | {measure.seconds(mine)} | {measure.seconds(other)} | "
            f"**{ratio:.2f} ×** ({low:.2f} to {high:.2f}) | ≤ {target} × | {wall:.2f} × |",
            flush=True,
        )

    row("`flows`, no store yet", "`git grep -l`", 2, fresh_flows, grep)
    # Short processes: the median needs more of them.
    row(
        "`reference --offline`", "`git rev-parse HEAD`", 3,
        lambda: run(flowreg, "reference", "--offline"), lambda: run("git", "rev-parse", "HEAD"), 5 * runs,
    )
    run(flowreg, "--target", "local", "register")
    check_nothing_changed(run(flowreg, "--target", "local", "--format", "json", "register").output)
    row("`flows`, asked before", "`git grep -l`", 0.3, flows, grep)
    row(
        "`register`, nothing changed", "`flows`, nothing kept", 1.3,
        lambda: run(flowreg, "--target", "local", "register"), forgetful_flows,
    )


def check_same_files(flows_json, grep_output):
    """A comparison of speed is worth something only if both found the same files."""
    answer = json.loads(flows_json)
    if answer["errors"]:
        raise SystemExit(f"flowreg found errors in the generated files: {answer['errors'][:3]}")
    ours = {flow["path"] for flow in answer["flows"]}
    theirs = {line.split(":", 1)[1] for line in grep_output.decode().splitlines()}
    if ours != theirs or len(theirs) != generate.FLOW_FILES:
        raise SystemExit(
            f"flowreg found flows in {len(ours)} files, git in {len(theirs)}, "
            f"expected {generate.FLOW_FILES}; differing: {sorted(ours ^ theirs)[:3]}"
        )


def check_nothing_changed(register_json):
    outcomes = {entry["outcome"] for entry in json.loads(register_json)["registrations"]}
    if outcomes - {"unchanged"}:
        raise SystemExit(f"a second register still changed something: {sorted(outcomes)}")


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"{error}") from None
