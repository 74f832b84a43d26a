//! The crate fast-svd-3x3 by its AVX path: eight 3×3 matrices at a time, interleaved as it wants them.
//!
//! Its functions are all inlined, so that they are compiled for AVX2 here, where the caller is, and need no flags for
//! the whole build.

use std::arch::x86_64::{__m256, _mm256_loadu_ps, _mm256_setzero_ps, _mm256_storeu_ps};

use fast_svd_3x3::svd;
use natgrad::linalg::LinalgError;
use rayon::prelude::*;

use super::contender::Contender;
use super::matrices::Matrices;
use super::task::Task;

const LANES: usize = 8;
/// Tiles of eight that one task of the pool works on.
const PORTION: usize = 64;

/// Element (i, j) of matrix `lane` of a tile is `[3·j + i][lane]`.
type Tile = [[f32; LANES]; 9];

/// What is found of a tile.
#[derive(Clone)]
struct Found {
    u: Tile,
    sigma: [[f32; LANES]; 3],
    v: Tile,
}

pub(crate) struct FastSvd {
    tiles: Vec<Tile>,
    found: Vec<Found>,
    vectors: bool,
}

impl FastSvd {
    /// `None` for anything but SVDs of 3×3 matrices, and without AVX2.
    pub(crate) fn new(task: Task, matrices: &Matrices, count: usize) -> Option<Self> {
        let vectors = match task {
            Task::Svd => true,
            Task::SvdValues => false,
            _ => return None,
        };
        if (matrices.rows, matrices.columns) != (3, 3) || !is_x86_feature_detected!("avx2") {
            return None;
        }
        let mut tiles = vec![[[0.0; LANES]; 9]; count.div_ceil(LANES)];
        for (b, matrix) in matrices.first(count).chunks_exact(9).enumerate() {
            for (k, &entry) in matrix.iter().enumerate() {
                tiles[b / LANES][k][b % LANES] = entry;
            }
        }
        let empty = Found { u: [[0.0; LANES]; 9], sigma: [[0.0; LANES]; 3], v: [[0.0; LANES]; 9] };
        Some(Self { found: vec![empty; tiles.len()], tiles, vectors })
    }
}

impl Contender for FastSvd {
    fn run(&mut self) -> Result<(), LinalgError> {
        let work = if self.vectors { portion::<true> } else { portion::<false> };
        self.tiles.par_chunks(PORTION).zip(self.found.par_chunks_mut(PORTION)).for_each(|(tiles, found)| {
            // SAFETY: `new` has found AVX2.
            unsafe { work(tiles, found) }
        });
        Ok(())
    }

    /// Without the sign that it gives to the last.
    fn answers(&self, count: usize) -> Result<Vec<f32>, LinalgError> {
        let lane = |found: &Found, lane: usize| found.sigma.map(|sigma| sigma[lane].abs());
        let each = self.found.iter().flat_map(|found| (0..LANES).flat_map(move |at| lane(found, at)));
        Ok(each.take(3 * count).collect())
    }
}

#[target_feature(enable = "avx2")]
fn load(values: &[f32; LANES]) -> __m256 {
    // SAFETY: eight values are there.
    unsafe { _mm256_loadu_ps(values.as_ptr()) }
}

#[target_feature(enable = "avx2")]
fn store(into: &mut [f32; LANES], values: __m256) {
    // SAFETY: there is room for eight.
    unsafe { _mm256_storeu_ps(into.as_mut_ptr(), values) }
}

#[target_feature(enable = "avx2")]
fn portion<const VECTORS: bool>(tiles: &[Tile], found: &mut [Found]) {
    for (tile, found) in tiles.iter().zip(found) {
        let zero = _mm256_setzero_ps();
        let [mut a11, mut a21, mut a31] = [load(&tile[0]), load(&tile[1]), load(&tile[2])];
        let [mut a12, mut a22, mut a32] = [load(&tile[3]), load(&tile[4]), load(&tile[5])];
        let [mut a13, mut a23, mut a33] = [load(&tile[6]), load(&tile[7]), load(&tile[8])];
        let [mut u11, mut u21, mut u31, mut u12, mut u22, mut u32, mut u13, mut u23, mut u33] = [zero; 9];
        let [mut v11, mut v21, mut v31, mut v12, mut v22, mut v32, mut v13, mut v23, mut v33] = [zero; 9];
        let [mut us, mut ux, mut uy, mut uz, mut vs, mut vx, mut vy, mut vz] = [zero; 8];
        #[rustfmt::skip]
        svd(
            VECTORS, VECTORS, false, false, false, false,
            &mut a11, &mut a12, &mut a13, &mut a21, &mut a22, &mut a23, &mut a31, &mut a32, &mut a33,
            &mut u11, &mut u12, &mut u13, &mut u21, &mut u22, &mut u23, &mut u31, &mut u32, &mut u33,
            &mut v11, &mut v12, &mut v13, &mut v21, &mut v22, &mut v23, &mut v31, &mut v32, &mut v33,
            &mut us, &mut ux, &mut uy, &mut uz, &mut vs, &mut vx, &mut vy, &mut vz,
        );
        for (into, sigma) in found.sigma.iter_mut().zip([a11, a22, a33]) {
            store(into, sigma);
        }
        if VECTORS {
            for (into, u) in found.u.iter_mut().zip([u11, u21, u31, u12, u22, u32, u13, u23, u33]) {
                store(into, u);
            }
            for (into, v) in found.v.iter_mut().zip([v11, v21, v31, v12, v22, v32, v13, v23, v33]) {
                store(into, v);
            }
        }
    }
}
