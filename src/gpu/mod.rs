//! The device: adapters, buffers, kernels, shader composition and the self-test.

pub mod elementary;
