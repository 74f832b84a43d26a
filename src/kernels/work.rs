//! Bounded dispatches: several short ones in the place of one that a watchdog would end.

use crate::gpu::Device;

/// Multiply-adds of one dispatch. Two cores of a software device take some 200 ms for them and a GPU a few: a constant
/// until dispatches are measured, and small beside the two seconds after which systems reset a GPU.
const BUDGET: u64 = 1 << 29;

/// Invocations a workgroup.
const GROUP: u64 = 64;

/// Invocations of one dispatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slice {
    /// The first of them.
    pub(crate) first: u32,
    /// Workgroups.
    pub(crate) groups: u32,
}

/// The dispatches that `invocations` of `each` multiply-adds are cut into, whole workgroups each.
pub(crate) fn slices(device: &Device, invocations: usize, each: usize) -> impl Iterator<Item = Slice> + use<> {
    cut(invocations as u64, each as u64, u64::from(device.limits().max_compute_workgroups_per_dimension))
}

fn cut(invocations: u64, each: u64, most_groups: u64) -> impl Iterator<Item = Slice> {
    let groups = invocations.div_ceil(GROUP);
    let at_once = (BUDGET / GROUP / each.max(1)).clamp(1, most_groups);
    (0..groups)
        .step_by(at_once as usize)
        .map(move |first| Slice { first: (first * GROUP) as u32, groups: at_once.min(groups - first) as u32 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_cover_every_invocation_once_within_budget_and_limits() {
        for (invocations, each, most) in
            [(0, 1, 9), (1, 1, 9), (10_000, 1 << 20, 9), (10_000, 1, 9), (1000, 1 << 40, 9)]
        {
            let mut next = 0;
            for slice in cut(invocations, each, most) {
                assert_eq!(u64::from(slice.first), next);
                assert!((1..=most).contains(&u64::from(slice.groups)));
                assert!(slice.groups == 1 || u64::from(slice.groups) * GROUP * each <= BUDGET);
                next += u64::from(slice.groups) * GROUP;
            }
            assert!(next >= invocations && next < invocations + GROUP);
        }
    }
}
