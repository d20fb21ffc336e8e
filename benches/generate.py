"""Makes the repository that `git.py` measures on: 1,000 flow files among 10,000 Python files.

The same bytes and the same commit ids every time. Twice the same history: `gc` is packed as
`git gc` leaves it, `deep` with `git repack -adf --depth=250 --window=50`, where a blob has to be
put together from a long chain of deltas. Nothing is measured here.
"""

import os
import random
import shutil
import subprocess
import time

from python_source import DECOYS, NOUNS, VERBS, SourceWriter, join

# Changed with every change to what is generated: a directory of another recipe is made anew.
RECIPE = "2"
PYTHON_FILES = 10_000
FLOW_FILES = 1_000
DECOY_FILES = 400
OTHER_FILES = 500
COPIED_FILES = 30
COPIED_FLOW_FILES = 12
EDITS = 40
FILES_PER_EDIT = 350
SHARED_MODULES = 40
TAG = "v1.0.0"
EPOCH = 1_750_000_000


def isolated_environment(home):
    """The environment of a measured process: nothing of the caller's but the search path."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TMPDIR": str(home),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_AUTHOR_NAME": "Bench",
        "GIT_AUTHOR_EMAIL": "bench@example.com",
        "GIT_AUTHOR_DATE": f"{EPOCH} +0000",
        "GIT_COMMITTER_NAME": "Bench",
        "GIT_COMMITTER_EMAIL": "bench@example.com",
        "GIT_COMMITTER_DATE": f"{EPOCH} +0000",
    }


class Module:
    """One Python file as its top-level blocks; the first `fixed` of them are never trimmed."""

    def __init__(self, path, blocks, fixed):
        self.path, self.blocks, self.fixed = path, blocks, fixed

    def text(self):
        return join(self.blocks) if self.blocks else ""


def wanted_size(writer):
    """Bytes: most files are small, a few are large, the mean is about 4.6 kB."""
    # The sum of twelve uniform numbers is near enough to a normal one.
    normal = sum(writer.random() for _ in range(12)) - 6.0
    return min(int(1500 * 2.718281828 ** (1.05 * normal)), 90_000)


def fill(writer, blocks, target, task_share=0.0):
    """Adds blocks until the file has `target` bytes."""
    size = len(join(blocks))
    while size < target:
        block = writer.task() if writer.chance(task_share) else writer.block()
        size += sum(map(len, block)) + len(block)
        blocks.append(block)
    return blocks


def shared_module(number):
    """A module of the package `common` that flows take types, names and a decorator from."""
    return f'''"""What the flows of area {number} share."""

from enum import Enum
from functools import wraps
from typing import Literal, Optional

from pydantic import BaseModel, Field

from common.base import PREFIX, Window

AREA = f"{{PREFIX}}-area-{number}"
Level = Literal["low", "middle", "high"]


class Mode{number}(Enum):
    FULL = "full"
    DELTA = "delta"
    REPAIR = "repair-{number}"


class Settings{number}(BaseModel):
    """Settings of one run."""

    mode: Mode{number} = Mode{number}.DELTA
    window: Window = Field(default_factory=Window, description="What is read")
    level: Level = "low"
    limit: Optional[int] = Field(default=None, ge=1)


def timed(fn):
    """Measures a function."""

    @wraps(fn)
    def inner(*args, **kwargs):
        return fn(*args, **kwargs)

    return inner
'''


BASE_MODULE = '''"""The base of what flows share."""

from datetime import timedelta

from pydantic import BaseModel

PREFIX = "bench"


class Window(BaseModel):
    """A span of time."""

    length: timedelta = timedelta(days=1)
    overlap: timedelta = timedelta(0)
'''


def flow_blocks(writer, number):
    """A module's beginning with one to three flows that no other file has.

    Six of ten take a type from a module that they share with others, three of ten a decorator.
    """
    qualified = writer.chance(0.25)
    extra = ["import prefect"] if qualified else ["from prefect import flow, task"]
    index = number // (PYTHON_FILES // FLOW_FILES)
    area, importing = index % SHARED_MODULES, index % 5 < 3
    if importing:
        extra.append(f"from common.area_{area} import AREA, Mode{area}, Settings{area}, timed")
    blocks = [writer.header([*extra, "from typing import Any, Optional"])]
    if qualified:
        blocks.append(["task = prefect.task"])
    for letter in "abc"[: 1 + writer.below(3)]:
        _, lines = writer.flow(f"{number:05}{letter}", "prefect.flow" if qualified else "flow")
        if importing and index % 2:
            lines.insert(1, "@timed")
        blocks.append(lines)
    if importing:
        blocks.append([
            f"@{'prefect.flow' if qualified else 'flow'}(name=f\"{{AREA}}-{number}\")",
            f"def refresh_{number:05}(settings: Settings{area}, mode: Mode{area} = Mode{area}.FULL):",
            '    """Refreshes the area."""',
        ])
    return blocks


def make_modules(writer):
    """All Python files of the first commit."""
    packages = [f"teams/{NOUNS[n % 20]}_{n % 7}/{NOUNS[(n * 7) % len(NOUNS)]}_{n}" for n in range(250)]
    taken = set()

    def path(folder, name):
        candidate = f"{writer.pick(packages)}{folder}/{name()}.py"
        while candidate in taken:
            candidate = f"{writer.pick(packages)}{folder}/{name()}.py"
        taken.add(candidate)
        return candidate

    # About half of the files were born as a copy of the same file in another package, each a
    # little different from the one before: this is what gives a packer long chains of deltas.
    copied = [fill(writer, [writer.header(), writer.notes()], 4000 + writer.below(2000)) for _ in range(COPIED_FILES)]
    copied_names = [f"{writer.pick(VERBS)}_{writer.noun()}s" for _ in copied]
    copied_tasks = [fill(writer, [writer.notes()], 4000 + writer.below(1000), 0.6) for _ in range(COPIED_FLOW_FILES)]

    modules = []
    for number in range(PYTHON_FILES):
        if number % (PYTHON_FILES // FLOW_FILES) == 0:
            blocks = flow_blocks(writer, number)
            fixed = len(blocks)
            if writer.chance(0.5):
                which = writer.below(COPIED_FLOW_FILES)
                writer.rework(copied_tasks[which], 0)
                blocks += [list(block) for block in copied_tasks[which]]
                name = copied_names[which]
                modules.append(Module(path("/flows", lambda: name), blocks, fixed))
            else:
                fill(writer, blocks, wanted_size(writer), 0.6)
                modules.append(Module(path("/flows", writer.verb_name), blocks, fixed))
        elif number % (PYTHON_FILES // DECOY_FILES) == 3:
            decoy = writer.pick(DECOYS).format(writer.noun(), writer.below(5000))
            blocks = fill(writer, [writer.header(), decoy.split("\n")], wanted_size(writer))
            modules.append(Module(path("", writer.name), blocks, 2))
        elif writer.chance(0.06):
            modules.append(Module(path(f"/{writer.noun()}_{number}", lambda: "__init__"), [], 0))
        elif writer.chance(0.5):
            which = writer.below(COPIED_FILES)
            writer.rework(copied[which], 0)
            blocks = [list(block) for block in copied[which]]
            name = copied_names[which]
            modules.append(Module(path("", lambda: name), blocks, 1))
        else:
            blocks = fill(writer, [writer.header()], wanted_size(writer))
            modules.append(Module(path("", writer.name), blocks, 1))
    return modules


def fast_import(directory, environment):
    """Writes the whole history through one `git fast-import`."""
    writer = SourceWriter(random.Random(20_250_615))
    modules = make_modules(writer)
    feed = subprocess.Popen(
        ["git", "-C", directory, "fast-import", "--quiet"], stdin=subprocess.PIPE, env=environment
    )
    out = feed.stdin

    def blob(path, text):
        content = text.encode()
        out.write(b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(content), content))

    def commit(number, message):
        line = f"Bench <bench@example.com> {EPOCH + 3600 * number} +0000"
        out.write(f"commit refs/heads/main\ncommitter {line}\ndata {len(message)}\n{message}\n".encode())

    commit(0, "Start")
    for number in range(OTHER_FILES):
        kind = ("md", "yaml", "sql", "json")[number % 4]
        lines = [writer.sentence() for _ in range(10 + writer.below(30))]
        blob(f"docs/{writer.noun()}/{writer.name()}_{number:03}.{kind}", "\n".join(lines) + "\n")
    blob("common/__init__.py", "")
    blob("common/base.py", BASE_MODULE)
    for number in range(SHARED_MODULES):
        blob(f"common/area_{number}.py", shared_module(number))
    for module in modules:
        blob(module.path, module.text())
    editable = [module for module in modules if module.blocks]
    # A few files change again and again, as in every repository.
    hot = editable[:: len(editable) // 250]
    shrinking = {id(module) for module in hot[::2]}
    for number in range(1, EDITS + 1):
        commit(number, f"Change {number}")
        touched = {writer.below(len(editable)) for _ in range(FILES_PER_EDIT - len(hot))}
        chosen = [editable[index] for index in sorted(touched)] + hot
        for module in {id(module): module for module in chosen}.values():
            # Files that only shrink end a chain with their newest version, files that grow start one.
            if id(module) in shrinking or writer.chance(0.3):
                writer.rework(module.blocks, module.fixed)
            else:
                writer.grow(module.blocks)
            blob(module.path, module.text())
    tagger = f"Bench <bench@example.com> {EPOCH + 3600 * (EDITS + 1)} +0000"
    out.write(f"tag {TAG}\nfrom refs/heads/main\ntagger {tagger}\ndata 6\n{TAG}\n".encode())
    out.close()
    if feed.wait() != 0:
        raise SystemExit("git fast-import failed")


def make_repositories(directory):
    """Makes, or finds again, the two repositories in `directory`; returns their paths by packing."""
    environment = isolated_environment(directory)
    packings = {name: directory / name for name in ("gc", "deep")}
    stamp = directory / "recipe"
    if stamp.exists() and stamp.read_text() == RECIPE:
        return packings

    def git(repository, *arguments):
        subprocess.run(["git", "-C", repository, *arguments], env=environment, check=True)

    for leftover in (*packings.values(), directory / "remote.git"):
        shutil.rmtree(leftover, ignore_errors=True)
    gc, deep = packings["gc"], packings["deep"]
    gc.mkdir(parents=True)
    git(gc, "init", "--quiet", "--initial-branch=main")
    fast_import(gc, environment)
    # fast-import packs in a hurry and gc keeps what is packed: find the deltas as a server would.
    git(gc, "repack", "-adfq")
    git(gc, "gc", "--quiet")
    git(directory, "clone", "--quiet", "--bare", "gc", "remote.git")
    git(gc, "remote", "add", "origin", f"file://{directory / 'remote.git'}")
    git(gc, "fetch", "--quiet", "origin")
    git(gc, "reset", "--quiet", "--hard", "main")
    shutil.copytree(gc, deep, symlinks=True)
    git(deep, "repack", "-adfq", "--depth=250", "--window=50")
    # A file as young as the index is read again by every status: write the index a second later.
    time.sleep(1.5)
    for repository in packings.values():
        git(repository, "read-tree", "--reset", "main")
        git(repository, "update-index", "-q", "--refresh")
    stamp.write_text(RECIPE)
    return packings
