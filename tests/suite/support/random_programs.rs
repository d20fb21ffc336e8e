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

const HEAD: &str = "import bisect, collections, copy, functools, heapq, operator, os
from dataclasses import dataclass, field
from prefect import flow


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
        let kinds = if self.with_unknown { 48 } else { 38 };
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
            38 => self.unknown(&format!("heapq.heappush({shared}, {number})")),
            39 => self.unknown(&format!("operator.setitem({lists}, 0, {shared})")),
            40 => self.unknown(&format!("list(map({shared}.append, [{number}]))")),
            41 => self.unknown(&format!("operator.methodcaller('append', {number})({shared})")),
            42 => self.unknown(&format!(
                "functools.reduce(lambda a, b: a.append(b) or a, [{number}], {shared})"
            )),
            43 => self.unknown(&format!("sorted([1, 2], key=lambda v: {shared}.append(v) or v)")),
            44 => self.unknown(&format!("if os.getpid():\n    {shared}.append({number})")),
            45 => self.unknown(&format!("os.getpid() and {numbers}.append({number})")),
            46 => self.unknown(&format!("held = Holder({shared})\nheld.grow()")),
            47 => self.unknown(&format!(
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
