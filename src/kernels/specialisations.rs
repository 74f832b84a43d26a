//! Every shader that a model's steps use, as it is compiled: what the tests translate without a device.

use crate::gpu::{Def, DeviceError, GeneratedModule, KernelSource, Scalar, compose};
use crate::model::Model;

use super::{gram, jacobian, judge, qr, step, svd};

/// A kernel's source under the defs and with the generated modules that it is compiled with.
#[derive(Clone, Debug)]
pub struct Specialisation {
    /// The kernel.
    pub source: KernelSource,
    /// Its constants.
    pub defs: Vec<(&'static str, Def)>,
    /// Code written for the model.
    pub generated: Vec<GeneratedModule>,
}

impl Specialisation {
    /// The shader as naga sees it, under further defs.
    ///
    /// # Errors
    /// If it does not compile.
    pub fn compose(&self, further: &[(&str, Def)], scalar: Scalar) -> Result<naga::Module, DeviceError> {
        let defs: Vec<(&str, Def)> = self.defs.iter().chain(further).copied().collect();
        compose(&self.source, &defs, &self.generated, scalar)
    }
}

/// The kernels of a model's steps.
#[must_use]
pub fn specialisations(model: &Model) -> Vec<Specialisation> {
    let parameters = model.parameters().len() as u32;
    let of_size = |source| Specialisation { source, defs: vec![("P", Def::UInt(parameters))], generated: Vec::new() };
    let jacobian = Specialisation {
        source: jacobian::host::SOURCE,
        defs: Vec::new(),
        generated: vec![jacobian::host::module(model)],
    };
    let others = [qr::host::SOURCE, judge::host::SOURCE, svd::host::SOURCE, step::host::SOURCE, gram::host::SOURCE];
    std::iter::once(jacobian).chain(others.map(of_size)).collect()
}
