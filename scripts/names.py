"""Writes the names that modules have, for crates/flowreg-python/src/symbols/names_of_modules.txt.

    target/prefect-3.8.8/bin/python scripts/names.py > crates/flowreg-python/src/symbols/names_of_modules.txt

One line for each public module of the standard library, of Prefect, and for `pydantic` itself: its name, and
the public names in it that are its own or its submodules. Names that it only imports from elsewhere are left
out, but for those in its `__all__`. The first line says of which versions they are.
"""

import importlib
import os
import pkgutil
import sys
import tempfile
import types
import warnings

os.environ["PREFECT_HOME"] = tempfile.mkdtemp(prefix="prefect-home-")
os.environ["PREFECT_LOGGING_LEVEL"] = "CRITICAL"
os.environ["DO_NOT_TRACK"] = "1"
warnings.simplefilter("ignore")

# Modules of which any name may be there: they do something when they are imported, need what is not
# installed, are no API, or are there on Windows only.
LEFT_OUT = (
    *("antigravity", "ensurepip", "idlelib", "lib2to3", "test", "this", "tkinter", "turtle", "turtledemo"),
    *("msilib", "msvcrt", "nt", "winreg", "winsound"),
)
# What modules have on Windows only.
OF_WINDOWS = {
    "asyncio": ["IocpProactor", "ProactorEventLoop", "WindowsProactorEventLoopPolicy", "WindowsSelectorEventLoopPolicy"],
    "ctypes": ["HRESULT", "WINFUNCTYPE", "WinDLL", "WinError", "oledll", "windll"],
    "os": ["add_dll_directory", "startfile"],
    "signal": ["CTRL_BREAK_EVENT", "CTRL_C_EVENT", "SIGBREAK"],
    "subprocess": [
        *("ABOVE_NORMAL_PRIORITY_CLASS", "BELOW_NORMAL_PRIORITY_CLASS", "CREATE_BREAKAWAY_FROM_JOB"),
        *("CREATE_NEW_CONSOLE", "CREATE_NEW_PROCESS_GROUP", "CREATE_NO_WINDOW", "DETACHED_PROCESS"),
        *("HIGH_PRIORITY_CLASS", "IDLE_PRIORITY_CLASS", "NORMAL_PRIORITY_CLASS", "REALTIME_PRIORITY_CLASS"),
        *("STARTF_USESHOWWINDOW", "STARTF_USESTDHANDLES", "STARTUPINFO", "SW_HIDE"),
    ],
    "sys": ["getwindowsversion", "winver"],
}
PARTS_LEFT_OUT = {"cli", "experimental", "server", "testing"}


def is_left_out(name):
    parts = name.split(".")
    is_private = any(part.startswith("_") for part in parts)
    return is_private or parts[0] in LEFT_OUT or (parts[0] == "prefect" and PARTS_LEFT_OUT & set(parts))


def with_submodules(name):
    if is_left_out(name):
        return
    try:
        module = importlib.import_module(name)
    except Exception:
        return
    yield module
    for found in pkgutil.iter_modules(getattr(module, "__path__", ())):
        if name != "pydantic":
            yield from with_submodules(f"{name}.{found.name}")


def names(module):
    top = module.__name__.partition(".")[0]
    listed = set(getattr(module, "__all__", ()))
    below = {found.name for found in pkgutil.iter_modules(getattr(module, "__path__", ()))}
    for name in sorted(set(dir(module)) | listed | below):
        value = module.__dict__.get(name)
        if isinstance(value, types.ModuleType) and name not in listed | below:
            continue
        home = getattr(value, "__module__", None)
        is_own = not isinstance(home, str) or home.partition(".")[0].lstrip("_") in (top.lstrip("_"), "builtins")
        if not name.startswith("_") and (is_own or name in listed):
            yield name


def main():
    import prefect
    import pydantic

    minor = sys.version_info[1]
    modules = {}
    for top in [*sorted(sys.stdlib_module_names), "prefect", "pydantic"]:
        for module in with_submodules(top):
            modules[module.__name__] = list(names(module))
    print(f"# Python 3.{minor}, Prefect {prefect.__version__}, pydantic {pydantic.__version__}: by scripts/names.py")
    modules["os.path"] = list(names(os.path))
    modules.update((name, ["*"]) for name in LEFT_OUT)
    for name, others in OF_WINDOWS.items():
        modules[name] = sorted({*modules[name], *others})
    for name, known in sorted(modules.items()):
        print(name, *known)


if __name__ == "__main__":
    main()
