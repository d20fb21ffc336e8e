//! What a run is configured with: where each value came from is kept beside it.

pub mod prefect;
