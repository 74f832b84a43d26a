//! What a chunk of problems came to, each made when it is looked at: what a device leaves is a few megabytes, and made of it all
//! at once it would be dozens, in pieces that one core asks for and another gives back.

use std::borrow::Cow;

use rayon::prelude::*;

use crate::sweep::{Job, ProblemId};

use super::Solved;
use super::cpu::Workspace;
use super::gpu::Left;

/// What a backend found, problem by problem.
pub(crate) enum Solutions {
    /// All of it.
    Made(Vec<Solved>),
    /// What a device left.
    Left(Box<Left>),
}

impl Solutions {
    /// Number of problems.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Made(all) => all.len(),
            Self::Left(left) => left.len(),
        }
    }

    /// What problem b of the chunk came to, which is problem `id` of the job.
    pub(crate) fn solved(&self, b: usize, (job, id): (&Job, ProblemId), workspace: &mut Workspace) -> Cow<'_, Solved> {
        match self {
            Self::Made(all) => Cow::Borrowed(&all[b]),
            Self::Left(left) => left.solved(b, (job, id), workspace),
        }
    }

    /// What all of them came to: the problems `ids` of the job.
    pub(crate) fn all(self, job: &Job, ids: &[ProblemId]) -> Vec<Solved> {
        if let Self::Made(all) = self {
            return all;
        }
        let of = |workspace: &mut Workspace, (b, &id): (usize, &ProblemId)| {
            self.solved(b, (job, id), workspace).into_owned()
        };
        ids[..self.len()].par_iter().enumerate().map_init(Workspace::new, of).collect()
    }
}
