//! Reads the files of `docs/ci/` as their providers do, as far as these files need it: which job
//! runs for which event, and what its scripts are.

use std::collections::BTreeMap;
use std::path::Path;

use flowreg::manifest::{Node, Yaml, read};

/// Variables, or the values of expressions.
pub(crate) type Values = BTreeMap<String, String>;

/// A file below `docs/ci/`.
pub(crate) fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ci").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The same, as YAML.
pub(crate) fn yaml(name: &str) -> Node {
    read(file(name).as_bytes()).unwrap().root
}

pub(crate) fn values(pairs: &[(&str, &str)]) -> Values {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The node at a path of keys.
pub(crate) fn at<'n>(node: &'n Node, path: &[&str]) -> Option<&'n Node> {
    path.iter().try_fold(node, |node, key| node.get(key))
}

pub(crate) fn items(node: Option<&Node>) -> &[Node] {
    match node.map(|node| &node.value) {
        Some(Yaml::Sequence(items)) => items,
        _ => &[],
    }
}

pub(crate) fn text(node: &Node) -> String {
    match &node.value {
        Yaml::Text(text) => text.clone(),
        Yaml::Integer(number) => number.to_string(),
        Yaml::Bool(value) => value.to_string(),
        other => panic!("{other:?} is no text"),
    }
}

/// The pairs of a mapping of texts.
pub(crate) fn pairs(node: Option<&Node>) -> Vec<(String, String)> {
    match node.map(|node| &node.value) {
        Some(Yaml::Mapping(pairs)) => {
            pairs.iter().map(|(name, value)| (text(name), text(value))).collect()
        }
        _ => Vec::new(),
    }
}

/// The keys of a mapping.
pub(crate) fn keys(node: &Node) -> Vec<String> {
    let Yaml::Mapping(pairs) = &node.value else { panic!("{node:?} is no mapping") };
    pairs
        .iter()
        .filter(|(name, _)| matches!(name.value, Yaml::Text(_)))
        .map(|(name, _)| text(name))
        .collect()
}

/// Fills `${{ … }}` in, and fails on what is not in the values.
pub(crate) fn expand(text: &str, values: &Values) -> String {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${{") {
        let (expression, after) = after.split_once("}}").unwrap();
        expanded.push_str(before);
        expanded.push_str(&value(expression.trim(), values));
        rest = after;
    }
    expanded + rest
}

fn value(expression: &str, values: &Values) -> String {
    let found = values.get(expression);
    found.unwrap_or_else(|| panic!("`{expression}` has no value here")).clone()
}

/// Whether `a == 'x' && b != c` holds; `lookup` gives the value of what is not quoted.
pub(crate) fn holds(condition: &str, lookup: &dyn Fn(&str) -> String) -> bool {
    let operand = |text: &str| {
        let text = text.trim();
        let quoted = text.strip_prefix(['\'', '"']).and_then(|text| text.strip_suffix(['\'', '"']));
        quoted.map_or_else(|| lookup(text), str::to_owned)
    };
    condition.split("&&").all(|term| {
        if let Some((one, other)) = term.split_once("==") {
            operand(one) == operand(other)
        } else if let Some((one, other)) = term.split_once("!=") {
            operand(one) != operand(other)
        } else {
            !operand(term).is_empty()
        }
    })
}

/// Whether `a == 'x' && …` of GitHub's holds.
pub(crate) fn github_if(condition: &str, values: &Values) -> bool {
    condition == "always()" || holds(condition, &|name| value(name, values))
}

/// Whether one of GitLab's `rules` applies.
pub(crate) fn gitlab_rules(job: &Node, variables: &Values) -> bool {
    items(job.get("rules")).iter().any(|rule| {
        holds(&text(rule.get("if").unwrap()), &|name| {
            variables.get(name.strip_prefix('$').unwrap()).cloned().unwrap_or_default()
        })
    })
}

/// Whether a condition of Azure's holds: `and(eq(variables['A'], 'b'), …)`.
pub(crate) fn azure_condition(condition: &str, variables: &Values) -> bool {
    let (name, arguments) = call(condition.trim());
    let operand = |text: &str| {
        let text = text.trim();
        if let Some(variable) = text.strip_prefix("variables['").and_then(|t| t.strip_suffix("']"))
        {
            let name = variable.replace('.', "_").to_ascii_uppercase();
            return variables.get(&name).cloned().unwrap_or_default();
        }
        text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')).unwrap().to_owned()
    };
    let compared = || arguments.iter().map(|text| operand(text)).collect::<Vec<_>>();
    match name {
        "and" => arguments.iter().all(|one| azure_condition(one, variables)),
        "eq" => compared()[0] == compared()[1],
        "ne" => compared()[0] != compared()[1],
        "in" => compared()[1..].contains(&compared()[0]),
        "startsWith" => compared()[0].starts_with(&compared()[1]),
        other => panic!("{other} is not known here"),
    }
}

/// Takes `name(a, b(c, d))` apart.
fn call(text: &str) -> (&str, Vec<&str>) {
    let (name, rest) = text.split_once('(').unwrap();
    let rest = rest.strip_suffix(')').unwrap();
    let (mut depth, mut start, mut arguments) = (0, 0, Vec::new());
    for (at, char) in rest.char_indices() {
        match char {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            ',' if depth == 0 => {
                arguments.push(rest[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    arguments.push(rest[start..].trim());
    (name, arguments)
}

/// The stages of a Jenkinsfile: name, the lines of `when`, and the script.
pub(crate) fn jenkins_stages(text: &str) -> Vec<(String, Vec<String>, String)> {
    text.split("stage('")
        .skip(1)
        .map(|stage| {
            let (name, body) = stage.split_once("')").unwrap();
            let when = body.split_once("when {").unwrap().1.split_once("steps {").unwrap().0;
            let when = when.trim().strip_suffix('}').unwrap();
            let lines =
                when.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty());
            let script = body.split("'''").nth(1).unwrap().to_owned();
            (name.to_owned(), lines.collect(), script)
        })
        .collect()
}

/// Whether all lines of a `when` hold.
pub(crate) fn jenkins_when(lines: &[String], variables: &Values, is_timer: bool) -> bool {
    let is_set = |name: &str| variables.contains_key(name);
    let holds = |line: &str| match line {
        "branch 'main'" => variables.get("BRANCH_NAME").is_some_and(|name| name == "main"),
        "changeRequest()" => is_set("CHANGE_ID"),
        "buildingTag()" => is_set("TAG_NAME"),
        "triggeredBy 'TimerTrigger'" => is_timer,
        other => panic!("{other} is not known here"),
    };
    lines.iter().all(|line| match line.strip_prefix("not { ") {
        Some(line) => !holds(line.strip_suffix(" }").unwrap()),
        None => holds(line),
    })
}
