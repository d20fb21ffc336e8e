"""What `prefect deploy` would register for some flows; flowreg asks, this answers.

One JSON object a line. This says first which Prefect it found ("found"), then that it is imported
("ready"). flowreg sends one request; each file is answered by its number ("answer"), in any
order, and then comes "done". The end of standard input means that flowreg is gone.

Every file is loaded in a child of its own, so that one that exits, hangs, prints, starts processes
or replaces modules harms only itself. Where there is no fork, one after the other in this process.

For Python 3.8 and newer, Prefect 2 and 3.
"""

import json
import os
import sys

# A reason is one line that people read.
REASON_LENGTH = 300
# What is kept of the end of what a file prints.
TAIL_BYTES = 2048
# So many files at once, on a machine that has the processors: each may hold a data library.
MOST_CHILDREN = 4
POLL_SECONDS = 0.02


def main(home):
    # `prefect deploy` does not have this directory on its path either.
    here = os.path.dirname(os.path.abspath(__file__))
    if sys.path and os.path.abspath(sys.path[0] or ".") == here:
        del sys.path[0]
    # Answers go through a descriptor that no other code knows of.
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 1)

    def send(message):
        channel.write(json.dumps(message) + "\n")
        channel.flush()

    send({"message": "found", "prefect": prefect_version(), "python": sys.version.split()[0]})
    try:
        prefect = Prefect()
    except BaseException as error:
        # Whatever keeps Prefect from being imported, flowreg is told and nothing else can go on.
        send({"message": "broken", "reason": Reasons("", ".").message(error)})
        return
    send({"message": "ready", "prefect": prefect.version})
    request = sys.stdin.readline()
    if not request:
        return abandon(home)
    request = json.loads(request)
    if hasattr(os, "fork"):
        is_wanted = Children(prefect, request, home, channel, send).run()
        if not is_wanted:
            return abandon(home)
    else:
        in_this_process(prefect, request, send)
    send({"message": "done"})


def abandon(home):
    """flowreg was killed: what it would have removed goes with it."""
    import shutil

    if os.path.basename(home).startswith("flowreg-"):
        shutil.rmtree(home, ignore_errors=True)


def prefect_version():
    """Before Prefect is imported, which takes a second; `None` if it is not there."""
    import importlib.util
    from importlib import metadata

    for name in ("prefect", "prefect-client"):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            pass
    return None if importlib.util.find_spec("prefect") is None else "unknown"


class Prefect:
    """The parts of Prefect that `prefect deploy` uses."""

    def __init__(self):
        import prefect
        from prefect.client.schemas.actions import DeploymentCreate
        from prefect.flows import Flow
        from prefect.utilities.callables import parameter_schema
        from prefect.utilities.importtools import load_script_as_module

        self.version = prefect.__version__
        self.flow_class = Flow
        self.deployment_class = DeploymentCreate
        self.parameter_schema = parameter_schema
        self.load_script = load_script_as_module

        # Prefect imports much of itself only when it is used: here once, not in every child.
        def first(number: int = 1):
            """First.

            Args:
                number: counts
            """

        self.schema(prefect.flow(first))

    def load(self, path):
        """The module, as `load_flow_from_entrypoint` has it when no import fails: never its
        fallback, which guesses from the syntax tree."""
        if not self.version.startswith("2."):
            return self.load_script(path)
        from prefect.context import PrefectObjectRegistry

        with PrefectObjectRegistry(block_code_execution=True, capture_failures=True):
            return self.load_script(path)

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

    def __init__(self, root, shown):
        import re

        self.root = root
        self.shown = shown
        self.credentials = re.compile(r"://[^/\s:@]*:[^/\s@]+@")
        self.input = re.compile(r"input_value=.*?, input_type")
        values = [(value, name) for name, value in os.environ.items() if len(value) >= 6]
        self.secrets = sorted(values, key=lambda pair: -len(pair[0]))

    def line(self, text, length=REASON_LENGTH):
        if self.root:
            text = text.replace(self.root + os.sep, "").replace(self.root, ".")
        for value, name in self.secrets:
            text = text.replace(value, "$" + name)
        text = self.credentials.sub("://***@", text)
        text = self.input.sub("input_value=..., input_type", text)
        text = " ".join(text.split())
        return text if len(text) <= length else text[:length] + "..."

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
        if "PREFECT_API_URL" in message or "API URL" in message:
            return {"kind": "needs_api", "place": place}
        return {"kind": "raised", "message": message, "place": place}


class File:
    """The answers about one file."""

    def __init__(self, prefect, request, question):
        self.prefect = prefect
        self.question = question
        self.root = request["root"]
        self.shown = request["shown"]
        self.reasons = Reasons(self.root, self.shown)
        self.names_paths = False

    def answer(self):
        path = self.question["path"]
        command = os.path.join(os.path.dirname(sys.executable or "python"), "prefect")
        sys.argv = [command, "deploy", path]
        os.chdir(self.root)
        try:
            module = self.prefect.load(path)
        except BaseException as error:
            return {"failure": self.reasons.failure(error)}
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
    text = json.dumps(answer)
    if len(text) > limit:
        return json.dumps({"failure": {"kind": "too_large", "bytes": len(text)}})
    return text


class Child:
    def __init__(self, number, pid, pipe, deadline, path):
        self.number = number
        self.pid = pid
        self.pipe = pipe
        self.deadline = deadline
        self.path = path
        self.tail = b""
        self.is_late = False

    def listen(self):
        """Reads what the file printed, and keeps the end; `False` when there will be no more."""
        try:
            text = os.read(self.pipe, 65536)
        except OSError:
            text = b""
        self.tail = (self.tail + text)[-TAIL_BYTES:]
        return bool(text)

    def kill(self):
        import signal

        for kill in (os.killpg, os.kill):
            try:
                kill(self.pid, signal.SIGKILL)
            except OSError:
                pass


class Children:
    """Loads each file in a child that leads a process group of its own."""

    def __init__(self, prefect, request, home, channel, send):
        self.prefect = prefect
        self.request = request
        self.home = home
        self.channel = channel
        self.send = send
        self.running = {}
        self.reasons = Reasons(request["root"], request["shown"])
        self.control = process_control()
        try:
            processors = len(os.sched_getaffinity(0))
        except (AttributeError, OSError):
            processors = os.cpu_count() or 1
        self.most = max(1, min(processors, MOST_CHILDREN))

    def run(self):
        """Whether flowreg was there to the end."""
        import gc
        import select
        import time

        adopt_orphans(self.control)
        gc.collect()
        # What the children share is not to be copied by their collector.
        gc.freeze()
        waiting = list(enumerate(self.request["files"]))
        while waiting or self.running:
            while waiting and len(self.running) < self.most:
                number, question = waiting.pop(0)
                self.start(number, question)
            pipes = [child.pipe for child in self.running.values() if child.pipe is not None]
            ready = select.select([0] + pipes, [], [], POLL_SECONDS)[0]
            if 0 in ready:
                for child in self.running.values():
                    child.kill()
                kill_orphans(())
                return False
            for child in list(self.running.values()):
                if child.pipe in ready and not child.listen():
                    os.close(child.pipe)
                    child.pipe = None
                if time.monotonic() > child.deadline and not child.is_late:
                    child.is_late = True
                    child.kill()
                pid, status = os.waitpid(child.pid, os.WNOHANG)
                if pid:
                    self.finish(child, status)
        return True

    def start(self, number, question):
        import time

        path = os.path.join(self.home, "answer-%d" % number)
        deadline = time.monotonic() + self.request["seconds"]
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.close(reader)
                self.child(question, writer, path)
            finally:
                os._exit(0)
        os.close(writer)
        self.running[pid] = Child(number, pid, reader, deadline, path)

    def child(self, question, writer, path):
        os.setsid()
        die_with_parent(self.control)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(writer, 1)
        os.dup2(writer, 2)
        for descriptor in (nothing, writer, self.channel.fileno()):
            os.close(descriptor)
        own = os.getpid()
        answer = File(self.prefect, self.request, question).answer()
        if os.getpid() != own:
            # The file forked, and this is not the process that was asked.
            return
        with open(path + ".part", "w", encoding="utf-8") as file:
            file.write(encoded(answer, self.request["answer_bytes"]))
        os.rename(path + ".part", path)

    def finish(self, child, status):
        # What it started and left behind ends with it.
        child.kill()
        del self.running[child.pid]
        kill_orphans(self.running)
        if child.pipe is not None:
            import select

            if select.select([child.pipe], [], [], 0)[0]:
                child.listen()
            os.close(child.pipe)
        self.send(dict(self.outcome(child, status), message="answer", file=child.number))

    def outcome(self, child, status):
        if child.is_late:
            return {"failure": {"kind": "timed_out"}}
        try:
            with open(child.path, encoding="utf-8") as file:
                return json.load(file)
        except (OSError, ValueError):
            pass
        if os.WIFSIGNALED(status):
            return {"failure": {"kind": "killed", "signal": os.WTERMSIG(status)}}
        lines = child.tail.decode("utf-8", "replace").strip().splitlines()
        last = self.reasons.line(lines[-1]) if lines else None
        return {"failure": {"kind": "exited", "code": os.WEXITSTATUS(status), "last": last}}


def process_control():
    """`prctl` of Linux, if it is there."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        import ctypes

        return ctypes.CDLL(None).prctl
    except (ImportError, OSError, AttributeError):
        return None


def adopt_orphans(control):
    """PR_SET_CHILD_SUBREAPER: a daemon that a file started becomes a child of this process."""
    if control:
        control(36, 1, 0, 0, 0)


def die_with_parent(control):
    """PR_SET_PDEATHSIG, SIGKILL."""
    if control:
        control(1, 9, 0, 0, 0)


def kill_orphans(running):
    """Ends the children that are none of ours: they left the group of the file that started them."""
    import signal

    for _ in range(100):
        try:
            with open("/proc/self/task/%d/children" % os.getpid()) as file:
                pids = [int(pid) for pid in file.read().split()]
        except OSError:
            return
        orphans = [pid for pid in pids if pid not in running]
        if not orphans:
            return
        for pid in orphans:
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            except OSError:
                pass


def in_this_process(prefect, request, send):
    path, directory = list(sys.path), os.getcwd()
    for number, question in enumerate(request["files"]):
        answer = File(prefect, request, question).answer()
        answer = json.loads(encoded(answer, request["answer_bytes"]))
        sys.path[:] = path
        os.chdir(directory)
        send(dict(answer, message="answer", file=number))


if __name__ == "__main__":
    main(sys.argv[1])
