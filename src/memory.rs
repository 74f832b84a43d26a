//! Memory is asked for before it is taken: what does not fit is refused with figures instead of an abort; and in large pages,
//! where there is much of it.

/// Refuses `count` things of `each` bytes that do not fit the memory that is free: the error is made of the bytes
/// needed, the bytes free and the count that fits. Where the system does not tell what is free, everything passes.
pub(crate) fn check<E>(count: u64, each: u64, error: impl FnOnce(u64, u64, u64) -> E) -> Result<(), E> {
    let needed = count.saturating_mul(each);
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    let free = system.available_memory();
    if free > 0 && needed > free { Err(error(needed, free, free / each.max(1))) } else { Ok(()) }
}

/// Makes room for so many values more, in large pages where Linux has them: to fetch a page costs microseconds, and results of
/// a million problems are 40,000 pages of 4 KiB.
pub(crate) fn make_room<T>(values: &mut Vec<T>, more: usize) {
    values.reserve(more);
    #[cfg(target_os = "linux")]
    {
        const LARGE: usize = 2 << 20;
        let room = values.spare_capacity_mut();
        let bytes = size_of_val(room);
        let first = room.as_mut_ptr().cast::<u8>();
        // Whole large pages only: what else lies on the others is not the vector's.
        let skipped = first.align_offset(LARGE);
        let whole = bytes.saturating_sub(skipped) / LARGE * LARGE;
        if whole > 0 {
            // SAFETY: these bytes lie in the vector's own allocation, and the advice changes no byte of them.
            let advised =
                unsafe { rustix::mm::madvise(first.add(skipped).cast(), whole, rustix::mm::Advice::LinuxHugepage) };
            if let Err(error) = advised {
                log::debug!("no large pages for {whole} bytes: {error}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_in_large_pages_holds_what_is_written_there_and_what_was_before() {
        for room in [0, 10, 1 << 18, (1 << 20) + 3] {
            let mut values = vec![1.0_f64, 2.0];
            make_room(&mut values, room);
            values.extend((0..room).map(|k| k as f64));
            assert_eq!(values[..2], [1.0, 2.0]);
            assert!(values[2..].iter().enumerate().all(|(k, &x)| x == k as f64));
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn much_room_is_asked_for_in_large_pages() {
        let mut values: Vec<u64> = Vec::new();
        make_room(&mut values, 1 << 21);
        let inside = values.as_ptr() as usize + (8 << 20);
        // Of each mapping its range, and below it what was asked of it: "hg" where that is large pages.
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap_or_default();
        let range = |line: &str| {
            let (first, end) = line.split_whitespace().next()?.split_once('-')?;
            Some(usize::from_str_radix(first, 16).ok()?..usize::from_str_radix(end, 16).ok()?)
        };
        let of_it = maps.lines().skip_while(|line| !range(line).is_some_and(|range| range.contains(&inside)));
        let flags = of_it.skip(1).take_while(|line| range(line).is_none()).find(|line| line.starts_with("VmFlags:"));
        match flags {
            Some(flags) if std::path::Path::new("/sys/kernel/mm/transparent_hugepage").exists() => {
                assert!(flags.split_whitespace().any(|flag| flag == "hg"), "{flags}");
            }
            _ => println!("this system has no large pages, or does not tell what was asked of it"),
        }
    }

    #[test]
    fn what_no_machine_holds_is_refused_with_the_count_that_fits() {
        let figures = check(u64::MAX / 2, 16, |needed, free, fits| (needed, free, fits)).unwrap_err();
        assert_eq!(figures.0, u64::MAX);
        assert_eq!(figures.2, figures.1 / 16);
        assert!(check(1000, 16, |_, _, _| ()).is_ok());
    }
}
