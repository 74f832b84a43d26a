//! Batches of matrices on the host.

use bytemuck::Pod;

use crate::gpu::layout::{LANES, element};

use super::LinalgError;

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
}

/// The type of a matrix element: f32 today, open for f64.
pub trait Element: Pod + Default + PartialOrd + std::fmt::Debug + Into<f64> + sealed::Sealed + Send + Sync {
    /// The nearest element to a number.
    fn from_f64(value: f64) -> Self;
}

impl Element for f32 {
    fn from_f64(value: f64) -> Self {
        value as Self
    }
}

/// How many matrices of which size, and how they lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Number of matrices.
    pub batch: usize,
    /// Rows of each.
    pub rows: usize,
    /// Columns of each.
    pub columns: usize,
    /// Matrices a tile: 1 is one column-major matrix after another; with 32, 64 and the like, equal elements of
    /// neighbouring matrices lie side by side.
    pub lanes: usize,
}

impl Shape {
    /// A shape whose elements can be counted.
    ///
    /// # Errors
    /// If a side is zero, `lanes` is no power of two up to 256, or the elements overflow.
    pub fn new(batch: usize, rows: usize, columns: usize, lanes: usize) -> Result<Self, LinalgError> {
        if rows == 0 || columns == 0 {
            return Err(LinalgError::Empty { rows, columns });
        }
        if !lanes.is_power_of_two() || lanes > 256 {
            return Err(LinalgError::Lanes { lanes });
        }
        let whole = batch.checked_next_multiple_of(lanes);
        whole
            .and_then(|padded| padded.checked_mul(rows)?.checked_mul(columns)?.checked_mul(8))
            .filter(|&bytes| isize::try_from(bytes).is_ok())
            .ok_or(LinalgError::Overflow { batch, rows, columns })?;
        Ok(Self { batch, rows, columns, lanes })
    }

    /// Elements in memory: whole tiles.
    #[must_use]
    pub fn len(&self) -> usize {
        self.batch.next_multiple_of(self.lanes) * self.rows * self.columns
    }

    /// Whether there is no matrix.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.batch == 0
    }

    /// Where element (i, j) of matrix b lies.
    #[must_use]
    pub fn index(&self, b: usize, i: usize, j: usize) -> usize {
        element(b, i, j, self.rows, self.columns, self.lanes)
    }
}

/// Matrices of one size on the host: column-major, interleaved in tiles of `lanes` matrices.
///
/// Element (i, j) of matrix b lies at `(b / lanes)·rows·columns·lanes + (j·rows + i)·lanes + b mod lanes`; a last tile
/// that is not full is padded with zeros.
#[derive(Clone, Debug, PartialEq)]
pub struct MatrixBatch<T = f32> {
    shape: Shape,
    data: Vec<T>,
}

impl<T: Element> MatrixBatch<T> {
    /// All zeros, in tiles of 64 matrices.
    ///
    /// # Errors
    /// If a side is zero or the elements overflow.
    pub fn zeros(batch: usize, rows: usize, columns: usize) -> Result<Self, LinalgError> {
        Ok(Self::zeros_in(Shape::new(batch, rows, columns, LANES)?))
    }

    /// All zeros in a given layout.
    pub(crate) fn zeros_in(shape: Shape) -> Self {
        Self { shape, data: vec![T::default(); shape.len()] }
    }

    /// Element (i, j) of matrix b is `entry(b, i, j)`.
    ///
    /// # Errors
    /// If a side is zero or the elements overflow.
    pub fn from_fn(
        batch: usize,
        rows: usize,
        columns: usize,
        mut entry: impl FnMut(usize, usize, usize) -> T,
    ) -> Result<Self, LinalgError> {
        let mut matrices = Self::zeros(batch, rows, columns)?;
        for b in 0..batch {
            for j in 0..columns {
                for i in 0..rows {
                    matrices.set(b, i, j, entry(b, i, j));
                }
            }
        }
        Ok(matrices)
    }

    /// Column-major matrices one after another, as LAPACK has them; kept in that layout (one lane).
    ///
    /// # Errors
    /// If a side is zero or the number of elements is not `batch`·`rows`·`columns`.
    pub fn from_column_major(batch: usize, rows: usize, columns: usize, data: Vec<T>) -> Result<Self, LinalgError> {
        Self::from_layout(Shape::new(batch, rows, columns, 1)?, data)
    }

    /// Elements that already lie as the shape says.
    ///
    /// # Errors
    /// If the shape is none (see [`Shape::new`]) or their number is not that of it.
    pub fn from_layout(shape: Shape, data: Vec<T>) -> Result<Self, LinalgError> {
        let Shape { batch, rows, columns, lanes } = shape;
        let shape = Shape::new(batch, rows, columns, lanes)?;
        if data.len() != shape.len() {
            return Err(LinalgError::Length { batch, rows, columns, expected: shape.len(), given: data.len() });
        }
        Ok(Self { shape, data })
    }

    /// The same with zeros in the places of the last tile that belong to no matrix, whatever lay there.
    pub(super) fn with_zero_padding(mut self) -> Self {
        let Shape { batch, rows, columns, lanes } = self.shape;
        let last = batch / lanes * (rows * columns * lanes);
        for (at, entry) in self.data[last..].iter_mut().enumerate() {
            if at % lanes >= batch % lanes {
                *entry = T::default();
            }
        }
        self
    }

    /// The same matrices in tiles of `lanes`.
    ///
    /// # Errors
    /// If `lanes` is no power of two up to 256.
    pub fn with_lanes(&self, lanes: usize) -> Result<Self, LinalgError> {
        Shape::new(self.shape.batch, self.shape.rows, self.shape.columns, lanes)?;
        Ok(self.part(0..self.shape.batch, lanes))
    }

    /// The matrices of a range, in tiles of `lanes`.
    pub(super) fn part(&self, range: std::ops::Range<usize>, lanes: usize) -> Self {
        let mut part = Self::zeros_in(Shape { batch: range.len(), lanes, ..self.shape });
        part.copy(0, self, range);
        part
    }

    /// Puts the matrices of `part` in the place of those from `first` on.
    pub(super) fn place(&mut self, first: usize, part: &Self) {
        self.copy(first, part, 0..part.shape.batch);
    }

    /// Copies the matrices of a range of `from` to those from `first` on: whole tiles at once, where tiles meet tiles.
    fn copy(&mut self, first: usize, from: &Self, range: std::ops::Range<usize>) {
        let Shape { rows, columns, lanes, .. } = self.shape;
        let each = rows * columns;
        if from.shape.lanes == lanes && first.is_multiple_of(lanes) && range.start.is_multiple_of(lanes) {
            let (to, at) = (first * each, range.start * each);
            let count =
                (range.len().next_multiple_of(lanes) * each).min(self.data.len() - to).min(from.data.len() - at);
            self.data[to..to + count].copy_from_slice(&from.data[at..at + count]);
            return;
        }
        // Equal elements of so many neighbours lie side by side in both.
        let run = match lanes.min(from.shape.lanes) {
            run if first.is_multiple_of(run) && range.start.is_multiple_of(run) => run,
            _ => 1,
        };
        for b in (0..range.len()).step_by(run) {
            let (to, at) = (self.shape.index(first + b, 0, 0), from.shape.index(range.start + b, 0, 0));
            let count = run.min(range.len() - b);
            for k in 0..each {
                let (to, at) = (to + k * lanes, at + k * from.shape.lanes);
                self.data[to..to + count].copy_from_slice(&from.data[at..at + count]);
            }
        }
    }

    /// Their number, size and layout.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Number of matrices.
    #[must_use]
    pub fn batch(&self) -> usize {
        self.shape.batch
    }

    /// Rows of each.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.shape.rows
    }

    /// Columns of each.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.shape.columns
    }

    /// Element (i, j) of matrix b.
    ///
    /// # Panics
    /// If there is no such element.
    #[must_use]
    pub fn get(&self, b: usize, i: usize, j: usize) -> T {
        self.check(b, i, j);
        self.data[self.shape.index(b, i, j)]
    }

    /// Sets element (i, j) of matrix b.
    ///
    /// # Panics
    /// If there is no such element.
    pub fn set(&mut self, b: usize, i: usize, j: usize, value: T) {
        self.check(b, i, j);
        let at = self.shape.index(b, i, j);
        self.data[at] = value;
    }

    fn check(&self, b: usize, i: usize, j: usize) {
        let Shape { batch, rows, columns, .. } = self.shape;
        assert!(
            b < batch && i < rows && j < columns,
            "element ({i}, {j}) of matrix {b} in {batch} matrices of {rows}×{columns}"
        );
    }

    /// The elements as they lie, padding included.
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        &self.data
    }

    /// Matrix b, column by column.
    ///
    /// # Panics
    /// If there is no such matrix.
    #[must_use]
    pub fn matrix(&self, b: usize) -> Vec<T> {
        let Shape { rows, columns, .. } = self.shape;
        (0..columns).flat_map(|j| (0..rows).map(move |i| (i, j))).map(|(i, j)| self.get(b, i, j)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(batch: usize) -> MatrixBatch {
        MatrixBatch::from_fn(batch, 3, 2, |b, i, j| (b * 100 + i * 10 + j) as f32).unwrap()
    }

    #[test]
    fn the_layout_changes_no_element() {
        let tiles = numbered(70);
        assert_eq!(tiles.as_slice().len(), 128 * 6, "two tiles, the second padded");
        for lanes in [1, 4, 256] {
            let other = tiles.with_lanes(lanes).unwrap();
            assert_eq!(other.get(69, 2, 1), 6921.0);
            assert_eq!(other.with_lanes(64).unwrap(), tiles);
        }
        let columns = tiles.with_lanes(1).unwrap();
        assert_eq!(columns.matrix(1), columns.as_slice()[6..12]);
        assert_eq!(columns.matrix(1), [100.0, 110.0, 120.0, 101.0, 111.0, 121.0]);
    }

    #[test]
    fn matrices_from_anywhere_go_to_anywhere_in_any_tiles() {
        let from = numbered(200);
        for (lanes, others) in [(64, 16), (16, 64), (8, 1), (4, 256)] {
            let from = from.with_lanes(lanes).unwrap();
            for (first, range) in [(0, 0..200), (64, 32..133), (3, 16..79), (17, 5..6), (8, 8..24)] {
                let mut to = MatrixBatch::zeros(270, 3, 2).unwrap().with_lanes(others).unwrap();
                to.copy(first, &from, range.clone());
                for b in 0..270usize {
                    let expected = b
                        .checked_sub(first)
                        .and_then(|k| range.clone().nth(k))
                        .map_or(vec![0.0; 6], |of| from.matrix(of));
                    assert_eq!(to.matrix(b), expected, "{lanes} to {others}, {range:?} to {first}: {b}");
                }
                assert_eq!(to.clone().with_zero_padding(), to);
            }
        }
    }

    #[test]
    fn what_pads_the_last_tile_is_zero() {
        let whole = numbered(70);
        let mut dirty = whole.clone();
        let unused = |b: usize| Shape { batch: 128, ..whole.shape() }.index(b, 2, 1);
        dirty.data[unused(70)] = 1.0;
        dirty.data[unused(127)] = f32::NAN;
        assert_eq!(dirty.with_zero_padding(), whole);
        assert_eq!(numbered(64).with_zero_padding(), numbered(64));
    }

    #[test]
    fn parts_put_back_make_the_whole() {
        let whole = numbered(200);
        for cuts in [[0, 64, 128, 200], [0, 3, 131, 200]] {
            let mut again = MatrixBatch::zeros(200, 3, 2).unwrap();
            for cut in cuts.windows(2) {
                let part = whole.part(cut[0]..cut[1], 64);
                assert_eq!(part.get(0, 1, 1), whole.get(cut[0], 1, 1));
                again.place(cut[0], &part);
            }
            assert_eq!(again, whole);
        }
    }

    #[test]
    fn a_part_in_other_tiles_holds_the_same_matrices() {
        let all = numbered(70);
        for lanes in [1, 8, 64] {
            let part = all.part(5..68, lanes);
            assert_eq!((part.batch(), part.shape().lanes), (63, lanes));
            assert!((0..63).all(|b| part.matrix(b) == all.matrix(b + 5)));
        }
    }

    #[test]
    fn impossible_shapes_are_told_with_their_numbers() {
        let empty = MatrixBatch::<f32>::zeros(5, 0, 3).unwrap_err().to_string();
        assert_eq!(empty, "matrices of 0×3 are empty: give at least one row and one column");
        assert!(matches!(MatrixBatch::<f32>::zeros(usize::MAX, 2, 2), Err(LinalgError::Overflow { .. })));
        assert!(matches!(MatrixBatch::<f32>::zeros(2, usize::MAX / 2, 3), Err(LinalgError::Overflow { .. })));
        let short = MatrixBatch::from_column_major(2, 3, 2, vec![0.0f32; 11]).unwrap_err().to_string();
        assert_eq!(short, "2 matrices of 3×2 take 12 elements and 11 were given");
        assert!(matches!(Shape::new(1, 1, 1, 3), Err(LinalgError::Lanes { lanes: 3 })));
        assert_eq!(MatrixBatch::<f32>::zeros(0, 2, 2).unwrap().batch(), 0);
    }
}
