//! The sharpness of a loss at a point, in f64: λmax of its Hessian JᵀJ + Σ eᵢ∇²fᵢ, from the matrix where that is small and
//! by products with vectors where it is not.

use faer::{Col, Mat, Side};

use crate::model::{Model, Network};
use crate::starts::{Distribution, random_start};

/// A row of data as a model meets it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample<'a> {
    pub(crate) inputs: &'a [f64],
    pub(crate) response: f64,
    /// 1/σ.
    pub(crate) weight: f64,
}

/// The most parameters of an expression whose second derivatives are taken: they are p(p+1)/2 expressions.
pub(crate) const MOST_OF_EXPRESSION: usize = 128;

/// e and J at a point, and what second derivatives need beside them.
pub(crate) struct Slope<'a> {
    model: &'a Model,
    samples: &'a [Sample<'a>],
    theta: &'a [f64],
    residual: Vec<f64>,
    jacobian: Mat<f64>,
}

impl<'a> Slope<'a> {
    pub(crate) fn new(model: &'a Model, samples: &'a [Sample<'a>], theta: &'a [f64]) -> Self {
        let mut scratch = Vec::new();
        model.prepare(theta, &mut scratch);
        let mut values = vec![0.0; theta.len() + 1];
        let mut residual = Vec::with_capacity(samples.len());
        let mut jacobian = Mat::zeros(samples.len(), theta.len());
        for (i, sample) in samples.iter().enumerate() {
            model.row(sample.inputs, &mut scratch, &mut values);
            residual.push(sample.weight * (values[0] - sample.response));
            values[1..].iter().enumerate().for_each(|(j, &d)| jacobian[(i, j)] = sample.weight * d);
        }
        Self { model, samples, theta, residual, jacobian }
    }

    /// λmax(JᵀJ + Σ eᵢ∇²fᵢ); NaN where it is not finite. Of an expression of more than [`MOST_OF_EXPRESSION`] parameters
    /// it is not to be asked for.
    pub(crate) fn hessian_sharpness(&self) -> f64 {
        let p = self.theta.len();
        match self.model.as_network() {
            Some(network) => largest_eigenvalue(p, &|v| {
                let rows = self.samples.iter().zip(&self.residual).map(|(s, e)| (s.inputs, e * s.weight));
                self.gauss_newton(v) + bend(network, self.theta, rows, v)
            }),
            None => largest_of(&(self.jacobian.transpose() * &self.jacobian + self.bent())),
        }
    }

    /// λmax(JᵀJ).
    pub(crate) fn gauss_newton_sharpness(&self) -> f64 {
        largest_eigenvalue(self.theta.len(), &|v| self.gauss_newton(v))
    }

    fn gauss_newton(&self, v: &Col<f64>) -> Col<f64> {
        self.jacobian.transpose() * (&self.jacobian * v)
    }

    /// Σ eᵢ∇²fᵢ of an expression.
    fn bent(&self) -> Mat<f64> {
        let p = self.theta.len();
        let mut scratch = Vec::new();
        self.model.prepare_curvature(self.theta, &mut scratch);
        let mut triangle = vec![0.0; p * (p + 1) / 2];
        let mut sum = vec![0.0; triangle.len()];
        for (sample, e) in self.samples.iter().zip(&self.residual) {
            self.model.curvature_row(sample.inputs, &mut scratch, &mut triangle);
            let by = e * sample.weight;
            sum.iter_mut().zip(&triangle).for_each(|(sum, d)| *sum += by * d);
        }
        Mat::from_fn(p, p, |j, k| sum[j.max(k) * (j.max(k) + 1) / 2 + j.min(k)])
    }
}

/// Σ cᵢ∇²fᵢ v of a network over rows of inputs and coefficients c: a forward and a backward pass a row.
pub(crate) fn bend<'a>(
    network: &Network,
    theta: &[f64],
    rows: impl Iterator<Item = (&'a [f64], f64)>,
    v: &Col<f64>,
) -> Col<f64> {
    let p = theta.len();
    let along: Vec<f64> = v.iter().copied().collect();
    let mut sum = vec![0.0; p];
    let mut product = vec![0.0; p];
    for (inputs, by) in rows {
        network.hessian_vector(theta, inputs, &along, &mut product);
        sum.iter_mut().zip(&product).for_each(|(sum, x)| *sum += by * x);
    }
    Col::from_fn(p, |j| sum[j])
}

/// λmax of a symmetric matrix; NaN where it is not finite.
fn largest_of(symmetric: &Mat<f64>) -> f64 {
    if !symmetric.is_all_finite() {
        return f64::NAN;
    }
    let values = symmetric.self_adjoint_eigenvalues(Side::Lower).ok();
    values.and_then(|values| values.last().copied()).unwrap_or(f64::NAN)
}

/// Lanczos steps, at most; how often the eigenvalue is looked at; and the residual ‖Av − λv‖ over ‖A‖ that ends them: the
/// eigenvalue is off by about its square.
const STEPS: usize = 500;
const LOOK: usize = 4;
const RESIDUAL: f64 = 1e-7;

/// λmax of a symmetric A of which only products are known; NaN where those are not finite.
///
/// The method of Lanczos from a vector drawn once and for all, with every vector orthogonalised against all before it:
/// of no more than `STEPS` of them that costs less than the products. It tells the largest eigenvalue from a more negative
/// one, which power iteration does not.
pub(crate) fn largest_eigenvalue(size: usize, product: &dyn Fn(&Col<f64>) -> Col<f64>) -> f64 {
    let first = Col::from_fn(size, |j| random_start(0, j as u32, Distribution::Normal, 1.0));
    let mut basis = vec![&first * faer::Scale(1.0 / first.norm_l2())];
    // A in the basis: a diagonal, and one beside it.
    let (mut diagonal, mut beside) = (Vec::new(), Vec::new());
    loop {
        let last = &basis[basis.len() - 1];
        let mut next = product(last);
        let value = last.transpose() * &next;
        if !value.is_finite() {
            return f64::NAN;
        }
        diagonal.push(value);
        // Twice is enough: what rounding leaves of the first time is taken by the second.
        for _ in 0..2 {
            for v in &basis {
                let part = v.transpose() * &next;
                next -= v * faer::Scale(part);
            }
        }
        let length = next.norm_l2();
        let ended = basis.len() == size || basis.len() == STEPS;
        if ended || basis.len().is_multiple_of(LOOK) || length == 0.0 {
            let Some(ritz) = Ritz::new(&diagonal, &beside) else { return f64::NAN };
            if ended || length * ritz.last <= RESIDUAL * ritz.norm {
                return ritz.largest;
            }
        }
        basis.push(next * faer::Scale(1.0 / length));
        beside.push(length);
    }
}

/// The top of a tridiagonal matrix.
struct Ritz {
    largest: f64,
    /// The last entry of its eigenvector, without sign.
    last: f64,
    /// The largest eigenvalue without sign.
    norm: f64,
}

impl Ritz {
    fn new(diagonal: &[f64], beside: &[f64]) -> Option<Self> {
        let k = diagonal.len();
        let entry = |i: usize, j: usize| match i.abs_diff(j) {
            0 => diagonal[i],
            1 => beside[i.min(j)],
            _ => 0.0,
        };
        let found = Mat::from_fn(k, k, entry).self_adjoint_eigen(Side::Lower).ok()?;
        let values = found.S().column_vector();
        let (least, largest) = (values[0], values[k - 1]);
        Some(Self { largest, last: found.U()[(k - 1, k - 1)].abs(), norm: least.abs().max(largest.abs()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Activation;

    fn of_diagonal(values: &'static [f64]) -> f64 {
        largest_eigenvalue(values.len(), &|v| Col::from_fn(values.len(), |j| values[j] * v[j]))
    }

    #[test]
    fn the_largest_eigenvalue_is_found_beside_a_more_negative_one_and_of_nothing_it_is_zero() {
        assert!((of_diagonal(&[-5.0, 2.0, 1.0]) - 2.0).abs() < 1e-14);
        assert!((of_diagonal(&[-5.0, -2.0, -3.0]) + 2.0).abs() < 1e-14);
        assert_eq!(of_diagonal(&[0.0; 4]), 0.0);
        assert!(of_diagonal(&[f64::NAN, 1.0]).is_nan());
        // A double eigenvalue, and a single parameter.
        assert!((of_diagonal(&[3.0, 3.0, 1.0]) - 3.0).abs() < 1e-14);
        assert_eq!(of_diagonal(&[7.0]), 7.0);
    }

    /// The Hessian of a model's loss by central differences of its gradient.
    fn by_differences(model: &Model, samples: &[Sample<'_>], theta: &[f64]) -> f64 {
        let gradient = |theta: &[f64]| {
            let slope = Slope::new(model, samples, theta);
            slope.jacobian.transpose() * Col::from_fn(samples.len(), |i| slope.residual[i])
        };
        let p = theta.len();
        let mut hessian = Mat::zeros(p, p);
        for j in 0..p {
            let moved = |by: f64| {
                let mut theta = theta.to_vec();
                theta[j] += by;
                gradient(&theta)
            };
            hessian.col_mut(j).copy_from((moved(1e-5) - moved(-1e-5)) * faer::Scale(0.5e5));
        }
        largest_of(&((&hessian + hessian.transpose()) * faer::Scale(0.5)))
    }

    #[test]
    fn the_sharpness_of_expressions_and_networks_is_that_of_differences_of_the_gradient() {
        let network = Model::network(&[1, 9, 1], Activation::Silu).unwrap();
        let expression = Model::parse("a*exp(-k*x) + c", &["a", "k", "c"]).unwrap();
        let x: Vec<f64> = (0..7).map(|i| f64::from(i) * 0.3 - 1.0).collect();
        let samples: Vec<Sample<'_>> =
            x.chunks(1).map(|x| Sample { inputs: x, response: x[0] * x[0] + 3.0, weight: 0.7 }).collect();
        for model in [network, expression] {
            let p = model.parameters().len() as u32;
            let theta: Vec<f64> = (0..p).map(|j| random_start(5, j, Distribution::Normal, 1.0)).collect();
            let slope = Slope::new(&model, &samples, &theta);
            let (found, expected) = (slope.hessian_sharpness(), by_differences(&model, &samples, &theta));
            // Central differences of step 1e-5 are good to their square and to rounding over them, some 1e-10.
            assert!((found / expected - 1.0).abs() < 1e-8, "{found} and {expected}");
            assert!((slope.gauss_newton_sharpness() / expected - 1.0).abs() > 0.01, "the residual counts");
        }
    }
}
