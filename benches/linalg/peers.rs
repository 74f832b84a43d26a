//! The peers on the CPU: all cores over the batch, every matrix on one thread, memory allocated outside the time.

use std::hint::black_box;

use faer::diag::DiagMut;
use faer::dyn_stack::{MemBuffer, MemStack, StackReq};
use faer::linalg::cholesky::llt;
use faer::linalg::svd::{ComputeSvdVectors, svd, svd_scratch};
use faer::{MatMut, MatRef, Par};
use nalgebra::{DMatrix, DVector, SMatrix, SVector};
use natgrad::linalg::LinalgError;
use rayon::prelude::*;

use super::contender::Contender;
use super::matrices::Matrices;
use super::task::Task;

/// f32 elements that one task of the pool works on, at least: enough that handing it out costs nothing beside it.
const PORTION: usize = 1 << 12;

/// Some matrices that one thread works through, and room for what is found.
struct Portion<'a> {
    rows: usize,
    columns: usize,
    matrices: &'a [f32],
    rights: &'a [f32],
    /// Singular values, or solutions.
    answers: Vec<f32>,
    /// Where the peer writes into memory that it is given: U, V and singular values, or a factor.
    room: [Vec<f32>; 3],
    scratch: MemBuffer,
}

/// A peer, and the batch cut into portions.
pub(crate) struct Peer<'a> {
    answers: usize,
    portions: Vec<Portion<'a>>,
    work: fn(&mut Portion<'_>),
}

impl Contender for Peer<'_> {
    fn run(&mut self) -> Result<(), LinalgError> {
        self.portions.par_iter_mut().for_each(self.work);
        Ok(())
    }

    fn answers(&self, count: usize) -> Result<Vec<f32>, LinalgError> {
        let all = self.portions.iter().flat_map(|portion| portion.answers.iter().copied());
        Ok(all.take(count * self.answers).collect())
    }
}

impl<'a> Peer<'a> {
    /// `room` in numbers a matrix, the last one portion's; `scratch` for one matrix.
    fn new(
        task: Task,
        matrices: &'a Matrices,
        count: usize,
        (room, scratch): ([usize; 3], StackReq),
        work: fn(&mut Portion<'_>),
    ) -> Self {
        let (rows, columns, size) = (matrices.rows, matrices.columns, matrices.size());
        let answers = task.answers(rows, columns);
        let each = PORTION.div_ceil(size);
        let of = |(part, rights): (&'a [f32], &'a [f32])| {
            let count = part.len() / size;
            Portion {
                rows,
                columns,
                matrices: part,
                rights,
                answers: vec![0.0; count * answers],
                room: [vec![0.0; count * room[0]], vec![0.0; count * room[1]], vec![0.0; room[2]]],
                scratch: MemBuffer::new(scratch),
            }
        };
        let (parts, rights) = (matrices.first(count).chunks(each * size), matrices.first_rights(count));
        Self { answers, portions: parts.zip(rights.chunks(each * rows)).map(of).collect(), work }
    }
}

/// faer by its low-level interface, which writes into memory that it is given.
pub(crate) fn faer(task: Task, matrices: &Matrices, count: usize) -> Peer<'_> {
    let (m, n) = (matrices.rows, matrices.columns);
    let rank = m.min(n);
    let of_svd = |wanted| svd_scratch::<f32>(m, n, wanted, wanted, Par::Seq, Default::default());
    let (thin, none) = (of_svd(ComputeSvdVectors::Thin), of_svd(ComputeSvdVectors::No));
    let vectors = [m * rank, n * rank];
    let (needs, work): (_, fn(&mut Portion<'_>)) = match task {
        Task::Svd => (([vectors[0], vectors[1], 0], thin), faer_svd::<true>),
        Task::SvdValues => (([0; 3], none), faer_svd::<false>),
        Task::PinvSolve => (([vectors[0], vectors[1], rank], thin), faer_pinv_solve),
        Task::CholeskySolve => {
            let factor = llt::factor::cholesky_in_place_scratch::<f32>(n, Par::Seq, Default::default());
            let solve = llt::solve::solve_in_place_scratch::<f32>(n, 1, Par::Seq);
            (([n * n, 0, 0], factor.or(solve)), faer_cholesky_solve)
        }
    };
    Peer::new(task, matrices, count, needs, work)
}

fn faer_svd<const VECTORS: bool>(portion: &mut Portion<'_>) {
    let (m, n, rank) = (portion.rows, portion.columns, portion.rows.min(portion.columns));
    let [all_u, all_v, _] = &mut portion.room;
    for (k, (a, sigma)) in portion.matrices.chunks_exact(m * n).zip(portion.answers.chunks_exact_mut(rank)).enumerate()
    {
        let u = VECTORS.then(|| MatMut::from_column_major_slice_mut(&mut all_u[k * m * rank..][..m * rank], m, rank));
        let v = VECTORS.then(|| MatMut::from_column_major_slice_mut(&mut all_v[k * n * rank..][..n * rank], n, rank));
        let (a, sigma) = (MatRef::from_column_major_slice(a, m, n), DiagMut::from_slice_mut(sigma));
        svd(a, sigma, u, v, Par::Seq, MemStack::new(&mut portion.scratch), Default::default()).expect("faer converges");
    }
}

fn faer_pinv_solve(portion: &mut Portion<'_>) {
    let (m, n, rank) = (portion.rows, portion.columns, portion.rows.min(portion.columns));
    let [all_u, all_v, sigma] = &mut portion.room;
    let matrices = portion.matrices.chunks_exact(m * n).zip(portion.rights.chunks_exact(m));
    for (k, ((a, b), x)) in matrices.zip(portion.answers.chunks_exact_mut(n)).enumerate() {
        let (u, v) = (&mut all_u[k * m * rank..][..m * rank], &mut all_v[k * n * rank..][..n * rank]);
        let (of_u, of_v) =
            (MatMut::from_column_major_slice_mut(u, m, rank), MatMut::from_column_major_slice_mut(v, n, rank));
        let (a, of_sigma) = (MatRef::from_column_major_slice(a, m, n), DiagMut::from_slice_mut(sigma));
        let stack = MemStack::new(&mut portion.scratch);
        svd(a, of_sigma, Some(of_u), Some(of_v), Par::Seq, stack, Default::default()).expect("faer converges");
        x.fill(0.0);
        let cutoff = m.max(n) as f32 * f32::EPSILON * sigma[0];
        for ((u, v), &sigma) in u.chunks_exact(m).zip(v.chunks_exact(n)).zip(&*sigma).filter(|(_, s)| **s > cutoff) {
            let along = u.iter().zip(b).map(|(u, b)| u * b).sum::<f32>() / sigma;
            x.iter_mut().zip(v).for_each(|(x, v)| *x += along * v);
        }
    }
}

fn faer_cholesky_solve(portion: &mut Portion<'_>) {
    let n = portion.columns;
    let matrices = portion.matrices.chunks_exact(n * n).zip(portion.rights.chunks_exact(n));
    let factors = portion.room[0].chunks_exact_mut(n * n);
    for (((a, b), l), x) in matrices.zip(factors).zip(portion.answers.chunks_exact_mut(n)) {
        l.copy_from_slice(a);
        x.copy_from_slice(b);
        let stack = MemStack::new(&mut portion.scratch);
        let mut l = MatMut::from_column_major_slice_mut(l, n, n);
        llt::factor::cholesky_in_place(l.as_mut(), Default::default(), Par::Seq, stack, Default::default())
            .expect("they are definite");
        let x = MatMut::from_column_major_slice_mut(x, n, 1);
        llt::solve::solve_in_place(l.as_ref(), x, Par::Seq, MemStack::new(&mut portion.scratch));
    }
}

/// What nalgebra does for a task with matrices and right-hand sides of some types, which it makes of slices. It returns
/// its own memory.
macro_rules! by_nalgebra {
    ($task:expr, |$m:ident, $n:ident| $matrix:expr, $right:expr) => {
        match $task {
            Task::Svd => |portion| {
                nalgebra_portion(portion, |[$m, $n], a, _, sigma| {
                    let found = $matrix(a).svd(true, true);
                    sigma.copy_from_slice(found.singular_values.as_slice());
                    black_box(&found);
                })
            },
            Task::SvdValues => |portion| {
                nalgebra_portion(portion, |[$m, $n], a, _, sigma| {
                    sigma.copy_from_slice($matrix(a).svd(false, false).singular_values.as_slice());
                })
            },
            Task::PinvSolve => |portion| {
                nalgebra_portion(portion, |[$m, $n], a, b, x| {
                    let found = $matrix(a).svd(true, true);
                    let cutoff = $m.max($n) as f32 * f32::EPSILON * found.singular_values[0];
                    x.copy_from_slice(found.solve(&$right(b), cutoff).expect("it has its vectors").as_slice());
                })
            },
            Task::CholeskySolve => |portion| {
                nalgebra_portion(portion, |[$m, $n], a, b, x| {
                    let found = $matrix(a).cholesky().expect("they are definite");
                    x.copy_from_slice(found.solve(&$right(b)).as_slice());
                })
            },
        }
    };
}

/// nalgebra: matrices of static size where they are small and square, of dynamic size elsewhere.
pub(crate) fn nalgebra(task: Task, matrices: &Matrices, count: usize) -> Peer<'_> {
    macro_rules! of_static_size {
        ($size:literal) => {
            by_nalgebra!(
                task,
                |_m, _n| SMatrix::<f32, $size, $size>::from_column_slice,
                SVector::<f32, $size>::from_column_slice
            )
        };
    }
    let work: fn(&mut Portion<'_>) = match (matrices.rows, matrices.columns) {
        (3, 3) => of_static_size!(3),
        (4, 4) => of_static_size!(4),
        (8, 8) => of_static_size!(8),
        (16, 16) => of_static_size!(16),
        _ => by_nalgebra!(task, |m, n| |a| DMatrix::from_column_slice(m, n, a), DVector::from_column_slice),
    };
    Peer::new(task, matrices, count, ([0; 3], StackReq::EMPTY), work)
}

/// One matrix after another: its size, itself, its right-hand side and what is found.
fn nalgebra_portion(portion: &mut Portion<'_>, one: impl Fn([usize; 2], &[f32], &[f32], &mut [f32])) {
    let (m, n) = (portion.rows, portion.columns);
    let (matrices, rights) = (portion.matrices.chunks_exact(m * n), portion.rights.chunks_exact(m));
    let answers = portion.answers.len() / matrices.len();
    for ((a, b), found) in matrices.zip(rights).zip(portion.answers.chunks_exact_mut(answers)) {
        one([m, n], a, b, found);
    }
}
