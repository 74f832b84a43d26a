//! A known answer of the kernels themselves: QR and SVD of a few small matrices whose singular values are given.

use crate::gpu::layout::{LANES, element};
use crate::gpu::selftest::Check;
use crate::gpu::{Device, DeviceError};
use crate::ngd::{Precision, Stop};

use super::problem::{Block, Problem, Rules, State};
use super::{qr, svd};

const P: usize = 3;

/// Problems: one tile full and a part of the next.
const BATCH: usize = LANES + 8;

/// Error allowed in σ, relative to σ₁, in unit roundoffs. Each entry is rounded once and takes part in fewer than 16
/// rotations of the QR and 3 of each of some 6 sweeps, each with an error of a few units: about 50 of them add up at
/// random to less than this, and a kernel at fault is off by 10⁴ times as much.
const TOLERANCE: f64 = 64.0;

/// A matrix A = UΣVᵀ and a right-hand side Ax.
struct Known {
    rows: usize,
    sigma: [f64; P],
    /// Column by column, `rows` × (P+1), the right-hand side last.
    entries: Vec<f64>,
    /// The least-norm solution of Az = Ax.
    solution: [f64; P],
}

/// The column of the reflection I − 2uuᵀ/uᵀu, an orthogonal matrix whose entries are known.
fn reflection(u: &[f64], i: usize, j: usize) -> f64 {
    let square: f64 = u.iter().map(|x| x * x).sum();
    f64::from(u8::from(i == j)) - 2.0 * u[i] * u[j] / square
}

impl Known {
    fn new(rows: usize, sigma: [f64; P]) -> Self {
        let left: Vec<f64> = (0..rows).map(|i| [1.0, -2.0, 3.0, 1.0, 2.0][i % 5] + (i / 5) as f64).collect();
        let right = [2.0, 1.0, -1.0];
        let x = [1.0, -1.0, 2.0];
        let spanned = P.min(rows);
        let mut entries = vec![0.0; rows * (P + 1)];
        for i in 0..rows {
            for j in 0..P {
                let entry: f64 =
                    (0..spanned).map(|k| reflection(&left, i, k) * sigma[k] * reflection(&right, j, k)).sum();
                entries[j * rows + i] = entry;
                entries[P * rows + i] += entry * x[j];
            }
        }
        // The part of x in the row space.
        let mut solution = [0.0; P];
        for k in (0..spanned).filter(|&k| sigma[k] > 0.0) {
            let along: f64 = (0..P).map(|j| reflection(&right, j, k) * x[j]).sum();
            for j in 0..P {
                solution[j] += along * reflection(&right, j, k);
            }
        }
        Self { rows, sigma, entries, solution }
    }
}

fn known() -> [Known; 4] {
    [
        Known::new(3, [8.0, 4.0, 0.5]),
        Known::new(12, [100.0, 1.0, 1.0]),
        Known::new(12, [3.0, 1.0, 0.0]),
        Known::new(2, [5.0, 2.0, 0.0]),
    ]
}

/// Tall, square, wide and rank-deficient matrices, in every place of a tile: singular values and least-norm solutions,
/// and the same bits wherever a matrix stands. Of three columns, since every opening of a device waits for the kernels to be
/// compiled.
///
/// # Errors
/// If the device is lost or out of memory.
pub(crate) fn small_svd(device: &Device) -> Result<Check, DeviceError> {
    Check::run("small SVD", true, || {
        let known = known();
        let found = run(device, &known)?;
        Ok(judge(&known, &found))
    })
}

/// V with β in its last row, and σ, still interleaved.
struct Found {
    v: Vec<f32>,
    sigma: Vec<f32>,
    states: Vec<State>,
}

fn run(device: &Device, known: &[Known]) -> Result<Found, DeviceError> {
    let most = known.iter().map(|matrix| matrix.rows).max().unwrap_or(0);
    let capacity = BATCH.next_multiple_of(LANES);
    let mut block = vec![0.0f32; capacity * most * (P + 1)];
    let mut problems = Vec::with_capacity(BATCH);
    for b in 0..BATCH {
        let matrix = &known[b % known.len()];
        problems.push(Problem { rows: matrix.rows as u32, fixed_rank: u32::MAX, ..Problem::default() });
        for j in 0..=P {
            for i in 0..matrix.rows {
                block[element(b, i, j, most, P + 1, LANES)] = matrix.entries[j * matrix.rows + i] as f32;
            }
        }
    }
    let rules = device.uniform(&Rules::new(BATCH as u32, P, &Stop::default()))?;
    let span = device.uniform(&Block::alone(0, most, false))?;
    let problems = device.buffer_from("problems", &problems)?;
    let states = device.buffer_from("states", &vec![State { fresh: 1, ..State::start() }; BATCH])?;
    let block = device.buffer_from("block", &block)?;
    let factor = device.buffer::<f32>("factor", capacity * P * (P + 1))?;
    let v = device.buffer::<f32>("V", capacity * P * (P + 1))?;
    let sigma = device.buffer::<f32>("sigma", capacity * P)?;
    let lengths = device.buffer::<f32>("lengths", capacity * P)?;
    let groups = [(capacity / LANES) as u32, 1, 1];

    let mut commands = device.record("small SVD");
    commands.dispatch(&*qr::host::kernel(device, P)?, &[&rules, &span, &problems, &states, &block, &factor], groups)?;
    commands.dispatch(
        &*svd::host::kernel(device, P)?,
        &[&rules, &problems, &states, &factor, &v, &sigma, &lengths],
        groups,
    )?;
    let reads = (
        commands.read_later(&v, 0..v.len())?,
        commands.read_later(&sigma, 0..sigma.len())?,
        commands.read_later(&states, 0..BATCH)?,
    );
    commands.submit()?;
    Ok(Found { v: reads.0.wait_here()?, sigma: reads.1.wait_here()?, states: reads.2.wait_here()? })
}

fn judge(known: &[Known], found: &Found) -> Result<String, String> {
    let unit = Precision::F32.unit_roundoff();
    let v = |b: usize, i: usize, j: usize| found.v[element(b, i, j, P + 1, P, LANES)];
    let sigma = |b: usize, i: usize| found.sigma[element(b, i, 0, P, 1, LANES)];
    let mut worst = 0.0f64;
    for (b, matrix) in known.iter().enumerate() {
        let shape = format!("the {}×{P} matrix of singular values {:?}", matrix.rows, matrix.sigma);
        if found.states[b].status().is_some() {
            return Err(format!("{shape} took more than {} sweeps", Rules::MAX_SWEEPS));
        }
        for i in 0..P {
            let error = (f64::from(sigma(b, i)) - matrix.sigma[i]).abs() / (unit * matrix.sigma[0]);
            if error.is_nan() || error > TOLERANCE {
                return Err(format!("σ{} of {shape} is {:e}", i + 1, sigma(b, i)));
            }
            worst = worst.max(error);
        }
        let rank = matrix.sigma.iter().filter(|&&s| s > 0.0).count();
        let condition = matrix.sigma[0] / matrix.sigma[rank - 1];
        let size = matrix.solution.iter().map(|x| x * x).sum::<f64>().sqrt();
        for j in 0..P {
            let terms = (0..rank).map(|k| f64::from(v(b, j, k)) * f64::from(v(b, P, k)) / f64::from(sigma(b, k)));
            let value: f64 = terms.sum();
            let error = (value - matrix.solution[j]).abs();
            if error.is_nan() || error > TOLERANCE * unit * condition * size {
                return Err(format!("the least-norm solution of {shape} has {value:e} for {:e}", matrix.solution[j]));
            }
        }
    }
    for b in known.len()..BATCH {
        let first = b % known.len();
        let equal = (0..P).all(|j| {
            sigma(b, j).to_bits() == sigma(first, j).to_bits()
                && (0..=P).all(|i| v(b, i, j).to_bits() == v(first, i, j).to_bits())
        });
        if !equal {
            return Err(format!("equal matrices at places {first} and {b} of the batch have different bits"));
        }
    }
    Ok(format!("{BATCH} matrices, σ to {worst:.1} units of 2^-24"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_matrices_have_the_singular_values_that_an_independent_svd_finds() {
        for matrix in known() {
            let a = faer::Mat::from_fn(matrix.rows, P, |i, j| matrix.entries[j * matrix.rows + i]);
            let values = a.singular_values().unwrap();
            for (k, value) in values.iter().enumerate() {
                assert!((value - matrix.sigma[k]).abs() <= 1e-13 * matrix.sigma[0], "{value} for {}", matrix.sigma[k]);
            }
            // A times the least-norm solution is the right-hand side.
            for i in 0..matrix.rows {
                let product: f64 = (0..P).map(|j| a[(i, j)] * matrix.solution[j]).sum();
                assert!((product - matrix.entries[P * matrix.rows + i]).abs() <= 1e-12 * matrix.sigma[0]);
            }
        }
    }

    #[test]
    fn a_wrong_singular_value_or_a_nan_is_found_out() {
        let known = known();
        let capacity = BATCH.next_multiple_of(LANES);
        let mut found = Found {
            v: vec![0.0; capacity * P * (P + 1)],
            sigma: vec![0.0; capacity * P],
            states: vec![State::start(); BATCH],
        };
        assert!(judge(&known, &found).unwrap_err().starts_with("σ1 of the 3×3 matrix"));
        found.sigma.fill(f32::NAN);
        assert!(judge(&known, &found).is_err());
        found.states[0].status = 6;
        assert!(judge(&known, &found).unwrap_err().contains("sweeps"));
    }
}
