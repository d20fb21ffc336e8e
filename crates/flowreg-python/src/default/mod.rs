//! Defaults: the values a signature can hold, and how pydantic writes them as JSON.

pub(crate) mod encode;
pub(crate) mod std_value;
