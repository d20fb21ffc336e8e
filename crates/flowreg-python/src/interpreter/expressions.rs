//! Expressions: literals, displays, names, subscripts and calls. What is called decides the rest.

use std::rc::Rc;

use ruff_python_ast::{BoolOp, CmpOp, Expr, ExprCall, ExprCompare, Number, Operator, UnaryOp};
use ruff_text_size::Ranged;

use super::ancestors::own_ancestors;
use super::certain::{
    class_name, is_not_iterable, is_unhashable, refuses_containing, refuses_order, refuses_unary,
};
use super::operators::LONGEST;
use super::subscripts::as_index;
use super::{Evaluated, Interpreter, TOO_DEEP};
use crate::number::Int;
use crate::touched::names_shared;
use crate::value::{Class, Keywords, Scope, Value, keyword, set_keyword};

/// The keyword that stands for positional arguments of which not even the number is known.
pub(crate) const UNKNOWN_ARGUMENTS: &str = "*";

/// How many arguments `f(*items)` may bring.
const MOST_ARGUMENTS: usize = 1000;

impl<'a> Interpreter<'a> {
    /// The value of an expression.
    ///
    /// # Errors
    /// [`super::Raised`] if evaluating it certainly raises.
    pub(crate) fn value(
        &self,
        expression: &'a Expr,
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<Value<'a>> {
        self.at(scope, expression.start());
        self.deeper(
            || self.evaluated(expression, scope),
            || {
                self.lose_expression(expression, scope);
                Ok(self.unknown(TOO_DEEP))
            },
        )
        .map(|value| {
            let value = value.unless_lost();
            if matches!(value, Value::Unknown(_) | Value::External(_) | Value::Bound(_)) {
                self.note_doubtful();
            }
            // A call says itself what becomes of its arguments.
            if matches!(value, Value::Unknown(_)) && !expression.is_call_expr() {
                self.note_may_be_named(&value, names_shared(expression), scope);
                // The evaluation ends at the first part that is not known.
                if matches!(
                    expression,
                    Expr::Dict(_)
                        | Expr::List(_)
                        | Expr::Set(_)
                        | Expr::Tuple(_)
                        | Expr::Compare(_)
                        | Expr::FString(_)
                ) {
                    self.lose_expression(expression, scope);
                }
            }
            value
        })
    }

    fn evaluated(&self, expression: &'a Expr, scope: &Rc<Scope<'a>>) -> Evaluated<Value<'a>> {
        Ok(match expression {
            Expr::NoneLiteral(_) => Value::None,
            Expr::EllipsisLiteral(_) => Value::Ellipsis,
            Expr::BooleanLiteral(literal) => Value::Bool(literal.value),
            // Python strings may hold lone surrogates (`"\ud800"`), which Rust strings can't. ruff
            // puts the replacement character in their place.
            Expr::StringLiteral(literal) if literal.value.to_str().contains('\u{fffd}') => {
                self.unknown("the text may have half a character")
            }
            Expr::StringLiteral(literal) => Value::text(literal.value.to_str()),
            Expr::BytesLiteral(literal) => {
                let bytes: Vec<u8> = literal.value.bytes().collect();
                Value::Bytes(bytes.into())
            }
            Expr::NumberLiteral(literal) => self.number(&literal.value),
            Expr::Name(name) => self.name(name.id.as_str(), scope)?,
            Expr::Named(named) => {
                let value = self.value(&named.value, scope)?;
                self.bind(&named.target, &value, scope)?;
                value
            }
            Expr::List(list) => self.sequence(&list.elts, scope)?.map_or_else(|v| v, Value::list),
            Expr::Tuple(tuple) => {
                self.sequence(&tuple.elts, scope)?.map_or_else(|v| v, Value::tuple)
            }
            Expr::Set(set) => match self.sequence(&set.elts, scope)? {
                Ok(items) => match items.iter().find(|item| is_unhashable(item)) {
                    Some(item) => return self.unhashable(item),
                    None => self.set_of(&items),
                },
                Err(unknown) => unknown,
            },
            Expr::Dict(dict) => self.dictionary(dict, scope)?,
            Expr::UnaryOp(unary) => {
                let operand = self.value(&unary.operand, scope)?;
                if unary.op == UnaryOp::Not
                    && let Some(truth) = self.condition(&operand)?
                {
                    return Ok(Value::Bool(!truth));
                }
                if refuses_unary(unary.op, &operand) {
                    let class = class_name(&operand);
                    let message = format!("bad operand type for unary operator: '{class}'");
                    return self.raise("TypeError", message);
                }
                self.unary(unary.op, &operand)
            }
            Expr::BinOp(binary) => {
                let left = self.value(&binary.left, scope)?;
                let right = self.value(&binary.right, scope)?;
                self.at(scope, binary.start());
                self.operator(binary.op, &left, &right)?
            }
            Expr::BoolOp(boolean) => self.boolean(boolean.op, &boolean.values, scope)?,
            Expr::If(choice) => {
                let condition = self.value(&choice.test, scope)?;
                match self.condition(&condition)? {
                    Some(true) => self.value(&choice.body, scope)?,
                    Some(false) => self.value(&choice.orelse, scope)?,
                    None => {
                        self.lose_expression(&choice.body, scope);
                        self.lose_expression(&choice.orelse, scope);
                        self.unknown(self.reason(&condition, &choice.test, scope))
                    }
                }
            }
            Expr::Compare(comparison) => self.comparison(comparison, scope)?,
            Expr::FString(string) => self.formatted_string(string, scope)?,
            Expr::Lambda(lambda) => self.lambda(lambda, scope)?,
            Expr::Attribute(attribute) => {
                let owner = self.value(&attribute.value, scope)?;
                self.at(scope, expression.start());
                self.attribute(&owner, &scope.mangled(attribute.attr.as_str()))?
            }
            Expr::Subscript(subscript) => self.subscripted(subscript, scope)?,
            Expr::Call(call) => self.called(call, scope)?,
            Expr::Slice(slice) => {
                let mut parts = [None, None, None];
                let bounds = [&slice.lower, &slice.upper, &slice.step];
                for (part, bound) in parts.iter_mut().zip(bounds) {
                    let Some(bound) = bound else { continue };
                    let number = as_index(&self.value(bound, scope)?);
                    let Some(number) = number else {
                        return Ok(self.unknown("a slice with bounds that are not known"));
                    };
                    *part = Some(number);
                }
                Value::Slice(Rc::new(parts))
            }
            Expr::ListComp(_) | Expr::SetComp(_) | Expr::DictComp(_) | Expr::Generator(_) => {
                if let Some(made) = self.comprehended(expression, scope) {
                    return made;
                }
                if let Some(made) = self.generator_expression(expression, scope)? {
                    return Ok(made);
                }
                self.first_iterated(expression, scope)?;
                self.lose_expression(expression, scope);
                let excerpt = scope.excerpt(expression);
                self.unknown(format!("`{excerpt}` is a comprehension, which is not evaluated"))
            }
            Expr::Await(awaited) => match self.awaited(&awaited.value, scope) {
                Some(value) => return value,
                None => self.not_evaluated(expression, scope),
            },
            Expr::Yield(given) if !self.yields.borrow().is_empty() => {
                let value = match &given.value {
                    Some(value) => self.kept(self.value(value, scope)?),
                    None => Value::None,
                };
                self.give(Some(vec![value]));
                Value::None
            }
            Expr::YieldFrom(given) if !self.yields.borrow().is_empty() => {
                let value = self.value(&given.value, scope)?;
                let items = self.taken(&value)?;
                self.give(items);
                match &value {
                    Value::List(_) | Value::Tuple(_) | Value::Set(_) | Value::Dict(_) => {
                        Value::None
                    }
                    _ => self.unknown("what a generator returns in the end"),
                }
            }
            _ => self.not_evaluated(expression, scope),
        })
    }

    fn not_evaluated(&self, expression: &'a Expr, scope: &Rc<Scope<'a>>) -> Value<'a> {
        self.lose_expression(expression, scope);
        self.unknown(format!("`{}` is not evaluated", scope.excerpt(expression)))
    }

    fn number(&self, number: &Number) -> Value<'a> {
        match number {
            Number::Int(int) => match Int::parse(&int.to_string()) {
                Some(int) => Value::Int(int),
                None => self.unknown("the number is too large"),
            },
            Number::Float(float) => Value::Float(*float),
            Number::Complex { real, imag } => Value::Complex(*real, *imag),
        }
    }

    fn name(&self, name: &str, scope: &Rc<Scope<'a>>) -> Evaluated<Value<'a>> {
        let name = &*scope.mangled(name);
        let Some(value) = scope.get(name) else {
            // Python binds these in a module, a class body, or for a method, without any statement.
            if crate::symbols::is_bound_silently(name) {
                return Ok(self.unknown(format!("`{name}` is bound by Python")));
            }
            if scope.module.effects.global.contains(name) {
                return Ok(self.unknown(format!("a function binds `{name}` with `global`")));
            }
            if let Some(unknown) = scope.module.inexact.borrow().as_ref() {
                return Ok(Value::Unknown(Rc::clone(unknown)));
            }
            let is_unbound = scope.kind.has_local(name);
            let kind = if is_unbound { "UnboundLocalError" } else { "NameError" };
            return self.raise(kind, format!("name '{name}' is not defined"));
        };
        Ok(value.unless_lost())
    }

    /// The items of a display; the inner error is an unknown value that takes its place.
    fn sequence(
        &self,
        elements: &'a [Expr],
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<Result<Vec<Value<'a>>, Value<'a>>> {
        let mut items = Vec::with_capacity(elements.len());
        for element in elements {
            if let Expr::Starred(starred) = element {
                let starred = self.value(&starred.value, scope)?;
                if is_not_iterable(&starred) {
                    return self.not_iterable(&starred);
                }
                match self.taken(&starred)? {
                    Some(more) if items.len() + more.len() > LONGEST => {
                        return Ok(Err(self.unknown("a display with too many items")));
                    }
                    Some(more) => items.extend(more),
                    None => return Ok(Err(self.unknown_because(&starred, "a starred value"))),
                }
            } else {
                items.push(self.kept(self.value(element, scope)?));
            }
        }
        Ok(Ok(items))
    }

    fn boolean(
        &self,
        operator: BoolOp,
        operands: &'a [Expr],
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<Value<'a>> {
        let mut last = Value::None;
        for (at, operand) in operands.iter().enumerate() {
            last = self.value(operand, scope)?;
            let truth = match self.condition(&last)? {
                // `int or str` as an annotation means `int`: types count as true.
                None if Self::is_type(&last) => Some(true),
                truth => truth,
            };
            match (operator, truth) {
                (_, None) => {
                    for rest in operands.iter().skip(at + 1) {
                        self.lose_expression(rest, scope);
                    }
                    return Ok(self.unknown(self.reason(&last, operand, scope)));
                }
                (BoolOp::And, Some(false)) | (BoolOp::Or, Some(true)) => return Ok(last),
                _ => {}
            }
        }
        Ok(last)
    }

    fn comparison(
        &self,
        comparison: &'a ExprCompare,
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<Value<'a>> {
        let mut left = self.value(&comparison.left, scope)?;
        let mut answer = Value::Bool(true);
        for (at, (operator, right)) in
            comparison.ops.iter().zip(&comparison.comparators).enumerate()
        {
            let right = self.value(right, scope)?;
            answer = self.compared(*operator, &left, &right)?;
            if at + 1 == comparison.ops.len() {
                break;
            }
            // `a < b < c` compares neighbours, and stops at the first that fails.
            match self.condition(&answer)? {
                Some(true) => left = right,
                Some(false) => break,
                None => return Ok(self.unknown_because(&answer, "a comparison")),
            }
        }
        Ok(answer)
    }

    /// `left <operator> right`
    pub(super) fn compared(
        &self,
        operator: CmpOp,
        left: &Value<'a>,
        right: &Value<'a>,
    ) -> Evaluated<Value<'a>> {
        if let Some(answer) = self.compared_objects(operator, left, right) {
            return answer;
        }
        self.note_operator(left, right);
        if !matches!(operator, CmpOp::Is | CmpOp::IsNot) {
            self.note_implicit_use([left, right]);
        }
        if let Some(truth) = Self::compare(operator, left, right) {
            return Ok(Value::Bool(truth));
        }
        let is_refused = match operator {
            CmpOp::Lt | CmpOp::LtE | CmpOp::Gt | CmpOp::GtE => refuses_order(left, right),
            CmpOp::In | CmpOp::NotIn => refuses_containing(right, left),
            _ => false,
        };
        if is_refused {
            return self.raise("TypeError", "the comparison is not supported between these values");
        }
        if let (CmpOp::In | CmpOp::NotIn, Value::Iterator(_)) = (operator, right) {
            self.lose(right, "some of its items are taken");
        }
        let pair = Value::tuple(vec![left.clone(), right.clone()]);
        Ok(self.unknown_because(&pair, "a comparison"))
    }

    /// `left <operator> right`
    pub(super) fn operator(
        &self,
        operator: Operator,
        left: &Value<'a>,
        right: &Value<'a>,
    ) -> Evaluated<Value<'a>> {
        if let Some(method) = operator_method(operator)
            && let Some(made) = self.operated(method, left, right)
        {
            return made;
        }
        self.note_operator(left, right);
        self.note_implicit_use([left, right]);
        self.binary(operator, left, right)
    }

    /// A comparison that an object has a method for; `None` if it is one of plain values.
    fn compared_objects(
        &self,
        operator: CmpOp,
        left: &Value<'a>,
        right: &Value<'a>,
    ) -> Option<Evaluated<Value<'a>>> {
        let method = match operator {
            CmpOp::Eq => "__eq__",
            CmpOp::NotEq => "__ne__",
            CmpOp::Lt => "__lt__",
            CmpOp::LtE => "__le__",
            CmpOp::Gt => "__gt__",
            CmpOp::GtE => "__ge__",
            CmpOp::In | CmpOp::NotIn => {
                let found =
                    self.special_method(right, "__contains__", std::slice::from_ref(left))?;
                return Some(found.and_then(|found| match self.condition(&found)? {
                    Some(is_in) => Ok(Value::Bool(is_in == (operator == CmpOp::In))),
                    None => Ok(self.unknown_because(&found, "a comparison")),
                }));
            }
            CmpOp::Is | CmpOp::IsNot => return None,
        };
        self.operated(method, left, right)
    }

    /// An operator with an object of a class of the repository is a call of one of its methods.
    fn note_operator(&self, left: &Value<'a>, right: &Value<'a>) {
        let has_operators = |value: &Value<'a>| match value {
            Value::Opaque(opaque) => opaque.class.as_ref().is_some_and(has_operators),
            Value::Instance(instance) => has_operators(&instance.class),
            _ => false,
        };
        if has_operators(left) || has_operators(right) {
            self.lose(left, "an operator of a class may change it");
            self.lose(right, "an operator of a class may change it");
        }
    }

    pub(super) fn unary(&self, operator: UnaryOp, operand: &Value<'a>) -> Value<'a> {
        let number = match operand {
            Value::Bool(truth) => Value::int(i128::from(*truth)),
            other => other.clone(),
        };
        match (operator, number) {
            (UnaryOp::Not, _) => match Self::truth(operand) {
                Some(truth) => Value::Bool(!truth),
                None => self.unknown_because(operand, "a condition"),
            },
            (UnaryOp::USub, Value::Int(int)) => {
                int.negated().map_or_else(|| self.unknown("the number is too large"), Value::Int)
            }
            (UnaryOp::USub, Value::Float(float)) => Value::Float(-float),
            (UnaryOp::USub, Value::Complex(real, imaginary)) => Value::Complex(-real, -imaginary),
            (UnaryOp::USub, Value::Std(crate::default::std_value::StdValue::Delta(delta))) => {
                Value::Std(crate::default::std_value::StdValue::Delta(-delta))
            }
            (UnaryOp::UAdd, number @ (Value::Int(_) | Value::Float(_))) => number,
            (UnaryOp::Invert, Value::Int(Int::Small(int))) => Value::int(!int),
            _ => self.unknown_because(operand, "an operator"),
        }
    }

    fn called(&self, call: &'a ExprCall, scope: &Rc<Scope<'a>>) -> Evaluated<Value<'a>> {
        let doubtful = self.doubtful.get();
        let callee = self.value(&call.func, scope)?;
        if let Value::Bound(_) = callee {
            // Whether there is such a method is known when it is called.
            self.doubtful.set(doubtful);
        }
        if callee.is_symbol("builtins.super")
            && call.arguments.is_empty()
            && let Some(found) = Self::super_object(scope)
        {
            return Ok(found);
        }
        if call.arguments.is_empty()
            && let Value::Symbol(path) = &callee
            && matches!(&**path, "builtins.locals" | "builtins.vars")
        {
            return self.names_of_scope(scope);
        }
        let mut arguments = Vec::with_capacity(call.arguments.args.len());
        let mut starred = Keywords::new();
        for argument in &call.arguments.args {
            if let Expr::Starred(argument) = argument {
                let given = self.value(&argument.value, scope)?;
                if is_not_iterable(&given) {
                    return self.not_iterable(&given);
                }
                match self.taken(&given)? {
                    Some(more) if arguments.len() + more.len() <= MOST_ARGUMENTS => {
                        arguments.extend(more);
                    }
                    _ => {
                        let unknown = self.unknown_because(&given, "a starred argument");
                        // How many arguments it brings is not known either. The marker keeps the
                        // function from being called as if it were one.
                        arguments.push(unknown.clone());
                        set_keyword(&mut starred, UNKNOWN_ARGUMENTS, unknown);
                    }
                }
            } else {
                arguments.push(self.value(argument, scope)?);
            }
        }
        let mut keywords = self.keywords(&call.arguments.keywords, scope)?;
        keywords.extend(starred);
        self.at(scope, call.start());
        self.call(&callee, &arguments, &keywords)
    }

    /// `locals()`
    fn names_of_scope(&self, scope: &Rc<Scope<'a>>) -> Evaluated<Value<'a>> {
        if scope.is_module() {
            return self.call_symbol("builtins.globals", &[], &Keywords::new());
        }
        let names = scope.names.borrow().snapshot();
        if scope.is_class() {
            let why = "`locals()` may bind any name of a class";
            self.mark_module_inexact(&scope.module, why);
            return Ok(self.unknown(why));
        }
        // What is set in it binds no name of a function.
        let entries = names.into_iter().map(|(name, value)| (Value::Str(name), self.kept(value)));
        Ok(Value::dict(entries.collect()))
    }

    pub(super) fn keywords(
        &self,
        nodes: &'a [ruff_python_ast::Keyword],
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<Keywords<'a>> {
        let mut keywords = Keywords::new();
        for node in nodes {
            let value = self.kept(self.value(&node.value, scope)?);
            let Some(name) = &node.arg else {
                match &value {
                    Value::Dict(entries)
                        if entries.iter().all(|(key, _)| key.as_str().is_some()) =>
                    {
                        for (key, value) in entries.iter() {
                            let key = key.as_str().unwrap_or_default();
                            if keyword(&keywords, key).is_some() {
                                let message =
                                    format!("got multiple values for keyword argument '{key}'");
                                return self.raise("TypeError", message);
                            }
                            set_keyword(&mut keywords, key, value.clone());
                        }
                    }
                    other if other.is_constant() => {
                        return self.raise("TypeError", "keywords must be strings");
                    }
                    other => {
                        let unknown = self.unknown_because(other, "`**` with unknown keywords");
                        set_keyword(&mut keywords, "**", unknown);
                    }
                }
                continue;
            };
            set_keyword(&mut keywords, name.as_str(), value);
        }
        Ok(keywords)
    }

    /// The unknown part of `value`, or a new unknown that names what was in the way.
    pub(super) fn unknown_because(&self, value: &Value<'a>, what: &str) -> Value<'a> {
        match value.find_unknown(self.here()) {
            Some(unknown) => Value::Unknown(unknown),
            None => self.unknown(format!("{what} is not evaluated here")),
        }
    }
}

/// The method by which a class says what an operator does.
pub(super) fn operator_method(operator: Operator) -> Option<&'static str> {
    Some(match operator {
        Operator::Add => "__add__",
        Operator::Sub => "__sub__",
        Operator::Mult => "__mul__",
        Operator::Div => "__truediv__",
        Operator::FloorDiv => "__floordiv__",
        Operator::Mod => "__mod__",
        Operator::BitOr => "__or__",
        Operator::BitAnd => "__and__",
        Operator::LShift => "__lshift__",
        Operator::RShift => "__rshift__",
        Operator::MatMult => "__matmul__",
        Operator::Pow | Operator::BitXor => return None,
    })
}

/// Whether a class of the repository says itself what operators do.
fn has_operators(class: &Rc<Class<'_>>) -> bool {
    let is_operator = |name: &str| {
        name.starts_with("__")
            && name.ends_with("__")
            && !matches!(name, "__init__" | "__post_init__" | "__repr__" | "__str__" | "__hash__")
    };
    own_ancestors(class).iter().any(|ancestor| {
        let names = ancestor.scope.names.borrow();
        names.iter().any(|(name, value)| is_operator(name) && matches!(value, Value::Function(_)))
    })
}
