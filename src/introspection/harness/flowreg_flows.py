"""Loads a file as `prefect deploy` does, and says what it would register."""

import json
import os
import sys

from flowreg_depends import Depends, inside_of, is_below

# A reason is one line that people read.
REASON_LENGTH = 300


class Prefect:
    """The parts of Prefect that `prefect deploy` uses."""

    def __init__(self):
        import prefect
        from prefect.client.schemas.actions import DeploymentCreate
        from prefect.flows import Flow
        from prefect.utilities.callables import parameter_schema
        from prefect.utilities.importtools import load_module, load_script_as_module

        self.version = prefect.__version__
        self.flow_class = Flow
        self.deployment_class = DeploymentCreate
        self.parameter_schema = parameter_schema
        self.load_script = load_script_as_module
        self.load_module = load_module

        # Prefect imports much of itself only when it is used: here once, not in every child.
        def first(number: int = 1):
            """First.

            Args:
                number: counts
            """

        self.schema(prefect.flow(first))

    def file(self, request, question):
        return File(self, request, question)

    def load(self, path, is_module):
        """The module, as `load_flow_from_entrypoint` has it when no import fails: never its
        fallback, which guesses from the syntax tree."""
        load = self.load_module if is_module else self.load_script
        if not self.version.startswith("2."):
            return load(path)
        from prefect.context import PrefectObjectRegistry

        with PrefectObjectRegistry(block_code_execution=True, capture_failures=True):
            return load(path)

    def schema(self, flow):
        """What the client sends in `POST /deployments/`."""
        import uuid

        schema = self.parameter_schema(flow)
        known = {"name": "x", "flow_id": uuid.UUID(int=0)}
        if hasattr(schema, "model_dump"):
            known["parameter_openapi_schema"] = schema.model_dump(exclude_unset=True)
            deployment = self.deployment_class(**known)
            body = json.loads(deployment.model_dump_json(include={"parameter_openapi_schema"}))
        else:
            known["parameter_openapi_schema"] = schema.dict()
            body = self.deployment_class(**known).dict(json_compatible=True)
        return body["parameter_openapi_schema"]

    def is_flow(self, value):
        # Not `isinstance`: a lazy proxy would do its work for it.
        return issubclass(type(value), self.flow_class)


class Reasons:
    """Why something failed, in one line: without what the environment holds, and with paths from
    the root of the repository."""

    def __init__(self, root):
        import re

        self.root = root
        self.credentials = re.compile(r"://[^/\s:@]*:[^/\s@]+@")
        self.input = re.compile(r"input_value=.*?, input_type")
        values = [(value, name) for name, value in os.environ.items() if len(value) >= 6]
        self.secrets = sorted(values, key=lambda pair: -len(pair[0]))

    def line(self, text):
        if self.root:
            text = text.replace(self.root + os.sep, "").replace(self.root, ".")
        for value, name in self.secrets:
            text = text.replace(value, "$" + name)
        text = self.credentials.sub("://***@", text)
        text = self.input.sub("input_value=..., input_type", text)
        text = " ".join(text.split())
        return text if len(text) <= REASON_LENGTH else text[:REASON_LENGTH] + "..."

    def message(self, error):
        try:
            text = str(error)
        except BaseException:
            text = ""
        text = self.line(text)
        kind = type(error).__name__
        return "%s: %s" % (kind, text) if text else kind

    def place(self, error):
        """The last line of the repository that was running: `flows/a.py:3`."""
        place, trace = None, error.__traceback__
        while trace is not None:
            file = trace.tb_frame.f_code.co_filename
            file = os.path.abspath(file) if file[:1] != "<" else file
            if self.root and file.startswith(self.root + os.sep):
                place = "%s:%d" % (os.path.relpath(file, self.root), trace.tb_lineno)
            trace = trace.tb_next
        return place

    def failure(self, error):
        error = getattr(error, "user_exc", error)
        place = self.place(error)
        if isinstance(error, SystemExit):
            code = error.code
            last = self.line(code) if isinstance(code, str) else None
            code = code if isinstance(code, int) else int(code is not None)
            return {"kind": "exited", "code": code, "last": last}
        if isinstance(error, ModuleNotFoundError) and error.name:
            return {"kind": "missing_module", "module": self.line(error.name), "place": place}
        message = self.message(error)
        if "PREFECT_API_URL" in message:
            return {"kind": "needs_api", "place": place}
        return {"kind": "raised", "message": message, "place": place}


class File:
    """The answers about one file."""

    def __init__(self, prefect, request, question):
        self.prefect = prefect
        self.question = question
        self.root = request["root"]
        self.shown = request["shown"]
        self.reasons = Reasons(self.root)
        self.names_paths = False
        self.work_trees = request["work_trees"]
        self.depends = Depends(request)

    def answer(self):
        self.depends.watch()
        answer = self.loaded()
        self.depends.stop()
        answer["depends"] = self.depends.report()
        return answer

    def loaded(self):
        path = self.question["path"]
        command = os.path.join(os.path.dirname(sys.executable or "python"), "prefect")
        sys.argv = [command, "deploy", path]
        os.chdir(self.root)
        # Before installed packages: of a package of the repository the commit's modules count.
        roots = [os.path.join(self.root, path) for path in self.question["source_roots"]]
        sys.path[:0] = roots
        try:
            module = self.prefect.load(path, self.question["is_module"])
        except BaseException as error:
            return {"failure": self.reasons.failure(error)}
        self.depends.stop()
        other = self.of_work_tree()
        if other:
            return {"failure": {"kind": "work_tree", "module": other}}
        flows, seen = [], set()
        for name in self.question["objects"]:
            flows.append(self.asked(module, name, seen))
        if self.question["discover"]:
            imported = self.imported(module)
            for name, flow in self.found(module, vars(module), ""):
                if id(flow) not in seen and id(flow) not in imported:
                    seen.add(id(flow))
                    flows.append(self.described(name, flow, module))
        return {"flows": flows, "names_paths": self.names_paths}

    def of_work_tree(self):
        """A module that came from a work tree: what it says is not what the commit says."""
        for name, module in sorted(sys.modules.items()):
            path = getattr(module, "__file__", None)
            if isinstance(path, str) and not is_below(os.path.realpath(path), self.depends.home):
                if inside_of(path, self.work_trees) is not None:
                    return name
        return None

    def asked(self, module, name, seen):
        value = module
        try:
            for part in name.split("."):
                value = getattr(value, part)
        except AttributeError:
            return {"object": name, "failure": {"kind": "not_found"}}
        except BaseException as error:
            return {"object": name, "failure": self.reasons.failure(error)}
        if not self.prefect.is_flow(value):
            return {"object": name, "failure": {"kind": "not_a_flow"}}
        seen.add(id(value))
        return self.described(name, value, module)

    def found(self, module, namespace, prefix):
        """The flows that are attributes of the module, of its classes and of classes in them."""
        for name, value in list(namespace.items()):
            if self.prefect.is_flow(value):
                yield prefix + name, value
            elif (
                isinstance(value, type)
                and value.__module__ == module.__name__
                and value.__qualname__ == prefix + name
            ):
                for found in self.found(module, vars(value), prefix + name + "."):
                    yield found

    def imported(self, module):
        """Flows that another module holds, too: they are registered where they are made."""
        return {
            id(value)
            for other in list(sys.modules.values())
            if other is not module
            for value in list(getattr(other, "__dict__", {}).values())
            if self.prefect.is_flow(value)
        }

    def described(self, name, flow, module):
        try:
            answer = {
                "object": name,
                "name": flow.name,
                "description": flow.description,
                "schema": self.prefect.schema(flow),
                "line": line_of(flow, module),
            }
            answer = self.as_shown(answer)
            # Half a surrogate pair is text in Python, and nothing that could be sent.
            json.dumps(answer, ensure_ascii=False).encode("utf-8")
            return answer
        except BaseException as error:
            return {"object": name, "failure": self.reasons.failure(error)}

    def as_shown(self, value):
        """The directory of this run as the directory that `prefect deploy` would run in; what JSON
        has no number for as null, which is what the client sends."""
        if isinstance(value, str) and self.root in value:
            self.names_paths = True
            return value.replace(self.root, self.shown)
        if isinstance(value, dict):
            return {key: self.as_shown(below) for key, below in value.items()}
        if isinstance(value, list):
            return [self.as_shown(below) for below in value]
        if isinstance(value, float) and not abs(value) < float("inf"):
            return None
        return value


def line_of(flow, module):
    """The line of the first decorator, if the function stands in this file."""
    import inspect

    code = getattr(inspect.unwrap(flow.fn), "__code__", None)
    own = getattr(module, "__file__", None)
    if code is None or own is None or not os.path.exists(code.co_filename):
        return None
    return code.co_firstlineno if os.path.samefile(code.co_filename, own) else None


def encoded(answer, limit):
    depends = answer.pop("depends", None)
    text = json.dumps(answer)
    if len(text) > limit:
        return json.dumps({"failure": {"kind": "too_large", "bytes": len(text)}})
    # An answer that depends on very much is not kept.
    kept = json.dumps(dict(answer, depends=depends))
    return kept if len(kept) <= 2 * limit else text
