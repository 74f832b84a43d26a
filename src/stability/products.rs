//! What second derivatives tell where there are too many to be formed: by their products with vectors, in f64.

use faer::{Col, Mat};
use rayon::prelude::*;

use super::eigen::eigenvalues;
use super::point::Point;
use crate::curvature::{bend, largest_eigenvalue};
use crate::model::Network;
use crate::sweep::Job;

/// Products of a network's second derivatives at a point with vectors in the coordinates ξ = D⁻¹θ.
pub(crate) struct Products<'a> {
    job: &'a Job,
    network: &'a Network,
    point: &'a Point,
}

impl<'a> Products<'a> {
    /// `None` where the model is no network.
    pub(crate) fn new(job: &'a Job, point: &'a Point) -> Option<Self> {
        job.model().as_network().map(|network| Self { job, network, point })
    }

    /// S v, S = Σ eᵢ D∇²fᵢD.
    fn bend(&self, v: &Col<f64>) -> Col<f64> {
        let Self { job, network, point } = self;
        let p = point.theta.len();
        let moved = Col::from_fn(p, |j| point.scale[j] * v[j]);
        let rows = job.rows(point.set).zip(&point.residual);
        let sum = bend(network, &point.theta, rows.map(|(row, e)| (job.inputs(row), e * job.weight(row))), &moved);
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

    /// λmax of the loss Hessian JᵀJ + S of the plain J.
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
        largest_eigenvalue(p, &product)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Data;
    use crate::model::{Activation, Model};
    use crate::starts::{Distribution, random_start};
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
        // The square of what ends the iteration, and rounding.
        assert!((products.hessian_sharpness() / expected - 1.0).abs() < 1e-10, "{expected}");
        let rank = 4;
        let scaled = Mat::from_fn(p, rank, |j, k| point.v[(j, k)] / point.sigma[k]);
        let expected = eigenvalues(&(scaled.transpose() * &bend * &scaled));
        let size = expected.iter().fold(0.0, |size: f64, kappa| size.max(kappa.abs()));
        for (a, b) in products.curvatures(rank).iter().zip(&expected) {
            assert!((a - b).abs() < 1e-10 * size, "{a} and {b}");
        }
    }
}
