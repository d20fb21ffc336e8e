//! What a piece of code may do to objects, if it runs: found by its names, without running it.
//!
//! Whatever the interpreter does not run is looked at here: a loop, a function that is called by a
//! library, a branch that is left out. What such code only reads stays what it is.

use foldhash::HashSet;
use ruff_python_ast::visitor::{Visitor, walk_expr, walk_pattern, walk_stmt};
use ruff_python_ast::{Comprehension, Expr, ExprCall, Pattern, Stmt};

use super::interpreter::bound::{BoundNames, captured};
use super::value::{Function, OuterNames};

/// Builtins that neither change nor keep what they are given, and give nothing of it back.
const READING: &[&str] = &[
    "abs",
    "all",
    "any",
    "bool",
    "callable",
    "chr",
    "float",
    "format",
    "hasattr",
    "hash",
    "id",
    "int",
    "isinstance",
    "issubclass",
    "len",
    "ord",
    "print",
    "range",
    "repr",
    "round",
    "str",
    "sum",
    "type",
];

/// Builtins that give back what they are given, or the items of it, and change nothing.
const PASSING: &[&str] = &[
    "dict",
    "enumerate",
    "frozenset",
    "getattr",
    "iter",
    "list",
    "max",
    "min",
    "reversed",
    "set",
    "sorted",
    "tuple",
    "zip",
];

/// Methods of texts, containers, dates, paths and loggers that change nothing. A class of the
/// repository that has one of these names counts by its own code, once there is an instance.
const READING_METHODS: &[&str] = &[
    "as_posix",
    "capitalize",
    "copy",
    "count",
    "critical",
    "debug",
    "decode",
    "difference",
    "encode",
    "endswith",
    "error",
    "exception",
    "exists",
    "format",
    "get",
    "index",
    "info",
    "intersection",
    "is_dir",
    "is_file",
    "isdigit",
    "isoformat",
    "issubset",
    "issuperset",
    "items",
    "join",
    "joinpath",
    "keys",
    "log",
    "lower",
    "lstrip",
    "model_dump",
    "model_dump_json",
    "partition",
    "read_text",
    "replace",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strftime",
    "strip",
    "title",
    "total_seconds",
    "union",
    "upper",
    "values",
    "warning",
    "zfill",
];

/// Whether a method of this name changes nothing.
pub(crate) fn is_reading_method(name: &str) -> bool {
    READING_METHODS.binary_search(&name).is_ok()
}

/// Whether a builtin of this name changes nothing and keeps nothing.
pub(crate) fn is_reading_builtin(name: &str) -> bool {
    READING.binary_search(&name).is_ok()
}

/// What code may do.
#[derive(Default)]
pub(crate) struct Touched<'a> {
    /// Names whose objects it may change, keep, or hand to others.
    pub names: HashSet<&'a str>,
    /// Names of objects whose attributes it may set.
    pub attributed: HashSet<&'a str>,
    /// Whether a function may change or hand on what it is given.
    pub changes_given: bool,
    /// Whether it may change the names of its module through `globals()` or `locals()`.
    pub namespace: bool,
    /// Names that it reads.
    pub read: HashSet<&'a str>,
    /// Names that it binds outside of itself.
    pub outer: OuterNames<'a>,
    /// What it calls, and through which names the object may be reached whose method that is.
    pub called: Vec<(&'a Expr, HashSet<&'a str>)>,
    /// `left` may stand for an object that is reached through `right`.
    aliases: Vec<(&'a str, &'a str)>,
    /// The statements that import something.
    pub imports: Vec<&'a Stmt>,
    /// Whether what it returns is of no concern.
    ignores_returns: bool,
}

impl<'a> Touched<'a> {
    /// Of statements that stand in a scope.
    pub(crate) fn of(body: &'a [Stmt]) -> Self {
        let mut touched = Touched::default();
        touched.visit_body(body);
        touched.spread();
        touched
    }

    /// The names through which an object may be reached that `name` stands for after the code.
    pub(crate) fn sources(&self, name: &'a str) -> HashSet<&'a str> {
        let mut sources = HashSet::default();
        let mut open = vec![name];
        while let Some(name) = open.pop() {
            for (left, right) in &self.aliases {
                if *left == name && sources.insert(*right) {
                    open.push(right);
                }
            }
        }
        sources
    }

    /// Of an expression.
    pub(crate) fn of_expression(expression: &'a Expr) -> Self {
        let mut touched = Touched::default();
        touched.visit_expr(expression);
        touched.spread();
        touched
    }

    /// Whether a function does nothing but read, and give back what it reads.
    pub(crate) fn only_reads(function: &Function<'a>) -> bool {
        let mut touched = Touched { ignores_returns: true, ..Touched::default() };
        match (function.definition, function.lambda_body) {
            (Some(definition), _) => touched.visit_body(&definition.body),
            (None, Some(body)) => touched.visit_expr(body),
            (None, None) => {}
        }
        let own = function.definition.map_or_else(HashSet::default, |definition| {
            BoundNames::of(&definition.body).into_locals()
        });
        touched.spread();
        let outer = function.definition.map(|definition| OuterNames::within(&definition.body));
        touched.names.iter().all(|name| own.contains(name))
            && touched.attributed.is_empty()
            && touched.called.is_empty()
            && touched.imports.is_empty()
            && !touched.namespace
            && outer.is_none_or(|outer| outer.global.is_empty() && outer.nonlocal.is_empty())
    }

    /// Of the body of a function; its own names are left out, but for parameters among
    /// [`Touched::attributed`].
    pub(crate) fn of_function(function: &Function<'a>) -> Self {
        let mut touched = match (function.definition, function.lambda_body) {
            (Some(definition), _) => Touched::of(&definition.body),
            (None, Some(body)) => {
                let mut touched = Touched::default();
                touched.hand_on(body);
                touched.visit_expr(body);
                touched.spread();
                touched
            }
            (None, None) => Touched::default(),
        };
        let mut own = function.definition.map_or_else(HashSet::default, |definition| {
            BoundNames::of(&definition.body).into_locals()
        });
        if let Some(definition) = function.definition {
            touched.outer = OuterNames::within(&definition.body);
            let outer = &touched.outer;
            own.retain(|name| !outer.global.contains(name) && !outer.nonlocal.contains(name));
        }
        let is_parameter =
            |name: &str| function.parameters.iter().any(|parameter| &*parameter.name == name);
        let owners = touched.called.iter().flat_map(|(_, owners)| owners);
        touched.changes_given = touched.names.iter().chain(owners).any(|name| is_parameter(name));
        touched.names.retain(|name| !own.contains(name) && !is_parameter(name));
        touched.attributed.retain(|name| !own.contains(name) || is_parameter(name));
        touched
    }

    /// Every name of an object counts that may be reached through another one of its names.
    fn spread(&mut self) {
        // Each round but the last adds a name, so there are at most as many as aliases.
        for _ in 0..=self.aliases.len() {
            let mut is_more = false;
            for (left, right) in &self.aliases {
                let owners = self.called.iter_mut().map(|(_, owners)| owners);
                for names in owners.chain([&mut self.names, &mut self.attributed]) {
                    is_more |= names.contains(left) && names.insert(right);
                }
            }
            if !is_more {
                break;
            }
        }
    }

    /// The code changes what this stands for, keeps it, or gives it to somebody.
    fn hand_on(&mut self, expression: &'a Expr) {
        let mut names = Vec::new();
        shared(expression, &mut names);
        self.names.extend(names);
    }

    fn alias(&mut self, target: &'a Expr, value: &'a Expr) {
        let mut values = Vec::new();
        shared(value, &mut values);
        let mut targets = Vec::new();
        bound_names(target, &mut targets);
        for target in targets {
            self.aliases.extend(values.iter().map(|value| (target, *value)));
        }
    }

    /// `target = value`, where the target is no plain name.
    fn store(&mut self, target: &'a Expr, value: Option<&'a Expr>) {
        match target {
            Expr::Attribute(attribute) => {
                let mut owners = Vec::new();
                shared(&attribute.value, &mut owners);
                self.attributed.extend(owners.iter());
                self.names.extend(owners);
            }
            Expr::Subscript(item) => {
                // `f.__annotations__["x"] = …`
                if let Expr::Attribute(part) = &*item.value
                    && part.attr.as_str().starts_with("__")
                {
                    self.attributed.extend(names_shared(&part.value));
                }
                self.hand_on(&item.value);
            }
            Expr::Tuple(tuple) => tuple.elts.iter().for_each(|target| self.store(target, value)),
            Expr::List(list) => list.elts.iter().for_each(|target| self.store(target, value)),
            Expr::Starred(starred) => return self.store(&starred.value, value),
            _ => return,
        }
        if let Some(value) = value {
            self.hand_on(value);
        }
    }

    fn calls(&mut self, callee: &'a Expr) {
        let mut owners = Vec::new();
        match callee {
            Expr::Attribute(attribute) => shared(&attribute.value, &mut owners),
            callee => shared(callee, &mut owners),
        }
        self.called.push((callee, owners.into_iter().collect()));
    }

    fn call(&mut self, call: &'a ExprCall) {
        let keywords = call.arguments.keywords.iter().map(|keyword| &keyword.value);
        let arguments = call.arguments.args.iter().chain(keywords);
        match &*call.func {
            Expr::Name(name) if READING.contains(&name.id.as_str()) => return,
            Expr::Name(name) if PASSING.contains(&name.id.as_str()) => {
                // `sorted(items, key=f)` calls a function.
                call.arguments.keywords.iter().for_each(|keyword| self.calls(&keyword.value));
                return;
            }
            Expr::Name(name) if matches!(name.id.as_str(), "setattr" | "delattr") => {
                if let Some(owner) = call.arguments.args.first() {
                    let mut owners = Vec::new();
                    shared(owner, &mut owners);
                    self.attributed.extend(owners);
                }
            }
            Expr::Attribute(attribute) if is_reading_method(attribute.attr.as_str()) => return,
            callee => self.calls(callee),
        }
        arguments.for_each(|argument| self.hand_on(argument));
    }
}

/// Whether an expression gives the names of a module as a dictionary, or perhaps.
fn is_namespace(expression: &Expr) -> bool {
    let Expr::Call(call) = expression else { return false };
    let is_one = |name: &str| matches!(name, "globals" | "locals" | "vars");
    call.arguments.is_empty()
        && call.func.as_name_expr().is_some_and(|name| is_one(name.id.as_str()))
}

/// The names that an expression binds with `:=`, each with its value.
pub(crate) fn named_in(expression: &Expr) -> Vec<(&str, &Expr)> {
    let mut named = Named::default();
    named.visit_expr(expression);
    named.0
}

#[derive(Default)]
struct Named<'a>(Vec<(&'a str, &'a Expr)>);

impl<'a> Visitor<'a> for Named<'a> {
    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Named(named) => {
                if let Expr::Name(name) = &*named.target {
                    self.0.push((name.id.as_str(), &named.value));
                }
            }
            Expr::Lambda(_) => return,
            _ => {}
        }
        walk_expr(self, expression);
    }
}

/// The names of which an expression may give an object, or a part of one.
pub(crate) fn names_shared(expression: &Expr) -> Vec<&str> {
    let mut names = Vec::new();
    shared(expression, &mut names);
    names
}

fn shared<'a>(expression: &'a Expr, names: &mut Vec<&'a str>) {
    match expression {
        Expr::Name(name) => names.push(name.id.as_str()),
        Expr::Attribute(attribute) => shared(&attribute.value, names),
        Expr::Subscript(item) => shared(&item.value, names),
        Expr::Starred(starred) => shared(&starred.value, names),
        Expr::Named(named) => shared(&named.value, names),
        Expr::Await(awaited) => shared(&awaited.value, names),
        Expr::List(list) => list.elts.iter().for_each(|item| shared(item, names)),
        Expr::Tuple(tuple) => tuple.elts.iter().for_each(|item| shared(item, names)),
        Expr::Set(set) => set.elts.iter().for_each(|item| shared(item, names)),
        Expr::Dict(dict) => {
            for item in &dict.items {
                item.key.iter().for_each(|key| shared(key, names));
                shared(&item.value, names);
            }
        }
        Expr::If(choice) => {
            shared(&choice.body, names);
            shared(&choice.orelse, names);
        }
        Expr::BoolOp(boolean) => boolean.values.iter().for_each(|value| shared(value, names)),
        Expr::BinOp(binary) => {
            shared(&binary.left, names);
            shared(&binary.right, names);
        }
        Expr::Call(call) => {
            if let Expr::Name(name) = &*call.func
                && READING.contains(&name.id.as_str())
            {
                return;
            }
            if let Expr::Attribute(attribute) = &*call.func {
                shared(&attribute.value, names);
            }
            call.arguments.args.iter().for_each(|argument| shared(argument, names));
            call.arguments.keywords.iter().for_each(|keyword| shared(&keyword.value, names));
        }
        Expr::ListComp(list) => shared_by_generators(&list.generators, &[&list.elt], names),
        Expr::SetComp(set) => shared_by_generators(&set.generators, &[&set.elt], names),
        Expr::Generator(made) => shared_by_generators(&made.generators, &[&made.elt], names),
        Expr::DictComp(dict) => shared_by_generators(&dict.generators, &[&dict.value], names),
        _ => {}
    }
}

fn shared_by_generators<'a>(
    generators: &'a [Comprehension],
    elements: &[&'a Expr],
    names: &mut Vec<&'a str>,
) {
    elements.iter().for_each(|element| shared(element, names));
    generators.iter().for_each(|generator| shared(&generator.iter, names));
}

fn bound_names<'a>(target: &'a Expr, names: &mut Vec<&'a str>) {
    match target {
        Expr::Name(name) => names.push(name.id.as_str()),
        Expr::Tuple(tuple) => tuple.elts.iter().for_each(|target| bound_names(target, names)),
        Expr::List(list) => list.elts.iter().for_each(|target| bound_names(target, names)),
        Expr::Starred(starred) => bound_names(&starred.value, names),
        _ => {}
    }
}

impl<'a> Visitor<'a> for Touched<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Import(_) | Stmt::ImportFrom(_) => self.imports.push(statement),
            Stmt::Assign(assign) => {
                for target in &assign.targets {
                    self.alias(target, &assign.value);
                    self.store(target, Some(&assign.value));
                }
                // `a = b = []`: both are names of one object.
                for pair in assign.targets.windows(2) {
                    if let [left, right] = pair {
                        self.alias(left, right);
                        self.alias(right, left);
                    }
                }
            }
            Stmt::AnnAssign(assign) => {
                if let Some(value) = &assign.value {
                    self.alias(&assign.target, value);
                    self.store(&assign.target, Some(value));
                }
            }
            Stmt::AugAssign(assign) => {
                self.store(&assign.target, Some(&assign.value));
                if let Expr::Name(name) = &*assign.target {
                    self.names.insert(name.id.as_str());
                    self.alias(&assign.target, &assign.value);
                }
            }
            Stmt::Delete(delete) => {
                delete.targets.iter().for_each(|target| self.store(target, None));
            }
            Stmt::For(each) => {
                self.alias(&each.target, &each.iter);
                self.store(&each.target, Some(&each.iter));
            }
            Stmt::With(with) => {
                for item in &with.items {
                    if let Some(target) = &item.optional_vars {
                        self.alias(target, &item.context_expr);
                        self.store(target, Some(&item.context_expr));
                    }
                }
            }
            Stmt::Return(returned) => {
                if let Some(value) = &returned.value
                    && !self.ignores_returns
                {
                    self.hand_on(value);
                }
            }
            Stmt::Match(choice) => {
                let mut values = Vec::new();
                shared(&choice.subject, &mut values);
                let mut captured = Captured::default();
                choice.cases.iter().for_each(|case| captured.visit_pattern(&case.pattern));
                for name in captured.0 {
                    self.aliases.extend(values.iter().map(|value| (name, *value)));
                }
            }
            Stmt::FunctionDef(function) => {
                for decorator in &function.decorator_list {
                    self.calls(&decorator.expression);
                }
            }
            Stmt::ClassDef(class) => {
                for decorator in &class.decorator_list {
                    self.calls(&decorator.expression);
                }
                if let Some(arguments) = &class.arguments {
                    arguments.args.iter().for_each(|base| self.calls(base));
                    arguments.keywords.iter().for_each(|keyword| self.calls(&keyword.value));
                }
            }
            _ => {}
        }
        walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Name(name) => {
                self.read.insert(name.id.as_str());
            }
            // `"x" in globals()`
            Expr::Compare(comparison) => {
                let parts = std::iter::once(&*comparison.left).chain(&comparison.comparators);
                return parts
                    .filter(|part| !is_namespace(part))
                    .for_each(|part| self.visit_expr(part));
            }
            // `globals()["x"]` and `globals().get("x")` only read.
            Expr::Subscript(item) if item.ctx.is_load() && is_namespace(&item.value) => {
                return self.visit_expr(&item.slice);
            }
            Expr::Call(call)
                if call.func.as_attribute_expr().is_some_and(|method| {
                    method.attr.as_str() == "get" && is_namespace(&method.value)
                }) =>
            {
                return call.arguments.args.iter().for_each(|given| self.visit_expr(given));
            }
            Expr::Call(call) => {
                self.namespace |= is_namespace(expression);
                self.call(call);
            }
            Expr::Named(named) => self.alias(&named.target, &named.value),
            Expr::Yield(given) => {
                if let Some(value) = &given.value
                    && !self.ignores_returns
                {
                    self.hand_on(value);
                }
            }
            Expr::YieldFrom(given) if !self.ignores_returns => self.hand_on(&given.value),
            Expr::Lambda(lambda) => self.hand_on(&lambda.body),
            _ => {}
        }
        walk_expr(self, expression);
    }

    fn visit_comprehension(&mut self, comprehension: &'a Comprehension) {
        self.alias(&comprehension.target, &comprehension.iter);
        ruff_python_ast::visitor::walk_comprehension(self, comprehension);
    }
}

/// The names that patterns bind.
#[derive(Default)]
struct Captured<'a>(Vec<&'a str>);

impl<'a> Visitor<'a> for Captured<'a> {
    fn visit_pattern(&mut self, pattern: &'a Pattern) {
        self.0.extend(captured(pattern));
        walk_pattern(self, pattern);
    }
}

#[cfg(test)]
mod tests {
    use super::{READING, READING_METHODS};

    #[test]
    fn the_tables_are_sorted_for_the_search() {
        assert!(READING.is_sorted() && READING_METHODS.is_sorted());
    }
}
