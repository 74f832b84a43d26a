//! What responses and sigmas have to be once they are computed.

use std::ops::Range;

use super::bind::{Source, Values, Wanted};
use super::error::{DataError, one_line};
use super::layout::Rows;
use super::{Data, Missing};

impl Data {
    /// Refuses a sigma that is not positive; tells the rows to keep where some response or sigma is not finite.
    /// `rows` are those of the table, `range` the ones that have values.
    pub(super) fn check_values(
        &self,
        wanted: &Wanted,
        values: &Values,
        rows: &Rows,
        range: Range<usize>,
    ) -> Result<Option<Vec<usize>>, DataError> {
        let sigma_text = || one_line(self.reading.sigma.as_deref().unwrap_or_default());
        let first = |is_bad: &dyn Fn(usize) -> bool| {
            let bad = range.clone().filter(|&k| is_bad(k));
            bad.min_by_key(|&k| rows.get(k))
        };
        if let Some(sigma) = &values.sigma
            && sigma.constant().is_none_or(|value| value <= 0.0)
            && let Some(k) = first(&|k| sigma.get(k) <= 0.0)
        {
            return Err(DataError::SigmaNotPositive {
                place: self.table.place(rows.get(k)),
                expression: sigma_text(),
                value: sigma.get(k),
            });
        }
        // Columns themselves have been looked at.
        let is_column = |source: &Source| matches!(source, Source::Column(_));
        let computed = values.responses.iter().zip(&wanted.responses).filter(|(_, source)| !is_column(source));
        let computed = computed.map(|(response, _)| response).chain(&values.sigma);
        if { computed }.all(|values| values.first_not_finite().is_none()) {
            return Ok(None);
        }
        let sigma_is_finite = |k: usize| values.sigma.as_ref().is_none_or(|sigma| sigma.get(k).is_finite());
        let responses_are_finite = |k: usize| values.responses.iter().all(|response| response.get(k).is_finite());
        let is_finite = |k: usize| responses_are_finite(k) && sigma_is_finite(k);
        let Some(bad) = first(&|k| !is_finite(k)) else {
            return Ok(None);
        };
        if self.reading.missing == Missing::Drop {
            let kept: Vec<usize> = range.filter(|&k| is_finite(k)).collect();
            return if kept.is_empty() { Err(self.no_rows_left()) } else { Ok(Some(kept)) };
        }
        let place = self.table.place(rows.get(bad));
        Err(match &values.sigma {
            Some(sigma) if responses_are_finite(bad) => {
                DataError::NotFinite { place, role: "sigma", expression: sigma_text(), value: sigma.get(bad) }
            }
            _ => {
                let which = values.responses.iter().position(|response| !response.get(bad).is_finite()).unwrap_or(0);
                let (expression, value) = (one_line(&self.response_texts()[which]), values.responses[which].get(bad));
                DataError::NotFinite { place, role: "response", expression, value }
            }
        })
    }
}
