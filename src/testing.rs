//! For the crate's own tests: every shader in every specialisation the engine can ask for. No part of the interface.

use crate::backend::gpu::MAX_PARAMETERS;
use crate::gpu::{Def, DeviceError, GeneratedModule, KernelSource, Scalar, compose, selftest};
use crate::kernels;
use crate::model::Model;

/// A shader with everything that makes it one program.
#[derive(Clone, Debug)]
pub struct Specialisation {
    /// Shader, and what sets this one apart.
    pub name: String,
    /// Shader and bindings.
    pub source: KernelSource,
    /// Its definitions.
    pub defs: Vec<(&'static str, Def)>,
    /// The modules generated for it.
    pub generated: Vec<GeneratedModule>,
}

impl Specialisation {
    /// The validated program.
    ///
    /// # Errors
    /// If it does not compile.
    pub fn compose(&self, scalar: Scalar) -> Result<naga::Module, DeviceError> {
        compose(&self.source, &self.defs, &self.generated, scalar)
    }
}

/// Every kernel for every number of parameters, with all elementary functions the driver's and with all our own, and the
/// kernels of these models.
#[must_use]
pub fn shader_specialisations(models: &[(String, Model)]) -> Vec<Specialisation> {
    let mut all = Vec::new();
    for own in [false, true] {
        let functions: Vec<(&'static str, Def)> = match own {
            true => selftest::all_definitions().into_iter().map(|name| (name, Def::Bool(true))).collect(),
            false => Vec::new(),
        };
        let whose = if own { "own functions" } else { "builtin functions" };
        for source in kernels::per_parameter_count() {
            for p in 1..=MAX_PARAMETERS as u32 {
                let mut defs = functions.clone();
                defs.push(("P", Def::UInt(p)));
                let name = format!("{}, P = {p}, {whose}", source.name);
                all.push(Specialisation { name, source, defs, generated: Vec::new() });
            }
        }
        for (model_name, model) in models {
            let source = kernels::jacobian::host::SOURCE;
            let name = format!("{}, {model_name}, {whose}", source.name);
            let generated = vec![kernels::jacobian::host::module(model)];
            all.push(Specialisation { name, source, defs: functions.clone(), generated });
        }
        for source in selftest::sources() {
            let name = format!("{}, {whose}", source.name);
            all.push(Specialisation { name, source, defs: functions.clone(), generated: Vec::new() });
        }
    }
    all
}
