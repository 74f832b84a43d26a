//! What second derivatives tell where there are too many to be formed: by their products with vectors, in f64.

use faer::{Col, Mat};
use rayon::prelude::*;

use super::eigen::eigenvalues;
use super::point::Point;
use crate::model::Network;
use crate::starts::{Distribution, random_start};
use crate::sweep::Job;

/// Products of a network's second derivatives at a point with vectors in the coordinates ξ = D⁻¹θ.
pub(crate) struct Products<'a> {
    job: &'a Job,
    network: &'a Network,
    point: &'a Point,
}

/// Iterations, at most, and the relative change that ends them.
const ITERATIONS: usize = 500;
const CHANGE: f64 = 1e-9;

impl<'a> Products<'a> {
    /// `None` where the model is no network.
    pub(crate) fn new(job: &'a Job, point: &'a Point) -> Option<Self> {
        job.model().as_network().map(|network| Self { job, network, point })
    }

    /// S v, S = Σ eᵢ D∇²fᵢD: a forward and a backward pass a row of data.
    fn bend(&self, v: &Col<f64>) -> Col<f64> {
        let Self { job, network, point } = self;
        let p = point.theta.len();
        let moved: Vec<f64> = (0..p).map(|j| point.scale[j] * v[j]).collect();
        let first = job.rows(point.set).start;
        let add = |mut sum: Vec<f64>, row: usize| {
            let mut product = vec![0.0; p];
            network.hessian_vector(&point.theta, job.inputs(row), &moved, &mut product);
            let by = point.residual[row - first] * job.weight(row);
            sum.iter_mut().zip(&product).for_each(|(sum, x)| *sum += by * x);
            sum
        };
        let sum = job.rows(point.set).fold(vec![0.0; p], add);
        Col::from_fn(p, |j| point.scale[j] * sum[j])
    }

    /// The eigenvalues κ of F⁻¹S on the row space of the first `rank` singular directions.
    pub(crate) fn curvatures(&self, rank: usize) -> Vec<f64> {
        let point = self.point;
        let scaled = Mat::from_fn(point.v.nrows(), rank, |j, k| point.v[(j, k)] / point.sigma[k]);
        let bent: Vec<Col<f64>> = (0..rank).into_par_iter().map(|k| self.bend(&scaled.col(k).to_owned())).collect();
        let bent = Mat::from_fn(point.v.nrows(), rank, |j, k| bent[k][j]);
        eigenvalues(&(scaled.transpose() * bent))
    }

    /// λmax of the loss Hessian JᵀJ + S of the plain J, by power iteration.
    pub(crate) fn hessian_sharpness(&self) -> f64 {
        let Self { point, .. } = self;
        let p = point.theta.len();
        // In the coordinates of θ: D⁻¹ on either side.
        let unscaled = |v: &Col<f64>| Col::from_fn(p, |j| v[j] / point.scale[j]);
        let product = |v: &Col<f64>| {
            let xi = unscaled(v);
            let gauss_newton = point.jacobian.transpose() * (&point.jacobian * &xi);
            unscaled(&(gauss_newton + self.bend(&xi)))
        };
        let largest = extreme(p, &product, 0.0);
        if largest >= 0.0 || largest.is_nan() {
            return largest;
        }
        // The largest of them all is not the largest in magnitude: shifted, it is.
        extreme(p, &product, -largest)
    }
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
    use crate::data::Data;
    use crate::model::{Activation, Model};
    use crate::sweep::Sweep;

    #[test]
    fn sharpness_and_curvatures_by_products_are_those_of_the_matrix() {
        let network = Network::new(&[1, 9, 1], Activation::Tanh).unwrap();
        let p = network.parameters().len();
        let theta: Vec<f64> = (0..p as u32).map(|j| random_start(5, j, Distribution::Normal, 1.0)).collect();
        let x: Vec<f64> = (0..7).map(|i| f64::from(i) * 0.3 - 1.0).collect();
        let y = x.iter().map(|x| x * x + 0.4).collect();
        let data = Data::from_columns([("x", x), ("y", y)]).unwrap();
        let job = Sweep::new(&Model::from(network), &data).start(theta.clone()).resolve().unwrap();
        let scale: Vec<f64> = (0..p).map(|j| 1.0 + j as f64 / 10.0).collect();
        let point = Point::new(&job, 0, &theta, &scale).unwrap();
        let products = Products::new(&job, &point).unwrap();
        let none = vec![0.0; p];
        let bend = super::super::point::Curvature::new(&job, &point, &[&point.residual], &none).sums.swap_remove(0);
        let hessian = point.jacobian.transpose() * &point.jacobian + &bend;
        let plain = Mat::from_fn(p, p, |j, k| hessian[(j, k)] / (scale[j] * scale[k]));
        let expected = eigenvalues(&plain)[0];
        // The change from step to step is the error times one minus the ratio of the eigenvalues.
        assert!((products.hessian_sharpness() / expected - 1.0).abs() < 1e-6, "{expected}");
        let rank = 4;
        let scaled = Mat::from_fn(p, rank, |j, k| point.v[(j, k)] / point.sigma[k]);
        let expected = eigenvalues(&(scaled.transpose() * &bend * &scaled));
        let size = expected.iter().fold(0.0, |size: f64, kappa| size.max(kappa.abs()));
        for (a, b) in products.curvatures(rank).iter().zip(&expected) {
            assert!((a - b).abs() < 1e-10 * size, "{a} and {b}");
        }
    }

    #[test]
    fn the_largest_eigenvalue_is_found_beside_a_more_negative_one() {
        let product = |v: &Col<f64>| Col::from_fn(3, |j| [-5.0, 2.0, 1.0][j] * v[j]);
        let first = extreme(3, &product, 0.0);
        assert!((first + 5.0).abs() < 1e-8, "{first}");
        assert!((extreme(3, &product, -first) - 2.0).abs() < 1e-6);
        assert_eq!(extreme(3, &|v: &Col<f64>| Col::zeros(v.nrows()), 0.0), 0.0);
    }
}
