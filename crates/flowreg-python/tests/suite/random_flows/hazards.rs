//! Flows next to something that Python, pydantic or Prefect may refuse when the file is loaded.
//!
//! Whether it is refused is for the real Prefect to say: many have a twin that is fine.

use super::Unit;
use super::random::Random;

/// Expressions that raise, or almost.
const EXPRESSIONS: &str = include_str!("hazards/expressions.txt");
/// Annotations that raise, or almost.
const ANNOTATIONS: &str = include_str!("hazards/annotations.txt");
/// Lines of a model's body.
const MODEL_LINES: &str = include_str!("hazards/model_lines.txt");
/// Whole statements before an ordinary flow.
const STATEMENTS: &str = include_str!("hazards/statements.txt");
/// Arguments of the decorator.
const OPTIONS: &str = include_str!("hazards/options.txt");
/// Parameters of a flow.
const PARAMETERS: &str = include_str!("hazards/parameters.txt");
/// Modules whose stars hide names that this file goes on to use.
const STARS: &str = include_str!("hazards/star_modules.txt");
/// What is done after a star import.
const AFTER_STARS: &str = include_str!("hazards/after_stars.txt");

/// The lines, where `\n` stands for the end of a line and `\\` for a backslash.
pub(super) fn lines(text: &str) -> Vec<String> {
    let plain = |line: &str| {
        let parts: Vec<String> = line.split("\\\\").map(|part| part.replace("\\n", "\n")).collect();
        parts.join("\\")
    };
    text.lines().map(plain).collect()
}

/// One of the lines.
pub(super) fn line(random: &mut Random, text: &str) -> String {
    let mut lines = lines(text);
    lines.swap_remove(random.below(lines.len()))
}

/// Something that may keep the file from being loaded, with a flow that uses it.
pub(super) fn hazard(random: &mut Random, number: usize) -> Unit {
    let object = format!("risky_{number}");
    let flow = |before: &str, options: &str, parameters: &str| {
        let imports = "import typing as typing_module\nfrom prefect import flow as risky_flow\n";
        let body = "    \"\"\"Risky.\"\"\"\n";
        format!("{imports}{before}\n\n@risky_flow{options}\ndef {object}({parameters}):\n{body}")
    };
    let source = match random.below(12) {
        0..2 => {
            let expression = line(random, EXPRESSIONS);
            match random.below(6) {
                0 => flow("", "", &format!("x={expression}")),
                1 => flow("", "", &format!("x: int, y: list = [{expression}]")),
                2 => flow(&format!("VALUE = {expression}\n"), "", "x=VALUE"),
                3 => flow(
                    &format!("class Model(BaseModel):\n    x: str = {expression}\n"),
                    "",
                    "x: Model",
                ),
                4 => flow(&format!("class Model:\n    X = {expression}\n"), "", "x=Model.X"),
                _ => flow(&format!("if {expression}:\n    Y = 1\nelse:\n    Y = 2\n"), "", "x=Y"),
            }
        }
        2..4 => {
            let annotation = line(random, ANNOTATIONS);
            match random.below(4) {
                0 => flow(
                    &format!("class Model(BaseModel):\n    x: {annotation} = None\n"),
                    "",
                    "x: Model = None",
                ),
                1 => flow(
                    &format!("@dataclass\nclass Model:\n    x: {annotation} = None\n"),
                    "",
                    "x: Model",
                ),
                2 => flow("", "", &format!("y: int, x: {annotation} = None")),
                _ => flow("", "", &format!("x: {annotation}")),
            }
        }
        4..6 => {
            let line = line(random, MODEL_LINES);
            let base = random.pick(&[
                "BaseModel",
                "BaseModel",
                "BaseModel",
                "TypedDict",
                "",
                "typing_module.NamedTuple",
            ]);
            let instance = random.pick(&["", "", " = Model()"]);
            let decorator = if base.is_empty() { "@dataclass\n" } else { "" };
            let class =
                format!("{decorator}class Model({base}):\n    first: int = 1\n    {line}\n");
            let class = if base == "TypedDict" {
                class.replace("first: int = 1", "first: int")
            } else {
                class
            };
            flow(&class, "", &format!("x: Model{instance}"))
        }
        6..8 => {
            let statement = line(random, STATEMENTS);
            let uses = statement.contains("class A") || statement.contains("A =");
            let parameters =
                if uses { "y: A, x: int = 1" } else { "x: int = 1, z: Path = Path(\"a\")" };
            flow(&format!("{statement}\n"), "", parameters)
        }
        8..10 => {
            let options = line(random, OPTIONS);
            if random.chance(20) {
                let source = flow("", "", "x: int = 1");
                format!("{source}\nother_{number} = {object}.with_options({options})\n")
            } else {
                flow("", &format!("({options})"), "x: int = 1")
            }
        }
        10 => flow("", "", &line(random, PARAMETERS)),
        _ => {
            let star = line(random, STARS);
            let after = line(random, AFTER_STARS);
            let uses = after.contains("class A");
            let parameters = if uses { "y: A" } else { "y=x" };
            flow(&format!("from {star} import *\n{after}\n"), "", parameters)
        }
    };
    Unit { object, source }
}
