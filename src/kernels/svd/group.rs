//! Declares `shaders/svd_group.wgsl`: matrices in the memory of a workgroup.

use crate::gpu::{Bindable, Commands, Def, Device, DeviceError, KernelSource, kernel_source};
use crate::kernels::batch::Count;
use crate::kernels::matrices::Matrices;
use crate::kernels::problem::Rules;

use super::host::{Form, Operands};

/// Singular values only.
pub(crate) const VALUES: KernelSource =
    kernel_source!("svd_group", uniform matrices, read a, write sigma, write reports);

/// Singular values, W Σ⁻¹ and what is carried.
pub(crate) const VECTORS: KernelSource =
    kernel_source!("svd_group", uniform matrices, read a, write sigma, write reports, write w, write v);

/// Invocations a workgroup.
const THREADS: usize = 64;

/// Bytes of a workgroup beside its matrices.
const NOTES: usize = 4;

/// Matrices a workgroup, of which each invocation turns one pair of columns; none where a device has no memory for even one,
/// or there are more pairs than invocations.
pub(crate) fn pack(form: Form, workgroup_bytes: usize) -> usize {
    let pairs = form.columns / 2;
    // The matrix, squares and scales of its columns, and four words that are noted of it.
    let each = 4 * form.columns * ((form.rows + form.carried()) | 1) + 8 * form.columns + 16;
    let of_invocations = THREADS.checked_div(pairs).unwrap_or(0);
    of_invocations.min(workgroup_bytes.saturating_sub(NOTES) / each)
}

/// The constants of the kernel.
pub(crate) fn defs(form: Form, pack: usize) -> Vec<(&'static str, Def)> {
    let mut defs = form.defs();
    defs.push(("PACK", Def::UInt(pack as u32)));
    defs
}

/// Multiply-adds of a workgroup in all its sweeps, at most.
fn work(form: Form, pack: usize) -> u64 {
    let pair = 5 * form.rows + 4 * form.carried();
    (Rules::MAX_SWEEPS as usize * form.columns * form.columns / 2 * pair * pack) as u64
}

/// Records the SVDs of a batch, so many matrices a workgroup.
pub(crate) fn record(
    device: &Device,
    commands: &mut Commands,
    (form, pack): (Form, usize),
    count: Count<'_>,
    cutoff: f64,
    operands: &Operands<'_>,
) -> Result<(), DeviceError> {
    let source = if form.vectors { &VECTORS } else { &VALUES };
    let kernel = count.most.kernel(device, source, defs(form, pack))?;
    let Operands { a, sigma, reports, vectors } = *operands;
    let most_matrices = count.most.count;
    let groups = most_matrices.div_ceil(pack);
    let most = device.limits().max_compute_workgroups_per_dimension as usize;
    let each = work(form, pack);
    let at_once = ((device.pace().work(source.name) / each) as usize).clamp(1, most);
    for first in (0..groups).step_by(at_once) {
        let now = at_once.min(groups - first);
        let matrices = Matrices { first: (first * pack) as u32, ..Matrices::new(most_matrices, form.rows, cutoff) };
        let uniform = device.uniform(&matrices)?;
        count.put(commands, &uniform)?;
        let work = count.work(now as u64 * each);
        match vectors {
            Some((w, v)) => {
                let bindings: [&dyn Bindable; 6] = [&uniform, a, sigma, reports, w, v];
                commands.dispatch_measured(&kernel, &bindings, [now as u32, 1, 1], work)?;
            }
            None => {
                commands.dispatch_measured(&kernel, &[&uniform, a, sigma, reports], [now as u32, 1, 1], work)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workgroups_hold_as_many_matrices_as_have_an_invocation_for_each_pair_and_fit_their_memory() {
        let of = |m, n, bytes| pack(Form::of_matrices(m, n, true), bytes);
        assert_eq!(of(1, 1, 16 << 10), 0, "one column has no pair");
        assert_eq!(of(2, 2, 16 << 10), 64);
        assert_eq!(of(16, 16, 16 << 10), 7, "8 would need 17,408 bytes");
        assert_eq!(of(16, 16, 32 << 10), 8);
        assert_eq!(of(45, 45, 16 << 10), 0);
        assert_eq!(of(64, 64, 48 << 10), 1);
        assert_eq!(of(200, 140, 1 << 20), 0, "70 pairs are more than there are invocations");
    }
}
