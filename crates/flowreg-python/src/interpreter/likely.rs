//! What a value that is not known most likely is, where that is a flow: one that went through a
//! decorator which is not read, or one that only one side of a condition makes. Such a flow is listed
//! and is not exact; for everything else the value stays unknown.

use std::rc::Rc;

use super::Interpreter;
use crate::value::{Keywords, Unknown, Value};

impl<'a> Interpreter<'a> {
    /// What an unknown value most likely is.
    pub(crate) fn likely(&self, unknown: &Rc<Unknown>) -> Option<Value<'a>> {
        let likely = self.likely.borrow();
        let (_, value) = likely.iter().find(|(known, _)| Rc::ptr_eq(known, unknown))?;
        Some(value.clone())
    }

    /// The value itself, or what it most likely is; `None` unless that has to do with flows.
    pub(super) fn likely_of(&self, value: &Value<'a>) -> Option<Value<'a>> {
        match value {
            Value::Flow(_) | Value::FlowDecorator(_) => Some(value.clone()),
            Value::Symbol(path) if &**path == "prefect.flow" => Some(value.clone()),
            Value::Unknown(unknown) => self.likely(unknown),
            _ => None,
        }
    }

    /// Notes what a value most likely is, if it is not known.
    pub(super) fn note_likely(&self, value: &Value<'a>, likely: Option<Value<'a>>) {
        if let (Value::Unknown(unknown), Some(likely)) = (value, likely) {
            self.likely.borrow_mut().push((Rc::clone(unknown), likely));
        }
    }

    /// What a call most likely returns, if what is called is most likely Prefect's `flow`, or what
    /// that returned.
    pub(super) fn likely_call(
        &self,
        callee: &Value<'a>,
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
    ) -> Option<Value<'a>> {
        let Value::Unknown(_) = callee else { return None };
        let likely = self.likely_of(callee).filter(|likely| !matches!(likely, Value::Flow(_)))?;
        // It may not be called at all, so that what it may raise is of no concern.
        self.open_guess("it is most likely a flow");
        let made = self.call(&likely, arguments, keywords);
        self.close_guess();
        self.likely_of(&made.ok()?)
    }
}
