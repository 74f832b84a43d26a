//! Unit vectors orthogonal to given ones, in f64.

/// `columns` with those that are zero replaced, one after another, by the unit vector of the part of a coordinate vector
/// that is orthogonal to the columns before: of the coordinate in which these have the least length.
pub(crate) fn complete(columns: &mut [Vec<f64>]) {
    let rows = columns[0].len();
    for k in 0..columns.len() {
        let (before, rest) = columns.split_at_mut(k);
        let column = &mut rest[0];
        if column.iter().any(|&x| x != 0.0) {
            continue;
        }
        let length = |i: usize| before.iter().map(|other| other[i] * other[i]).sum::<f64>();
        let row = (0..rows).min_by(|&i, &j| length(i).total_cmp(&length(j))).unwrap();
        column[row] = 1.0;
        for _ in 0..2 {
            for other in before.iter() {
                let dot: f64 = other.iter().zip(column.iter()).map(|(x, y)| x * y).sum();
                column.iter_mut().zip(other).for_each(|(x, y)| *x -= dot * y);
            }
        }
        let length = column.iter().map(|x| x * x).sum::<f64>().sqrt();
        column.iter_mut().for_each(|x| *x /= length);
    }
}
