//! Calls: what is called decides where the rules are. Those of Prefect are here, those of pydantic in
//! [`super::pydantic`], those of the standard library in [`super::standard`], and functions of the
//! repository are run by [`super::inline`].

use std::rc::Rc;

use super::certain::{class_name, is_not_callable};
use super::equality::{combined, distinct};
use super::functional::TAKING_METHODS;
use super::iterators::contained;
use super::mutations::Change;
use super::objects::{accessor, is_followed};
use super::possible_imports::imports_by_name;
use super::reach::sets_attributes;
use super::{Evaluated, Interpreter, TOO_DEEP};
use crate::touched::{is_reading_builtin, is_reading_method};
use crate::value::{
    Class, DataclassOptions, Entries, FlowObject, Keywords, Lost, Partial, Shared, Type, Value,
    keyword, not_read, own_affair, set_keyword,
};

/// Why an object is lost that is given to something unknown.
const GIVEN: &str = "it is given to code that is not known, which may change it";

/// Modules of the standard library whose functions leave what they are given as it is, and keep
/// nothing of it.
const READING_MODULES: &[&str] = &[
    "base64",
    "datetime",
    "decimal",
    "fractions",
    "hashlib",
    "ipaddress",
    "json",
    "logging",
    "math",
    "os",
    "pathlib",
    "platform",
    "re",
    "string",
    "textwrap",
    "time",
    "urllib",
    "uuid",
    "warnings",
];

/// Methods of lists and dictionaries that compare nothing.
const PLACING_METHODS: &[&str] =
    &["append", "clear", "copy", "extend", "insert", "items", "keys", "reverse", "values"];

fn is_reading_symbol(path: &str) -> bool {
    match path.strip_prefix("builtins.") {
        Some(name) => is_reading_builtin(name),
        // These make and call what is named in their configuration.
        None if path.starts_with("logging.config.") => false,
        None => path.split('.').next().is_some_and(|module| READING_MODULES.contains(&module)),
    }
}

/// Whether a method may change its object, or keep what it is given.
fn may_change(owner: &Value<'_>, method: &str) -> bool {
    match owner {
        Value::List(_) | Value::Set(_) | Value::Dict(_) | Value::View(_) => {
            !is_reading_method(method)
        }
        Value::Instance(_) => !matches!(method, "model_dump" | "model_dump_json"),
        Value::Opaque(opaque) => {
            !matches!(opaque.what, "a logger" | "property" | "cached property")
        }
        Value::Str(_)
        | Value::Bytes(_)
        | Value::Tuple(_)
        | Value::Std(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Bool(_)
        | Value::None => false,
        _ => true,
    }
}

fn is_iterator(value: &Value<'_>) -> bool {
    matches!(value, Value::Iterator(_))
}

impl<'a> Interpreter<'a> {
    pub(super) fn call(
        &self,
        callee: &Value<'a>,
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
    ) -> Evaluated<Value<'a>> {
        self.deeper(
            || self.called_value(callee, arguments, keywords),
            || {
                self.lose(callee, TOO_DEEP);
                self.lose_given(arguments, keywords, TOO_DEEP);
                Ok(self.unknown(TOO_DEEP))
            },
        )
    }

    fn called_value(
        &self,
        callee: &Value<'a>,
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
    ) -> Evaluated<Value<'a>> {
        Ok(match callee {
            Value::Symbol(path) => return self.call_symbol(path, arguments, keywords),
            Value::FlowDecorator(options) => {
                let mut options = (**options).clone();
                // `flow(retries=2)(fn, …)`: later keywords win.
                for (name, value) in keywords {
                    set_keyword(&mut options, name, value.clone());
                }
                return self.make_flow(options, arguments);
            }
            Value::Partial(partial) => {
                let mut all = partial.arguments.clone();
                all.extend(arguments.iter().cloned());
                let mut options = partial.keywords.clone();
                for (name, value) in keywords {
                    set_keyword(&mut options, name, value.clone());
                }
                return self.call(&partial.function, &all, &options);
            }
            Value::Bound(bound) => return self.call_method(bound, arguments, keywords),
            Value::Dataclassing(options) => self.apply_dataclass(options, arguments),
            Value::Class(class) => {
                let made = self.instantiate(class, arguments, keywords)?;
                // Its own code has them.
                let is_followed =
                    matches!(&made, Value::Instance(_) | Value::Member(_)) || is_followed(class);
                if !is_followed {
                    self.lose_given(arguments, keywords, GIVEN);
                }
                made
            }
            Value::Type(expression) => match &**expression {
                Type::Named(_) => {
                    // At run time a `NewType` gives back what it is given.
                    arguments.first().cloned().unwrap_or_else(|| self.unknown("a `NewType`"))
                }
                Type::Generic(Value::Class(class), _) => {
                    return self.instantiate(class, arguments, keywords);
                }
                _ => self.unknown("calling a type expression"),
            },
            Value::Function(function) => return self.call_function(function, arguments, keywords),
            Value::External(path) => {
                let why = format!("it is given to `{path}`, which may change it");
                self.lose_given(arguments, keywords, &why);
                self.lose_named(path, arguments, keywords);
                let why = format!("what it returns is not known: {}", not_read(path));
                let is_flow_like =
                    // A flow that went through a package's decorator is most likely a flow still.
                    // That is said to the user instead of hidden.
                    path.ends_with(".with_options") || arguments.iter().any(Value::is_flow_like);
                self.unknown_of_kind(why, is_flow_like)
            }
            Value::Unknown(unknown) => {
                self.lose(callee, GIVEN);
                self.lose_given(arguments, keywords, GIVEN);
                self.lose_named("something that is not known", arguments, keywords);
                let is_flow_like =
                    unknown.is_flow_like || arguments.iter().any(Value::is_flow_like);
                let made = self.unknown_of_kind(unknown.why.clone(), is_flow_like);
                self.note_likely(&made, self.likely_call(callee, arguments, keywords));
                made
            }
            Value::Opaque(opaque) if opaque.what == "validator" => {
                self.lose_arguments(arguments, keywords, "a validator may change it");
                Value::opaque("validator")
            }
            Value::Opaque(opaque) if opaque.what == "computed field maker" => {
                self.lose_arguments(arguments, keywords, "a computed field may change it");
                Value::opaque("computed field")
            }
            Value::Opaque(opaque) if opaque.what == "a cached function" => {
                return self.call_cached(callee, arguments, keywords);
            }
            Value::Opaque(opaque) if opaque.class.is_some() && opaque.attributes.is_some() => {
                return self.called_object(callee, arguments, keywords).unwrap_or_else(|| {
                    let class = opaque.class.as_ref().map_or("", |class| &*class.name);
                    self.raise("TypeError", format!("'{class}' object is not callable"))
                });
            }
            Value::Opaque(opaque) if opaque.what == "task options" => self.made_task(arguments),
            Value::Opaque(opaque) if matches!(opaque.what, "property" | "cached property") => {
                return self.raise("TypeError", "'property' object is not callable");
            }
            other if is_not_callable(other) => {
                let class = class_name(other);
                return self.raise("TypeError", format!("'{class}' object is not callable"));
            }
            Value::Opaque(opaque) if opaque.what == "task" => {
                self.lose(callee, GIVEN);
                self.lose_given(arguments, keywords, GIVEN);
                self.mark_script_inexact("a task is run while the module is imported");
                self.unknown("a task is run while the module is imported")
            }
            // Calling a flow runs it, while the module is imported.
            Value::Flow(_) => {
                self.lose(callee, "a flow that is run may change it");
                self.lose_arguments(arguments, keywords, "a flow that is run may change it");
                self.unknown("a flow is run while the module is imported")
            }
            other => {
                self.lose(other, GIVEN);
                self.lose_arguments(arguments, keywords, GIVEN);
                self.lose_named("an object", arguments, keywords);
                self.unknown_because(other, "a call of such an object")
            }
        })
    }

    pub(super) fn call_symbol(
        &self,
        path: &str,
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
    ) -> Evaluated<Value<'a>> {
        if let Some(value) = self.program_symbol(path, arguments, keywords) {
            return value;
        }
        if imports_by_name(path) {
            if let Some(imported) = self.imported_by_name(path, arguments, keywords) {
                return imported;
            }
            self.import_by_name(path, arguments.first());
        }
        let families =
            [Self::call_reaching, Self::call_functional, Self::call_reflection, Self::call_library];
        for family in families {
            if let Some(value) = family(self, path, arguments, keywords)? {
                return Ok(value);
            }
        }
        Ok(match path {
            "prefect.flow" => return self.make_flow(keywords.clone(), arguments),
            "prefect.Flow" => {
                // `Flow(fn, name, version)` takes these by position, too.
                let mut options = keywords.clone();
                for (name, value) in ["fn", "name", "version"].iter().zip(arguments) {
                    set_keyword(&mut options, name, value.clone());
                }
                let function = keyword(&options, "fn").cloned();
                options.retain(|(name, _)| &**name != "fn");
                match function {
                    Some(Value::Str(_)) | None => {
                        self.unknown("`Flow(\"name\")` is the form of Prefect 1")
                    }
                    Some(function) => {
                        return self.make_flow(options, std::slice::from_ref(&function));
                    }
                }
            }
            // Tasks are of no interest here, but they must not look like flows, nor like something
            // unknown.
            "prefect.task" if arguments.is_empty() => Value::opaque("task options"),
            "prefect.task" => self.made_task(arguments),
            "functools.partial" => match arguments.split_first() {
                Some((function, rest)) => Value::Partial(Rc::new(Partial {
                    function: function.clone(),
                    arguments: rest.to_vec(),
                    keywords: keywords.clone(),
                })),
                None => return self.raise("TypeError", "partial expected at least 1 argument"),
            },
            "functools.wraps" => match arguments {
                [wrapped] => {
                    let mut keywords = keywords.clone();
                    // In CPython `wraps(f)` is `partial(update_wrapper, wrapped=f)`.
                    set_keyword(&mut keywords, "wrapped", wrapped.clone());
                    Value::Partial(Rc::new(Partial {
                        function: Value::symbol("functools.update_wrapper"),
                        arguments: Vec::new(),
                        keywords,
                    }))
                }
                _ => self.unknown("`functools.wraps` without one function"),
            },
            "typing.TypeVar" if arguments.len() == 2 => {
                return self.raise("TypeError", "A single constraint is not allowed");
            }
            // `str.lower(text)`: a method that is called on its class.
            _ if let Some((class, method)) =
                path.strip_prefix("builtins.").and_then(|path| path.split_once('.'))
                && let Some((owner, rest)) = arguments.split_first()
                && class_name(owner) == class
                && !method.starts_with("__") =>
            {
                return self.call_method(&(owner.clone(), method.into()), rest, keywords);
            }
            "builtins.object.__new__" | "builtins.str.__new__" | "builtins.int.__new__" => {
                match arguments {
                    [Value::Class(class), ..]
                        if class.kind.get() == crate::value::ClassKind::Enum
                            || (is_followed(class) && path == "builtins.object.__new__") =>
                    {
                        self.bare_object(class)
                    }
                    _ => {
                        self.lose_arguments(arguments, keywords, GIVEN);
                        self.unknown("an object that is made by `object.__new__`")
                    }
                }
            }
            "builtins.object.__init__" | "builtins.object.__init_subclass__"
                if arguments.len() == 1 && keywords.is_empty() =>
            {
                Value::None
            }
            "functools.update_wrapper" => self.update_wrapper(arguments, keywords),
            "sys.exit" | "builtins.exit" | "builtins.quit" | "os._exit" | "os.abort" => {
                return self.raise("SystemExit", "the module ends the interpreter");
            }
            _ if path.starts_with("prefect.") => {
                self.lose_arguments(arguments, keywords, GIVEN);
                let is_flow = arguments.iter().any(Value::is_flow_like);
                self.unknown_of_kind(own_affair(path), is_flow)
            }
            _ if path.starts_with("pydantic")
                || path.starts_with("annotated_types.")
                || path == "typing_extensions.TypedDict" =>
            {
                let value = self.call_pydantic(path, arguments, keywords);
                if matches!(value, Value::Unknown(_)) {
                    self.lose_arguments(arguments, keywords, GIVEN);
                    self.lose_named(path, arguments, keywords);
                }
                value
            }
            _ => {
                self.note_implicit_use(arguments);
                let value = self.call_standard(path, arguments, keywords);
                if is_reading_symbol(path) {
                    self.lose_code(path, arguments, keywords);
                } else if matches!(value, Value::Unknown(_)) {
                    let why = format!("it is given to `{path}()`, which may change it");
                    if sets_attributes(path) {
                        self.lose_given(arguments, keywords, &why);
                    }
                    self.lose_arguments(arguments, keywords, &why);
                    self.lose_named(path, arguments, keywords);
                }
                value
            }
        })
    }

    /// `flow(...)`: a flow if there is a function, a decorator otherwise.
    fn make_flow(&self, options: Keywords<'a>, arguments: &[Value<'a>]) -> Evaluated<Value<'a>> {
        self.check_options("flow()", &options)?;
        Ok(match arguments.first() {
            None | Some(Value::None) => Value::FlowDecorator(Rc::new(options)),
            Some(function) => Value::Flow(Rc::new(FlowObject {
                function: function.clone(),
                options: Shared::new(options),
                attributes: Shared::default(),
                at: self.here(),
                lost: Lost::default(),
            })),
        })
    }

    fn apply_dataclass(
        &self,
        options: &Rc<DataclassOptions<'a>>,
        arguments: &[Value<'a>],
    ) -> Value<'a> {
        match arguments {
            [Value::Class(class)] => {
                Self::make_dataclass(class, options);
                Value::Class(Rc::clone(class))
            }
            _ => self.unknown("a dataclass of something that is no class of this file"),
        }
    }

    fn call_method(
        &self,
        bound: &(Value<'a>, crate::value::Text),
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
    ) -> Evaluated<Value<'a>> {
        let (owner, method) = bound;
        if let Some(value) = self.program_method(owner, method, arguments, keywords) {
            return Ok(value);
        }
        if let Value::Flow(flow) = owner {
            return self.flow_method(flow, method, arguments, keywords);
        }
        if let Value::Opaque(opaque) = owner
            && opaque.what == "task"
            && method.as_ref() == "with_options"
        {
            return Ok(self.task_with_options(opaque));
        }
        if let Value::Opaque(opaque) = owner
            && opaque.what == "a template"
            && matches!(&**method, "substitute" | "safe_substitute")
        {
            return Ok(self.substituted_template(opaque, method, arguments, keywords));
        }
        if self.updated_dictionary(owner, method, arguments, keywords)? {
            return Ok(Value::None);
        }
        // The names of a module, as `globals()` gives them.
        if let Value::Bound(bound) = owner
            && let (Value::Module(imported), "__dict__") = (&bound.0, &*bound.1)
            && is_reading_method(method)
        {
            let found = match (&**method, arguments) {
                ("get", [Value::Str(name), ..]) => imported.scope.own(name),
                _ => None,
            };
            return Ok(found.unwrap_or_else(|| {
                let unknown = self.unknown("the names of a module are gone through");
                let names = imported.scope.names.borrow().snapshot();
                self.note_may_be(&unknown, names.into_iter().map(|(_, value)| value));
                unknown
            }));
        }
        if let (Some(getter), "setter" | "getter", [function]) =
            (accessor(owner, "fget"), &**method, arguments)
        {
            // `@value.setter`
            let mut parts = vec![("fget".into(), getter), ("fset".into(), function.clone())];
            if &**method == "getter" {
                parts = vec![("fget".into(), function.clone())];
                parts.extend(accessor(owner, "fset").map(|setter| ("fset".into(), setter)));
            }
            return Ok(Value::object(None, "property", parts));
        }
        let is_builtin = matches!(
            owner,
            Value::List(_) | Value::Set(_) | Value::Dict(_) | Value::Str(_) | Value::Tuple(_)
        );
        let taken;
        let arguments = if is_builtin && arguments.iter().any(is_iterator) {
            let mut known = Vec::with_capacity(arguments.len());
            for value in arguments {
                let is_taken = is_iterator(value) && TAKING_METHODS.contains(&&**method);
                known.push(match if is_taken { self.taken(value)? } else { None } {
                    Some(items) => Value::list(items),
                    None => self.kept(value.clone()),
                });
            }
            taken = known;
            &taken[..]
        } else {
            arguments
        };
        if is_builtin && !PLACING_METHODS.contains(&&**method) {
            self.note_implicit_use(arguments.iter().chain([owner]));
        }
        // A copy of a `defaultdict` is one, too.
        if &**method == "copy" && self.factory_of(owner).is_some() {
            let unknown = self.unknown("a copy of a `defaultdict`");
            self.note_may_be(&unknown, [owner.clone()]);
            return Ok(unknown);
        }
        if may_change(owner, method) {
            if let Change::Made(value) =
                self.changed_by_method(owner, method, arguments, keywords)?
            {
                return Ok(value);
            }
            let why = format!("`.{method}()` may change it");
            self.lose(owner, &why);
            self.lose_arguments(arguments, keywords, &why);
            if !is_builtin {
                self.lose_named(method, arguments, keywords);
            }
            // `f.__setattr__("__defaults__", …)`
            if method.starts_with("__") {
                self.lose_given(std::slice::from_ref(owner), &Keywords::new(), &why);
            }
        }
        // `pattern.sub(function, text)`, `logger.addFilter(function)`
        let keeps_code = match owner {
            Value::Std(_) => true,
            Value::Opaque(opaque) => opaque.what == "a logger" && !is_reading_method(method),
            _ => false,
        };
        if keeps_code {
            self.lose_code(method, arguments, keywords);
        }
        if let Some(lost) = owner.lost() {
            return Ok(Value::Unknown(Rc::clone(lost)));
        }
        // Methods of constants need all arguments to be known.
        let given = arguments.iter().chain(keywords.iter().map(|(_, value)| value));
        if let Some(unknown) = given.clone().find_map(|value| value.find_unknown(self.here())) {
            let unknown = Value::Unknown(unknown);
            self.note_may_be(&unknown, given.cloned().chain([owner.clone()]));
            return Ok(unknown);
        }
        let result = match owner {
            Value::Str(text) => Self::text_method(text, method, arguments, keywords),
            Value::Bytes(bytes) if &**method == "decode" && arguments.is_empty() => {
                std::str::from_utf8(bytes).ok().map(Value::text)
            }
            Value::Dict(entries) => Self::dict_method(entries, method, arguments),
            Value::List(items) if &**method == "copy" => Some(Value::list(items.to_vec())),
            Value::Set(items) if &**method == "copy" => Some(Value::set(items.to_vec())),
            Value::Set(items) => Self::set_method(items, method, arguments),
            Value::Std(std_value) => Self::std_value_method(std_value, method, arguments),
            _ => None,
        };
        Ok(result.unwrap_or_else(|| {
            let unknown = self.unknown_because(owner, &format!("`.{method}()`"));
            self.note_may_be(&unknown, given.cloned().chain([owner.clone()]));
            unknown
        }))
    }

    fn dict_method(
        entries: &Entries<'a>,
        method: &str,
        arguments: &[Value<'a>],
    ) -> Option<Value<'a>> {
        let pair =
            |(key, value): &(Value<'a>, Value<'a>)| Value::tuple(vec![key.clone(), value.clone()]);
        let view = |items: Vec<Value<'a>>| Value::View(entries.view(items));
        Some(match (method, arguments) {
            ("get", [key]) => Self::look_up(entries, key).ok()?.unwrap_or(Value::None),
            ("get", [key, default]) => Self::look_up(entries, key).ok()?.unwrap_or(default.clone()),
            ("copy", []) => Value::dict(entries.to_vec()),
            ("keys", []) => view(entries.iter().map(|(key, _)| key.clone()).collect()),
            ("values", []) => view(entries.iter().map(|(_, item)| item.clone()).collect()),
            ("items", []) => view(entries.iter().map(pair).collect()),
            _ => return None,
        })
    }

    fn set_method(items: &[Value<'a>], method: &str, arguments: &[Value<'a>]) -> Option<Value<'a>> {
        use ruff_python_ast::Operator::{BitAnd, BitOr, BitXor, Sub};
        let [other] = arguments else { return None };
        let other = match other {
            Value::Set(items) => items.to_vec(),
            other => distinct(&contained(other)?)?,
        };
        let is_within = |inner: &[Value<'a>], outer: &[Value<'a>]| {
            Some(Value::Bool(match combined(Sub, inner, outer)? {
                Value::Set(rest) => rest.is_empty(),
                _ => return None,
            }))
        };
        match method {
            "union" => combined(BitOr, items, &other),
            "intersection" => combined(BitAnd, items, &other),
            "difference" => combined(Sub, items, &other),
            "symmetric_difference" => combined(BitXor, items, &other),
            "issubset" => is_within(items, &other),
            "issuperset" => is_within(&other, items),
            "isdisjoint" => match combined(BitAnd, items, &other)? {
                Value::Set(both) => Some(Value::Bool(both.is_empty())),
                _ => None,
            },
            _ => None,
        }
    }

    fn std_value_method(
        std_value: &crate::default::std_value::StdValue,
        method: &str,
        arguments: &[Value<'a>],
    ) -> Option<Value<'a>> {
        use crate::default::std_value::{StdValue, join_path};
        Some(match (std_value, method) {
            (StdValue::Path(path, _), "as_posix") if arguments.is_empty() => {
                Value::Str(path.clone())
            }
            (StdValue::Path(path, kind), "joinpath") => {
                let more: Option<Vec<&str>> = arguments.iter().map(Value::as_str).collect();
                let mut parts = vec![&**path];
                parts.extend(more?);
                Value::Std(StdValue::Path(join_path(&parts).into(), *kind))
            }
            (StdValue::Date(_), "isoformat") if arguments.is_empty() => {
                Value::text(std_value.json()?)
            }
            _ => return None,
        })
    }

    /// Marks a class as a dataclass.
    pub(super) fn make_dataclass(class: &Rc<Class<'a>>, options: &Rc<DataclassOptions<'a>>) {
        class.kind.set(crate::value::ClassKind::Dataclass);
        class.decorations.borrow_mut().dataclass = Some(Rc::clone(options));
    }
}
