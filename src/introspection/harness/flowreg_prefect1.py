"""Loads a file as `prefect register` of Prefect 1 does, and says what it would send.

Each flow gets its storage and run configuration as the request says, and is serialized by Prefect
itself. Whatever Prefect 1 would take at registration and fail at in every run is refused here.

For Python 3.7 and newer, Prefect 1.
"""

import ast
import hashlib
import json
import os
import sys

from flowreg_flows import Reasons


class Prefect:
    """The parts of Prefect 1 that `prefect register` uses."""

    def __init__(self):
        import prefect

        self.version = prefect.__version__
        if not self.version.startswith(("0.", "1.")):
            return
        import prefect.run_configs
        import prefect.storage
        from prefect.serialization.flow import FlowSchema
        from prefect.utilities.graphql import compress

        self.prefect = prefect
        self.schema = FlowSchema
        self.compress = compress
        self.keep_from_backend(prefect)
        # What is broken in an installation shows here once, and not as a failure of every flow.
        first = prefect.Flow("first", storage=prefect.storage.Git(repo="a/b", flow_path="c.py"))
        first.run_config = prefect.run_configs.UniversalRun()
        self.serialized(first)

    @staticmethod
    def keep_from_backend(prefect):
        def refuse(*arguments, **options):
            raise RuntimeError("PREFECT_API_URL is not to be had while a file is loaded")

        prefect.client.Client._request = refuse

    def file(self, request, question):
        return File(self, request, question)

    def serialized(self, flow):
        """As the client sends it, and the key that it computes of it."""
        serialized = flow.serialize(build=False)
        text = json.dumps(serialized, sort_keys=True)
        # Raises for what could not be loaded back; it changes what it is given.
        self.schema().load(json.loads(text))
        key = hashlib.sha256(text.encode()).hexdigest()
        return serialized, key, self.compress(serialized)


class Refused(Exception):
    """Registering the flow would be of no use."""

    def __init__(self, code, message, hint):
        Exception.__init__(self, message)
        self.answer = {"code": code, "message": message, "hint": hint}


class File:
    """The answers about one file."""

    def __init__(self, prefect, request, question):
        self.prefect = prefect
        self.options = request["prefect1"]
        self.path = question["path"]
        self.root = request["root"]
        self.asked = {other["path"] for other in request["files"]}
        self.reasons = Reasons(self.root)

    def answer(self):
        os.chdir(self.root)
        sys.argv = ["prefect", "register", "--path", self.path]
        before = set(sys.modules)
        try:
            namespace = self.load(os.path.join(self.root, self.path))
        except BaseException as error:
            return {"failure": self.reasons.failure(error)}
        self.siblings = sorted(self.imported_from_checkout(before))
        tree = self.tree()
        flows, seen = [], self.made_elsewhere()
        for name, value in list(namespace.items()):
            if isinstance(value, self.prefect.prefect.Flow) and id(value) not in seen:
                seen.add(id(value))
                flows.append(self.built(name, value, line_of(tree, name)))
        known = {flow.get("flow_name") for flow in flows}
        nested = [] if tree is None else [found for found in nested_flows(tree) if found[0] not in known]
        return {"flows": [], "built": flows, "nested": nested}

    def load(self, path):
        """As the client does: the file's directory is on the path, and nothing registers itself."""
        import runpy

        sys.path.insert(0, os.path.dirname(path))
        context = {"loading_flow": True, "local_script_path": path}
        with self.prefect.prefect.context(context):
            return runpy.run_path(path, run_name="<flow>")

    def tree(self):
        try:
            with open(os.path.join(self.root, self.path), "rb") as file:
                return ast.parse(file.read())
        except (OSError, SyntaxError, ValueError):
            return None

    def imported_from_checkout(self, before):
        """The modules of the repository that the file imports: runs will not find them."""
        for name in set(sys.modules) - before:
            file = getattr(sys.modules.get(name), "__file__", None)
            if file and os.path.realpath(file).startswith(self.root + os.sep):
                yield name.split(".")[0]

    def made_elsewhere(self):
        """Flows of other files that are asked about: they are registered where they are made."""
        found = set()
        for module in list(sys.modules.values()):
            file = getattr(module, "__file__", None)
            if file and os.path.relpath(os.path.realpath(file), self.root) in self.asked:
                for value in list(vars(module).values()):
                    if isinstance(value, self.prefect.prefect.Flow):
                        found.add(id(value))
        return found

    def built(self, name, flow, line):
        answer = {"object": name, "name": flow.name, "flow_name": flow.name, "line": line}
        options = dict(self.options["defaults"])
        options.update(self.options["flows"].get(flow.name, {}))
        try:
            return dict(answer, **self.prepared(flow, options))
        except Refused as refused:
            return dict(answer, refused=refused.answer)
        except BaseException as error:
            message = self.reasons.message(error)
            place = self.reasons.place(error)
            refused = {"code": "not_built", "message": "Prefect can't build it: " + message}
            refused["hint"] = "see " + place if place else None
            return dict(answer, refused=refused)

    def prepared(self, flow, options):
        """What `prefect register` does with a flow before it is sent."""
        check_schedule(flow)
        own_name = flow.name
        flow.storage = self.storage(flow, options["storage"])
        if self.options["suffix"] and type(flow.storage).__name__ != "Git":
            raise Refused(
                "feature_name",
                "%s storage finds a flow by the name that it is registered by, so a branch can't "
                "have one of its own" % type(flow.storage).__name__,
                "give feature branches a project: feature_project under [prefect1]",
            )
        flow.name = own_name + self.options["suffix"]
        if not flow.result:
            flow.result = flow.storage.result
        flow.run_config = self.run_config(flow.run_config, options.get("run_config") or {})
        flow.run_config.labels.update(options["labels"])
        flow.run_config.labels.update(flow.storage.labels)
        if flow.name not in flow.storage.flows:
            flow.storage.add_flow(flow)
        serialized, key, compressed = self.prefect.serialized(flow)
        answer = {"name": flow.name, "serialized": serialized, "idempotency_key": key}
        answer["compressed"] = compressed
        answer["has_schedule"] = flow.schedule is not None
        is_git = type(flow.storage).__name__ == "Git"
        answer["siblings"] = sorted(set(self.siblings)) if is_git else []
        return answer

    def storage(self, flow, options):
        storage = self.prefect.prefect.storage
        kind = options["type"]
        if kind == "git":
            # Without the name Prefect runs the first flow of the file, whichever it is.
            return storage.Git(flow_path=self.path, flow_name=flow.name, **options["options"])
        if kind == "docker":
            given = {
                name: value.replace("{flow_path}", self.path)
                for name, value in options["options"].items()
            }
            return storage.Docker(stored_as_script=True, **given)
        if flow.storage is None:
            raise Refused(
                "no_storage",
                "the flow has no storage of its own to keep",
                'give it one in the code, or `storage = "git"` in flowreg.toml',
            )
        check_own_storage(flow.storage)
        return flow.storage

    def run_config(self, own, options):
        options = dict(options)
        kind = options.pop("type", None)
        if kind is None:
            own = own if own is not None else self.prefect.prefect.run_configs.UniversalRun()
            return self.changed(own, options)
        name = CLASSES[kind]
        try:
            return getattr(self.prefect.prefect.run_configs, name)(**options)
        except TypeError as error:
            raise Refused("run_config", "%s: %s" % (name, error), "change run_config in flowreg.toml")

    def changed(self, own, options):
        """The flow's own run configuration with what is configured over it."""
        for name, value in options.items():
            if not hasattr(own, name):
                raise Refused(
                    "run_config",
                    "%s has no `%s`" % (type(own).__name__, name),
                    'say which it is to be: run_config = { type = "docker", … }',
                )
            if name == "env":
                own.env = dict(own.env or {}, **value)
            elif name == "labels":
                own.labels.update(value)
            else:
                setattr(own, name, value)
        return own


CLASSES = {
    "universal": "UniversalRun",
    "local": "LocalRun",
    "docker": "DockerRun",
    "kubernetes": "KubernetesRun",
    "ecs": "ECSRun",
    "vertex": "VertexRun",
}


def check_schedule(flow):
    """The server would take it, and silently leave the schedule switched off."""
    if flow.schedule is None:
        return
    required = {parameter.name for parameter in flow.parameters() if parameter.required}
    for clock in flow.schedule.clocks:
        missing = sorted(required - set(clock.parameter_defaults))
        if missing:
            raise Refused(
                "schedule_parameters",
                "it has a schedule, and no value for the required parameter `%s`" % missing[0],
                "give the parameter a default, or the clock `parameter_defaults`",
            )


def check_own_storage(storage):
    if type(storage).__name__ != "Git":
        return
    if os.path.isabs(storage.flow_path or ""):
        raise Refused(
            "absolute_path",
            "its storage has the absolute path `%s`, which no clone has" % storage.flow_path,
            "write the path from the root of the repository, without a slash at the start",
        )
    if storage.commit:
        raise Refused(
            "storage_commit",
            "its storage names a commit, and Prefect 1 runs the default branch instead",
            "name a tag or a branch in it",
        )


def line_of(tree, name):
    """The line of the last statement that binds a name, outside of functions."""
    found = None
    for node in statements(tree) if tree is not None else ():
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.With):
            targets = [item.optional_vars for item in node.items]
        else:
            continue
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            found = node.lineno
    return found


def statements(node):
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            continue
        yield child
        for below in statements(child):
            yield below


def nested_flows(tree):
    """Name and line of each flow with a literal name that is made inside a function."""
    found = []
    for function in ast.walk(tree):
        if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        for call in ast.walk(function):
            if not isinstance(call, ast.Call):
                continue
            callee = call.func
            called = getattr(callee, "id", getattr(callee, "attr", None))
            names = call.args[:1] + [word.value for word in call.keywords if word.arg == "name"]
            # Before Python 3.8 a literal is a `Str`.
            name = getattr(names[0], "value", getattr(names[0], "s", None)) if names else None
            if called == "Flow" and isinstance(name, str) and [name, call.lineno] not in found:
                found.append([name, call.lineno])
    return found
