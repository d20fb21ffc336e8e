//! What a name of a module can stand for: constants, types, classes, functions, flows, or nothing
//! that can be known.
//!
//! Lists, dictionaries, sets and instances are [`Object`]s that everybody shares who has them; functions,
//! flows and classes have attributes that Python code sets. Everything else never changes.

use std::cell::{Cell, OnceCell};
use std::rc::{Rc, Weak};

use foldhash::{HashMap, HashSet};
use ruff_python_ast::{Comprehension, Expr, Stmt, StmtFunctionDef};
use ruff_text_size::TextRange;

use super::default::std_value::StdValue;
use super::effects::Effects;
use super::number::Int;

mod inspect;
mod location;
mod object;
pub(crate) mod run;

pub(crate) use inspect::{DEEPEST_TYPE, MOST_PARTS, keyword, not_read, own_affair, set_keyword};
pub(crate) use location::Location;
pub(crate) use object::{Entries, Fields, Items, Object};
pub(crate) use run::{Lost, Shared};

/// A shared piece of text.
pub(crate) type Text = Rc<str>;

/// Keyword arguments in the order they were given.
pub(crate) type Keywords<'a> = Vec<(Text, Value<'a>)>;

/// An abstract value.
#[derive(Clone)]
pub(crate) enum Value<'a> {
    None,
    Ellipsis,
    Bool(bool),
    Int(Int),
    Float(f64),
    Complex(f64, f64),
    Str(Text),
    Bytes(Rc<[u8]>),
    List(Rc<Items<'a>>),
    Tuple(Rc<Items<'a>>),
    Set(Rc<Items<'a>>),
    Dict(Rc<Entries<'a>>),
    /// `dict.keys()` and the like: they can be iterated over, and have no JSON form.
    View(Rc<Items<'a>>),
    Iterator(Rc<Iterator<'a>>),
    Slice(Rc<[Option<i64>; 3]>),
    /// A date, duration, path, decimal number and the like.
    Std(StdValue),
    /// A pydantic `SecretStr`; whether it holds any text is all that shows.
    Secret(bool),
    /// Something of the standard library, pydantic or Prefect, by its canonical path.
    Symbol(Text),
    /// Something of a module that is not read, by its path.
    External(Text),
    /// A module of the repository.
    Module(Rc<Imported<'a>>),
    Class(Rc<Class<'a>>),
    Function(Rc<Function<'a>>),
    /// `staticmethod(x)` or `classmethod(x)`.
    Wrapped(Rc<Value<'a>>, MethodKind),
    /// `super()` in a method: the object or class that it is called on, and the class behind which names are
    /// looked up.
    Super(Rc<(Value<'a>, Rc<Class<'a>>)>),
    FlowDecorator(Rc<Keywords<'a>>),
    Flow(Rc<FlowObject<'a>>),
    Partial(Rc<Partial<'a>>),
    /// An attribute of a value that is known, not yet called.
    Bound(Rc<(Value<'a>, Text)>),
    Member(Rc<Member<'a>>),
    Instance(Rc<Instance<'a>>),
    /// An object of which nothing matters but that it is there and has no JSON form: a logger, a
    /// task, an instance of a plain class.
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
    /// `enum.auto()`; the same one stands for the same value.
    Auto(Rc<()>),
    /// What only a script has that is run as a program.
    Made(Rc<Made<'a>>),
    Unknown(Rc<Unknown>),
}

/// What the calls that deploy flows are made of. Where a script is only imported, all of it is
/// unknown, and so it is here for whoever asks for a plain value.
pub(crate) enum Made<'a> {
    /// What a call of Prefect's own gives.
    Call(PrefectCall<'a>),
    /// What `to_deployment()` gives: the number of the recorded call.
    Deployment(usize),
    /// A path in the checkout, from the repository's root.
    InCheckout(Text),
    /// An asynchronous call that nothing has awaited yet: what is called, and where.
    Coroutine(Value<'a>, Vec<Value<'a>>, Keywords<'a>, Location),
}

/// A call of a function or class of Prefect.
pub(crate) struct PrefectCall<'a> {
    /// The canonical path of what is called.
    pub path: Text,
    pub arguments: Vec<Value<'a>>,
    pub keywords: Keywords<'a>,
    pub at: Location,
}

/// Why something is not known.
#[derive(Debug, Clone)]
pub(crate) struct Unknown {
    /// In words, as the end of a sentence.
    pub why: String,
    /// Where the reason stands.
    pub at: Location,
    /// Whether the value, if it were known, is probably a flow.
    pub is_flow_like: bool,
}

/// A type expression that is more than one name.
pub(crate) enum Type<'a> {
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
        /// The name of the module that makes it.
        module: Text,
        value: Value<'a>,
    },
    /// A string where a type is expected.
    Forward(Text),
}

/// A pydantic or dataclass field.
pub(crate) struct FieldInfo<'a> {
    pub keywords: Keywords<'a>,
    pub is_pydantic: bool,
}

/// Arguments of a dataclass decorator.
pub(crate) struct DataclassOptions<'a> {
    pub keywords: Keywords<'a>,
    pub is_pydantic: bool,
}

/// An annotation as it stands.
#[derive(Clone)]
pub(crate) enum Annotation<'a> {
    Missing,
    /// Evaluated where it stands; a string if it is quoted.
    Value(Value<'a>),
    /// Kept for later by `from __future__ import annotations`.
    Postponed(&'a Expr),
}

/// What a class turns out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClassKind {
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
pub(crate) struct Class<'a> {
    pub name: Text,
    pub qualname: Text,
    pub body: Option<&'a [Stmt]>,
    pub bases: Vec<Value<'a>>,
    /// The method resolution order without the class itself.
    pub ancestors: Vec<Value<'a>>,
    pub keywords: Keywords<'a>,
    pub scope: Rc<Scope<'a>>,
    pub kind: Shared<ClassKind>,
    pub docstring: Option<Text>,
    pub decorations: Shared<Decorations<'a>>,
    /// Members of an enum, in order, aliases included.
    pub members: Shared<Vec<(Text, Rc<Member<'a>>)>>,
    /// The mixed-in type of an enum: `str`, `int` or `float`.
    pub mixin: Option<&'static str>,
    /// Why the schema can't be computed, if so.
    pub obstacle: Shared<Option<Rc<Unknown>>>,
}

impl Class<'_> {
    /// Module and qualified name.
    pub(crate) fn full_name(&self) -> String {
        format!("{}.{}", self.scope.module.name, self.qualname)
    }
}

/// What decorators and annotations have said about a class.
#[derive(Default, Clone)]
pub(crate) struct Decorations<'a> {
    pub is_runtime_checkable: bool,
    pub dataclass: Option<Rc<DataclassOptions<'a>>>,
}

/// A member of an enum.
pub(crate) struct Member<'a> {
    pub class_name: Text,
    pub mixin: Option<&'static str>,
    pub name: Text,
    pub value: Value<'a>,
    /// Whether it may be another name of a member before it, as it is not known whether their values are
    /// equal.
    pub may_be_alias: bool,
}

/// An instance of a model, dataclass or named tuple of the module.
pub(crate) struct Instance<'a> {
    pub class: Rc<Class<'a>>,
    pub fields: Rc<Fields<'a>>,
}

/// What gives its items one after the other, and only once.
pub(crate) struct Iterator<'a> {
    pub iterating: Iterating<'a>,
    /// How many items were taken.
    pub taken: Shared<usize>,
    pub has_ended: Shared<bool>,
    /// Why it is not known how many items were taken, if so.
    pub lost: Lost,
}

/// How an iterator makes its items; sources are iterators.
pub(crate) enum Iterating<'a> {
    /// The items of a container, which must not have been changed since, and how often it had been.
    Items(Vec<Value<'a>>, Value<'a>, Option<usize>),
    Zip(Vec<Value<'a>>),
    Map(Value<'a>, Vec<Value<'a>>),
    Filter(Value<'a>, Value<'a>),
    Enumerate(Value<'a>, i128),
    Chain(Vec<Value<'a>>),
    /// `itertools.islice`: how many are left out first, and how many are given.
    Slice(Value<'a>, usize, Option<usize>),
    /// `itertools.count`
    Count(i128, i128),
    /// A generator expression with one `for`.
    Expression(&'a Expr, &'a Comprehension, Value<'a>, Rc<Scope<'a>>),
    /// A generator that was called: its function, the scope with its arguments, what it gives once it ran.
    Call(Rc<Function<'a>>, Rc<Scope<'a>>, Shared<Option<Generated<'a>>>),
}

/// What a generator gives, and what it read: objects, and how often each had been changed.
pub(crate) type Generated<'a> = (Vec<Value<'a>>, Vec<(Value<'a>, Option<usize>)>);

/// An object without a JSON form.
pub(crate) struct Opaque<'a> {
    pub class: Option<Rc<Class<'a>>>,
    pub what: &'static str,
    /// Its own attributes, if all code is followed that may set them.
    pub attributes: Option<Rc<Fields<'a>>>,
}

/// What a method of a class gets that is no plain function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MethodKind {
    Static,
    Class,
}

/// How an argument reaches a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ParameterKind {
    PositionalOnly,
    Positional,
    /// `*args`
    Rest,
    KeywordOnly,
    /// `**kwargs`
    Keywords,
}

/// One parameter of a function.
pub(crate) struct Parameter<'a> {
    pub name: Text,
    pub kind: ParameterKind,
    pub annotation: Annotation<'a>,
    pub default: Option<Value<'a>>,
    pub range: TextRange,
}

/// A function or lambda of the module.
pub(crate) struct Function<'a> {
    pub name: Text,
    pub qualname: Text,
    pub definition: Option<&'a StmtFunctionDef>,
    pub lambda_body: Option<&'a Expr>,
    pub parameters: Vec<Parameter<'a>>,
    pub docstring: Option<Text>,
    /// Set from outside: `f.__doc__ = ...`, and by `functools.wraps`.
    pub attributes: Shared<Keywords<'a>>,
    /// Where the definition stands.
    pub scope: Rc<Scope<'a>>,
    pub range: TextRange,
    /// Why nothing of it is certain, if so: code that is not followed may have set its attributes.
    pub lost: Lost,
}

/// `functools.partial(...)`.
pub(crate) struct Partial<'a> {
    pub function: Value<'a>,
    pub arguments: Vec<Value<'a>>,
    pub keywords: Keywords<'a>,
}

/// A `prefect.Flow`.
pub(crate) struct FlowObject<'a> {
    pub function: Value<'a>,
    pub options: Shared<Keywords<'a>>,
    /// Attributes set afterwards that change more than the options.
    pub attributes: Shared<Keywords<'a>>,
    pub at: Location,
    /// As of a function.
    pub lost: Lost,
}

/// A mapping from names to values in the order of their first binding, as a Python namespace.
#[derive(Default, Clone)]
pub(crate) struct Namespace<'a> {
    /// In the order of the first binding. A name that is deleted leaves a hole, so that the positions
    /// of the others stay.
    entries: Vec<Option<(Text, Value<'a>)>>,
    positions: HashMap<Text, usize>,
}

impl<'a> Namespace<'a> {
    pub(crate) fn get(&self, name: &str) -> Option<&Value<'a>> {
        let entry = self.entries.get(*self.positions.get(name)?)?;
        entry.as_ref().map(|(_, value)| value)
    }

    pub(crate) fn set(&mut self, name: Text, value: Value<'a>) {
        if let Some(place) = self.positions.get(&name)
            && let Some(entry) = self.entries.get_mut(*place)
        {
            *entry = Some((name, value));
            return;
        }
        self.positions.insert(Rc::clone(&name), self.entries.len());
        self.entries.push(Some((name, value)));
    }

    pub(crate) fn remove(&mut self, name: &str) {
        if let Some(place) = self.positions.remove(name)
            && let Some(entry) = self.entries.get_mut(place)
        {
            *entry = None;
        }
    }

    pub(crate) fn iter(&self) -> impl std::iter::Iterator<Item = (&Text, &Value<'a>)> {
        self.entries.iter().flatten().map(|(name, value)| (name, value))
    }

    pub(crate) fn snapshot(&self) -> Vec<(Text, Value<'a>)> {
        self.entries.iter().flatten().cloned().collect()
    }
}

/// A module of the repository: what is known of it before it runs.
pub(crate) struct Module<'a> {
    /// Which of the modules of the analysis it is; 0 is the script.
    pub number: u32,
    /// The name it is imported by, for the script its stem.
    pub name: Text,
    /// From the repository root.
    pub path: Text,
    pub text: &'a str,
    pub effects: Effects<'a>,
    /// Whether annotations are kept unevaluated.
    pub are_annotations_postponed: bool,
    /// Why nothing about the module is exact, if so.
    pub inexact: Shared<Option<Rc<Unknown>>>,
    /// Names of the module whose objects code may change that can run at any time.
    pub escaped: Shared<HashSet<&'a str>>,
    /// Names that such code reads.
    pub readers: Shared<HashSet<&'a str>>,
}

/// A module that was imported: what `sys.modules` holds in Python.
pub(crate) struct Imported<'a> {
    pub module: Rc<Module<'a>>,
    pub scope: Rc<Scope<'a>>,
    /// Where its submodules are: none for a plain module.
    pub search: Vec<Text>,
    /// Whether its body is still being evaluated.
    pub is_running: Cell<bool>,
}

/// What kind of body a scope belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ScopeKind<'a> {
    Module,
    Class,
    /// A call of a function, with the names that its body binds.
    Function(FunctionNames<'a>),
}

impl ScopeKind<'_> {
    /// Whether a name is bound in this very body of a function.
    pub(crate) fn has_local(&self, name: &str) -> bool {
        matches!(self, ScopeKind::Function(names) if names.locals.contains(name))
    }
}

/// The names of a function's body.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct FunctionNames<'a> {
    /// Those that it binds itself.
    pub locals: HashSet<&'a str>,
    /// Those of `global` and `nonlocal` statements.
    pub outer: OuterNames<'a>,
    /// Its first parameter.
    pub first: Option<Text>,
    /// Whether it is that of a comprehension, in which `:=` binds outside.
    pub is_comprehension: bool,
}

/// The names that `global` and `nonlocal` statements hand to a function.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct OuterNames<'a> {
    pub global: HashSet<&'a str>,
    pub nonlocal: HashSet<&'a str>,
}

/// A namespace, and the scope around it in which names are looked for next.
pub(crate) struct Scope<'a> {
    pub kind: ScopeKind<'a>,
    /// Of the class or function; empty for a module.
    pub qualname: Text,
    pub module: Rc<Module<'a>>,
    pub names: Shared<Namespace<'a>>,
    /// Names that functions bind from outside which are not followed: they may be bound anew at any time.
    pub rebound: Shared<HashSet<&'a str>>,
    /// Annotated names of a class body.
    pub annotations: Shared<Vec<(Text, Annotation<'a>)>>,
    pub parent: Option<Rc<Scope<'a>>>,
    /// The class whose body this is, once it is made.
    pub class: OnceCell<Weak<Class<'a>>>,
}

impl<'a> Scope<'a> {
    pub(crate) fn module(module: &Rc<Module<'a>>) -> Rc<Self> {
        Rc::new(Scope {
            kind: ScopeKind::Module,
            qualname: "".into(),
            module: Rc::clone(module),
            names: Shared::default(),
            rebound: Shared::default(),
            annotations: Shared::default(),
            parent: None,
            class: OnceCell::new(),
        })
    }

    pub(crate) fn class(name: &str, parent: &Rc<Self>) -> Rc<Self> {
        Self::inside(ScopeKind::Class, parent.qualify(name), parent)
    }

    /// The body of a function that is called; `qualname` is the function's.
    pub(crate) fn function(
        names: FunctionNames<'a>,
        qualname: &str,
        parent: &Rc<Self>,
    ) -> Rc<Self> {
        Self::inside(ScopeKind::Function(names), qualname.to_owned(), parent)
    }

    fn inside(kind: ScopeKind<'a>, qualname: String, parent: &Rc<Self>) -> Rc<Self> {
        Rc::new(Scope {
            kind,
            qualname: qualname.into(),
            module: Rc::clone(&parent.module),
            names: Shared::default(),
            rebound: Shared::default(),
            annotations: Shared::default(),
            parent: Some(Rc::clone(parent)),
            class: OnceCell::new(),
        })
    }

    /// The scope of the module that this one stands in.
    pub(crate) fn top(self: &Rc<Self>) -> Rc<Self> {
        let mut scope = self;
        while let Some(parent) = &scope.parent {
            scope = parent;
        }
        Rc::clone(scope)
    }

    /// The qualified name of something defined here.
    pub(crate) fn qualify(&self, name: &str) -> String {
        match self.kind {
            // As Python writes `__qualname__`. It shows in the long names of definitions.
            ScopeKind::Function(_) => format!("{}.<locals>.{name}", self.qualname),
            _ if self.qualname.is_empty() => name.to_owned(),
            _ => format!("{}.{name}", self.qualname),
        }
    }

    /// A name of this very scope.
    pub(crate) fn own(&self, name: &str) -> Option<Value<'a>> {
        self.names.borrow().get(name).cloned()
    }

    pub(crate) fn set(&self, name: &str, value: Value<'a>) {
        self.names.borrow_mut().set(name.into(), value);
    }

    pub(crate) fn is_function(&self) -> bool {
        matches!(self.kind, ScopeKind::Function(_))
    }

    /// The first parameter of the function whose call this is.
    pub(crate) fn first_parameter(&self) -> Option<&str> {
        match &self.kind {
            ScopeKind::Function(names) => names.first.as_deref(),
            _ => None,
        }
    }

    pub(crate) fn is_class(&self) -> bool {
        self.kind == ScopeKind::Class
    }

    pub(crate) fn is_module(&self) -> bool {
        self.kind == ScopeKind::Module
    }
}
