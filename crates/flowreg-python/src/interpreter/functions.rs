//! Function definitions: the signature as it stands in the source, and what decorators make of the
//! function. Bodies are run by [`super::inline`], where something calls them.

use std::rc::Rc;

use ruff_python_ast::{Expr, ExprLambda, ParameterWithDefault, Parameters, StmtFunctionDef};
use ruff_text_size::{Ranged, TextRange};

use super::class_rules::ABSTRACT;
use super::nested::is_flow_spelling;
use super::objects::property;
use super::{Evaluated, Interpreter};
use crate::source;
use crate::value::{
    Annotation, Function, Lost, MethodKind, Parameter, ParameterKind, Scope, Shared, Unknown,
    Value, set_keyword,
};

impl<'a> Interpreter<'a> {
    pub(super) fn function_definition(
        &self,
        definition: &'a StmtFunctionDef,
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<()> {
        let mut decorators = Vec::new();
        for decorator in &definition.decorator_list {
            decorators.push(self.value(&decorator.expression, scope)?);
        }
        // Decorators are evaluated first, then defaults and annotations, from left to right. An
        // error in any of them stops the module there.
        self.type_parameters(definition.type_params.as_deref(), scope);
        let parameters = self.signature(&definition.parameters, scope)?;
        // Not kept: only its evaluation may raise.
        if let Some(returns) = &definition.returns
            && !scope.module.are_annotations_postponed
        {
            self.value(returns, scope)?;
        }
        let mut value = Value::Function(Rc::new(Function {
            name: definition.name.as_str().into(),
            qualname: scope.qualify(definition.name.as_str()).into(),
            definition: Some(definition),
            lambda_body: None,
            parameters,
            docstring: source::docstring(&definition.body).map(Into::into),
            attributes: Shared::default(),
            scope: Rc::clone(scope),
            range: definition.range(),
            lost: Lost::default(),
        }));
        // The decorator that stands nearest to the function is applied first.
        for (decorator, node) in decorators.iter().zip(&definition.decorator_list).rev() {
            self.at(scope, node.start());
            value = self.decorated(decorator, value, &node.expression)?;
        }
        self.set(scope, &scope.mangled(definition.name.as_str()), value);
        Ok(())
    }

    /// Binds the names in the brackets of `def f[T](…)`. Python gives them a scope of their own; here
    /// they are names of the scope around it, which is enough since all of them are unknown.
    pub(super) fn type_parameters(
        &self,
        parameters: Option<&'a ruff_python_ast::TypeParams>,
        scope: &Rc<Scope<'a>>,
    ) {
        for parameter in parameters.into_iter().flat_map(|parameters| parameters.iter()) {
            let name = parameter.name().as_str();
            scope.set(name, self.unknown(format!("`{name}` is a type parameter of Python 3.12")));
        }
    }

    fn decorated(
        &self,
        decorator: &Value<'a>,
        value: Value<'a>,
        node: &'a Expr,
    ) -> Evaluated<Value<'a>> {
        if let Value::Symbol(path) = decorator {
            match &**path {
                // Neither is a flow's function itself: `Value::Wrapped` is looked through where
                // Prefect does so.
                "builtins.staticmethod" => {
                    return Ok(Value::Wrapped(Rc::new(value), MethodKind::Static));
                }
                "builtins.classmethod" => {
                    return Ok(Value::Wrapped(Rc::new(value), MethodKind::Class));
                }
                "builtins.property" => return Ok(property("property", value)),
                "functools.cached_property" => return Ok(property("cached property", value)),
                "enum.property" | "types.DynamicClassAttribute" => {
                    self.lose(&value, "a property may change it");
                    return Ok(Value::opaque("enum property"));
                }
                "abc.abstractmethod" => {
                    if let Value::Function(function) = &value {
                        let attributes = &mut function.attributes.borrow_mut();
                        set_keyword(attributes, ABSTRACT, Value::Bool(true));
                    }
                    return Ok(value);
                }
                "typing.final" | "typing.no_type_check" | "typing.override" | "typing.overload" => {
                    return Ok(value);
                }
                "prefect.task" => return Ok(Value::task(value)),
                _ => {}
            }
        }
        let given = self.likely_of(&value).filter(|likely| matches!(likely, Value::Flow(_)));
        let made = self.call(decorator, &[value], &Vec::new())?;
        let likely = given.or_else(|| self.likely_of(&made));
        let made = match made {
            // A decorator spelled like `flow` that comes from a package may well make flows: tell
            // the user. One of the repository was evaluated, and its reason is better.
            Value::Unknown(unknown) if !unknown.is_flow_like && is_flow_spelling(node) => {
                let is_foreign = matches!(decorator, Value::External(_) | Value::Unknown(_));
                Value::Unknown(Rc::new(Unknown { is_flow_like: is_foreign, ..(*unknown).clone() }))
            }
            other => other,
        };
        self.note_likely(&made, likely);
        Ok(made)
    }

    pub(super) fn lambda(
        &self,
        node: &'a ExprLambda,
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<Value<'a>> {
        let parameters = match &node.parameters {
            Some(parameters) => self.signature(parameters, scope)?,
            None => Vec::new(),
        };
        Ok(Value::Function(Rc::new(Function {
            name: "<lambda>".into(),
            qualname: scope.qualify("<lambda>").into(),
            definition: None,
            lambda_body: Some(&node.body),
            parameters,
            docstring: None,
            attributes: Shared::default(),
            scope: Rc::clone(scope),
            range: node.range(),
            lost: Lost::default(),
        })))
    }

    fn signature(
        &self,
        parameters: &'a Parameters,
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<Vec<Parameter<'a>>> {
        let with_default = |parameter: &'a ParameterWithDefault, kind| {
            let default = parameter.default.as_deref();
            self.parameter(&parameter.parameter, default, kind, parameter.range(), scope)
        };
        let mut signature = Vec::new();
        for parameter in &parameters.posonlyargs {
            signature.push(with_default(parameter, ParameterKind::PositionalOnly)?);
        }
        for parameter in &parameters.args {
            signature.push(with_default(parameter, ParameterKind::Positional)?);
        }
        if let Some(star) = &parameters.vararg {
            signature.push(self.parameter(star, None, ParameterKind::Rest, star.range(), scope)?);
        }
        for parameter in &parameters.kwonlyargs {
            signature.push(with_default(parameter, ParameterKind::KeywordOnly)?);
        }
        if let Some(star) = &parameters.kwarg {
            signature.push(self.parameter(
                star,
                None,
                ParameterKind::Keywords,
                star.range(),
                scope,
            )?);
        }
        Ok(signature)
    }

    fn parameter(
        &self,
        parameter: &'a ruff_python_ast::Parameter,
        default: Option<&'a Expr>,
        kind: ParameterKind,
        range: TextRange,
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<Parameter<'a>> {
        let annotation = match parameter.annotation.as_deref() {
            None => Annotation::Missing,
            Some(node) if scope.module.are_annotations_postponed => Annotation::Postponed(node),
            Some(node) => Annotation::Value(match self.value(node, scope) {
                // From Python 3.14 on, annotations are evaluated when they are asked for.
                Err(raised) if self.python().at_least(14) != Some(false) => {
                    self.unknown(format!("the annotation raises {raised}"))
                }
                other => other?,
            }),
        };
        let default = match default {
            Some(node) => Some(self.value(node, scope)?),
            None => None,
        };
        let default = default.map(|value| self.kept(value));
        Ok(Parameter { name: parameter.name.as_str().into(), kind, annotation, default, range })
    }
}
