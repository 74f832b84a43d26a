//! The natgrad binary.
fn main() {}
