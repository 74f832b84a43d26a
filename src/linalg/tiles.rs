//! How many matrices lie in a tile, and how many are worked on at a time.

use std::ops::Range;

use crate::gpu::{Device, DeviceError};
use crate::kernels::batch::{Batch, most_lanes, tile};
use crate::kernels::work::GROUP;

use super::pinv::Reported;
use super::{LinalgError, MatrixBatch, Shape};

/// Matrices a tile for kernels that take any number: as many as are worked on side by side, fewer where the batch is
/// smaller or where a tile of matrices of `elements` elements would not fit a buffer. No result depends on it.
pub(super) fn lanes(device: &Device, batch: usize, elements: usize) -> usize {
    let fits = (device.largest_buffer() / (4 * elements as u64)).max(1);
    most_lanes(device).min(batch.next_power_of_two()).min(1 << fits.ilog2().min(8))
}

/// Matrices that one buffer of the device holds when the largest operand has `elements` elements: whole tiles.
pub(super) fn chunk(device: &Device, lanes: usize, elements: usize) -> Result<usize, LinalgError> {
    let limit = device.largest_buffer();
    let tile = (4 * elements * lanes) as u64;
    match limit / tile {
        0 => Err(DeviceError::TooLarge { label: "a tile of matrices".to_owned(), bytes: tile, limit }.into()),
        tiles => Ok(tiles as usize * lanes),
    }
}

/// The same in tiles as [`tile`] has them, and of a dispatch that has an invocation a matrix.
pub(super) fn at_once(device: &Device, elements: usize) -> Result<Batch, LinalgError> {
    let lanes = tile(device, elements);
    let most = device.limits().max_compute_workgroups_per_dimension as usize * GROUP as usize;
    Ok(Batch { count: chunk(device, lanes, elements)?.min(most), lanes })
}

/// Matrices of this shape with their reports, found so many at a time.
pub(super) fn in_chunks(
    shape: Shape,
    at_once: Batch,
    find: impl Fn(Range<usize>) -> Result<Reported, LinalgError>,
) -> Result<Reported, LinalgError> {
    let shape = Shape { lanes: at_once.lanes, ..shape };
    let mut all = Reported { matrices: results(shape)?, reports: Vec::with_capacity(shape.batch) };
    for first in (0..shape.batch).step_by(at_once.count) {
        let found = find(first..(first + at_once.count).min(shape.batch))?;
        all.matrices.place(first, &found.matrices);
        all.reports.extend(found.reports);
    }
    Ok(all)
}

/// Results of this shape, all zeros, if the host can hold them.
pub(super) fn results(shape: Shape) -> Result<MatrixBatch, LinalgError> {
    let each = 4 * (shape.rows * shape.columns) as u64;
    let padded = shape.batch.next_multiple_of(shape.lanes) as u64;
    crate::memory::check(padded, each, |needed, free, fits| LinalgError::OutOfMemory { needed, free, fits })?;
    Ok(MatrixBatch::zeros_in(shape))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_beyond_memory_are_refused_with_the_number_that_fits() {
        let shape = Shape::new(1 << 30, 2048, 2048, 64).unwrap();
        match results(shape).unwrap_err() {
            LinalgError::OutOfMemory { needed, free, fits } => {
                assert_eq!(needed, 1 << 54);
                assert_eq!(fits, free >> 24);
            }
            other => panic!("{other}"),
        }
    }
}
