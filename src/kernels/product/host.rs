//! Declares `shaders/product.wgsl`: AᵀA and AAᵀ of matrices of any size.

use bytemuck::{Pod, Zeroable};

use crate::gpu::{Bindable, Buffer, Commands, Def, Device, DeviceError, KernelSource, UNROLLED, kernel_source};
use crate::kernels::batch::{Batch, Count};
use crate::kernels::work::slices;

pub(crate) const SOURCE: KernelSource = kernel_source!("product", uniform product, read a, write result);

/// The same of the matrices in a list.
pub(crate) const LISTED: KernelSource = kernel_source!("product", uniform product, read a, write result, read listed);

/// Rows and columns of a block of the result that registers hold.
const MOST: usize = 8;

/// Entries of a vector that one dispatch sums: longer ones take several.
const ENTRIES: usize = 1 << 14;

/// The most multiply-adds of a segment that are summed from zero whatever the length.
const SHORT: usize = 32;

/// What all matrices of a batch share.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct Product {
    count: u32,
    lanes: u32,
    result_lanes: u32,
    vectors: u32,
    length: u32,
    vector_stride: u32,
    entry_stride: u32,
    segment: u32,
    first: u32,
    start: u32,
    end: u32,
    elements: u32,
}

/// Which products of which matrices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    /// Matrices.
    pub(crate) count: usize,
    /// Rows of each.
    pub(crate) rows: usize,
    /// Columns of each.
    pub(crate) columns: usize,
    /// Of the rows, AAᵀ, instead of the columns.
    pub(crate) of_rows: bool,
    /// Matrices a tile.
    pub(crate) lanes: usize,
    /// Results a tile.
    pub(crate) result_lanes: usize,
}

/// Rows of a block that `size` rows are cut into: as even as can be, so that the last is nearly full.
pub(crate) fn block(size: usize) -> usize {
    size.div_ceil(size.div_ceil(MOST))
}

/// The constants of the kernel for results of `size` rows, of all matrices or of those in a list.
pub(crate) fn defs(size: usize, listed: bool) -> Vec<(&'static str, Def)> {
    vec![
        ("BLOCK", Def::UInt(block(size) as u32)),
        ("ALONE", Def::Bool(size <= MOST)),
        ("LISTED", Def::Bool(listed)),
        (UNROLLED, Def::Bool(true)),
    ]
}

/// Entries summed from zero, of vectors of this length: a power of two from √length on.
fn segment(length: usize) -> usize {
    length.isqrt().next_power_of_two().max(SHORT)
}

/// Which of the matrices in a buffer.
#[derive(Clone, Copy)]
pub(crate) struct Listed<'a> {
    /// How many, then of each two words, the second its place in the buffer.
    pub(crate) list: &'a Buffer<u32>,
    /// Columns that stand beside each.
    pub(crate) beside: usize,
}

/// Records the products of all matrices.
pub(crate) fn record(
    device: &Device,
    commands: &mut Commands,
    form: &Form,
    a: &Buffer<f32>,
    result: &Buffer<f32>,
) -> Result<(), DeviceError> {
    record_those(device, commands, form, a, result, None)
}

/// Records the products of the matrices in a list, in its order.
pub(crate) fn record_listed(
    device: &Device,
    commands: &mut Commands,
    form: &Form,
    a: &Buffer<f32>,
    result: &Buffer<f32>,
    listed: Listed<'_>,
) -> Result<(), DeviceError> {
    record_those(device, commands, form, a, result, Some(listed))
}

fn record_those(
    device: &Device,
    commands: &mut Commands,
    form: &Form,
    a: &Buffer<f32>,
    result: &Buffer<f32>,
    listed: Option<Listed<'_>>,
) -> Result<(), DeviceError> {
    let Form { rows, columns, .. } = *form;
    let (vectors, length) = if form.of_rows { (rows, columns) } else { (columns, rows) };
    let (vector_stride, entry_stride) = if form.of_rows { (1, rows) } else { (rows, 1) };
    let source = if listed.is_some() { &LISTED } else { &SOURCE };
    let kernel = device.kernel(source, &defs(vectors, listed.is_some()), &[])?;
    let batch = Batch { count: form.count, lanes: form.lanes };
    let count = Count { most: batch, word: listed.map(|listed| (listed.list, 0)) };
    let block = block(vectors);
    let blocks = vectors.div_ceil(block);
    let invocations = batch.whole() * blocks * (blocks + 1) / 2;
    let segment = segment(length);
    let entries = ENTRIES.max(segment);
    for start in (0..length).step_by(entries) {
        let end = (start + entries).min(length);
        for slice in slices(device, source, invocations, (end - start) * block * block) {
            let uniform = device.uniform(&Product {
                count: form.count as u32,
                lanes: form.lanes as u32,
                result_lanes: form.result_lanes as u32,
                vectors: vectors as u32,
                length: length as u32,
                vector_stride: vector_stride as u32,
                entry_stride: entry_stride as u32,
                segment: segment as u32,
                first: slice.first,
                start: start as u32,
                end: end as u32,
                elements: (rows * (columns + listed.map_or(0, |listed| listed.beside))) as u32,
            })?;
            count.put(commands, &uniform)?;
            let mut bindings: Vec<&dyn Bindable> = vec![&uniform, a, result];
            bindings.extend(listed.map(|listed| listed.list as &dyn Bindable));
            commands.dispatch_measured(&kernel, &bindings, [slice.groups, 1, 1], count.work(slice.work))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_even_and_hold_every_row() {
        for size in 1..=2048 {
            let block = block(size);
            assert!((1..=MOST).contains(&block) && (size <= MOST || block > MOST / 2));
            let blocks = size.div_ceil(block);
            assert_eq!(blocks, size.div_ceil(MOST), "no more blocks than of the largest size");
            assert!(blocks * block - size < blocks, "{size} rows in blocks of {block}");
        }
    }

    #[test]
    fn a_segment_and_the_number_of_segments_grow_as_the_root_of_the_length() {
        for length in (1..=100_000).chain([1 << 30]) {
            let segment = segment(length);
            assert!(segment.is_power_of_two());
            // The bound that `gram` promises.
            let terms = segment.min(length) + length.div_ceil(segment);
            assert!(terms as f64 <= 6.0 * (length as f64).sqrt(), "{length}: {terms} roundings");
        }
    }
}
