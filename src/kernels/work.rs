//! Bounded dispatches: several short ones in the place of one that a watchdog would end. What a dispatch may hold follows
//! from the device's time budget and the rate measured for the kernel (`gpu/pace.rs`).

use crate::gpu::{Device, KernelSource};

/// Invocations a workgroup.
pub(crate) const GROUP: u64 = 64;

/// Invocations of one dispatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slice {
    /// The first of them.
    pub(crate) first: u32,
    /// Workgroups.
    pub(crate) groups: u32,
    /// Multiply-adds.
    pub(crate) work: u64,
}

/// The dispatches of a kernel that `invocations` of `each` multiply-adds are cut into, whole workgroups each.
pub(crate) fn slices(
    device: &Device,
    kernel: &KernelSource,
    invocations: usize,
    each: usize,
) -> impl Iterator<Item = Slice> + use<> {
    let most_groups = u64::from(device.limits().max_compute_workgroups_per_dimension);
    cut(invocations as u64, each as u64, device.pace().work(kernel.name), most_groups)
}

/// `budget` is the multiply-adds of one dispatch; a workgroup of more is a dispatch of its own.
pub(crate) fn cut(invocations: u64, each: u64, budget: u64, most_groups: u64) -> impl Iterator<Item = Slice> {
    let groups = invocations.div_ceil(GROUP);
    let at_once = (budget / GROUP / each.max(1)).clamp(1, most_groups);
    (0..groups).step_by(at_once as usize).map(move |first| {
        let groups = at_once.min(groups - first);
        let busy = (groups * GROUP).min(invocations - first * GROUP);
        Slice { first: (first * GROUP) as u32, groups: groups as u32, work: busy.saturating_mul(each) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_cover_every_invocation_once_within_budget_and_limits() {
        for budget in [1, 1 << 12, 1 << 29, 1 << 50] {
            for (invocations, each, most) in
                [(0, 1, 9), (1, 1, 9), (10_000, 1 << 20, 9), (10_000, 1, 9), (1000, 1 << 40, 9)]
            {
                let (mut next, mut work) = (0, 0);
                for slice in cut(invocations, each, budget, most) {
                    assert_eq!(u64::from(slice.first), next);
                    assert!((1..=most).contains(&u64::from(slice.groups)));
                    assert!(slice.groups == 1 || slice.work <= budget);
                    next += u64::from(slice.groups) * GROUP;
                    work += slice.work;
                }
                assert!(next >= invocations && next < invocations + GROUP);
                assert_eq!(work, invocations * each);
            }
        }
    }
}
