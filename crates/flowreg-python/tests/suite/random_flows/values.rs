//! Random defaults: values of the parameter's type, values of another, and the ways to write them.

use super::scope::Scope;
use super::typed::Typed;

impl Scope<'_> {
    /// An expression for the default of a parameter of this type.
    pub(super) fn default(&mut self, typed: &Typed) -> String {
        let value = typed.value.clone();
        match self.random.below(30) {
            0..13 => value,
            13..16 => "None".to_owned(),
            16..18 => self.typed(1).value,
            19 => {
                let mut options = self.field_options(typed.kind);
                match self.random.below(5) {
                    0 => options.insert(0, value),
                    1 => options.insert(0, "...".to_owned()),
                    2 => options.push("default_factory=list".to_owned()),
                    3 => {}
                    _ => options.push(format!("default={value}")),
                }
                format!("Field({})", options.join(", "))
            }
            20 => "...".to_owned(),
            21 => self.pick_text(&[
                "lambda: 1",
                "print",
                "int",
                "object()",
                "range(3)",
                "NotImplemented",
                "Ellipsis",
                "len",
                "str.upper",
                "BaseModel",
                "slice(1, 2)",
                "type(1)",
                "b\"\\xff\"",
                "1j",
            ]),
            22 => self.collection(),
            23 => self.expression(),
            24 => {
                let other = self.typed(1).value;
                format!("[{value}, {other}]")
            }
            25 => format!("{{\"k\": {value}}}"),
            26 => format!("({value},)"),
            27 => format!(
                "{value} if {} else None",
                self.random.pick(&["True", "1 > 2", "\"\"", "not []"])
            ),
            18 | 28 => self.constant(&value),
            _ => {
                let text = self.text();
                self.constant(&text)
            }
        }
    }

    fn pick_text(&mut self, choices: &[&str]) -> String {
        self.random.pick(choices).to_owned()
    }

    fn collection(&mut self) -> String {
        self.pick_text(&[
            "{3, 1, 2}",
            "{\"b\", \"a\", \"c\"}",
            "{1, True, \"x\"}",
            "frozenset({1})",
            "[{3, 1}, {\"a\"}]",
            "{1: \"a\", None: 2, True: 3}",
            "{(1, 2): \"a\"}",
            "{1.5: \"x\", b\"k\": 1}",
            "[[], {}, ()]",
            "{\"a\": {\"b\": [1, (2, 3)]}}",
            "[*[1, 2], 3]",
            "{**{\"a\": 1}, \"a\": 2}",
            "set()",
            "frozenset()",
            "{\"a\": float(\"inf\")}",
            "[None, ..., 1]",
            "dict(a=1, b=[2])",
            "list((1, 2))",
            "tuple([1])",
            "list(range(4))",
            "[int, \"x\"]",
            "{\"f\": print}",
            "(float(\"nan\"),)",
            "{False: 0, 0: 1}",
            "sorted([3, 1, 2])",
            "dict([(\"a\", 1)])",
            "{-1: \"m\", 10 ** 20: \"big\"}",
            "[0.1 + 0.2, 1e100]",
            "{\"z\": 1, \"a\": 2}",
            "[b\"a\", 1j]",
            "{None}",
            "{2.0, 1}",
            "set(\"hello\")",
            "list(\"abc\")",
        ])
    }

    fn expression(&mut self) -> String {
        self.pick_text(&[
            "1 + 2 * 3",
            "-5 % 3",
            "7 // -2",
            "2 ** -1",
            "10 / 4",
            "5 % 2.5",
            "1 < 2",
            "\"a\" in \"abc\"",
            "None or \"x\"",
            "0 and 1",
            "\"a\" + \"b\" * 2",
            "[1, 2][-1]",
            "{\"a\": 1}[\"a\"]",
            "\"abc\"[::-1]",
            "len(\"abc\")",
            "str(1.0)",
            "int(\"12\")",
            "bool([])",
            "max(1, 2)",
            "min([3, 1])",
            "abs(-3)",
            "round(2.5)",
            "sum([1, 2])",
            "float(\"1e3\")",
            "\"a,b\".split(\",\")",
            "f\"{1 + 1!r:>4}\"",
            "f\"{'x' * 3}\"",
            "[x * 2 for x in (1, 2)]",
            "{x: 1 for x in \"ab\"}",
            "not None",
            "1 if [] else 2",
            "\"%05.2f\" % 3.14159",
            "\"{:>6}|{:<4}|\".format(\"a\", 1)",
            "hex(255)",
            "chr(65)",
            "ord(\"a\")",
            "3 == 3.0",
            "(1, 2) + (3,)",
            "[0] * 3",
            "divmod(7, 3)",
            "\"x\".join(str(i) for i in range(3))",
            "{\"a\": 1}.get(\"b\", 2)",
            "\"a\".center(5, \"*\")",
            "1_0.0_1",
            "0b101",
            "0o17",
            "~3",
            "+True",
            "True + True",
            "\"é\".encode()",
            "b\"a\".decode()",
            "bytes(2)",
            "str(None)",
            "repr(\"a\")",
            "os.path.join(\"a\", \"b\")",
            "os.sep",
            "\"{x}\".format(x=1)",
            "\"a\".startswith(\"a\")",
            "1e400",
            "math.pi",
            "\"ß\".upper()",
            "\"1\".zfill(3)",
            "9007199254740993.0",
            "0.1 + 0.2",
            "1 // 1.0",
            "f\"{1e6}\"",
            "f\"{True}\"",
            "f\"{None}\"",
            "f\"{[1, 'a']}\"",
            "f\"{1.0}\"",
            "str((1,))",
            "f\"{1e16}\"",
            "\"a\\N{BULLET}b\"",
            "\"A\".casefold()",
            "5 & 3 | 8",
            "1 << 70",
            "-(2 ** 63)",
            "str(b\"a\")",
        ])
    }

    /// Gives a value a name above the flow.
    fn constant(&mut self, value: &str) -> String {
        match self.random.below(9) {
            0..3 => {
                let name = self.fresh("LIMIT_");
                self.before.push(format!("{name} = {value}\n"));
                name
            }
            3 => {
                let name = self.fresh("LIMIT_");
                let final_ = self.typing("Final");
                self.before.push(format!("{name}: {final_} = {value}\n"));
                name
            }
            4 => {
                let name = self.fresh("Settings");
                self.before.push(format!("class {name}:\n    VALUE = {value}\n"));
                format!("{name}.VALUE")
            }
            5 => {
                let name = self.fresh("TABLE_");
                self.before.push(format!("{name} = {{\"key\": {value}, 1: [2]}}\n"));
                format!("{name}[\"key\"]")
            }
            6 => {
                let name = self.fresh("PAIR_");
                self.before.push(format!("{name}, other = {value}, 1\n"));
                name
            }
            7 => {
                let name = self.fresh("DEBUG_");
                self.before.push(format!("{name} = {value}\nif {name} is None:\n    {name} = 3\n"));
                name
            }
            _ => {
                let name = self.fresh("LATE_");
                self.before.push(format!("{name} = [{value}]\n"));
                if self.random.chance(50) {
                    self.after.push(format!("{name}.append(1)\n"));
                }
                name
            }
        }
    }
}
