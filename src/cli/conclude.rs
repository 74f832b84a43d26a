//! What is made of results when they are there: the summary and the pictures.

use super::failure::Failure;
use super::folder::Folder;
use crate::report::{self, Summary};
use crate::sweep::{History, StepRule};

/// Writes the summary of the results of a model with so many parameters.
pub(super) fn summary(folder: &Folder, parameters: usize) -> Result<Summary, Failure> {
    let summary = report::parts::summarize(&folder.results(), parameters)?;
    folder.write_summary(&summary)?;
    Ok(summary)
}

/// Writes all that a whole sweep by these rules has beside its results.
pub(super) fn whole(
    folder: &Folder,
    parameters: usize,
    rules: &[StepRule],
    history: History,
) -> Result<Summary, Failure> {
    let summary = summary(folder, parameters)?;
    report::write_plots(&summary, folder.path())?;
    if history.is_kept() {
        let lines = report::Lines::of_file(&folder.history_as("parquet"), rules, history.hessian_sharpness)?;
        report::draw_history(&lines, folder.path())?;
    }
    Ok(summary)
}
