"""What `prefect deploy`, or `prefect register` of Prefect 1, would register for some flows; flowreg
asks, this answers.

One JSON object a line. This says first which Prefect it found ("found"), then that it is imported
("ready"). flowreg sends one request; each file is answered by its number ("answer"), in any
order, and then comes "done". The end of standard input means that flowreg is gone.

Every file is loaded in a child of its own (`flowreg_children`); where there is no fork, one after
the other in this process.

For Python 3.7 and newer, Prefect 1, 2 and 3.
"""

import json
import os
import sys


def main(home, generation):
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path.insert(0, here)
    from flowreg_children import Children
    from flowreg_flows import Reasons

    if generation == "prefect1":
        from flowreg_prefect1 import Prefect
    else:
        from flowreg_flows import Prefect

    # `prefect deploy` does not have this directory on its path.
    sys.path[:] = [path for path in sys.path if os.path.abspath(path or ".") != here]
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
        send({"message": "broken", "reason": Reasons("").message(error)})
        return
    send({"message": "ready", "prefect": prefect.version})
    request = sys.stdin.readline()
    if not request:
        return abandon(home)
    request = json.loads(request)
    look_in_checkout(request)
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

    try:
        from importlib import metadata
    except ImportError:
        # Python 3.7.
        return None if importlib.util.find_spec("prefect") is None else "unknown"
    for name in ("prefect", "prefect-client"):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            pass
    return None if importlib.util.find_spec("prefect") is None else "unknown"


def look_in_checkout(request):
    """Modules come from the commit, also where PYTHONPATH or an editable install name a work tree.
    A virtual environment in the work tree is not in the commit, and stays."""
    import importlib

    from flowreg_depends import inside_of

    root, trees, given = request["root"], request["work_trees"], request["python_path"]

    def moved(path, must_exist):
        inside = inside_of(path, trees) if os.path.isabs(path) else None
        there = path if inside is None else os.path.normpath(os.path.join(root, inside))
        return there if os.path.isdir(there) or not must_exist else path

    sys.path[:] = [moved(path, True) for path in sys.path]
    # An editable install by setuptools has a finder with a table of its own: each package and its
    # directory.
    for finder in sys.meta_path:
        module = sys.modules.get(getattr(finder, "__module__", None))
        for table in [getattr(module, name, None) for name in ("MAPPING", "NAMESPACES")]:
            for name, place in list(table.items()) if isinstance(table, dict) else []:
                if isinstance(place, str):
                    table[name] = moved(place, False)
                elif isinstance(place, list):
                    table[name] = [moved(path, False) for path in place if isinstance(path, str)]
    if given:
        entries = given.split(os.pathsep)
        sys.path[:0] = [os.path.join(root, path) for path in entries if not os.path.isabs(path)]
        os.environ["PYTHONPATH"] = given
    importlib.invalidate_caches()


def in_this_process(prefect, request, send):
    from flowreg_flows import encoded

    path, directory = list(sys.path), os.getcwd()
    for number, question in enumerate(request["files"]):
        answer = prefect.file(request, question).answer()
        answer = json.loads(encoded(answer, request["answer_bytes"]))
        sys.path[:] = path
        os.chdir(directory)
        send(dict(answer, message="answer", file=number))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
