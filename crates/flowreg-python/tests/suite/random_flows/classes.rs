//! Random declarations that annotations refer to: classes of all kinds, and aliases.

use super::scope::{Model, Scope, quoted};
use super::typed::{Kind, Typed};

const CLASS_DOCSTRINGS: &[&str] = &[
    "",
    "",
    "    \"\"\"A thing.\"\"\"\n",
    "    '''\n    First line.\n\n        Indented.\n    '''\n",
    "    \"\"\"Attributes:\n        x: the x\n    \"\"\"\n",
    "    \"\"\"\"\"\"\n",
];

impl Scope<'_> {
    /// Declares something above the flow and returns how to annotate with it.
    pub(super) fn declaration(&mut self, depth: usize) -> Typed {
        let kind = self.random.below(22);
        if kind >= 20 && !self.has_opaque_types {
            return self.rare_declaration(depth);
        }
        match kind {
            4..17 if self.has_opaque_types => self.enumeration(),
            0..4 => self.enumeration(),
            4..11 => self.model(depth),
            11..14 => self.dataclass(depth),
            14..16 => self.typed_dict(depth),
            16 => self.named_tuple(depth),
            17..19 => self.alias(depth),
            _ if self.has_opaque_types => self.plain_class(),
            _ => self.enumeration(),
        }
    }

    /// Declares a model or an enum below the flow; only a string can name it.
    pub(super) fn later_declaration(&mut self) -> Typed {
        let above = self.before.len();
        let mut typed = if self.random.chance(70) && !self.has_opaque_types {
            self.model(1)
        } else {
            self.enumeration()
        };
        // What the class itself needs stays above.
        if let Some(class) = self.before.pop().filter(|_| self.before.len() >= above) {
            self.after.push(class);
        }
        self.models.clear();
        if !self.spelling.is_postponed {
            typed.annotation = quoted(&typed.annotation);
        }
        Typed { value: "None".to_owned(), ..typed }
    }

    fn class_docstring(&mut self) -> String {
        (self.random.pick(CLASS_DOCSTRINGS)).to_owned()
    }

    fn enumeration(&mut self) -> Typed {
        let name = self.fresh("Color");
        if self.random.chance(12) {
            let (members, first) = self.random.pick(&[
                ("\"RED BLUE\"", "RED"),
                ("[\"A\", \"B\"]", "A"),
                ("{\"X\": \"x\", \"Y\": \"y\"}", "X"),
                ("[(\"P\", 1), (\"Q\", \"q\")]", "P"),
                ("\"A,B\", start=5", "A"),
            ]);
            let base = self.random.pick(&["Enum", "IntEnum"]);
            let members = if base == "IntEnum" { "\"RED BLUE\"" } else { members };
            let first = if base == "IntEnum" { "RED" } else { first };
            self.before.push(format!("{name} = {base}(\"{name}\", {members})\n"));
            return Typed::new(name.clone(), format!("{name}.{first}"), Kind::Other);
        }
        let (bases, values): (&str, &[&str]) = self.random.pick(&[
            (
                "Enum",
                &["\"red\"", "\"blue\"", "1", "None", "1.5", "(1, 2)", "auto()", "True", "\"\""]
                    as &[&str],
            ),
            ("Enum", &["\"red\"", "\"blue\"", "\"green\""]),
            ("str, Enum", &["\"x\"", "\"y\"", "\"z\"", "auto()"]),
            ("IntEnum", &["1", "2", "auto()", "1 << 3"]),
            ("int, Enum", &["1", "2", "3"]),
            ("StrEnum", &["\"s\"", "auto()", "\"t\""]),
            ("Flag", &["1", "2", "auto()"]),
            ("IntFlag", &["1", "2", "4"]),
        ]);
        let mut body = self.class_docstring();
        let mut members = Vec::new();
        for _ in 0..=self.random.below(3) {
            let member = format!("M_{}", members.len());
            body.push_str(&format!("    {member} = {}\n", self.random.pick(values)));
            members.push(member);
        }
        if self.random.chance(10) {
            body.push_str(&format!("    ALIAS = {}\n", members[0]));
        }
        if self.random.chance(10) {
            body.push_str(
                "\n    @property\n    def label(self):\n        return self.name.title()\n",
            );
        }
        if self.random.chance(5) {
            body.push_str("\n    def __str__(self):\n        return str(self.value)\n");
        }
        self.before.push(format!("class {name}({bases}):\n{body}"));
        let member = &members[self.random.below(members.len())];
        let value = match self.random.below(10) {
            0 => format!("{name}.{member}.value"),
            1 => format!("{name}.{member}.name"),
            2 => format!("{name}[\"{member}\"]"),
            _ => format!("{name}.{member}"),
        };
        if self.random.chance(10) {
            let annotation = format!("{}[{name}.{member}]", self.typing("Literal"));
            return Typed::new(annotation, value, Kind::Other);
        }
        Typed::new(name, value, Kind::Other)
    }

    fn model(&mut self, depth: usize) -> Typed {
        let name = self.fresh("Order");
        let mut bases = "BaseModel".to_owned();
        let mut arguments = Vec::new();
        let mut is_safe = true;
        if !self.models.is_empty() && self.random.chance(25) {
            let parent = self.models[self.random.below(self.models.len())].clone();
            bases = parent.name;
            arguments = parent.arguments;
            is_safe = parent.is_safe;
        }
        let mut body = self.class_docstring();
        let mut has_config = bases != "BaseModel";
        let mut is_by_name = false;
        if self.random.chance(22) {
            let config = self.random.pick(&[
                "title=\"Titled\"",
                "extra=\"forbid\"",
                "extra=\"allow\"",
                "frozen=True",
                "populate_by_name=True",
                "str_max_length=5",
                "use_enum_values=True",
                "json_schema_extra={\"examples\": [{\"a\": 1}]}",
                "arbitrary_types_allowed=True",
                "alias_generator=to_camel, populate_by_name=True",
                "use_attribute_docstrings=True",
                "validate_default=True",
                "str_strip_whitespace=True",
                "protected_namespaces=()",
                "ser_json_timedelta=\"float\"",
                "ser_json_bytes=\"base64\"",
                "validate_assignment=True",
                "json_schema_serialization_defaults_required=True",
                "coerce_numbers_to_str=True",
            ]);
            is_by_name = config.contains("by_name");
            has_config = true;
            is_safe &= !["str_max", "validate_default", "ser_json"]
                .iter()
                .any(|part| config.contains(part));
            body.push_str(&format!("    model_config = ConfigDict({config})\n"));
        }
        if self.random.chance(8) {
            body.push_str("\n    class Item(BaseModel):\n        sku: str = \"s\"\n\n");
            body.push_str(&format!(
                "    item: Item = Item()\n    many: list[Item] = []\n    n_{}: int = 0\n",
                self.random.below(9)
            ));
        }
        let mut taken: Vec<String> = Vec::new();
        for _ in 0..=self.random.below(4) {
            let word = self.word(&taken);
            taken.push(word.clone());
            let typed = self.typed(depth - 1);
            is_safe &= typed.is_safe();
            let field = self.field(&word, typed, is_by_name, &mut arguments);
            body.push_str(&field);
        }
        match self.random.below(40) {
            0 => body.push_str("    LIMIT: ClassVar[int] = 3\n"),
            1 => body.push_str("    _private: int = PrivateAttr(default=1)\n"),
            2 => body.push_str("    _cache: dict = {}\n"),
            3 => body.push_str("\n    def total(self) -> int:\n        return 1\n"),
            4 => body.push_str("\n    @property\n    def total(self):\n        return 1\n"),
            5 => body.push_str("\n    @computed_field\n    @property\n    def total(self) -> int:\n        return 1\n"),
            6 => body.push_str(&format!(
                "\n    @field_validator(\"{}\")\n    @classmethod\n    def check(cls, value):\n        return value\n",
                taken[0]
            )),
            7 => body.push_str("\n    @model_validator(mode=\"after\")\n    def check(self):\n        return self\n"),
            8 => body.push_str("\n    @classmethod\n    def empty(cls):\n        return None\n"),
            9 => body.push_str(&format!(
                "\n    @field_serializer(\"{}\")\n    def dump(self, value):\n        return 1\n",
                taken[0]
            )),
            10 if !has_config => body.push_str("\n    class Config:\n        title = \"Old\"\n"),
            _ => {}
        }
        self.before.push(format!("class {name}({bases}):\n{body}"));
        let value = self.instance(&name, &arguments, is_safe);
        self.models.push(Model { name: name.clone(), arguments, is_safe });
        Typed::new(name, value, Kind::Other)
    }

    /// One field of a model; adds what an instance has to be called with.
    fn field(
        &mut self,
        word: &str,
        typed: Typed,
        is_by_name: bool,
        arguments: &mut Vec<(String, String)>,
    ) -> String {
        let Typed { annotation, value, kind } = typed;
        arguments.retain(|(name, _)| name != word);
        match self.random.below(10) {
            0..4 => {
                arguments.push((word.to_owned(), value));
                format!("    {word}: {annotation}\n")
            }
            4..7 => {
                let default = if self.random.chance(80) { value } else { "None".to_owned() };
                format!("    {word}: {annotation} = {default}\n")
            }
            7 => {
                let factory =
                    self.random.pick(&["list", "dict", "lambda: 1", "lambda: [1, 2]", "set"]);
                format!("    {word}: {annotation} = Field(default_factory={factory})\n")
            }
            8 => {
                let mut options = self.field_options(kind);
                options.insert(
                    0,
                    if self.random.chance(50) { value } else { format!("default={value}") },
                );
                format!("    {word}: {annotation} = Field({})\n", options.join(", "))
            }
            _ => {
                let mut options = self.field_options(kind);
                let mut name = word.to_owned();
                for option in &options {
                    let alias =
                        option.strip_prefix("alias=").or(option.strip_prefix("validation_alias="));
                    if let Some(alias) = alias.filter(|_| !is_by_name) {
                        alias.trim_matches('"').clone_into(&mut name);
                    }
                }
                if self.random.chance(30) {
                    options.insert(0, "...".to_owned());
                }
                arguments.push((name, value));
                format!("    {word}: {annotation} = Field({})\n", options.join(", "))
            }
        }
    }

    fn dataclass(&mut self, depth: usize) -> Typed {
        let name = self.fresh("Point");
        let decorator = self.random.pick(&[
            "dataclass",
            "dataclass",
            "dataclass()",
            "dataclass(frozen=True)",
            "dataclass(slots=True)",
            "dataclass(kw_only=True)",
            "dataclasses.dataclass",
            "dataclass(order=True)",
            "pydantic.dataclasses.dataclass",
            "pydantic.dataclasses.dataclass(frozen=True)",
            "dataclass(repr=False)",
            "dataclass(eq=False)",
        ]);
        let is_plain = decorator == "dataclass";
        let mut arguments: Vec<(String, String)> = Vec::new();
        let mut bases = String::new();
        let mut is_safe = true;
        if is_plain && !self.dataclasses.is_empty() && self.random.chance(30) {
            let parent = self.dataclasses[self.random.below(self.dataclasses.len())].clone();
            bases = format!("({})", parent.name);
            arguments = parent.arguments;
            is_safe = parent.is_safe;
        }
        let has_parent = !bases.is_empty();
        let mut body = self.class_docstring();
        let mut taken = Vec::new();
        let many = 1 + self.random.below(4);
        let required = if has_parent { 0 } else { self.random.below(many + 1) };
        for number in 0..many {
            let word = if has_parent { format!("own_{number}") } else { self.word(&taken) };
            taken.push(word.clone());
            let typed = self.typed(depth - 1);
            is_safe &= typed.is_safe() || !decorator.starts_with("pydantic");
            let Typed { annotation, value, .. } = typed;
            if number < required {
                body.push_str(&format!("    {word}: {annotation}\n"));
                arguments.push((word, value));
                continue;
            }
            // A default that has no hash is refused by `dataclass`.
            let default = match self.random.below(6) {
                0 => "field(default_factory=list)".to_owned(),
                1 => "field(default_factory=lambda: {\"a\": 1})".to_owned(),
                2 => "field(default=3, repr=False)".to_owned(),
                3 => "None".to_owned(),
                _ => {
                    let is_simple = ["int", "str", "bool", "float"].contains(&annotation.as_str());
                    if is_simple { value } else { "\"d\"".to_owned() }
                }
            };
            body.push_str(&format!("    {word}: {annotation} = {default}\n"));
        }
        match self.random.below(20) {
            0 => body.push_str("    LIMIT: ClassVar[int] = 3\n"),
            1 => body.push_str("    plain = 3\n"),
            2 => body.push_str("    hidden: int = field(default=1, init=False)\n"),
            3 => body.push_str("\n    def __post_init__(self):\n        self.late = 1\n"),
            4 => body.push_str("\n    def method(self):\n        return 1\n"),
            _ => {}
        }
        self.before.push(format!("@{decorator}\nclass {name}{bases}:\n{body}"));
        if is_plain {
            let arguments = arguments.clone();
            self.dataclasses.push(Model { name: name.clone(), arguments, is_safe });
        }
        let value = self.instance(&name, &arguments, is_safe);
        Typed::new(name, value, Kind::Other)
    }

    /// A call that makes an instance, if it may.
    fn instance(&self, name: &str, arguments: &[(String, String)], is_safe: bool) -> String {
        let arguments: Vec<String> =
            arguments.iter().map(|(word, value)| format!("{word}={value}")).collect();
        if is_safe || self.is_bold {
            format!("{name}({})", arguments.join(", "))
        } else {
            "None".to_owned()
        }
    }

    fn typed_dict(&mut self, depth: usize) -> Typed {
        let name = self.fresh("Row");
        let mut taken = Vec::new();
        let mut fields = Vec::new();
        let mut items = Vec::new();
        for _ in 0..=self.random.below(3) {
            let word = self.word(&taken);
            taken.push(word.clone());
            let Typed { annotation, value, .. } = self.typed(depth - 1);
            let annotation = match self.random.below(8) {
                0 => format!("NotRequired[{annotation}]"),
                1 => format!("Required[{annotation}]"),
                _ => annotation,
            };
            items.push(format!("\"{word}\": {value}"));
            fields.push((word, annotation));
        }
        let total = self.random.pick(&["", "", ", total=False", ", total=True"]);
        if self.random.chance(20) {
            let fields: Vec<String> = fields
                .iter()
                .map(|(word, annotation)| format!("\"{word}\": {annotation}"))
                .collect();
            let fields = fields.join(", ");
            self.before.push(format!("{name} = TypedDict(\"{name}\", {{{fields}}}{total})\n"));
        } else {
            let doc = self.class_docstring();
            let fields: String = fields
                .iter()
                .map(|(word, annotation)| format!("    {word}: {annotation}\n"))
                .collect();
            self.before.push(format!("class {name}(TypedDict{total}):\n{doc}{fields}"));
            if self.random.chance(20) {
                let child = self.fresh("Row");
                self.before.push(format!("class {child}({name}, total=False):\n    more: int\n"));
                return Typed::new(child, format!("{{{}}}", items.join(", ")), Kind::Other);
            }
        }
        let value = if self.random.chance(50) {
            format!("{{{}}}", items.join(", "))
        } else {
            let arguments: Vec<String> = items
                .iter()
                .map(|item| item.replacen("\": ", "=", 1).replacen('"', "", 1))
                .collect();
            format!("{name}({})", arguments.join(", "))
        };
        Typed::new(name, value, Kind::Other)
    }

    fn named_tuple(&mut self, depth: usize) -> Typed {
        let name = self.fresh("Pair");
        if self.random.chance(25) {
            let (fields, arguments) = self.random.pick(&[
                ("\"x y\"", "1, 2"),
                ("[\"x\", \"y\"]", "x=1, y=\"b\""),
                ("\"x, y\", defaults=[3]", "1"),
                ("(\"only\",)", "None"),
            ]);
            self.before.push(format!("{name} = namedtuple(\"{name}\", {fields})\n"));
            return Typed::new(name.clone(), format!("{name}({arguments})"), Kind::Other);
        }
        let one = self.typed(depth - 1);
        let two = self.typed(depth - 1);
        let doc = self.class_docstring();
        let default =
            if self.random.chance(50) { format!(" = {}", two.value) } else { String::new() };
        self.before.push(format!(
            "class {name}({}):\n{doc}    a: {}\n    b_c: {}{default}\n",
            self.typing("NamedTuple"),
            one.annotation,
            two.annotation
        ));
        let value = if default.is_empty() || self.random.chance(50) {
            format!("{name}({}, b_c={})", one.value, two.value)
        } else {
            format!("{name}(a={})", one.value)
        };
        Typed::new(name, value, Kind::Other)
    }

    fn alias(&mut self, depth: usize) -> Typed {
        let mut typed = self.typed(depth - 1);
        // What is called otherwise must not turn out to be `None` or a string: `None | None` is
        // an error.
        if typed.annotation == "None" || typed.annotation.starts_with(['"', '\'']) {
            typed = Typed::new("int", "1", Kind::Integer);
        }
        let Typed { annotation, value, kind } = typed;
        match self.random.below(10) {
            0..3 => {
                let name = self.fresh("UserId");
                self.before.push(format!(
                    "{name} = {}(\"{name}\", {annotation})\n",
                    self.typing("NewType")
                ));
                let value = if self.random.chance(30) { format!("{name}({value})") } else { value };
                Typed::new(name, value, kind)
            }
            3..5 => {
                let name = self.fresh("T");
                let bound = match self.random.below(3) {
                    0 => String::new(),
                    1 => format!(", bound={annotation}"),
                    _ => format!(", {annotation}, str"),
                };
                self.before
                    .push(format!("{name} = {}(\"{name}\"{bound})\n", self.typing("TypeVar")));
                Typed::new(name, value, Kind::Other)
            }
            5 => {
                let name = self.fresh("Named");
                self.before.push(format!("{name} = TypeAliasType(\"{name}\", {annotation})\n"));
                Typed::new(name, value, Kind::Other)
            }
            6 => {
                let name = self.fresh("Alias");
                let alias = self.typing("TypeAlias");
                self.before.push(format!("{name}: {alias} = {annotation}\n"));
                Typed::new(name, value, kind)
            }
            7 => {
                let name = self.fresh("Box");
                let var = self.fresh("V");
                let generic = self.typing("Generic");
                self.before.push(format!("{var} = {}(\"{var}\")\n", self.typing("TypeVar")));
                self.before.push(format!(
                    "class {name}(BaseModel, {generic}[{var}]):\n    value: {var}\n    rest: list[{var}] = []\n"
                ));
                let annotation =
                    if annotation.starts_with(['"', '\'']) { "int".to_owned() } else { annotation };
                Typed::new(format!("{name}[{annotation}]"), "None", Kind::Other)
            }
            _ => {
                let name = self.fresh("Alias");
                self.before.push(format!("{name} = {annotation}\n"));
                Typed::new(name, value, kind)
            }
        }
    }

    fn plain_class(&mut self) -> Typed {
        let name = self.fresh("Client");
        let (bases, body, value) = self.random.pick(&[
            ("", "    pass\n", "()"),
            ("", "    def __init__(self, x=1):\n        self.x = x\n", "()"),
            ("(str)", "    pass\n", "(\"s\")"),
            ("(int)", "    pass\n", "(4)"),
            ("(dict)", "    pass\n", "(a=1)"),
            ("(list)", "    pass\n", "([1])"),
            ("(Exception)", "    pass\n", "(\"no\")"),
            ("(ABC)", "    LIMIT = 3\n\n    @abstractmethod\n    def run(self): ...\n", ".LIMIT"),
            ("", "    LIMIT = 3\n    NAMES = (\"a\", \"b\")\n", ".NAMES"),
            (
                "",
                "    LIMIT = 2 * 5\n    @staticmethod\n    def f():\n        return 1\n",
                ".LIMIT",
            ),
            ("(object)", "    \"\"\"Doc.\"\"\"\n    A = B = \"b\"\n", ".A"),
        ]);
        self.before.push(format!("class {name}{bases}:\n{body}"));
        Typed::new(name.clone(), format!("{name}{value}"), Kind::Other)
    }
}
