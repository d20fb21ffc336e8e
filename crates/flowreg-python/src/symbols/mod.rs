//! What is known of the standard library, pydantic and Prefect without running them.
//!
//! A symbol is its canonical path (`typing.List`, `pydantic.Field`, `prefect.flow`). The tables
//! hold what real modules have; checked with Python 3.11, pydantic 2.14 and Prefect 3.8.

mod closed;
mod modules;
pub(crate) mod names;
mod opaque;

pub(crate) use closed::{may_lack, may_lack_module};

use std::borrow::Cow;
use std::rc::Rc;

use super::default::std_value::StdValue;
use super::python::Python;
use super::value::{Location, Value};

/// Installed packages whose names are in the tables.
const KNOWN_PACKAGES: &[&str] = &[
    "annotated_types",
    "prefect",
    "pydantic",
    "pydantic_core",
    "pydantic_settings",
    "typing_extensions",
];

/// Whether a module, by its dotted name, is known without reading it: one of the standard
/// library, of pydantic or of Prefect. All others are of the repository or installed.
pub fn is_known_module(path: &str) -> bool {
    let top = path.split('.').next().unwrap_or(path);
    is_standard(top) || KNOWN_PACKAGES.contains(&top)
}

/// Whether `top` is a top-level module of the standard library.
pub(crate) fn is_standard(top: &str) -> bool {
    names::MODULES.binary_search(&top).is_ok() || top == "__future__"
}

/// Whether Prefect itself imports this module of the standard library, so that a file of the same
/// name in the repository is never reached.
pub(crate) fn is_loaded_by_prefect(top: &str) -> bool {
    names::LOADED.binary_search(&top).is_ok()
}

/// A builtin by its name.
pub(crate) fn builtin<'a>(name: &str) -> Option<Value<'a>> {
    match name {
        "Ellipsis" => Some(Value::Ellipsis),
        // Not a class or function: an object of its own without JSON form.
        "NotImplemented" => Some(Value::opaque("NotImplemented")),
        "__debug__" => Some(Value::Bool(true)),
        // Names that every module has without binding them.
        "__build_class__" | "__import__" | "__loader__" | "__spec__" | "__package__"
        | "__builtins__" | "__annotations__" | "__cached__" => {
            Some(Value::Symbol(format!("builtins.{name}").into()))
        }
        _ if names::BUILTINS.binary_search(&name).is_ok() => {
            Some(Value::Symbol(format!("builtins.{name}").into()))
        }
        _ => None,
    }
}

/// One path for all the ways a symbol can be reached.
pub(crate) fn canonical(path: &str) -> Cow<'_, str> {
    let Some((module, leaf)) = path.rsplit_once('.') else { return path.into() };
    match module {
        // `typing_extensions` re-exports `typing`, except for its own `TypedDict`, which pydantic
        // takes on every Python.
        "typing_extensions" if leaf != "TypedDict" => format!("typing.{leaf}").into(),
        "prefect.flows" | "prefect.main" if matches!(leaf, "flow" | "Flow") => {
            format!("prefect.{leaf}").into()
        }
        "prefect.tasks" | "prefect.main" if matches!(leaf, "task" | "Task") => {
            format!("prefect.{leaf}").into()
        }
        "posixpath" | "ntpath" => format!("os.path.{leaf}").into(),
        _ if is_pydantic_part(module) && names::PYDANTIC.binary_search(&leaf).is_ok() => {
            format!("pydantic.{leaf}").into()
        }
        _ => path.into(),
    }
}

fn is_pydantic_part(module: &str) -> bool {
    module.strip_prefix("pydantic.").is_some_and(|rest| {
        !matches!(rest.split('.').next(), Some("v1" | "dataclasses" | "deprecated"))
    })
}

/// The value of `path`, which is reached by an import or an attribute; `None` if its module
/// certainly has no such name.
pub(crate) fn value<'a>(path: &str, at: Location, python: Python) -> Option<Value<'a>> {
    // The tables hold the names of 3.11 and later.
    if python.at_least(11) == Some(true) && is_missing(path) {
        return None;
    }
    match came_with(path).map(|minor| (minor, python.lacks(minor))) {
        Some((_, Some(true))) => return None,
        Some((minor, None)) => {
            return Some(Value::unknown(format!("`{path}` came with Python 3.{minor}"), at));
        }
        _ => {}
    }
    let path = canonical(path);
    if path.starts_with("sys.version_info") {
        return Some(version_info(&path, at, python));
    }
    if let Some(constant) = constant(&path) {
        return Some(constant);
    }
    if let Some(why) = machine_dependent(&path) {
        return Some(Value::unknown(why, at));
    }
    // `datetime.now()` on the module instead of the class is a common mistake, and certain to
    // raise.
    if let Some(("datetime", leaf)) = path.rsplit_once('.')
        && names::DATETIME.binary_search(&leaf).is_err()
        && !leaf.starts_with('_')
    {
        return None;
    }
    Some(Value::symbol(&path))
}

/// The version of Python 3 that a name of the standard library came with, if it is a new one.
pub(crate) fn came_with(path: &str) -> Option<u8> {
    let at = modules::NEWER.binary_search_by_key(&path, |(known, _)| *known).ok()?;
    modules::NEWER.get(at).map(|(_, minor)| *minor)
}

/// The version of Python 3 that no longer has a module of the standard library.
pub(crate) fn was_removed_with(top: &str) -> Option<u8> {
    modules::REMOVED.iter().find(|(_, names)| names.contains(&top)).map(|(minor, _)| *minor)
}

/// Whether a module, all of whose names are known, has no such one.
fn is_missing(path: &str) -> bool {
    let Some((module, leaf)) = path.rsplit_once('.') else { return false };
    let known = modules::NAMES.binary_search_by_key(&module, |(module, _)| *module).ok();
    known
        .and_then(|at| modules::NAMES.get(at))
        .is_some_and(|(_, names)| !leaf.starts_with('_') && names.binary_search(&leaf).is_err())
}

fn constant<'a>(path: &str) -> Option<Value<'a>> {
    Some(match path {
        "math.pi" => Value::Float(std::f64::consts::PI),
        "math.e" => Value::Float(std::f64::consts::E),
        "math.tau" => Value::Float(std::f64::consts::TAU),
        "math.inf" => Value::Float(f64::INFINITY),
        "math.nan" => Value::Float(f64::NAN),
        "string.ascii_lowercase" => Value::text("abcdefghijklmnopqrstuvwxyz"),
        "string.ascii_uppercase" => Value::text("ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
        "string.ascii_letters" => {
            Value::text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
        }
        "string.digits" => Value::text("0123456789"),
        "string.hexdigits" => Value::text("0123456789abcdefABCDEF"),
        "string.octdigits" => Value::text("01234567"),
        "string.punctuation" => Value::text("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
        "datetime.UTC" | "datetime.timezone.utc" => Value::Std(StdValue::Zone(0)),
        "datetime.MINYEAR" => Value::int(1),
        "datetime.MAXYEAR" => Value::int(9999),
        // Imports behind it are for type checkers and never run.
        "typing.TYPE_CHECKING" => Value::Bool(false),
        _ => return None,
    })
}

/// `sys.version_info` and its parts; which patch release it is, no project says.
fn version_info<'a>(path: &str, at: Location, python: Python) -> Value<'a> {
    let unknown = |why: &str| Value::unknown(format!("`sys.version_info`: {why}"), at);
    let minor = match python {
        Python::Exactly(minor) => Value::int(i128::from(minor)),
        Python::Assumed => Value::int(i128::from(python.oldest())),
        Python::AtLeast(minor) => {
            unknown(&format!("the project allows any Python from 3.{minor} on"))
        }
    };
    match path {
        "sys.version_info.major" => Value::int(3),
        "sys.version_info.minor" => minor,
        "sys.version_info" => {
            let patch = unknown("the patch release depends on where the module runs");
            Value::tuple(vec![Value::int(3), minor, patch, Value::text("final"), Value::int(0)])
        }
        _ => unknown("it depends on where the module runs"),
    }
}

/// Why a value of the standard library differs from machine to machine or run to run.
fn machine_dependent(path: &str) -> Option<String> {
    let is_environment = matches!(path, "os.environ" | "os.environb")
        || path.starts_with("os.environ.")
        || path.starts_with("os.environb.");
    if is_environment {
        return Some("it depends on the environment (`os.environ`)".to_owned());
    }
    let depends_on_machine = path.starts_with("sys.flags")
        || matches!(
            path,
            "sys.platform"
                | "sys.argv"
                | "sys.path"
                | "sys.modules"
                | "sys.executable"
                | "sys.version"
                | "sys.prefix"
                | "sys.maxsize"
                | "sys.byteorder"
                | "os.name"
                | "os.sep"
                | "os.linesep"
                | "os.pathsep"
        );
    depends_on_machine.then(|| format!("`{path}` depends on where the module runs"))
}

/// Why calling a function of the standard library gives another answer each time, if it does.
pub(crate) fn volatile(path: &str) -> Option<&'static str> {
    Some(match path {
        "datetime.date.today" | "datetime.datetime.today" => "it changes from day to day",
        "datetime.datetime.now"
        | "datetime.datetime.utcnow"
        | "time.time"
        | "time.time_ns"
        | "time.strftime"
        | "time.localtime"
        | "time.gmtime"
        | "time.monotonic" => "it changes with the time",
        "uuid.uuid1" | "uuid.uuid4" => "it is different on every run",
        "os.getenv" | "os.environ.get" => "it depends on the environment",
        "os.getcwd"
        | "pathlib.Path.cwd"
        | "pathlib.Path.home"
        | "os.path.expanduser"
        | "os.path.abspath"
        | "os.getpid"
        | "platform.system"
        | "socket.gethostname"
        | "platform.node"
        | "getpass.getuser"
        | "tempfile.gettempdir"
        | "os.cpu_count" => "it depends on where the module runs",
        _ if path.starts_with("random.") || path.starts_with("secrets.") => {
            "it is different on every run"
        }
        _ => return None,
    })
}

/// Whether the class is one that pydantic leaves unconstrained.
pub(crate) fn is_opaque_class(path: &str) -> bool {
    let Some((module, class)) = path.rsplit_once('.') else { return false };
    let Ok(at) = opaque::OPAQUE.binary_search_by(|(name, _)| (*name).cmp(module)) else {
        return false;
    };
    opaque::OPAQUE.get(at).is_some_and(|(_, classes)| classes.binary_search(&class).is_ok())
}

/// Whether the symbol is certainly a class or function, which has no JSON form.
pub(crate) fn has_no_json(path: &str) -> bool {
    let Some((module, leaf)) = path.rsplit_once('.') else { return false };
    is_opaque_class(path)
        || match module {
            "builtins" | "builtins.str" | "builtins.bytes" | "builtins.list" | "builtins.dict"
            | "builtins.set" | "builtins.int" | "builtins.float" | "operator" => {
                !leaf.starts_with("__")
            }
            "math" => {
                !matches!(leaf, "pi" | "e" | "tau" | "inf" | "nan") && !leaf.starts_with("__")
            }
            "json" => matches!(leaf, "dump" | "dumps" | "load" | "loads"),
            "os.path" => matches!(leaf, "join" | "basename" | "dirname" | "abspath" | "exists"),
            "datetime" => !leaf.contains("YEAR"),
            "typing" | "collections" | "collections.abc" | "pydantic" => true,
            "decimal" => leaf == "Decimal",
            "uuid" => leaf == "UUID",
            "pathlib" => leaf.starts_with(|first: char| first.is_ascii_uppercase()),
            "prefect" => matches!(leaf, "flow" | "task" | "Flow" | "Task"),
            _ => false,
        }
}

/// Names that a star import binds; `None` if the module is not known that well.
pub(crate) fn star(module: &str) -> Option<Vec<Rc<str>>> {
    let listed = match module {
        "typing" => names::TYPING,
        "pydantic" => names::PYDANTIC,
        "prefect" => names::PREFECT,
        "datetime" => names::DATETIME_STAR,
        "enum" => names::ENUM,
        "dataclasses" => names::DATACLASSES,
        _ => return None,
    };
    Some(listed.iter().map(|name| Rc::from(*name)).collect())
}

/// Whether Python binds a name like this in a module, a class body or a method without any statement.
pub(crate) fn is_bound_silently(name: &str) -> bool {
    is_of_every_module(name) || matches!(name, "__qualname__" | "__module__" | "__class__")
}

/// Whether Python gives modules an attribute of this name by itself.
pub(crate) fn is_of_every_module(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "__annotations__",
        "__builtins__",
        "__cached__",
        "__dict__",
        "__loader__",
        "__package__",
        "__path__",
        "__spec__",
    ];
    NAMES.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_for_the_search() {
        for table in [names::MODULES, names::BUILTINS, names::PYDANTIC, names::DATETIME] {
            assert!(table.is_sorted());
        }
        assert!(opaque::OPAQUE.is_sorted_by_key(|(module, _)| *module));
        assert!(opaque::OPAQUE.iter().all(|(_, classes)| classes.is_sorted()));
    }

    #[test]
    fn a_symbol_has_one_path_however_it_is_reached() {
        assert_eq!(canonical("prefect.flows.flow"), "prefect.flow");
        assert_eq!(canonical("typing_extensions.Annotated"), "typing.Annotated");
        assert_eq!(canonical("pydantic.main.BaseModel"), "pydantic.BaseModel");
        assert_eq!(canonical("pydantic.v1.BaseModel"), "pydantic.v1.BaseModel");
    }
}
