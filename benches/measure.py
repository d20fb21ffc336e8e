"""Runs two programs in turn, and says how many times the one costs the other.

CPU time is user and system time of the process and of what it waited for, as the kernel counts
it (`wait4`). Nothing here fails because a number is high: these are ratios to read, not tests.
"""

import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class Sample:
    """What one process cost, in seconds."""

    def __init__(self, wall, cpu, output):
        self.wall, self.cpu, self.output = wall, cpu, output


def run(arguments, directory, environment):
    """Runs one process to its end; its output goes to a file, as a pipe would add our reading."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.perf_counter()
        child = subprocess.Popen(
            arguments, cwd=directory, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        output = out.read()
        if child.returncode != 0:
            err.seek(0)
            said = (err.read() + output).decode(errors="replace")
            raise SystemExit(f"{' '.join(map(str, arguments))}\nexit code {child.returncode}\n{said}")
    return Sample(wall, usage.ru_utime + usage.ru_stime, output)


class Comparison:
    """Ours against theirs, measured in turn so that a busy machine is busy for both."""

    def __init__(self, ours, theirs, runs):
        """`ours` and `theirs` are functions that return a `Sample`; one run of each is not counted."""
        ours(), theirs()
        self.ours, self.theirs = [], []
        for turn in range(runs):
            pair = [(ours, self.ours), (theirs, self.theirs)]
            for side, samples in pair if turn % 2 == 0 else reversed(pair):
                samples.append(side())

    def ratio(self, what):
        """The medians of both, their ratio, and the middle half of the ratios of the pairs."""
        ours = [getattr(sample, what) for sample in self.ours]
        theirs = [getattr(sample, what) for sample in self.theirs]
        pairs = [mine / other for mine, other in zip(ours, theirs)]
        low, _, high = statistics.quantiles(pairs, n=4)
        mine, other = statistics.median(ours), statistics.median(theirs)
        return mine, other, mine / other, low, high


def seconds(value):
    return f"{value * 1000:.1f} ms" if value < 1 else f"{value:.2f} s"


def flowreg_binary():
    """The program to measure: `$FLOWREG`, else the release build, made when it is missing."""
    given = os.environ.get("FLOWREG")
    if given:
        return Path(given).resolve()
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    binary = target / "release" / "flowreg"
    if not binary.exists():
        subprocess.run(["cargo", "build", "--release", "--locked"], cwd=ROOT, check=True)
    return binary


def machine():
    """One line about where the numbers come from."""
    git = subprocess.run(["git", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    load = os.getloadavg()[0]
    return f"{git}, {os.cpu_count()} cores, load {load:.1f} at this moment"
