//! Certificates as JSON, Parquet, text and pictures.

#[cfg(feature = "plot")]
mod canvas;
#[cfg(feature = "plot")]
mod contraction;
#[cfg(feature = "parquet")]
mod parquet;
#[cfg(feature = "plot")]
mod pictures;
mod table;

use std::io::{self, Write};

use crate::stability::Stability;

#[cfg(feature = "parquet")]
pub use parquet::write_stability_parquet;
#[cfg(feature = "cli")]
pub(crate) use pictures::STABILITY_PLOTS;
#[cfg(feature = "plot")]
pub use pictures::write_stability_plots;
pub use table::write_stability_table;

/// Writes certificates as one JSON object: the counts and spreads, and under `certificates` one object a line for each
/// minimiser. What is not finite is null.
///
/// # Errors
/// What the writer answers.
pub fn write_stability_json(found: &Stability, mut writer: impl Write) -> io::Result<()> {
    let Stability { minimisers, excluded, verdicts, gn_sharpness, hessian_sharpness, gd_critical_step, .. } = found;
    let head = serde_json::json!({
        "minimisers": minimisers,
        "excluded": excluded,
        "verdicts": verdicts,
        "notices": found.notices,
        "gn_sharpness": gn_sharpness,
        "hessian_sharpness": hessian_sharpness,
        "gd_critical_step": gd_critical_step,
        "critical_steps": found.critical_steps,
    });
    writeln!(writer, "{{")?;
    for (key, value) in head.as_object().into_iter().flatten() {
        writeln!(writer, "{}: {value},", serde_json::Value::from(key.as_str()))?;
    }
    write!(writer, "\"certificates\": [")?;
    for (k, certificate) in found.certificates.iter().enumerate() {
        let comma = if k == 0 { "" } else { "," };
        write!(writer, "{comma}\n{}", serde_json::to_string(certificate)?)?;
    }
    writeln!(writer, "\n]}}")
}
