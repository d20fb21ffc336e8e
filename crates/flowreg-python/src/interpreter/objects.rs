//! Objects of plain classes of the repository: their attributes, and the methods that run on them.
//!
//! An object is followed from the call that makes it: `__new__`, `__init__` and the methods that are called
//! are run like functions. Methods that Python or code that is not run may call without naming them
//! (`__hash__`, a property, one that is named like a method of a dictionary) may run at any time.

use std::rc::Rc;

use super::ancestors::{ancestors, own_ancestors};
use super::exceptions::{is_exception, is_exception_class};
use super::{Evaluated, Interpreter};
use crate::schema::fields::configuration;
use crate::touched::{Touched, is_reading_method};
use crate::value::{
    Class, ClassKind, Fields, Keywords, MOST_PARTS, MethodKind, Opaque, Partial, Scope, Unknown,
    Value, keyword, set_keyword,
};

/// Special methods that run only where the interpreter runs them.
const FOLLOWED: &[&str] =
    &["__call__", "__class_getitem__", "__init__", "__init_subclass__", "__new__", "__post_init__"];

/// Methods by which a class says itself what its attributes are.
const ATTRIBUTE_HOOKS: &[&str] =
    &["__getattribute__", "__setattr__", "__delattr__", "__slots__", "__dict__", "__del__"];

/// What the ancestors of a class have under a name.
pub(super) enum Held<'a> {
    Found(Value<'a>),
    NotKnown(Value<'a>),
    Missing,
}

/// A property that calls `getter`.
pub(super) fn property<'a>(what: &'static str, getter: Value<'a>) -> Value<'a> {
    Value::object(None, what, vec![("fget".into(), getter)])
}

/// What a property calls to read or set it; `None` if the value is no property, or one that is not known.
pub(super) fn accessor<'a>(value: &Value<'a>, name: &str) -> Option<Value<'a>> {
    match value {
        Value::Opaque(opaque) if matches!(opaque.what, "property" | "cached property") => {
            keyword(opaque.attributes.as_ref()?, name).cloned()
        }
        _ => None,
    }
}

fn is_cached(value: &Value<'_>) -> bool {
    matches!(value, Value::Opaque(opaque) if opaque.what == "cached property")
}

/// Whether a base adds nothing but special methods to a class.
pub(super) fn is_bare(path: &str) -> bool {
    matches!(path, "builtins.object" | "abc.ABC" | "typing.Generic" | "typing.Protocol")
}

/// The class of an object of the repository.
pub(super) fn class_of<'v, 'a>(value: &'v Value<'a>) -> Option<&'v Rc<Class<'a>>> {
    match value {
        Value::Opaque(opaque) => opaque.class.as_ref().filter(|_| opaque.attributes.is_some()),
        Value::Instance(instance) => Some(&instance.class),
        _ => None,
    }
}

/// Whether a class makes plain objects, and nothing but the code of the repository says how.
pub(super) fn is_followed(class: &Rc<Class<'_>>) -> bool {
    class.kind.get() == ClassKind::Plain
        && class.obstacle.borrow().is_none()
        && ancestors(class).iter().all(|ancestor| match ancestor {
            Value::Class(class) => {
                class.kind.get() == ClassKind::Plain
                    && ATTRIBUTE_HOOKS.iter().all(|hook| class.scope.own(hook).is_none())
            }
            Value::Symbol(path) => is_bare(path) || is_exception(path),
            _ => false,
        })
}

/// Why it is not known what a class has by now, if so.
pub(super) fn obstacle(class: &Rc<Class<'_>>) -> Option<Rc<Unknown>> {
    own_ancestors(class).iter().find_map(|known| known.obstacle.borrow().clone())
}

/// The first of these classes that has a name.
pub(super) fn look_along<'a>(order: &[Value<'a>], name: &str) -> Held<'a> {
    for ancestor in order {
        match ancestor {
            Value::Class(class) => {
                if let Some(value) = class.scope.own(name) {
                    return Held::Found(value.unless_lost());
                }
            }
            Value::Symbol(path) if is_bare(path) || path.starts_with("pydantic.") => {}
            // What every exception has.
            Value::Symbol(path)
                if is_exception(path)
                    && (matches!(
                        name,
                        "__init__" | "__new__" | "__init_subclass__" | "__call__"
                    ) || !(name.starts_with("__")
                        || matches!(name, "args" | "with_traceback" | "add_note"))) => {}
            other => return Held::NotKnown(other.clone()),
        }
    }
    Held::Missing
}

/// Whether a class has methods that may run without a call that names them, and do more than read: special
/// ones, those behind properties, and those that are named like a reading method of a container.
fn has_implicit(class: &Rc<Class<'_>>) -> bool {
    ancestors(class).iter().any(|ancestor| {
        let Value::Class(ancestor) = ancestor else { return false };
        let names = ancestor.scope.names.borrow();
        names.iter().any(|(name, value)| {
            let is_special = name.starts_with("__") && name.ends_with("__");
            let mut functions: Vec<Value<'_>> =
                ["fget", "fset"].iter().filter_map(|part| accessor(value, part)).collect();
            if is_special && !FOLLOWED.contains(&&**name) || is_reading_method(name) {
                functions.push(value.clone());
            }
            functions.into_iter().any(|function| match function {
                Value::Function(function) => !Touched::only_reads(&function),
                Value::Wrapped(..) | Value::Partial(_) | Value::Unknown(_) | Value::External(_) => {
                    true
                }
                _ => false,
            })
        })
    })
}

impl<'a> Interpreter<'a> {
    /// An object of a plain class, as a call of the class makes it.
    ///
    /// # Errors
    /// [`super::Raised`] if its code certainly raises.
    pub(super) fn make_object(
        &self,
        class: &Rc<Class<'a>>,
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
    ) -> Evaluated<Value<'a>> {
        if !is_followed(class) {
            self.lose_methods(class);
            let class = Some(Rc::clone(class));
            return Ok(Value::Opaque(Rc::new(Opaque {
                class,
                what: "an object",
                attributes: None,
            })));
        }
        let order = ancestors(class);
        let maker = look_along(&order, "__new__");
        let made = match &maker {
            Held::Found(maker) => {
                let mut all = vec![Value::Class(Rc::clone(class))];
                all.extend(arguments.iter().cloned());
                self.call(maker, &all, keywords)?
            }
            _ => self.bare_object(class),
        };
        let is_exception = is_exception_class(class);
        if is_exception {
            self.set_on_object(&made, "args", &Value::tuple(arguments.to_vec()));
        }
        // What is no object of the class is given as it is.
        if !class_of(&made).is_some_and(|made| Rc::ptr_eq(made, class)) {
            return Ok(made);
        }
        match look_along(&order, "__init__") {
            Held::Found(initialiser) => {
                let bound = self.bound_to(&made, class, initialiser)?;
                self.call(&bound, arguments, keywords)?;
            }
            _ if matches!(maker, Held::Missing)
                && !is_exception
                && !(arguments.is_empty() && keywords.is_empty()) =>
            {
                return self.raise("TypeError", format!("{}() takes no arguments", class.name));
            }
            _ => {}
        }
        Ok(made)
    }

    /// `object.__new__(class)`.
    pub(super) fn bare_object(&self, class: &Rc<Class<'a>>) -> Value<'a> {
        let made = Value::object(Some(Rc::clone(class)), "an object", Keywords::new());
        self.note_implicit(class);
        made
    }

    /// Notes whether Python may run methods of a class without a call that names them.
    pub(super) fn note_implicit(&self, class: &Rc<Class<'a>>) {
        let place: *const () = Rc::as_ptr(class).cast();
        if !self.implicit.borrow().contains_key(&place) && has_implicit(class) {
            self.implicit.borrow_mut().insert(place, Rc::clone(class));
        }
    }

    /// Whether a value is an object with such methods, or holds one.
    fn is_implicit(&self, value: &Value<'a>) -> bool {
        !self.implicit.borrow().is_empty()
            && self.is_implicit_within(value, false, &mut MOST_PARTS.clone())
    }

    /// Whether code that only reads a value may change something: it may take the items of an iterator, make a
    /// `defaultdict` add an item, or make an object run such a method.
    pub(super) fn runs_when_read(&self, value: &Value<'a>) -> bool {
        let is_any = !self.implicit.borrow().is_empty() || !self.defaults.borrow().is_empty();
        matches!(value, Value::Iterator(_))
            || (is_any && self.is_implicit_within(value, true, &mut MOST_PARTS.clone()))
    }

    fn is_implicit_within(
        &self,
        value: &Value<'a>,
        with_factories: bool,
        budget: &mut u32,
    ) -> bool {
        let Some(rest) = budget.checked_sub(1) else { return true };
        *budget = rest;
        if with_factories && self.factory_of(value).is_some() {
            return true;
        }
        class_of(value)
            .is_some_and(|class| self.implicit.borrow().contains_key(&Rc::as_ptr(class).cast()))
            || value
                .parts()
                .into_iter()
                .any(|part| self.is_implicit_within(part, with_factories, budget))
    }

    /// Python may run such methods of these values here.
    pub(super) fn note_implicit_use<'v>(&self, values: impl IntoIterator<Item = &'v Value<'a>>)
    where
        'a: 'v,
    {
        if self.implicit.borrow().is_empty() {
            return;
        }
        for value in values {
            if self.is_implicit(value) {
                self.lose(value, "a method of it may run here");
            }
        }
    }

    /// What an object has under a name that its class has.
    pub(super) fn bound_to(
        &self,
        owner: &Value<'a>,
        class: &Rc<Class<'a>>,
        value: Value<'a>,
    ) -> Evaluated<Value<'a>> {
        let with = |function: Value<'a>, first: Value<'a>| {
            Value::Partial(Rc::new(Partial {
                function,
                arguments: vec![first],
                keywords: Keywords::new(),
            }))
        };
        Ok(match value {
            Value::Function(_) => with(value, owner.clone()),
            Value::Wrapped(inner, MethodKind::Class) if !inner.is_flow_like() => {
                with((*inner).clone(), Value::Class(Rc::clone(class)))
            }
            Value::Wrapped(inner, _) => (*inner).clone(),
            // `contextlib.contextmanager` makes a function, which is bound.
            Value::Partial(ref partial)
                if partial.function.is_symbol("contextlib.contextmanager()") =>
            {
                let mut arguments = partial.arguments.clone();
                arguments.push(owner.clone());
                Value::Partial(Rc::new(Partial {
                    function: partial.function.clone(),
                    arguments,
                    keywords: Keywords::new(),
                }))
            }
            // What a task's function gets as its first argument depends on how the task is reached.
            Value::Opaque(ref opaque) if matches!(opaque.what, "a cached function" | "task") => {
                self.perhaps_bound(owner, &value)
            }
            Value::Opaque(_) if accessor(&value, "fget").is_some() => {
                let getter = accessor(&value, "fget").unwrap_or(Value::None);
                self.call(&getter, std::slice::from_ref(owner), &Keywords::new())?
            }
            Value::Opaque(ref opaque)
                if matches!(opaque.what, "property" | "cached property" | "enum property") =>
            {
                self.perhaps_bound(owner, &value)
            }
            // A function of another package gets the object, a class does not.
            Value::External(_) | Value::Bound(_) => self.perhaps_bound(owner, &value),
            Value::Symbol(ref path) if !path.starts_with("builtins.") => {
                self.perhaps_bound(owner, &value)
            }
            Value::Opaque(ref opaque) if opaque.class.is_some() => {
                match opaque.class.as_ref().map(|class| look_along(&ancestors(class), "__get__")) {
                    Some(Held::Missing) => value,
                    _ => self.perhaps_bound(owner, &value),
                }
            }
            other => other,
        })
    }

    fn perhaps_bound(&self, owner: &Value<'a>, value: &Value<'a>) -> Value<'a> {
        let unknown = self.unknown("an attribute may be a method of an object");
        self.note_may_be(&unknown, [owner.clone(), value.clone()]);
        unknown
    }

    /// An attribute of an object that is followed.
    pub(super) fn object_attribute(
        &self,
        owner: &Value<'a>,
        class: &Rc<Class<'a>>,
        attributes: &Fields<'a>,
        name: &str,
    ) -> Evaluated<Value<'a>> {
        let order = ancestors(class);
        let held = look_along(&order, name);
        if let Some(lost) = attributes.lost() {
            // A flow in the class of an object is the same flow on the object.
            return Ok(match held {
                Held::Found(flow @ Value::Flow(_)) => flow,
                _ => Value::Unknown(Rc::clone(lost)),
            });
        }
        let is_property = matches!(&held, Held::Found(value)
            if accessor(value, "fget").is_some() && !is_cached(value));
        if let Some(value) = keyword(attributes, name)
            && !is_property
        {
            return Ok(value.clone());
        }
        match held {
            Held::Found(value) => {
                let is_kept = is_cached(&value);
                let value = self.bound_to(owner, class, value)?;
                if is_kept {
                    self.set_on_object(owner, name, &value);
                }
                Ok(value)
            }
            Held::NotKnown(value) => Ok(self.unknown_because(&value, "a base class")),
            Held::Missing if name == "__class__" => Ok(Value::Class(Rc::clone(class))),
            Held::Missing if name.starts_with("__") => {
                Ok(Value::Bound(Rc::new((owner.clone(), name.into()))))
            }
            Held::Missing => {
                // Code that is not followed may have given the class more attributes since.
                if let Some(unknown) = obstacle(class) {
                    return Ok(Value::Unknown(unknown));
                }
                if let Held::Found(hook) = look_along(&order, "__getattr__") {
                    let hook = self.bound_to(owner, class, hook)?;
                    return self.call(&hook, &[Value::text(name)], &Keywords::new());
                }
                let message = format!("'{}' object has no attribute '{name}'", class.name);
                self.raise("AttributeError", message)
            }
        }
    }

    /// `object.name = value`.
    pub(super) fn set_object_attribute(
        &self,
        owner: &Value<'a>,
        name: &str,
        value: &Value<'a>,
    ) -> Evaluated<()> {
        if let Some(class) = class_of(owner)
            && let Held::Found(held) = look_along(&ancestors(class), name)
            && !is_cached(&held)
        {
            if let Some(setter) = accessor(&held, "fset") {
                let arguments = [owner.clone(), value.clone()];
                return self.call(&setter, &arguments, &Keywords::new()).map(|_| ());
            }
            if accessor(&held, "fget").is_some() {
                let message = format!("property '{name}' of '{}' object has no setter", class.name);
                return self.raise("AttributeError", message);
            }
            // It may be a descriptor with a `__set__`.
            if matches!(held, Value::Opaque(_) | Value::Unknown(_) | Value::External(_)) {
                let why = format!("`{name}` of it is set");
                self.lose(&held, &why);
                self.lose(owner, &why);
                self.lose(value, &why);
                return Ok(());
            }
        }
        self.set_on_object(owner, name, value);
        Ok(())
    }

    /// Sets an attribute of the object itself.
    pub(super) fn set_on_object(&self, owner: &Value<'a>, name: &str, value: &Value<'a>) {
        let values = std::slice::from_ref(value);
        self.change_object(owner, values, &format!("`{name}` of it is set"), |all| {
            set_keyword(all, name, value.clone());
        });
    }

    /// `del object.name`.
    pub(super) fn delete_on_object(&self, owner: &Value<'a>, name: &str) {
        // A property or descriptor may have code for it.
        if let Some(class) = class_of(owner)
            && let Held::Found(held @ Value::Opaque(_)) = look_along(&ancestors(class), name)
            && !is_cached(&held)
        {
            self.lose(&held, &format!("`{name}` of it is deleted"));
            return self.lose(owner, &format!("`{name}` of it is deleted"));
        }
        self.change_object(owner, &[], &format!("`{name}` of it is deleted"), |all| {
            all.retain(|(known, _)| &**known != name);
        });
    }

    fn change_object(
        &self,
        owner: &Value<'a>,
        values: &[Value<'a>],
        why: &str,
        change: impl Fn(&mut Keywords<'a>),
    ) {
        let attributes = match owner {
            Value::Opaque(opaque) => opaque.attributes.as_ref(),
            // A model may validate what is set.
            Value::Instance(instance) => may_be_set(&instance.class).then_some(&instance.fields),
            _ => None,
        };
        let is_made = attributes.is_some_and(|attributes| {
            let mut content = attributes.to_vec();
            change(&mut content);
            let length = content.len();
            self.is_certain_to_run()
                && super::mutations::may_hold(owner, values, &Keywords::new())
                && attributes.change(content, length)
        });
        if !is_made {
            self.lose(owner, why);
            values.iter().for_each(|value| self.lose(value, why));
        }
    }

    /// `super()` where a method is run.
    pub(super) fn super_object(scope: &Rc<Scope<'a>>) -> Option<Value<'a>> {
        let mut scope = scope;
        loop {
            let parent = scope.parent.as_ref()?;
            if let (Some(first), true) = (scope.first_parameter(), parent.is_class()) {
                let class = parent.class.get()?.upgrade()?;
                return Some(Value::Super(Rc::new((scope.own(first)?, class))));
            }
            scope = parent;
        }
    }

    /// `super().name`.
    pub(super) fn super_attribute(
        &self,
        owner: &Value<'a>,
        after: &Rc<Class<'a>>,
        name: &str,
    ) -> Evaluated<Value<'a>> {
        let class = match owner {
            Value::Class(class) => Some(class),
            other => class_of(other),
        };
        let not_known = || {
            let unknown = self.unknown(format!("`super().{name}` is not followed"));
            self.note_may_be(&unknown, [owner.clone()]);
            unknown
        };
        let Some(class) = class.filter(|class| class.obstacle.borrow().is_none()) else {
            return Ok(not_known());
        };
        let order = ancestors(class);
        let behind = order
            .iter()
            .position(|known| matches!(known, Value::Class(known) if Rc::ptr_eq(known, after)))
            .and_then(|at| order.get(at + 1..));
        let Some(behind) = behind else { return Ok(not_known()) };
        let bare = |base: &str| {
            Value::Partial(Rc::new(Partial {
                function: Value::Symbol(format!("{base}.{name}").into()),
                arguments: vec![owner.clone()],
                keywords: Keywords::new(),
            }))
        };
        Ok(match (look_along(behind, name), owner) {
            // Python makes a static method of `__new__` and a class method of `__init_subclass__`.
            (Held::Found(held @ Value::Function(_)), _) if name == "__new__" => held,
            (Held::Found(held @ Value::Function(_)), Value::Class(_))
                if name != "__init_subclass__" =>
            {
                held
            }
            (Held::Found(held), _) => self.bound_to(owner, class, held)?,
            (Held::Missing, _) if name == "__new__" => Value::symbol("builtins.object.__new__"),
            (Held::Missing, _) if name == "__init__" && is_exception_class(class) => {
                bare("builtins.BaseException")
            }
            (Held::Missing, _) if matches!(name, "__init__" | "__init_subclass__") => {
                bare("builtins.object")
            }
            _ => not_known(),
        })
    }
}

/// Whether a value that is set on an instance is kept as it is.
fn may_be_set(class: &Rc<Class<'_>>) -> bool {
    let has_hook = ancestors(class).iter().any(|ancestor| match ancestor {
        Value::Class(class) => ATTRIBUTE_HOOKS.iter().any(|hook| class.scope.own(hook).is_some()),
        _ => false,
    });
    !has_hook
        && match class.kind.get() {
            ClassKind::Dataclass => !super::classes::is_pydantic_dataclass(class),
            // A model may validate what is set, or refuse it.
            ClassKind::Model => configuration(class).is_some_and(|settings| settings.is_empty()),
            _ => false,
        }
}
