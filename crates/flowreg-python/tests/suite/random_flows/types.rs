//! Random annotations of the supported grammar, each with an expression of that type.

use super::scope::{Scope, quoted};
use super::typed::{Kind, Typed};

impl Scope<'_> {
    /// Any type; `depth` bounds how far containers and classes nest.
    pub(super) fn typed(&mut self, depth: usize) -> Typed {
        if depth == 0 {
            return self.scalar();
        }
        match self.random.below(100) {
            0..32 => self.scalar(),
            32..52 => self.container(depth),
            52..68 => self.union(depth),
            68..75 => self.literal(),
            75..84 => self.annotated(depth),
            84..88 if !self.declared.is_empty() => {
                let which = self.random.below(self.declared.len());
                self.declared[which].clone()
            }
            _ => {
                let declared = self.declaration(depth);
                self.declared.push(declared.clone());
                declared
            }
        }
    }

    pub(super) fn integer(&mut self) -> String {
        match self.random.below(12) {
            0 => "0".to_owned(),
            1 => "-1".to_owned(),
            2 => "1_000".to_owned(),
            3 => "0x1F".to_owned(),
            4 => "10 ** 20".to_owned(),
            5 => "2 ** 8 - 1".to_owned(),
            6 => "60 * 60".to_owned(),
            7 => "-7 // 2".to_owned(),
            8 => "~5 & 0xFF".to_owned(),
            _ => self.random.below(500).to_string(),
        }
    }

    fn float(&mut self) -> String {
        (self.random.pick(&[
            "0.1",
            "1.0",
            "-2.5",
            "1e30",
            "1e-7",
            "1e16",
            "123456789.123",
            "1 / 3",
            "-0.0",
            "1e5",
            "float(\"inf\")",
            "2.0 ** 0.5",
            "5e-324",
            "1e22",
            "100.0",
            "3",
            "float(\"nan\")",
        ]))
        .to_owned()
    }

    pub(super) fn text(&mut self) -> String {
        (self.random.pick(&[
            "\"\"",
            "\"daily\"",
            "'s3://bucket/key'",
            "\"a\" \"b\"",
            "\"é😀\"",
            "r\"\\d+\"",
            "\"tab\\there\"",
            "\"\\u00e9\"",
            "\"\"\"two\nlines\"\"\"",
            "\"q'uote\"",
            "f\"{1 + 1}-x\"",
            "\"{{ name }}\"",
            "\"x\" * 3",
            "\"a-b\".replace(\"-\", \"_\")",
            "\"\\x00\"",
            "\"a/b\"",
            "f\"{3:03d}\"",
            "f\"{'x'!r:>5}\"",
            "\"%s-%d\" % (\"a\", 3)",
            "\"{}:{}\".format(1, 2)",
            "\",\".join([\"a\", \"b\"])",
            "\"abc\"[1:]",
            "\" x \".strip()",
            "\"Ab\".lower()",
            "f\"{1.5:.2f}\"",
            "f\"{10:,}\"",
            "\"x\".upper().title()",
            "f\"{'a':*^7}\"",
        ]))
        .to_owned()
    }

    pub(super) fn moment(&mut self) -> Typed {
        let [date, datetime, time, timedelta, timezone] =
            ["date", "datetime", "time", "timedelta", "timezone"].map(|name| self.datetime(name));
        match self.random.below(4) {
            0 => {
                let value = match self.random.below(5) {
                    0 => format!("{date}(2024, 2, 29)"),
                    1 => format!("{date}(1999, 12, 31) + {timedelta}(days=1)"),
                    2 => format!("{date}.fromisoformat(\"2023-05-06\")"),
                    3 => format!("{date}(2024, 1, 31).replace(month=3)"),
                    _ => format!("{date}(year=2020, month=1, day=2)"),
                };
                Typed::other(date, value)
            }
            1 => {
                let value = match self.random.below(6) {
                    0 => format!("{datetime}(2024, 1, 2, 3, 4, 5)"),
                    1 => format!("{datetime}(2024, 1, 2, tzinfo={timezone}.utc)"),
                    2 => format!("{datetime}(2024, 1, 2, 3, 4, 5, 678)"),
                    3 => format!(
                        "{datetime}(2024, 1, 2, tzinfo={timezone}({timedelta}(hours=5, minutes=30)))"
                    ),
                    4 => format!("{datetime}(2024, 12, 31) - {timedelta}(hours=25)"),
                    _ => format!("{datetime}.fromisoformat(\"2024-01-02T03:04:05+02:00\")"),
                };
                Typed::other(datetime, value)
            }
            2 => {
                let value = (self.random.pick(&[
                    "(1, 2)",
                    "(23, 59, 59, 5)",
                    "()",
                    "(hour=4)",
                    "(1, tzinfo=datetime_module.timezone.utc)",
                ]))
                .to_owned();
                Typed::other(time.clone(), format!("{time}{value}"))
            }
            _ => {
                let value = (self.random.pick(&[
                    "(days=1, seconds=90)",
                    "(hours=-1)",
                    "(milliseconds=1500)",
                    "(0)",
                    "()",
                    "(weeks=60)",
                    "(days=400, microseconds=7)",
                    "(minutes=90)",
                    "(days=-1, hours=1)",
                    "(hours=1) * 3",
                    "(seconds=0.25)",
                ]))
                .to_owned();
                Typed::other(timedelta.clone(), format!("{timedelta}{value}"))
            }
        }
    }

    pub(super) fn scalar(&mut self) -> Typed {
        let text = self.text();
        if self.has_opaque_types && self.random.chance(12) {
            return self.opaque();
        }
        match self.random.below(40) {
            0..7 => Typed::new("str", text, Kind::Text),
            7..13 => Typed::new("int", self.integer(), Kind::Integer),
            13..16 => Typed::new("float", self.float(), Kind::Float),
            16..19 => Typed::other("bool", self.random.pick(&["True", "False", "not True"])),
            19 => Typed::other(
                "bytes",
                self.random.pick(&["b\"abc\"", "b\"\"", "b\"\\xff\"", "\"é\".encode()"]),
            ),
            20..24 => self.moment(),
            24 => Typed::other(
                "Decimal",
                self.random.pick(&[
                    "Decimal(\"1.10\")",
                    "Decimal(3)",
                    "Decimal(\"1E+5\")",
                    "Decimal(\"-0.00\")",
                    "Decimal(\"1.5\") + 1",
                    "Decimal(0.1)",
                    "Decimal(\"NaN\")",
                    "Decimal(\"1e-9\")",
                ]),
            ),
            25 => Typed::other(
                "UUID",
                self.random.pick(&[
                    "UUID(\"12345678123456781234567812345678\")",
                    "UUID(\"{12345678-1234-5678-1234-56781234567A}\")",
                    "UUID(int=5)",
                ]),
            ),
            26..28 => Typed::other(
                "Path",
                self.random.pick(&[
                    "Path(\"a\") / \"b\"",
                    "Path(\"/tmp//x/\")",
                    "Path()",
                    "Path(\"./x/../y\")",
                    "Path(\"a\", \"/b\", \"c\")",
                    "Path(\"a/b.txt\").parent",
                    "Path(\"x.tar.gz\").stem",
                    "Path(\"x.csv\").with_suffix(\".json\")",
                    "\"root\" / Path(\"leaf\")",
                ]),
            ),
            28 => Typed::other("PurePath", "PurePath(\"q/r\")"),
            29 => Typed::other("re.Pattern", "re.compile(\"a+\")"),
            30 => Typed::other("None", "None"),
            31 => {
                Typed::other((self.random.pick(&["object", "complex", "type"])).to_owned(), "None")
            }
            32..34 => {
                let (name, value) = self.random.pick(&[
                    ("Any", "1"),
                    ("Hashable", "2"),
                    ("AnyStr", "\"x\""),
                    ("Text", "\"x\""),
                    ("Callable", "print"),
                ]);
                Typed::other(self.typing(name), value)
            }
            34..36 => {
                let (name, value, kind) = self.random.pick(&[
                    ("PositiveInt", "3", Kind::Integer),
                    ("NonNegativeInt", "0", Kind::Integer),
                    ("NegativeFloat", "-1.5", Kind::Float),
                    ("StrictInt", "4", Kind::Integer),
                    ("StrictStr", "\"s\"", Kind::Text),
                    ("StrictBool", "True", Kind::Other),
                    ("conint(ge=1, lt=10)", "5", Kind::Integer),
                    ("constr(min_length=2)", "\"abc\"", Kind::Text),
                    ("constr(pattern=r\"^\\w+$\", max_length=9)", "\"abc\"", Kind::Text),
                    ("confloat(gt=0)", "0.5", Kind::Float),
                    ("conlist(int, min_length=1)", "[1]", Kind::List),
                    ("conset(str, max_length=4)", "{\"a\"}", Kind::Other),
                    ("condecimal(max_digits=5)", "Decimal(\"1.5\")", Kind::Other),
                ]);
                Typed::new(name, value, kind)
            }
            36..38 => {
                let (name, value) = self.random.pick(&[
                    ("SecretStr", "SecretStr(\"s\")"),
                    ("SecretBytes", "SecretBytes(b\"s\")"),
                    ("HttpUrl", "\"https://example.com\""),
                    ("AnyUrl", "\"ftp://x/y\""),
                    ("FilePath", "Path(\"f\")"),
                    ("DirectoryPath", "Path(\"d\")"),
                    ("NewPath", "\"p\""),
                    ("UUID4", "None"),
                    ("Json", "\"{}\""),
                    ("ByteSize", "\"1GB\""),
                    ("PastDate", "None"),
                    ("AwareDatetime", "None"),
                    ("NaiveDatetime", "None"),
                    ("FutureDatetime", "None"),
                    ("FutureDate", "None"),
                    ("Base64Bytes", "b\"YQ==\""),
                    ("Base64Str", "\"YQ==\""),
                    ("ImportString", "\"os\""),
                    ("JsonValue", "{\"a\": 1}"),
                    ("SkipValidation[int]", "1"),
                    ("Json[list[int]]", "\"[1]\""),
                ]);
                Typed::other(name, value)
            }
            38 => {
                let (name, value) = self.random.pick(&[
                    ("ipaddress.IPv4Address", "ipaddress.IPv4Address(\"10.0.0.1\")"),
                    ("ipaddress.IPv6Network", "\"::/8\""),
                    ("zoneinfo.ZoneInfo", "zoneinfo.ZoneInfo(\"UTC\")"),
                    ("fractions.Fraction", "fractions.Fraction(1, 3)"),
                    ("http.HTTPStatus", "http.HTTPStatus.OK"),
                    ("os.PathLike", "\"x\""),
                    ("collections.Counter", "None"),
                ]);
                Typed::other(name, value)
            }
            _ => Typed::new("str", "None", Kind::Text),
        }
    }

    /// Types that pydantic knows nothing of: any value will do for a parameter, no class may
    /// have a field of them.
    fn opaque(&mut self) -> Typed {
        let (name, value) = self.random.pick(&[
            ("bytearray", "None"),
            ("range", "range(3)"),
            ("slice", "slice(1)"),
            ("logging.Logger", "logging.getLogger()"),
            ("Exception", "None"),
            ("datetime_module.tzinfo", "None"),
            ("collections.abc.Collection[int]", "[]"),
            ("threading.Lock", "None"),
        ]);
        if self.random.chance(50) {
            return Typed::other(name, value);
        }
        let name = self.random.pick(&[
            "Sized",
            "LiteralString",
            "Never",
            "NoReturn",
            "IO",
            "Collection[int]",
            "Iterator[str]",
            "AsyncIterator[int]",
            "Awaitable[int]",
        ]);
        Typed::other(self.typing(name), "None")
    }

    fn hashable(&mut self) -> Typed {
        match self.random.below(8) {
            0..3 => {
                let value = self.text();
                Typed::other("str", value)
            }
            3 => Typed::other("int", self.integer()),
            4 => self.moment(),
            5 => self.literal(),
            6 => Typed::other("UUID", "UUID(int=7)"),
            _ => Typed::other(format!("{}[int, str]", self.spelled("tuple")), "(1, \"a\")"),
        }
    }

    /// `list` or `List`, as the file likes.
    fn spelled(&mut self, name: &str) -> String {
        let old = match name {
            "list" => "List",
            "dict" => "Dict",
            "set" => "Set",
            "tuple" => "Tuple",
            "type" => "Type",
            _ => "FrozenSet",
        };
        if self.random.chance(50) { name.to_owned() } else { self.typing(old) }
    }

    fn inner(&mut self, depth: usize) -> Typed {
        let mut typed = self.typed(depth - 1);
        if self.random.chance(3) && self.has_opaque_types {
            typed.annotation = quoted(&typed.annotation);
        }
        typed
    }

    fn container(&mut self, depth: usize) -> Typed {
        if self.random.chance(15) {
            let name = self.random.pick(&["list", "dict", "set", "frozenset", "tuple"]);
            let value = if self.random.chance(50) { format!("{name}()") } else { "[]".to_owned() };
            return Typed::other(self.spelled(name), value);
        }
        let item = self.inner(depth);
        let Typed { annotation, value, .. } = &item;
        match self.random.below(18) {
            0..5 => {
                let list = self.spelled("list");
                let value = match self.random.below(3) {
                    0 => "[]".to_owned(),
                    1 => format!("[{value}, {value}]"),
                    _ => format!("[{value}]"),
                };
                Typed::new(format!("{list}[{annotation}]"), value, Kind::List)
            }
            5 => {
                let (name, value) = self.random.pick(&[
                    ("Sequence", "[{}]"),
                    ("Iterable", "[{}]"),
                    ("Deque", "deque([{}])"),
                    ("MutableSequence", "[{}]"),
                    ("Sequence", "({},)"),
                ]);
                let value = value.replace("{}", &item.value);
                Typed::other(format!("{}[{annotation}]", self.typing(name)), value)
            }
            6 => {
                let (name, value) = self.random.pick(&[
                    ("collections.abc.Sequence", "[]"),
                    ("collections.abc.Iterable", "()"),
                    ("collections.deque", "collections.deque()"),
                    ("collections.abc.MutableSequence", "[]"),
                ]);
                Typed::other(format!("{name}[{annotation}]"), value)
            }
            7..9 => {
                let tuple = self.spelled("tuple");
                Typed::other(format!("{tuple}[{annotation}, ...]"), format!("({value},)"))
            }
            9..11 => {
                let other = self.inner(depth);
                let tuple = self.spelled("tuple");
                Typed::other(
                    format!("{tuple}[{annotation}, {}]", other.annotation),
                    format!("({value}, {})", other.value),
                )
            }
            11..13 => {
                let key = self.hashable();
                let (name, brackets) = if self.random.chance(70) {
                    ("set", format!("{{{}}}", key.value))
                } else {
                    ("frozenset", format!("frozenset([{}])", key.value))
                };
                Typed::other(format!("{}[{}]", self.spelled(name), key.annotation), brackets)
            }
            13 => {
                let key = self.hashable();
                let (name, make) = self.random.pick(&[
                    ("Mapping", ""),
                    ("MutableMapping", ""),
                    ("OrderedDict", "collections.OrderedDict"),
                ]);
                let value = if make.is_empty() {
                    format!("{{{}: {value}}}", key.value)
                } else {
                    format!("{make}()")
                };
                Typed::other(
                    format!("{}[{}, {annotation}]", self.typing(name), key.annotation),
                    value,
                )
            }
            _ => {
                let key = if self.random.chance(60) {
                    let value = self.text();
                    Typed::other("str", value)
                } else {
                    self.hashable()
                };
                let dict = self.spelled("dict");
                let value = if self.random.chance(30) {
                    "{}".to_owned()
                } else {
                    format!("{{{}: {value}}}", key.value)
                };
                Typed::other(format!("{dict}[{}, {annotation}]", key.annotation), value)
            }
        }
    }

    fn union(&mut self, depth: usize) -> Typed {
        let one = self.inner(depth);
        let two = self.inner(depth);
        let value = if self.random.chance(50) { one.value.clone() } else { "None".to_owned() };
        // `"int" | None` and `None | None` are errors unless nothing evaluates them.
        let is_plain = |typed: &Typed| {
            !typed.annotation.starts_with(['"', '\'']) && !typed.annotation.starts_with("None")
        };
        match self.random.below(8) {
            0..3 => Typed::other(format!("{}[{}]", self.typing("Optional"), one.annotation), value),
            3 => Typed::other(
                format!("{}[{}, {}]", self.typing("Union"), one.annotation, two.annotation),
                two.value,
            ),
            4 => Typed::other(
                format!("{}[{}, {}, None]", self.typing("Union"), one.annotation, two.annotation),
                value,
            ),
            5 if is_plain(&one) && is_plain(&two) => {
                Typed::other(format!("{} | {}", one.annotation, two.annotation), one.value)
            }
            6 if is_plain(&one) => Typed::other(format!("None | {}", one.annotation), value),
            _ if is_plain(&one) => Typed::other(format!("{} | None", one.annotation), value),
            _ => Typed::other(format!("{}[{}]", self.typing("Optional"), one.annotation), value),
        }
    }

    pub(super) fn literal(&mut self) -> Typed {
        let (choices, value) = self.random.pick(&[
            ("\"a\", \"b\"", "\"a\""),
            ("\"only\"", "\"only\""),
            ("1, 2, 3", "2"),
            ("-1, 1", "-1"),
            ("\"a\", 1", "1"),
            ("True", "True"),
            ("True, False", "False"),
            ("None, \"a\"", "\"a\""),
            ("b\"x\"", "b\"x\""),
            ("1, True", "1"),
            ("\"a\", \"a\", \"b\"", "\"b\""),
            ("\"\"", "\"\""),
            ("Literal[\"in\"], \"out\"", "\"in\""),
            ("None", "None"),
            ("0x10, 16", "16"),
        ]);
        let choices = choices.replace("Literal", &self.typing("Literal"));
        Typed::other(format!("{}[{choices}]", self.typing("Literal")), value)
    }

    fn annotated(&mut self, depth: usize) -> Typed {
        let inner = self.inner(depth);
        let mut metadata = vec![self.metadata(inner.kind)];
        if self.random.chance(20) {
            metadata.push(self.metadata(inner.kind));
        }
        let annotation =
            format!("{}[{}, {}]", self.typing("Annotated"), inner.annotation, metadata.join(", "));
        // A value that breaks a constraint is no concern of a schema.
        Typed::new(annotation, inner.value, inner.kind)
    }

    fn metadata(&mut self, kind: Kind) -> String {
        if self.random.chance(25) {
            return (self.random.pick(&["\"meta\"", "3", "None", "object()", "{\"unit\": \"s\"}"]))
                .to_owned();
        }
        let from_annotated_types: &[&str] = match kind {
            Kind::Integer => &[
                "Ge(-5)",
                "Gt(0)",
                "Le(10 ** 6)",
                "Lt(99)",
                "MultipleOf(1)",
                "Interval(ge=0, lt=9)",
            ],
            Kind::Float => &["Ge(0)", "Lt(1.5)", "Interval(gt=0.0, le=1)", "MultipleOf(0.5)"],
            Kind::Text => &[
                "MinLen(1)",
                "MaxLen(9)",
                "Len(1, 5)",
                "StringConstraints(to_lower=True, max_length=5)",
            ],
            Kind::List => &["MinLen(1)", "Len(0, 3)", "MaxLen(7)"],
            Kind::Other => &["\"other\""],
        };
        if self.random.chance(35) {
            return (self.random.pick(from_annotated_types)).to_owned();
        }
        let options = self.field_options(kind);
        format!("Field({})", options.join(", "))
    }

    /// Keyword arguments of `Field`, without its default.
    pub(super) fn field_options(&mut self, kind: Kind) -> Vec<String> {
        let mut options = Vec::new();
        let constraints: &[&str] = match kind {
            Kind::Integer => &["ge=0", "gt=-5", "le=1000", "lt=10 ** 9", "multiple_of=1"],
            Kind::Float => &["ge=0", "gt=-1.5", "le=1e9", "multiple_of=0.5", "allow_inf_nan=False"],
            Kind::Text => &["min_length=1", "max_length=50", "pattern=\"^a\"", "strict=True"],
            Kind::List => &["min_length=1", "max_length=5"],
            Kind::Other => &["repr=False"],
        };
        let mut pools: Vec<&[&str]> = vec![
            constraints,
            &["description=\"What it is\"", "description=\"\"", "description='two\\nlines'"],
            &["title=\"A Title\"", "title=\"\""],
            &["examples=[1, \"a\"]", "examples=[]", "examples=[{\"k\": (1, 2)}]"],
            &["deprecated=True", "deprecated=\"old\"", "deprecated=False"],
            &[
                "json_schema_extra={\"unit\": \"s\"}",
                "json_schema_extra={\"title\": \"Z\", \"n\": [1, None]}",
            ],
            &["alias=\"al\"", "validation_alias=\"va\"", "serialization_alias=\"sa\""],
            &["exclude=True", "frozen=True", "kw_only=True", "init=False"],
        ];
        for _ in 0..self.random.below(3) {
            let pool = pools.remove(self.random.below(pools.len()));
            options.push((self.random.pick(pool)).to_owned());
        }
        options
    }
}
