//! What a device leaves of a chunk: most of it where it put it, and the problems that were done over again.

use std::borrow::Cow;

use crate::backend::cpu::Workspace;
use crate::backend::{Solved, second_look};
use crate::sweep::{Job, ProblemId};

use super::found::Found;

/// What became of the problems of a chunk.
pub(crate) struct Left {
    found: Found,
    /// The problems that were done over again, by ascending place in the chunk.
    again: Vec<(usize, Solved)>,
}

impl Left {
    /// Of a chunk of which nothing was done over again.
    pub(super) fn all_of(found: Found) -> Self {
        Self { found, again: Vec::new() }
    }

    /// `again`: the problems that were done over again, by ascending place in the chunk.
    pub(super) fn new(found: Found, again: Vec<(usize, Solved)>) -> Self {
        Self { found, again }
    }

    /// Number of problems.
    pub(crate) fn len(&self) -> usize {
        self.found.states.len()
    }

    /// What problem b of the chunk came to, which is problem `id` of the job.
    pub(crate) fn solved(&self, b: usize, (job, id): (&Job, ProblemId), workspace: &mut Workspace) -> Cow<'_, Solved> {
        if let Ok(place) = self.again.binary_search_by_key(&b, |(place, _)| *place) {
            return Cow::Borrowed(&self.again[place].1);
        }
        let mut solved = self.found.problem(b, job, id);
        second_look(job, id, &mut solved, workspace);
        Cow::Owned(solved)
    }
}
