//! Random programs that bind, share, store, pass on and change objects, and flows whose defaults are what
//! they hold.

use std::fmt::Write as _;

use super::random_flows::Random;

/// What a name of a program stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A list of whole numbers.
    Numbers,
    /// A list of lists of whole numbers.
    Lists,
    /// A dictionary of lists of whole numbers.
    Dict,
}

/// A program and whether everything in it can be known from its source.
pub(crate) struct Program {
    pub source: String,
    pub is_known: bool,
}

struct Writer<'r> {
    random: &'r mut Random,
    names: Vec<(String, Kind)>,
    flows: usize,
    text: String,
    is_known: bool,
    with_unknown: bool,
}

const HEAD: &str = "import bisect, collections, contextlib, copy, functools, heapq, inspect, itertools, json, operator, os
from dataclasses import dataclass, field
from types import SimpleNamespace
from prefect import flow

counter = 0


def count():
    global counter
    counter += 1
    return counter


def counting():
    number = 0

    def more():
        nonlocal number
        number += 1
        return number

    return more


def kept(function):
    @functools.wraps(function)
    def wrapper(*arguments):
        wrapper.calls.append(len(arguments))
        return function(*arguments)

    wrapper.calls = []
    return wrapper


def named(cls):
    cls.tag = cls.__name__
    return cls


def add(to, what=1):
    to.append(what)
    return to


def copied(what):
    made = list(what)
    made.append(0)
    return made


def each(many, what):
    for one in many:
        one.append(what)


def some(many):
    for one in many:
        if len(one) > 1:
            break
        one.append(8)


def given(*many, last=None):
    many[0].append(3)
    if last is not None:
        last.append(4)


def later(what):
    what.append(5)
    yield what


def first(many):
    return many[0]


def caught(what):
    try:
        what.append(6)
        return what[100]
    except IndexError:
        what.append(7)
    finally:
        what.append(9)


def rename(what, to):
    what.name = to


class Holder:
    shared = []

    def __init__(self, held):
        self.held = held
        self.shared.append(len(held))

    def grow(self):
        self.held.append(2)
        return self.held


@dataclass
class Record:
    held: list
    made: list = field(default_factory=list)

    def grow(self, what):
        self.held.append(what)
        self.made.append(len(self.held))
        return self


class Base:
    made = []

    def __init_subclass__(cls, **given):
        super().__init_subclass__(**given)
        cls.size = len(Base.made)

    def __init__(self, held):
        self.held = held
        self.own = []
        self.made.append(1)

    def take(self, what):
        self.own.append(what)
        return self.held

    @property
    def last(self):
        return self.held[-1] if self.held else -1

    @property
    def first(self):
        self.own.append(0)
        return self.held

    @classmethod
    def new(cls, held):
        return cls(held)

    @staticmethod
    def plain(held):
        held.append(6)
        return held

    def __len__(self):
        return len(self.held)

    def __eq__(self, other):
        return isinstance(other, Base) and self.held == other.held

    def __getitem__(self, at):
        return self.held[at]

    def __call__(self, what):
        self.held.append(what)
        return self

    def __enter__(self):
        self.held.append(5)
        return self.held

    def __exit__(self, kind, error, trace):
        self.own.append(0 if kind is None else 1)
        return kind is ValueError

    def __str__(self):
        self.own.append(3)
        return str(len(self.held))


class Derived(Base):
    def __init__(self, held, more=2):
        super().__init__(held)
        self.more = more

    def take(self, what):
        self.more += what
        return super().take(what)


class Failed(ValueError):
    def __init__(self, held, code):
        super().__init__(code)
        self.held = held


@contextlib.contextmanager
def lent(what):
    what.append(1)
    try:
        yield what
    finally:
        what.append(2)


def parts(many):
    for one in many:
        yield one
    yield [9]


";

/// A random program; without unknown input unless it may have some.
pub(crate) fn program(random: &mut Random, with_unknown: bool) -> Program {
    let mut writer = Writer {
        random,
        names: Vec::new(),
        flows: 0,
        text: HEAD.to_owned(),
        is_known: true,
        with_unknown,
    };
    for kind in [Kind::Numbers, Kind::Lists, Kind::Dict] {
        writer.bind(kind);
    }
    for _ in 0..10 {
        writer.statement(0);
    }
    for _ in 0..2 {
        writer.flow();
        writer.statement(0);
    }
    Program { source: writer.text, is_known: writer.is_known }
}

impl Writer<'_> {
    fn line(&mut self, depth: usize, line: &str) {
        for part in line.lines() {
            let _ = writeln!(self.text, "{}{part}", "    ".repeat(depth));
        }
    }

    fn pick(&mut self, kind: Kind) -> String {
        let fitting: Vec<&String> =
            self.names.iter().filter(|(_, known)| *known == kind).map(|(name, _)| name).collect();
        fitting[self.random.below(fitting.len())].clone()
    }

    fn new_name(&mut self, kind: Kind) -> String {
        let name = format!("v{}", self.names.len());
        self.names.push((name.clone(), kind));
        name
    }

    fn number(&mut self) -> usize {
        self.random.below(5)
    }

    fn bind(&mut self, kind: Kind) {
        let value = match kind {
            Kind::Numbers => format!("[{}, {}]", self.number(), self.number()),
            Kind::Lists => format!("[[{}], [{}]]", self.number(), self.number()),
            Kind::Dict => format!("{{'a': [{}], 'b': []}}", self.number()),
        };
        let name = self.new_name(kind);
        self.line(0, &format!("{name} = {value}"));
    }

    /// An expression that gives a list of numbers which something else may share.
    fn shared(&mut self) -> String {
        let (numbers, lists, dict) =
            (self.pick(Kind::Numbers), self.pick(Kind::Lists), self.pick(Kind::Dict));
        match self.random.below(7) {
            0 | 1 => numbers,
            2 => format!("{lists}[0]"),
            3 => format!("{dict}['a']"),
            4 => format!("{dict}.get('b')"),
            5 => format!("first({lists})"),
            _ => format!("{lists}[-1]"),
        }
    }

    /// A statement that changes something, or makes it known under another name.
    fn statement(&mut self, depth: usize) {
        let (numbers, lists, dict) =
            (self.pick(Kind::Numbers), self.pick(Kind::Lists), self.pick(Kind::Dict));
        let (shared, number) = (self.shared(), self.number());
        let kinds = if self.with_unknown { 100 } else { 84 };
        let line = match self.random.below(kinds) {
            0 => format!("{numbers}.append({number})"),
            1 => format!("{shared}.append({number})"),
            2 => format!("{lists}.append({shared})"),
            3 => format!("{dict}['{}'] = {shared}", ["a", "b", "c"][number % 3]),
            4 => format!("{numbers} += [{number}]"),
            5 => format!("{shared}.extend(({number}, 1))"),
            6 => format!("{numbers}[:1] = [{number}, {number}]"),
            7 => format!("{lists}[0] = {shared}"),
            8 => format!("add({shared}, {number})"),
            9 => format!("each({lists}, {number})"),
            10 => format!("given({shared}, 1)"),
            11 => format!("given({numbers}, last={shared})"),
            12 => format!("(lambda z: z.append({number}))({shared})"),
            13 => format!("grow = {shared}.append\ngrow({number})"),
            14 => format!("for one in {lists}:\n    one.append({number})"),
            15 => format!("for key, one in {dict}.items():\n    one.append(len(key))"),
            16 => format!("for one in ({numbers}, {shared}):\n    one.insert(0, {number})"),
            17 => format!("while len({numbers}) < 4:\n    {numbers}.append({number})"),
            18 => format!("if len({shared}) > 1:\n    {numbers}.append({number})\nelse:\n    {lists}.append([{number}])"),
            19 => format!("try:\n    {shared}.append({number})\n    raise ValueError\nexcept ValueError:\n    {numbers}.append(1)\nfinally:\n    {shared}.append(2)"),
            20 => format!("record = Record({shared})\nrecord.held.append({number})"),
            21 => format!("class Shelf:\n    items = {shared}\nShelf.items.append({number})"),
            22 => format!("{dict}.setdefault('d', []).append({number})"),
            23 => format!("{dict}.update(a={shared})"),
            24 => format!("[one.append({number}) for one in {lists} if one]"),
            25 => format!("pair = ({shared}, {lists})\npair[0].append({number})"),
            26 => format!("part = functools.partial(add, {shared})\npart({number})"),
            27 => format!("left, right = {shared}, {numbers}\nright.append(len(left))"),
            28 => format!("{numbers}.sort()\n{numbers}.reverse()"),
            29 => format!("if {numbers}:\n    {numbers}.pop()"),
            30 => format!("rest = [*{lists}, {shared}]\nrest[0].append({number})"),
            31 => format!("caught({shared})"),
            32 => format!("some({lists})"),
            33 => format!("list(later({shared}))"),
            34 | 35 => {
                let name = self.new_name(Kind::Numbers);
                self.defined(depth, &name, "[0]");
                let copies =
                    [shared.clone(), format!("list({shared})"), format!("{shared}[:]"), format!("copied({shared})")];
                format!("{name} = {}", copies[number % 4])
            }
            36 => {
                let name = self.new_name(Kind::Lists);
                self.defined(depth, &name, "[[0]]");
                let copies = [lists.clone(), format!("list({lists})"), format!("[{shared}, [{number}]]")];
                format!("{name} = {}", copies[number % 3])
            }
            37 if depth == 0 && self.flows > 0 => {
                let flow = format!("f{}", self.random.below(self.flows));
                match number {
                    0 => format!("rename({flow}, 'named-{number}')"),
                    1 => format!("for job in ({flow},):\n    job.name = 'n' + str(len({numbers}))"),
                    2 => format!("[{flow}][0].name = 'listed'"),
                    _ => format!("{flow}.name = 'x{number}'"),
                }
            }
            38 => format!("base = Base({shared})\nbase.take({number}).append(1)\n{lists}.append(base.own)"),
            39 => format!("derived = Derived({shared})\nderived.take({number})\n{numbers}.append(derived.more)"),
            40 => format!("derived = Derived.new({shared})\nderived({number})(1)\n{numbers}.append(len(derived))"),
            41 => format!("base = Base({shared})\n{numbers}.append(base.last)\nbase.first.append({number})\n{lists}.append(base.own)"),
            42 => format!("Base.plain({shared})\nBase({shared}).plain({numbers})"),
            43 => format!("base, other = Base({shared}), Derived({numbers})\nif base == other:\n    {numbers}.append(7)\nif base != other and base:\n    {shared}.append(8)"),
            44 => format!("base = Base({shared})\nwith base as taken:\n    taken.append({number})\n    if {number} > 2:\n        raise ValueError\n    taken.append(1)\n{lists}.append(base.own)"),
            45 => format!("with lent({shared}) as taken:\n    taken.append({number})"),
            46 => format!("with contextlib.suppress(IndexError):\n    {shared}.append({number})\n    {numbers}.append({numbers}[{number}])"),
            47 => format!("count()\n{numbers}.append(count())"),
            48 => format!("more = counting()\nmore()\n{numbers}.append(more())"),
            49 => format!("wrapped = kept(add)\nwrapped({shared}, {number})\n{lists}.append(wrapped.calls)"),
            50 => format!("@named\nclass Named(Base):\n    pass\n{numbers}.append(len(Named.tag) + Named.size)"),
            51 => format!("taken = iter({shared})\n{numbers}.append(next(taken, {number}))\n{lists}.append(list(taken))"),
            52 => format!("made = (one * 2 for one in list({shared}))\n{numbers}.extend(made)\n{lists}.append(list(made))"),
            53 => format!("{numbers}.append(sum(one for one in {shared} if one > {number}))"),
            54 => format!("if any(one.append({number}) or len(one) > 2 for one in {lists}):\n    {numbers}.append(1)"),
            55 => format!("list(map({shared}.append, [{number}, 1]))"),
            56 => format!("for one in filter(None, {lists}):\n    one.append({number})"),
            57 => format!("{lists}.extend(sorted({lists}, key=len, reverse={}))", ["True", "False"][number % 2]),
            58 => format!("{lists}.sort(key=lambda one: (len(one), one))"),
            59 => format!("{numbers}.append(max({lists}, key=len)[0] if all({lists}) else {number})"),
            60 => format!("match {shared}:\n    case []:\n        {numbers}.append(0)\n    case [one]:\n        {numbers}.append(one)\n    case [one, *rest] if one > 1:\n        {lists}.append(rest)\n    case taken:\n        taken.append({number})"),
            61 => format!("match {dict}:\n    case {{'d': one}}:\n        one.append(1)\n    case {{'a': [one, *_], **rest}}:\n        {numbers}.append(len(rest))\n    case _:\n        {numbers}.append(9)"),
            62 => format!("match Record({shared}):\n    case Record([{number}, *rest]):\n        {lists}.append(rest)\n    case Record(held):\n        held.append(3)"),
            63 => format!("record = Record({shared}).grow({number})\nrecord.held = {numbers}\nrecord.grow(1)\n{lists}.append(record.made)"),
            64 => format!("space = SimpleNamespace(held={shared})\nspace.held.append({number})\nspace.more = {numbers}\ngetattr(space, 'more').append(len(vars(space)['held']))"),
            65 => format!("base = Base({shared})\nsetattr(base, 'extra', {numbers})\nif hasattr(base, 'extra') and not hasattr(base, 'none'):\n    base.extra.append({number})"),
            66 => format!("globals()['{numbers}'].append({number})"),
            67 => format!("try:\n    raise Failed({shared}, {number})\nexcept ValueError as error:\n    error.held.append(error.args[0])\n    {numbers}.append(len(str(error)))"),
            68 => format!("try:\n    {numbers}.append({shared}[{number}])\nexcept LookupError:\n    {shared}.append(4)"),
            69 => format!("groups = collections.defaultdict(list)\nfor one in {shared}:\n    groups[one % 2].append(one)\n{lists}.extend(groups.values())"),
            70 => format!("{numbers}.extend(sorted(set({shared}) | {{{number}, 1}}))"),
            71 => format!("if {{{number}, 2}} & set({numbers}):\n    {shared}.append({number})"),
            72 => format!("{lists}.append([one + two for one in {shared} for two in ({number}, 1) if one < 3][:4])"),
            73 => format!("if [last := one for one in {shared}]:\n    {numbers}.append(last)"),
            74 => format!("{numbers}.extend(itertools.chain({shared}[:2], itertools.islice(itertools.count({number}), 2)))"),
            75 => format!("operator.setitem({lists}, 0, {shared})\noperator.getitem({lists}, 0).append({number})"),
            76 => format!("{shared}.sort()\nbisect.insort({numbers}, {number}) if {numbers} == sorted({numbers}) else None"),
            77 => format!("for one in parts({lists}):\n    {numbers}.append(len(one))"),
            78 => format!("for one in list(parts({lists})):\n    one.append({number})"),
            79 => format!("{dict}['e'] = json.loads(json.dumps({shared}))"),
            80 => format!("head, *tail = {shared} or [0]\ntail.append(head)\n{lists}.append(tail[::-1])"),
            81 => format!("def default(what={shared}):\n    return what\ndefault.__defaults__ = ({numbers},)\ndefault().append({number})"),
            82 => format!("{numbers}[0:0] = [functools.reduce(lambda one, two: one + two, {shared}, {number})]"),
            83 => format!("base = Base({shared})\nbase.own += [{number}]\nbase.held[0:1] = base.own\nbase.number = 1\nbase.number += {number}\n{numbers}.append(base.number)"),
            84 => self.unknown(&format!("heapq.heappush({shared}, {number})")),
            85 => self.unknown(&format!("base = Base({shared})\nif os.getpid():\n    str(base)\n{lists}.append(base.own)")),
            86 => self.unknown(&format!("base = Base({shared})\nif os.getpid():\n    base.first.append(1)\n{lists}.append(base.own)")),
            87 => self.unknown(&format!("taken = iter({shared})\nif os.getpid():\n    list(taken)\n{lists}.append(list(taken))")),
            88 => self.unknown(&format!("made = map({shared}.append, [1, 2])\nif os.getpid():\n    sum(one or 0 for one in made)\nlist(made)")),
            89 => self.unknown(&format!("if os.getpid():\n    count()\n{numbers}.append(counter)")),
            90 => self.unknown(&format!("base = Base({shared})\nfor one in range(os.getpid() % 3 + 1):\n    base = base({number})\nbase.held.append(1)")),
            91 => self.unknown(&format!("base = Base({shared})\nif os.getpid():\n    base.own = [1]\n    base.held = {numbers}\nbase.held.append(2)\n{lists}.append(base.own)")),
            92 => self.unknown(&format!("heapq.heapify({numbers})\nheapq.heappush({shared}, {number})")),
            93 => self.unknown(&format!("operator.methodcaller('append', {number})({shared})")),
            94 => self.unknown(&format!("sorted([1, 2], key=lambda v: {shared}.append(v) or v)")),
            95 => self.unknown(&format!("if os.getpid():\n    {shared}.append({number})")),
            96 => self.unknown(&format!("os.getpid() and {numbers}.append({number})")),
            97 => self.unknown(&format!("held = Holder({shared})\nheld.grow()")),
            98 => self.unknown(&format!(
                "class Kept:\n    def __init_subclass__(cls):\n        {numbers}.append({number})\nclass Sub(Kept):\n    pass"
            )),
            _ => format!("copy.copy({shared})"),
        };
        self.line(depth, &line);
        if depth == 0 && self.random.below(6) == 0 {
            let condition = format!("len({numbers}) != {number}");
            self.line(0, &format!("if {condition}:"));
            self.statement(1);
        }
    }

    /// A name that is bound under a condition has a value before it.
    fn defined(&mut self, depth: usize, name: &str, value: &str) {
        if depth > 0 {
            // Before the condition, which is the last line but one.
            let at = self.text.trim_end().rfind('\n').map_or(0, |at| at + 1);
            self.text.insert_str(at, &format!("{name} = {value}\n"));
        }
    }

    fn unknown(&mut self, line: &str) -> String {
        self.is_known = false;
        line.to_owned()
    }

    fn flow(&mut self) {
        let (shared, lists, dict) = (self.shared(), self.pick(Kind::Lists), self.pick(Kind::Dict));
        let flow = format!("f{}", self.flows);
        let defaults = [
            format!("x={shared}, y={lists}"),
            format!("x={dict}, y=len({shared})"),
            format!("x=({shared}, {lists}), y=Record({shared}).held"),
            format!("x=list({lists}), y={dict}['a'], z=Holder.shared"),
        ];
        let defaults = &defaults[self.random.below(defaults.len())];
        self.line(0, &format!("\n\n@flow\ndef {flow}({defaults}):\n    {lists}.clear()\n\n"));
        self.flows += 1;
    }
}
