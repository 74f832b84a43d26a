//! Chains the kernels of `shaders/qr_blocked`: the factors of a batch of matrices, and Q times others.

use crate::gpu::{Bindable, Buffer, Commands, Def, Device, DeviceError, KernelSource, Uniform};
use crate::kernels::batch::{Batch, Count};
use crate::kernels::presort::{self, host::Presorted};
use crate::kernels::work::slices;

use super::host::{
    APPLY, APPLY_INSIDE, Beside, CROP, EXTEND, FACTOR, Form, IDENTITY, PREPARE, PREPARE_LISTED, PREPARE_MEASURED,
    Panel, TRIANGLE, TRIANGLE_BESIDE, Target, apply_defs, crop_defs, extend_defs, factor_defs, group, listed_defs,
    padded, prepare_defs, triangle_defs,
};

/// A batch of factored matrices.
pub(crate) struct Factors {
    form: Form,
    batch: Batch,
    /// The word that holds their number, where it is not the batch's.
    word: Option<(Buffer<u32>, usize)>,
    /// R, and the reflectors below it.
    a: Buffer<f32>,
    taus: Buffer<f32>,
    /// The bits of the largest magnitude of each matrix.
    bits: Buffer<u32>,
}

impl Factors {
    /// Records the factorisation of matrices, or of the transposes of matrices; they stay as they are.
    pub(crate) fn record(
        device: &Device,
        commands: &mut Commands,
        form: Form,
        transposed: bool,
        count: Count<'_>,
        a: &Buffer<f32>,
    ) -> Result<Self, DeviceError> {
        let factors = Self::room_for(device, form, count)?;
        let prepare = (&PREPARE_MEASURED, prepare_defs(form, transposed, None));
        let size = (form.padded_columns(), form.padded_rows());
        factors.over_matrices(device, commands, prepare, size, 0, &[a, &factors.a, &factors.bits])?;
        factors.record_panels(device, commands)?;
        Ok(factors)
    }

    /// The same of the transposes of A, where [A | e] are those of a list of pairs, by the second number of each; e goes to
    /// `beside`.
    pub(crate) fn record_listed(
        device: &Device,
        commands: &mut Commands,
        form: Form,
        (batch, list): (Batch, &Buffer<u32>),
        [a, beside]: [&Buffer<f32>; 2],
    ) -> Result<Self, DeviceError> {
        let factors = Self::room_for(device, form, Count { most: batch, word: Some((list, 0)) })?;
        let prepare = (&PREPARE_LISTED, listed_defs(form));
        let size = (form.padded_columns(), form.padded_rows());
        factors.over_matrices(device, commands, prepare, size, 0, &[a, &factors.a, &factors.bits, list, beside])?;
        factors.record_panels(device, commands)?;
        Ok(factors)
    }

    /// The same of matrices whose columns come by descending magnitude, over one power of two a matrix; and the way back.
    pub(crate) fn record_sorted(
        device: &Device,
        commands: &mut Commands,
        form: Form,
        transposed: bool,
        batch: Batch,
        a: &Buffer<f32>,
    ) -> Result<(Self, Presorted), DeviceError> {
        let factors = Self::room_for(device, form, Count::known(batch))?;
        let (padded_rows, padded_columns) = form.padded();
        let Form { rows, columns } = form;
        let group = group(form.width());
        let sizes = presort::host::Form { rows, columns, padded_rows, padded_columns, group, transposed };
        let sorted = Presorted::record(device, commands, sizes, batch, [a, &factors.a], &factors.bits)?;
        factors.record_panels(device, commands)?;
        Ok((factors, sorted))
    }

    fn room_for(device: &Device, form: Form, count: Count<'_>) -> Result<Self, DeviceError> {
        let whole = count.most.whole();
        Ok(Self {
            form,
            batch: count.most,
            word: count.word.map(|(buffer, at)| (buffer.clone(), at)),
            a: device.scratch("R and reflectors", whole * form.padded_rows() * form.padded_columns())?,
            taus: device.scratch("reflectors' factors", whole * form.blocks() * form.reflectors())?,
            bits: device.buffer("largest magnitudes", whole.max(1))?,
        })
    }

    fn record_panels(&self, device: &Device, commands: &mut Commands) -> Result<(), DeviceError> {
        let form = self.form;
        let of_panel = form.padded_rows() * form.width() * form.width();
        for top in form.panels() {
            let factor = (&FACTOR, factor_defs(form));
            self.over_matrices(device, commands, factor, (1, of_panel), top, &[&self.a, &self.taus])?;
            let begin = top + form.width();
            if begin < form.padded_columns() {
                self.apply_panel(device, commands, Target::Inside, top, begin, &self.a)?;
            }
        }
        Ok(())
    }

    /// Records a copy of matrices of as many rows and so many columns, for Qᵀ to be applied to.
    pub(crate) fn padded(
        &self,
        device: &Device,
        commands: &mut Commands,
        c: &Buffer<f32>,
        columns: usize,
    ) -> Result<Buffer<f32>, DeviceError> {
        let room = self.room(device, columns)?;
        let prepare = (&PREPARE, prepare_defs(self.form, false, Some(columns)));
        self.over_matrices(device, commands, prepare, (padded(columns), self.form.padded_rows()), 0, &[c, &room])?;
        Ok(room)
    }

    /// Records so many columns of the identity; or matrices of as many rows as R has, with zeros below: for Q to be applied
    /// to.
    pub(crate) fn extended(
        &self,
        device: &Device,
        commands: &mut Commands,
        upper: Option<&Buffer<f32>>,
        columns: usize,
    ) -> Result<Buffer<f32>, DeviceError> {
        let room = self.room(device, columns)?;
        let defs = extend_defs(self.form, columns, upper.is_none());
        let size = (padded(columns), self.form.padded_rows());
        match upper {
            Some(upper) => self.over_matrices(device, commands, (&EXTEND, defs), size, 0, &[&room, upper])?,
            None => self.over_matrices(device, commands, (&IDENTITY, defs), size, 0, &[&room])?,
        }
        Ok(room)
    }

    fn room(&self, device: &Device, columns: usize) -> Result<Buffer<f32>, DeviceError> {
        device.scratch("beside the factors", self.batch.whole() * self.form.elements_of(columns))
    }

    /// Records Qᵀ or Q times matrices in their place, which have zeros around them up to whole blocks.
    pub(crate) fn apply(
        &self,
        device: &Device,
        commands: &mut Commands,
        target: Target,
        c: &Buffer<f32>,
    ) -> Result<(), DeviceError> {
        let one = |top: usize, commands: &mut Commands| self.apply_panel(device, commands, target, top, 0, c);
        match target {
            Target::Plain(_) => self.form.panels().rev().try_for_each(|top| one(top, commands)),
            _ => self.form.panels().try_for_each(|top| one(top, commands)),
        }
    }

    fn apply_panel(
        &self,
        device: &Device,
        commands: &mut Commands,
        target: Target,
        top: usize,
        begin: usize,
        c: &Buffer<f32>,
    ) -> Result<(), DeviceError> {
        let inside = target == Target::Inside;
        let source = if inside { &APPLY_INSIDE } else { &APPLY };
        let kernel = self.batch.kernel(device, source, apply_defs(self.form, target))?;
        let (columns, across) = target.columns(self.form);
        let invocations = self.batch.whole() * ((columns - begin) / across);
        let each = 2 * self.form.padded_rows() * self.form.width() * across;
        for slice in slices(device, source, invocations, each) {
            let uniform = self.uniform(device, commands, slice.first, top, begin)?;
            let (groups, work) = ([slice.groups, 1, 1], self.count().work(slice.work));
            if inside {
                commands.dispatch_measured(&kernel, &[&uniform, &self.taus, c], groups, work)?;
            } else {
                commands.dispatch_measured(&kernel, &[&uniform, &self.taus, c, &self.a], groups, work)?;
            }
        }
        Ok(())
    }

    /// Records R or, `lower`, Rᵀ, with what stands beside it.
    pub(crate) fn triangle(
        &self,
        device: &Device,
        commands: &mut Commands,
        lower: bool,
        (beside, c): (Beside, Option<&Buffer<f32>>),
        triangle: &Buffer<f32>,
    ) -> Result<(), DeviceError> {
        let defs = triangle_defs(self.form, lower, beside, self.form.short());
        let columns = match beside {
            Beside::Nothing => 0,
            Beside::Padded(columns) | Beside::Whole(columns) => columns,
        };
        let width = if lower { self.form.short() } else { self.form.columns };
        let size = (width + columns, self.form.short());
        let (a, bits) = (&self.a, &self.bits);
        match c {
            Some(c) => {
                let beside = (&TRIANGLE_BESIDE, defs);
                self.over_matrices(device, commands, beside, size, 0, &[a, bits, triangle, c])
            }
            None => self.over_matrices(device, commands, (&TRIANGLE, defs), size, 0, &[a, bits, triangle]),
        }
    }

    /// Records R into the first rows of matrices of as many columns and `height` rows.
    pub(crate) fn triangle_above(
        &self,
        device: &Device,
        commands: &mut Commands,
        height: usize,
        target: &Buffer<f32>,
    ) -> Result<(), DeviceError> {
        let triangle = (&TRIANGLE, triangle_defs(self.form, false, Beside::Nothing, height));
        let size = (self.form.columns, self.form.short());
        self.over_matrices(device, commands, triangle, size, 0, &[&self.a, &self.bits, target])
    }

    /// Records matrices without the zeros around them; of columns that are to be `unit` vectors, these to a rounding.
    pub(crate) fn crop(
        &self,
        device: &Device,
        commands: &mut Commands,
        padded: &Buffer<f32>,
        (columns, unit): (usize, bool),
        cropped: &Buffer<f32>,
    ) -> Result<(), DeviceError> {
        let crop = (&CROP, crop_defs(self.form, columns, unit));
        let size = (columns, self.form.rows);
        self.over_matrices(device, commands, crop, size, 0, &[padded, &self.bits, cropped])
    }

    /// The bits of the largest magnitude of each matrix.
    pub(crate) fn bits(&self) -> &Buffer<u32> {
        &self.bits
    }

    /// Records the dispatches of a kernel that has `across` invocations a matrix, of `each` multiply-adds or words.
    fn over_matrices(
        &self,
        device: &Device,
        commands: &mut Commands,
        (source, defs): (&KernelSource, Vec<(&'static str, Def)>),
        (across, each): (usize, usize),
        top: usize,
        buffers: &[&dyn Bindable],
    ) -> Result<(), DeviceError> {
        let kernel = self.batch.kernel(device, source, defs)?;
        for slice in slices(device, source, self.batch.count, across * each) {
            let uniform = self.uniform(device, commands, slice.first, top, 0)?;
            let mut bindings: Vec<&dyn Bindable> = vec![&uniform];
            bindings.extend(buffers);
            let work = self.count().work(slice.work);
            commands.dispatch_measured(&kernel, &bindings, [slice.groups, across as u32, 1], work)?;
        }
        Ok(())
    }

    fn count(&self) -> Count<'_> {
        Count { most: self.batch, word: self.word.as_ref().map(|(buffer, at)| (buffer, *at)) }
    }

    fn uniform(
        &self,
        device: &Device,
        commands: &mut Commands,
        first: u32,
        top: usize,
        begin: usize,
    ) -> Result<Uniform<Panel>, DeviceError> {
        let uniform = device.uniform(&Panel {
            count: self.batch.count as u32,
            first,
            top: top as u32,
            begin: begin as u32,
            nan: f32::NAN,
            padding_a: 0,
            padding_b: 0,
            padding_c: 0,
        })?;
        self.count().put(commands, &uniform)?;
        Ok(uniform)
    }
}
