#!/usr/bin/env python3
"""How exact flowreg is on public code: every flow of some PyPI packages, compared with Prefect.

    python3 scripts/exactness.py --flowreg BIN --prefect VENV/bin --work DIRECTORY [--install] [PACKAGE...]

Downloads the packages of scripts/exactness.txt (source distributions, which hold examples and
tests, wheels where there are none), makes a git repository of each, and asks two for the flows in
it: flowreg, without introspection, and the Prefect in VENV (scripts/exactness_prefect.py).
--install first installs the packages into VENV, so that more files can be imported.

What flowreg claims to be exact has to be equal. Every difference is printed with both answers;
all verdicts are in DIRECTORY/verdicts.json. Exit code 1 if something is wrong.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections import Counter, defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
SETTINGS = '[flows]\ninclude = ["**/*.py"]\nintrospect = "never"\n'
FIELDS = ("name", "description", "parameter_openapi_schema")
COLUMNS = ("flows", "exact", "not exact", "wrong", "missed", "unverified: exact", "unverified: not exact", "refused", "with stand-ins")


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--flowreg", type=Path, required=True, help="the binary")
    options.add_argument("--prefect", type=Path, required=True, help="bin directory of a venv")
    options.add_argument("--work", type=Path, required=True, help="where everything is kept")
    options.add_argument("--install", action="store_true", help="install the packages into the venv")
    options.add_argument("packages", nargs="*", help="only these, as NAME or NAME==VERSION")
    arguments = options.parse_args()
    work = arguments.work.resolve()
    flowreg, python = arguments.flowreg.resolve(), arguments.prefect.absolute() / "python"

    listed = (HERE / "exactness.txt").read_text().splitlines()
    packages = [line for line in listed if line and not line.startswith("#")]
    if arguments.packages:
        packages = [p for p in packages if {p, p.split("==")[0]} & set(arguments.packages)]

    verdicts = []
    for package in packages:
        repository = unpacked(package, work)
        if repository is None:
            print(f"{package}: not available", file=sys.stderr)
            continue
        if arguments.install:
            install(package, python)
        ours = flowreg_answers(flowreg, repository, work)
        theirs = prefect_answers(python, repository, ours)
        verdicts += [{"package": package, **verdict} for verdict in judged(ours, theirs)]
        (work / "verdicts.json").write_text(json.dumps(verdicts, indent=1))
        print(f"{package}: {len(theirs)} files", file=sys.stderr)
    return report(verdicts)


# Packages as repositories


def unpacked(package, work):
    """The package's files as a git repository with one commit; None if it can't be downloaded."""
    repository = work / "repositories" / package
    if (repository / ".git").exists():
        return repository
    archive = downloaded(package, work / "downloads" / package)
    if archive is None:
        return None
    shutil.rmtree(repository, ignore_errors=True)
    repository.mkdir(parents=True)
    if archive.suffix == ".whl":
        zipfile.ZipFile(archive).extractall(repository)
    else:
        with tarfile.open(archive) as tar:
            tar.extractall(repository, filter="data")
        (top,) = repository.iterdir()
        raise_up(top, repository)
        shutil.rmtree(top)
    if (repository / "src").is_dir():  # which is on the search path once the package is installed
        raise_up(repository / "src", repository)
    (repository / "flowreg.toml").write_text(SETTINGS)
    for leftover in repository.rglob(".gitignore"):
        leftover.unlink()
    git = ["git", "-C", repository, "-c", "user.name=exactness", "-c", "user.email=exactness@localhost"]
    for command in (["init", "-q", "-b", "main"], ["add", "-A", "-f"], ["commit", "-q", "-m", package]):
        subprocess.run([*git, *command], check=True, env=isolated(work))
    return repository


def raise_up(directory, to):
    """Moves what is in a directory one up; what is there already stays."""
    for entry in directory.iterdir():
        if not (to / entry.name).exists():
            shutil.move(entry, to / entry.name)


def downloaded(package, directory):
    if not directory.exists():
        pip = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps"]
        for kind in (["--no-binary", ":all:"], ["--only-binary", ":all:"]):
            command = [*pip, *kind, "-d", directory, package]
            if subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 0:
                break
    return next(iter(directory.glob("*")), None)


def install(package, python):
    """Installs a package with what it needs, as far as it goes with this Prefect."""
    if package.startswith("prefect=="):
        return
    versions = "import importlib.metadata as m; [print(f'{p}=={m.version(p)}') for p in ('prefect', 'pydantic', 'griffe')]"
    pins = subprocess.run([python, "-c", versions], capture_output=True, text=True, check=True).stdout.split()
    pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--prefer-binary"]
    done = subprocess.run([*pip, package, *pins], capture_output=True, text=True)
    if done.returncode != 0:
        print(f"{package}: not installed: {done.stderr.strip().splitlines()[-1][:200]}", file=sys.stderr)


# The two answers


def isolated(work):
    home = work / "home"
    home.mkdir(parents=True, exist_ok=True)
    return {"PATH": os.environ["PATH"], "HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1"}


def flowreg_answers(flowreg, repository, work):
    command = [flowreg, "-C", repository, "--target", "local", "--format", "json", "flows", "--offline"]
    done = subprocess.run(command, capture_output=True, env=isolated(work))
    try:
        return json.loads(done.stdout)
    except ValueError:
        sys.exit(f"{repository.name}: {done.stderr.decode()}")


def prefect_answers(python, repository, ours):
    """What Prefect finds in every file that may have flows."""
    files = {flow["path"] for flow in ours["flows"]} | {error["path"] for error in ours["errors"]}
    for file in repository.rglob("*.py"):
        source = file.read_bytes()
        if b"prefect" in source and re.search(rb"@[\w.]*flow\b|[Ff]low\w*\(", source):
            files.add(file.relative_to(repository).as_posix())
    command = [python, HERE / "exactness_prefect.py", repository]
    done = subprocess.run(command, input="\n".join(sorted(files)), stdout=subprocess.PIPE, text=True, check=True)
    answers = map(json.loads, done.stdout.splitlines())
    return {answer["path"]: answer for answer in answers}


# Comparing them


def judged(ours, theirs):
    """One verdict for each flow that either of the two knows."""
    by_file = defaultdict(dict)
    for flow in ours["flows"]:
        by_file[flow["path"]][flow["function"]] = flow
    codes = defaultdict(set)
    for error in ours["errors"]:
        codes[error["path"]].add(error["code"])
    for path, answer in theirs.items():
        found, flows = by_file[path], answer["flows"]
        refused = codes[path] & {"load_error", "syntax"}
        if refused:
            wrong = answer["error"] is None and {"flows": sorted(flows)}
            yield verdict(path, "", "wrong" if wrong else "refused", sorted(refused), wrong or answer["error"])
        for name, flow in found.items():
            if flow["engine"] != "prefect":
                continue
            yield {**judged_flow(path, name, flow, answer), "stand_ins": answer["stand_ins"]}
        # Flows that only Prefect sees, except other names of a flow and flows of other modules.
        seen = {flows[name]["identity"] for name in found if name in flows}
        for name, flow in flows.items():
            if name in found or flow["identity"] in seen or flow["imported"] or refused:
                continue
            yield verdict(path, name, "not exact" if "unknown_name" in codes[path] else "missed", "not found", flow)


def judged_flow(path, name, flow, answer):
    exact = flow["exact"]
    if answer["error"]:
        kind = "unverified: exact" if exact else "unverified: not exact"
        return verdict(path, name, kind, flow["inexact"], answer["error"])
    real = answer["flows"].get(name)
    if real is None:
        return verdict(path, name, "wrong" if exact else "not exact", flow["inexact"], "no such flow")
    unknown = {inexact["what"] for inexact in flow["inexact"]}
    different = [field for field in FIELDS if field not in unknown and canonical(flow[field]) != canonical(real[field])]
    if different:
        mine = {field: flow[field] for field in different}
        return verdict(path, name, "wrong", mine, {field: real[field] for field in different})
    return verdict(path, name, "exact" if exact else "not exact", flow["inexact"], None)


def verdict(path, name, kind, ours, theirs):
    return {"path": path, "flow": name, "verdict": kind, "ours": ours, "theirs": theirs}


def canonical(value):
    return json.dumps(value, sort_keys=True)


def report(verdicts):
    by_package = defaultdict(Counter)
    for v in verdicts:
        for key in (v["package"], "all"):
            by_package[key][v["verdict"]] += 1
            by_package[key]["flows"] += v["verdict"] != "refused"
            by_package[key]["with stand-ins"] += v.get("stand_ins", False)
    print("| package |", " | ".join(COLUMNS), "|")
    print("|---|" + "---:|" * len(COLUMNS))
    for package in sorted(by_package, key=lambda p: (p == "all", p)):
        print(f"| {package} |", " | ".join(str(by_package[package][column]) for column in COLUMNS), "|")
    for v in verdicts:
        if v["verdict"] not in ("wrong", "missed"):
            continue
        print(f"\n{v['verdict'].upper()} {v['package']} {v['path']}:{v['flow']}")
        print("  flowreg:", canonical(v["ours"]), "\n  Prefect:", canonical(v["theirs"]))
    print("\nwhy not exact:")
    declined = [v["ours"] for v in verdicts if v["verdict"] == "not exact" and isinstance(v["ours"], list)]
    reasons = Counter(f"{i['what']}: {anonymous(i['reason'])}" for inexact in declined for i in inexact)
    for reason, count in reasons.most_common(25):
        print(f"  {count:4}  {reason}")
    print("\nwhy Prefect can't load a file:")
    errors = Counter(v["theirs"] for v in verdicts if v["verdict"].startswith("unverified"))
    for error, count in errors.most_common(15):
        print(f"  {count:4}  {error[:120]}")
    return 1 if by_package["all"]["wrong"] else 0


def anonymous(text):
    """A reason without the names and places in it."""
    return re.sub(r" \([^()]*:\d+\)$", "", re.sub(r"`[^`]*`", "`…`", text))


if __name__ == "__main__":
    sys.exit(main())
