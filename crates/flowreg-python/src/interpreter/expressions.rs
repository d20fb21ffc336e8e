//! Expressions: literals, displays, names, subscripts and calls. What is called decides the rest.

use std::rc::Rc;

use ruff_python_ast::{BoolOp, CmpOp, Expr, ExprCall, ExprCompare, ExprSubscript, Number, UnaryOp};
use ruff_text_size::Ranged;

use super::certain::{
    class_name, has_no_parameters, is_no_index, is_not_iterable, is_unhashable, refuses_containing,
    refuses_order, refuses_unary, takes_other_arguments,
};
use super::operators::LONGEST;
use super::{Evaluated, Interpreter, TOO_DEEP, as_type};
use crate::number::Int;
use crate::touched::names_shared;
use crate::value::{ClassKind, Keywords, Scope, Type, Value, keyword, set_keyword};

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
            let value = self.unless_lost(value);
            // A call says itself what becomes of its arguments.
            if matches!(value, Value::Unknown(_)) && !expression.is_call_expr() {
                self.note_may_be_named(&value, names_shared(expression), scope);
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
                    None => Value::set(Self::distinct(items)),
                },
                Err(unknown) => unknown,
            },
            Expr::Dict(dict) => self.dictionary(dict, scope)?,
            Expr::UnaryOp(unary) => {
                let operand = self.value(&unary.operand, scope)?;
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
                self.binary(binary.op, &left, &right)?
            }
            Expr::BoolOp(boolean) => self.boolean(boolean.op, &boolean.values, scope)?,
            Expr::If(choice) => {
                let condition = self.value(&choice.test, scope)?;
                match Self::truth(&condition) {
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
                self.first_iterated(expression, scope)?;
                self.lose_expression(expression, scope);
                let excerpt = scope.excerpt(expression);
                self.unknown(format!("`{excerpt}` is a comprehension, which is not evaluated"))
            }
            Expr::Await(awaited) => match self.awaited(&awaited.value, scope) {
                Some(value) => return value,
                None => self.not_evaluated(expression, scope),
            },
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
            // Python binds these in a class body, or for a method, without any statement.
            if matches!(name, "__qualname__" | "__module__" | "__class__") {
                return Ok(self.unknown(format!("`{name}` is bound by the class around it")));
            }
            if let Some(unknown) = scope.module.inexact.borrow().as_ref() {
                return Ok(Value::Unknown(Rc::clone(unknown)));
            }
            return self.raise("NameError", format!("name '{name}' is not defined"));
        };
        Ok(self.unless_lost(value))
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
                match self.value(&starred.value, scope)? {
                    Value::List(more) | Value::Tuple(more)
                        if items.len() + more.len() > LONGEST =>
                    {
                        return Ok(Err(self.unknown("a display with too many items")));
                    }
                    Value::List(more) | Value::Tuple(more) => items.extend(more.iter().cloned()),
                    other if is_not_iterable(&other) => return self.not_iterable(&other),
                    other => return Ok(Err(self.unknown_because(&other, "a starred value"))),
                }
            } else {
                items.push(self.value(element, scope)?);
            }
        }
        Ok(Ok(items))
    }

    fn dictionary(
        &self,
        dict: &'a ruff_python_ast::ExprDict,
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<Value<'a>> {
        let mut entries = Vec::with_capacity(dict.items.len());
        for item in &dict.items {
            let value = self.value(&item.value, scope)?;
            let Some(key) = &item.key else {
                let Value::Dict(more) = &value else {
                    if value.is_constant() {
                        let message = format!("'{}' object is not a mapping", class_name(&value));
                        return self.raise("TypeError", message);
                    }
                    return Ok(self.unknown_because(&value, "an unpacked dictionary"));
                };
                // A repeated key keeps its place and takes the last value.
                for (key, value) in more.iter() {
                    Self::put(&mut entries, key.clone(), value.clone());
                }
                continue;
            };
            let key = self.value(key, scope)?;
            if is_unhashable(&key) {
                return self.unhashable(&key);
            }
            // Whether an unknown key equals one of the others decides which value counts.
            if let Some(unknown) = key.find_unknown(self.here()) {
                return Ok(Value::Unknown(unknown));
            }
            Self::put(&mut entries, key, value);
        }
        Ok(Value::dict(entries))
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
            let truth = match Self::truth(&last) {
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
        for (operator, right) in comparison.ops.iter().zip(&comparison.comparators) {
            let right = self.value(right, scope)?;
            match Self::compare(*operator, &left, &right) {
                // `a < b < c` compares neighbours, and stops at the first that fails.
                Some(true) => left = right,
                Some(false) => return Ok(Value::Bool(false)),
                None => {
                    let is_refused = match operator {
                        CmpOp::Lt | CmpOp::LtE | CmpOp::Gt | CmpOp::GtE => {
                            refuses_order(&left, &right)
                        }
                        CmpOp::In | CmpOp::NotIn => refuses_containing(&right, &left),
                        _ => false,
                    };
                    if is_refused {
                        let message = "the comparison is not supported between these values";
                        return self.raise("TypeError", message);
                    }
                    let pair = Value::tuple(vec![left, right]);
                    return Ok(self.unknown_because(&pair, "a comparison"));
                }
            }
        }
        Ok(Value::Bool(true))
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

    fn subscripted(
        &self,
        subscript: &'a ExprSubscript,
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<Value<'a>> {
        let owner = self.value(&subscript.value, scope)?;
        let index = self.value(&subscript.slice, scope)?;
        self.at(scope, subscript.start());
        self.subscript(&owner, &index)
    }

    pub(super) fn subscript(&self, owner: &Value<'a>, index: &Value<'a>) -> Evaluated<Value<'a>> {
        let arguments = || match index {
            // `tuple[()]`: no items at all, not no arguments.
            Value::Tuple(items) if items.is_empty() => vec![index.clone()],
            Value::Tuple(items) => items.iter().cloned().map(as_type).collect(),
            other => vec![as_type(other.clone())],
        };
        Ok(match owner {
            Value::Unknown(_) => owner.clone(),
            Value::List(items) => return self.item(items, index, Value::list),
            Value::Tuple(items) => return self.item(items, index, Value::tuple),
            Value::Str(_) if is_no_index(index) => {
                let message = "string indices must be integers";
                return self.raise("TypeError", message);
            }
            Value::Str(_) => self.text_slice(owner, index),
            Value::Dict(entries) => {
                if is_unhashable(index) {
                    return self.unhashable(index);
                }
                if let Some(unknown) = index.find_unknown(self.here()) {
                    return Ok(Value::Unknown(unknown));
                }
                match Self::look_up(entries, index) {
                    Ok(Some(value)) => value,
                    Ok(None) => return self.raise("KeyError", Self::show(index)),
                    Err(_) => self.unknown("a dictionary with keys that can't be compared"),
                }
            }
            Value::Symbol(path) if index.as_str().is_some() && !is_type_module(path) => {
                self.unknown(format!("`{path}[…]` is not evaluated"))
            }
            Value::Symbol(path) if has_no_parameters(path) => {
                return self.raise("TypeError", format!("type '{path}' is not subscriptable"));
            }
            Value::Symbol(path) if takes_other_arguments(path, &arguments()) => {
                return self.raise("TypeError", format!("the arguments of `{path}` don't fit"));
            }
            Value::Symbol(path) => return self.symbol_subscript(path, index, arguments()),
            Value::Instance(instance) if instance.class.kind.get() == ClassKind::NamedTuple => {
                let items: Vec<Value<'a>> =
                    instance.fields.iter().map(|(_, value)| value.clone()).collect();
                return self.item(&items, index, Value::tuple);
            }
            Value::Class(class) if class.kind.get() == ClassKind::Enum => {
                let members = class.members.borrow();
                let member = index
                    .as_str()
                    .and_then(|wanted| members.iter().find(|(name, _)| &**name == wanted));
                match member {
                    Some((_, member)) => Value::Member(Rc::clone(member)),
                    None if class.obstacle.borrow().is_none() && index.is_constant() => {
                        return self.raise("KeyError", Self::show(index));
                    }
                    None => self.unknown(format!("a member of `{}` that is not known", class.name)),
                }
            }
            // A generic class with arguments. What a class of another package makes of them is
            // asked when its schema is made.
            Value::Class(_) | Value::External(_) => {
                Value::of_type(Type::Generic(owner.clone(), arguments()))
            }
            Value::Type(_) => crate::schema::generics::substitute_alias(owner, &arguments()),
            Value::None
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Function(_)
            | Value::Module(_) => {
                let class = class_name(owner);
                return self.raise("TypeError", format!("'{class}' object is not subscriptable"));
            }
            other => self.unknown_because(other, "a subscript"),
        })
    }

    fn symbol_subscript(
        &self,
        path: &str,
        index: &Value<'a>,
        mut arguments: Vec<Value<'a>>,
    ) -> Evaluated<Value<'a>> {
        let first = arguments.first().cloned().unwrap_or(Value::None);
        self.check_type_arguments(path, &arguments)?;
        // `typing` caches subscripts, and takes unions of the same choices for one.
        let is_remembered = path.starts_with("typing.") && path != "typing.Literal";
        if let (true, Some(unknown)) = (is_remembered, self.why_order_unknown(path, &arguments)) {
            return Ok(unknown);
        }
        Ok(Value::of_type(match path {
            "typing.Optional" if arguments.len() != 1 => {
                return self.raise("TypeError", "typing.Optional requires a single type.");
            }
            // `Optional[X]` is the union of `X` and `None`, also for the checks.
            "typing.Optional" => return self.checked_union(vec![first, Value::None]),
            "typing.Union" => return self.checked_union(arguments),
            "typing.Literal" => Type::Literal(self.literal_values(index)),
            "typing.Annotated" => Type::Annotated(first, arguments.split_off(1)),
            _ => Type::Generic(Value::symbol(path), arguments),
        }))
    }

    fn literal_values(&self, index: &Value<'a>) -> Vec<Value<'a>> {
        let arguments = match index {
            Value::Tuple(items) => items.to_vec(),
            other => vec![other.clone()],
        };
        let mut values: Vec<Value<'a>> = Vec::new();
        for argument in arguments {
            // A `Literal` inside a `Literal` is flattened, and repetitions are dropped.
            let more = match &argument {
                Value::Type(expression) => match &**expression {
                    Type::Literal(values) => values.clone(),
                    _ => vec![self.unknown("a `Literal` with something that is no literal")],
                },
                Value::Str(_)
                | Value::Int(_)
                | Value::Bool(_)
                | Value::Bytes(_)
                | Value::None
                | Value::Member(_)
                | Value::Unknown(_) => vec![argument],
                other => vec![self.unknown_because(other, "a `Literal`")],
            };
            for value in more {
                if !values.iter().any(|known| super::operators::is_identical(known, &value)) {
                    values.push(value);
                }
            }
        }
        values
    }

    fn item(
        &self,
        items: &[Value<'a>],
        index: &Value<'a>,
        make: impl Fn(Vec<Value<'a>>) -> Value<'a>,
    ) -> Evaluated<Value<'a>> {
        if let Value::Slice(slice) = index {
            return Ok(match slice_range(slice, items.len()) {
                Some(range) => make(items.get(range).unwrap_or_default().to_vec()),
                None => self.unknown("a slice with a step"),
            });
        }
        if is_no_index(index) {
            return self.raise("TypeError", "indices must be integers or slices");
        }
        let Some(at) = as_index(index) else { return Ok(self.unknown_because(index, "an index")) };
        let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
        let at = if at < 0 { at + length } else { at };
        match usize::try_from(at).ok().and_then(|at| items.get(at)) {
            Some(item) => Ok(item.clone()),
            None => self.raise("IndexError", "list index out of range"),
        }
    }

    fn called(&self, call: &'a ExprCall, scope: &Rc<Scope<'a>>) -> Evaluated<Value<'a>> {
        let callee = self.value(&call.func, scope)?;
        let mut arguments = Vec::with_capacity(call.arguments.args.len());
        let mut starred = Keywords::new();
        for argument in &call.arguments.args {
            if let Expr::Starred(argument) = argument {
                match self.value(&argument.value, scope)? {
                    Value::List(more) | Value::Tuple(more)
                        if arguments.len() + more.len() <= MOST_ARGUMENTS =>
                    {
                        arguments.extend(more.iter().cloned());
                    }
                    other if is_not_iterable(&other) => return self.not_iterable(&other),
                    other => {
                        let unknown = self.unknown_because(&other, "a starred argument");
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

    pub(super) fn keywords(
        &self,
        nodes: &'a [ruff_python_ast::Keyword],
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<Keywords<'a>> {
        let mut keywords = Keywords::new();
        for node in nodes {
            let value = self.value(&node.value, scope)?;
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

/// Whether what stands in the brackets of a symbol is a type.
fn is_type_module(path: &str) -> bool {
    let module = path.split('.').next().unwrap_or(path);
    matches!(module, "typing" | "builtins" | "collections" | "pydantic" | "contextlib" | "queue")
        || matches!(module, "os" | "re" | "types" | "asyncio" | "weakref" | "type")
}

/// A whole number that can be an index.
pub(super) fn as_index(value: &Value<'_>) -> Option<i64> {
    match value {
        Value::Int(int) => i64::try_from(int.small()?).ok(),
        Value::Bool(truth) => Some(i64::from(*truth)),
        _ => None,
    }
}

/// The range a slice without a step takes of `length` items.
pub(super) fn slice_range(
    slice: &[Option<i64>; 3],
    length: usize,
) -> Option<std::ops::Range<usize>> {
    let [lower, upper, step] = *slice;
    if step.is_some_and(|step| step != 1) {
        return None;
    }
    let end = i64::try_from(length).ok()?;
    let clamp = |bound: i64| {
        let bound = if bound < 0 { bound.saturating_add(end) } else { bound };
        usize::try_from(bound.clamp(0, end)).unwrap_or(0)
    };
    let (lower, upper) = (clamp(lower.unwrap_or(0)), clamp(upper.unwrap_or(end)));
    Some(lower..upper.max(lower))
}
