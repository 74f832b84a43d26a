//! Declares `shaders/complete.wgsl`: the singular vectors of σ = 0.

use bytemuck::{Pod, Zeroable};

use crate::gpu::{Buffer, Commands, Device, DeviceError, KernelSource, kernel_source};
use crate::kernels::batch::Batch;
use crate::kernels::work::{GROUP, slices};

pub(crate) const SOURCE: KernelSource = kernel_source!("complete", uniform completion, read sigma, write w);

/// What all matrices of a batch share.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct Completion {
    count: u32,
    rows: u32,
    columns: u32,
    matrix: u32,
    first: u32,
    end: u32,
}

/// Multiply-adds that a column takes at most: lengths of rows, and two orthogonalisations against every other column.
fn of_a_column(rows: usize, columns: usize) -> usize {
    5 * rows * columns
}

/// Records the completion of matrices W of rows × columns, rows ≥ columns: columns
/// whose `sigma`, descending, is zero and which are zero themselves become unit vectors orthogonal to all others.
pub(crate) fn record(
    device: &Device,
    commands: &mut Commands,
    (batch, [rows, columns]): (Batch, [usize; 2]),
    sigma: &Buffer<f32>,
    w: &Buffer<f32>,
) -> Result<(), DeviceError> {
    let kernel = batch.kernel(device, &SOURCE, Vec::new())?;
    let each = of_a_column(rows, columns);
    // Nearly every matrix has nothing to complete, so that a dispatch's time says nothing of its rate: none is measured.
    let budget = device.pace().work(SOURCE.name) / GROUP;
    let at_once = (budget / each as u64).clamp(1, columns as u64) as usize;
    for first in (0..columns).step_by(at_once) {
        let end = (first + at_once).min(columns);
        for slice in slices(device, &SOURCE, batch.count, (end - first) * each) {
            let uniform = device.uniform(&Completion {
                count: batch.count as u32,
                rows: rows as u32,
                columns: columns as u32,
                matrix: slice.first,
                first: first as u32,
                end: end as u32,
            })?;
            commands.dispatch(&kernel, &[&uniform, sigma, w], [slice.groups, 1, 1])?;
        }
    }
    Ok(())
}
