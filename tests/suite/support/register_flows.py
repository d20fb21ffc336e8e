"""What the real Prefect would register for the flows of every file in a directory.

    python register_flows.py DIRECTORY [--together] > answers.ndjson

One line per file: {"file", "load_error", "flows": {attribute path: {"name", "description", "schema"}}}.
Every file is loaded as `prefect deploy` loads it, in a process of its own that is forked after
Prefect was imported; so 100 files cost one import.
"""

import gc
import inspect
import json
import os
import sys
import traceback
import uuid
import warnings
from pathlib import Path

sys.dont_write_bytecode = True
WORKERS = 2


def registered_schema(flow):
    """Exactly what leaves the client in POST /deployments/ as parameter_openapi_schema."""
    from prefect.client.schemas.actions import DeploymentCreate
    from prefect.utilities.callables import parameter_schema

    dumped = parameter_schema(flow).model_dump(exclude_unset=True)
    body = DeploymentCreate(
        name="x", flow_id=uuid.UUID(int=0), parameter_openapi_schema=dumped
    ).model_dump_json(include={"parameter_openapi_schema"})
    return json.loads(body)["parameter_openapi_schema"]


def registered(flow):
    answer = {"name": flow.name, "description": flow.description}
    try:
        answer["schema"] = registered_schema(flow)
    except Exception as error:
        answer["schema_error"] = f"{type(error).__name__}: {error}"
    return answer


def collect(namespace, prefix, module, flows, seen):
    from prefect.flows import Flow

    for name, value in list(namespace.items()):
        if isinstance(value, (staticmethod, classmethod)):
            value = value.__func__
        if isinstance(value, Flow):
            path = prefix + name
            flows[path] = registered(value)
            if id(value) in seen:
                flows[path]["same_as"] = seen[id(value)]
            seen.setdefault(id(value), path)
        elif inspect.isclass(value) and value.__module__ == module and value.__qualname__ == prefix + name:
            collect(vars(value), prefix + name + ".", module, flows, seen)


def line_in(file, error):
    """The line of the file's own top level that an exception came from."""
    if isinstance(error, SyntaxError):
        return error.lineno
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename.endswith(file)]
    return lines[0] if lines else None


def load(file):
    from prefect.exceptions import ScriptError
    from prefect.utilities.importtools import load_script_as_module

    try:
        module = load_script_as_module(file)
    except ScriptError as error:
        cause = error.user_exc
        message = " | ".join(f"{type(cause).__name__}: {cause}".splitlines())
        return {"file": file, "load_error": message, "line": line_in(file, cause), "flows": {}}
    flows = {}
    collect(vars(module), "", module.__name__, flows, {})
    return {"file": file, "load_error": None, "flows": flows}


def in_child(file):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        try:
            answer = json.dumps(load(file), default=repr)
        except BaseException:
            answer = json.dumps({"file": file, "broken": traceback.format_exc()})
        with os.fdopen(writer, "w") as pipe:
            pipe.write(answer)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return answer or json.dumps({"file": file, "broken": "the process ended"})


def main():
    os.chdir(sys.argv[1])
    together = "--together" in sys.argv
    warnings.simplefilter("ignore")
    import prefect.client.schemas.actions
    import prefect.flows
    # What `from prefect import flow` imports and sets up, once and not once for each file.
    import prefect.main
    import prefect.utilities.importtools  # noqa: F401

    gc.freeze()
    files = sorted(str(path) for path in Path(".").rglob("*.py"))
    workers = []
    for number in range(WORKERS):
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.close(reader)
            with os.fdopen(writer, "w") as pipe:
                for file in files[number::WORKERS]:
                    answer = json.dumps(load(file), default=repr) if together else in_child(file)
                    pipe.write(answer + "\n")
            os._exit(0)
        os.close(writer)
        workers.append(reader)
    # A worker waits while its pipe is full, so they may be read one after the other.
    for reader in workers:
        with os.fdopen(reader) as pipe:
            for line in pipe:
                sys.stdout.write(line)


main()
