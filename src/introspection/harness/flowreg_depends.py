"""What the answer about a file depended on, so that it need not be given again while that is as it was.

Files of the checkout, files and directories outside of it, variables of the environment, and the
directories in which Python looks for packages. A file that talks to another machine or starts a
program depends on more, and its answer holds for the run that asked only.
"""

import os
import sys

# Audit events of Python after which an answer depends on what is not looked at here.
OUTWARD = frozenset(
    [
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.spawn",
        "os.system",
        "pty.spawn",
        "socket.connect",
        "socket.getaddrinfo",
        "socket.gethostbyname",
        "socket.gethostname",
        "sqlite3.connect",
        "sqlite3.connect/handle",
        "subprocess.Popen",
    ]
)
LISTED = frozenset(["os.listdir", "os.scandir"])


class Depends:
    """Looks on while a file is loaded."""

    def __init__(self, request):
        self.checkout = request["checkout"]
        self.home = os.path.dirname(self.checkout)
        self.opened = set()
        self.variables = set()
        # Without audit events nothing is known of it, as before Python 3.8.
        self.is_outward = not hasattr(sys, "addaudithook")

    def watch(self):
        if not self.is_outward:
            sys.addaudithook(self.event)
            os.environ.__class__ = watched(type(os.environ), self.variables)

    def event(self, event, arguments):
        if event == "open" or event in LISTED:
            path = arguments[0] if arguments else None
            # A number is a file that is open already; `listdir()` is of the working directory.
            if path is None:
                path = "."
            if not isinstance(path, int):
                try:
                    self.opened.add(os.path.abspath(os.fsdecode(path)))
                except Exception:
                    self.is_outward = True
        elif event in OUTWARD:
            self.is_outward = True

    def report(self):
        """`None` if the answer is not to be kept."""
        if self.is_outward:
            return None
        installed = packages()
        inside, outside = set(), set(installed)
        # Also what was imported when Python started (`sitecustomize`, what a `.pth` file names).
        loaded = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
        self.opened.update(os.path.abspath(path) for path in loaded if isinstance(path, str))
        for path in list(self.opened):
            for path in {path, os.path.realpath(path)}:
                path = source_of(path)
                if is_below(path, self.checkout):
                    if os.path.isfile(path):
                        inside.add(os.path.relpath(path, self.checkout))
                elif not is_below(path, self.home) and not path.startswith("/dev/"):
                    if not any(is_below(path, directory) for directory in installed):
                        outside.add(path)
        for path in sys.path:
            path = os.path.abspath(path)
            if not is_below(path, self.home):
                outside.add(path)
        return {
            "files": sorted(inside),
            "outside": [state(path) for path in sorted(outside)],
            # As soon as all variables are read, each of them counts.
            "variables": None if None in self.variables else sorted(self.variables),
        }


def watched(kind, names):
    """Like `os.environ`, and notes which variables are read; `None` for all of them."""

    class Environment(kind):
        def __getitem__(self, name):
            names.add(name if isinstance(name, str) else None)
            return super().__getitem__(name)

        def __iter__(self):
            names.add(None)
            return super().__iter__()

        def __len__(self):
            names.add(None)
            return super().__len__()

    return Environment


def packages():
    """Where installed packages are, what adds to that, and the interpreter itself. An installation
    changes one of these; what lies in them is not looked at any closer."""
    import site
    import sysconfig

    directories = set(sysconfig.get_paths().get(name) for name in ("purelib", "platlib", "stdlib", "platstdlib"))
    directories.discard(None)
    try:
        directories.update(site.getsitepackages())
        directories.add(site.getusersitepackages())
    except AttributeError:
        # Old virtual environments have no such functions.
        pass
    found = set(directories)
    for directory in directories:
        try:
            found.update(os.path.join(directory, name) for name in os.listdir(directory) if name.endswith((".pth", ".egg-link")))
        except OSError:
            pass
    found.add(os.path.join(sys.prefix, "pyvenv.cfg"))
    found.add(os.path.realpath(sys.executable or sys.prefix))
    return found


def source_of(path):
    """A compiled module follows its source."""
    import importlib.util

    if path.endswith(".pyc") and os.path.basename(os.path.dirname(path)) == "__pycache__":
        try:
            return importlib.util.source_from_cache(path)
        except ValueError:
            pass
    return path


def is_below(path, directory):
    return path == directory or path.startswith(directory.rstrip(os.sep) + os.sep)


def state(path):
    """When a file or directory was changed last (ns) and its size, as text: they are only compared."""
    try:
        status = os.stat(path)
    except OSError:
        return [path, None]
    return [path, "%d %d" % (status.st_mtime_ns, status.st_size)]
