//! What the integration tests share.

use natgrad::gpu::Device;
use natgrad::{Choice, Engine};

/// An engine for every adapter that passes the self-test; says which they are, and which were refused.
pub(crate) fn gpu_engines() -> Vec<Engine> {
    let mut engines = Vec::new();
    for summary in Device::list() {
        match Engine::open(Choice::Index(summary.index)) {
            Ok(engine) => {
                println!("on {}", summary.label());
                engines.push(engine);
            }
            Err(error) => println!("not on {}: {error}", summary.label()),
        }
    }
    if engines.is_empty() {
        println!("no usable GPU adapter: nothing was run on a GPU");
    }
    engines
}
