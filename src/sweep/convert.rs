//! Parameters of an outcome as matrices of other crates: a row a problem, a column a parameter.

use super::Outcome;

#[cfg(feature = "ndarray")]
impl Outcome {
    /// θ of every problem as an array of shape (problems, parameters).
    #[must_use]
    pub fn parameters_ndarray(&self) -> ndarray::Array2<f64> {
        let width = self.context().parameters.len();
        ndarray::Array2::from_shape_fn((self.len(), width), |(i, j)| self.problem(i).parameters()[j])
    }
}

#[cfg(feature = "nalgebra")]
impl Outcome {
    /// θ of every problem as a matrix of shape (problems, parameters).
    #[must_use]
    pub fn parameters_nalgebra(&self) -> nalgebra::DMatrix<f64> {
        let width = self.context().parameters.len();
        nalgebra::DMatrix::from_fn(self.len(), width, |i, j| self.problem(i).parameters()[j])
    }
}

#[cfg(all(test, feature = "ndarray", feature = "nalgebra"))]
mod tests {
    use crate::{Choice, Data, Engine, Model, Sweep};

    #[test]
    fn rows_are_problems_and_columns_are_parameters() {
        let model = Model::parse("a + b*x", &["a", "b"]).unwrap();
        let data = Data::from_columns([("x", vec![0.0, 1.0, 2.0]), ("y", vec![1.0, 3.0, 5.0])]).unwrap();
        let sweep = Sweep::new(&model, &data).start([0.0, 0.0]).start([5.0, 5.0]).start([9.0, 1.0]);
        let outcome = Engine::open(Choice::Cpu).unwrap().run(&sweep).unwrap();
        let (array, matrix) = (outcome.parameters_ndarray(), outcome.parameters_nalgebra());
        assert_eq!((array.dim(), matrix.shape()), ((3, 2), (3, 2)));
        for (i, problem) in outcome.iter().enumerate() {
            for (j, &value) in problem.parameters().iter().enumerate() {
                assert_eq!((array[[i, j]], matrix[(i, j)]), (value, value));
            }
        }
    }
}
