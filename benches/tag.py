#!/usr/bin/env python3
"""`flowreg tag --print` against `git describe --tags`, on 10,000 commits and 1,000 tags; and its
versions against those of git-cliff, on generated histories.

    python3 benches/tag.py [DIRECTORY] [--runs N] [--histories N]

The repository is made in DIRECTORY (default: `target/bench-tag`) and used again from there.
`$FLOWREG` names another binary than `target/release/flowreg`; `$GIT_CLIFF` names git-cliff, without
which the comparison of versions is left out (`pip install git-cliff`, or `cargo install git-cliff`).
"""

import argparse
import collections
import json
import os
import random
import shutil
import subprocess
from pathlib import Path

import generate
import measure

COMMITS = 10_000
TAGS = 1_000
START = 1_700_000_000

# Differences that docs/tagging.md describes: history, what git-cliff says, what we say.
KNOWN = {
    "breaking before 1.0.0": lambda history, theirs, ours: (
        history.major == 0 and history.breaks and theirs == "v1.0.0" and ours == f"v0.{history.minor + 1}.0"
    ),
    "no commits": lambda history, theirs, ours: not history.messages and not ours and theirs == history.latest,
    "nothing to release": lambda history, theirs, ours: (
        history.messages and history.is_idle and not ours and not history.is_pre
        and theirs == (history.patched() if any(map(is_conventional, history.messages)) else history.latest)
    ),
    # The commits since the last release decide, and each history begins with a feature.
    "after a pre-release": lambda history, theirs, ours: (
        history.is_pre and ours == history.announced() and theirs in (history.counted(), history.latest)
    ),
}


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("directory", nargs="?", type=Path, default=measure.ROOT / "target" / "bench-tag")
    options.add_argument("--runs", type=int, default=75, help="counted runs of each (at least 9)")
    options.add_argument("--histories", type=int, default=200, help="generated histories to compare")
    arguments = options.parse_args()
    directory = arguments.directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    environment = generate.isolated_environment(directory / "home")
    Path(environment["HOME"]).mkdir(exist_ok=True)
    flowreg = measure.flowreg_binary()

    print(f"{measure.machine()}; median of {max(arguments.runs, 9)}, ratio with the middle half of the runs\n")
    print("| history | ours | against | CPU ours | CPU theirs | CPU ratio | target | wall ratio |")
    print("|---|---|---|---|---|---|---|---|")
    for name, branches in [("one line", False), ("a branch of higher versions", True)]:
        repository = large(directory / name.replace(" ", "-"), environment, branches)
        speed(name, repository, flowreg, environment, max(arguments.runs, 9))
    cliff = os.environ.get("GIT_CLIFF") or shutil.which("git-cliff")
    if cliff:
        compare(directory / "histories", flowreg, cliff, environment, arguments.histories)
    else:
        print("\ngit-cliff is not here: versions are not compared ($GIT_CLIFF)")


def large(path, environment, branches):
    """10,000 commits and a tag after every tenth, annotated and lightweight in turn."""
    if path.exists():
        return path
    partial = path.with_name(path.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    git("init", "-q", "-b", "main", partial, directory=path.parent, environment=environment)
    stream = []
    kinds = ["feat", "fix", "chore", "docs"]

    def commit(ref, number, parent=None):
        message = f"{kinds[number % 4]}: change {number}\n\nWhy it was needed, in a sentence or two.\n"
        stream.append(f"commit {ref}\nmark :{number + 1}\ncommitter Ada <ada@example.com> {START + number * 60} +0000\n")
        stream.append(f"data {len(message)}\n{message}")
        stream.append(f"from {parent}\n" if parent else "")
        content = f"x = {number}\n"
        stream.append(f"M 100644 inline teams/{number % 50}/flow.py\ndata {len(content)}\n{content}\n")

    def tag(name, number):
        if number % 20 != 4:
            stream.append(f"reset refs/tags/{name}\nfrom :{number + 1}\n\n")
        else:
            stream.append(f"tag {name}\nfrom :{number + 1}\ntagger Ada <ada@example.com> {START + number * 60} +0000\n")
            stream.append(f"data {len(name)}\n{name}\n")

    for number in range(COMMITS):
        commit("refs/heads/main", number)
        if number % 10 == 4:
            tag(f"v1.{number // 100}.{number % 100}", number)
    if branches:
        # The highest version is not in main's history, so all of that is looked through.
        commit("refs/heads/next", COMMITS, parent=":9000")
        tag("v2.0.0", COMMITS)
    text = "".join(stream)
    subprocess.run(["git", "fast-import", "--quiet"], input=text.encode(), cwd=partial, env=environment, check=True)
    git("checkout", "-q", "main", directory=partial, environment=environment)
    git("gc", "-q", directory=partial, environment=environment)
    partial.rename(path)
    return path


def speed(name, repository, flowreg, environment, runs):
    def ours():
        return measure.run([flowreg, "tag", "--print", "--bump", "minor"], repository, environment)

    def by_commits():
        return measure.run([flowreg, "tag", "--print"], repository, environment)

    def describe():
        return measure.run(["git", "describe", "--tags"], repository, environment)

    listed = git("tag", directory=repository, environment=environment).split()
    if len(listed) < TAGS or by_commits().output.strip() != b"v1.100.0":
        raise SystemExit(f"{len(listed)} tags, {by_commits().output!r}: not what was generated")
    for line, first in [("`tag --print`", by_commits), ("`tag --print --bump minor`", ours)]:
        comparison = measure.Comparison(first, describe, runs)
        mine, other, ratio, low, high = comparison.ratio("cpu")
        wall = comparison.ratio("wall")[2]
        print(
            f"| {name} | {line} | `git describe --tags` | {measure.seconds(mine)} | {measure.seconds(other)} | "
            f"**{ratio:.2f} ×** ({low:.2f} to {high:.2f}) | ≤ 3 × | {wall:.2f} × |",
            flush=True,
        )


class History:
    """A short random history with conventional and other commits, and perhaps a version."""

    SUBJECTS = [
        "feat: a", "feat(x): b", "fix: c", "fix(y): d", "perf: e", "chore: f", "docs: g", "refactor: h",
        "feat!: i", "fix(z)!: j", "chore!: k", "Some words", "Merge branch 'x'", "ci: l", "test: m", "style: n",
    ]

    def __init__(self, seed):
        chance = random.Random(seed)
        major = chance.choice([0, 1, 1, 2])
        self.latest = f"v{major}.{chance.randrange(5)}.{chance.randrange(5)}"
        if chance.random() < 0.15:
            self.latest += f"-rc.{chance.randrange(1, 4)}"
        self.subjects = [chance.choice(self.SUBJECTS) for _ in range(chance.randrange(0, 5))]
        footer = "\n\nBREAKING CHANGE: all of it"
        self.messages = [s + footer if chance.random() < 0.08 else s for s in self.subjects]

    @property
    def is_pre(self):
        return "-" in self.latest

    @property
    def major(self):
        return int(self.latest[1:].split(".")[0])

    @property
    def minor(self):
        return int(self.latest.split(".")[1])

    @property
    def breaks(self):
        return any("BREAKING" in m or "!:" in m for m in self.messages if is_conventional(m))

    @property
    def is_idle(self):
        """No commit asks for a release."""
        return not self.breaks and not any(s.startswith(("feat", "fix", "perf")) for s in self.subjects)

    def patched(self):
        major, minor, patch = self.announced()[1:].split(".")
        return f"v{major}.{minor}.{int(patch) + 1}"

    def counted(self):
        before, number = self.latest.rsplit(".", 1)
        return f"{before}.{int(number) + 1}"

    def announced(self):
        return self.latest.split("-")[0]

    def make(self, path, environment):
        shutil.rmtree(path, ignore_errors=True)
        git("init", "-q", "-b", "main", path, directory=path.parent, environment=environment)
        git("commit", "-q", "--allow-empty", "-m", "feat: first", directory=path, environment=environment)
        git("tag", self.latest, directory=path, environment=environment)
        for message in self.messages:
            git("commit", "-q", "--allow-empty", "-m", message, directory=path, environment=environment)


def is_conventional(message):
    return ": " in message.splitlines()[0]


def compare(directory, flowreg, cliff, environment, count):
    """The same history to both: how often they agree, and why not where they don't."""
    directory.mkdir(exist_ok=True)
    tally, unexplained = collections.Counter(), []
    for seed in range(count):
        history = History(seed)
        path = directory / "one"
        history.make(path, environment)
        answer = json.loads(measure.run([flowreg, "--format", "json", "tag", "--print"], path, environment).output)
        # The last version's own tag means: nothing new.
        ours = "" if answer["outcome"] in ("nothing", "exists") else answer["tag"]
        theirs = subprocess.run(
            [cliff, "--bumped-version"], cwd=path, env=environment, capture_output=True, text=True, check=True
        ).stdout.strip()
        if ours == theirs:
            tally["the same"] += 1
            continue
        reason = next((name for name, explains in KNOWN.items() if explains(history, theirs, ours)), None)
        tally[reason or "not explained"] += 1
        if reason is None:
            unexplained.append((history.latest, history.messages, theirs, ours))
    version = subprocess.run([cliff, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    print(f"\n{count} histories, against {version} --bumped-version:\n")
    for reason, number in tally.most_common():
        print(f"- {reason}: {number}")
    if unexplained:
        raise SystemExit(f"differences that docs/tagging.md does not describe: {unexplained[:5]}")


def git(*arguments, directory, environment):
    return subprocess.run(
        ["git", *map(str, arguments)], cwd=directory, env=environment, check=True, capture_output=True, text=True
    ).stdout


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"{error}\n{error.stderr}") from None
