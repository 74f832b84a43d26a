//! Declares `shaders/network.wgsl` and writes the architecture module that it imports.

use std::fmt::Write;
use std::sync::Arc;

use crate::gpu::{Def, Device, DeviceError, GeneratedModule, Kernel, KernelSource, kernel_source};
use crate::kernels::batch::Batch;
use crate::kernels::jacobian::host::listed_defs;
use crate::model::{Activation, Network};

pub(crate) const SOURCE: KernelSource = kernel_source!(
    "network",
    uniform rules,
    uniform span,
    read problems,
    read states,
    read data,
    read theta,
    write block,
);

/// The same of the problems in a roster.
pub(crate) const LISTED: KernelSource = kernel_source!(
    "network",
    uniform rules,
    uniform span,
    read problems,
    read roster,
    read data,
    read theta,
    write block,
    write bits,
);

/// The constants of the kernel for a network.
pub(crate) fn defs(network: &Network) -> Vec<(&'static str, Def)> {
    let activation = match network.activation() {
        Activation::Tanh => "TANH",
        Activation::Relu => "RELU",
        Activation::Silu => "SILU",
        Activation::Identity => "IDENTITY",
    };
    let mut defs = vec![(activation, Def::Bool(true))];
    if network.layers().len() > 2 {
        defs.push(("DEEP", Def::Bool(true)));
    }
    if network.weight_layers().last().is_some_and(|layer| !layer.biases.is_empty()) {
        defs.push(("OUTPUT_BIAS", Def::Bool(true)));
    }
    if network.kept_units() > 0 {
        defs.push(("KEPT", Def::UInt(network.kept_units() as u32)));
    }
    defs
}

/// The kernel for a network.
pub(crate) fn kernel(device: &Device, network: &Network) -> Result<Arc<Kernel>, DeviceError> {
    device.kernel(&SOURCE, &defs(network), &[module(network)])
}

/// The kernel for a network and the problems in a roster.
pub(crate) fn listed(device: &Device, batch: Batch, network: &Network) -> Result<Arc<Kernel>, DeviceError> {
    let mut all = defs(network);
    all.extend(listed_defs());
    device.kernel(&LISTED, &batch.defs(all), &[module(network)])
}

/// `natgrad::architecture`: the sizes of the layers, and where their parameters lie. Layer 0 are the inputs; the layer of
/// weights l leads to the layer of units l.
pub(crate) fn module(network: &Network) -> GeneratedModule {
    let layers: Vec<_> = network.weight_layers().collect();
    let features = network.layers()[0];
    let inputs = features + usize::from(network.outputs() > 1);
    let p = layers.last().map_or(0, |layer| layer.weights.end + layer.biases.len());
    let mut wgsl = String::from("#define_import_path natgrad::architecture\n\n");
    let constants = [
        ("P", p),
        ("INPUTS", inputs),
        ("FEATURES", features),
        ("OUTPUTS", network.outputs()),
        ("HIDDEN", layers.len() - 1),
    ];
    for (name, value) in constants {
        // Writing to a string cannot fail.
        let _ = writeln!(wgsl, "const {name}: u32 = {value}u;");
    }
    let unsigned = |value: usize| format!("{value}u");
    let number = |value: f64| format!("Real({:?})", value as f32);
    wgsl += &by_layer("units", "u32", network.layers().iter().map(|&units| unsigned(units)));
    let weights = |of: &dyn Fn(&crate::model::Layer) -> String| {
        std::iter::once(of(&layers[0])).chain(layers.iter().map(of)).collect::<Vec<_>>()
    };
    wgsl += &by_layer("first_weight", "u32", weights(&|layer| unsigned(layer.weights.start)).into_iter());
    wgsl += &by_layer("first_bias", "u32", weights(&|layer| unsigned(layer.biases.start)).into_iter());
    wgsl += &by_layer("weight_scale", "Real", weights(&|layer| number(network.weight_scale(layer.inputs))).into_iter());
    // Place of a layer's units among those kept: the hidden layers from the first on.
    let kept = (0..layers.len()).map(|l| network.layers()[1..l.max(1)].iter().sum::<usize>());
    wgsl += &by_layer("first_kept", "u32", kept.map(unsigned));
    GeneratedModule { name: "architecture".to_owned(), wgsl, is_part: false }
}

/// A function of a layer's number.
fn by_layer(name: &str, kind: &str, values: impl ExactSizeIterator<Item = String>) -> String {
    let last = values.len() - 1;
    let mut wgsl = format!("\nfn {name}(l: u32) -> {kind} {{\n    switch l {{\n");
    for (l, value) in values.enumerate() {
        let case = if l == last { "default".to_owned() } else { format!("case {l}u") };
        let _ = writeln!(wgsl, "        {case}: {{ return {value}; }}");
    }
    wgsl + "    }\n}\n"
}
