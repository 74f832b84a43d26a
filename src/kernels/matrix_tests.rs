//! The kernels for matrices of any origin against their f64 twins, on every adapter present, in plain and in
//! interleaved layouts.

use super::batch::{Batch, Count};
use super::matrices::Report;
use super::tests::{U, for_each_device, uniform};
use super::{combine, join, product, qr_blocked, sift, solve, substitute};
use crate::gpu::layout::{LANES, element};
use crate::gpu::{Buffer, Device};

mod completion;
mod definite;
mod registers;
mod sorting;

/// Not a multiple of a tile.
const BATCH: usize = 9;

/// All of them, as the lane mapping likes them.
fn all() -> Batch {
    Batch::of(BATCH)
}

type Matrix = Vec<Vec<f64>>;

/// Matrix b, with entries in [−1, 1].
fn random(b: usize, rows: usize, columns: usize) -> Matrix {
    (0..rows).map(|i| (0..columns).map(|j| uniform(b, i * columns + j)).collect()).collect()
}

fn upload(device: &Device, matrices: &[Matrix], lanes: usize) -> Buffer<f32> {
    let (rows, columns) = (matrices[0].len(), matrices[0][0].len());
    let mut packed = vec![0.0; matrices.len().next_multiple_of(lanes) * rows * columns];
    for (b, matrix) in matrices.iter().enumerate() {
        for i in 0..rows {
            for j in 0..columns {
                packed[element(b, i, j, rows, columns, lanes)] = matrix[i][j] as f32;
            }
        }
    }
    device.buffer_from("matrices", &packed).unwrap()
}

fn room(device: &Device, rows: usize, columns: usize, lanes: usize) -> Buffer<f32> {
    device.buffer("matrices", BATCH.next_multiple_of(lanes) * rows * columns).unwrap()
}

fn download(device: &Device, buffer: &Buffer<f32>, rows: usize, columns: usize, lanes: usize) -> Vec<Matrix> {
    let values = device.read(buffer).unwrap();
    let at = |b, i, j| f64::from(values[element(b, i, j, rows, columns, lanes)]);
    (0..BATCH).map(|b| (0..rows).map(|i| (0..columns).map(|j| at(b, i, j)).collect()).collect()).collect()
}

#[test]
fn products_agree_with_their_twin_in_one_dispatch_and_in_several() {
    for_each_device(|device| {
        // 40,000 entries take three dispatches.
        for (rows, columns, lanes) in [(1, 1, 1), (3, 8, 4), (17, 5, 64), (9, 30, 2), (40_000, 2, 1)] {
            for of_rows in [false, true].into_iter().filter(|of_rows| !of_rows || rows < 100) {
                let a: Vec<Matrix> = (0..BATCH).map(|b| random(b, rows, columns)).collect();
                let (size, length) = if of_rows { (rows, columns) } else { (columns, rows) };
                let result = room(device, size, size, lanes);
                let form = product::host::Form { count: BATCH, rows, columns, of_rows, lanes, result_lanes: lanes };
                let mut commands = device.record("products");
                product::host::record(device, &mut commands, &form, &upload(device, &a, lanes), &result).unwrap();
                commands.submit().unwrap();
                for (found, a) in download(device, &result, size, size, lanes).iter().zip(&a) {
                    let expected = product::twin::product(a, of_rows);
                    for j in 0..size {
                        for k in 0..size {
                            // Terms are at most 1 in magnitude.
                            let bound = 6.0 * (length as f64).sqrt() * U * length as f64;
                            let off = (found[j][k] - expected[j][k]).abs();
                            assert!(off <= bound, "{rows}×{columns}: [{j}][{k}] off by {off:e}");
                        }
                    }
                }
            }
        }
    });
}

#[test]
fn solutions_by_the_triangular_factor_agree_with_their_twin_and_what_is_in_doubt_is_listed() {
    for_each_device(|device| {
        // Two rows of the identity, once more at the foot of a random matrix, keep the columns independent: κ < 100.
        for (rows, columns, rights) in [(1, 1, 1), (6, 3, 2), (23, 5, 1), (8, 6, 3)] {
            let a: Vec<Matrix> = (0..BATCH)
                .map(|b| {
                    let mut a = random(b, rows, columns);
                    (0..columns).for_each(|j| a[rows - columns + j][j] += 8.0);
                    // The first is of rank 1.
                    if b == 0 {
                        a.iter_mut().for_each(|row| row.fill(0.5));
                    }
                    a
                })
                .collect();
            let b: Vec<Matrix> = (0..BATCH).map(|b| random(b + 100, rows, rights)).collect();
            let form = solve::host::Form { rows, columns, rights };
            let x = room(device, columns, rights, LANES);
            let factor = room(device, columns, columns + rights, LANES);
            let reports = device.buffer::<Report>("reports", BATCH).unwrap();
            let doubt = device.buffer::<u32>("doubt", 1 + BATCH).unwrap();
            let operands = solve::host::Operands {
                a: &upload(device, &a, LANES),
                b: &upload(device, &b, LANES),
                x: &x,
                reports: &reports,
                factor: &factor,
                doubt: &doubt,
            };
            let mut commands = device.record("solutions");
            solve::host::record(device, &mut commands, form, all(), solve::host::doubt(0.0, 1e-6), &operands).unwrap();
            commands.submit().unwrap();
            let listed = device.read(&doubt).unwrap();
            // One column is always of full rank.
            let hidden = usize::from(columns > 1);
            assert_eq!(listed[..=hidden], [hidden as u32, 0][..=hidden], "{rows}×{columns}");
            let found = download(device, &x, columns, rights, LANES);
            for of in hidden..BATCH {
                let expected = solve::twin::solve(&a[of], &b[of]);
                let size = expected.iter().flatten().fold(0.0f64, |size, x| size.max(x.abs()));
                for j in 0..columns {
                    for k in 0..rights {
                        // κ < 100 and some 4 (m + n) roundings.
                        let bound = 400.0 * (rows + columns) as f64 * U * size;
                        let off = (found[of][j][k] - expected[j][k]).abs();
                        assert!(off <= bound, "{rows}×{columns}, matrix {of}: [{j}][{k}] off by {off:e}");
                    }
                }
            }
        }
    });
}

#[test]
fn combinations_and_matrices_side_by_side_agree_with_their_twins() {
    for_each_device(|device| {
        for (terms, left, right) in [(1, 1, 1), (3, 5, 2), (10, 9, 17)] {
            let (x, y) = ((0..BATCH).map(|b| random(b, left, terms)), (0..BATCH).map(|b| random(b + 50, right, terms)));
            let (x, y): (Vec<Matrix>, Vec<Matrix>) = (x.collect(), y.collect());
            let sigma: Vec<Matrix> =
                (0..BATCH).map(|b| (0..terms).map(|t| vec![1.0 + uniform(b, t).abs()]).collect()).collect();
            let ranks: Vec<usize> = (0..BATCH).map(|b| b % (terms + 1)).collect();
            let words: Vec<Report> =
                ranks.iter().map(|&rank| Report { status: 0, sweeps: 1, rank: rank as u32 }).collect();
            let result = room(device, left, right, LANES);
            let operands = combine::host::Operands {
                left: &upload(device, &x, LANES),
                right: &upload(device, &y, LANES),
                sigma: &upload(device, &sigma, LANES),
                found: &device.buffer_from("reports", &words).unwrap(),
                result: &result,
                listed: None,
            };
            let joined = room(device, left, 2 * terms, LANES);
            let form = combine::host::Form { terms, left, right, plain: false };
            let sides = join::host::Form { rows: left, left: terms, right: terms };
            let mut commands = device.record("combinations");
            combine::host::record(device, &mut commands, form, Count::known(all()), &operands).unwrap();
            let both = [operands.left, operands.left, &joined];
            join::host::record(device, &mut commands, sides, all(), both).unwrap();
            commands.submit().unwrap();
            let (found, side_by_side) =
                (download(device, &result, left, right, LANES), download(device, &joined, left, 2 * terms, LANES));
            for b in 0..BATCH {
                let sigma: Vec<f64> = sigma[b].iter().map(|row| row[0]).collect();
                let expected = combine::twin::combine(&x[b], &y[b], &sigma, ranks[b]);
                for (found, expected) in found[b].iter().flatten().zip(expected.iter().flatten()) {
                    // Entries at most 1, σ at least 1: three roundings a term.
                    assert!((found - expected).abs() <= 4.0 * (terms * terms) as f64 * U, "{found} for {expected}");
                }
                assert_eq!(side_by_side[b], join::twin::join(&x[b], &x[b]));
            }
        }
    });
}

#[test]
fn factors_agree_with_their_twin_up_to_signs_and_q_transposed_undoes_q() {
    for_each_device(|device| {
        for (rows, columns) in [(3, 3), (12, 5), (40, 11)] {
            let a: Vec<Matrix> = (0..BATCH)
                .map(|b| {
                    let mut a = random(b, rows, columns);
                    (0..columns).for_each(|j| a[j][j] += 4.0);
                    a
                })
                .collect();
            let form = qr_blocked::host::Form { rows, columns };
            let mut commands = device.record("factors");
            let source = upload(device, &a, LANES);
            let factors =
                qr_blocked::factors::Factors::record(device, &mut commands, form, false, Count::known(all()), &source)
                    .unwrap();
            let r = room(device, columns, columns, LANES);
            factors.triangle(device, &mut commands, false, (qr_blocked::host::Beside::Nothing, None), &r).unwrap();
            let c: Vec<Matrix> = (0..BATCH).map(|b| random(b + 100, rows, 3)).collect();
            let given = upload(device, &c, LANES);
            let there_and_back = factors.padded(device, &mut commands, &given, 3).unwrap();
            for target in [qr_blocked::host::Target::Plain(3), qr_blocked::host::Target::Transposed(3)] {
                factors.apply(device, &mut commands, target, &there_and_back).unwrap();
            }
            let returned = room(device, rows, 3, LANES);
            factors.crop(device, &mut commands, &there_and_back, (3, false), &returned).unwrap();
            commands.submit().unwrap();
            let found = download(device, &r, columns, columns, LANES);
            let back = download(device, &returned, rows, 3, LANES);
            for b in 0..BATCH {
                let (_, expected) = qr_blocked::twin::qr(&a[b]);
                let size = (rows as f64).sqrt() * 5.0;
                // Diagonals of 4 among entries of at most 1: κ is below 50, and an element takes part in some
                // 2 (rows + columns) roundings.
                let bound = 50.0 * 2.0 * (rows + columns) as f64 * U * size;
                for i in 0..columns {
                    let sign = found[b][i][i].signum();
                    for j in 0..columns {
                        let off = (sign * found[b][i][j] - expected[i][j]).abs();
                        assert!(off <= bound, "{rows}×{columns}: r[{i}][{j}] off by {off:e}");
                    }
                }
                for (back, given) in back[b].iter().flatten().zip(c[b].iter().flatten()) {
                    assert!((back - given).abs() <= 4.0 * (rows + columns) as f64 * U * (rows as f64).sqrt());
                }
            }
        }
    });
}

#[test]
fn substitution_agrees_with_its_twin_and_sifting_lists_what_is_ill_conditioned() {
    for_each_device(|device| {
        for (size, rights, lower) in [(1, 1, false), (4, 2, true), (11, 5, false), (9, 3, true)] {
            // Triangles with a diagonal of 2 to 3 and small entries beside it; the second has a small entry on it.
            let triangles: Vec<Matrix> = (0..BATCH)
                .map(|b| {
                    let mut t = random(b, size, size + rights);
                    for i in 0..size {
                        for j in 0..size {
                            let inside = if lower { j < i } else { i < j };
                            t[i][j] = if inside { 0.25 * t[i][j] } else { 0.0 };
                        }
                        t[i][i] = 2.0 + uniform(b + 7, i).abs();
                    }
                    if b == 1 && size > 1 {
                        t[size / 2][size / 2] = f64::from(1e-7f32);
                    }
                    t
                })
                .collect();
            let form = substitute::host::Form { size, rights, lower };
            let largest: Vec<u32> = vec![3.0f32.to_bits(); BATCH.next_multiple_of(LANES)];
            let bits = device.buffer_from("bits", &largest).unwrap();
            let triangle = upload(device, &triangles, LANES);
            let solved = room(device, size, size + rights, LANES);
            let sums = room(device, form.blocks(), 1, LANES);
            let (x, factor) = (room(device, size, rights, LANES), room(device, size, size + rights, LANES));
            let reports = device.buffer::<Report>("reports", BATCH).unwrap();
            let doubt = device.buffer::<u32>("doubt", 1 + BATCH).unwrap();
            let mut commands = device.record("substitution");
            substitute::host::record(
                device,
                &mut commands,
                form,
                Count::known(all()),
                [&triangle, &solved, &sums],
                &bits,
            )
            .unwrap();
            let operands = sift::host::Operands {
                triangle: &triangle,
                solved: &solved,
                sums: &sums,
                x: &x,
                reports: &reports,
                factor: &factor,
                doubt: &doubt,
                bits: &bits,
            };
            sift::host::record(device, &mut commands, form, all(), 1e-4, &operands).unwrap();
            commands.submit().unwrap();
            let found = download(device, &x, size, rights, LANES);
            let mut listed = Vec::new();
            for (b, whole) in triangles.iter().enumerate() {
                let t: Matrix = whole.iter().map(|row| row[..size].to_vec()).collect();
                let c: Matrix = whole.iter().map(|row| row[size..].to_vec()).collect();
                let condition = sift::twin::condition(&t, lower);
                if condition > 1e4 {
                    listed.push(b as u32);
                    continue;
                }
                let expected = substitute::twin::substitute(&t, &c, lower);
                let norm = expected.iter().flatten().map(|x| x * x).sum::<f64>().sqrt();
                for (found, expected) in found[b].iter().flatten().zip(expected.iter().flatten()) {
                    // Backward stable: each entry of T off by some size·u.
                    let bound = 2.0 * size as f64 * U * condition * norm;
                    assert!((found - expected).abs() <= bound, "{size}, matrix {b}: {found} for {expected}");
                }
            }
            let words = device.read(&doubt).unwrap();
            assert_eq!(words[0] as usize, listed.len());
            assert_eq!(words[1..=listed.len()], listed[..]);
        }
    });
}
