//! Class definitions: what kind of class it is, its order of ancestors and its fields.

use std::rc::Rc;

use ruff_python_ast::StmtClassDef;
use ruff_text_size::Ranged;

use super::ancestors::{ancestors, own_ancestors};
use super::objects::{Held, look_along};
use super::{Evaluated, Interpreter};
use crate::source;
use crate::symbols;
use crate::value::{
    Annotation, Class, ClassKind, Keywords, Location, Scope, Shared, Type, Unknown, Value, not_read,
};

/// Methods by which a class makes its own schema, or changes the classes that inherit from it. What
/// they return is not computed.
const SCHEMA_HOOKS: &[&str] = &[
    "__get_pydantic_core_schema__",
    "__get_pydantic_json_schema__",
    "model_json_schema",
    "__pydantic_init_subclass__",
    "__init_subclass__",
    "__class_getitem__",
    "__get_validators__",
    "__modify_schema__",
];

/// Bases that leave a plain class unconstrained.
const PLAIN_BASES: &[&str] = &[
    "builtins.object",
    "builtins.str",
    "builtins.int",
    "builtins.float",
    "builtins.list",
    "builtins.dict",
    "builtins.set",
    "builtins.tuple",
    "builtins.bytes",
    "typing.Generic",
    "typing.Protocol",
    "abc.ABC",
];

/// A field of a class.
#[derive(Clone)]
pub(crate) struct ClassField<'a> {
    pub name: crate::value::Text,
    pub annotation: Annotation<'a>,
    pub default: Option<Value<'a>>,
    pub owner: Rc<Class<'a>>,
}

/// Whether the class is a dataclass by pydantic's own decorator.
pub(crate) fn is_pydantic_dataclass(class: &Class<'_>) -> bool {
    class.decorations.borrow().dataclass.as_ref().is_some_and(|options| options.is_pydantic)
}

/// The annotated fields of a class: inherited ones first, and in their old place when they are
/// overridden.
pub(crate) fn fields<'a>(class: &Rc<Class<'a>>) -> Vec<ClassField<'a>> {
    let is_dataclass = matches!(class.kind.get(), ClassKind::Dataclass | ClassKind::DataclassChild);
    let mut fields: Vec<ClassField<'a>> = Vec::new();
    // From the farthest ancestor on, so that inherited fields come first and an overriding field
    // takes the place of the one that it overrides. pydantic and `dataclasses` both collect them
    // so.
    for ancestor in own_ancestors(class).into_iter().rev() {
        // Annotations of a class without the decorator make no fields.
        if is_dataclass && ancestor.kind.get() != ClassKind::Dataclass {
            continue;
        }
        for (name, annotation) in ancestor.scope.annotations.borrow().iter() {
            let field = ClassField {
                name: Rc::clone(name),
                annotation: annotation.clone(),
                default: inherited_default(class, &ancestor, name),
                owner: Rc::clone(&ancestor),
            };
            match fields.iter_mut().find(|known| known.name == *name) {
                Some(known) => *known = field,
                None => fields.push(field),
            }
        }
    }
    fields
}

/// The default of the field `name` that `owner` annotates: what reading the attribute from the
/// class gives, which is not known where several classes have a say.
fn inherited_default<'a>(
    class: &Rc<Class<'a>>,
    owner: &Rc<Class<'a>>,
    name: &str,
) -> Option<Value<'a>> {
    let own = owner.scope.own(name);
    let is_read = matches!(
        class.kind.get(),
        ClassKind::Model | ClassKind::Dataclass | ClassKind::DataclassChild
    );
    if !is_read {
        return own;
    }
    // pydantic removes the defaults of a model's fields from the attributes of the class, so reading
    // the attribute looks further along the ancestors.
    let has_value = |ancestor: &Rc<Class<'a>>| {
        ancestor.scope.own(name).is_some()
            && !(ancestor.kind.get() == ClassKind::Model && is_annotated(ancestor, name))
    };
    let mut other = own_ancestors(class)
        .into_iter()
        .take_while(|known| own.is_none() || !Rc::ptr_eq(known, owner));
    if other.any(|known| !Rc::ptr_eq(&known, owner) && has_value(&known)) {
        let why = format!("`{}.{name}` is also an attribute of another class", owner.name);
        return Some(Value::unknown(why, Location::default()));
    }
    own
}

fn is_annotated(class: &Class<'_>, name: &str) -> bool {
    class.scope.annotations.borrow().iter().any(|(known, _)| &**known == name)
}

/// Whether a class may have a metaclass that is not known.
fn may_prepare(bases: &[Value<'_>], keywords: &Keywords<'_>) -> bool {
    keywords.iter().any(|(name, _)| matches!(&**name, "metaclass" | "**"))
        || bases.iter().any(|base| match base {
            Value::External(_) | Value::Unknown(_) => true,
            Value::Class(class) => class.obstacle.borrow().is_some(),
            _ => false,
        })
}

impl<'a> Interpreter<'a> {
    pub(super) fn class_definition(
        &self,
        definition: &'a StmtClassDef,
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<()> {
        let mut decorators = Vec::new();
        for decorator in &definition.decorator_list {
            decorators.push(self.value(&decorator.expression, scope)?);
        }
        self.type_parameters(definition.type_params.as_deref(), scope);
        let mut bases = Vec::new();
        let mut keywords = Keywords::new();
        if let Some(arguments) = &definition.arguments {
            for base in &arguments.args {
                bases.push(self.value(base, scope)?);
            }
            keywords = self.keywords(&arguments.keywords, scope)?;
        }
        self.check_bases(&bases)?;
        // The body runs before the class exists; its names become the attributes.
        let inner = self.keep(Scope::class(definition.name.as_str(), scope));
        match self.block(&definition.body, &inner) {
            // A metaclass may put names into the namespace of the body.
            Err(raised) if raised.kind == "NameError" && may_prepare(&bases, &keywords) => {
                let why = format!("a metaclass of `{}` may bind names", definition.name);
                self.note_possible_error(why.clone());
                self.set(scope, definition.name.as_str(), self.unknown(why));
                return Ok(());
            }
            outcome => outcome?,
        }
        self.at(scope, definition.start());
        let docstring = match inner.own("__doc__") {
            // `__doc__ = "…"` in the body wins over the string at its top.
            Some(Value::Str(text)) => Some(text),
            _ => source::docstring(&definition.body).map(Into::into),
        };
        let class = self.make_class(definition, bases, keywords, inner, docstring);
        self.run_hook(&class)?;
        // In the order of Python: the metaclass refuses the body, then the decorators run, nearest
        // first, and what they refuse comes after.
        self.check_model_body(&class);
        self.check_body(&class)?;
        let mut value = Value::Class(Rc::clone(&class));
        for (decorator, node) in decorators.iter().zip(&definition.decorator_list).rev() {
            self.at(scope, node.start());
            value = self.class_decorated(decorator, value)?;
            self.check_decorated(decorator, &class)?;
        }
        self.check_class(&class)?;
        self.set(scope, &scope.mangled(definition.name.as_str()), value);
        Ok(())
    }

    fn make_class(
        &self,
        definition: &'a StmtClassDef,
        bases: Vec<Value<'a>>,
        keywords: Keywords<'a>,
        scope: Rc<Scope<'a>>,
        docstring: Option<crate::value::Text>,
    ) -> Rc<Class<'a>> {
        let ancestors = linearise(&bases);
        let kind = kind(&ancestors);
        let mixin = if kind == ClassKind::Enum { super::enums::mixin(&ancestors) } else { None };
        let class = Rc::new(Class {
            name: definition.name.as_str().into(),
            qualname: Rc::clone(&scope.qualname),
            body: Some(&definition.body),
            bases,
            ancestors,
            keywords,
            scope,
            kind: Shared::new(kind),
            docstring,
            decorations: Shared::default(),
            members: Shared::default(),
            mixin,
            obstacle: Shared::new(None),
        });
        let _ = class.scope.class.set(Rc::downgrade(&class));
        let why = match definition.type_params {
            Some(_) => Some(format!("`{}` has type parameters of Python 3.12", class.name)),
            None => self.obstacle(&class),
        };
        if let Some(why) = why {
            *class.obstacle.borrow_mut() =
                Some(Rc::new(Unknown { why, at: self.here(), is_flow_like: false }));
        }
        if kind == ClassKind::Enum {
            self.fill_enum(&class);
        }
        class
    }

    /// What runs when a class is made: `__set_name__` of what is in it, and `__init_subclass__` of a base.
    fn run_hook(&self, class: &Rc<Class<'a>>) -> Evaluated<()> {
        // Python first tells the objects in its body the names that they have there.
        let names = class.scope.names.borrow().snapshot();
        for (name, value) in names {
            let arguments = [Value::Class(Rc::clone(class)), Value::Str(name)];
            if let Some(told) = self.special_method(&value, "__set_name__", &arguments) {
                told?;
            }
        }
        let behind = ancestors(class);
        let behind = behind.get(1..).unwrap_or_default();
        let hook = match look_along(behind, "__init_subclass__") {
            Held::Found(hook @ (Value::Function(_) | Value::Wrapped(..)))
                if class.kind.get() == ClassKind::Plain && class.obstacle.borrow().is_none() =>
            {
                hook
            }
            Held::Missing if class.keywords.is_empty() => return Ok(()),
            _ => {
                self.note_hooks(class);
                return Ok(());
            }
        };
        let function = match &hook {
            Value::Wrapped(inner, _) => (**inner).clone(),
            other => other.clone(),
        };
        let arguments = [Value::Class(Rc::clone(class))];
        self.call(&function, &arguments, &class.keywords).map(|_| ())
    }

    /// Methods of base classes and metaclasses run while a class is made.
    fn note_hooks(&self, class: &Rc<Class<'a>>) {
        for ancestor in own_ancestors(class).into_iter().skip(1) {
            let runs = ["__init_subclass__", "__pydantic_init_subclass__"];
            if runs.iter().any(|name| ancestor.scope.own(name).is_some()) {
                self.lose_methods(&ancestor);
                self.lose(&Value::Class(Rc::clone(class)), "a method of a base may change it");
            }
        }
        for (_, value) in &class.keywords {
            self.lose(value, &format!("it is given to the class `{}`", class.name));
        }
    }

    fn class_decorated(&self, decorator: &Value<'a>, value: Value<'a>) -> Evaluated<Value<'a>> {
        let Value::Class(class) = &value else { return Ok(value) };
        Ok(match decorator {
            Value::Function(_) | Value::Partial(_) | Value::Bound(_)
                if class.kind.get() == ClassKind::Plain =>
            {
                return self.call(decorator, std::slice::from_ref(&value), &Keywords::new());
            }
            Value::Symbol(path) => match &**path {
                "dataclasses.dataclass" => {
                    self.dataclass_decorator(std::slice::from_ref(&value), &Vec::new(), false)
                }
                "pydantic.dataclasses.dataclass" => {
                    self.dataclass_decorator(std::slice::from_ref(&value), &Vec::new(), true)
                }
                "enum.unique" | "typing.final" | "functools.total_ordering" => value,
                "typing.runtime_checkable" => {
                    class.decorations.borrow_mut().is_runtime_checkable = true;
                    value
                }
                "prefect.flow" => {
                    let why = format!("the flow is made of the class `{}`", class.name);
                    self.unknown_of_kind(why, true)
                }
                _ => {
                    self.lose(&value, "a decorator may change it");
                    self.unknown(format!("what `@{path}` makes of `{}` is not known", class.name))
                }
            },
            Value::Dataclassing(options) => {
                Self::make_dataclass(class, options);
                value
            }
            other => {
                self.lose(other, "a decorator may change it");
                self.lose(&value, "a decorator may change it");
                match other.find_unknown(self.here()) {
                    Some(unknown) => Value::Unknown(unknown),
                    None => self.unknown(format!("what a decorator makes of `{}`", class.name)),
                }
            }
        })
    }

    /// Why nothing can be said about the schema of a class.
    fn obstacle(&self, class: &Rc<Class<'a>>) -> Option<String> {
        let name = &class.name;
        // They say nothing about the schema of a plain class, which has none.
        let is_plain = class.kind.get() == ClassKind::Plain;
        let may_have = |hook: &&&str| {
            !is_plain || !matches!(**hook, "__init_subclass__" | "__class_getitem__")
        };
        let has = |hook: &&&str| {
            let all = own_ancestors(class);
            let many = if is_plain { 1 } else { all.len() };
            all.iter().take(many).any(|class| class.scope.own(hook).is_some())
        };
        if let Some(hook) = SCHEMA_HOOKS.iter().filter(may_have).find(has) {
            return Some(format!("`{name}` makes its own schema with `{hook}`"));
        }
        let is_named_tuple_child = class.kind.get() == ClassKind::NamedTuple
            && !class.bases.iter().any(|base| base.is_symbol("typing.NamedTuple"));
        if is_named_tuple_child && !class.scope.annotations.borrow().is_empty() {
            return Some(format!("`{name}` annotates more than the named tuple it inherits from"));
        }
        // pydantic makes a class of its own for `Base[int]`, with the type variables of all fields
        // replaced.
        let is_parametrised = |base: &Value<'a>| {
            matches!(base, Value::Type(expression)
                if matches!(&**expression, Type::Generic(Value::Class(_), _)))
        };
        if class.kind.get() != ClassKind::Plain && class.bases.iter().any(is_parametrised) {
            return Some(format!("`{name}` inherits from a generic class with arguments"));
        }
        if class.keywords.iter().any(|(name, _)| matches!(&**name, "metaclass" | "**")) {
            return Some(format!("`{name}` has a metaclass"));
        }
        class.ancestors.iter().find_map(|ancestor| match ancestor {
            Value::Class(ancestor) => {
                ancestor.obstacle.borrow().as_ref().map(|unknown| unknown.why.clone())
            }
            Value::External(path) => Some(format!("`{name}` inherits: {}", not_read(path))),
            Value::Symbol(path) => Self::foreign_base(class, path),
            other => Some(match other.find_unknown(self.here()) {
                Some(unknown) => format!("a base class of `{name}`: {}", unknown.why),
                None => format!("`{name}` has a base that is not known"),
            }),
        })
    }

    fn foreign_base(class: &Class<'a>, path: &str) -> Option<String> {
        let is_known = PLAIN_BASES.contains(&path)
            || path.starts_with("enum.")
            || symbols::is_opaque_class(path)
            || is_builtin_exception(path)
            || matches!(
                path,
                "pydantic.BaseModel"
                    | "pydantic.RootModel"
                    | "typing.NamedTuple"
                    | "typing.TypedDict"
                    | "typing_extensions.TypedDict"
            );
        (!is_known).then(|| format!("`{}` inherits from `{path}`", class.name))
    }
}

fn is_builtin_exception(path: &str) -> bool {
    path.strip_prefix("builtins.").is_some_and(|name| {
        name.ends_with("Error") || name.ends_with("Exception") || name.ends_with("Warning")
    })
}

/// What the ancestors make of a class.
fn kind(ancestors: &[Value<'_>]) -> ClassKind {
    let mut kind = ClassKind::Plain;
    for ancestor in ancestors {
        let found = match ancestor {
            Value::Class(class) => match class.kind.get() {
                ClassKind::Dataclass => ClassKind::DataclassChild,
                other => other,
            },
            Value::Symbol(path) => match &**path {
                "pydantic.BaseModel" => ClassKind::Model,
                "pydantic.RootModel" => ClassKind::RootModel,
                "typing_extensions.TypedDict" => ClassKind::TypedDict,
                "typing.TypedDict" => ClassKind::StandardTypedDict,
                "typing.NamedTuple" => ClassKind::NamedTuple,
                "typing.Protocol" => ClassKind::Protocol,
                path if path.starts_with("enum.") => ClassKind::Enum,
                _ => ClassKind::Plain,
            },
            _ => ClassKind::Plain,
        };
        // The nearest ancestor decides, except that a root model is also a model, and that an enum
        // stays one whatever is mixed in.
        let is_stronger = kind == ClassKind::Plain
            || (kind == ClassKind::Model && found == ClassKind::RootModel)
            || found == ClassKind::Enum;
        if is_stronger && found != ClassKind::Plain {
            kind = found;
        }
    }
    kind
}

/// The C3 order of the ancestors that `bases` bring. Where there is no such order Python raises;
/// `check_bases` refuses what is certain, and for the rest the ancestors are put depth first.
fn linearise<'a>(bases: &[Value<'a>]) -> Vec<Value<'a>> {
    let bases: Vec<Value<'a>> = bases.iter().map(origin).collect();
    let mut sequences: Vec<Vec<Value<'a>>> = bases
        .iter()
        .map(|base| match base {
            Value::Class(class) => ancestors(class),
            other => vec![other.clone()],
        })
        .collect();
    sequences.push(bases);
    let mut order: Vec<Value<'a>> = Vec::new();
    loop {
        sequences.retain(|sequence| !sequence.is_empty());
        let heads = sequences.iter().filter_map(|sequence| sequence.first());
        // C3: the first head that stands in no other sequence behind its head.
        let next = heads.clone().find(|head| {
            !sequences.iter().any(|rest| rest.iter().skip(1).any(|other| is_same(head, other)))
        });
        let Some(next) = next.or_else(|| heads.clone().next()).cloned() else { return order };
        let count = |sequences: &[Vec<Value<'a>>]| sequences.iter().map(Vec::len).sum::<usize>();
        let before = count(&sequences);
        for sequence in &mut sequences {
            sequence.retain(|other| !is_same(&next, other));
        }
        // A base that is no class equals nothing, not even itself, so nothing was removed. Without
        // this the loop would have no end.
        if count(&sequences) == before
            && let Some(first) = sequences.first_mut()
        {
            first.remove(0);
        }
        order.push(next);
    }
}

/// The class behind a base; whatever is none becomes unknown.
fn origin<'a>(base: &Value<'a>) -> Value<'a> {
    match base {
        Value::Type(expression) => match &**expression {
            Type::Generic(base, _) => origin(base),
            _ => Value::unknown("it is no class", Location::default()),
        },
        Value::Class(_) | Value::Symbol(_) | Value::External(_) | Value::Unknown(_) => base.clone(),
        _ => Value::unknown("it is no class", Location::default()),
    }
}

fn is_same<'a>(left: &Value<'a>, right: &Value<'a>) -> bool {
    match (left, right) {
        (Value::Class(left), Value::Class(right)) => Rc::ptr_eq(left, right),
        (Value::Symbol(left), Value::Symbol(right))
        | (Value::External(left), Value::External(right)) => left == right,
        (Value::Unknown(left), Value::Unknown(right)) => Rc::ptr_eq(left, right),
        _ => false,
    }
}
