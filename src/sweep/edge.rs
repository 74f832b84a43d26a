//! Gradient descent's edge of stability at the starts, as a unit of step sizes.

use rayon::prelude::*;

use crate::curvature::{MOST_OF_EXPRESSION, Sample, Slope};
use crate::error::RequestError;

use super::{Job, ProblemId, SizeUnit};

impl Job {
    /// Whether a rule goes by the edge of stability.
    fn has_edges(&self) -> bool {
        self.rules().iter().any(|rule| rule.unit != SizeUnit::Absolute)
    }

    /// Refuses models whose sharpness is not measured, where a rule asks for it.
    pub(super) fn check_edges(&self) -> Result<(), RequestError> {
        if !self.has_edges() {
            return Ok(());
        }
        let parameters = self.model().parameters().len();
        if self.model().as_network().is_none() && parameters > MOST_OF_EXPRESSION {
            return Err(RequestError::SharpnessOfParameters { parameters, most: MOST_OF_EXPRESSION });
        }
        Ok(())
    }

    /// 2/sharpness at each start of each data set at hand, in f64 on the host and so equal on every device; none where no
    /// rule asks for it.
    pub(super) fn edges(&self) -> Vec<f64> {
        if !self.has_edges() {
            return Vec::new();
        }
        let rules = self.rules().len() as u64;
        let held = self.held_problems();
        let starts = held.start / rules..held.end / rules;
        starts.into_par_iter().map(|start| self.edge(self.problem(start * rules))).collect()
    }

    /// The rows of a data set.
    pub(crate) fn samples(&self, set: usize) -> Vec<Sample<'_>> {
        let sample = |row| Sample { inputs: self.inputs(row), response: self.response(row), weight: self.weight(row) };
        self.rows(set).map(sample).collect()
    }

    fn edge(&self, id: ProblemId) -> f64 {
        let samples = self.samples(id.set);
        let slope = Slope::new(self.model(), &samples, self.start(id));
        let is_sharp = |sharpness: &f64| sharpness.is_finite() && *sharpness > 0.0;
        let sharpness = Some(slope.hessian_sharpness()).filter(is_sharp);
        // No direction in which the loss curves upwards has an edge; that of the residual's linear model is then the nearest.
        let sharpness = sharpness.or_else(|| Some(slope.gauss_newton_sharpness()).filter(is_sharp));
        sharpness.map_or(1.0, |sharpness| 2.0 / sharpness)
    }
}
