//! Statements: what they bind, and which of them run.

use std::rc::Rc;

use ruff_python_ast::{Expr, Operator, Stmt};
use ruff_text_size::Ranged;

use super::bound::BoundNames;
use super::inline::yields;
use super::iterators::contained;
use super::mutations::Change;
use super::objects::class_of;
use super::{Evaluated, Interpreter};
use crate::touched::Touched;
use crate::value::{Annotation, ClassKind, Scope, Text, Unknown, Value, set_keyword};

impl<'a> Interpreter<'a> {
    pub(super) fn block(&self, body: &'a [Stmt], scope: &Rc<Scope<'a>>) -> Evaluated<()> {
        self.run_body(body, scope).map(|_| ())
    }

    pub(super) fn statement(&self, statement: &'a Stmt, scope: &Rc<Scope<'a>>) -> Evaluated<()> {
        self.at(scope, statement.start());
        match statement {
            Stmt::Import(import) => {
                self.note_doubtful();
                self.import(import, scope)?;
            }
            Stmt::ImportFrom(import) => {
                self.note_doubtful();
                self.import_from(import, scope)?;
            }
            Stmt::Expr(expression) => self.effect(&expression.value, scope)?,
            Stmt::Assign(assign) => {
                let value = self.value(&assign.value, scope)?;
                for target in &assign.targets {
                    self.bind(target, &value, scope)?;
                }
            }
            Stmt::AnnAssign(assign) => self.annotated(assign, scope)?,
            Stmt::AugAssign(assign) => self.augmented(assign, scope)?,
            Stmt::Delete(delete) => {
                delete.targets.iter().try_for_each(|target| self.delete(target, scope))?;
            }
            Stmt::Raise(raise) => return self.raise_statement(raise, scope),
            Stmt::Assert(assert) => {
                let test = self.value(&assert.test, scope)?;
                if self.condition(&test)? == Some(false) {
                    let said = match &assert.msg {
                        Some(message) => vec![self.value(message, scope)?],
                        None => Vec::new(),
                    };
                    let kind = "builtins.AssertionError";
                    let object = self.call_symbol(kind, &said, &Vec::new())?;
                    let excerpt = scope.excerpt(&*assert.test);
                    return self.raise_object("AssertionError", &excerpt, object);
                }
            }
            Stmt::FunctionDef(function) => self.function_definition(function, scope)?,
            Stmt::ClassDef(class) => self.class_definition(class, scope)?,
            Stmt::TypeAlias(alias) => {
                // pydantic makes a definition of such an alias, and evaluates it only when it is
                // used.
                let unknown = self.unknown("it is bound by a `type` statement of Python 3.12");
                self.bind(&alias.name, &unknown, scope)?;
            }
            Stmt::Global(_) if scope.is_class() => {
                self.mark_module_inexact(&scope.module, "a class binds names of its module");
            }
            _ => {}
        }
        Ok(())
    }

    fn delete(&self, target: &'a Expr, scope: &Rc<Scope<'a>>) -> Evaluated<()> {
        match target {
            Expr::Name(name) => {
                let name = name.id.as_str();
                let is_any_name_possible = scope.module.inexact.borrow().is_some();
                if scope.own(name).is_none() && !is_any_name_possible && !scope.is_function() {
                    return self.raise("NameError", format!("name '{name}' is not defined"));
                }
                // Under a condition that is not known this runs on a copy of the names, which is
                // joined with the other branch afterwards.
                let home = scope.home(name);
                home.as_deref().unwrap_or(scope).names.borrow_mut().remove(name);
            }
            Expr::Subscript(item) => {
                let owner = self.value(&item.value, scope)?;
                let index = self.value(&item.slice, scope)?;
                self.check_item_change(&owner, &index, "deletion")?;
                self.check_item_is_there(&owner, &index);
                if let Value::Dict(entries) = &owner
                    && index.is_constant()
                    && matches!(Self::look_up(entries, &index), Ok(None))
                {
                    self.note_possible_error("a key is deleted that may not be there");
                }
                if let Change::NotFollowed = self.changed_item(&owner, &index, None)? {
                    self.lose(&owner, "an item of it is deleted");
                }
            }
            Expr::Attribute(attribute) => {
                let owner = self.value(&attribute.value, scope)?;
                let name = attribute.attr.as_str();
                match &owner {
                    Value::Function(_) if matches!(name, "__defaults__" | "__kwdefaults__") => {
                        self.set_attribute(&owner, name, &Value::None)?;
                    }
                    Value::Function(_) if name == "__annotations__" => {
                        self.set_attribute(&owner, name, &Value::dict(Vec::new()))?;
                    }
                    Value::Function(function) if self.open_guesses.get() == 0 => {
                        function.attributes.borrow_mut().retain(|(known, _)| &**known != name);
                    }
                    owner if class_of(owner).is_some() => self.delete_on_object(owner, name),
                    _ => self.set_attribute(&owner, name, &self.unknown("it is deleted"))?,
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// An expression for its effect: what it binds, and what a call does to what it is given.
    fn effect(&self, expression: &'a Expr, scope: &Rc<Scope<'a>>) -> Evaluated<()> {
        if !expression.is_literal_expr() || expression.is_f_string_expr() {
            self.value(expression, scope)?;
        }
        Ok(())
    }

    /// Runs a block that Python runs at least once, only to see whether it raises. What it binds is
    /// dropped, for later rounds may bind something else.
    pub(super) fn look_for_errors(&self, body: &'a [Stmt], scope: &Rc<Scope<'a>>) {
        let before = scope.names.borrow().clone();
        self.open_guess("it stands in a loop or a `match` that is not followed");
        let outcome = self.block(body, scope);
        self.close_guess();
        *scope.names.borrow_mut() = before;
        if let Err(raised) = outcome {
            self.note_possible_error(format!("a loop may raise {}", raised.kind));
        }
    }

    /// Notes that the script may raise here and not be loaded at all, so that none of its flows is
    /// exact. Nothing is noted inside a branch that may not run: most such branches are for another
    /// environment, and every file with one would be inexact.
    pub(super) fn note_possible_error(&self, why: impl Into<String>) {
        if self.open_guesses.get() == 0 {
            self.mark_script_inexact(why);
        }
    }

    /// Binds what a block may bind to something unknown.
    pub(super) fn bind_to_unknown(&self, body: &'a [Stmt], scope: &Rc<Scope<'a>>, why: &str) {
        self.note_doubtful();
        if body.iter().any(yields) {
            self.give(None);
        }
        let touched = Touched::of(body);
        self.lose_touched(&touched, scope, why);
        let bound = BoundNames::of(body);
        let mut sources = Vec::new();
        for (name, _) in &bound.names {
            // The name may keep what it has, too.
            let names = touched.sources(name).into_iter().chain([*name]);
            sources
                .push(names.filter_map(|name| scope.get(&scope.mangled(name))).collect::<Vec<_>>());
        }
        for ((name, is_flow), sources) in bound.names.into_iter().zip(sources) {
            let unknown = if is_flow {
                Value::unknown_flow(why, self.here())
            } else {
                Value::unknown(why, self.here())
            };
            self.note_may_be(&unknown, sources);
            scope.home(name).as_deref().unwrap_or(scope).set(name, unknown);
        }
        if bound.binds_any {
            self.mark_module_inexact(&scope.module, why);
        }
    }

    pub(super) fn bind(
        &self,
        target: &'a Expr,
        value: &Value<'a>,
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<()> {
        match target {
            Expr::Name(name) => {
                self.set(scope, &scope.mangled(name.id.as_str()), value.clone());
            }
            Expr::Tuple(tuple) => self.unpack(&tuple.elts, value, scope)?,
            Expr::List(list) => self.unpack(&list.elts, value, scope)?,
            Expr::Starred(starred) => self.bind(&starred.value, value, scope)?,
            Expr::Attribute(attribute) => {
                let owner = self.value(&attribute.value, scope)?;
                self.check_attribute_change(&owner, attribute.attr.as_str())?;
                self.set_attribute(&owner, &scope.mangled(attribute.attr.as_str()), value)?;
            }
            Expr::Subscript(item) => {
                let owner = self.value(&item.value, scope)?;
                let index = self.value(&item.slice, scope)?;
                self.check_item_change(&owner, &index, "assignment")?;
                let why = format!("`{} = …` changes it", scope.excerpt(item));
                self.set_item(&owner, &index, value, &why)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn unpack(
        &self,
        targets: &'a [Expr],
        value: &Value<'a>,
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<()> {
        let listed;
        let value = match value {
            Value::Iterator(_) => match self.taken(value)? {
                Some(items) => {
                    listed = Value::list(items);
                    &listed
                }
                None => value,
            },
            value => value,
        };
        let star = targets.iter().position(Expr::is_starred_expr);
        self.check_count(value, targets.len(), star.is_some())?;
        let items = match value {
            Value::Iterator(_) => None,
            value => contained(value),
        };
        match (items, star) {
            (Some(items), None) if items.len() == targets.len() => targets
                .iter()
                .zip(items.iter())
                .try_for_each(|(target, item)| self.bind(target, item, scope)),
            // `first, *rest = …`
            (Some(mut items), Some(star)) if items.len() + 1 >= targets.len() => {
                let behind = targets.len() - star - 1;
                let last = items.split_off(items.len() - behind);
                let middle = items.split_off(star);
                let parts = items.into_iter().chain([Value::list(middle)]).chain(last);
                targets
                    .iter()
                    .zip(parts)
                    .try_for_each(|(target, item)| self.bind(target, &item, scope))
            }
            _ => {
                // An object of the repository is gone through by methods of its own.
                if class_of(value).is_some() {
                    self.lose(value, "it is unpacked");
                }
                let unknown = self.unknown("it is unpacked from a value that is not known");
                self.note_may_be(&unknown, [value.clone()]);
                targets.iter().try_for_each(|target| self.bind(target, &unknown, scope))
            }
        }
    }

    pub(super) fn set_attribute(
        &self,
        owner: &Value<'a>,
        name: &str,
        value: &Value<'a>,
    ) -> Evaluated<()> {
        let value = &self.kept(value.clone());
        self.note_identity_change(owner, name, value);
        if matches!(owner, Value::Opaque(opaque) if opaque.attributes.is_some() && opaque.what == "an object")
            || class_of(owner).is_some()
        {
            return self.set_object_attribute(owner, name, value);
        }
        let value = if self.open_guesses.get() > 0 {
            self.unknown(format!("`{name}` is set under a condition that is not known"))
        } else {
            value.clone()
        };
        match owner {
            Value::Function(function) => {
                set_keyword(&mut function.attributes.borrow_mut(), name, value);
            }
            Value::Class(class) => {
                // What pydantic and Python themselves read, some of it only when the class is made.
                let is_field = class.kind.get() != ClassKind::Plain
                    && class.scope.annotations.borrow().iter().any(|(known, _)| &**known == name);
                if name.starts_with("__") || name.starts_with("model_") || is_field {
                    let why = format!("`{name}` of `{}` is set", class.name);
                    let unknown = Unknown { why, at: self.here(), is_flow_like: false };
                    class.obstacle.fill(|| Rc::new(unknown));
                }
                // Who has the class may change what it holds.
                if self.has_escaped(owner) {
                    self.lose(&value, &format!("it is kept as `{name}` of a class"));
                }
                class.scope.set(name, value);
            }
            Value::Module(imported) => imported.scope.set(name, value),
            // A flow reads these three when it is deployed, as if they had been given.
            Value::Flow(flow) if matches!(name, "name" | "description" | "version") => {
                set_keyword(&mut flow.options.borrow_mut(), name, value);
            }
            Value::Flow(flow) => set_keyword(&mut flow.attributes.borrow_mut(), name, value),
            Value::Symbol(path) => {
                // A library keeps it, and may call it.
                self.lose(&value, &format!("it is kept as `{path}.{name}`"));
                if !path.starts_with("sys.") && is_patched(path) {
                    self.mark_script_inexact(format!("`{path}.{name}` is set"));
                }
            }
            // Who has the object may change what it holds.
            Value::Opaque(_) | Value::External(_) | Value::Unknown(_) => {
                self.lose(&value, &format!("it is kept as `{name}` of an object"));
                self.lose(owner, &format!("`{name}` of it is set"));
            }
            // A schedule may be in several deployments already, so all of them are in doubt.
            Value::Made(_) => self.mark_script_inexact(format!("`{name}` of an object is set")),
            _ => {}
        }
        Ok(())
    }

    fn annotated(
        &self,
        assign: &'a ruff_python_ast::StmtAnnAssign,
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<()> {
        // Python binds first: an annotation sees the value of a field that is named like its type.
        if let Some(value) = &assign.value {
            let value = self.value(value, scope)?;
            self.bind(&assign.target, &value, scope)?;
        }
        let Expr::Name(name) = &*assign.target else { return Ok(()) };
        if scope.is_class() {
            let annotation = if scope.module.are_annotations_postponed {
                Annotation::Postponed(&assign.annotation)
            } else {
                Annotation::Value(self.value(&assign.annotation, scope)?)
            };
            self.at(scope, assign.start());
            // `x: x = Field(…)`: the annotation is the very field that was just bound, which
            // pydantic refuses.
            if let (Annotation::Value(value), Some(bound)) =
                (&annotation, scope.own(name.id.as_str()))
                && matches!((value, &bound), (Value::Field(value), Value::Field(bound))
                    if Rc::ptr_eq(value, bound))
            {
                let message = "Error when building FieldInfo from annotated attribute. Make sure \
                               you don't have any field name clashing with a type annotation.";
                return self.raise("PydanticUserError", message);
            }
            let mut annotations = scope.annotations.borrow_mut();
            let text = Text::from(&*scope.mangled(name.id.as_str()));
            match annotations.iter_mut().find(|(known, _)| *known == text) {
                Some(entry) => entry.1 = annotation,
                None => annotations.push((text, annotation)),
            }
        // Annotations of local variables in functions are never evaluated.
        } else if !scope.module.are_annotations_postponed && scope.is_module() {
            self.value(&assign.annotation, scope)?;
        }
        Ok(())
    }

    fn augmented(
        &self,
        assign: &'a ruff_python_ast::StmtAugAssign,
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<()> {
        let why = format!("`{}` changes it", scope.excerpt(assign));
        match &*assign.target {
            Expr::Name(name) => {
                let name = &*scope.mangled(name.id.as_str());
                let held = scope.get(name).map(Value::unless_lost);
                let right = self.value(&assign.value, scope)?;
                let value = match held {
                    Some(left) => self.in_place(assign.op, left, &right, &why)?,
                    None if scope.module.inexact.borrow().is_none() && !scope.is_function() => {
                        return self.raise("NameError", format!("name '{name}' is not defined"));
                    }
                    None => self.unknown(format!("`{name}` has no value before")),
                };
                self.set(scope, name, value);
            }
            Expr::Subscript(item) => {
                let owner = self.value(&item.value, scope)?;
                let index = self.value(&item.slice, scope)?;
                let held = self.subscript(&owner, &index)?;
                let right = self.value(&assign.value, scope)?;
                let value = self.in_place(assign.op, held, &right, &why)?;
                self.check_item_change(&owner, &index, "assignment")?;
                self.set_item(&owner, &index, &value, &why)?;
            }
            Expr::Attribute(attribute) => {
                let owner = self.value(&attribute.value, scope)?;
                let name = scope.mangled(attribute.attr.as_str());
                let held = self.attribute(&owner, &name)?;
                let right = self.value(&assign.value, scope)?;
                let value = self.in_place(assign.op, held, &right, &why)?;
                self.check_attribute_change(&owner, attribute.attr.as_str())?;
                self.set_attribute(&owner, &name, &value)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// `left <operator>= right`: a list takes the items in place, a number or text is made anew.
    fn in_place(
        &self,
        operator: Operator,
        left: Value<'a>,
        right: &Value<'a>,
        why: &str,
    ) -> Evaluated<Value<'a>> {
        let listed = match (&left, right) {
            (Value::List(_), Value::Iterator(_)) => self.taken(right)?.map(Value::list),
            _ => None,
        };
        let right = listed.as_ref().unwrap_or(right);
        let is_in_place = matches!(left, Value::List(_) | Value::Set(_) | Value::Dict(_));
        if is_in_place && let Change::Made(_) = self.changed_in_place(operator, &left, right)? {
            return Ok(left);
        }
        if let Some(method) = super::expressions::operator_method(operator) {
            let own = method.replacen("__", "__i", 1);
            if let Some(value) = self.special_method(&left, &own, std::slice::from_ref(right)) {
                return value;
            }
            if let Some(value) = self.operated(method, &left, right) {
                return value;
            }
        }
        self.note_implicit_use([&left, right]);
        // A list takes the items of anything that can be iterated over.
        let is_any = matches!((&left, operator), (Value::List(_), Operator::Add));
        let value = if is_any { Value::None } else { self.binary(operator, &left, right)? };
        if is_in_place || !left.is_constant() {
            self.lose(&left, why);
            self.lose(right, why);
        }
        Ok(if is_in_place { left } else { value })
    }

    /// `owner[index] = value`.
    pub(super) fn set_item(
        &self,
        owner: &Value<'a>,
        index: &Value<'a>,
        value: &Value<'a>,
        why: &str,
    ) -> Evaluated<()> {
        self.check_item_is_there(owner, index);
        let arguments = [index.clone(), value.clone()];
        if let Some(set) = self.special_method(owner, "__setitem__", &arguments) {
            return set.map(|_| ());
        }
        if matches!(owner, Value::Dict(_)) {
            self.note_implicit_use([index]);
        }
        if self.set_in_dictionary(owner, index, value)? {
            return Ok(());
        }
        if let Value::Symbol(path) = owner {
            self.mark_script_inexact(format!("an item of `{path}` is set"));
        }
        if let Change::NotFollowed = self.changed_item(owner, index, Some(value))? {
            self.lose(owner, why);
            self.lose(value, why);
        }
        Ok(())
    }
}

/// Whether flowreg takes what is in a module as it is in the standard library, pydantic and Prefect, so that
/// setting it changes what is read.
fn is_patched(path: &str) -> bool {
    let module = path.split('.').next().unwrap_or(path);
    !matches!(module, "logging" | "warnings" | "socket" | "ssl" | "sys" | "os" | "signal")
}
