//! The matrices that everybody works on.

use natgrad::linalg::{LinalgError, MatrixBatch};
use natgrad::{Distribution, random_start};
use rayon::prelude::*;

/// f32 matrices of one size, column-major, one after another.
pub(crate) struct Matrices {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    data: Vec<f32>,
}

impl Matrices {
    /// Standard normal entries; matrix b is the same whatever the number of matrices.
    pub(crate) fn random(batch: usize, rows: usize, columns: usize) -> Self {
        let size = rows * columns;
        let mut data = vec![0.0; batch * size];
        data.par_chunks_exact_mut(size).enumerate().for_each(|(b, matrix)| {
            for (k, entry) in matrix.iter_mut().enumerate() {
                *entry = random_start(b as u64, k as u32, Distribution::Normal, 1.0) as f32;
            }
        });
        Self { rows, columns, data }
    }

    pub(crate) fn size(&self) -> usize {
        self.rows * self.columns
    }

    /// Singular values of each.
    pub(crate) fn rank(&self) -> usize {
        self.rows.min(self.columns)
    }

    pub(crate) fn batch(&self) -> usize {
        self.data.len() / self.size()
    }

    /// The first `count` of them.
    pub(crate) fn first(&self, count: usize) -> &[f32] {
        &self.data[..count * self.size()]
    }

    /// The first `count` of them as natgrad has them by default, in tiles of 64.
    pub(crate) fn tiles(&self, count: usize) -> Result<MatrixBatch, LinalgError> {
        let (rows, size) = (self.rows, self.size());
        MatrixBatch::from_fn(count, rows, self.columns, |b, i, j| self.data[b * size + j * rows + i])
    }

    /// The singular values of the first `count`, in f64.
    pub(crate) fn singular_values(&self, count: usize) -> Vec<f64> {
        let one = |matrix: &[f32]| {
            let matrix = faer::MatRef::from_column_major_slice(matrix, self.rows, self.columns);
            let wide = faer::Mat::from_fn(self.rows, self.columns, |i, j| f64::from(matrix[(i, j)]));
            wide.singular_values().expect("finite matrices have singular values")
        };
        self.first(count).par_chunks_exact(self.size()).flat_map_iter(one).collect()
    }
}
