//! Declares `shaders/jacobian.wgsl` and writes the model module that it imports.

use std::sync::Arc;

use crate::expr::wgsl::{Names, emit};
use crate::gpu::{Def, Device, DeviceError, GeneratedModule, Kernel, KernelSource, kernel_source};
use crate::kernels::batch::Batch;
use crate::kernels::network;
use crate::model::{Expression, Kind, Model};

pub(crate) const SOURCE: KernelSource = kernel_source!(
    "jacobian",
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
    "jacobian",
    uniform rules,
    uniform span,
    read problems,
    read roster,
    read data,
    read theta,
    write block,
    write bits,
);

/// The constant of the kernel for a roster.
pub(crate) fn listed_defs() -> Vec<(&'static str, Def)> {
    vec![("ROSTER", Def::Bool(true))]
}

/// The kernel for a model: of a network its own.
pub(crate) fn kernel(device: &Device, model: &Model) -> Result<Arc<Kernel>, DeviceError> {
    match model.kind() {
        Kind::Expression(expression) => device.kernel(&SOURCE, &[], &[module(expression)]),
        Kind::Network(of) => network::host::kernel(device, of),
    }
}

/// The kernel for a model and the problems in a roster.
pub(crate) fn listed(device: &Device, batch: Batch, model: &Model) -> Result<Arc<Kernel>, DeviceError> {
    match model.kind() {
        Kind::Expression(expression) => device.kernel(&LISTED, &batch.defs(listed_defs()), &[module(expression)]),
        Kind::Network(of) => network::host::listed(device, batch, of),
    }
}

/// θ and x by index of a function's argument.
struct Arguments;

impl Names for Arguments {
    fn parameter(&self, index: u32) -> String {
        format!("theta[{index}u]")
    }

    fn input(&self, index: u32) -> String {
        format!("x[{index}u]")
    }
}

/// `natgrad::model`: the value of the model and its derivatives at one row, straight-line code.
pub(crate) fn module(model: &Expression) -> GeneratedModule {
    let p = model.parameters.len();
    let inputs = model.inputs.len();
    let code = emit(&model.graph, &model.outputs, &Arguments);
    let mut wgsl = String::from("#define_import_path natgrad::model\n\n");
    if !code.functions.is_empty() {
        let functions: Vec<&str> = code.functions.iter().copied().collect();
        wgsl += &format!("#import natgrad::elementary::{{{}}}\n", functions.join(", "));
    }
    wgsl += &format!(
        "\nconst P: u32 = {p}u;\nconst INPUTS: u32 = {inputs}u;\n\n\
         struct Row {{\n    value: Real,\n    derivative: array<Real, {p}>,\n}}\n\n\
         fn model_row(theta: array<Real, {p}>, x: array<Real, {}>) -> Row {{\n{}{}    var row: Row;\n",
        inputs + 1,
        code.hoisted,
        code.body,
    );
    wgsl += &format!("    row.value = {};\n", code.results[0]);
    for (j, result) in code.results[1..].iter().enumerate() {
        wgsl += &format!("    row.derivative[{j}] = {result};\n");
    }
    wgsl += "    return row;\n}\n";
    GeneratedModule { name: "model".to_owned(), wgsl, is_part: false }
}
