//! Runs the top level of a script on abstract values, as `import` would, and of the modules of the
//! repository that it imports.
//!
//! Statements run in order; where a condition is not known, both branches run and only what both
//! agree on is kept; bodies of functions run only where the top level calls them. What can't be
//! known becomes [`Value::Unknown`] with its reason. What certainly raises becomes a [`Raised`]. What
//! may raise makes the script inexact, and the run goes on.
//!
//! | what | where |
//! |---|---|
//! | statements | [`blocks`], [`statements`], [`branches`] (`if`, `try`, `with`), [`loops`], [`imports`], [`star_imports`], [`functions`], [`classes`] |
//! | expressions | [`expressions`], [`displays`], [`subscripts`], [`operators`], [`strings`], [`attributes`], [`comprehensions`], [`union_order`] |
//! | which module an import means | [`search`] |
//! | what is imported perhaps, and once for all | [`possible_imports`], [`units`] |
//! | what libraries reach that they are not given | [`reach`] |
//! | calls | [`calls`], [`prefect`] (flows and tasks), [`standard`], [`iteration`], [`pydantic`], [`inline`] (functions of the repository), [`by_name`] |
//! | classes | [`enums`], [`instances`], [`ancestors`] |
//! | what changes after it was made | [`mutations`] (what is computed), [`changes`] (what is given up) |
//! | what is refused | [`certain`] (values), [`options`] (flows), [`type_arguments`], [`bodies`], [`class_rules`], [`model_rules`], [`settings`], [`late_types`] (classes), [`conversions`] (instances) |
//! | flows out of reach, flows that are not certain | [`nested`], [`likely`] |
//! | a script that is run and not only imported | [`program`] |

pub(crate) mod ancestors;
mod attributes;
mod blocks;
mod bodies;
pub(crate) mod bound;
mod branches;
mod by_name;
mod calls;
mod certain;
mod changes;
mod class_rules;
pub(crate) mod classes;
mod comprehensions;
mod contexts;
mod conversions;
mod displays;
mod enums;
pub(crate) mod equality;
mod exceptions;
pub(crate) mod expressions;
mod functional;
mod functions;
mod imports;
mod inline;
mod instances;
mod iteration;
mod iterators;
mod late_types;
mod library;
mod likely;
mod loops;
mod matching;
mod model_rules;
mod mutations;
pub(crate) mod nested;
mod objects;
pub(crate) mod operators;
mod options;
mod possible_imports;
mod prefect;
pub(crate) mod program;
mod pydantic;
mod reach;
mod reflection;
pub(crate) mod scope;
mod search;
mod settings;
pub(crate) mod signatures;
mod special_methods;
mod standard;
mod star_imports;
mod statements;
pub(crate) mod strings;
mod subscripts;
mod text_methods;
mod type_arguments;
mod union_order;
pub(crate) mod units;

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

use foldhash::{HashMap, HashSet};
use ruff_python_ast::{Expr, Stmt};
use ruff_text_size::TextSize;

use super::dependencies::Dependencies;
use super::effects::{Effects, SearchChange};
use super::library::Library;
use super::nesting;
use super::python::Python;
use super::source;
use super::value::run::Run;
use super::value::{
    Class, Imported, Location, Made, Module, Scope, Shared, Text, Type, Unknown, Value,
};
use program::Program;
use union_order::KnownUnion;
use units::{Loaded, Shelf, Unit, UnitInMaking};

/// An exception that the script certainly raises.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {message}")]
pub(crate) struct Raised {
    /// The name of the exception's class.
    pub kind: String,
    pub message: String,
    pub at: Location,
    /// The outermost import or call that it passed.
    pub through: Option<Location>,
    /// Which of the objects that were raised it is.
    pub object: Option<usize>,
}

/// Unknown values, and the objects that each may be.
type MayBe<'a> = HashMap<*const Unknown, (Rc<Unknown>, Vec<Value<'a>>)>;

/// The outcome of evaluating something.
pub(crate) type Evaluated<T> = Result<T, Box<Raised>>;

/// The state of a script and of the modules it imports while they run, and after.
pub(crate) struct Interpreter<'a> {
    library: &'a Library<'a>,
    shelf: Rc<Shelf<'a>>,
    /// The directories that Prefect puts first on Python's path: the script's own, the root.
    search: Vec<Text>,
    /// The names of modules that a source root has which was found in the project's files.
    rooted: RefCell<HashSet<Text>>,
    /// `sys.modules`, as far as it is the repository's.
    imported: RefCell<HashMap<Text, Rc<Imported<'a>>>>,
    /// The same in the order in which they were loaded, also those that are not there any more.
    loaded: RefCell<Vec<Loaded<'a>>>,
    /// The units that were taken over.
    taken_over: RefCell<HashMap<*const Unit<'a>, Rc<Unit<'a>>>>,
    /// Units that code may import which is not run.
    looked_at: RefCell<Vec<Rc<Unit<'a>>>>,
    script: OnceCell<Rc<Imported<'a>>>,
    /// If there is no script, but a module that runs for all: what is known of that.
    unit: Option<UnitInMaking>,
    /// Why no flow of a script that imports the module is exact, if so.
    doubt: RefCell<Option<Rc<Unknown>>>,
    /// Why modules may be changed by one that is imported perhaps, if so.
    unsure: RefCell<Option<Rc<Unknown>>>,
    /// What the answers depend on.
    pub dependencies: RefCell<Dependencies>,
    /// The place that is evaluated, for reasons and errors.
    at: Cell<Location>,
    /// How many branches are open whose conditions are not known.
    open_guesses: Cell<u32>,
    /// How deeply evaluations are nested, and how deeply they may be.
    depth: Cell<u32>,
    deepest: u32,
    /// Whether something was left out that a deeper stack could hold.
    pub needs_depth: Cell<bool>,
    /// Function calls that are open, and that were made.
    open_calls: Cell<u32>,
    calls: Cell<u32>,
    /// Default factories that are open: one may make an instance of its own class.
    factories: Cell<u32>,
    /// Functions, classes and modules that code has which is not followed, by their places in memory. They are
    /// kept, so that their places are not used again. Whether each may set attributes of what it is given.
    escaped: RefCell<HashMap<*const (), (Value<'a>, bool)>>,
    /// Unknown values, by their places in memory, and the objects that each may be or hold. The value is kept, so
    /// that its place is not used again.
    may_be: RefCell<MayBe<'a>>,
    /// The exceptions that were raised as objects, and those that are handled.
    exceptions: RefCell<Vec<Value<'a>>>,
    handled: RefCell<Vec<Raised>>,
    /// Dictionaries that call something for a key that they have not, and what.
    defaults: RefCell<HashMap<*const (), (Value<'a>, Value<'a>)>>,
    /// Classes of objects with methods that Python runs without a call that names them.
    implicit: RefCell<HashMap<*const (), Rc<Class<'a>>>>,
    /// How much of what was evaluated is not known, and may have raised.
    doubtful: Cell<u64>,
    /// What the generators have given that are run.
    yields: iterators::Given<'a>,
    /// Statements of loops that were run.
    steps: Cell<usize>,
    /// The choices of the unions that `typing` was subscripted with, in their first order.
    unions: RefCell<Vec<KnownUnion<'a>>>,
    /// Why it is not known which module an import means, if so: `sys.path` is changed.
    why_search_unknown: RefCell<Option<Rc<Unknown>>>,
    /// Unknown values, and what each most likely is.
    likely: RefCell<Vec<(Rc<Unknown>, Value<'a>)>>,
    /// The imports that meet a symbolic link which can't be followed, and what is wrong with it.
    pub broken_links: RefCell<Vec<(Location, String)>>,
    /// What the script does as a program, if it is run as one.
    pub program: Option<Program<'a>>,
    /// All scopes: namespaces and the functions in them point at each other.
    scopes: RefCell<Vec<Rc<Scope<'a>>>>,
    /// Ends with the interpreter.
    _run: Run,
}

impl Drop for Interpreter<'_> {
    fn drop(&mut self) {
        drop(self.may_be.take());
        drop(self.escaped.take());
        drop(self.exceptions.take());
        drop(self.defaults.take());
        drop(self.implicit.take());
        units::release(self.scopes.take());
    }
}

impl<'a> Interpreter<'a> {
    /// An interpreter for the script at `path`; `deepest` is how deeply evaluations may be nested.
    pub(crate) fn new(
        library: &'a Library<'a>,
        shelf: &Rc<Shelf<'a>>,
        path: &str,
        deepest: u32,
    ) -> Interpreter<'a> {
        let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
        let mut search: Vec<Text> = vec![directory.into()];
        if !directory.is_empty() {
            search.push("".into());
        }
        Self::with(library, Rc::clone(shelf), search, deepest, Run::outermost())
    }

    /// An interpreter for a module that another one imports.
    fn of_unit(other: &Self, unit: UnitInMaking) -> Interpreter<'a> {
        let (library, shelf) = (other.library, Rc::clone(&other.shelf));
        let search = other.search.clone();
        let mut interpreter = Self::with(library, shelf, search, other.deepest, Run::nested());
        interpreter.unit = Some(unit);
        interpreter.depth.set(other.depth.get());
        interpreter
    }

    fn with(
        library: &'a Library<'a>,
        shelf: Rc<Shelf<'a>>,
        search: Vec<Text>,
        deepest: u32,
        run: Run,
    ) -> Interpreter<'a> {
        Interpreter {
            library,
            shelf,
            search,
            rooted: RefCell::default(),
            imported: RefCell::default(),
            loaded: RefCell::default(),
            taken_over: RefCell::default(),
            looked_at: RefCell::default(),
            script: OnceCell::new(),
            unit: None,
            doubt: RefCell::default(),
            unsure: RefCell::default(),
            dependencies: RefCell::default(),
            at: Cell::default(),
            open_guesses: Cell::new(0),
            depth: Cell::new(0),
            deepest,
            needs_depth: Cell::new(false),
            open_calls: Cell::new(0),
            calls: Cell::new(0),
            factories: Cell::new(0),
            escaped: RefCell::default(),
            may_be: RefCell::default(),
            exceptions: RefCell::default(),
            handled: RefCell::default(),
            defaults: RefCell::default(),
            implicit: RefCell::default(),
            doubtful: Cell::new(0),
            yields: RefCell::default(),
            steps: Cell::new(0),
            unions: RefCell::default(),
            why_search_unknown: RefCell::default(),
            likely: RefCell::default(),
            broken_links: RefCell::default(),
            program: None,
            scopes: RefCell::default(),
            _run: run,
        }
    }

    /// An interpreter for a script that is run as a program.
    pub(crate) fn of_program(
        library: &'a Library<'a>,
        shelf: &Rc<Shelf<'a>>,
        path: &str,
        deepest: u32,
    ) -> Interpreter<'a> {
        let mut interpreter = Interpreter::new(library, shelf, path, deepest);
        interpreter.program = Some(Program::default());
        interpreter
    }

    /// Runs the script.
    ///
    /// # Errors
    /// [`Raised`] if the script certainly raises.
    pub(crate) fn run(&self, path: &str, text: &'a str, body: &'a [Stmt]) -> Evaluated<()> {
        let module = self.make_module(0, module_name(path), path, text, body);
        // Prefect gives the script its directory and the working directory as places of
        // submodules, so that `from .sibling import x` works in it.
        let script = self.new_imported(&module, self.search.clone());
        let scope = Rc::clone(&script.scope);
        scope.set("__doc__", source::docstring(body).map_or(Value::None, Value::text));
        if self.program.is_some() {
            scope.set("__name__", Value::text("__main__"));
        }
        // Before the block runs, because a circular import may ask for the script.
        let _ = self.script.set(script);
        self.block(body, &scope)
    }

    fn new_module(
        &self,
        name: &str,
        path: &str,
        text: &'a str,
        body: &'a [Stmt],
    ) -> Rc<Module<'a>> {
        // Number 0 is the script, whichever it is.
        let number = u32::try_from(self.shelf.modules.borrow().len() + 1).unwrap_or(u32::MAX);
        let module = self.make_module(number, name, path, text, body);
        self.shelf.modules.borrow_mut().push(Rc::clone(&module));
        module
    }

    fn make_module(
        &self,
        number: u32,
        name: &str,
        path: &str,
        text: &'a str,
        body: &'a [Stmt],
    ) -> Rc<Module<'a>> {
        let effects = Effects::of(body);
        // `globals()["x"] = …`, `exec` and the like bind names that no walk over the source finds.
        let inexact = effects.dynamic.map(|(function, at)| {
            Rc::new(Unknown {
                why: format!("the module uses `{function}()`, which can bind any name"),
                at: Location { module: number, at },
                is_flow_like: false,
            })
        });
        let module = Rc::new(Module {
            number,
            name: name.into(),
            path: path.into(),
            text,
            are_annotations_postponed: body.iter().any(source::postpones_annotations),
            inexact: Shared::new(inexact),
            escaped: Shared::default(),
            readers: Shared::default(),
            effects,
        });
        if module.effects.search > SearchChange::Nothing {
            let why = format!(
                "`{path}` changes `sys.path` or `sys.modules`: which module is meant is not known"
            );
            let at = Location { module: number, at: TextSize::new(0) };
            self.why_search_unknown
                .borrow_mut()
                .get_or_insert_with(|| Rc::new(Unknown { why, at, is_flow_like: false }));
        }
        module
    }

    fn new_imported(&self, module: &Rc<Module<'a>>, search: Vec<Text>) -> Rc<Imported<'a>> {
        let scope = self.keep(Scope::module(module));
        // The name differs between a first and a repeated load (docs/facts/python.md,
        // "Loading a script").
        scope.set("__name__", Value::Str(Rc::clone(&module.name)));
        let place = Location { module: module.number, at: TextSize::new(0) };
        let unknown = "`__file__` depends on where the repository is checked out";
        // An absolute path on whichever machine loads the script.
        scope.set(
            "__file__",
            match &self.program {
                Some(_) => Value::made(Made::InCheckout(Rc::clone(&module.path))),
                None => Value::unknown(unknown, place),
            },
        );
        let imported = Rc::new(Imported {
            module: Rc::clone(module),
            scope,
            search,
            is_running: Cell::new(true),
        });
        self.imported.borrow_mut().insert(Rc::clone(&module.name), Rc::clone(&imported));
        self.loaded.borrow_mut().push(Loaded::Module(Rc::clone(&imported)));
        imported
    }

    /// A scope that is taken apart at the end.
    fn keep(&self, scope: Rc<Scope<'a>>) -> Rc<Scope<'a>> {
        self.scopes.borrow_mut().push(Rc::clone(&scope));
        scope
    }

    /// The Python that the project is for.
    pub(crate) fn python(&self) -> Python {
        self.library.layout.python
    }

    /// The script, once it runs.
    pub(crate) fn script(&self) -> Option<&Rc<Imported<'a>>> {
        self.script.get()
    }

    /// The modules of the repository that were imported, the script among them, in the order of their
    /// imports.
    pub(crate) fn imported(&self) -> Vec<Rc<Imported<'a>>> {
        let imported = self.imported.borrow();
        let mut all = self.in_order();
        all.retain(|one| imported.get(&one.module.name).is_some_and(|now| Rc::ptr_eq(now, one)));
        all
    }

    /// The place that is evaluated.
    pub(crate) fn here(&self) -> Location {
        self.at.get()
    }

    pub(crate) fn at(&self, scope: &Scope<'a>, place: TextSize) {
        self.at.set(Location { module: scope.module.number, at: place });
    }

    /// The scope of the module that is evaluated.
    fn scope_here(&self) -> Rc<Scope<'a>> {
        let number = self.here().module;
        let imported = self.imported.borrow();
        let found = imported.values().find(|imported| imported.module.number == number);
        match found.or_else(|| self.script()) {
            Some(imported) => Rc::clone(&imported.scope),
            None => Scope::module(&self.new_module("", "", "", &[])),
        }
    }

    /// File and line of a place, for people.
    pub(crate) fn position(&self, place: Location) -> String {
        self.module_at(place).map_or_else(String::new, |module| {
            format!("{}:{}", module.path, source::line(module.text, place.at))
        })
    }

    fn module_at(&self, place: Location) -> Option<Rc<Module<'a>>> {
        let Some(number) = place.module.checked_sub(1) else {
            return self.script().map(|script| Rc::clone(&script.module));
        };
        self.shelf.modules.borrow().get(usize::try_from(number).ok()?).cloned()
    }

    /// Path, line and column of a place.
    pub(crate) fn line_and_column(&self, place: Location) -> Option<(Text, u32, u32)> {
        let module = self.module_at(place)?;
        let (line, column) = source::position(module.text, place.at.to_usize());
        Some((Rc::clone(&module.path), line, column))
    }

    /// Why no flow of the script is exact, if so.
    pub(crate) fn why_inexact(&self) -> Option<Rc<Unknown>> {
        self.script()?.module.inexact.borrow().clone()
    }

    /// Notes that nothing about `module` is exact. The first reason is kept: later ones often follow
    /// from it.
    fn mark_module_inexact(&self, module: &Module<'a>, why: impl Into<String>) {
        self.note_doubtful();
        let at = self.here();
        module.inexact.fill(|| Rc::new(Unknown { why: why.into(), at, is_flow_like: false }));
    }

    /// Notes that no flow of the script is exact.
    fn mark_script_inexact(&self, why: impl Into<String>) {
        let (why, at) = (why.into(), self.here());
        self.doubt_script(&Rc::new(Unknown { why, at, is_flow_like: false }));
    }

    fn doubt_script(&self, why: &Rc<Unknown>) {
        match self.script() {
            Some(script) => script.module.inexact.fill(|| Rc::clone(why)),
            None => {
                self.doubt.borrow_mut().get_or_insert_with(|| Rc::clone(why));
            }
        }
    }

    /// Notes that the script can't be read by every Python that the project may run on. This reason
    /// replaces others: whoever reads it can do something about it.
    pub(crate) fn mark_version_dependent(&self, error: &source::SyntaxError) {
        let at = TextSize::try_from(error.at).unwrap_or_default();
        if let Some(script) = self.script() {
            let at = Location { module: script.module.number, at };
            let unknown = Unknown { why: error.message.clone(), at, is_flow_like: false };
            *script.module.inexact.borrow_mut() = Some(Rc::new(unknown));
        }
    }

    /// Notes that something is not known that may have raised.
    fn note_doubtful(&self) {
        self.doubtful.set(self.doubtful.get() + 1);
    }

    pub(crate) fn unknown(&self, why: impl Into<String>) -> Value<'a> {
        self.note_doubtful();
        Value::unknown(why, self.here())
    }

    fn raise<T>(&self, kind: &str, message: impl Into<String>) -> Evaluated<T> {
        let (kind, message) = (kind.to_owned(), message.into());
        Err(Box::new(Raised { kind, message, at: self.here(), through: None, object: None }))
    }

    /// Runs an evaluation, or `too_deep` if the stack might not hold one level more. The caller may
    /// then analyse again on a larger stack.
    fn deeper<T>(&self, evaluation: impl FnOnce() -> T, too_deep: impl FnOnce() -> T) -> T {
        let depth = self.depth.get();
        if depth >= self.deepest {
            self.needs_depth.set(true);
            return too_deep();
        }
        self.depth.set(depth + 1);
        let outcome = evaluation();
        self.depth.set(depth);
        outcome
    }

    /// Parses a quoted annotation.
    pub(crate) fn parse_annotation(&self, text: &str) -> Option<&'a Expr> {
        self.library.annotation(text)
    }
}

/// The name under which Prefect imports a file: its stem.
fn module_name(path: &str) -> &str {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.strip_suffix(".py").unwrap_or(file)
}

/// A value where a type stands: strings are forward references.
pub(crate) fn as_type(value: Value<'_>) -> Value<'_> {
    match value {
        Value::Str(text) => Value::of_type(Type::Forward(text)),
        other => other,
    }
}

/// What is said of evaluations that are nested too deeply.
const TOO_DEEP: &str = nesting::TOO_DEEP;
