//! The device: adapters, buffers, kernels, shader composition, read-back and the self-test.
//!
//! Nothing above this module knows wgpu, and nothing in it knows what is computed.

mod adapter;
mod buffer;
mod caches;
mod commands;
mod device;
pub mod elementary;
mod error;
mod kernel;
pub mod layout;
mod pace;
pub mod peaks;
mod pipelines;
mod pool;
#[cfg(test)]
pub(crate) mod present;
pub(crate) mod random;
mod readback;
pub mod selftest;
mod shader;
mod stopwatch;
mod tune;

pub use adapter::{AdapterChoice, AdapterSummary, required_limits};
pub use buffer::{Bindable, Buffer, Uniform};
pub use commands::Commands;
pub use device::{Capabilities, Device};
pub use error::DeviceError;
pub(crate) use kernel::kernel_source;
pub use kernel::{Access, Binding, Def, GeneratedModule, Kernel, KernelSource};
pub(crate) use readback::Arrived;
pub use readback::Readback;
pub use selftest::Depth;
pub(crate) use shader::UNROLLED;
pub use shader::{Scalar, compose};
pub(crate) use tune::{Candidate, Timing, Worth};
pub use tune::{Chosen, ChosenBy, Tuning};
