//! Errors that Python's compiler finds after the parser: `await` outside a function, a keyword
//! given twice, `break` without a loop.
//!
//! Only what every Python since 3.9 refuses. The rules are ruff's `SemanticSyntaxChecker`; this file
//! walks the tree and tells it where in the file it is (in a loop, in an `async` function …).

use std::cell::RefCell;

use ruff_python_ast::visitor::{Visitor, walk_body, walk_expr, walk_parameters, walk_stmt};
use ruff_python_ast::{
    Comprehension, Expr, Parameters, PythonVersion, Stmt, StmtClassDef, StmtFunctionDef,
};
use ruff_python_parser::semantic_errors::{
    LazyImportContext, SemanticSyntaxChecker, SemanticSyntaxContext, SemanticSyntaxError,
};
use ruff_text_size::{Ranged, TextRange};

use super::source::SyntaxError;

/// Checks a module that was parsed.
///
/// # Errors
/// [`SyntaxError`] for the first thing in the source that the compiler refuses.
pub(crate) fn check(text: &str, body: &[Stmt]) -> Result<(), SyntaxError> {
    let position = Position {
        text,
        has_postponed_annotations: body.iter().any(super::source::postpones_annotations),
        scopes: vec![Scope::new(Kind::Module)],
        found: RefCell::default(),
    };
    let mut walk = Walk { checker: SemanticSyntaxChecker::new(), position };
    walk.position.note_globals(body);
    walk.visit_body(body);
    let found = walk.position.found.into_inner();
    match found.into_iter().min_by_key(|error| error.range.start()) {
        None => Ok(()),
        Some(error) => {
            let at = error.range.start().to_usize();
            Err(SyntaxError { message: super::source::sentence(&error.to_string()), at })
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Module,
    Class,
    Function { is_async: bool },
    Lambda,
    Generator,
    Comprehension,
}

struct Scope<'a> {
    kind: Kind,
    loops: u32,
    parameters: Vec<&'a str>,
    /// Names that a `global` statement of this very scope declares.
    globals: Vec<(&'a str, TextRange)>,
}

impl Scope<'_> {
    fn new(kind: Kind) -> Self {
        Scope { kind, loops: 0, parameters: Vec::new(), globals: Vec::new() }
    }
}

/// Where the walk is.
struct Position<'a> {
    text: &'a str,
    has_postponed_annotations: bool,
    /// The innermost last.
    scopes: Vec<Scope<'a>>,
    found: RefCell<Vec<SemanticSyntaxError>>,
}

impl<'a> Position<'a> {
    fn here(&self) -> Kind {
        self.scopes.last().map_or(Kind::Module, |scope| scope.kind)
    }

    fn kinds(&self) -> impl Iterator<Item = Kind> {
        self.scopes.iter().rev().map(|scope| scope.kind)
    }

    fn note_globals(&mut self, body: &'a [Stmt]) {
        let mut search = Globals(Vec::new());
        search.visit_body(body);
        if let Some(scope) = self.scopes.last_mut() {
            scope.globals = search.0;
        }
    }
}

/// Finds the `global` statements of one scope.
struct Globals<'a>(Vec<(&'a str, TextRange)>);

impl<'a> Visitor<'a> for Globals<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Global(global) => {
                self.0.extend(global.names.iter().map(|name| (name.as_str(), global.range())));
            }
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => {}
            other => walk_stmt(self, other),
        }
    }

    fn visit_expr(&mut self, _: &'a Expr) {}
}

impl SemanticSyntaxContext for Position<'_> {
    fn future_annotations_or_stub(&self) -> bool {
        self.has_postponed_annotations
    }

    fn lazy_import_context(&self) -> Option<LazyImportContext> {
        None
    }

    // The version on which the fewest of these errors are raised: 3.14 checks annotations more
    // strictly, and before 3.11 an asynchronous comprehension was refused inside another one.
    fn python_version(&self) -> PythonVersion {
        PythonVersion::PY313
    }

    fn source(&self) -> &str {
        self.text
    }

    fn global(&self, name: &str) -> Option<TextRange> {
        let globals = &self.scopes.last()?.globals;
        globals.iter().find(|(known, _)| *known == name).map(|(_, range)| *range)
    }

    fn has_nonlocal_binding(&self, _: &str) -> bool {
        // A name may be bound by any enclosing function, which is not looked at: only `nonlocal`
        // outside all functions certainly has nothing to refer to.
        self.kinds().skip(1).any(|kind| matches!(kind, Kind::Function { .. } | Kind::Lambda))
    }

    fn in_async_context(&self) -> bool {
        let frame =
            self.kinds().find(|kind| !matches!(kind, Kind::Generator | Kind::Comprehension));
        frame == Some(Kind::Function { is_async: true })
    }

    fn in_await_allowed_context(&self) -> bool {
        // A comprehension belongs to what it stands in. A generator may `await` wherever it is run.
        let decides = self.kinds().find(|kind| *kind != Kind::Comprehension);
        matches!(decides, Some(Kind::Function { .. } | Kind::Lambda | Kind::Generator))
    }

    fn in_yield_allowed_context(&self) -> bool {
        matches!(self.here(), Kind::Function { .. } | Kind::Lambda)
    }

    fn in_sync_comprehension(&self) -> bool {
        false
    }

    fn in_class_body_comprehension(&self) -> bool {
        let frame =
            self.kinds().find(|kind| !matches!(kind, Kind::Generator | Kind::Comprehension));
        frame == Some(Kind::Class)
    }

    fn in_module_scope(&self) -> bool {
        self.here() == Kind::Module
    }

    fn in_function_scope(&self) -> bool {
        matches!(self.here(), Kind::Function { .. } | Kind::Lambda)
    }

    fn in_generator_context(&self) -> bool {
        self.kinds().any(|kind| kind == Kind::Generator)
    }

    fn in_notebook(&self) -> bool {
        false
    }

    fn report_semantic_error(&self, error: SemanticSyntaxError) {
        self.found.borrow_mut().push(error);
    }

    fn in_loop_context(&self) -> bool {
        self.scopes.last().is_some_and(|scope| scope.loops > 0)
    }

    fn is_bound_parameter(&self, name: &str) -> bool {
        self.scopes.last().is_some_and(|scope| scope.parameters.contains(&name))
    }
}

struct Walk<'a> {
    checker: SemanticSyntaxChecker,
    position: Position<'a>,
}

impl<'a> Walk<'a> {
    fn inside(&mut self, scope: Scope<'a>, walk: impl FnOnce(&mut Self)) {
        self.position.scopes.push(scope);
        walk(self);
        self.position.scopes.pop();
    }

    fn function(&mut self, function: &'a StmtFunctionDef) {
        function.decorator_list.iter().for_each(|decorator| self.visit_decorator(decorator));
        if let Some(parameters) = &function.type_params {
            self.visit_type_params(parameters);
        }
        self.visit_parameters(&function.parameters);
        if let Some(returns) = &function.returns {
            self.visit_annotation(returns);
        }
        let mut scope = Scope::new(Kind::Function { is_async: function.is_async });
        scope.parameters = names(&function.parameters);
        self.inside(scope, |walk| {
            // `global x` holds for the whole function, so the statements are collected before the
            // walk.
            walk.position.note_globals(&function.body);
            walk_body(walk, &function.body);
        });
    }

    fn class(&mut self, class: &'a StmtClassDef) {
        class.decorator_list.iter().for_each(|decorator| self.visit_decorator(decorator));
        if let Some(parameters) = &class.type_params {
            self.visit_type_params(parameters);
        }
        if let Some(arguments) = &class.arguments {
            self.visit_arguments(arguments);
        }
        self.inside(Scope::new(Kind::Class), |walk| {
            walk.position.note_globals(&class.body);
            walk_body(walk, &class.body);
        });
    }

    fn in_loop(&mut self, body: &'a [Stmt]) {
        let count = |walk: &mut Self, more: bool| {
            if let Some(scope) = walk.position.scopes.last_mut() {
                scope.loops = if more { scope.loops + 1 } else { scope.loops.saturating_sub(1) };
            }
        };
        count(self, true);
        walk_body(self, body);
        count(self, false);
    }

    /// Walks a comprehension. Python evaluates what it iterates over first in the scope around it,
    /// and everything else in the scope of its own.
    fn comprehension(
        &mut self,
        kind: Kind,
        generators: &'a [Comprehension],
        elements: [Option<&'a Expr>; 2],
    ) {
        if let Some(first) = generators.first() {
            self.visit_expr(&first.iter);
        }
        self.inside(Scope::new(kind), |walk| {
            for (at, generator) in generators.iter().enumerate() {
                if at > 0 {
                    walk.visit_expr(&generator.iter);
                }
                walk.visit_expr(&generator.target);
                generator.ifs.iter().for_each(|condition| walk.visit_expr(condition));
            }
            elements.into_iter().flatten().for_each(|element| walk.visit_expr(element));
        });
    }
}

fn names(parameters: &Parameters) -> Vec<&str> {
    parameters.iter().map(|parameter| parameter.name().as_str()).collect()
}

impl<'a> Visitor<'a> for Walk<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        self.checker.visit_stmt(statement, &self.position);
        match statement {
            Stmt::FunctionDef(function) => self.function(function),
            Stmt::ClassDef(class) => self.class(class),
            Stmt::For(each) => {
                self.visit_expr(&each.iter);
                self.visit_expr(&each.target);
                self.in_loop(&each.body);
                self.visit_body(&each.orelse);
            }
            Stmt::While(repeated) => {
                self.visit_expr(&repeated.test);
                self.in_loop(&repeated.body);
                self.visit_body(&repeated.orelse);
            }
            other => walk_stmt(self, other),
        }
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        self.checker.visit_expr(expression, &self.position);
        match expression {
            Expr::Lambda(lambda) => {
                let mut scope = Scope::new(Kind::Lambda);
                if let Some(parameters) = &lambda.parameters {
                    walk_parameters(self, parameters);
                    scope.parameters = names(parameters);
                }
                self.inside(scope, |walk| walk.visit_expr(&lambda.body));
            }
            Expr::ListComp(list) => {
                self.comprehension(Kind::Comprehension, &list.generators, [Some(&list.elt), None]);
            }
            Expr::SetComp(set) => {
                self.comprehension(Kind::Comprehension, &set.generators, [Some(&set.elt), None]);
            }
            Expr::DictComp(dict) => {
                let elements = [dict.key.as_deref(), Some(&*dict.value)];
                self.comprehension(Kind::Comprehension, &dict.generators, elements);
            }
            Expr::Generator(generator) => {
                let elements = [Some(&*generator.elt), None];
                self.comprehension(Kind::Generator, &generator.generators, elements);
            }
            other => walk_expr(self, other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::source::parse_module;
    use super::*;

    fn error(text: &str) -> Option<String> {
        let parsed = parse_module(text, 14).unwrap();
        check(text, &parsed.syntax().body).err().map(|error| error.message)
    }

    #[test]
    fn what_the_compiler_refuses_is_a_syntax_error() {
        for text in [
            "await x",
            "yield 1",
            "return 1",
            "break",
            "for x in y: pass\nelse: continue",
            "f(name=1, name=2)",
            "def f(x, x): ...",
            "import os\nfrom __future__ import annotations",
            "from __future__ import nope",
            "from __future__ import annotations\ndef f(x: (y := int)): ...",
            "def f():\n    nonlocal x",
            "nonlocal x",
            "def f():\n    x = 1\n    global x",
            "def f(x):\n    global x",
            "class A:\n    return 1",
            "def f():\n    await g()",
            "def f():\n    from os import *",
            "x = *y",
            "__debug__ = 1",
            "match x:\n    case a: pass\n    case b: pass",
        ] {
            assert!(error(text).is_some(), "{text}");
        }
    }

    #[test]
    fn what_it_accepts_is_none() {
        for text in [
            "async def f():\n    await g()\n    return [await x async for x in y]",
            "async def f():\n    return (await x for x in y)",
            "def f():\n    x = yield\n    return lambda: (yield)",
            "for x in y:\n    if x: break\n    else: continue",
            "while x:\n    try: pass\n    finally: break",
            "x = 1\ndef f():\n    global x\n    x = 2",
            "def f():\n    x = 1\n    def g():\n        nonlocal x\n        x = 2",
            "\"\"\"d\"\"\"\nfrom __future__ import annotations\nx: (y := 1) = 2",
            "class A:\n    x = [y for y in z]",
            "x = *a, *b",
            "def f[T](x: T): ...\nf'{'a'}'",
            "def f(x: (y := int)): ...",
        ] {
            assert_eq!(error(text), None, "{text}");
        }
    }
}
