//! natgrad: large batches of natural-gradient problems on any GPU, and on the CPU behind the same interface.

pub mod data;
pub mod expr;
pub mod gpu;
pub mod starts;
