//! Memory is asked for before it is taken: what does not fit is refused with figures instead of an abort.

/// Refuses `count` things of `each` bytes that do not fit the memory that is free: the error is made of the bytes
/// needed, the bytes free and the count that fits. Where the system does not tell what is free, everything passes.
pub(crate) fn check<E>(count: u64, each: u64, error: impl FnOnce(u64, u64, u64) -> E) -> Result<(), E> {
    let needed = count.saturating_mul(each);
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    let free = system.available_memory();
    if free > 0 && needed > free { Err(error(needed, free, free / each.max(1))) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_machine_holds_is_refused_with_the_count_that_fits() {
        let figures = check(u64::MAX / 2, 16, |needed, free, fits| (needed, free, fits)).unwrap_err();
        assert_eq!(figures.0, u64::MAX);
        assert_eq!(figures.2, figures.1 / 16);
        assert!(check(1000, 16, |_, _, _| ()).is_ok());
    }
}
