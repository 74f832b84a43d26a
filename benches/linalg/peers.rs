//! The peers on the CPU: all cores over the batch, every matrix on one thread, memory allocated outside the time.

use std::hint::black_box;

use faer::diag::DiagMut;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::svd::{ComputeSvdVectors, svd, svd_scratch};
use faer::{MatMut, MatRef, Par};
use nalgebra::{DMatrix, SMatrix};
use natgrad::linalg::LinalgError;
use rayon::prelude::*;

use super::contender::Contender;
use super::matrices::Matrices;

/// f32 elements that one task of the pool works on, at least: enough that handing it out costs nothing beside it.
const TASK: usize = 1 << 12;

/// Some matrices that one thread works through, and room for what is found.
struct Task<'a> {
    rows: usize,
    columns: usize,
    matrices: &'a [f32],
    sigma: Vec<f32>,
    /// U and V, where wanted and where the peer writes into memory that it is given.
    vectors: Option<(Vec<f32>, Vec<f32>)>,
    scratch: MemBuffer,
}

/// A peer, and the batch cut into tasks.
pub(crate) struct Peer<'a> {
    rank: usize,
    tasks: Vec<Task<'a>>,
    work: Box<dyn Fn(&mut Task<'_>) + Sync>,
}

impl Contender for Peer<'_> {
    fn run(&mut self) -> Result<(), LinalgError> {
        self.tasks.par_iter_mut().for_each(&self.work);
        Ok(())
    }

    fn sigma(&self, count: usize) -> Result<Vec<f32>, LinalgError> {
        Ok(self.tasks.iter().flat_map(|task| task.sigma.iter().copied()).take(count * self.rank).collect())
    }
}

fn tasks(matrices: &Matrices, count: usize, vectors: bool, scratch: impl Fn() -> MemBuffer) -> Vec<Task<'_>> {
    let (rows, columns, rank, size) = (matrices.rows, matrices.columns, matrices.rank(), matrices.size());
    let of = |part| {
        let count = <[f32]>::len(part) / size;
        let vectors = vectors.then(|| (vec![0.0; count * rows * rank], vec![0.0; count * columns * rank]));
        Task { rows, columns, matrices: part, sigma: vec![0.0; count * rank], vectors, scratch: scratch() }
    };
    matrices.first(count).chunks(TASK.div_ceil(size) * size).map(of).collect()
}

/// faer by its low-level interface, which writes into memory that it is given.
pub(crate) fn faer(matrices: &Matrices, count: usize, vectors: bool) -> Peer<'_> {
    let wanted = if vectors { ComputeSvdVectors::Thin } else { ComputeSvdVectors::No };
    let scratch = || {
        let (rows, columns) = (matrices.rows, matrices.columns);
        MemBuffer::new(svd_scratch::<f32>(rows, columns, wanted, wanted, Par::Seq, Default::default()))
    };
    Peer { rank: matrices.rank(), tasks: tasks(matrices, count, vectors, scratch), work: Box::new(faer_task) }
}

fn faer_task(task: &mut Task<'_>) {
    let (m, n, rank) = (task.rows, task.columns, task.rows.min(task.columns));
    for (k, (a, sigma)) in task.matrices.chunks_exact(m * n).zip(task.sigma.chunks_exact_mut(rank)).enumerate() {
        let (u, v) = match &mut task.vectors {
            None => (None, None),
            Some((u, v)) => (
                Some(MatMut::from_column_major_slice_mut(&mut u[k * m * rank..][..m * rank], m, rank)),
                Some(MatMut::from_column_major_slice_mut(&mut v[k * n * rank..][..n * rank], n, rank)),
            ),
        };
        let (a, sigma) = (MatRef::from_column_major_slice(a, m, n), DiagMut::from_slice_mut(sigma));
        svd(a, sigma, u, v, Par::Seq, MemStack::new(&mut task.scratch), Default::default()).expect("faer converges");
    }
}

/// nalgebra: matrices of static size where they are small and square, of dynamic size elsewhere.
pub(crate) fn nalgebra(matrices: &Matrices, count: usize, vectors: bool) -> Peer<'_> {
    macro_rules! of_static_size {
        ($n:literal) => {
            |task, vectors| {
                nalgebra_task(task, |a, sigma| {
                    let found = SMatrix::<f32, $n, $n>::from_column_slice(a).svd(vectors, vectors);
                    sigma.copy_from_slice(found.singular_values.as_slice());
                    black_box(&found);
                })
            }
        };
    }
    let work: fn(&mut Task<'_>, bool) = match (matrices.rows, matrices.columns) {
        (3, 3) => of_static_size!(3),
        (4, 4) => of_static_size!(4),
        (8, 8) => of_static_size!(8),
        (16, 16) => of_static_size!(16),
        _ => |task, vectors| {
            let (rows, columns) = (task.rows, task.columns);
            nalgebra_task(task, |a, sigma| {
                let found = DMatrix::from_column_slice(rows, columns, a).svd(vectors, vectors);
                sigma.copy_from_slice(found.singular_values.as_slice());
                black_box(&found);
            });
        },
    };
    Peer {
        rank: matrices.rank(),
        // It returns its own memory.
        tasks: tasks(matrices, count, false, || MemBuffer::new(faer::dyn_stack::StackReq::EMPTY)),
        work: Box::new(move |task| work(task, vectors)),
    }
}

fn nalgebra_task(task: &mut Task<'_>, one: impl Fn(&[f32], &mut [f32])) {
    let rank = task.rows.min(task.columns);
    let matrices = task.matrices.chunks_exact(task.rows * task.columns);
    for (a, sigma) in matrices.zip(task.sigma.chunks_exact_mut(rank)) {
        one(a, sigma);
    }
}
