//! natgrad: large batches of natural-gradient problems on any GPU, and on the CPU behind the same interface.

pub mod data;
pub mod error;
pub mod expr;
pub mod gpu;
pub mod model;
pub mod ngd;
pub mod starts;
pub mod sweep;

mod backend;
mod engine;
mod kernels;
mod verify;
