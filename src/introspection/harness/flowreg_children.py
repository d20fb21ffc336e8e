"""Loads each file in a child that leads a process group of its own.

A child that exits, hangs, prints, starts processes or replaces modules harms only itself. Its
answer is a file: nothing that it prints or closes reaches the others.
"""

import json
import os
import sys

from flowreg_flows import Reasons, encoded

# What is kept of the end of what a file prints.
TAIL_BYTES = 2048
# So many files at once, on a machine that has the processors: each may hold a data library.
MOST_CHILDREN = 4
POLL_SECONDS = 0.02


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
        self.reasons = Reasons(request["root"])
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
        answer = self.prefect.file(self.request, question).answer()
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
