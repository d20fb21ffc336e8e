"""What Prefect would register for the flows of some files; run by exactness.py in a venv.

    python exactness_prefect.py REPOSITORY < paths

Writes one JSON object per file: {"path", "error", "stand_ins", "flows": {object: {name,
description, parameter_openapi_schema, identity, imported}}}. Does what `prefect deploy path:object`
does to find out: loads the file with Prefect's own loader from the repository's root, then asks for
the parameter schema. Each file has a process of its own, and a minute.

A file that needs a package which is not installed is loaded a second time with stand-ins for such
packages: modules with every name in them. The flows are then Prefect's all the same, unless
something of a stand-in is the type or the default of a parameter.
"""

import ast
import importlib.abc
import importlib.machinery
import inspect
import json
import os
import signal
import sys
import tempfile
import types
import uuid
import warnings

SECONDS = 60
NO_ANSWER = "no answer in time"

os.environ["PREFECT_HOME"] = tempfile.mkdtemp(prefix="prefect-home-")
os.environ["PREFECT_LOGGING_LEVEL"] = "CRITICAL"
os.environ["PREFECT_SERVER_ALLOW_EPHEMERAL_MODE"] = "false"
os.environ["DO_NOT_TRACK"] = "1"
sys.dont_write_bytecode = True
warnings.simplefilter("ignore")

import prefect.flows  # noqa: E402  (once, before the forks)
from prefect.client.schemas.actions import DeploymentCreate  # noqa: E402
from prefect.utilities.callables import parameter_schema  # noqa: E402
from prefect.utilities.importtools import load_script_as_module  # noqa: E402

Flow = prefect.flows.Flow


def registered(flow, imported):
    schema = parameter_schema(flow).model_dump(exclude_unset=True)
    deployment = DeploymentCreate(name="x", flow_id=uuid.UUID(int=0), parameter_openapi_schema=schema)
    return {
        "name": flow.name,
        "description": flow.description,
        "parameter_openapi_schema": json.loads(deployment.model_dump_json())["parameter_openapi_schema"],
        "identity": id(flow),
        "imported": imported,
    }


def flows_of(owner, prefix, module, is_imported):
    """Flows that can be reached by attribute: of the module, and of classes made in it."""
    for name in list(vars(owner)):
        value = getattr(owner, name, None)
        if isinstance(value, Flow):
            yield prefix + name, registered(value, is_imported(name, value))
        elif inspect.isclass(value) and value.__module__ == module and value.__qualname__ == prefix + name:
            yield from flows_of(value, f"{prefix}{name}.", module, lambda *_: False)


def answer(path):
    tree = ast.parse(open(path, "rb").read())
    imports = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = {(alias.asname or alias.name).split(".")[0] for node in imports for alias in node.names}

    def is_imported(name, flow):
        file = getattr(getattr(flow.fn, "__code__", None), "co_filename", path)
        return name in names or "*" in names and os.path.realpath(file) != os.path.realpath(path)

    module = load_script_as_module(path)
    return dict(flows_of(module, "", module.__name__, is_imported))


class AnyName(type):
    """The class of stand-ins: has every attribute, can be called, subscripted, subclassed."""

    def __getattr__(cls, name):
        if name == "__version__":
            return "99.0"
        if name.startswith("__"):
            raise AttributeError(name)
        return AnyName(name, (), {"__module__": cls.__module__})

    def __call__(cls, *args, **kwargs):
        if len(args) == 1 and inspect.isfunction(args[0]) and not kwargs:
            return args[0]  # a decorator
        return type.__call__(AnyName(cls.__name__, (), {"__init__": lambda self, *_, **__: None}))

    def __getitem__(cls, _):
        return cls

    def __iter__(cls):
        return iter(())


class StandIns(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds packages that nobody else finds, for the files of the repository."""

    def find_spec(self, name, path=None, target=None):
        package = sys.modules.get(name.partition(".")[0])
        if package is None and is_imported_by_repository() or hasattr(package, "is_stand_in"):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        module = types.ModuleType(spec.name)
        module.is_stand_in = True
        module.__getattr__ = lambda name: getattr(AnyName("Module", (), {"__module__": spec.name}), name)
        return module

    def exec_module(self, module):
        pass


def is_imported_by_repository():
    """Whether an import statement of the repository asks, and no `importlib.util.find_spec()`."""
    frame = sys._getframe(2)
    while frame and "importlib._bootstrap" in frame.f_code.co_filename:
        frame = frame.f_back
    file = frame.f_code.co_filename if frame else "<>"
    return not file.startswith("<") and os.path.abspath(file).startswith(os.getcwd() + os.sep)


def result_for(path):
    result = in_a_process(path, with_stand_ins=False)
    if result["error"] == NO_ANSWER:  # a fork may inherit a lock that another thread held
        result = in_a_process(path, with_stand_ins=False)
    if (result["error"] or "").startswith("ModuleNotFoundError"):
        second = in_a_process(path, with_stand_ins=True)
        return result if second["error"] else second
    return result


def result_without_flows(path):
    return {"path": path, "error": None, "stand_ins": False, "flows": {}}


def in_a_process(path, with_stand_ins):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        signal.alarm(SECONDS)
        for descriptor in (0, 1, 2):
            os.dup2(os.open(os.devnull, os.O_RDWR), descriptor)
        if with_stand_ins:
            sys.meta_path.append(StandIns())
        result = {**result_without_flows(path), "stand_ins": with_stand_ins}
        try:
            result["flows"] = answer(path)
        except BaseException as error:
            cause = getattr(error, "user_exc", error)
            lines = (str(cause).splitlines() or [""])[0][:300]
            result["error"] = f"{type(cause).__name__}: {lines}"
        with os.fdopen(writer, "w") as pipe:
            json.dump(result, pipe)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    try:
        os.killpg(child, signal.SIGKILL)
    except ProcessLookupError:
        pass
    return json.loads(text) if text else {**result_without_flows(path), "error": NO_ANSWER}


def main():
    os.chdir(sys.argv[1])
    for path in sys.stdin.read().splitlines():
        print(json.dumps(result_for(path)), flush=True)


if __name__ == "__main__":
    main()
