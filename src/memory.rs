//! Memory is asked for before it is taken: what does not fit is refused with figures instead of an abort; and in large pages,
//! where there is much of it.

use std::mem::MaybeUninit;
use std::ops::Range;

use rayon::prelude::*;

/// Refuses `count` things of `each` bytes that do not fit the memory that is free: the error is made of the bytes
/// needed, the bytes free and the count that fits. Where the system does not tell what is free, everything passes.
pub(crate) fn check<E>(count: u64, each: u64, error: impl FnOnce(u64, u64, u64) -> E) -> Result<(), E> {
    let needed = count.saturating_mul(each);
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    let free = system.available_memory();
    if free > 0 && needed > free { Err(error(needed, free, free / each.max(1))) } else { Ok(()) }
}

/// Has the allocator keep what is freed, up to a gigabyte, where it would give blocks of some megabytes back to the system:
/// every chunk and every part of a long run asks for the same again, and pages fetched anew take longer than what is written
/// there. For a program's own process; a library has no business with it.
#[cfg(feature = "cli")]
pub(crate) fn keep_what_is_freed() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // The most that glibc takes.
        const LARGEST_KEPT: i32 = 32 << 20;
        const KEPT: i32 = 1 << 30;
        // SAFETY: both set a number of the allocator's, under its own lock.
        let kept = unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGEST_KEPT) == 1 && libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT) == 1
        };
        if !kept {
            log::debug!("the allocator gives freed memory back to the system");
        }
    }
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

/// Places to be filled from the first to the last.
pub(crate) struct Places<'a, T> {
    places: &'a mut [MaybeUninit<T>],
    filled: usize,
}

impl<T: Copy> Places<'_, T> {
    /// Fills the next place.
    ///
    /// # Panics
    /// If there is none.
    pub(crate) fn push(&mut self, value: T) {
        self.places[self.filled].write(value);
        self.filled += 1;
    }

    /// Fills the next places.
    ///
    /// # Panics
    /// If there are not so many.
    pub(crate) fn extend_from_slice(&mut self, values: &[T]) {
        let places = &mut self.places[self.filled..self.filled + values.len()];
        places.iter_mut().zip(values).for_each(|(place, &value)| {
            place.write(value);
        });
        self.filled += values.len();
    }
}

/// Appends so many values, block by block on all cores: `fill` is given a range of them, and their places. Memory that was
/// never used before is fetched from the system by whoever first writes to it, which is what takes longest.
///
/// # Panics
/// If `fill` leaves a place empty.
pub(crate) fn extend_in_blocks<T: Copy + Send>(
    values: &mut Vec<T>,
    count: usize,
    block: usize,
    fill: impl Fn(Range<usize>, &mut Places<'_, T>) + Sync,
) {
    values.reserve(count);
    let before = values.len();
    let room = &mut values.spare_capacity_mut()[..count];
    room.par_chunks_mut(block.max(1)).enumerate().for_each(|(k, places)| {
        let (first, count) = (k * block.max(1), places.len());
        let mut places = Places { places, filled: 0 };
        fill(first..first + count, &mut places);
        assert_eq!(places.filled, count, "values from {first} on");
    });
    // SAFETY: there is room for so many, and each block was seen to be filled from its first place to its last.
    unsafe { values.set_len(before + count) };
}

/// Appends the values of several parts, one after the other, part by part on all cores.
pub(crate) fn extend_from_parts<T: Copy + Send + Sync>(values: &mut Vec<T>, parts: &[&[T]]) {
    let count = parts.iter().map(|part| part.len()).sum();
    values.reserve(count);
    let before = values.len();
    let mut room = &mut values.spare_capacity_mut()[..count];
    let mut places = Vec::with_capacity(parts.len());
    for part in parts {
        let (here, rest) = room.split_at_mut(part.len());
        places.push((here, *part));
        room = rest;
    }
    places.into_par_iter().for_each(|(places, part)| {
        places.iter_mut().zip(part).for_each(|(place, &value)| {
            place.write(value);
        });
    });
    // SAFETY: there is room for so many, and each place was written from its part.
    unsafe { values.set_len(before + count) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_appended_in_their_order_whatever_their_size() {
        let parts: [&[i32]; 4] = [&[1, 2], &[], &[3], &[4, 5, 6]];
        let mut values = vec![0];
        extend_from_parts(&mut values, &parts);
        assert_eq!(values, [0, 1, 2, 3, 4, 5, 6]);
        extend_from_parts(&mut values, &[]);
        assert_eq!(values.len(), 7);
    }

    #[test]
    fn blocks_are_appended_in_their_order_whatever_their_size() {
        for block in [0, 1, 3, 7, 100] {
            let mut values = vec![-1_i64];
            extend_in_blocks(&mut values, 20, block, |range, places| {
                places.push(range.start as i64);
                places.extend_from_slice(&range.map(|k| k as i64).skip(1).collect::<Vec<_>>());
            });
            assert_eq!(values, (-1..20).collect::<Vec<_>>(), "{block}");
        }
    }

    #[test]
    fn a_place_left_empty_or_one_too_many_is_no_value() {
        for pushed in [2, 4] {
            let mut values = vec![0_u8; 5];
            let filling = || extend_in_blocks(&mut values, 3, 3, |_, places| (0..pushed).for_each(|_| places.push(1)));
            assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(filling)).is_err());
            assert_eq!(values, [0; 5]);
        }
    }

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
