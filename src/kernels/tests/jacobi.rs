//! The SVD of the steps against its twin, on what rounding is hardest on.

use super::*;

#[test]
fn svd_agrees_with_its_twin_with_and_without_column_scaling() {
    for_each_device(|device| {
        for (n, p) in [(1, 1), (6, 2), (20, 5), (3, 6), (64, 16)] {
            for scaling in [Scaling::Columns, Scaling::None] {
                let bench = Bench::new(device, n, p, &rule(scaling, Damping::Fixed(0.0)), fresh());
                let (factor, _) = bench.qr(n, n);
                let [v, sigma, lengths] = bench.svd(&factor);
                let (v, sigma, lengths) =
                    (device.read(&v).unwrap(), device.read(&sigma).unwrap(), device.read(&lengths).unwrap());
                let factor = device.read(&factor).unwrap();
                for b in 0..BATCH {
                    let expected = svd::twin::svd(&unpack(&factor, b, p, p + 1), scaling == Scaling::Columns);
                    assert!(expected.sweeps < 60, "the twin itself converges");
                    // W | β.
                    let mut found = unpack(&v, b, p + 1, p);
                    for row in &mut found[..p] {
                        for (i, x) in row.iter_mut().enumerate() {
                            *x *= f64::from(sigma[layout::element(b, i, 0, p, 1, LANES)]);
                        }
                    }
                    let largest = expected.sigma[0];
                    // One-sided Jacobi is backward stable columnwise: each of about 10 sweeps meets every column p
                    // times, rounding errors of random sign.
                    let bound = 16.0 * U * (10.0 * p as f64).sqrt() * largest;
                    for i in 0..p {
                        let s = f64::from(sigma[layout::element(b, i, 0, p, 1, LANES)]);
                        assert!((s - expected.sigma[i]).abs() <= bound, "σ[{i}] = {s} against {}", expected.sigma[i]);
                        let length = f64::from(lengths[layout::element(b, i, 0, p, 1, LANES)]);
                        let off = (length - expected.lengths[i]).abs();
                        assert!(off <= 4.0 * U * (p as f64).sqrt() * expected.lengths[i]);
                    }
                    // W Wᵀ = (RD)ᵀRD and Wβ = (RD)ᵀc do not depend on signs or order of the columns.
                    for j in 0..p {
                        for k in 0..=p {
                            let sum: f64 = (0..p).map(|i| found[j][i] * found[k][i]).sum();
                            let twin: f64 = (0..p)
                                .map(|i| {
                                    let other = if k < p { expected.w[i][k] } else { expected.beta[i] };
                                    expected.w[i][j] * other
                                })
                                .sum();
                            let norm =
                                if k < p { largest } else { expected.beta.iter().map(|x| x * x).sum::<f64>().sqrt() };
                            let off = (sum - twin).abs();
                            assert!(off <= 2.0 * bound * norm.max(largest), "{n}×{p}: [{j}][{k}] off by {off:e}");
                        }
                    }
                }
                let states = device.read(&bench.states).unwrap();
                assert!(states.iter().all(|state| state.status == State::RUNNING && state.sweeps <= 12));
            }
        }
    });
}

/// R = DB with B random, triangular and well conditioned, and rows that shrink by the factor 10^(−b/3) each.
fn graded(b: usize, p: usize) -> Vec<Vec<f64>> {
    let entry = |i: usize, j: usize| match i.cmp(&j) {
        std::cmp::Ordering::Less => 0.5 * uniform(b, i * p + j) / p as f64,
        std::cmp::Ordering::Equal => 1.0 + 0.25 * uniform(b, i * p + j),
        std::cmp::Ordering::Greater => 0.0,
    };
    (0..p)
        .map(|i| {
            let scale = 10f64.powf(-(b as f64) * i as f64 / 3.0);
            (0..p).map(|j| f64::from((entry(i, j) * scale) as f32)).chain([uniform(b, 900 + i)]).collect()
        })
        .collect()
}

#[test]
fn svd_of_graded_rows_keeps_every_singular_value_to_relative_accuracy() {
    // One-sided Jacobi on A = BᵀD: |σ̂ − σ| ≤ c·√p·κ(B)·u·σ whatever D is (Demmel and Veselić, SIAM J. Matrix Anal.
    // Appl. 13 (1992) 1204). κ(B) < 4 here; c = 16 covers the rounding of some six sweeps.
    for_each_device(|device| {
        for p in [2, 4, 9] {
            let bench = Bench::new(device, p, p, &rule(Scaling::None, Damping::Fixed(0.0)), fresh());
            let factor = device.buffer_from("R", &pack(p, p + 1, |b, i, j| graded(b, p)[i][j])).unwrap();
            let sigma = device.read(&bench.svd(&factor)[1]).unwrap();
            let states = device.read(&bench.states).unwrap();
            for b in 0..BATCH {
                assert_eq!(states[b].status, State::RUNNING, "{p}×{p}, problem {b} ran out of sweeps");
                let expected = svd::twin::svd(&graded(b, p), false);
                for i in 0..p {
                    let found = f64::from(sigma[layout::element(b, i, 0, p, 1, LANES)]);
                    // Below 10⁻²⁷ of the largest, f32 runs out of exponents: zero is the answer there.
                    if expected.sigma[i] > 1e-26 {
                        let off = (found / expected.sigma[i] - 1.0).abs();
                        assert!(off <= 64.0 * (p as f64).sqrt() * U, "{p}×{p}, problem {b}: σ[{i}] off by {off:e}");
                    } else {
                        assert!(found <= 1.1e-26, "{p}×{p}, problem {b}: σ[{i}] = {found:e}");
                    }
                }
            }
        }
    });
}

#[test]
fn svd_of_columns_as_parallel_as_can_be_ends_with_orthogonal_columns() {
    // J's columns differ by δ from 10⁻³ down to nothing: σ_p falls through every power of ten to underflow and zero.
    for_each_device(|device| {
        for p in [2, 3, 5] {
            for scaling in [Scaling::Columns, Scaling::None] {
                let bench = Bench::new(device, p, p, &rule(scaling, Damping::Fixed(0.0)), fresh());
                let factor = pack(p, p + 1, |b, i, j| {
                    let delta = 10f64.powf(-3.0 - b as f64 * 42.0 / BATCH as f64);
                    match (i, j) {
                        (0, _) => 1.0 + 0.5 * uniform(b, j),
                        (i, j) if i < j || j == p => delta * uniform(b, i * p + j),
                        (i, j) if i == j => delta * delta.powi(i as i32 - 1),
                        _ => 0.0,
                    }
                });
                let factor = device.buffer_from("R", &factor).unwrap();
                let [v, sigma, _] = bench.svd(&factor);
                let (v, sigma) = (device.read(&v).unwrap(), device.read(&sigma).unwrap());
                let states = device.read(&bench.states).unwrap();
                for b in 0..BATCH {
                    assert_eq!(states[b].status, State::RUNNING, "p = {p}, problem {b} ran out of sweeps");
                    assert!(states[b].sweeps <= 12, "p = {p}, problem {b}: {} sweeps", states[b].sweeps);
                    let v = unpack(&v, b, p + 1, p);
                    let length = |i: usize| f64::from(sigma[layout::element(b, i, 0, p, 1, LANES)]);
                    let dot =
                        |i: usize, j: usize| (0..p).map(|k| v[k][i] * v[k][j]).sum::<f64>() * length(i) * length(j);
                    for i in 0..p {
                        for j in 0..i {
                            let lengths = dot(i, i).sqrt() * dot(j, j).sqrt();
                            // The tolerance of the kernel, once more for the rounding of the last rotation.
                            let bound = 2.0 * 2.0 * 4f64.max(p as f64).sqrt() * U;
                            // Columns whose entries are below 8e-28 of the largest, which is at most 2, count as zero.
                            let zero = 8e-28 * 2.0 * (p as f64).sqrt();
                            assert!(
                                dot(i, i).sqrt().min(dot(j, j).sqrt()) <= zero || dot(i, j).abs() <= bound * lengths,
                                "p = {p}, problem {b}: cosine {:e}",
                                dot(i, j) / lengths
                            );
                        }
                    }
                }
            }
        }
    });
}
