//! What code reaches that it is not given: modules of the repository by their names, and anything through
//! the interpreter itself (frames, the garbage collector, memory, texts that are run).

use std::rc::Rc;

use ruff_python_ast::{Expr, StmtFor};

use super::{Evaluated, Interpreter};
use crate::symbols;
use crate::touched::{Touched, names_shared};
use crate::value::{Imported, Keywords, MOST_PARTS, Value};

/// Functions by whose results the names of any module that is running can be reached.
const GIVES_FRAMES: &[&str] = &[
    "inspect.currentframe",
    "inspect.getinnerframes",
    "inspect.getouterframes",
    "inspect.stack",
    "inspect.trace",
    "sys._current_frames",
    "sys._getframe",
    "sys.exc_info",
    "sys.exception",
    "traceback.walk_stack",
    "traceback.walk_tb",
];

/// Functions that run texts, or reach objects that nobody gives them.
const REACHES_ALL: &[&str] = &[
    "builtins.eval",
    "builtins.exec",
    "code.InteractiveConsole",
    "code.InteractiveInterpreter",
    "code.interact",
    "gc.get_objects",
    "gc.get_referents",
    "gc.get_referrers",
    "timeit.Timer",
    "timeit.repeat",
    "timeit.timeit",
];

/// Attributes that lead from an object to a frame, or to the names of its module.
const TO_FRAMES: &[&str] =
    &["__traceback__", "ag_frame", "cr_frame", "f_back", "gi_frame", "tb_frame", "tb_next"];

/// Attributes that say what an object is. Who sets them makes another object of it.
const IDENTITY: &[&str] = &["__bases__", "__class__", "__dict__", "__mro__"];

fn reaches_all(path: &str) -> bool {
    REACHES_ALL.contains(&path) || path.starts_with("ctypes.") || path.contains(".__dict__")
}

/// Whether a function sets attributes of what it is given, or of what it is given the name of.
fn is_patching(path: &str) -> bool {
    path.starts_with("unittest.mock.")
}

/// Whether a call of a symbol sets attributes of what it is given.
pub(super) fn sets_attributes(path: &str) -> bool {
    path.ends_with(".__setattr__")
        || path.ends_with(".__delattr__")
        || matches!(path, "builtins.setattr" | "builtins.delattr")
        || is_patching(path)
}

impl<'a> Interpreter<'a> {
    /// A call of a symbol that reaches more than it is given; `None` if it is no such.
    pub(super) fn call_reaching(
        &self,
        path: &str,
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
    ) -> Evaluated<Option<Value<'a>>> {
        if let Some(method) =
            path.strip_prefix("builtins.object.").or_else(|| path.strip_prefix("builtins.type."))
            && matches!(method, "__setattr__" | "__delattr__")
        {
            match arguments {
                [owner, Value::Str(name), value] if method == "__setattr__" => {
                    self.set_attribute(owner, name, value)?;
                }
                _ => self.lose_given(arguments, keywords, "attributes of it are set"),
            }
            return Ok(Some(Value::None));
        }
        if GIVES_FRAMES.contains(&path) {
            return Ok(Some(self.anything(&format!("`{path}()` may lead to any module"))));
        }
        if reaches_all(path) {
            self.note_reach(path);
        }
        Ok(None)
    }

    /// Notes that code which is not run calls a symbol.
    pub(super) fn note_reaching_call(&self, path: &str) {
        if reaches_all(path) || GIVES_FRAMES.contains(&path) || is_patching(path) {
            self.note_reach(path);
        }
    }

    fn note_reach(&self, path: &str) {
        let name = path.trim_start_matches("builtins.");
        self.doubt_values(format!("`{name}()` may change anything"));
    }

    /// An unknown value that may be any module which was imported so far, or what such a module holds.
    fn anything(&self, why: &str) -> Value<'a> {
        let unknown = self.unknown(why);
        self.note_may_be(&unknown, self.imported().into_iter().map(Value::Module));
        unknown
    }

    /// An attribute that leads to the names of modules; `None` if it is no such.
    pub(super) fn reaching_attribute(&self, owner: &Value<'a>, name: &str) -> Option<Value<'a>> {
        match (owner, name) {
            (Value::Function(function), "__globals__") => {
                let number = function.scope.module.number;
                let mut imported = self.imported().into_iter();
                let module = imported.find(|known| known.module.number == number)?;
                Some(Value::Bound(Rc::new((Value::Module(module), "__dict__".into()))))
            }
            (Value::Function(_), "__closure__") => {
                self.doubt_values("`__closure__` leads to the variables of a function");
                None
            }
            (Value::Symbol(path), "modules") if &**path == "sys" => {
                Some(self.anything("`sys.modules` depends on where the module runs"))
            }
            (Value::Unknown(_) | Value::External(_) | Value::Module(_) | Value::Class(_), _) => {
                None
            }
            _ if TO_FRAMES.contains(&name) => {
                Some(self.anything(&format!("`{name}` may lead to any module")))
            }
            _ => None,
        }
    }

    /// Notes that an attribute is set which makes another object of its owner, or of those that it makes.
    pub(super) fn note_identity_change(&self, owner: &Value<'a>, name: &str, value: &Value<'a>) {
        if IDENTITY.contains(&name) {
            let why = format!("`{name}` of an object is set");
            let given = [owner.clone(), value.clone()];
            self.lose_given(&given, &Keywords::new(), &why);
            self.doubt_values(why);
        }
    }

    /// Notes what a library may do with functions and objects that it is given, though it leaves data as it
    /// is: it may call them.
    pub(super) fn lose_code(&self, path: &str, arguments: &[Value<'a>], keywords: &Keywords<'a>) {
        let is_builtin = path.starts_with("builtins.");
        let positional = arguments.iter().filter(|_| !is_builtin);
        for value in positional.chain(keywords.iter().map(|(_, value)| value)) {
            let is_code = match value {
                Value::Function(_) | Value::Partial(_) | Value::Bound(_) | Value::Class(_) => true,
                Value::Opaque(opaque) => opaque.class.is_some(),
                _ => false,
            };
            if is_code {
                self.lose(value, &format!("`{path}()` may call it"));
            }
        }
    }

    /// Notes what a call that is not followed may do to modules of the repository whose names it is given
    /// as text (`patch("package.module.name", …)`, `{"class": "package.module.Handler"}`): it may import
    /// them, and call or set what they have.
    pub(super) fn lose_named(
        &self,
        callee: &str,
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
    ) {
        if self.program.is_some() {
            return;
        }
        let mut budget = MOST_PARTS;
        for value in arguments.iter().chain(keywords.iter().map(|(_, value)| value)) {
            self.lose_named_in(callee, value, &mut budget);
        }
    }

    fn lose_named_in(&self, callee: &str, value: &Value<'a>, budget: &mut u32) {
        let Some(rest) = budget.checked_sub(1) else { return };
        *budget = rest;
        match value {
            Value::Str(text) if is_path(text) => self.lose_module_named(callee, text),
            Value::List(_) | Value::Tuple(_) | Value::Set(_) | Value::Dict(_) => {
                let parts = value.parts().into_iter();
                parts.for_each(|part| self.lose_named_in(callee, part, budget));
            }
            _ => {}
        }
    }

    fn lose_module_named(&self, callee: &str, text: &str) {
        let path = text.replace(':', ".");
        let top = path.split('.').next().unwrap_or(&path);
        if symbols::is_known_module(top) {
            if is_patching(callee) {
                self.doubt_values(format!("`{callee}()` sets `{text}`"));
            }
            return;
        }
        if !self.is_ours(top) {
            return;
        }
        self.may_load(&path);
        let Some((module, rest)) = self.nearest_imported(&path) else {
            // A name alone imports a module; only what is in it can be set or called.
            if path != top {
                self.doubt_values(format!(
                    "`{callee}` is given the name `{text}`, which is imported later"
                ));
            }
            return;
        };
        let why = format!("`{callee}` is given the name `{text}` and may change it");
        let mut rest = rest.split('.').filter(|part| !part.is_empty());
        let held = rest.next().and_then(|name| Some((name, module.scope.own(name)?)));
        match held {
            Some((name, held)) => {
                self.lose_given(std::slice::from_ref(&held), &Keywords::new(), &why);
                if rest.next().is_none() {
                    let unknown = self.unknown_of_kind(why, held.is_flow_like());
                    self.note_may_be(&unknown, [held]);
                    module.scope.set(name, unknown);
                }
            }
            None if path == *module.module.name && !is_patching(callee) => {}
            None => self.lose_given(&[Value::Module(module)], &Keywords::new(), &why),
        }
    }

    /// The module of this name, or the package nearest to it, if it is imported, and what follows its name.
    fn nearest_imported<'p>(&self, path: &'p str) -> Option<(Rc<Imported<'a>>, &'p str)> {
        let imported = self.imported.borrow();
        let ends = path.rmatch_indices('.').map(|(at, _)| at);
        std::iter::once(path.len()).chain(ends).find_map(|end| {
            let (name, rest) = path.split_at_checked(end)?;
            Some((Rc::clone(imported.get(name)?), rest))
        })
    }

    /// Notes what a loop that is not run may change of what it goes through.
    pub(super) fn lose_iterated(&self, each: &'a StmtFor, iterated: &Value<'a>) {
        if !matches!(iterated, Value::Unknown(_)) {
            return;
        }
        let touched = Touched::of(&each.body);
        let mut owners = touched.called.iter().flat_map(|(_, owners)| owners);
        let is_changed = |name: &&str| {
            touched.names.contains(name)
                || touched.attributed.contains(name)
                || owners.any(|owner| owner == name)
        };
        if target_names(&each.target).iter().any(is_changed) {
            self.lose(iterated, "a loop that is not followed may change it");
        }
    }
}

fn target_names(target: &Expr) -> Vec<&str> {
    names_shared(target)
}

/// Whether a text may name a module or something in it: words with dots between them, as
/// `package.module`, or `package.module:name`.
fn is_path(text: &str) -> bool {
    let is_word = |word: &str| {
        let starts = word.starts_with(|first: char| first.is_alphabetic() || first == '_');
        starts && word.chars().all(|char| char.is_alphanumeric() || char == '_')
    };
    text.split(['.', ':']).all(is_word)
}
