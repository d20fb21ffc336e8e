"""Runs the build and push steps of a deployment as `prefect deploy` does, and writes their outputs.

The request is a JSON object on standard input: `build` and `push`, lists of steps, and `answer`, the
file for what comes of them: `{"outputs": {…}}` or `{"error": "…"}`. What steps print goes to
standard error: standard output is flowreg's.

For Prefect 2 and 3.
"""

import asyncio
import json
import os
import sys


def main():
    request = json.load(sys.stdin)
    os.dup2(2, 1)
    answer = request["answer"]
    # `prefect deploy` does not have this file's directory on its path, but the working directory.
    sys.path[0] = os.getcwd()
    try:
        from prefect.deployments.steps.core import run_steps
    except BaseException as error:
        return write(answer, {"error": "Prefect can't be imported: " + message(error)})

    async def run():
        outputs = {}
        for steps in (request["build"], request["push"]):
            if steps:
                outputs.update(await run_steps(steps, outputs))
        return outputs

    try:
        outputs = asyncio.run(run())
    except BaseException as error:
        # Also what is no `Exception`: a step may exit.
        cause = error.__cause__
        text = message(error) if cause is None else message(error) + ": " + message(cause)
        return write(answer, {"error": text})
    write(answer, {"outputs": outputs})


def message(error):
    lines = str(error).strip().splitlines()
    name = type(error).__name__
    return name + ": " + lines[0] if lines else name


def write(path, value):
    with open(path + ".part", "w", encoding="utf-8") as file:
        json.dump(value, file, default=str)
    os.replace(path + ".part", path)


main()
