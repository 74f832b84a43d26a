//! Every shader as it is compiled, for the tests to translate without a device.

use crate::gpu::{Def, DeviceError, GeneratedModule, KernelSource, Scalar, compose, peaks, selftest};
use crate::model::Model;

use super::svd::{
    blocked,
    host::{Form, Source},
};
use super::{combine, gram, jacobian, join, judge, product, qr, solve, step, svd};

/// A kernel's source under the defs and with the generated modules that it is compiled with.
#[derive(Clone, Debug)]
pub struct Specialisation {
    /// The kernel.
    pub source: KernelSource,
    /// Its constants.
    pub defs: Vec<(&'static str, Def)>,
    /// Code written for the model.
    pub generated: Vec<GeneratedModule>,
    /// Scalar type.
    pub scalar: Scalar,
}

impl Specialisation {
    /// The shader as naga sees it, under further defs.
    ///
    /// # Errors
    /// If it does not compile.
    pub fn compose(&self, further: &[(&str, Def)]) -> Result<naga::Module, DeviceError> {
        let defs: Vec<(&str, Def)> = self.defs.iter().chain(further).copied().collect();
        compose(&self.source, &defs, &self.generated, self.scalar)
    }
}

/// The kernels of a model's steps.
#[must_use]
pub fn specialisations(model: &Model) -> Vec<Specialisation> {
    let parameters = model.parameters().len() as u32;
    let jacobian = Specialisation { generated: vec![jacobian::host::module(model)], ..plain(jacobian::host::SOURCE) };
    let others = [judge::host::SOURCE, step::host::SOURCE, gram::host::SOURCE];
    let of_size = |source| Specialisation { defs: vec![("P", Def::UInt(parameters))], ..plain(source) };
    let small = parameters as usize <= svd::host::MOST_UNROLLED_STEP;
    let both = [false, true].into_iter().filter(|&unrolled| small || !unrolled).flat_map(|unrolled| {
        let svd = svd::host::step_defs(parameters as usize, unrolled);
        let qr = qr::host::defs(parameters as usize, unrolled);
        [Specialisation { defs: svd, ..plain(svd::host::STEP) }, Specialisation { defs: qr, ..plain(qr::host::SOURCE) }]
    });
    std::iter::once(jacobian).chain(both).chain(others.map(of_size)).collect()
}

/// The kernels of linear algebra, for matrices of these many rows and columns.
#[must_use]
pub fn matrix_specialisations(rows: usize, columns: usize) -> Vec<Specialisation> {
    let mut all = [rows, columns]
        .map(|n| Specialisation { defs: product::host::defs(n), ..plain(product::host::SOURCE) })
        .to_vec();
    let short = rows.min(columns);
    let plain_forms = [false, true].map(|vectors| Form::of_matrices(rows, columns, vectors));
    // The triangular factors of tall matrices, and wide matrices themselves, with right-hand sides or none.
    let factored =
        [0, 1, 3].map(|carried| Form { rows: columns, columns: short, source: Source::Factor(carried), vectors: true });
    for form in plain_forms.into_iter().chain(factored) {
        let vectors = form.vectors;
        if form.in_registers() {
            let source = if vectors { svd::host::VECTORS } else { svd::host::VALUES };
            all.push(Specialisation { defs: svd::host::matrix_defs(form), ..plain(source) });
            continue;
        }
        let place = if vectors { blocked::PLACE_VECTORS } else { blocked::PLACE_VALUES };
        let plainly = [blocked::MEASURE, blocked::START, blocked::JUDGE, blocked::LENGTHS, place];
        all.extend(plainly.map(|source| Specialisation { defs: blocked::defs(form), ..plain(source) }));
        all.push(Specialisation { defs: blocked::sweep_defs(form), ..plain(blocked::SWEEP) });
    }
    for rights in [1, 3] {
        let form = solve::host::Form { rows, columns, rights };
        if form.in_registers() {
            all.push(Specialisation { defs: solve::host::defs(form), ..plain(solve::host::SOURCE) });
        }
        let form = join::host::Form { rows, left: columns, right: rights };
        all.push(Specialisation { defs: join::host::defs(form), ..plain(join::host::SOURCE) });
        let solution = combine::host::Form { terms: short, left: columns, right: rights, plain: false };
        all.push(Specialisation { defs: combine::host::defs(solution, true), ..plain(combine::host::LISTED) });
    }
    let (inverse, square) = ((columns, rows, false), (columns, columns, true));
    for (left, right, is_plain) in [inverse, square] {
        let form = combine::host::Form { terms: short, left, right, plain: is_plain };
        all.push(Specialisation { defs: combine::host::defs(form, false), ..plain(combine::host::SOURCE) });
    }
    all
}

/// The kernels of the self-test.
#[must_use]
pub fn selftest_specialisations() -> Vec<Specialisation> {
    selftest::sources()
        .into_iter()
        .map(|source| {
            let scalar = if source.name == "selftest/doubles" { Scalar::F64 } else { Scalar::F32 };
            Specialisation { scalar, ..plain(source) }
        })
        .collect()
}

/// The kernels that measure what a device reaches.
#[must_use]
pub fn peak_specialisations() -> Vec<Specialisation> {
    peaks::sources().into_iter().map(|(source, defs)| Specialisation { defs, ..plain(source) }).collect()
}

fn plain(source: KernelSource) -> Specialisation {
    Specialisation { source, defs: Vec::new(), generated: Vec::new(), scalar: Scalar::F32 }
}
