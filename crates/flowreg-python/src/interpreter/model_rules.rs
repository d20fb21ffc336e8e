//! What pydantic certainly or possibly refuses: patterns that don't compile, validators of fields
//! that are not there, things in a model's body that are no fields. Where it is only possible, the
//! script becomes inexact.

use std::rc::Rc;

use ruff_python_ast::{Expr, Stmt, StmtFunctionDef};

use super::Interpreter;
use super::classes::fields;
use crate::value::{Class, ClassKind, Keywords, Unknown, Value, keyword};

impl<'a> Interpreter<'a> {
    /// Why constraints may be refused, if so.
    pub(super) fn bad_constraint(constraints: &Keywords<'a>) -> Option<&'static str> {
        if let Some(Value::Str(pattern)) = keyword(constraints, "pattern")
            && !is_plain_pattern(pattern)
        {
            return Some("a pattern may not compile");
        }
        let lengths = ["min_length", "max_length"].iter();
        let is_length = |value: &Value<'a>| match value {
            Value::Int(int) => !int.to_string().starts_with('-'),
            other => !other.is_constant() || matches!(other, Value::None),
        };
        if !lengths.filter_map(|name| keyword(constraints, name)).all(is_length) {
            return Some("a length is not a number of items");
        }
        let bounds = ["gt", "ge", "lt", "le", "multiple_of"].iter();
        let is_bound = |value: &Value<'a>| !matches!(value, Value::Str(_) | Value::Bytes(_));
        if !bounds.filter_map(|name| keyword(constraints, name)).all(is_bound) {
            return Some("a bound is text");
        }
        None
    }

    /// Notes a possible error if a validator's arguments are not what pydantic wants.
    pub(super) fn check_validator(
        &self,
        leaf: &str,
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
    ) {
        // `@field_validator` without brackets is given the function instead of names of fields.
        let is_bare =
            matches!(arguments, [Value::Function(_) | Value::Wrapped(..) | Value::Opaque(_)]);
        let has_no_fields = arguments.is_empty() && keyword(keywords, "**").is_none();
        let is_true = |name: &str| keyword(keywords, name).and_then(Self::truth) != Some(false);
        let has = |name: &str| keyword(keywords, name).is_some();
        let modes: &[&str] = match leaf {
            "model_validator" => &["wrap", "before", "after"],
            _ => &["wrap", "before", "after", "plain", "json"],
        };
        let is_odd_mode = keyword(keywords, "mode")
            .and_then(Value::as_str)
            .is_some_and(|mode| !modes.contains(&mode));
        let is_refused = is_odd_mode
            || match leaf {
                "field_validator" | "validator" | "field_serializer" => is_bare || has_no_fields,
                "model_validator" => is_bare || !has("mode"),
                // pydantic 2 wants `skip_on_failure=True` unless the validator runs before the
                // others.
                "root_validator" => {
                    let is_before = has("pre") && is_true("pre");
                    is_bare || !(is_before || has("skip_on_failure"))
                }
                _ => false,
            };
        if is_refused {
            self.note_possible_error(format!("pydantic may refuse the arguments of `{leaf}`"));
        }
    }

    /// Looks through the body of a class. A body that changes its namespace makes the class unknown,
    /// and what pydantic may refuse in a model is noted as a possible error.
    pub(super) fn check_model_body(&self, class: &Rc<Class<'a>>) {
        let body = class.body.unwrap_or_default();
        if body.iter().any(writes_namespace) {
            let why = format!("the body of `{}` changes its own namespace", class.name);
            let unknown = Unknown { why, at: self.here(), is_flow_like: false };
            class.obstacle.fill(|| Rc::new(unknown));
        }
        if class.kind.get() != ClassKind::Model || class.obstacle.borrow().is_some() {
            return;
        }
        let annotations = class.scope.annotations.borrow();
        for (name, value) in class.scope.names.borrow().iter() {
            let is_annotated = annotations.iter().any(|(known, _)| known == name);
            let is_no_field = match value {
                Value::Symbol(_) | Value::Auto(_) | Value::Module(_) => true,
                Value::Opaque(opaque) => opaque.what == "an object",
                _ => false,
            };
            if is_no_field && !is_annotated && !name.starts_with('_') {
                self.note_possible_error(format!("`{name}` has no annotation in a model"));
            }
        }
        drop(annotations);
        let names: Vec<_> = fields(class).into_iter().map(|field| field.name).collect();
        let reserved = ["model_dump", "model_dump_json", "model_validate", "model_validate_json"];
        if names.iter().any(|name| reserved.contains(&&**name)) {
            self.note_possible_error("a field has the name of one of pydantic's methods");
        }
        for statement in body {
            if let Stmt::FunctionDef(function) = statement {
                self.check_method(function, &names);
            }
        }
    }

    fn check_method(&self, function: &StmtFunctionDef, fields: &[Rc<str>]) {
        for decorator in &function.decorator_list {
            let (callee, arguments) = match &decorator.expression {
                Expr::Call(call) => (&*call.func, Some(&call.arguments)),
                other => (other, None),
            };
            let name = match callee {
                Expr::Name(name) => name.id.as_str(),
                Expr::Attribute(attribute) => attribute.attr.as_str(),
                _ => continue,
            };
            let given = |wanted: &str| {
                arguments.is_some_and(|arguments| arguments.find_keyword(wanted).is_some())
            };
            // pydantic needs the type of a computed field for the schema of its output.
            if name == "computed_field" && function.returns.is_none() && !given("return_type") {
                self.note_possible_error("a computed field has no return type");
            }
            let names_fields = matches!(name, "field_validator" | "field_serializer" | "validator");
            let Some(arguments) = arguments.filter(|_| names_fields && !given("check_fields"))
            else {
                continue;
            };
            let is_missing = |argument: &Expr| match argument {
                Expr::StringLiteral(text) => {
                    let text = text.value.to_str();
                    text != "*" && !fields.iter().any(|field| &**field == text)
                }
                _ => false,
            };
            if arguments.args.iter().any(is_missing) {
                self.note_possible_error(format!("`{name}` names a field that is not there"));
            }
        }
    }
}

/// Whether a class body changes its namespace by strings.
fn writes_namespace(statement: &Stmt) -> bool {
    let is_special = |expression: &Expr| {
        expression.as_name_expr().is_some_and(|name| {
            matches!(name.id.as_str(), "exec" | "eval" | "locals" | "vars" | "__annotations__")
        })
    };
    match statement {
        Stmt::Expr(expression) => {
            expression.value.as_call_expr().is_some_and(|call| is_special(&call.func))
        }
        Stmt::Assign(assign) => assign.targets.iter().any(|target| match target {
            Expr::Subscript(item) => {
                is_special(&item.value)
                    || item.value.as_call_expr().is_some_and(|call| is_special(&call.func))
            }
            Expr::Name(name) => name.id.as_str() == "__qualname__",
            _ => false,
        }),
        Stmt::Global(_) | Stmt::Nonlocal(_) => true,
        _ => false,
    }
}

/// Whether a regular expression compiles, as far as its brackets and repetitions tell. pydantic
/// compiles patterns with Rust's regex crate, `re.compile` with Python's: this is what both have in
/// common.
pub(super) fn is_plain_pattern(pattern: &str) -> bool {
    let mut open = 0_u32;
    let mut is_in_set = false;
    let mut at_start = true;
    let mut chars = pattern.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\\' if chars.next().is_none() => return false,
            '\\' => {}
            ']' if is_in_set => is_in_set = false,
            _ if is_in_set => {}
            '[' => {
                is_in_set = true;
                // `[]a]` and `[^]a]`: a bracket that comes first is one of the characters.
                chars.next_if_eq(&'^');
                chars.next_if_eq(&']');
            }
            '(' => {
                open += 1;
                at_start = true;
                continue;
            }
            ')' => match open.checked_sub(1) {
                Some(rest) => open = rest,
                None => return false,
            },
            '?' if at_start && open > 0 => {}
            '*' | '+' | '?' if at_start => return false,
            '|' => {
                at_start = true;
                continue;
            }
            _ => {}
        }
        at_start = false;
    }
    open == 0 && !is_in_set
}
