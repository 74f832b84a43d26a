use std::path::Path;
use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::errors::ParquetError;
use arrow_array::builder::{Float64Builder, ListBuilder};
use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, UInt32Array, UInt64Array};
use arrow_schema::{DataType, Field, Schema};

use crate::report::parquet::{properties, write_error};
use crate::report::{ReportError, write_whole};
use crate::stability::{Certificate, FilterStability, Stability};

/// Writes certificates as a Parquet file, flat: a row for each minimiser, filter and step size. Columns are `problem`, `set`,
/// `parameters` (a list), `residual_norm`, `relative_residual`, `gradient_norm`, `rank`, `exact_rank`, `singular_values` (a
/// list), `cutoff`, `gap`, `condition`, `verdict`, `reason`, `detail`, `row_space_error`, `row_space_angle`,
/// `gn_sharpness`, `hessian_sharpness`, `gd_critical_step`, `update_map_departure`, `filter`, `step_size`, `predicted`,
/// `spectrum`, `measured` (lists), `measured_kernel`, `worst_difference`, `critical_step`, `critical_low`, `critical_high`
/// and `predicted_critical_step`. What is not finite is null. Equal certificates give equal bytes.
///
/// # Errors
/// The file cannot be written; what was there before then still is.
pub fn write_stability_parquet(found: &Stability, path: &Path) -> Result<(), ReportError> {
    write_whole(path, |writer| {
        let failed = |error| write_error(path, error);
        let batch = record_batch(found).map_err(failed)?;
        let mut parquet = ArrowWriter::try_new(writer, batch.schema(), Some(properties())).map_err(failed)?;
        parquet.write(&batch).map_err(failed)?;
        parquet.close().map_err(failed)?;
        Ok(())
    })
}

fn record_batch(found: &Stability) -> Result<RecordBatch, ParquetError> {
    let rows: Vec<(&Certificate, &FilterStability)> =
        found.certificates.iter().flat_map(|c| c.filters.iter().map(move |f| (c, f))).collect();
    type Row<'a> = (&'a Certificate, &'a FilterStability);
    let number = |of: &dyn Fn(&Row<'_>) -> f64| -> ArrayRef {
        Arc::new(Float64Array::from_iter(rows.iter().map(|row| Some(of(row)).filter(|value| value.is_finite()))))
    };
    let count = |of: &dyn Fn(&Row<'_>) -> usize| -> ArrayRef {
        Arc::new(UInt32Array::from_iter_values(rows.iter().map(|row| of(row) as u32)))
    };
    let text =
        |of: &dyn Fn(&Row<'_>) -> Option<String>| -> ArrayRef { Arc::new(StringArray::from_iter(rows.iter().map(of))) };
    let list = |of: &dyn Fn(&Row<'_>) -> Vec<f64>| -> ArrayRef {
        let mut lists = ListBuilder::new(Float64Builder::new());
        for row in &rows {
            lists.append_value(of(row).into_iter().map(|value| Some(value).filter(|value| value.is_finite())));
        }
        Arc::new(lists.finish())
    };
    let problems: ArrayRef = Arc::new(UInt64Array::from_iter_values(rows.iter().map(|(c, _)| c.problem)));
    let end = |f: &FilterStability, k: usize| f.critical_bracket.get(k).copied().unwrap_or(f64::NAN);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("problem", problems),
        ("set", count(&|(c, _)| c.set)),
        ("parameters", list(&|(c, _)| c.parameters.clone())),
        ("residual_norm", number(&|(c, _)| c.residual_norm)),
        ("relative_residual", number(&|(c, _)| c.relative_residual)),
        ("gradient_norm", number(&|(c, _)| c.gradient_norm)),
        ("rank", count(&|(c, _)| c.rank)),
        ("exact_rank", count(&|(c, _)| c.exact_rank)),
        ("singular_values", list(&|(c, _)| c.singular_values.clone())),
        ("cutoff", number(&|(c, _)| c.cutoff)),
        ("gap", number(&|(c, _)| c.gap)),
        ("condition", number(&|(c, _)| c.condition)),
        ("verdict", text(&|(c, _)| Some(c.verdict.name().to_owned()))),
        ("reason", text(&|(c, _)| c.reason.map(|reason| reason.name().to_owned()))),
        ("detail", text(&|(c, _)| Some(c.detail.clone()))),
        ("row_space_error", number(&|(c, _)| c.row_space_error)),
        ("row_space_angle", number(&|(c, _)| c.checks.angle)),
        ("gn_sharpness", number(&|(c, _)| c.gn_sharpness)),
        ("hessian_sharpness", number(&|(c, _)| c.hessian_sharpness)),
        ("gd_critical_step", number(&|(c, _)| c.gd_critical_step)),
        ("update_map_departure", number(&|(c, _)| c.update_map_departure)),
        ("filter", text(&|(_, f)| Some(f.filter.clone()))),
        ("step_size", number(&|(_, f)| f.step_size)),
        ("predicted", list(&|(_, f)| f.predicted.clone())),
        ("spectrum", list(&|(_, f)| f.spectrum.clone())),
        ("measured", list(&|(_, f)| f.measured.clone())),
        ("measured_kernel", count(&|(_, f)| f.measured_kernel)),
        ("worst_difference", number(&|(_, f)| f.worst_difference)),
        ("critical_step", number(&|(_, f)| f.critical_step)),
        ("critical_low", number(&|(_, f)| end(f, 0))),
        ("critical_high", number(&|(_, f)| end(f, 1))),
        ("predicted_critical_step", number(&|(_, f)| f.predicted_critical_step)),
    ];
    let field = |(name, array): &(&str, ArrayRef)| {
        let counted = matches!(array.data_type(), DataType::UInt32 | DataType::UInt64);
        Field::new(*name, array.data_type().clone(), !counted)
    };
    let schema = Schema::new(columns.iter().map(field).collect::<Vec<_>>());
    Ok(RecordBatch::try_new(Arc::new(schema), columns.into_iter().map(|(_, array)| array).collect())?)
}
