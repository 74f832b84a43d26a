//! The matrices that everybody works on.

use faer::Mat;
use faer::linalg::solvers::Solve;
use natgrad::linalg::{LinalgError, MatrixBatch};
use natgrad::{Distribution, random_start};
use rayon::prelude::*;

use super::task::Task;

/// f32 matrices of one size, column-major, one after another, and a right-hand side of each.
pub(crate) struct Matrices {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    data: Vec<f32>,
    rights: Vec<f32>,
}

/// A matrix or a right-hand side: standard normal entries.
fn normal(into: &mut [f32], b: usize, first: usize) {
    for (k, entry) in into.iter_mut().enumerate() {
        *entry = random_start(b as u64, (first + k) as u32, Distribution::Normal, 1.0) as f32;
    }
}

impl Matrices {
    /// Standard normal entries; where they have to be definite, I + MMᵀ/n of such an M: κ is about 5. Matrix b is the
    /// same whatever the number of matrices.
    pub(crate) fn random(task: Task, batch: usize, rows: usize, columns: usize) -> Self {
        let size = rows * columns;
        let (mut data, mut rights) = (vec![0.0; batch * size], vec![0.0; batch * rows]);
        data.par_chunks_exact_mut(size).enumerate().for_each(|(b, matrix)| {
            normal(matrix, b, 0);
            if task == Task::CholeskySolve {
                let m = faer::MatRef::from_column_major_slice(matrix, rows, columns).to_owned();
                let product = &m * m.transpose();
                for (k, entry) in matrix.iter_mut().enumerate() {
                    let (i, j) = (k % rows, k / rows);
                    *entry = f32::from(u8::from(i == j)) + product[(i.max(j), i.min(j))] / rows as f32;
                }
            }
        });
        rights.par_chunks_exact_mut(rows).enumerate().for_each(|(b, right)| normal(right, b, size));
        Self { rows, columns, data, rights }
    }

    pub(crate) fn size(&self) -> usize {
        self.rows * self.columns
    }

    pub(crate) fn batch(&self) -> usize {
        self.data.len() / self.size()
    }

    /// The first `count` of them.
    pub(crate) fn first(&self, count: usize) -> &[f32] {
        &self.data[..count * self.size()]
    }

    /// Their right-hand sides.
    pub(crate) fn first_rights(&self, count: usize) -> &[f32] {
        &self.rights[..count * self.rows]
    }

    /// The first `count` of them as natgrad has them by default, in tiles of 64, and their right-hand sides.
    pub(crate) fn tiles(&self, count: usize) -> Result<[MatrixBatch; 2], LinalgError> {
        let (rows, size) = (self.rows, self.size());
        Ok([
            MatrixBatch::from_fn(count, rows, self.columns, |b, i, j| self.data[b * size + j * rows + i])?,
            MatrixBatch::from_fn(count, rows, 1, |b, i, _| self.rights[b * rows + i])?,
        ])
    }

    /// What the task asks of the first `count`, in f64.
    pub(crate) fn answers(&self, task: Task, count: usize) -> Vec<f64> {
        let one = |(matrix, right): (&[f32], &[f32])| {
            let wide =
                |x: &[f32], rows: usize, columns: usize| Mat::from_fn(rows, columns, |i, j| f64::from(x[j * rows + i]));
            let (a, b) = (wide(matrix, self.rows, self.columns), wide(right, self.rows, 1));
            match task {
                Task::Svd | Task::SvdValues => a.singular_values().expect("finite matrices have singular values"),
                Task::CholeskySolve => a.partial_piv_lu().solve(&b).col(0).iter().copied().collect(),
                Task::PinvSolve => {
                    let svd = a.thin_svd().expect("finite matrices have singular values");
                    let (along, sigma) = (svd.U().transpose() * &b, svd.S().column_vector());
                    // The rank that all contenders take: that of f32.
                    let cutoff = self.rows.max(self.columns) as f64 * f64::from(f32::EPSILON) * sigma[0];
                    let part = |k: usize| if sigma[k] > cutoff { along[(k, 0)] / sigma[k] } else { 0.0 };
                    let x = svd.V() * Mat::from_fn(sigma.nrows(), 1, |k, _| part(k));
                    x.col(0).iter().copied().collect()
                }
            }
        };
        let (matrices, rights) = (self.first(count), self.first_rights(count));
        matrices.par_chunks_exact(self.size()).zip(rights.par_chunks_exact(self.rows)).flat_map_iter(one).collect()
    }
}
