//! Columns of numbers that are held as they came and read as f64.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;

use super::error::DataError;
use super::npy::Mapped;

/// Fewest rows that are worth a task of their own.
const ROWS_PER_TASK: usize = 1 << 16;

/// A column of numbers: a value a row, read as f64 whatever it is held as.
///
/// What repeats itself (coordinates that all data sets share, a constant) is held once, arrays of f32 stay such, and a
/// clone shares the values.
#[derive(Clone)]
pub struct Numbers {
    store: Store,
    /// The rows there are.
    rows: Range<usize>,
    /// The row at which the values held begin.
    base: usize,
}

#[derive(Clone)]
enum Store {
    Wide(Arc<Vec<f64>>),
    Narrow(Arc<Vec<f32>>),
    /// In a file.
    Mapped(Mapped),
    /// Row `r` has the value `r / stride % length`.
    Axis {
        stride: usize,
        length: usize,
    },
}

impl From<Vec<f64>> for Numbers {
    fn from(values: Vec<f64>) -> Self {
        Self { rows: 0..values.len(), store: Store::Wide(Arc::new(values)), base: 0 }
    }
}

impl From<Vec<f32>> for Numbers {
    fn from(values: Vec<f32>) -> Self {
        Self { rows: 0..values.len(), store: Store::Narrow(Arc::new(values)), base: 0 }
    }
}

impl From<Mapped> for Numbers {
    fn from(values: Mapped) -> Self {
        Self { rows: 0..values.len(), store: Store::Mapped(values), base: 0 }
    }
}

impl Numbers {
    /// Coordinates along an axis: row `r` has the value `r / stride % length`.
    pub(super) fn axis(stride: usize, length: usize, rows: usize) -> Self {
        Self { store: Store::Axis { stride, length }, rows: 0..rows, base: 0 }
    }

    /// Values computed for some of the rows.
    pub(super) fn of_rows(values: Vec<f64>, rows: Range<usize>) -> Self {
        Self { base: rows.start, store: Store::Wide(Arc::new(values)), rows }
    }

    /// Values that repeat themselves over the rows, from row 0 on.
    pub(super) fn periodic(period: Vec<f64>, rows: Range<usize>) -> Self {
        Self { store: Store::Wide(Arc::new(period)), rows, base: 0 }
    }

    /// Some of the rows, counted as in the whole.
    ///
    /// # Errors
    /// If the file that holds them cannot be read.
    pub(crate) fn part(&self, rows: Range<usize>) -> Result<Self, DataError> {
        match &self.store {
            Store::Mapped(values) => {
                Ok(Self { store: Store::Mapped(values.part(rows.clone())?), base: rows.start, rows })
            }
            _ => Ok(Self { rows, ..self.clone() }),
        }
    }

    /// The values from row 0 on, where they are held as f64.
    pub(crate) fn whole(&self) -> Option<Arc<Vec<f64>>> {
        match &self.store {
            Store::Wide(values) if self.base == 0 => Some(Arc::clone(values)),
            _ => None,
        }
    }

    /// Whether all values are held in memory.
    pub(super) fn is_in_memory(&self) -> bool {
        !matches!(self.store, Store::Mapped(_))
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The value of a row.
    ///
    /// # Panics
    /// Where there is no such row.
    pub fn get(&self, row: usize) -> f64 {
        assert!(self.rows.contains(&row), "row {row} of the rows {:?}", self.rows);
        self.value(row)
    }

    /// The same where the row is known to be there.
    fn value(&self, row: usize) -> f64 {
        match &self.store {
            Store::Wide(values) => values[self.place(row, values.len())],
            Store::Narrow(values) => f64::from(values[self.place(row, values.len())]),
            Store::Mapped(values) => values.value(self.place(row, values.len())),
            // Below 2^53 and so exact: more rows than that fit no memory.
            Store::Axis { stride, length } => (row / stride % length) as f64,
        }
    }

    /// Where the value of a row stands among the values held.
    fn place(&self, row: usize, held: usize) -> usize {
        let place = row - self.base;
        if place < held { place } else { place % held }
    }

    /// All values in their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = f64> + Clone + '_ {
        self.rows.clone().map(|row| self.value(row))
    }

    /// The values of a range of rows, borrowed where they are held as such.
    ///
    /// # Panics
    /// Where there are no such rows.
    pub fn slice(&self, rows: Range<usize>) -> Cow<'_, [f64]> {
        assert!(self.holds(&rows), "the rows {rows:?} of the rows {:?}", self.rows);
        match self.wide().and_then(|values| self.unbroken(values, &rows)) {
            Some(values) => Cow::Borrowed(values),
            None => Cow::Owned(match self.as_f32(&rows) {
                Some(values) => values.iter().map(|&value| f64::from(value)).collect(),
                None => rows.map(|row| self.value(row)).collect(),
            }),
        }
    }

    /// The same rounded to f32.
    pub(crate) fn slice_f32(&self, rows: Range<usize>) -> Cow<'_, [f32]> {
        assert!(self.holds(&rows), "the rows {rows:?} of the rows {:?}", self.rows);
        match self.as_f32(&rows) {
            Some(values) => Cow::Borrowed(values),
            None => Cow::Owned(self.slice(rows).iter().map(|&value| value as f32).collect()),
        }
    }

    /// The values of a range of rows, where they are f32 and held side by side.
    pub(crate) fn as_f32(&self, rows: &Range<usize>) -> Option<&[f32]> {
        self.narrow().and_then(|values| self.unbroken(values, rows))
    }

    /// The values held, where they are f64.
    fn wide(&self) -> Option<&[f64]> {
        match &self.store {
            Store::Wide(values) => Some(values),
            Store::Mapped(values) => values.as_f64(),
            Store::Narrow(_) | Store::Axis { .. } => None,
        }
    }

    /// Whether the values are held as f32.
    pub(crate) fn is_f32(&self) -> bool {
        self.narrow().is_some()
    }

    /// The values held, where they are f32.
    fn narrow(&self) -> Option<&[f32]> {
        match &self.store {
            Store::Narrow(values) => Some(values),
            Store::Mapped(values) => values.as_f32(),
            Store::Wide(_) | Store::Axis { .. } => None,
        }
    }

    fn holds(&self, rows: &Range<usize>) -> bool {
        rows.is_empty() || (self.rows.start <= rows.start && rows.end <= self.rows.end)
    }

    /// The values of these rows, where they stand side by side among those held.
    fn unbroken<'a, T>(&self, values: &'a [T], rows: &Range<usize>) -> Option<&'a [T]> {
        if rows.is_empty() {
            return Some(&[]);
        }
        let first = self.place(rows.start, values.len());
        values.get(first..first + rows.len())
    }

    /// All values, as a vector of their own.
    pub fn to_vec(&self) -> Vec<f64> {
        self.slice(self.rows.clone()).into_owned()
    }

    /// The one value that all rows have because it is a constant.
    pub(crate) fn constant(&self) -> Option<f64> {
        match &self.store {
            Store::Wide(values) if values.len() == 1 => Some(values[0]),
            _ => None,
        }
    }

    /// The first row whose value is no finite number.
    pub(super) fn first_not_finite(&self) -> Option<usize> {
        let first = |rows: Range<usize>| rows.into_iter().find(|&row| !self.value(row).is_finite());
        // Whole chunks without a branch a value, which the compiler turns into vector instructions.
        let is_good = |rows: &Range<usize>| {
            let wide = self.wide().and_then(|values| self.unbroken(values, rows));
            let narrow = self.narrow().and_then(|values| self.unbroken(values, rows));
            wide.is_some_and(|values| values.iter().fold(true, |good, value| good & value.is_finite()))
                || narrow.is_some_and(|values| values.iter().fold(true, |good, value| good & value.is_finite()))
        };
        match &self.store {
            Store::Axis { .. } => return None,
            Store::Mapped(values) if values.is_whole() => return None,
            _ => {}
        }
        let chunks = self.rows.len().div_ceil(ROWS_PER_TASK);
        let chunk = |k: usize| {
            let start = self.rows.start + k * ROWS_PER_TASK;
            start..(start + ROWS_PER_TASK).min(self.rows.end)
        };
        (0..chunks).into_par_iter().map(chunk).filter(|rows| !is_good(rows)).find_map_first(first)
    }

    /// The values of these rows, in their order.
    pub(super) fn gather(&self, rows: impl Iterator<Item = usize>) -> Self {
        rows.map(|row| self.get(row)).collect::<Vec<_>>().into()
    }

    /// The same values where they repeat themselves every `period` rows, bit for bit, held once.
    pub(super) fn compacted(self, period: usize) -> Self {
        let Store::Wide(values) = &self.store else { return self };
        if period == 0 || period >= values.len() || !self.base.is_multiple_of(period) {
            return self;
        }
        let (first, rest) = values.split_at(period);
        let is_first = |part: &[f64]| part.iter().zip(first).all(|(a, b)| a.to_bits() == b.to_bits());
        if rest.chunks(period).all(is_first) { Self::periodic(first.to_vec(), self.rows) } else { self }
    }

    /// Whether the values repeat themselves every `period` rows because they are held that way.
    pub(crate) fn repeats(&self, period: usize) -> bool {
        match &self.store {
            Store::Wide(values) => period.is_multiple_of(values.len().max(1)),
            Store::Narrow(values) => period.is_multiple_of(values.len().max(1)),
            Store::Mapped(values) => period.is_multiple_of(values.len().max(1)),
            Store::Axis { stride, length } => {
                stride.checked_mul(*length).is_some_and(|whole| period.is_multiple_of(whole))
            }
        }
    }

    /// Hands the bytes that decide the values to `add`, piece by piece, after a letter for their kind.
    pub(super) fn bytes(&self, mut add: impl FnMut(&[u8])) {
        match &self.store {
            Store::Wide(_) | Store::Axis { .. } => {
                add(&[1]);
                self.iter().for_each(|value| add(&value.to_bits().to_le_bytes()));
            }
            Store::Narrow(values) => {
                add(&[3]);
                values.iter().for_each(|value| add(&value.to_bits().to_le_bytes()));
            }
            Store::Mapped(values) => {
                add(&[4]);
                values.bytes(&mut add);
            }
        }
    }
}

impl fmt::Debug for Numbers {
    /// The first values: there may be millions.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 32;
        let mut list = f.debug_list();
        list.entries(self.iter().take(SHOWN));
        if self.len() > SHOWN {
            list.entry(&format_args!("… {} in all", self.len()));
        }
        list.finish()
    }
}

impl PartialEq for Numbers {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl PartialEq<[f64]> for Numbers {
    fn eq(&self, other: &[f64]) -> bool {
        self.iter().eq(other.iter().copied())
    }
}

impl<const N: usize> PartialEq<[f64; N]> for Numbers {
    fn eq(&self, other: &[f64; N]) -> bool {
        *self == other[..]
    }
}

impl PartialEq<Vec<f64>> for Numbers {
    fn eq(&self, other: &Vec<f64>) -> bool {
        *self == other[..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_repeats_itself_is_held_once_and_reads_as_before() {
        let long: Vec<f64> = [1.0, 2.0, 5.0].repeat(4);
        let numbers = Numbers::from(long.clone()).compacted(3);
        assert!(numbers.repeats(3) && numbers == long);
        assert_eq!(*numbers.slice(3..6), [1.0, 2.0, 5.0]);
        assert_eq!(*numbers.slice(2..5), [5.0, 1.0, 2.0]);
        assert!(matches!(numbers.slice(6..9), Cow::Borrowed(_)));
    }

    #[test]
    fn a_single_bit_keeps_columns_apart() {
        for other in [1.0 + f64::EPSILON, -1.0, f64::NAN] {
            let numbers = Numbers::from(vec![1.0, 2.0, other, 2.0]).compacted(2);
            assert!(!numbers.repeats(2));
        }
        assert!(!Numbers::from(vec![0.0, 2.0, -0.0, 2.0]).compacted(2).repeats(2));
    }

    #[test]
    fn the_first_value_that_is_not_finite_is_found_wherever_it_stands() {
        let rows = 3 * ROWS_PER_TASK + 5;
        for bad in [0, ROWS_PER_TASK - 1, ROWS_PER_TASK, rows - 1] {
            let mut values = vec![1.0_f32; rows];
            assert_eq!(Numbers::from(values.clone()).first_not_finite(), None);
            values[bad] = f32::INFINITY;
            values[rows - 1] = f32::NAN;
            assert_eq!(Numbers::from(values).first_not_finite(), Some(bad));
        }
    }

    #[test]
    fn an_axis_counts_with_its_stride() {
        assert_eq!(Numbers::axis(2, 3, 8), [0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 0.0, 0.0]);
        assert!(Numbers::axis(2, 3, 12).repeats(6) && !Numbers::axis(2, 3, 12).repeats(4));
    }
}
