//! What a name of a module can stand for: constants, types, classes, functions, flows, or nothing
//! that can be known.
//!
//! Values never change once they are made, with the exceptions Python code uses: attributes of
//! functions, flows and classes. A list that the module changes later is found by
//! [`super::module::effects`] and never gets here as a known value.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use ruff_python_ast::{Expr, Stmt, StmtFunctionDef};
use ruff_text_size::{TextRange, TextSize};

use super::default::moment::Moment;
use super::number::Int;

/// How many parts a type may have.
const LARGEST_TYPE: u32 = 2000;

/// A shared piece of text.
pub type Text = Rc<str>;

/// Keyword arguments in the order they were given.
pub type Keywords<'a> = Vec<(Text, Value<'a>)>;

/// The value of `key` among `keywords`.
pub fn keyword<'v, 'a>(keywords: &'v Keywords<'a>, key: &str) -> Option<&'v Value<'a>> {
    keywords.iter().rev().find(|(name, _)| &**name == key).map(|(_, value)| value)
}

/// Sets `key` among `keywords`, in its old place if it has one.
pub fn set_keyword<'a>(keywords: &mut Keywords<'a>, key: &str, value: Value<'a>) {
    match keywords.iter_mut().find(|(name, _)| &**name == key) {
        Some(entry) => entry.1 = value,
        None => keywords.push((key.into(), value)),
    }
}

/// An abstract value.
#[derive(Clone)]
pub enum Value<'a> {
    None,
    Ellipsis,
    Bool(bool),
    Int(Int),
    Float(f64),
    Complex(f64, f64),
    Str(Text),
    Bytes(Rc<[u8]>),
    List(Rc<Vec<Value<'a>>>),
    Tuple(Rc<Vec<Value<'a>>>),
    Set(Rc<Vec<Value<'a>>>),
    Dict(Rc<Vec<(Value<'a>, Value<'a>)>>),
    Slice(Rc<[Option<i64>; 3]>),
    /// A date, duration, path, decimal number and the like.
    Moment(Moment),
    /// A pydantic `SecretStr`; whether it holds any text is all that shows.
    Secret(bool),
    /// Something of the standard library, pydantic or Prefect, by its canonical path.
    Symbol(Text),
    /// Something of a module that is not read, by its path.
    External(Text),
    Class(Rc<Class<'a>>),
    Function(Rc<Function<'a>>),
    /// `staticmethod(x)` or `classmethod(x)`.
    Wrapped(Rc<Value<'a>>),
    FlowDecorator(Rc<Keywords<'a>>),
    Flow(Rc<FlowObject<'a>>),
    Partial(Rc<Partial<'a>>),
    /// An attribute of a value that is known, not yet called.
    Bound(Rc<(Value<'a>, Text)>),
    Member(Rc<Member<'a>>),
    Instance(Rc<Instance<'a>>),
    /// An object that exists and can't be written as JSON.
    Opaque(Rc<Opaque<'a>>),
    Type(Rc<Type<'a>>),
    /// `pydantic.Field(...)` or `dataclasses.field(...)`.
    Field(Rc<FieldInfo<'a>>),
    /// Metadata of `Annotated` with a known effect on the schema.
    Constraint(Rc<Keywords<'a>>),
    /// `WithJsonSchema(...)`.
    GivenSchema(Rc<Value<'a>>),
    /// `AliasChoices(...)`.
    AliasChoices(Rc<Vec<Value<'a>>>),
    /// `dataclass(...)`, not yet applied.
    Dataclassing(Rc<DataclassOptions<'a>>),
    /// `enum.auto()`.
    Auto,
    Unknown(Rc<Unknown>),
}

/// Why something is not known.
#[derive(Debug, Clone)]
pub struct Unknown {
    /// In words, as the end of a sentence.
    pub why: String,
    /// Where the reason stands.
    pub at: TextSize,
    /// Whether the value, if it were known, is probably a flow.
    pub is_flow_like: bool,
}

/// A type expression that is more than one name.
pub enum Type<'a> {
    Generic(Value<'a>, Vec<Value<'a>>),
    Union(Vec<Value<'a>>),
    Literal(Vec<Value<'a>>),
    Annotated(Value<'a>, Vec<Value<'a>>),
    /// `NewType`.
    Named(Value<'a>),
    Variable {
        bound: Option<Value<'a>>,
        constraints: Vec<Value<'a>>,
    },
    Alias {
        name: Text,
        value: Value<'a>,
    },
    /// A string where a type is expected.
    Forward(Text),
}

/// A pydantic or dataclass field.
pub struct FieldInfo<'a> {
    pub keywords: Keywords<'a>,
}

/// Arguments of a dataclass decorator.
pub struct DataclassOptions<'a> {
    pub keywords: Keywords<'a>,
    pub is_pydantic: bool,
}

/// An annotation as it stands.
#[derive(Clone)]
pub enum Annotation<'a> {
    Missing,
    /// Evaluated where it stands; a string if it is quoted.
    Value(Value<'a>),
    /// Kept for later by `from __future__ import annotations`.
    Postponed(&'a Expr),
}

/// What a class turns out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClassKind {
    Plain,
    Model,
    RootModel,
    Enum,
    Dataclass,
    /// A class that inherits from a dataclass without being one.
    DataclassChild,
    TypedDict,
    /// `typing.TypedDict`, which pydantic refuses before Python 3.12.
    StandardTypedDict,
    NamedTuple,
    Protocol,
}

/// A class of the module.
pub struct Class<'a> {
    pub name: Text,
    pub qualname: Text,
    pub body: Option<&'a [Stmt]>,
    pub bases: Vec<Value<'a>>,
    /// The method resolution order without the class itself.
    pub ancestors: Vec<Value<'a>>,
    pub keywords: Keywords<'a>,
    pub scope: Rc<Scope<'a>>,
    pub kind: std::cell::Cell<ClassKind>,
    pub docstring: Option<Text>,
    pub decorations: RefCell<Decorations<'a>>,
    /// Members of an enum, in order, aliases included.
    pub members: RefCell<Vec<(Text, Rc<Member<'a>>)>>,
    /// The mixed-in type of an enum: `str`, `int` or `float`.
    pub mixin: Option<&'static str>,
    /// Why the schema can't be computed, if so.
    pub obstacle: RefCell<Option<Rc<Unknown>>>,
}

/// What decorators and annotations have said about a class.
#[derive(Default)]
pub struct Decorations<'a> {
    pub is_runtime_checkable: bool,
    pub dataclass: Option<Rc<DataclassOptions<'a>>>,
}

/// A member of an enum.
pub struct Member<'a> {
    pub class_name: Text,
    pub mixin: Option<&'static str>,
    pub name: Text,
    pub value: Value<'a>,
}

/// An instance of a model, dataclass or named tuple of the module.
pub struct Instance<'a> {
    pub class: Rc<Class<'a>>,
    pub fields: Keywords<'a>,
}

/// An object without a JSON form.
pub struct Opaque<'a> {
    pub class: Option<Rc<Class<'a>>>,
    pub what: &'static str,
}

/// One parameter of a function.
pub struct Parameter<'a> {
    pub name: Text,
    pub annotation: Annotation<'a>,
    pub default: Option<Value<'a>>,
    pub range: TextRange,
}

/// A function or lambda of the module.
pub struct Function<'a> {
    pub name: Text,
    pub definition: Option<&'a StmtFunctionDef>,
    pub lambda_body: Option<&'a Expr>,
    pub parameters: Vec<Parameter<'a>>,
    pub docstring: Option<Text>,
    /// Set from outside: `f.__doc__ = ...`.
    pub attributes: RefCell<Keywords<'a>>,
    pub scope: Rc<Scope<'a>>,
    pub range: TextRange,
}

/// `functools.partial(...)`.
pub struct Partial<'a> {
    pub function: Value<'a>,
    pub arguments: Vec<Value<'a>>,
    pub keywords: Keywords<'a>,
}

/// A `prefect.Flow`.
pub struct FlowObject<'a> {
    pub function: Value<'a>,
    pub options: RefCell<Keywords<'a>>,
    /// Attributes set afterwards that change more than the options.
    pub attributes: RefCell<Keywords<'a>>,
    pub at: TextSize,
}

/// A mapping from names to values in the order of their first binding, as a Python namespace.
#[derive(Default, Clone)]
pub struct Namespace<'a> {
    entries: Vec<Option<(Text, Value<'a>)>>,
    places: HashMap<Text, usize>,
}

impl<'a> Namespace<'a> {
    pub fn get(&self, name: &str) -> Option<&Value<'a>> {
        let entry = self.entries.get(*self.places.get(name)?)?;
        entry.as_ref().map(|(_, value)| value)
    }

    pub fn set(&mut self, name: Text, value: Value<'a>) {
        if let Some(place) = self.places.get(&name)
            && let Some(entry) = self.entries.get_mut(*place)
        {
            *entry = Some((name, value));
            return;
        }
        self.places.insert(Rc::clone(&name), self.entries.len());
        self.entries.push(Some((name, value)));
    }

    pub fn remove(&mut self, name: &str) {
        if let Some(place) = self.places.remove(name)
            && let Some(entry) = self.entries.get_mut(place)
        {
            *entry = None;
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Text, &Value<'a>)> {
        self.entries.iter().flatten().map(|(name, value)| (name, value))
    }

    pub fn snapshot(&self) -> Vec<(Text, Value<'a>)> {
        self.entries.iter().flatten().cloned().collect()
    }
}

impl<'a> Value<'a> {
    pub fn text(text: impl AsRef<str>) -> Self {
        Value::Str(text.as_ref().into())
    }

    pub fn int(number: i128) -> Self {
        Value::Int(Int::from(number))
    }

    pub fn symbol(path: &str) -> Self {
        Value::Symbol(path.into())
    }

    pub fn list(items: Vec<Value<'a>>) -> Self {
        Value::List(Rc::new(items))
    }

    pub fn tuple(items: Vec<Value<'a>>) -> Self {
        Value::Tuple(Rc::new(items))
    }

    /// A type expression. One that is larger than any that people write becomes unknown, so that
    /// every walk over a type has an end.
    pub fn of_type(expression: Type<'a>) -> Self {
        let value = Value::Type(Rc::new(expression));
        if value.spend_type(&mut LARGEST_TYPE.clone()) {
            value
        } else {
            Value::unknown("the type is too large to be computed", TextSize::new(0))
        }
    }

    fn spend_type(&self, budget: &mut u32) -> bool {
        let Some(rest) = budget.checked_sub(1) else { return false };
        *budget = rest;
        let Value::Type(expression) = self else { return true };
        match &**expression {
            Type::Generic(_, parts) | Type::Union(parts) => {
                parts.iter().all(|part| part.spend_type(budget))
            }
            Type::Annotated(base, _) | Type::Named(base) => base.spend_type(budget),
            Type::Variable { bound, constraints } => {
                bound.iter().chain(constraints).all(|part| part.spend_type(budget))
            }
            Type::Alias { value, .. } => value.spend_type(budget),
            Type::Literal(_) | Type::Forward(_) => true,
        }
    }

    pub fn generic(origin: &str, arguments: Vec<Value<'a>>) -> Self {
        Value::of_type(Type::Generic(Value::symbol(origin), arguments))
    }

    pub fn opaque(what: &'static str) -> Self {
        Value::Opaque(Rc::new(Opaque { class: None, what }))
    }

    pub fn unknown(why: impl Into<String>, at: TextSize) -> Self {
        Value::Unknown(Rc::new(Unknown { why: why.into(), at, is_flow_like: false }))
    }

    pub fn unknown_flow(why: impl Into<String>, at: TextSize) -> Self {
        Value::Unknown(Rc::new(Unknown { why: why.into(), at, is_flow_like: true }))
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_symbol(&self) -> Option<&str> {
        match self {
            Value::Symbol(path) => Some(path),
            _ => None,
        }
    }

    pub fn is_symbol(&self, path: &str) -> bool {
        self.as_symbol() == Some(path)
    }

    /// Whether this is data through and through: no objects of the module inside.
    pub fn is_constant(&self) -> bool {
        self.is_constant_within(&mut 10_000)
    }

    fn is_constant_within(&self, budget: &mut u32) -> bool {
        let Some(rest) = budget.checked_sub(1) else { return false };
        *budget = rest;
        match self {
            Value::None
            | Value::Ellipsis
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Complex(..)
            | Value::Str(_)
            | Value::Bytes(_)
            | Value::Moment(_) => true,
            Value::List(items) | Value::Tuple(items) | Value::Set(items) => {
                items.iter().all(|item| item.is_constant_within(budget))
            }
            Value::Dict(items) => items.iter().all(|(key, value)| {
                key.is_constant_within(budget) && value.is_constant_within(budget)
            }),
            _ => false,
        }
    }

    /// The first unknown part, if any.
    pub fn find_unknown(&self, at: TextSize) -> Option<Rc<Unknown>> {
        self.find_unknown_within(at, &mut 10_000)
    }

    fn find_unknown_within(&self, at: TextSize, budget: &mut u32) -> Option<Rc<Unknown>> {
        let Some(rest) = budget.checked_sub(1) else {
            let why = "the value is too large to be computed".to_owned();
            return Some(Rc::new(Unknown { why, at, is_flow_like: false }));
        };
        *budget = rest;
        match self {
            Value::Unknown(unknown) => Some(Rc::clone(unknown)),
            Value::External(path) => {
                Some(Rc::new(Unknown { why: not_read(path), at, is_flow_like: false }))
            }
            Value::List(items) | Value::Tuple(items) | Value::Set(items) => {
                items.iter().find_map(|item| item.find_unknown_within(at, budget))
            }
            Value::Dict(items) => items.iter().find_map(|(key, value)| {
                key.find_unknown_within(at, budget)
                    .or_else(|| value.find_unknown_within(at, budget))
            }),
            Value::Instance(instance) => {
                instance.fields.iter().find_map(|(_, value)| value.find_unknown_within(at, budget))
            }
            Value::Member(member) => member.value.find_unknown_within(at, budget),
            _ => None,
        }
    }
}

/// Says that `path` comes from a module that is not read.
pub fn not_read(path: &str) -> String {
    match path.rsplit_once('.') {
        Some((module, name)) => {
            format!("`{name}` comes from `{module}`, which is not read with this file")
        }
        None => format!("the module `{path}` is not read with this file"),
    }
}

/// What kind of body a scope belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScopeKind {
    Module,
    Class,
}

/// A namespace with the way to the next one.
pub struct Scope<'a> {
    pub kind: ScopeKind,
    /// Of the class; empty for a module.
    pub qualname: Text,
    pub names: RefCell<Namespace<'a>>,
    /// Annotated names of a class body.
    pub annotations: RefCell<Vec<(Text, Annotation<'a>)>>,
    pub parent: Option<Rc<Scope<'a>>>,
}

impl<'a> Scope<'a> {
    pub fn module() -> Rc<Self> {
        Rc::new(Scope {
            kind: ScopeKind::Module,
            qualname: "".into(),
            names: RefCell::default(),
            annotations: RefCell::default(),
            parent: None,
        })
    }

    pub fn class(name: &str, parent: &Rc<Self>) -> Rc<Self> {
        Rc::new(Scope {
            kind: ScopeKind::Class,
            qualname: parent.qualify(name).into(),
            names: RefCell::default(),
            annotations: RefCell::default(),
            parent: Some(Rc::clone(parent)),
        })
    }

    /// The qualified name of something defined here.
    pub fn qualify(&self, name: &str) -> String {
        if self.qualname.is_empty() { name.to_owned() } else { format!("{}.{name}", self.qualname) }
    }

    /// A name of this very scope.
    pub fn own(&self, name: &str) -> Option<Value<'a>> {
        self.names.borrow().get(name).cloned()
    }

    pub fn set(&self, name: &str, value: Value<'a>) {
        self.names.borrow_mut().set(name.into(), value);
    }

    pub fn is_class(&self) -> bool {
        self.kind == ScopeKind::Class
    }
}
