use std::io::{self, Write};

use super::csv::{shortest, write_with};
use crate::sweep::Job;

/// Writes the starts of a job as CSV, a row a start and a column a parameter, in the form in which they are read: where the
/// starts of data sets differ, with the group columns before. Numbers read back as the same bits.
///
/// # Errors
/// What the writer answers.
pub fn write_starts(job: &Job, writer: impl Write) -> io::Result<()> {
    let keys = if job.starts_are_shared() { &[][..] } else { job.keys() };
    let wanted = if job.starts_are_shared() { 1 } else { job.sets() };
    write_with(writer, |csv| {
        keys.iter().try_for_each(|key| csv.write_field(&key.name))?;
        csv.write_record(job.model().parameters())?;
        for window in job.windows() {
            let (job, sets) = window.map_err(io::Error::other)?;
            if sets.start >= wanted {
                break;
            }
            for set in sets.start..sets.end.min(wanted) {
                for theta in job.starts_of(set) {
                    keys.iter().try_for_each(|key| csv.write_field(key.get(set).to_string()))?;
                    csv.write_record(theta.iter().map(|&value| shortest(value)))?;
                }
            }
        }
        Ok(())
    })
}
