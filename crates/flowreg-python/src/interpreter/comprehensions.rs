//! What a comprehension does where it stands, if its items are not computed ([`super::loops`]).

use std::collections::HashSet;
use std::rc::Rc;

use ruff_python_ast::Expr;

use super::bound::names_read;
use super::certain::is_not_iterable;
use super::{Evaluated, Interpreter};
use crate::symbols;
use crate::value::Scope;

impl<'a> Interpreter<'a> {
    /// What a comprehension iterates over first is evaluated where it stands.
    pub(super) fn first_iterated(
        &self,
        comprehension: &'a Expr,
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<()> {
        let generators = match comprehension {
            Expr::ListComp(list) => &list.generators,
            Expr::SetComp(set) => &set.generators,
            Expr::DictComp(dict) => &dict.generators,
            Expr::Generator(generator) => &generator.generators,
            _ => return Ok(()),
        };
        let Some(first) = generators.first() else { return Ok(()) };
        let iterated = self.value(&first.iter, scope)?;
        if is_not_iterable(&iterated) && !first.is_async {
            return self.not_iterable(&iterated);
        }
        if scope.is_class() {
            let mut targets = HashSet::new();
            for generator in generators {
                targets.extend(names_read(&generator.target));
            }
            // A comprehension is a scope of its own, and from inside it Python does not look into
            // the body of the class: reading such a name raises `NameError`, if any item is made.
            let is_hidden = |name: &&str| {
                scope.own(name).is_some()
                    && !targets.contains(name)
                    && scope.top().own(name).is_none()
                    && symbols::builtin(name).is_none()
            };
            let inner = comprehended(comprehension);
            if let Some(name) = inner.into_iter().find(is_hidden) {
                self.note_possible_error(format!("`{name}` of a class body in a comprehension"));
            }
        }
        Ok(())
    }
}

/// The names that a comprehension reads in a scope of its own.
fn comprehended(comprehension: &Expr) -> Vec<&str> {
    let (elements, generators) = match comprehension {
        Expr::ListComp(list) => (vec![&*list.elt], &list.generators),
        Expr::SetComp(set) => (vec![&*set.elt], &set.generators),
        Expr::DictComp(dict) => {
            (dict.key.as_deref().into_iter().chain([&*dict.value]).collect(), &dict.generators)
        }
        Expr::Generator(generator) => (vec![&*generator.elt], &generator.generators),
        _ => return Vec::new(),
    };
    let conditions = generators.iter().flat_map(|generator| &generator.ifs);
    let iterated = generators.iter().skip(1).map(|generator| &generator.iter);
    elements.into_iter().chain(conditions).chain(iterated).flat_map(names_read).collect()
}
