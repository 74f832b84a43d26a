//! Declares `shaders/presort`: the columns of matrices by descending magnitude, and the way back.

use crate::gpu::{Bindable, Buffer, Commands, Def, Device, DeviceError, KernelSource, kernel_source};
use crate::kernels::batch::Batch;
use crate::kernels::matrices::Matrices;
use crate::kernels::work::slices;

pub(crate) const MEASURE: KernelSource =
    kernel_source!("presort/measure", uniform matrices, read a, write heights, write bits);
pub(crate) const COPY: KernelSource =
    kernel_source!("presort/copy", uniform matrices, read a, read heights, read bits, write order, write copied);
pub(crate) const RESTORE_VALUES: KernelSource =
    kernel_source!("presort/restore", uniform matrices, read bits, write sigma);
pub(crate) const RESTORE_VECTORS: KernelSource =
    kernel_source!("presort/restore", uniform matrices, read bits, write sigma, read order, read sorted, write restored);

/// Sizes of the matrices, as tall as they are sorted, and of their copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    /// Rows.
    pub(crate) rows: usize,
    /// Columns, which are sorted.
    pub(crate) columns: usize,
    /// Rows of the copy.
    pub(crate) padded_rows: usize,
    /// Columns of the copy.
    pub(crate) padded_columns: usize,
    /// Its columns of which an entry each is had by one access.
    pub(crate) group: usize,
    /// Whether the matrices are the transposes of what is meant.
    pub(crate) transposed: bool,
}

/// The constants of the kernels that measure and copy.
pub(crate) fn copy_defs(form: Form) -> Vec<(&'static str, Def)> {
    vec![
        ("M", Def::UInt(form.rows as u32)),
        ("N", Def::UInt(form.columns as u32)),
        ("ROWS", Def::UInt(form.padded_rows as u32)),
        ("COLUMNS", Def::UInt(form.padded_columns as u32)),
        ("GROUP", Def::UInt(form.group as u32)),
        ("TRANSPOSED", Def::Bool(form.transposed)),
    ]
}

/// The constants of the kernel that goes back, for so many columns.
pub(crate) fn restore_defs(columns: usize, vectors: bool) -> Vec<(&'static str, Def)> {
    vec![("N", Def::UInt(columns as u32)), ("VECTORS", Def::Bool(vectors))]
}

/// The order of the columns of a batch.
pub(crate) struct Presorted {
    batch: Batch,
    columns: usize,
    /// The column that comes in each place.
    order: Buffer<u32>,
    /// The bits of the largest magnitude of each matrix.
    bits: Buffer<u32>,
}

impl Presorted {
    /// Records the copies of matrices, their columns sorted, and their largest magnitudes: `bits` are zeros before.
    pub(crate) fn record(
        device: &Device,
        commands: &mut Commands,
        form: Form,
        batch: Batch,
        [a, copied]: [&Buffer<f32>; 2],
        bits: &Buffer<u32>,
    ) -> Result<Self, DeviceError> {
        let words = batch.whole() * form.columns;
        let heights = device.scratch::<u32>("magnitudes of columns", words)?;
        let order = device.scratch("order of columns", words)?;
        let all = Self { batch, columns: form.columns, order, bits: bits.clone() };
        let defs = copy_defs(form);
        let bindings: [&dyn Bindable; 3] = [a, &heights, bits];
        all.over_columns(device, commands, (&MEASURE, defs.clone()), (form.columns, form.rows), &bindings)?;
        let bindings: [&dyn Bindable; 5] = [a, &heights, bits, &all.order, copied];
        let each = form.padded_rows + form.columns;
        all.over_columns(device, commands, (&COPY, defs), (form.padded_columns, each), &bindings)?;
        Ok(all)
    }

    /// Records the singular values in units of the matrices as they were; and from right singular vectors of the sorted
    /// columns those of the columns in their order.
    pub(crate) fn restore(
        &self,
        device: &Device,
        commands: &mut Commands,
        sigma: &Buffer<f32>,
        vectors: Option<[&Buffer<f32>; 2]>,
    ) -> Result<(), DeviceError> {
        let n = self.columns;
        let defs = restore_defs(n, vectors.is_some());
        match vectors {
            Some([sorted, restored]) => {
                let bindings: [&dyn Bindable; 5] = [&self.bits, sigma, &self.order, sorted, restored];
                self.over_columns(device, commands, (&RESTORE_VECTORS, defs), (n, n), &bindings)
            }
            None => self.over_columns(device, commands, (&RESTORE_VALUES, defs), (n, 1), &[&self.bits, sigma]),
        }
    }

    /// Records the dispatches of a kernel that has an invocation for each of so many columns, of `each` words.
    fn over_columns(
        &self,
        device: &Device,
        commands: &mut Commands,
        (source, defs): (&KernelSource, Vec<(&'static str, Def)>),
        (columns, each): (usize, usize),
        buffers: &[&dyn Bindable],
    ) -> Result<(), DeviceError> {
        let count = self.batch.count;
        let kernel = self.batch.kernel(device, source, defs)?;
        for slice in slices(device, source, count, columns * each) {
            let uniform = device.uniform(&Matrices { first: slice.first, ..Matrices::new(count, 1, 0.0) })?;
            let mut bindings: Vec<&dyn Bindable> = vec![&uniform];
            bindings.extend(buffers);
            commands.dispatch_measured(&kernel, &bindings, [slice.groups, columns as u32, 1], slice.work)?;
        }
        Ok(())
    }
}
