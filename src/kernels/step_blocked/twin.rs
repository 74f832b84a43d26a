//! Column lengths of [J | e], and its columns brought to unit length, in f64.

/// ‖column j‖ of rows of [J | e].
pub(crate) fn lengths(rows: &[Vec<f64>]) -> Vec<f64> {
    let columns = rows.first().map_or(0, Vec::len);
    (0..columns).map(|j| rows.iter().map(|row| row[j] * row[j]).sum::<f64>().sqrt()).collect()
}

/// [J D | e], D over the column lengths of J where `columns` are to be brought to unit length.
pub(crate) fn scaled(rows: &[Vec<f64>], columns: bool) -> Vec<Vec<f64>> {
    let lengths = lengths(rows);
    let by = |j: usize| if columns && j + 1 < lengths.len() && lengths[j] > 0.0 { lengths[j] } else { 1.0 };
    rows.iter().map(|row| row.iter().enumerate().map(|(j, x)| x / by(j)).collect()).collect()
}
