//! Where a matrix element of a batch lies in memory; `shaders/shared/layout.wgsl` says the same.

/// Problems a tile of memory and an invocation group, in every kernel of the lane mapping.
pub const LANES: usize = 64;

/// Index of element (i, j) of problem b in a batch of column-major rows × columns matrices, interleaved in tiles of
/// `lanes` problems: `(b / lanes)·rows·columns·lanes + (j·rows + i)·lanes + b mod lanes`.
#[must_use]
pub fn element(b: usize, i: usize, j: usize, rows: usize, columns: usize, lanes: usize) -> usize {
    (b / lanes) * rows * columns * lanes + (j * rows + i) * lanes + b % lanes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_of_a_batch_has_a_place_of_its_own() {
        for lanes in [1, 4, 64] {
            let (batch, rows, columns) = (2 * lanes, 3, 5);
            let mut seen = vec![false; batch * rows * columns];
            for b in 0..batch {
                for i in 0..rows {
                    for j in 0..columns {
                        let at = element(b, i, j, rows, columns, lanes);
                        assert!(!std::mem::replace(&mut seen[at], true), "({b}, {i}, {j}) lies where another does");
                    }
                }
            }
        }
    }

    #[test]
    fn one_lane_is_the_ordinary_column_major_layout() {
        assert_eq!(element(2, 1, 3, 4, 5, 1), 2 * 20 + 3 * 4 + 1);
    }
}
