//! Flows that stand in the source and that nothing can reach by name: inside functions.

use ruff_python_ast::visitor::{Visitor, walk_stmt};
use ruff_python_ast::{Expr, Stmt, StmtFunctionDef};
use ruff_text_size::{Ranged, TextSize};

use crate::value::Value;

use super::Interpreter;

/// Whether a decorator is spelled like Prefect's: `flow`, `x.flow`, `our_flow`, called or not.
pub(crate) fn is_flow_spelling(decorator: &Expr) -> bool {
    let name = match decorator {
        Expr::Call(call) => return is_flow_spelling(&call.func),
        Expr::Attribute(attribute) => attribute.attr.as_str(),
        Expr::Name(name) => name.id.as_str(),
        _ => return false,
    };
    // Spelling is a hint only. It decides what the user hears about, never what is registered.
    name == "flow" || name.ends_with("_flow") || (name.ends_with("Flow") && name != "Flow")
}

/// Whether a function definition contains one that is decorated like a flow, or makes one.
pub(crate) fn makes_flows(function: &StmtFunctionDef) -> bool {
    let mut search = NestedFlows { is_flow: &is_flow_spelling, found: Vec::new(), depth: 1 };
    search.visit_body(&function.body);
    !search.found.is_empty() || {
        let mut calls = FlowCalls { found: false };
        calls.visit_body(&function.body);
        calls.found
    }
}

/// The flows inside the functions of a module: their names and places.
pub(crate) fn nested_flows<'a>(
    interpreter: &Interpreter<'a>,
    body: &'a [Stmt],
) -> Vec<(&'a str, TextSize)> {
    let is_flow = |decorator: &Expr| interpreter.is_flow_decorator(decorator);
    let mut search = NestedFlows { is_flow: &is_flow, found: Vec::new(), depth: 0 };
    search.visit_body(body);
    search.found
}

impl Interpreter<'_> {
    /// Whether a decorator inside a function is Prefect's, judged by the names of the module or by
    /// an import inside the function.
    fn is_flow_decorator(&self, decorator: &Expr) -> bool {
        let root = match decorator {
            Expr::Call(call) => return self.is_flow_decorator(&call.func),
            Expr::Attribute(attribute) => match &*attribute.value {
                Expr::Name(name) => name.id.as_str(),
                _ => return false,
            },
            Expr::Name(name) => name.id.as_str(),
            _ => return false,
        };
        let Some(script) = self.script() else { return false };
        match script.scope.own(root) {
            // The module knows what the name means: `flow` of Prefect, or `prefect` with `.flow`.
            Some(Value::Symbol(path)) => {
                let attribute = decorator.as_attribute_expr().map(|node| node.attr.as_str());
                match attribute {
                    Some(attribute) => {
                        super::super::symbols::canonical(&format!("{path}.{attribute}"))
                            == "prefect.flow"
                    }
                    None => *path == *"prefect.flow",
                }
            }
            Some(Value::FlowDecorator(_) | Value::Partial(_)) => is_flow_spelling(decorator),
            Some(_) => false,
            // Not a name of the module: it is imported inside the function, or a parameter of it.
            None => script.module.effects.imports_prefect && is_flow_spelling(decorator),
        }
    }
}

struct NestedFlows<'a, 's> {
    is_flow: &'s dyn Fn(&Expr) -> bool,
    found: Vec<(&'a str, TextSize)>,
    depth: u32,
}

impl<'a> Visitor<'a> for NestedFlows<'a, '_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        let Stmt::FunctionDef(function) = statement else {
            walk_stmt(self, statement);
            return;
        };
        let mut decorators = function.decorator_list.iter();
        if self.depth > 0
            && let Some(decorator) = decorators.find(|node| (self.is_flow)(&node.expression))
        {
            self.found.push((function.name.as_str(), decorator.start()));
        }
        self.depth += 1;
        for inner in &function.body {
            self.visit_stmt(inner);
        }
        self.depth -= 1;
    }

    fn visit_expr(&mut self, _expression: &'a Expr) {}
}

/// Finds a call of something spelled like a flow decorator, or of `with_options`.
struct FlowCalls {
    found: bool,
}

impl<'a> Visitor<'a> for FlowCalls {
    fn visit_expr(&mut self, expression: &'a Expr) {
        if let Expr::Call(call) = expression {
            // `base.with_options(…)` makes a flow without any decorator.
            let is_options = call
                .func
                .as_attribute_expr()
                .is_some_and(|node| node.attr.as_str() == "with_options");
            self.found |= is_options || is_flow_spelling(&call.func);
        }
        ruff_python_ast::visitor::walk_expr(self, expression);
    }
}
