//! The order of columns, in f64.

/// The columns of a matrix by descending magnitude; among equals the earlier one comes first.
pub(crate) fn order(a: &[Vec<f64>]) -> Vec<usize> {
    let height = |j: usize| a.iter().fold(0.0f64, |most, row| most.max(row[j].abs()));
    let mut order: Vec<usize> = (0..a[0].len()).collect();
    order.sort_by(|&j, &k| height(k).total_cmp(&height(j)));
    order
}
