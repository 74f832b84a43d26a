//! λmax of the loss's Hessian JᵀJ + Σ eᵢ∇²fᵢ, by power iteration on its exact products with vectors, in f64.

use faer::{Col, Mat};

use crate::model::Network;
use crate::starts::{Distribution, random_start};
use crate::sweep::Job;

use super::residual_and_jacobian;

/// Iterations, at most, and the relative change that ends them.
const ITERATIONS: usize = 500;
const CHANGE: f64 = 1e-9;

/// λmax of the Hessian of the plain J at θ: of a network, or of an expression of few parameters. NaN where e or J is not
/// finite.
pub(crate) fn hessian_sharpness(job: &Job, set: usize, theta: &[f64]) -> f64 {
    let (residual, jacobian) = residual_and_jacobian(job, set, theta);
    if !jacobian.is_all_finite() || residual.iter().any(|e| !e.is_finite()) {
        return f64::NAN;
    }
    let gauss_newton = |v: &Col<f64>| jacobian.transpose() * (&jacobian * v);
    match job.model().as_network() {
        Some(network) => {
            largest(theta.len(), &|v| gauss_newton(v) + bend(job, network, (set, theta), &residual, v.as_ref()))
        }
        None => {
            let bend = bends(job, (set, theta), &residual);
            largest(theta.len(), &|v| gauss_newton(v) + &bend * v)
        }
    }
}

/// S v, S = Σ eᵢ∇²fᵢ of a network at θ: a forward and a backward pass a row of data.
pub(crate) fn bend(
    job: &Job,
    network: &Network,
    (set, theta): (usize, &[f64]),
    residual: &[f64],
    v: faer::ColRef<'_, f64>,
) -> Col<f64> {
    let p = theta.len();
    let v: Vec<f64> = v.iter().copied().collect();
    let first = job.rows(set).start;
    let mut product = vec![0.0; p];
    let mut sum = Col::zeros(p);
    for row in job.rows(set) {
        product.fill(0.0);
        network.hessian_vector(theta, job.inputs(row), &v, &mut product);
        let by = residual[row - first] * job.weight(row);
        (0..p).for_each(|j| sum[j] += by * product[j]);
    }
    sum
}

/// S of an expression, p×p.
fn bends(job: &Job, (set, theta): (usize, &[f64]), residual: &[f64]) -> Mat<f64> {
    let (model, p) = (job.model(), theta.len());
    let mut scratch = Vec::new();
    model.prepare_curvature(theta, &mut scratch);
    let mut triangle = vec![0.0; p * (p + 1) / 2];
    let mut sum = Mat::zeros(p, p);
    for (row, e) in job.rows(set).zip(residual) {
        model.curvature_row(job.inputs(row), &mut scratch, &mut triangle);
        for j in 0..p {
            for k in 0..=j {
                sum[(j, k)] += e * job.weight(row) * triangle[j * (j + 1) / 2 + k];
            }
        }
    }
    Mat::from_fn(p, p, |j, k| sum[(j.max(k), j.min(k))])
}

/// The largest eigenvalue of a symmetric matrix of this size, given by its products with vectors.
pub(crate) fn largest(size: usize, product: &dyn Fn(&Col<f64>) -> Col<f64>) -> f64 {
    let found = extreme(size, product, 0.0);
    if found >= 0.0 || found.is_nan() {
        return found;
    }
    // The largest of them all is not the largest in magnitude: shifted, it is.
    extreme(size, product, -found)
}

/// The eigenvalue of A of largest magnitude that A + shift has, by power iteration.
fn extreme(size: usize, product: &dyn Fn(&Col<f64>) -> Col<f64>, shift: f64) -> f64 {
    let unit = |v: Col<f64>| {
        let length = v.norm_l2();
        Col::from_fn(size, |j| v[j] / length)
    };
    let mut v = unit(Col::from_fn(size, |j| random_start(0, j as u32, Distribution::Normal, 1.0)));
    let mut value = f64::NAN;
    for _ in 0..ITERATIONS {
        let image = product(&v) + Col::from_fn(size, |j| shift * v[j]);
        let next = v.transpose() * &image;
        if image.norm_l2() == 0.0 {
            return -shift;
        }
        let change = (next - value).abs();
        value = next;
        v = unit(image);
        if change <= CHANGE * next.abs() {
            break;
        }
    }
    value - shift
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::largest_eigenvalue;
    use crate::data::Data;
    use crate::model::{Activation, Model};
    use crate::sweep::Sweep;

    #[test]
    fn the_largest_eigenvalue_is_found_beside_a_more_negative_one() {
        let product = |v: &Col<f64>| Col::from_fn(3, |j| [-5.0, 2.0, 1.0][j] * v[j]);
        let first = extreme(3, &product, 0.0);
        assert!((first + 5.0).abs() < 1e-8, "{first}");
        assert!((largest(3, &product) - 2.0).abs() < 1e-6);
        assert_eq!(largest(3, &|v: &Col<f64>| Col::zeros(v.nrows())), 0.0);
    }

    /// ½‖e‖² at θ.
    fn loss(job: &Job, theta: &[f64]) -> f64 {
        residual_and_jacobian(job, 0, theta).0.iter().map(|e| 0.5 * e * e).sum()
    }

    #[test]
    fn the_sharpness_is_that_of_a_hessian_of_differences_of_the_loss() {
        let x: Vec<f64> = (0..7).map(|i| f64::from(i) * 0.3 - 1.0).collect();
        let y: Vec<f64> = x.iter().map(|x| x * x + 4.0).collect();
        let data = Data::from_columns([("x", x), ("y", y)]).unwrap().sigma("0.5 + x*x");
        let models = [
            Model::network(&[1, 4, 1], Activation::Tanh).unwrap(),
            Model::parse("a*exp(b*x) + sin(c*x*a)", &["a", "b", "c"]).unwrap(),
        ];
        for model in models {
            let p = model.parameters().len();
            let theta: Vec<f64> = (0..p as u32).map(|j| random_start(5, j, Distribution::Normal, 1.0)).collect();
            let job = Sweep::new(&model, &data).start(theta.clone()).resolve().unwrap();
            // Second differences of a loss of about 100 with steps h: rounding u·10/h² and h² of what is cut off, 1e-6 both.
            let h = 1e-4;
            let hessian = Mat::from_fn(p, p, |j, k| {
                let at = |a: f64, b: f64| {
                    let mut moved = theta.clone();
                    moved[j] += a * h;
                    moved[k] += b * h;
                    loss(&job, &moved)
                };
                (at(1.0, 1.0) - at(1.0, -1.0) - at(-1.0, 1.0) + at(-1.0, -1.0)) / (4.0 * h * h)
            });
            let (found, expected) = (hessian_sharpness(&job, 0, &theta), largest_eigenvalue(&hessian));
            assert!((found / expected - 1.0).abs() < 1e-5, "{found} and {expected}");
            let plain = residual_and_jacobian(&job, 0, &theta).1;
            let gauss_newton = largest_eigenvalue(&(plain.transpose() * &plain));
            assert!((found / gauss_newton - 1.0).abs() > 1e-3, "{found} is that of JᵀJ");
        }
    }
}
