//! Objects that are changed after they were made.
//!
//! One rule: an object that anything may change is *lost*, and with it all that can be reached from
//! it. Code that is run changes what it changes; code that is not run (a loop, a branch, a function
//! of the repository that is not followed, one that a library is given) changes whatever it touches
//! ([`crate::touched`]); a library changes what it is given. Whoever reads a lost object finds
//! something unknown.

use std::rc::Rc;

use foldhash::HashSet;
use ruff_python_ast::Expr;

use super::Interpreter;
use super::inline::expression_yields;
use super::possible_imports::imports_by_name;
use super::reach;
use crate::symbols;
use crate::touched::{Touched, named_in, names_shared};
use crate::value::{Class, Function, Imported, Iterating, Keywords, Scope, Shared, Unknown, Value};

/// How many objects an unknown value may be.
const MOST_OBJECTS: usize = 500;

/// How deeply objects may lie in each other that are looked through; what is deeper makes the script
/// inexact.
const DEEPEST: u32 = 60;

impl<'a> Interpreter<'a> {
    /// Binds a name. Code that may run at any time has the object from now on, if it touches a name like
    /// this.
    pub(super) fn set(&self, scope: &Scope<'a>, name: &str, value: Value<'a>) {
        // Methods and other modules read the names of a class.
        let value = if scope.is_class() { self.kept(value) } else { value };
        if scope.module.readers.borrow().contains(name) && self.runs_when_read(&value) {
            self.lose(&value, "code that is not followed reads it, and may run its methods");
        }
        if scope.module.escaped.borrow().contains(name) {
            self.lose(&value, &format!("`{name}` may be changed by code that is not followed"));
        }
        let home = scope.home(name);
        let target = home.as_deref().unwrap_or(scope);
        // When a function runs that is not followed, and whether it does, is not known.
        let why = if target.rebound.borrow().contains(name) {
            format!("a function binds `{name}` that is not followed")
        } else if home.is_some() && !self.is_certain_to_run() {
            format!("`{name}` is bound under a condition that is not known")
        } else {
            return target.set(name, value);
        };
        let unknown = self.unknown(why);
        self.note_may_be(&unknown, target.own(name).into_iter().chain([value]));
        target.set(name, unknown);
    }

    /// A name that code binds which is not followed.
    fn lose_binding(&self, scope: &Scope<'a>, name: &'a str, why: &Rc<Unknown>) {
        scope.rebound.borrow_mut().insert(name);
        let unknown = Value::Unknown(Rc::new((**why).clone()));
        self.note_may_be(&unknown, scope.own(name));
        scope.set(name, unknown);
    }

    /// Notes that an object may be changed here, and what is reached from it.
    pub(super) fn lose(&self, value: &Value<'a>, why: &str) {
        self.note_doubtful();
        let unknown = Unknown { why: why.to_owned(), at: self.here(), is_flow_like: false };
        self.lose_because(value, &Rc::new(unknown), 0);
    }

    /// The same for all arguments of a call.
    pub(super) fn lose_arguments(
        &self,
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
        why: &str,
    ) {
        let given = arguments.iter().chain(keywords.iter().map(|(_, value)| value));
        given.for_each(|value| self.lose(value, why));
    }

    /// The same for a call of something that is not known: it may set attributes as well.
    pub(super) fn lose_given(&self, arguments: &[Value<'a>], keywords: &Keywords<'a>, why: &str) {
        self.lose_arguments(arguments, keywords, why);
        let unknown = Unknown { why: why.to_owned(), at: self.here(), is_flow_like: false };
        let unknown = Rc::new(unknown);
        let given = arguments.iter().chain(keywords.iter().map(|(_, value)| value));
        given.for_each(|value| self.lose_attributes(value, &unknown, 0));
    }

    /// Notes what an expression may change that is not evaluated.
    pub(super) fn lose_expression(&self, expression: &'a Expr, scope: &Rc<Scope<'a>>) {
        let why = format!("`{}` is not evaluated", scope.excerpt(expression));
        self.lose_touched(&Touched::of_expression(expression), scope, &why);
        if expression_yields(expression) {
            self.give(None);
        }
        // `(name := …)` binds it in the scope around a comprehension.
        for (name, value) in named_in(expression) {
            let unknown = self.unknown(&*why);
            let held = scope.get(&scope.mangled(name));
            self.note_may_be(&unknown, held);
            self.note_may_be_named(&unknown, names_shared(value), scope);
            self.set(scope, &scope.mangled(name), unknown);
        }
    }

    /// Notes what a call may change of a function that is not followed.
    pub(super) fn lose_call(
        &self,
        function: &Rc<Function<'a>>,
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
        why: &str,
    ) {
        self.lose_arguments(arguments, keywords, why);
        let unknown = Unknown { why: why.to_owned(), at: self.here(), is_flow_like: false };
        let unknown = Rc::new(unknown);
        if self.lose_function(function, &unknown, 0) {
            let given = arguments.iter().chain(keywords.iter().map(|(_, value)| value));
            given.for_each(|value| self.lose_attributes(value, &unknown, 0));
        }
    }

    /// Notes what code may change that is not run.
    pub(super) fn lose_touched(&self, touched: &Touched<'a>, scope: &Rc<Scope<'a>>, why: &str) {
        let unknown = Unknown { why: why.to_owned(), at: self.here(), is_flow_like: false };
        self.lose_names(touched, scope, &Rc::new(unknown), 0);
    }

    /// Whether code among it may set attributes of what it is given.
    fn lose_names(
        &self,
        touched: &Touched<'a>,
        scope: &Rc<Scope<'a>>,
        why: &Rc<Unknown>,
        depth: u32,
    ) -> bool {
        for name in &touched.names {
            if let Some(value) = scope.get(&scope.mangled(name)) {
                self.lose_because(&value, why, depth);
            }
        }
        if touched.namespace {
            let module = scope.module.number;
            for known in self.imported().into_iter().filter(|known| known.module.number == module) {
                self.lose_namespace(&known, why);
            }
        }
        // Whoever reads an iterator may take its items, and whoever reads an object may make it run methods.
        for name in &touched.read {
            if let Some(value) = scope.get(&scope.mangled(name))
                && self.runs_when_read(&value)
            {
                self.lose_because(&value, why, depth);
            }
        }
        for statement in &touched.imports {
            self.may_import(statement, scope);
        }
        let mut sets_attributes = false;
        for (callee, owners) in &touched.called {
            // A name that is called may stand for what another name leads to.
            if let Expr::Name(callee) = callee {
                let others = owners.iter().filter(|name| **name != callee.id.as_str());
                for other in others.filter_map(|name| scope.get(&scope.mangled(name))) {
                    self.lose_because(&other, why, depth);
                }
            }
            match resolved(callee, scope) {
                Some(Value::Symbol(path)) if imports_by_name(&path) => self.may_import_any(&path),
                Some(Value::Symbol(path)) => {
                    sets_attributes |= reach::sets_attributes(&path);
                    self.note_reaching_call(&path);
                }
                Some(Value::Function(function)) => {
                    sets_attributes |= self.lose_function(&function, why, depth);
                }
                Some(value) => {
                    // What is called with something unknown is given as to any library.
                    sets_attributes |= !matches!(value, Value::List(_) | Value::Dict(_));
                    self.lose_because(&value, why, depth);
                }
                // A method of an object: it may change it.
                None => {
                    for owner in owners.iter().filter_map(|name| scope.get(&scope.mangled(name))) {
                        let is_container = matches!(
                            owner,
                            Value::List(_) | Value::Dict(_) | Value::Set(_) | Value::Str(_)
                        );
                        sets_attributes |= !is_container;
                        // `f.__annotations__.update(…)`
                        if let Value::Function(_) = owner {
                            self.lose_attributes(&owner, why, depth);
                        }
                        self.lose_because(&owner, why, depth);
                    }
                }
            }
        }
        let names = if sets_attributes { &touched.names } else { &touched.attributed };
        for name in names {
            if let Some(value) = scope.get(&scope.mangled(name)) {
                self.lose_attributes(&value, why, depth);
            }
        }
        sets_attributes
    }

    /// The parts of a value are lost, whatever holds them.
    fn lose_because(&self, value: &Value<'a>, why: &Rc<Unknown>, depth: u32) {
        if depth > DEEPEST {
            return self.mark_script_inexact("objects lie too deep in each other");
        }
        let all = |values: &mut dyn Iterator<Item = &Value<'a>>| {
            values.for_each(|value| self.lose_because(value, why, depth + 1));
        };
        self.mark_deployment_changed(value);
        match value {
            _ if value.lost().is_some() => {}
            Value::List(items) | Value::Set(items) | Value::View(items) => {
                items.lose(why);
                all(&mut items.iter());
            }
            Value::Dict(entries) => {
                entries.lose(why);
                all(&mut entries.iter().flat_map(|(key, item)| [key, item]));
            }
            Value::Instance(instance) => {
                instance.fields.lose(why);
                all(&mut instance.fields.iter().map(|(_, field)| field));
                self.lose_class(&instance.class, why, depth + 1);
            }
            Value::Tuple(items) => all(&mut items.iter()),
            Value::Member(member) => all(&mut std::iter::once(&member.value)),
            Value::Wrapped(inner, _) => all(&mut std::iter::once(&**inner)),
            Value::Bound(bound) => {
                all(&mut std::iter::once(&bound.0));
                if let (Value::Module(imported), "__dict__") = (&bound.0, &*bound.1) {
                    self.lose_namespace(imported, why);
                }
                if let (Value::Symbol(path), "__dict__") = (&bound.0, &*bound.1) {
                    self.mark_script_inexact(format!("names of `{path}` may be set"));
                }
                // `f.__annotations__`, `M.model_fields`: the object is part of its owner.
                if bound.1.starts_with("__") || &*bound.1 == "model_fields" {
                    self.lose_attributes(&bound.0, why, depth);
                }
            }
            Value::Partial(partial) => {
                all(&mut std::iter::once(&partial.function));
                all(&mut partial.arguments.iter());
                all(&mut partial.keywords.iter().map(|(_, value)| value));
            }
            Value::FlowDecorator(keywords) | Value::Constraint(keywords) => {
                all(&mut keywords.iter().map(|(_, value)| value));
            }
            Value::Field(info) => all(&mut info.keywords.iter().map(|(_, value)| value)),
            Value::Function(function) => {
                self.lose_function(function, why, depth);
            }
            Value::Flow(flow) => self.lose_because(&flow.function, why, depth + 1),
            Value::Class(class) => self.lose_class(class, why, depth),
            Value::Opaque(opaque) => {
                if let Some(attributes) = &opaque.attributes {
                    // A property stays what it is.
                    let is_first = attributes.lost().is_none();
                    if !matches!(opaque.what, "property" | "cached property") {
                        attributes.lose(why);
                    }
                    if is_first {
                        all(&mut attributes.iter().map(|(_, value)| value));
                    }
                }
                if let Some(class) = &opaque.class {
                    self.lose_class(class, why, depth);
                }
            }
            Value::Iterator(iterator) if iterator.lost.get().is_none() => {
                iterator.lose(why);
                all(&mut iterator.parts().into_iter());
                match &iterator.iterating {
                    Iterating::Expression(element, generator, _, scope) => {
                        for part in generator.ifs.iter().chain([*element]) {
                            let touched = Touched::of_expression(part);
                            self.lose_names(&touched, scope, why, depth + 1);
                        }
                        let shared = names_shared(element).into_iter();
                        let held: Vec<_> = shared.filter_map(|name| scope.get(name)).collect();
                        all(&mut held.iter());
                    }
                    Iterating::Call(function, scope, items) => {
                        self.lose_function(function, why, depth + 1);
                        let names = scope.names.borrow().snapshot();
                        all(&mut names.iter().map(|(_, value)| value));
                        all(&mut items.borrow().iter().flat_map(|(items, _)| items));
                    }
                    _ => {}
                }
            }
            Value::Super(of) => all(&mut std::iter::once(&of.0)),
            Value::Module(imported) if self.is_first(Rc::as_ptr(&imported.scope).cast(), value) => {
                let names = imported.scope.names.borrow().snapshot();
                all(&mut names.iter().map(|(_, value)| value));
            }
            Value::Unknown(unknown) => {
                let objects = self.may_be.borrow_mut().remove(&Rc::as_ptr(unknown));
                if let Some((_, objects)) = objects {
                    all(&mut objects.iter());
                    // `team.name = …`, where it is not known which flow that is.
                    objects.iter().for_each(|object| self.lose_attributes(object, why, depth + 1));
                }
            }
            _ => {}
        }
    }

    /// Whether code that is not followed gets something for the first time.
    fn is_first(&self, place: *const (), value: &Value<'a>) -> bool {
        let mut escaped = self.escaped.borrow_mut();
        // A function that calls itself may do anything as long as it is not known.
        let is_first = !escaped.contains_key(&place);
        escaped.entry(place).or_insert_with(|| (value.clone(), true));
        is_first
    }

    /// Whether code that is not followed has a function, class or module.
    pub(super) fn has_escaped(&self, value: &Value<'a>) -> bool {
        let place = match value {
            Value::Class(class) => Rc::as_ptr(class).cast(),
            _ => return false,
        };
        self.escaped.borrow().contains_key(&place)
    }

    /// A function may run at any time from now on. Whether it sets attributes of what it is given.
    fn lose_function(&self, function: &Rc<Function<'a>>, why: &Rc<Unknown>, depth: u32) -> bool {
        let place = Rc::as_ptr(function).cast();
        if self.is_first(place, &Value::Function(Rc::clone(function))) && depth <= DEEPEST {
            let touched = Touched::of_function(function);
            let mut parameters = function.parameters.iter();
            let module = &function.scope.module;
            add_names(&module.escaped, &touched.names);
            add_names(&module.readers, &touched.read);
            for name in &touched.outer.global {
                self.lose_binding(&function.scope.top(), name, why);
            }
            for name in &touched.outer.nonlocal {
                if let Some(scope) = function.scope.binder(name) {
                    self.lose_binding(&scope, name, why);
                }
            }
            let hands_on = self.lose_names(&touched, &function.scope, why, depth + 1);
            let sets_attributes = (hands_on && touched.changes_given)
                || parameters.any(|parameter| touched.attributed.contains(&*parameter.name));
            if let Some((_, known)) = self.escaped.borrow_mut().get_mut(&place) {
                *known = sets_attributes;
            }
            let defaults = function.parameters.iter().filter_map(|known| known.default.as_ref());
            defaults.for_each(|default| self.lose_because(default, why, depth + 1));
            let attributes = function.attributes.borrow().clone();
            for (_, value) in &attributes {
                self.lose_because(value, why, depth + 1);
            }
        }
        self.escaped.borrow().get(&place).is_none_or(|(_, sets_attributes)| *sets_attributes)
    }

    /// Who has a class may change what it holds, and call its methods.
    fn lose_class(&self, class: &Rc<Class<'a>>, why: &Rc<Unknown>, depth: u32) {
        if !self.is_first(Rc::as_ptr(class).cast(), &Value::Class(Rc::clone(class))) {
            return;
        }
        let names = class.scope.names.borrow().snapshot();
        for (_, value) in &names {
            self.lose_because(value, why, depth + 1);
        }
        for ancestor in &class.ancestors {
            if let Value::Class(_) = ancestor {
                self.lose_because(ancestor, why, depth + 1);
            }
        }
    }

    /// Any method of a class may run at any time from now on, as there is an instance.
    pub(super) fn lose_methods(&self, class: &Rc<Class<'a>>) {
        let why = format!("a method of `{}` may change it", class.name);
        let unknown = Rc::new(Unknown { why, at: self.here(), is_flow_like: false });
        let ancestors = class.ancestors.iter().filter_map(|ancestor| match ancestor {
            Value::Class(ancestor) => Some(ancestor),
            _ => None,
        });
        let classes: Vec<_> = std::iter::once(class).chain(ancestors).collect();
        let mut changes_given = false;
        for owner in &classes {
            // What a method touches may be a name of the class itself.
            let names = owner.scope.names.borrow().snapshot();
            for (_, value) in names {
                let mut value = value;
                while let Value::Wrapped(inner, _) = &value {
                    value = (**inner).clone();
                }
                if let Value::Function(function) = &value {
                    changes_given |= Touched::of_function(function).changes_given;
                    self.lose_function(function, &unknown, 0);
                }
            }
        }
        // `self.names.append(…)` may change a list of the class.
        if changes_given {
            classes.into_iter().for_each(|class| self.lose_class(class, &unknown, 0));
        }
    }

    /// Notes that attributes may be set of an object, or of those in it.
    fn lose_attributes(&self, value: &Value<'a>, why: &Rc<Unknown>, depth: u32) {
        if depth > DEEPEST {
            return self.mark_script_inexact("objects lie too deep in each other");
        }
        let all = |values: &mut dyn Iterator<Item = &Value<'a>>| {
            values.for_each(|value| self.lose_attributes(value, why, depth + 1));
        };
        match value {
            Value::List(items) | Value::Set(items) | Value::View(items) | Value::Tuple(items) => {
                all(&mut items.iter());
            }
            Value::Dict(entries) => all(&mut entries.iter().map(|(_, item)| item)),
            Value::Wrapped(inner, _) => all(&mut std::iter::once(&**inner)),
            Value::Bound(bound) => all(&mut std::iter::once(&bound.0)),
            Value::Iterator(iterator) => {
                all(&mut iterator.parts().into_iter());
                if let Iterating::Call(_, scope, _) = &iterator.iterating {
                    let names = scope.names.borrow().snapshot();
                    all(&mut names.iter().map(|(_, value)| value));
                }
            }
            Value::Partial(partial) => {
                all(&mut partial.arguments.iter().chain([&partial.function]));
            }
            Value::Opaque(opaque) => {
                let held = opaque.attributes.as_ref().map(|all| all.to_vec()).unwrap_or_default();
                all(&mut held.iter().map(|(_, value)| value));
            }
            Value::Function(function) => function.lost.lose(why),
            Value::Flow(flow) => {
                flow.lost.lose(why);
                self.lose_attributes(&flow.function, why, depth + 1);
            }
            Value::Class(class) => {
                class.obstacle.fill(|| Rc::clone(why));
                self.lose_constants(&class.scope, why);
            }
            Value::Module(imported) => {
                self.mark_module_inexact(&imported.module, &*why.why);
                self.lose_constants(&imported.scope, why);
            }
            _ => {}
        }
    }

    /// Any name of a module may be bound anew, its functions and flows, too.
    fn lose_namespace(&self, imported: &Imported<'a>, why: &Rc<Unknown>) {
        self.mark_module_inexact(&imported.module, &*why.why);
        let names = imported.scope.names.borrow().snapshot();
        for (name, value) in names {
            let likely = self.likely_of(&value);
            let is_flow_like = value.is_flow_like();
            let unknown = Value::Unknown(Rc::new(Unknown { is_flow_like, ..(**why).clone() }));
            self.note_likely(&unknown, likely);
            self.note_may_be(&unknown, [value]);
            imported.scope.set(&name, unknown);
        }
    }

    /// Any name of a class or module may be bound anew. Its functions and classes stay what they are to those
    /// who have them already, and what else they may be makes all of it inexact.
    fn lose_constants(&self, scope: &Scope<'a>, why: &Rc<Unknown>) {
        let names = scope.names.borrow().snapshot();
        for (name, value) in names {
            if !matches!(
                value,
                Value::Function(_)
                    | Value::Class(_)
                    | Value::Flow(_)
                    | Value::Wrapped(..)
                    | Value::Unknown(_)
            ) {
                let unknown = Value::Unknown(Rc::new((**why).clone()));
                self.note_likely(&unknown, self.likely_of(&value));
                scope.set(&name, unknown);
            }
        }
    }

    /// Notes which objects an unknown value may be, or hold: what changes it may change them.
    pub(super) fn note_may_be(
        &self,
        value: &Value<'a>,
        objects: impl IntoIterator<Item = Value<'a>>,
    ) {
        let Value::Unknown(unknown) = value else { return };
        let may_change = |object: &Value<'a>| {
            !object.is_constant()
                || matches!(
                    object,
                    Value::List(_) | Value::Dict(_) | Value::Set(_) | Value::Tuple(_)
                )
        };
        let is_other = |object: &Value<'a>| !matches!(object, Value::Unknown(other) if Rc::ptr_eq(other, unknown));
        let objects: Vec<_> =
            objects.into_iter().filter(|object| may_change(object) && is_other(object)).collect();
        if !objects.is_empty() {
            let mut may_be = self.may_be.borrow_mut();
            let entry = may_be.entry(Rc::as_ptr(unknown));
            let (_, known) = entry.or_insert_with(|| (Rc::clone(unknown), Vec::new()));
            if known.len() < MOST_OBJECTS {
                known.extend(objects);
            } else {
                drop(may_be);
                self.mark_script_inexact("a value may be too many objects");
            }
        }
    }

    /// The same for the objects of these names.
    pub(super) fn note_may_be_named<'n>(
        &self,
        value: &Value<'a>,
        names: impl IntoIterator<Item = &'n str>,
        scope: &Rc<Scope<'a>>,
    ) {
        if matches!(value, Value::Unknown(_)) {
            let names = names.into_iter();
            self.note_may_be(value, names.filter_map(|name| scope.get(&scope.mangled(name))));
        }
    }
}

/// What a callee stands for, as far as its names tell without evaluating anything.
fn resolved<'a>(callee: &Expr, scope: &Rc<Scope<'a>>) -> Option<Value<'a>> {
    match callee {
        Expr::Name(name) => scope.get(&scope.mangled(name.id.as_str())),
        Expr::Call(call) => resolved(&call.func, scope),
        Expr::Attribute(attribute) => match resolved(&attribute.value, scope)? {
            Value::Module(imported) => imported.scope.own(attribute.attr.as_str()),
            Value::Class(class) => class.scope.own(attribute.attr.as_str()),
            Value::Symbol(path) => {
                Some(Value::symbol(&symbols::canonical(&format!("{path}.{}", attribute.attr))))
            }
            found @ (Value::External(_) | Value::Unknown(_)) => Some(found),
            _ => None,
        },
        _ => None,
    }
}

/// Adds names to those of a module, which others may have made.
fn add_names<'n>(known: &Shared<HashSet<&'n str>>, names: &HashSet<&'n str>) {
    if !names.iter().all(|name| known.borrow().contains(name)) {
        known.borrow_mut().extend(names);
    }
}
