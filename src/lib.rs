//! natgrad: large batches of natural-gradient problems on any GPU, and on the CPU behind the same interface.

pub mod expr;
pub mod gpu;
pub mod ngd;
pub mod report;
pub mod sweep;
