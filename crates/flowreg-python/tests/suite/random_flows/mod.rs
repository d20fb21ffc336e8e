//! Flow files nobody wrote: random signatures, declarations, docstrings and decorators.
//!
//! A flow comes with everything it needs, so that it can be looked at alone. Python decides
//! whether a file can be loaded; the ordinary ones are meant to be, the hazardous ones are not.

#![expect(clippy::format_push_string, reason = "sources are put together from pieces of text")]

mod classes;
mod docstrings;
mod hazards;
mod mutations;
mod random;
mod scope;
mod shapes;
mod typed;
mod types;
mod units;
mod values;

pub(crate) use mutations::{Mutator, bombs};
pub(crate) use random::Random;
use scope::{Scope, Spelling};

/// One flow and what it needs.
pub(crate) struct Unit {
    /// The attribute path by which it is registered.
    pub object: String,
    pub source: String,
}

/// A source file with several flows.
pub(crate) struct FlowFile {
    pub name: String,
    pub header: String,
    pub units: Vec<Unit>,
}

impl FlowFile {
    pub(crate) fn source(&self) -> String {
        let units: Vec<&str> = self.units.iter().map(|unit| unit.source.as_str()).collect();
        format!("{}\n{}", self.header, units.join("\n\n"))
    }

    /// The flow to whose part of the source this line belongs.
    pub(crate) fn part(&self, line: usize) -> Option<&Unit> {
        let mut first = self.header.matches('\n').count() + 2;
        for unit in &self.units {
            let last = first + unit.source.matches('\n').count() + 1;
            if (first..=last).contains(&line) {
                return Some(unit);
            }
            first = last + 1;
        }
        None
    }

    /// The part of the source that makes this flow, without the imports.
    pub(crate) fn only(&self, object: &str) -> String {
        let unit = self.units.iter().find(|unit| unit.object == object);
        let is_postponed = self.header.starts_with("from __future__");
        let first = if is_postponed { "from __future__ import annotations\n" } else { "" };
        unit.map_or_else(String::new, |unit| format!("{first}{}", unit.source))
    }
}

fn spelling(random: &mut Random) -> Spelling {
    Spelling {
        is_postponed: random.chance(25),
        datetime: random.pick(&["", "datetime.", "dt."]),
        typing: random.pick(&["", "", "typing.", "t."]),
        flow: random.pick(&["flow", "flow", "flow", "prefect.flow", "p.flow", "task_flow"]),
    }
}

/// A file of so many flows that Python should be able to load.
pub(crate) fn ordinary(random: &mut Random, number: usize, flows: usize) -> FlowFile {
    let spelling = spelling(random);
    FlowFile {
        name: format!("ordinary_{number}.py"),
        header: header(spelling),
        units: units(random, spelling, flows, false),
    }
}

fn units(random: &mut Random, spelling: Spelling, flows: usize, is_bold: bool) -> Vec<Unit> {
    let mut count = 0;
    let mut units = Vec::new();
    for _ in 0..flows {
        let has_opaque_types = random.chance(25);
        let mut scope = Scope {
            random,
            spelling,
            is_bold,
            has_opaque_types,
            count: &mut count,
            before: Vec::new(),
            after: Vec::new(),
            declared: Vec::new(),
            models: Vec::new(),
            dataclasses: Vec::new(),
        };
        units.push(scope.unit());
    }
    units
}

/// A file of one or two flows that does something Python, pydantic or Prefect may refuse.
pub(crate) fn hazardous(random: &mut Random, number: usize) -> FlowFile {
    let spelling = spelling(random);
    let mut units = units(random, spelling, number % 2, number.is_multiple_of(3));
    let hazard = hazards::hazard(random, number);
    units.insert(random.below(units.len() + 1), hazard);
    FlowFile { name: format!("hazardous_{number}.py"), header: header(spelling), units }
}

fn header(spelling: Spelling) -> String {
    let future = if spelling.is_postponed { "from __future__ import annotations\n\n" } else { "" };
    let datetime = match spelling.datetime {
        "" => "from datetime import date, datetime, time, timedelta, timezone",
        "dt." => "import datetime as dt",
        _ => "import datetime",
    };
    let typing = match spelling.typing {
        "typing." => "import typing\nfrom typing import ClassVar",
        "t." => "import typing as t\nfrom typing import ClassVar",
        _ => {
            "from typing import (\n    IO, AbstractSet, Annotated, Any, AnyStr, AsyncIterator, \
             Awaitable, Callable,\n    ClassVar, Collection, DefaultDict, Deque, Dict, Final, \
             FrozenSet, Generic, Hashable,\n    Iterable, Iterator, List, Literal, LiteralString, \
             Mapping, MutableMapping,\n    MutableSequence, NamedTuple, Never, NewType, NoReturn, \
             Optional, OrderedDict, Sequence,\n    Set, Sized, Text, Tuple, Type, TypeAlias, \
             TypeVar, Union,\n)"
        }
    };
    let flow = match spelling.flow {
        "flow" => "from prefect import flow",
        "prefect.flow" => "import prefect",
        "p.flow" => "import prefect as p",
        _ => "from prefect.flows import flow as task_flow",
    };
    format!(
        "{future}import collections
import collections.abc
import dataclasses
import datetime as datetime_module
import fractions
import http
import ipaddress
import logging
import math
import os
import re
import threading
import zoneinfo
from abc import ABC, abstractmethod
from collections import deque, namedtuple
from dataclasses import dataclass, field
{datetime}
from decimal import Decimal
from enum import Enum, Flag, IntEnum, IntFlag, StrEnum, auto
from pathlib import Path, PurePath
{typing}
from uuid import UUID

import pydantic
import pydantic.dataclasses
from annotated_types import Ge, Gt, Interval, Le, Len, Lt, MaxLen, MinLen, MultipleOf
from pydantic import (
    UUID4, AnyUrl, AwareDatetime, Base64Bytes, Base64Str, BaseModel, ByteSize, ConfigDict,
    DirectoryPath, Field, FilePath, FutureDate, FutureDatetime, HttpUrl, ImportString, Json,
    JsonValue, NaiveDatetime, NegativeFloat, NewPath, NonNegativeInt, PastDate, PositiveInt,
    PrivateAttr, SecretBytes, SecretStr, SkipValidation, StrictBool, StrictInt, StrictStr,
    StringConstraints, computed_field, conint, confloat, conlist, conset, condecimal, constr,
    field_serializer, field_validator, model_validator,
)
from pydantic.alias_generators import to_camel
from typing_extensions import NotRequired, Required, TypeAliasType, TypedDict

{flow}

"
    )
}
