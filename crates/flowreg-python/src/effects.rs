//! What a module does to its own names by other means than binding them, found in one walk before it
//! is evaluated: globals that functions write, dynamic namespaces, changes to `sys.path`.

use foldhash::HashSet;
use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Expr, Stmt};
use ruff_text_size::{Ranged, TextSize};

use super::touched::is_reading_method;

/// Functions that give access to a namespace by strings.
const DYNAMIC: &[&str] = &["exec", "eval"];

/// What a module changes of where Python looks for modules; the later one includes the one before.
#[derive(Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SearchChange {
    #[default]
    Nothing,
    /// Something is put into `sys.path` before other entries.
    Path,
    /// `sys.modules`, by which another object may stand for the module itself.
    Loaded,
}

/// What a module does to its names.
#[derive(Default)]
pub(crate) struct Effects<'a> {
    /// Names that a `global` statement hands to a function.
    pub global: HashSet<&'a str>,
    /// The first use of a dynamic namespace.
    pub dynamic: Option<(&'a str, TextSize)>,
    /// Whether the module itself, not only a function, uses one.
    pub is_dynamic_at_import: bool,
    /// What it changes of where modules are looked for.
    pub search: SearchChange,
    /// Whether Prefect is imported anywhere.
    pub imports_prefect: bool,
    /// Other names of `sys` (`import sys as system`).
    names_of_sys: Vec<&'a str>,
    depth: u32,
}

impl<'a> Effects<'a> {
    /// What a module does.
    pub(crate) fn of(body: &'a [Stmt]) -> Self {
        let mut effects = Effects::default();
        for statement in body {
            effects.visit_stmt(statement);
        }
        effects
    }

    fn call(&mut self, call: &'a ruff_python_ast::ExprCall) {
        match &*call.func {
            // What is appended can't hide what was found before.
            Expr::Attribute(attribute)
                if self.is_search_path(&attribute.value)
                    && attribute.attr.as_str() != "append"
                    && !is_reading_method(attribute.attr.as_str()) =>
            {
                self.changes_search(&attribute.value);
            }
            Expr::Name(name) if DYNAMIC.contains(&name.id.as_str()) => {
                self.dynamic.get_or_insert((name.id.as_str(), call.start()));
                // What is given a dictionary of its own binds no name of the module.
                let binds = name.id.as_str() == "exec" && call.arguments.len() == 1;
                self.is_dynamic_at_import |= binds && self.depth == 0;
            }
            _ => {}
        }
    }

    /// Notes what is changed, if it is what Python looks up modules in.
    fn changes_search(&mut self, changed: &Expr) {
        let changed = without_subscripts(changed);
        if self.is_modules(changed) {
            self.search = SearchChange::Loaded;
        } else if self.is_search_path(changed) {
            self.search = self.search.max(SearchChange::Path);
        }
    }

    /// `sys.path`, or `sys.modules`, in which a module is looked for first.
    fn is_search_path(&self, expression: &Expr) -> bool {
        expression.as_attribute_expr().is_some_and(|attribute| {
            matches!(attribute.attr.as_str(), "path" | "modules")
                && attribute.value.as_name_expr().is_some_and(|name| {
                    name.id.as_str() == "sys" || self.names_of_sys.contains(&name.id.as_str())
                })
        })
    }

    fn is_modules(&self, expression: &Expr) -> bool {
        self.is_search_path(expression)
            && expression.as_attribute_expr().is_some_and(|found| found.attr.as_str() == "modules")
    }

    /// Goes through an expression that only reads `sys.modules`, but for that part; whether it was one.
    fn reads_modules(&mut self, expression: &'a Expr) -> bool {
        match expression {
            Expr::Subscript(item) if self.is_modules(&item.value) => self.visit_expr(&item.slice),
            Expr::Attribute(attribute)
                if self.is_modules(&attribute.value)
                    && is_reading_method(attribute.attr.as_str()) => {}
            Expr::Compare(compared)
                if compared.comparators.iter().any(|one| self.is_modules(one)) =>
            {
                self.visit_expr(&compared.left);
            }
            Expr::Call(call)
                if call.arguments.args.iter().any(|one| self.is_modules(one))
                    && call.func.as_name_expr().is_some_and(|name| {
                        matches!(name.id.as_str(), "len" | "list" | "set" | "sorted" | "tuple")
                    }) => {}
            _ => return false,
        }
        true
    }

    fn import(&mut self, module: &str) {
        self.imports_prefect |= module == "prefect" || module.starts_with("prefect.");
    }
}

fn without_subscripts(expression: &Expr) -> &Expr {
    match expression {
        Expr::Subscript(subscript) => without_subscripts(&subscript.value),
        other => other,
    }
}

impl<'a> Visitor<'a> for Effects<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Assign(assign) => {
                assign.targets.iter().for_each(|target| self.changes_search(target));
            }
            Stmt::Delete(delete) => {
                delete.targets.iter().for_each(|target| self.changes_search(target));
            }
            Stmt::Global(global) => {
                self.global.extend(global.names.iter().map(|name| name.id.as_str()));
            }
            Stmt::Import(import) => {
                for name in &import.names {
                    self.import(name.name.as_str());
                    if let ("sys", Some(other)) = (name.name.as_str(), &name.asname) {
                        self.names_of_sys.push(other.as_str());
                    }
                }
            }
            Stmt::ImportFrom(import) => {
                let module = import.module.as_ref().map_or("", |module| module.as_str());
                self.import(module);
                if module == "sys" && import.level == 0 {
                    for alias in &import.names {
                        self.search = self.search.max(match alias.name.as_str() {
                            "path" => SearchChange::Path,
                            "modules" => SearchChange::Loaded,
                            _ => SearchChange::Nothing,
                        });
                    }
                }
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
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        if let Expr::Call(call) = expression {
            self.call(call);
        }
        if self.reads_modules(expression) {
            return;
        }
        // Under another name it may be changed anywhere.
        if self.is_modules(expression) {
            self.changes_search(expression);
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
