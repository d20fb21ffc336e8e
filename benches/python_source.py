"""Writes Python files that look like a data team's: the material of the generated repository.

Only `random.Random.random` is used, whose sequence is the same in every Python 3, so a seed
gives the same bytes everywhere. Nothing here knows git or measures anything.
"""

NOUNS = """account address agreement allocation amount archive asset audit balance batch bill
booking branch bucket budget calendar campaign carrier catalog category channel charge claim
client column commission company component contact contract country coupon credit currency
customer dataset delivery department deposit device discount dispatch document employee event
exchange expense export facility feature feed field forecast freight gateway goods guest
holding holiday index instrument insurance interest inventory invoice item journal key
label ledger lender limit listing loan location lot machine market measure member merchant
message meter metric mission model month mortgage movement network note notice offer office
order outlet owner package page parcel parent partner passenger payment payroll penalty period
person pipeline plan plant policy portfolio position premium price product profile project
property purchase quantity quarter query quota quote rate reading rebate receipt record refund
region reminder rental report request reserve resource result revenue review reward
risk route salary sample schedule score season sector segment sensor series session settlement
shipment shop signal site snapshot source staff statement station stock store stream subject
subscription summary supplier survey table target tariff tax team tenant term ticket token
total trade transfer trip unit update usage user value vehicle vendor version visit voucher
wage warehouse week window""".split()
VERBS = """adjust aggregate align allocate append apply archive assign attach backfill balance
build cache calculate check classify clean clear close collect combine compare compute confirm
convert copy count create decode deliver derive describe detect dispatch drop encode enrich
estimate evaluate expand explain export extract fetch fill filter find fix format gather group
import index infer insert inspect join list load lock log map mark mask match measure merge
migrate move normalise notify open order pack parse partition pick pivot plan post prepare
print process project publish purge read rebuild reconcile record reduce refresh register
release remove rename render replace report resolve restore retry round sample save scale
scan schedule score select send shift sort split stage start stop store strip submit sum sync
tag test track transform translate trim update upload validate verify weigh write""".split()
QUALITIES = """active annual archived average blank broken cached closed common complete current
daily dirty early empty expired external final first former full global gross hidden hourly
inner internal known large last late latest legacy local long lost low manual missing monthly
nested net new next nightly old open outer paid partial pending plain previous primary
private public quarterly raw ready recent regional remote rejected secondary shared short single
small sorted stable stale static strict temporary unknown unpaid upper valid weekly wide
yearly""".split()
PROSE = """a after again against all already always and any are as at be because been before
between both but by can cannot comes each either else every except for from goes has have here
how if in into is it its keeps later less like made may means more most must never no not of on
once one only or other our out over own per same should since so some still such than that the
their them then there these they this those through too twice under until up used very was
we were what when where which while who will with without would yet""".split()
LIBRARIES = """import json;import logging;import os;import re;import sys;import csv;import math;
import hashlib;import datetime as dt;import itertools;from collections import defaultdict;
from dataclasses import dataclass;from pathlib import Path;from typing import Any, Optional;
from decimal import Decimal;import pandas as pd;import numpy as np;import sqlalchemy as sa;
import requests;import boto3;import pyarrow.parquet as pq;from functools import lru_cache
""".replace("\n", "").split(";")

STANDARD_LIBRARIES = [name for name in LIBRARIES if not name.startswith(("import boto3", "import num",
    "import pandas", "import pyarrow", "import requests", "import sqlalchemy"))]

# Words that hold `flow` in files that have no flow: what a byte filter lets through for nothing.
DECOYS = (
    "# Part of the old workflow, kept until the {0} is gone.",
    "{0}_overflow = {1}",
    "# The flow of the {0} is described in the handbook.",
    'WORKFLOW_NAME = "{0}-workflow"',
    "from airflow import DAG",
    'DATAFLOW_BUCKET = "{0}-dataflow-{1}"',
    "def inflow_of_{0}(rows):\n    return sum(row.inflow for row in rows)",
)

# Annotation, default and how the documentation calls it.
PARAMETERS = (
    ("str", '"eu"'), ("str", None), ("int", "10"), ("int", None), ("float", "0.25"),
    ("bool", "False"), ("bool", "True"), ("list[str]", None), ("dict[str, int]", None),
    ("Optional[int]", "None"), ("Optional[str]", "None"), ("str | None", "None"),
    ("list[int]", None), ("dict[str, Any]", "None"),
)


class SourceWriter:
    """Writes one file after the other from a random number generator."""

    def __init__(self, rng):
        self.random = rng.random

    # Small choices

    def below(self, n):
        return int(self.random() * n)

    def pick(self, words):
        return words[int(self.random() * len(words))]

    def chance(self, share):
        return self.random() < share

    def noun(self):
        return self.pick(NOUNS)

    def name(self):
        which = self.random()
        if which < 0.35:
            return self.noun()
        if which < 0.7:
            return f"{self.pick(QUALITIES)}_{self.noun()}"
        return f"{self.noun()}_{self.noun()}"

    def verb_name(self):
        return f"{self.pick(VERBS)}_{self.name()}"

    def class_name(self):
        return self.pick(QUALITIES).title() + self.noun().title() + self.noun().title()

    def sentence(self):
        words = [self.pick(PROSE if self.chance(0.55) else NOUNS) for _ in range(5 + self.below(9))]
        return " ".join(words).capitalize() + "."

    def literal(self):
        which = self.random()
        if which < 0.4:
            return str(self.below(5000))
        if which < 0.6:
            return f"{self.random():.4f}"
        return f'"{self.name()}"'

    # Statements

    def body(self, lines, pad, known):
        out = []
        while len(out) < lines:
            out.extend(pad + line for line in self.statement(known))
        return out

    def statement(self, known):
        which = self.below(13)
        a, b = self.name(), self.pick(known)
        if which == 0:
            known.append(a)
            return [f'{a} = {b}.get("{self.name()}", {self.literal()})']
        if which == 1:
            return [f"for {a} in {b}:", f"    {a}.{self.verb_name()}({self.literal()})"]
        if which == 2:
            return [f"if not {b}:", f'    raise ValueError(f"{self.sentence()} {{{b}}}")']
        if which == 3:
            return [f'logger.info("{self.sentence()} %s", {b})']
        if which == 4:
            known.append(a)
            x = self.noun()[0]
            return [f"{a} = [{x}.{self.name()} for {x} in {b} if {x}.{self.noun()} > {self.below(900)}]"]
        if which == 5:
            known.append(a)
            return [f"{a} = {self.verb_name()}({b}, {self.noun()}={self.literal()})"]
        if which == 6:
            return [f"# {self.sentence()}"]
        if which == 7:
            return [f'{b}["{self.name()}"] = {b}["{self.name()}"] * {self.literal()}']
        if which == 8:
            known.append(a)
            return [f'with open({b} / "{self.name()}.json") as handle:', f"    {a} = json.load(handle)"]
        if which == 9:
            return ["try:", f"    {b}.{self.verb_name()}({self.literal()})", "except KeyError:",
                    f'    logger.warning("{self.sentence()}")']
        if which == 10:
            known.append(a)
            return [f'{a} = {b}.groupby("{self.name()}")["{self.name()}"].sum().reset_index()']
        if which == 11:
            return [f"if {b} is None or len({b}) > {self.below(4000)}:", f"    return {self.literal()}"]
        known.append(a)
        return [f"{a} = {{", f'    "{self.name()}": {self.literal()},',
                f'    "{self.name()}": {b},', f'    "{self.name()}": {self.literal()},', "}"]

    # Blocks: what stands at the top level of a module

    def function(self, pad="", first=None):
        arguments = [self.name() for _ in range(1 + self.below(4))]
        arguments = list(dict.fromkeys(arguments))
        head = ([first] if first else []) + arguments
        lines = [f"{pad}def {self.verb_name()}({', '.join(head)}):"]
        if self.chance(0.45):
            lines.append(f'{pad}    """{self.sentence()} {self.sentence()}"""')
        lines += self.body(3 + self.below(16), pad + "    ", list(arguments))
        lines.append(f"{pad}    return {self.pick(arguments)}")
        return lines

    def klass(self):
        lines = [f"class {self.class_name()}:", f'    """{self.sentence()}"""', ""]
        for _ in range(1 + self.below(5)):
            lines += self.function("    ", "self") + [""]
        return lines[:-1]

    def notes(self):
        return [f"# {self.sentence()} {self.sentence()}"[:79] for _ in range(25)]

    def table(self):
        lines = [f"{self.name().upper()} = {{"]
        lines += [f'    "{self.name()}": {self.literal()},' for _ in range(4 + self.below(20))]
        return lines + ["}"]

    def block(self):
        which = self.random()
        if which < 0.62:
            return self.function()
        return self.klass() if which < 0.85 else self.table()

    def header(self, extra=(), libraries=LIBRARIES):
        lines = [f'"""{self.sentence()}', "", self.sentence(), self.sentence(), '"""', ""]
        if self.chance(0.2):
            lines.insert(0, "# Copyright the authors. All rights reserved.")
        count = 2 + self.below(6)
        lines += sorted({self.pick(libraries) for _ in range(count)} | {"import logging"} | set(extra))
        return lines + ["", "logger = logging.getLogger(__name__)"]

    # Flows

    def flow(self, unique, decorator, named=None):
        """A decorated function: its name, which `unique` makes the only one, and its lines."""
        chosen = [self.pick(PARAMETERS) for _ in range(self.below(5))]
        chosen.sort(key=lambda parameter: parameter[1] is not None)
        names = []
        for _ in chosen:
            name = self.name()
            while name in names:
                name = self.name()
            names.append(name)
        options = []
        function = f"{self.verb_name()}_{unique}"
        if named is None and self.chance(0.3):
            named = f"{function.replace('_', '-')}-job"
        if named:
            options.append(f'name="{named}"')
        if self.chance(0.3):
            options.append(f"retries={1 + self.below(4)}")
        if self.chance(0.3):
            options.append("log_prints=True")
        lines = [f"@{decorator}({', '.join(options)})" if options else f"@{decorator}"]
        signature = [
            f"{name}: {kind}" + ("" if default is None else f" = {default}")
            for name, (kind, default) in zip(names, chosen)
        ]
        keyword = "async def" if self.chance(0.1) else "def"
        one_line = f"{keyword} {function}({', '.join(signature)}) -> None:"
        if len(one_line) < 96:
            lines.append(one_line)
        else:
            lines += [f"{keyword} {function}(", *(f"    {entry}," for entry in signature), ") -> None:"]
        if self.chance(0.8):
            if names and self.chance(0.5):
                lines += [f'    """{self.sentence()}', "", "    Args:"]
                lines += [f"        {name}: {self.sentence()}" for name in names] + ['    """']
            else:
                lines.append(f'    """{self.sentence()}"""')
        return function, lines + self.body(5 + self.below(20), "    ", names or ["logger"])

    # Changes

    def grow(self, blocks):
        """Adds a line or a function, as a change in a file's history does."""
        if len(blocks) > 1 and self.chance(0.5):
            self.pick(blocks[1:]).append(f"# {self.sentence()}")
        else:
            blocks.append(self.function())

    def rework(self, blocks, fixed):
        """Says one line, after the first `fixed` blocks, in other and fewer words."""
        for _ in range(6):
            if len(blocks) <= fixed:
                return
            block = blocks[fixed + self.below(len(blocks) - fixed)]
            remarks = [n for n, line in enumerate(block) if line.lstrip().startswith("# ") and len(line) > 24]
            if remarks:
                n = self.pick(remarks)
                pad = block[n][: block[n].index("#")]
                words = f"{pad}# {self.sentence()} {self.sentence()} {self.sentence()}"
                block[n] = words[: len(block[n]) - 1].rstrip()
                return

    def task(self):
        lines = self.function()
        return ["@task" if self.chance(0.6) else f"@task(retries={1 + self.below(5)})"] + lines


def join(blocks):
    """A module's text from its top-level blocks."""
    return "\n\n\n".join("\n".join(block) for block in blocks) + "\n"
