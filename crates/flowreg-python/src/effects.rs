//! What a module does to its own names by other means than binding them, found in one walk before it
//! is evaluated: lists that are changed, globals that functions write, dynamic namespaces.
//!
//! The interpreter's values never change. So it has to know beforehand which names stand for objects
//! that do, and treats those as unknown. Found by name and not by flow of control: this is a bit too
//! strict, and quick.

use foldhash::HashSet;
use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Expr, Stmt};
use ruff_text_size::{Ranged, TextSize};

/// Methods that change the object they are called on.
const MUTATING: &[&str] = &[
    "append",
    "extend",
    "insert",
    "update",
    "pop",
    "popitem",
    "remove",
    "clear",
    "setdefault",
    "add",
    "discard",
    "sort",
    "reverse",
    "appendleft",
    "extendleft",
    "popleft",
    "rotate",
    "intersection_update",
    "difference_update",
    "symmetric_difference_update",
    "move_to_end",
    "subtract",
    "__setitem__",
    "__delitem__",
    "__iadd__",
    "__ior__",
];

/// Functions that give access to a namespace by strings.
const DYNAMIC: &[&str] = &["exec", "eval", "globals", "setattr", "vars", "locals", "delattr"];

/// Calls that certainly leave their arguments as they are. Any other call at the top of a module
/// may change a list that it is given.
const READING: &[&str] = &[
    "len",
    "str",
    "int",
    "float",
    "bool",
    "list",
    "dict",
    "tuple",
    "set",
    "frozenset",
    "sorted",
    "min",
    "max",
    "sum",
    "any",
    "all",
    "range",
    "enumerate",
    "zip",
    "reversed",
    "repr",
    "print",
    "isinstance",
    "abs",
    "round",
    "Path",
    "join",
    "Field",
    "flow",
    "Literal",
];

/// The same for a script that is run as a program: Prefect copies what it is given to deploy.
const READING_IN_PROGRAM: &[&str] = &[
    "deploy",
    "adeploy",
    "serve",
    "aserve",
    "to_deployment",
    "ato_deployment",
    "from_source",
    "with_options",
    "apply",
    "timedelta",
];

/// What a module does to its names.
#[derive(Default)]
pub(crate) struct Effects<'a> {
    /// Names whose list, dictionary or set a call or an assignment to an item changes somewhere,
    /// or may change.
    pub mutated: HashSet<&'a str>,
    /// Those of them that a call changes, or may change.
    called: HashSet<&'a str>,
    /// Names that an operator like `+=` changes in place.
    augmented: HashSet<&'a str>,
    /// Names that a `global` statement hands to a function.
    pub global: HashSet<&'a str>,
    /// The first use of a dynamic namespace.
    pub dynamic: Option<(&'a str, TextSize)>,
    /// Whether the module itself, not only a function, uses one.
    pub is_dynamic_at_import: bool,
    /// Whether the module puts something into `sys.path` before other entries.
    pub changes_search_path: bool,
    /// Whether Prefect is imported anywhere.
    pub imports_prefect: bool,
    aliases: Vec<(&'a str, &'a str)>,
    /// The module's own functions: what a call of one changes shows in its body.
    functions: HashSet<&'a str>,
    /// Calls that leave their arguments as they are, besides [`READING`].
    reading: &'static [&'static str],
    depth: u32,
    loops: u32,
}

impl<'a> Effects<'a> {
    /// What a module does; `is_program` if it is for a script that is run and not only imported.
    pub(crate) fn of(body: &'a [Stmt], is_program: bool) -> Self {
        let functions = body
            .iter()
            .filter_map(|statement| statement.as_function_def_stmt())
            .map(|function| function.name.as_str())
            .collect();
        let reading = if is_program { READING_IN_PROGRAM } else { &[] };
        let mut effects = Effects { functions, reading, ..Effects::default() };
        for statement in body {
            effects.visit_stmt(statement);
        }
        effects.spread();
        effects
    }

    /// Whether the module changes in place what `name` stands for, or may.
    pub(crate) fn changes(&self, name: &str) -> bool {
        self.mutated.contains(name) || self.augmented.contains(name)
    }

    /// Whether a list that `name` stands for may get another length, as far as names tell.
    pub(crate) fn resizes(&self, name: &str) -> bool {
        self.called.contains(name)
            || self.augmented.contains(name)
            || self.aliases.iter().any(|(left, right)| *left == name || *right == name)
    }

    /// Marks every name of an object that is changed through one of its names.
    fn spread(&mut self) {
        // `b = a` makes two names for one object, and chains of them (`c = b`) need another round.
        // Each round marks at least one more name, so there are at most as many as aliases.
        for _ in 0..self.aliases.len() {
            let before = self.mutated.len();
            for (left, right) in &self.aliases {
                if self.changes(left) || self.changes(right) {
                    self.mutated.extend([*left, *right]);
                }
            }
            if self.mutated.len() == before {
                break;
            }
        }
    }

    fn mutate(&mut self, expression: &'a Expr) {
        if let Some(name) = root_name(expression) {
            self.mutated.insert(name);
        }
    }

    fn call(&mut self, call: &'a ruff_python_ast::ExprCall) {
        match &*call.func {
            Expr::Attribute(attribute) if MUTATING.contains(&attribute.attr.as_str()) => {
                if is_search_path(&attribute.value) {
                    // What is appended can't hide what was found before.
                    self.changes_search_path |= attribute.attr.as_str() != "append";
                } else {
                    self.mutate(&attribute.value);
                    self.called.extend(root_name(&attribute.value));
                }
            }
            Expr::Name(name) if DYNAMIC.contains(&name.id.as_str()) => {
                self.dynamic.get_or_insert((name.id.as_str(), call.start()));
                self.is_dynamic_at_import |= self.depth == 0;
            }
            _ => {}
        }
        let callee = match &*call.func {
            Expr::Name(name) => name.id.as_str(),
            Expr::Attribute(attribute) => attribute.attr.as_str(),
            _ => "",
        };
        // A call of one of the module's own functions is evaluated by the interpreter, which sees
        // what it does to its arguments. In a loop it is not.
        let is_own = self.loops == 0 && call.func.is_name_expr() && self.functions.contains(callee);
        let is_reading = READING.contains(&callee) || self.reading.contains(&callee);
        if self.depth == 0 && !is_own && !is_reading && !is_class_like(callee) {
            let keywords = call.arguments.keywords.iter().map(|keyword| &keyword.value);
            for argument in call.arguments.args.iter().chain(keywords) {
                self.mutate(argument);
                self.called.extend(root_name(argument));
            }
        }
    }

    fn import(&mut self, module: &str) {
        self.imports_prefect |= module == "prefect" || module.starts_with("prefect.");
    }
}

/// Whether a callee is spelled as a class: a constructor keeps what it is given, and changes of it
/// are found where they happen.
fn is_class_like(callee: &str) -> bool {
    callee.chars().next().is_some_and(char::is_uppercase)
}

fn without_subscripts(expression: &Expr) -> &Expr {
    match expression {
        Expr::Subscript(subscript) => without_subscripts(&subscript.value),
        other => other,
    }
}

fn is_search_path(expression: &Expr) -> bool {
    expression.as_attribute_expr().is_some_and(|attribute| {
        attribute.attr.as_str() == "path"
            && attribute.value.as_name_expr().is_some_and(|name| name.id.as_str() == "sys")
    })
}

fn root_name(expression: &Expr) -> Option<&str> {
    let mut expression = expression;
    loop {
        expression = match expression {
            Expr::Attribute(attribute) => &attribute.value,
            Expr::Subscript(subscript) => &subscript.value,
            Expr::Name(name) => return Some(name.id.as_str()),
            _ => return None,
        };
    }
}

impl<'a> Visitor<'a> for Effects<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Assign(assign) => {
                for target in &assign.targets {
                    self.changes_search_path |= is_search_path(without_subscripts(target));
                    if matches!(target, Expr::Subscript(_)) {
                        self.mutate(target);
                    }
                    // `left = right`
                    if let (Expr::Name(left), Expr::Name(right)) = (target, &*assign.value) {
                        self.aliases.push((left.id.as_str(), right.id.as_str()));
                    }
                    // `a = b = []`: both are names of one list.
                    if let (Some(Expr::Name(first)), Expr::Name(name)) =
                        (assign.targets.first(), target)
                        && first.id != name.id
                    {
                        self.aliases.push((first.id.as_str(), name.id.as_str()));
                    }
                }
            }
            // `names += […]` changes a list in place; for a number or text it only binds the name
            // anew. Which one it is, is not known by name.
            Stmt::AugAssign(assign) => match &*assign.target {
                Expr::Name(name) => {
                    self.augmented.insert(name.id.as_str());
                }
                target => self.mutate(target),
            },
            Stmt::Delete(delete) => {
                for target in &delete.targets {
                    if matches!(target, Expr::Subscript(_)) {
                        self.mutate(target);
                    }
                }
            }
            Stmt::While(_) => self.loops += 1,
            Stmt::For(each) => {
                self.loops += 1;
                // `for each in [a, b]: each.append(…)` changes `a` and `b`.
                if let (Expr::Name(target), iterated) = (&*each.target, &*each.iter) {
                    let names = match iterated {
                        Expr::List(list) => &list.elts[..],
                        Expr::Tuple(tuple) => &tuple.elts[..],
                        _ => &[],
                    };
                    for name in names.iter().filter_map(|item| item.as_name_expr()) {
                        self.aliases.push((target.id.as_str(), name.id.as_str()));
                    }
                }
            }
            Stmt::Global(global) => {
                self.global.extend(global.names.iter().map(|name| name.id.as_str()));
            }
            Stmt::Import(import) => {
                for name in &import.names {
                    self.import(name.name.as_str());
                }
            }
            Stmt::ImportFrom(import) => {
                self.import(import.module.as_ref().map_or("", |module| module.as_str()));
            }
            Stmt::FunctionDef(function) => {
                // Decorators and defaults are evaluated where the function is defined; only the
                // body runs later.
                for decorator in &function.decorator_list {
                    self.visit_decorator(decorator);
                }
                self.visit_parameters(&function.parameters);
                self.depth += 1;
                for inner in &function.body {
                    self.visit_stmt(inner);
                }
                self.depth -= 1;
                return;
            }
            _ => {}
        }
        walk_stmt(self, statement);
        if matches!(statement, Stmt::For(_) | Stmt::While(_)) {
            self.loops -= 1;
        }
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        if let Expr::Call(call) = expression {
            self.call(call);
        }
        if let Expr::Lambda(lambda) = expression {
            if let Some(parameters) = &lambda.parameters {
                self.visit_parameters(parameters);
            }
            self.depth += 1;
            self.visit_expr(&lambda.body);
            self.depth -= 1;
            return;
        }
        walk_expr(self, expression);
    }
}
