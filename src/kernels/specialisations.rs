//! Every shader as it is compiled, for the tests to translate without a device.

use crate::expr::unrolled::Grid;
use crate::gpu::{Def, DeviceError, GeneratedModule, KernelSource, Scalar, compose, peaks, selftest};
use crate::model::{Kind, Model};
use crate::ngd::{Damping, Filter, Scaling};
use crate::sweep::{StepBlock, StepRule};

use super::problem::{MOST_LANE_PARAMETERS, Sizes};
use super::svd::{
    blocked::{self, Blocks},
    group,
    host::{Form, Source},
    mapping::Mapping,
    private,
};
use super::{
    cholesky, cholesky_solve, combine, complete, fused, history, jacobian, join, judge, momentum, network, presort,
    product, qr, qr_blocked, sift, solve, step, step_blocked, step_dual, substitute, svd,
};

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
    let parameters = model.parameters().len();
    evaluations(model)
        .into_iter()
        .chain(lane_steps(parameters))
        .chain(fused_steps(model))
        .chain(
            [1, 3, parameters]
                .into_iter()
                .flat_map(|directions| blocked_steps(Sizes { parameters, directions: directions.min(parameters) })),
        )
        .collect()
}

/// The kernels of whole steps in registers: rows with their own coordinates, on a small grid and on a large one; rules of all
/// kinds, undamped ones, and one for all.
fn fused_steps(model: &Model) -> Vec<Specialisation> {
    use fused::code::{Coordinates, parts};
    use fused::form::{Form, Route};
    use fused::host;
    let Kind::Expression(expression) = model.kind() else { return Vec::new() };
    let parameters = expression.parameters.len();
    if parameters > host::MOST_PARAMETERS {
        return Vec::new();
    }
    let inputs = expression.inputs.len();
    // The first input runs fastest, as the last axis of an array.
    let grid =
        |rows: usize| Grid::of(rows, inputs, |row, input| if input == 0 { (row % 5) as f64 } else { (row / 5) as f64 });
    let grids = [15, 1000].map(|rows| Coordinates::InGrid(grid(rows)));
    let rules = |dampings: &[Damping], filter: Filter| {
        let block = StepBlock { dampings: dampings.to_vec(), filter, ..StepBlock::default() };
        block.rules(Scaling::Columns).collect::<Vec<StepRule>>()
    };
    let (undamped, adaptive) = (Damping::Fixed(0.0), Damping::Adaptive);
    let of_all_kinds = [
        rules(&[adaptive, undamped, Damping::Fixed(0.5)], Filter::Exact),
        rules(&[undamped], Filter::ResidualScaled { factor: 1.0, power: 1.0 }),
        rules(&[undamped], Filter::Gradient),
    ];
    let sets = [
        (of_all_kinds.concat(), false),
        (rules(&[undamped], Filter::Exact), true),
        (rules(&[adaptive], Filter::Exact), true),
    ];
    let mut all = vec![plain(host::MUSTER), plain(host::DOUBTED)];
    for coordinates in grids.iter().chain([&Coordinates::InData]) {
        for (rules, uniform) in &sets {
            let uniform = *uniform && *coordinates != Coordinates::InData;
            for route in [Route::Normal, Route::Orthogonal] {
                let form = Form::of(rules, uniform).by(route);
                all.push(Specialisation {
                    defs: form.defs(parameters),
                    generated: parts(expression, coordinates, form, true).into(),
                    ..plain(*host::source(route))
                });
            }
        }
    }
    all
}

/// The kernels of e and J.
fn evaluations(model: &Model) -> [Specialisation; 2] {
    let (sources, defs, module) = match model.kind() {
        Kind::Expression(expression) => {
            ([jacobian::host::SOURCE, jacobian::host::LISTED], Vec::new(), jacobian::host::module(expression))
        }
        Kind::Network(of) => {
            ([network::host::SOURCE, network::host::LISTED], network::host::defs(of), network::host::module(of))
        }
    };
    let further = [Vec::new(), jacobian::host::listed_defs()];
    std::array::from_fn(|k| Specialisation {
        defs: defs.iter().chain(&further[k]).copied().collect(),
        generated: vec![module.clone()],
        ..plain(sources[k])
    })
}

/// The kernels of steps that one invocation does: none where there are too many parameters.
fn lane_steps(parameters: usize) -> Vec<Specialisation> {
    if parameters > MOST_LANE_PARAMETERS {
        return Vec::new();
    }
    let small = parameters <= svd::host::MOST_UNROLLED;
    let mut all = Vec::new();
    for unrolled in [false, true].into_iter().filter(|&unrolled| small || !unrolled) {
        for looped in [false, true] {
            all.push((svd::host::STEP, svd::host::step_defs(parameters, unrolled, looped)));
            all.push((qr::host::SOURCE, qr::host::defs(parameters, unrolled, looped)));
        }
    }
    all.into_iter().map(|(source, defs)| Specialisation { defs, ..plain(source) }).collect()
}

/// The kernels of steps that no linear algebra has besides, of so many parameters and singular directions.
fn blocked_steps(sizes: Sizes) -> Vec<Specialisation> {
    use step_blocked::host;
    let all = [
        (judge::host::SOURCE, sizes.defs()),
        (step::host::SOURCE, step::host::defs(sizes)),
        (momentum::host::SOURCE, sizes.defs()),
        (history::host::SOURCE, history::host::defs(sizes, false)),
        (history::host::SOURCE, history::host::defs(sizes, true)),
        (host::LENGTHS, host::lengths_defs(sizes, false)),
        (host::LENGTHS, host::lengths_defs(sizes, true)),
        (host::NORM, host::defs(sizes)),
        (host::MUSTER, Vec::new()),
        (host::MUSTER_DUAL, host::muster_defs(sizes, false)),
        (host::MUSTER_ROTATES, host::muster_defs(sizes, true)),
        (host::SCALE, host::scale_defs(sizes, sizes.directions, false)),
        (host::SCALE_APART, host::scale_defs(sizes, sizes.directions, true)),
        (host::SETTLE, sizes.defs()),
    ];
    let dual = step_dual::host::kernels(sizes);
    all.into_iter().chain(dual).map(|(source, defs)| Specialisation { defs, ..plain(source) }).collect()
}

/// The kernels of linear algebra, for matrices of these many rows and columns.
#[must_use]
pub fn matrix_specialisations(rows: usize, columns: usize) -> Vec<Specialisation> {
    let products = [rows, columns].into_iter().flat_map(|n| {
        let of = |source, listed| Specialisation { defs: product::host::defs(n, listed), ..plain(source) };
        [of(product::host::SOURCE, false), of(product::host::LISTED, true)]
    });
    let (long, short) = (rows.max(columns), rows.min(columns));
    let plain_forms = [false, true].map(|vectors| Form::of_matrices(rows, columns, vectors));
    // Triangular factors, and wide matrices themselves, with right-hand sides or none.
    let factored = [0, 1, 3].into_iter().flat_map(|carried| {
        [short, columns].map(|rows| Form {
            rows: rows.max(short),
            columns: short,
            source: Source::Factor(carried),
            vectors: true,
        })
    });
    let triangles = plain_forms.map(Form::of_triangle).into_iter().filter(|_| plain_forms[1].is_better_factored());
    let svds = plain_forms.into_iter().chain(triangles).chain(factored).flat_map(svd);
    let sizes = qr_blocked::host::Form { rows, columns };
    let turned = qr_blocked::host::Form { rows: long, columns: short };
    let factors = [(sizes, false), (turned, rows < columns)];
    let factors = factors.into_iter().flat_map(|(form, transposed)| factorisation(form, transposed));
    let sorted = sorted(turned, rows < columns);
    let all = products.into_iter().chain(definite(short)).chain(svds).chain(factors).chain(sorted);
    all.chain(solutions(rows, columns)).collect()
}

/// An SVD by every mapping.
fn svd(form: Form) -> Vec<Specialisation> {
    // With more memory a workgroup has more matrices, up to one for every pair of its invocations, and larger ones.
    let [least, ample] = [WORKGROUP_BYTES, 16 * WORKGROUP_BYTES].map(|bytes| form.mappings(bytes));
    let further: Vec<Mapping> = ample.into_iter().filter(|mapping| !least.contains(mapping)).collect();
    least.into_iter().chain(further).flat_map(|mapping| svd_by(form, mapping)).collect()
}

/// What a workgroup's memory is, at least, on any device of WebGPU.
const WORKGROUP_BYTES: usize = 16 << 10;

fn svd_by(form: Form, mapping: Mapping) -> Vec<Specialisation> {
    let (width, unrolled) = match mapping {
        Mapping::Registers => {
            let source = if form.vectors { svd::host::VECTORS } else { svd::host::VALUES };
            let of = |looped| Specialisation { defs: svd::host::matrix_defs(form, looped), ..plain(source) };
            return [true, false].map(of).to_vec();
        }
        Mapping::Group { pack } => {
            let source = if form.vectors { group::VECTORS } else { group::VALUES };
            return vec![Specialisation { defs: group::defs(form, pack), ..plain(source) }];
        }
        Mapping::Private { width } => {
            let source = if form.vectors { private::VECTORS } else { private::VALUES };
            return vec![Specialisation { defs: private::defs(form, width), ..plain(source) }];
        }
        Mapping::Blocks { width, unrolled } => (width, unrolled),
    };
    let blocks = Blocks::of(form, width);
    let place = if form.vectors { blocked::PLACE_VECTORS } else { blocked::PLACE_VALUES };
    let plainly = [blocked::MEASURE, blocked::START, blocked::JUDGE, blocked::LENGTHS, place];
    let plainly = plainly.map(|source| Specialisation { defs: blocked::defs(form, blocks), ..plain(source) });
    let sweep = Specialisation { defs: blocked::sweep_defs(form, blocks, unrolled), ..plain(blocked::SWEEP) };
    plainly.into_iter().chain([sweep]).collect()
}

fn factorisation(form: qr_blocked::host::Form, transposed: bool) -> Vec<Specialisation> {
    use qr_blocked::host::{self, Beside, Target};
    let size = form.short();
    let mut all = vec![
        (host::PREPARE_MEASURED, host::prepare_defs(form, transposed, None)),
        (host::PREPARE_LISTED, host::listed_defs(form)),
        (host::FACTOR, host::factor_defs(form)),
        (host::APPLY_INSIDE, host::apply_defs(form, Target::Inside)),
        (host::TRIANGLE, host::triangle_defs(form, false, Beside::Nothing, size)),
        (host::IDENTITY, host::extend_defs(form, size, true)),
    ];
    for rights in [1, size] {
        all.extend([
            (host::PREPARE, host::prepare_defs(form, false, Some(rights))),
            (host::APPLY, host::apply_defs(form, Target::Transposed(rights))),
            (host::APPLY, host::apply_defs(form, Target::Plain(rights))),
            (host::TRIANGLE_BESIDE, host::triangle_defs(form, false, Beside::Padded(rights), size)),
            (host::TRIANGLE_BESIDE, host::triangle_defs(form, true, Beside::Whole(rights), size)),
            (host::EXTEND, host::extend_defs(form, rights, false)),
            (host::CROP, host::crop_defs(form, rights, rights == size)),
        ]);
    }
    all.into_iter().map(|(source, defs)| Specialisation { defs, ..plain(source) }).collect()
}

/// The sorting of columns, for factors of this form.
fn sorted(form: qr_blocked::host::Form, transposed: bool) -> Vec<Specialisation> {
    use presort::host::{self, Form};
    let (padded_rows, padded_columns) = form.padded();
    let group = qr_blocked::host::group(form.width());
    let form = Form { rows: form.rows, columns: form.columns, padded_rows, padded_columns, group, transposed };
    let all = [
        (host::MEASURE, host::copy_defs(form)),
        (host::COPY, host::copy_defs(form)),
        (host::RESTORE_VALUES, host::restore_defs(form.columns, false)),
        (host::RESTORE_VECTORS, host::restore_defs(form.columns, true)),
    ];
    all.map(|(source, defs)| Specialisation { defs, ..plain(source) }).into()
}

/// Cholesky factors of matrices of this size, and solutions by them.
fn definite(size: usize) -> Vec<Specialisation> {
    use cholesky::host;
    let mut all = vec![(host::PREPARE, Vec::new()), (host::FINISH, Vec::new())];
    all.extend([true, false].map(|diagonal| (host::FACTOR, host::factor_defs(size, diagonal))));
    if size <= host::MOST_UNROLLED {
        all.push((host::REGISTERS, host::registers_defs(size, false, false)));
        all.extend([true, false].map(|doubled| (host::SOLVE, host::registers_defs(size, true, doubled))));
    }
    all.extend([(cholesky_solve::host::PREPARE, Vec::new()), (cholesky_solve::host::FINISH, Vec::new())]);
    all.extend([1, 2, 3, 4].map(|rights| (cholesky_solve::host::CORRECT, cholesky_solve::host::correct_defs(rights))));
    all.extend(
        [false, true].map(|doubled| (cholesky_solve::host::RESIDUAL, cholesky_solve::host::residual_defs(doubled))),
    );
    all.into_iter().map(|(source, defs)| Specialisation { defs, ..plain(source) }).collect()
}

/// Vectors of zero singular values, least squares, pseudo-inverses and projectors.
fn solutions(rows: usize, columns: usize) -> Vec<Specialisation> {
    let short = rows.min(columns);
    let mut all = vec![(complete::host::SOURCE, Vec::new())];
    for rights in [1, 3] {
        let form = solve::host::Form { rows, columns, rights };
        if form.in_registers() {
            all.push((solve::host::SOURCE, solve::host::defs(form)));
        }
        let form = join::host::Form { rows, left: columns, right: rights };
        all.push((join::host::SOURCE, join::host::defs(form)));
        let form = substitute::host::Form { size: short, rights, lower: rows < columns };
        all.extend([true, false].map(|unrolled| (substitute::host::SOURCE, substitute::host::defs(form, unrolled))));
        all.push((sift::host::SOURCE, sift::host::defs(form)));
        for left in [short, columns] {
            let form = combine::host::Form { terms: short, left, right: rights, plain: false };
            all.push((combine::host::LISTED, combine::host::defs(form, true)));
            all.push((combine::host::SOURCE, combine::host::defs(form, false)));
        }
    }
    for (right, is_plain) in [(rows, false), (columns, true)] {
        let form = combine::host::Form { terms: short, left: columns, right, plain: is_plain };
        all.push((combine::host::SOURCE, combine::host::defs(form, false)));
        all.push((combine::host::LISTED, combine::host::defs(form, true)));
    }
    all.into_iter().map(|(source, defs)| Specialisation { defs, ..plain(source) }).collect()
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
