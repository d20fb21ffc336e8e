"""What the answer about a file depended on, so that it need not be given again while that is as it was.

Files of the checkout, files and directories outside of it, variables of the environment, and the
directories in which Python looks for packages. A file that talks to another machine or starts a
program depends on more, and its answer holds for the run that asked only.
"""

import functools
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
# Functions that raise no event.
ASKING = ("stat", "lstat", "access", "readlink")
SUPPORTS = ("supports_dir_fd", "supports_effective_ids", "supports_fd", "supports_follow_symlinks")


class Depends:
    """Looks on while a file is loaded."""

    def __init__(self, request):
        self.checkout = request["checkout"]
        self.home = os.path.dirname(self.checkout)
        self.originals = {}
        self.opened = set()
        self.asked_for = set()
        self.variables = set()
        # Without audit events nothing is known of it, as before Python 3.8. A script in the place of the
        # interpreter may start another one tomorrow, and what the user's own code did when Python started
        # was not looked at.
        asked = os.path.realpath(request["python"])
        self.is_outward = (
            not hasattr(sys, "addaudithook")
            or asked != os.path.realpath(sys.executable or asked)
            or any(is_own_start(name) for name in ("sitecustomize", "usercustomize"))
        )

    def watch(self):
        if not self.is_outward:
            sys.addaudithook(self.event)
            os.environ.__class__ = watched(type(os.environ), self.variables)
            if hasattr(os, "environb"):
                os.environb.__class__ = watched(type(os.environb), self.variables)
            # No event tells who asks whether a file is there.
            for name in ASKING:
                original = getattr(os, name)
                self.originals[name] = original
                asking = self.asking(original)
                setattr(os, name, asking)
                # `shutil` and others look there what a function can do.
                for known in SUPPORTS:
                    functions = getattr(os, known, set())
                    if original in functions:
                        functions.add(asking)

    def stop(self):
        for name, function in self.originals.items():
            setattr(os, name, function)

    def asking(self, function):
        def asked(path, *arguments, **options):
            if options.get("dir_fd") is not None:
                self.is_outward = True
            self.note(path, self.asked_for)
            return function(path, *arguments, **options)

        return asked

    def note(self, path, paths):
        # A number is a file that is open already.
        if not isinstance(path, int):
            try:
                paths.add(os.path.abspath(os.fsdecode(path)))
            except Exception:
                self.is_outward = True

    def event(self, event, arguments):
        if event == "open" or event in LISTED:
            # `listdir()` is of the working directory.
            path = arguments[0] if arguments else None
            self.note("." if path is None else path, self.opened)
        elif event in OUTWARD:
            self.is_outward = True

    def report(self):
        """`None` if the answer is not to be kept."""
        if self.is_outward:
            return None
        installed = packages()
        opened = set(self.opened)
        inside, outside = {}, set(installed)
        # Of a directory that is only on the way, what lies in it does not matter.
        passed = {path for path in self.asked_for - opened if os.path.isdir(path)}
        opened |= self.asked_for - passed
        # Also what was imported when Python started, which a `.pth` file may name.
        loaded = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
        opened.update(os.path.abspath(path) for path in loaded if isinstance(path, str))
        for path in opened:
            for path in {path, os.path.realpath(path)}:
                path = source_of(path)
                if is_below(path, self.checkout):
                    # Links on the way are those of the commit, as are the names of all files.
                    if os.path.isfile(path) and os.path.realpath(path) == path:
                        inside[os.path.relpath(path, self.checkout)] = path
                elif not is_below(path, self.home) and not path.startswith("/dev/"):
                    if not any(is_below(path, directory) for directory in installed):
                        outside.add(path)
        for path in sys.path:
            path = os.path.abspath(path)
            if not is_below(path, self.home):
                outside.add(path)
        passed = {path for path in passed - outside if not is_below(path, self.home)}
        return {
            "files": [[name, blob(path)] for name, path in sorted(inside.items())],
            "outside": [state(path) for path in sorted(outside)]
            + [[path, "directory"] for path in sorted(passed)],
            # As soon as all variables are read, each of them counts.
            "variables": None if None in self.variables else sorted(self.variables),
        }


@functools.lru_cache(maxsize=None)
def real_packages():
    return frozenset(os.path.realpath(place) for place in packages())


def is_own_start(name):
    """Whether a module that Python imports when it starts is not that of an installation."""
    path = getattr(sys.modules.get(name), "__file__", None)
    return path is not None and not any(is_below(path, place) for place in packages())


def blob(path):
    """The ids that git gives the content as it was read: a filter or another end of line make another one."""
    import hashlib

    with open(path, "rb") as file:
        content = file.read()
    head = b"blob %d\0" % len(content)
    return [hashlib.new(name, head + content).hexdigest() for name in ("sha1", "sha256")]


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


def inside_of(path, trees):
    """The place of a path in one of the repository's work trees, whatever links lead there; `None` if it is in
    none, or belongs to what is installed there."""
    path = os.path.realpath(path)
    if any(is_below(path, place) for place in real_packages()):
        return None
    # A work tree may lie in another one.
    for tree in sorted(map(os.path.realpath, trees), key=len, reverse=True):
        if is_below(path, tree):
            return os.path.relpath(path, tree)
    return None


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
    """What tells whether a file or directory was changed or replaced, as text: it is only compared."""
    try:
        status = os.stat(path)
    except OSError:
        return [path, None]
    parts = (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_mode)
    return [path, " ".join(str(part) for part in parts)]
