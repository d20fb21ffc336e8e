//! How to reach a server, read as the official clients read it: environment, files, profiles.

mod placeholder;
pub mod prefect;
pub mod prefect1;
