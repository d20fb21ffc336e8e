//! An annotation together with an expression of its type.

/// What constraints suit a type.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Integer,
    Float,
    Text,
    List,
    Other,
}

/// An annotation, and an expression that has the type.
#[derive(Clone)]
pub(super) struct Typed {
    pub annotation: String,
    pub value: String,
    pub kind: Kind,
}

impl Typed {
    pub(super) fn new(annotation: impl Into<String>, value: impl Into<String>, kind: Kind) -> Self {
        Self { annotation: annotation.into(), value: value.into(), kind }
    }

    /// Whether the value is sure to be valid for the annotation.
    pub(super) fn is_safe(&self) -> bool {
        ["int", "str", "float", "bool", "bytes", "Path", "UUID", "Decimal", "Any"]
            .contains(&self.annotation.as_str())
            && self.value != "None"
            && !self.value.contains("stem")
    }

    pub(super) fn other(annotation: impl Into<String>, value: impl Into<String>) -> Self {
        Self::new(annotation, value, Kind::Other)
    }
}
