"""Runs lists of pull steps, each in a directory of its own, and says where Prefect ends.

Reads a JSON list of lists of steps, and writes a JSON list: the URL, the commit and the path below the root of the
git work tree in which a flow would be loaded; nothing outside of one; the error if a step fails.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile

from prefect.deployments.steps.core import run_steps


def git(*arguments):
    done = subprocess.run(["git", *arguments], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None


async def end_of(steps):
    output = await run_steps(steps, print_function=lambda *_: None)
    # As `load_flow_from_flow_run` does it.
    if output.get("directory"):
        os.chdir(output["directory"])
    below = git("rev-parse", "--show-prefix")
    if below is None:
        return {"url": None}
    return {
        "url": git("config", "--get", "remote.origin.url"),
        "commit": git("rev-parse", "HEAD"),
        "below": below.rstrip("/"),
    }


def main():
    lists = json.load(sys.stdin)
    # Steps print.
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    ends = []
    for steps in lists:
        # Deep enough for steps that lead upwards.
        start = os.path.join(tempfile.mkdtemp(), "a", "b", "c", "d", "e")
        os.makedirs(start)
        os.chdir(start)
        try:
            ends.append(asyncio.run(end_of(steps)))
        except Exception as error:
            ends.append({"error": f"{error!r} {error.__cause__!r}"})
    json.dump(ends, answer)


main()
