//! Results as tables, files and pictures.
//!
//! | form | function |
//! | --- | --- |
//! | Parquet, a row a problem | [`write_parquet`] |
//! | CSV, the same columns | [`write_csv`] |
//! | one JSON object a problem | [`write_jsonl`] |
//! | aligned text for people | [`write_table`] |
//! | data, fit and residual, row by row | [`write_curves`] |
//! | starts, as they are read | [`write_starts`] |
//! | counts and shares of a whole run | [`Summary`] |
//! | pictures of a sweep | [`write_plots`] |
//! | records of the way, a row each | [`write_history_parquet`], [`write_history_csv`], [`write_history_jsonl`] |
//! | a picture of them | [`write_history_plot`] |
//! | certificates of minimisers | [`write_stability_json`], [`write_stability_parquet`], [`write_stability_table`] |
//! | pictures of stability | [`write_stability_plots`] |
//!
//! Files are written under a temporary name and renamed when they are complete.

mod columns;
mod csv;
mod curves;
mod error;
#[cfg(test)]
mod example;
#[cfg(any(feature = "parquet", feature = "plot"))]
mod files;
mod history;
mod jsonl;
#[cfg(feature = "plot")]
mod map;
mod number;
#[cfg(feature = "parquet")]
mod parquet;
#[cfg(feature = "cli")]
pub(crate) mod parts;
#[cfg(feature = "plot")]
mod pen;
#[cfg(feature = "plot")]
mod plot;
#[cfg(feature = "cli")]
pub(crate) mod recut;
mod stability;
mod starts;
mod summary;
mod table;

pub use csv::write_csv;
pub use curves::{CurvePoint, curve, write_curves};
pub use error::ReportError;
#[cfg(any(feature = "parquet", feature = "plot"))]
pub(crate) use files::write_whole;
#[cfg(feature = "cli")]
pub(crate) use files::{is_temporary, temporary_name};
#[cfg(feature = "parquet")]
pub use history::write_history_parquet;
#[cfg(feature = "plot")]
pub use history::write_history_plot;
#[cfg(feature = "cli")]
pub(crate) use history::{HISTORY_PLOT, Lines, draw_history};
pub use history::{write_history_csv, write_history_jsonl};
pub use jsonl::write_jsonl;
#[cfg(feature = "cli")]
pub(crate) use number::count;
pub(crate) use number::significant;
#[cfg(feature = "parquet")]
pub use parquet::write_parquet;
#[cfg(feature = "cli")]
pub(crate) use plot::PLOTS;
#[cfg(feature = "plot")]
pub use plot::write_plots;
#[cfg(feature = "cli")]
pub(crate) use stability::STABILITY_PLOTS;
#[cfg(feature = "parquet")]
pub use stability::write_stability_parquet;
#[cfg(feature = "plot")]
pub use stability::write_stability_plots;
pub use stability::{write_stability_json, write_stability_table};
pub use starts::write_starts;
pub use summary::{BestProblem, RuleSummary, Summary};
#[cfg(feature = "cli")]
pub(crate) use table::TextTable;
pub use table::write_table;
