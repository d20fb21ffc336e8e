//! Random flows: the signature, the decorator, and where the function stands.

use super::Unit;
use super::scope::{Scope, quoted};

impl Scope<'_> {
    /// A flow with all it needs.
    pub(super) fn unit(&mut self) -> Unit {
        let name = self.function_name();
        match self.random.below(20) {
            0 => self.method(&name),
            1 => self.applied(&name),
            2 => self.with_options(&name),
            3 => {
                let (object, source) = self.enclosed(&name);
                self.assemble(object, &source)
            }
            _ => {
                let decorator = self.decorator();
                let function = self.function(&name, &decorator, "", "");
                self.assemble(name, &function)
            }
        }
    }

    fn function_name(&mut self) -> String {
        let stem = self.random.pick(&[
            "load_",
            "__dunder_",
            "Load_Rows_",
            "_private_",
            "e",
            "größe_",
            "run__",
        ]);
        self.fresh(stem)
    }

    fn assemble(&mut self, object: String, function: &str) -> Unit {
        let before = self.before.join("\n");
        let after = self.after.join("\n");
        Unit { object, source: format!("{before}\n\n{function}\n\n{after}") }
    }

    fn method(&mut self, name: &str) -> Unit {
        let class = self.fresh("Jobs");
        let decorator = self.decorator();
        let (above, receiver) = self.random.pick(&[
            ("", "self"),
            ("    @staticmethod\n", ""),
            ("    @classmethod\n", "cls"),
        ]);
        let function = self.function(name, &decorator, receiver, "    ");
        // Python mangles what begins with two underscores.
        let private = if name.starts_with("__") { format!("_{class}") } else { String::new() };
        let source = format!("class {class}:\n    LIMIT = 1\n\n{above}{function}");
        self.assemble(format!("{class}.{private}{name}"), &source)
    }

    fn applied(&mut self, name: &str) -> Unit {
        let function = self.function(name, "", "", "");
        let object = self.fresh("applied");
        let flow = self.spelling.flow;
        let call = match self.random.below(3) {
            0 => format!("{flow}({name})"),
            1 => format!("{flow}(name=\"applied {object}\")({name})"),
            _ => format!("{flow}({name}, description=\"d\", retries=2)"),
        };
        self.assemble(object.clone(), &format!("{function}\n\n{object} = {call}\n"))
    }

    fn with_options(&mut self, name: &str) -> Unit {
        let decorator = self.decorator();
        let function = self.function(name, &decorator, "", "");
        let object = self.fresh("again");
        let option = self.random.pick(&[
            "name=\"again\"",
            "description=\"again\"",
            "retries=1",
            "",
            "name=None",
            "description=\"\"",
        ]);
        self.assemble(
            object.clone(),
            &format!("{function}\n\n{object} = {name}.with_options({option})\n"),
        )
    }

    /// The lines of a decorator without indentation.
    pub(super) fn decorator(&mut self) -> String {
        let flow = self.spelling.flow;
        if self.random.chance(45) {
            return format!("@{flow}\n");
        }
        let mut options = Vec::new();
        for option in [
            &[
                "name=\"Nightly load\"",
                "name=f\"job-{1 + 1}\"",
                "name=\"\"",
                "name=None",
                "name=\"x\" \"-y\"",
                "name=\"é_a\"",
                "name=\"a-b\".title()",
            ] as &[&str],
            &[
                "description=\"Does it\"",
                "description=\"\"",
                "description=None",
                "description=\"{{ x }} y\"",
                "description=\"\"\"\n  two\n  lines\n\"\"\"",
                "description=\"a\" + \"b\"",
            ],
            &["version=\"1.0\"", "version=None", "version=\"\""],
            &["retries=3", "log_prints=True", "timeout_seconds=1.5", "retry_delay_seconds=10"],
            &["flow_run_name=\"run-{x}\"", "persist_result=False", "validate_parameters=False"],
        ] {
            if self.random.chance(25) {
                options.push(self.random.pick(option));
            }
        }
        if self.random.chance(10) {
            let name = self.fresh("NAME_");
            let text = self.random.pick(&[
                "\"constant name\"",
                "f\"{'a'}-{2}\"",
                "\"_\".join([\"a\", \"b\"])",
            ]);
            self.before.push(format!("{name} = {text}\n"));
            options.retain(|option| !option.starts_with("name="));
            options.push("");
            let last = options.len() - 1;
            return format!("@{flow}({}name={name})\n", comma(&options[..last]));
        }
        format!("@{flow}({})\n", options.join(", "))
    }

    /// A function; `receiver` is its first parameter if it is a method.
    pub(super) fn function(
        &mut self,
        name: &str,
        decorator: &str,
        receiver: &str,
        indent: &str,
    ) -> String {
        let mut names: Vec<String> = Vec::new();
        let mut parameters: Vec<String> = Vec::new();
        let many = self.random.below(6);
        let positional_only = self.random.chance(10).then(|| self.random.below(many + 1));
        let keyword_only = self.random.chance(15).then(|| self.random.below(many + 1));
        if !receiver.is_empty() {
            parameters.push(receiver.to_owned());
        }
        let mut has_default = false;
        let mut is_keyword = false;
        let is_quoted = self.random.chance(6);
        for number in 0..many {
            if keyword_only == Some(number) {
                if self.random.chance(30) {
                    parameters.push("*args".to_owned());
                } else {
                    parameters.push("*".to_owned());
                }
                is_keyword = true;
            }
            let word = if self.random.chance(2)
                && receiver.is_empty()
                && !names.contains(&"self".to_owned())
            {
                "self".to_owned()
            } else {
                self.parameter_word(&names)
            };
            names.push(word.clone());
            let typed = if self.random.chance(8) { self.later_or_any() } else { self.typed(3) };
            let default = if is_keyword || has_default { 60 } else { 35 };
            let default = self.random.chance(default) || (has_default && !is_keyword);
            let default = default.then(|| self.default(&typed));
            has_default |= default.is_some();
            let annotation = match self.random.below(20) {
                0..2 => None,
                2 if !self.spelling.is_postponed => Some(quoted(&typed.annotation)),
                _ if is_quoted => Some(quoted(&typed.annotation)),
                _ => Some(typed.annotation),
            };
            parameters.push(match (annotation, default) {
                (Some(annotation), Some(default)) => format!("{word}: {annotation} = {default}"),
                (Some(annotation), None) => format!("{word}: {annotation}"),
                (None, Some(default)) => format!("{word}={default}"),
                (None, None) => word,
            });
            if positional_only == Some(number + 1) && keyword_only.is_none_or(|at| at > number) {
                parameters.push("/".to_owned());
            }
        }
        if self.random.chance(4) {
            parameters.push("**kwargs".to_owned());
        } else if self.random.chance(3) {
            parameters.push("**options: int".to_owned());
        } else if keyword_only.is_none() && self.random.chance(5) {
            let item = self.typed(1).annotation;
            parameters.push(format!("*rest: {item}"));
        }
        let returns = self.random.pick(&[
            "",
            "",
            "",
            " -> None",
            " -> dict",
            " -> \"int\"",
            " -> list[str]",
            " -> bool",
        ]);
        let keyword = self.random.pick(&["def", "def", "def", "def", "async def"]);
        let inside = format!("{indent}    ");
        let parameters = if self.random.chance(40) || parameters.is_empty() {
            parameters.join(", ")
        } else {
            let parameters: String =
                parameters.iter().map(|parameter| format!("{inside}{parameter},\n")).collect();
            // A comma may not follow these.
            let parameters = parameters.replace(" **kwargs,", " **kwargs");
            format!("\n{parameters}{indent}")
        };
        let decorator =
            if decorator.is_empty() { String::new() } else { format!("{indent}{decorator}") };
        let docstring = self.docstring(&names);
        let docstring =
            docstring.map(|lines| self.docstring_statement(&lines, &inside)).unwrap_or_default();
        format!(
            "{decorator}{indent}{keyword} {name}({parameters}){returns}:\n{docstring}{inside}return None\n"
        )
    }

    fn later_or_any(&mut self) -> super::typed::Typed {
        if self.random.chance(50) { self.later_declaration() } else { self.typed(1) }
    }

    /// Prefect keeps two names for itself, and none may begin with an underscore.
    fn parameter_word(&mut self, taken: &[String]) -> String {
        self.word(taken)
    }
}

/// Every line one level deeper, but for the lines of texts.
pub(super) fn indented(source: &str) -> String {
    let mut is_in_text = false;
    let mut lines = Vec::new();
    for line in source.lines() {
        lines.push(if line.is_empty() || is_in_text {
            line.to_owned()
        } else {
            format!("    {line}")
        });
        let quotes = line.matches("\"\"\"").count() + line.matches("'''").count();
        is_in_text ^= quotes % 2 == 1;
    }
    lines.join("\n") + "\n"
}

fn comma(options: &[&str]) -> String {
    options.iter().map(|option| format!("{option}, ")).collect()
}
