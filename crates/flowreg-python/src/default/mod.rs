//! Defaults: the values a signature can hold, and how pydantic writes them as JSON.

pub mod encode;
pub mod moment;
