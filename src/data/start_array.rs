//! Starting points given as an array: one a data set.

use std::path::PathBuf;

use super::error::{DataError, Place};
use super::npy;
use super::numbers::Numbers;

/// An array of starting points, data sets × parameters in row-major order.
#[derive(Clone, Debug)]
pub(crate) struct StartArray {
    source: Source,
    /// Where it holds the starts of more data sets than these: how many come before.
    before: Option<usize>,
}

#[derive(Clone, Debug)]
enum Source {
    Values(Numbers),
    Npy(PathBuf),
}

impl StartArray {
    pub(crate) fn of_values(values: Vec<f64>) -> Self {
        Self { source: Source::Values(values.into()), before: None }
    }

    /// An NPY file, opened when it is read.
    pub(crate) fn of_npy(path: PathBuf) -> Self {
        Self { source: Source::Npy(path), before: None }
    }

    /// The starts of data sets before which there are so many; others may follow.
    pub(crate) fn behind(self, sets: usize) -> Self {
        Self { before: Some(sets), ..self }
    }

    /// The array, once its shape and numbers have been checked.
    ///
    /// # Errors
    /// Another shape than `sets` × parameters, or a value that is no finite number.
    pub(crate) fn read(&self, parameters: &[&str], sets: usize) -> Result<Numbers, DataError> {
        let (file, values, shape) = match &self.source {
            Source::Values(values) => ("the array of starts".to_owned(), values.clone(), vec![values.len()]),
            Source::Npy(path) => {
                let (shape, values) = npy::open(path)?;
                (values.name().to_owned(), values.into(), shape)
            }
        };
        let p = parameters.len();
        let sets_so_far = self.before.unwrap_or(0) + sets;
        let rows = match *shape.as_slice() {
            [values] if values % p == 0 => Some(values / p),
            [rows, columns] if columns == p => Some(rows),
            _ => None,
        };
        let fits = |&rows: &usize| if self.before.is_some() { rows >= sets_so_far } else { rows == sets };
        if rows.filter(fits).is_none() {
            return Err(DataError::StartShape { file, shape, sets: sets_so_far, parameters: p });
        }
        let values = match self.before {
            Some(before) => values.part(before * p..sets_so_far * p)?.to_vec().into(),
            None => values,
        };
        match first_not_finite(&values)? {
            None => Ok(values),
            Some(k) => Err(DataError::StartNotFinite {
                place: Place::new(&file, "row", (k / p) as u64 + 1),
                parameter: parameters[k % p].to_owned(),
                value: values.get(k).to_string(),
            }),
        }
    }

    /// Hands the bytes that decide the starts to `add`.
    pub(crate) fn add_to(&self, add: &mut dyn FnMut(&[u8])) {
        match &self.source {
            Source::Values(values) => values.bytes(add),
            // What cannot be read any more was refused before.
            Source::Npy(path) => {
                if let Ok((_, values)) = npy::open(path) {
                    values.bytes(add);
                }
            }
        }
    }
}

/// The first value that is no finite number; of a file no more than a piece is mapped at a time.
fn first_not_finite(values: &Numbers) -> Result<Option<usize>, DataError> {
    const PIECE: usize = 1 << 22;
    for first in (0..values.len()).step_by(PIECE) {
        let found = values.part(first..(first + PIECE).min(values.len()))?.first_not_finite();
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}
