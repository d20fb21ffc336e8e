//! Random docstrings: text, Google sections as they should be, and the ways they go wrong.

use super::scope::Scope;

impl Scope<'_> {
    /// The lines of a docstring without quotes and indentation, or nothing.
    pub(super) fn docstring(&mut self, parameters: &[String]) -> Option<Vec<String>> {
        let mut lines: Vec<String> = match self.random.below(10) {
            0..3 => return None,
            3 => vec!["A line.".to_owned()],
            4 => vec![String::new(), "Begins below.".to_owned(), String::new()],
            5 => vec!["Has `code` and {{ name }}.".to_owned(), "  Second, indented.".to_owned()],
            6 => vec!["Args: none at all".to_owned()],
            _ => vec!["Does something.".to_owned(), String::new()],
        };
        for _ in 0..self.random.below(4) {
            let section = self.section(parameters);
            if self.random.chance(85) && lines.last().is_some_and(|line| !line.is_empty()) {
                lines.push(String::new());
            }
            lines.extend(section);
        }
        Some(lines)
    }

    fn section(&mut self, parameters: &[String]) -> Vec<String> {
        match self.random.below(20) {
            0..11 => self.parameter_section(parameters),
            11 => lines("Returns:\n    int: the number\n"),
            12 => lines("Raises:\n    ValueError: x: no\n\n"),
            13 => lines("```\nArgs:\n    x: inside a fence\n```"),
            14 => lines("Note:\n    Args:\n        x: inside a note\n"),
            15 => lines("Example:\n    >>> f(x=1)\n    2\n"),
            16 => lines("Parameters\n----------\nx : int\n    numpy\n"),
            17 => lines(":param x: sphinx\n:type x: int"),
            18 => lines("Keyword Args:\n    x: keyword\n    limit: other\n"),
            _ => lines("Attributes:\n    x: attribute\nText right after it: yes"),
        }
    }

    fn parameter_section(&mut self, parameters: &[String]) -> Vec<String> {
        let title = self.random.pick(&[
            "Args:",
            "Args:",
            "Args:",
            "Arguments:",
            "Parameters:",
            "Params:",
            "args:",
            "ARGS:",
            "Args: of the flow",
            "Args :",
            "Args",
            " Args:",
            "Args:  ",
            "My Args:",
            "Parameters: ",
        ]);
        let mut lines = vec![title.to_owned()];
        if self.random.chance(6) {
            lines.push(String::new());
        }
        let indent = " ".repeat(self.random.pick(&[4, 4, 4, 2, 8, 3, 1, 0]));
        for _ in 0..self.random.below(5) {
            let name = if parameters.is_empty() || self.random.chance(10) {
                "x".to_owned()
            } else {
                parameters[self.random.below(parameters.len())].clone()
            };
            let item = match self.random.below(22) {
                0..9 => format!("{name}: the {name}"),
                9 => format!("{name} (int): typed"),
                10 => format!("{name} (str, optional): Defaults to 'a: b'."),
                11 => format!("{name} : spaced"),
                12 => format!("{name}:no space"),
                13 => format!("{name}:"),
                14 => format!("- {name}: listed"),
                15 => format!("*{name}: starred"),
                16 => format!("`{name}`: quoted"),
                17 => format!("{name} (dict[str, int]): nested"),
                18 => format!("{name}: see http://host:80/x"),
                19 => format!("{name} (Literal['a)', 'b']): odd"),
                20 => format!("{name}    text without a colon"),
                _ => format!("{name} (x (y)): é 😀\ttab"),
            };
            lines.push(format!("{indent}{item}"));
            match self.random.below(12) {
                0 => lines.push(format!("{indent}{indent}goes on")),
                1 => lines.push(format!("{indent}  goes on: a little deeper")),
                2 => lines.push(format!("{indent}{indent}    far deeper\n{indent}{indent}back")),
                3 => lines.push(String::new()),
                4 => lines.push(format!("{indent}{indent}- one\n\n{indent}{indent}- two: x")),
                5 => lines.push("   ".to_owned()),
                6 => lines.push(format!("{indent}```\n{indent}code: x\n{indent}```")),
                _ => {}
            }
        }
        if self.random.chance(15) {
            lines.push("Text that follows at once.".to_owned());
        }
        lines.iter().flat_map(|line| line.split('\n')).map(ToOwned::to_owned).collect()
    }

    /// The statement of a docstring, in the body of a function.
    pub(super) fn docstring_statement(&mut self, lines: &[String], indent: &str) -> String {
        let quotes = self.random.pick(&["\"\"\"", "\"\"\"", "'''"]);
        let prefix = self.random.pick(&["", "", "", "r", "u"]);
        if lines.len() == 1 && self.random.chance(50) {
            return format!("{indent}{prefix}{quotes}{}{quotes}\n", lines[0]);
        }
        let odd = match self.random.below(12) {
            0 => "  ",
            1 => "\t",
            _ => "",
        };
        let mut statement = format!("{indent}{prefix}{quotes}");
        for (number, line) in lines.iter().enumerate() {
            match (number, line.is_empty()) {
                (0, _) => statement.push_str(line),
                (_, true) => statement.push('\n'),
                _ => statement.push_str(&format!("\n{indent}{odd}{line}")),
            }
        }
        if self.random.chance(80) {
            statement.push_str(&format!("\n{indent}"));
        }
        statement.push_str(&format!("{quotes}\n"));
        statement
    }
}

fn lines(text: &str) -> Vec<String> {
    text.split('\n').map(ToOwned::to_owned).collect()
}
