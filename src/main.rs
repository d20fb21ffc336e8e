//! The `flowreg` binary.

fn main() {}
