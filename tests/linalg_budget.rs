//! The time budget of a dispatch: work that is cut finer has the same bits.

use std::time::Duration;

use natgrad::gpu::Device;
use natgrad::linalg::{
    CholeskyOptions, GramKind, MatrixBatch, PinvOptions, SvdOptions, cholesky_solve, gram, pinv_solve, projector, qr,
    svd,
};
use natgrad::{Distribution, random_start, wgpu};

mod common;

fn random(batch: usize, rows: usize, columns: usize) -> MatrixBatch {
    MatrixBatch::from_fn(batch, rows, columns, |b, i, j| {
        random_start(b as u64, (i * columns + j) as u32, Distribution::Normal, 1.0) as f32
    })
    .unwrap()
}

/// Everything that the operations find of these matrices, to the bit.
fn bits(device: &Device, a: &MatrixBatch) -> Vec<Vec<u32>> {
    let found = svd(device, a, &SvdOptions::default()).unwrap();
    let values = svd(device, a, &SvdOptions::values()).unwrap();
    let factors = qr(device, a).unwrap();
    let parts = [found.u.as_ref().unwrap(), &found.sigma, found.v.as_ref().unwrap(), &values.sigma, &factors.r];
    let products = gram(device, a, GramKind::Columns).unwrap();
    let sweeps = found.reports.iter().map(|report| report.sweeps).collect();
    let numbers =
        |part: &MatrixBatch| (0..part.batch()).flat_map(|b| part.matrix(b)).map(f32::to_bits).collect::<Vec<u32>>();
    parts.into_iter().chain([&products]).map(numbers).chain([sweeps]).collect()
}

fn joined<'a>(parts: impl IntoIterator<Item = &'a MatrixBatch>) -> Vec<u32> {
    parts.into_iter().flat_map(|part| (0..part.batch()).flat_map(|b| part.matrix(b))).map(f32::to_bits).collect()
}

/// The same of solutions and projectors.
fn solution_bits(device: &Device, a: &MatrixBatch) -> Vec<u32> {
    let b = random(a.batch(), a.rows(), 2);
    let solutions = pinv_solve(device, a, &b, &PinvOptions::default()).unwrap().matrices;
    let projectors = projector(device, a, &PinvOptions::default()).unwrap().matrices;
    joined([&solutions, &projectors])
}

/// The same of systems with AAᵀ + I, or AᵀA + I.
fn definite_bits(device: &Device, a: &MatrixBatch) -> Vec<u32> {
    let kind = if a.rows() < a.columns() { GramKind::Rows } else { GramKind::Columns };
    let mut definite = gram(device, a, kind).unwrap();
    let size = definite.rows();
    (0..a.batch()).for_each(|b| (0..size).for_each(|i| definite.set(b, i, i, definite.get(b, i, i) + 1.0)));
    let rights = random(a.batch(), size, 1);
    joined([&cholesky_solve(device, &definite, &rights, &CholeskyOptions::default()).unwrap().x])
}

#[test]
fn a_budget_of_a_millisecond_gives_the_same_bits_as_the_default() {
    for device in common::devices() {
        // Its own device: a budget is shared by all clones of one.
        let hurried = common::once_more(device);
        hurried.set_dispatch_budget(Duration::from_millis(1));
        // In registers, in blocks of which one invocation does all, and in blocks of which many do a pair each: at the
        // rate first assumed a millisecond holds 2.7 million multiply-adds, less than any of these batches takes.
        for (batch, m, n) in [(500, 8, 8), (200, 20, 12), (70, 40, 36), (2, 168, 168)] {
            let a = random(batch, m, n);
            let expected = bits(device, &a);
            // Once more, when rates have been measured and the cuts are others.
            for _ in 0..2 {
                assert!(bits(&hurried, &a) == expected, "{batch} matrices of {m}×{n}");
            }
        }
    }
}

#[test]
fn the_budget_is_a_fifth_of_a_second_until_it_is_set_and_clones_share_it() {
    for device in common::devices() {
        let device = common::once_more(device);
        assert_eq!(device.dispatch_budget(), Duration::from_millis(200));
        device.clone().set_dispatch_budget(Duration::from_millis(7));
        assert_eq!(device.dispatch_budget(), Duration::from_millis(7));
        // Without any time at all work is done a workgroup at a time.
        device.set_dispatch_budget(Duration::ZERO);
        let a = random(130, 9, 9);
        assert_eq!(svd(&device, &a, &SvdOptions::values()).unwrap().reports.len(), 130);
    }
}

#[test]
fn products_and_small_matrices_that_are_cut_finer_have_the_same_bits() {
    for device in common::devices() {
        let hurried = common::once_more(device);
        hurried.set_dispatch_budget(Duration::ZERO);
        let a = random(300, 5, 3);
        let found = |device: &Device| {
            let values = svd(device, &a, &SvdOptions::values()).unwrap().sigma;
            let products = gram(device, &a, GramKind::Columns).unwrap();
            [values, products].map(|part| part.as_slice().iter().map(|x| x.to_bits()).collect::<Vec<u32>>())
        };
        assert!(found(device) == found(&hurried));
    }
}

#[test]
fn a_device_of_few_workgroups_a_dispatch_gives_the_same_bits() {
    // 1,024 of them hold 65,536 matrices, as the 65,535 that devices have hold four million.
    let limits = wgpu::Limits { max_compute_workgroups_per_dimension: 1024, ..wgpu::Limits::defaults() };
    for device in common::devices() {
        let few = common::with_limits(device, &limits);
        // The self-test needs some workgroups too, and with fewer would find the device good for less.
        assert_eq!(few.capabilities().error_free_transforms, device.capabilities().error_free_transforms);
        for (m, n) in [(1, 1), (3, 1), (1, 2), (6, 4), (8, 17)] {
            let a = random(66_000, m, n);
            assert!(bits(&few, &a) == bits(device, &a), "{m}×{n}");
            assert!(solution_bits(&few, &a) == solution_bits(device, &a), "solutions of {m}×{n}");
            assert!(definite_bits(&few, &a) == definite_bits(device, &a), "definite systems of {m}×{n}");
        }
    }
}

#[test]
fn matrices_of_which_few_fit_a_buffer_have_the_same_bits() {
    // 256 KiB hold 65,536 numbers: with what they carry, 16 matrices of 40×30, 64 of 12×60 but 16 of its projectors, and 16
    // of 1000×3. (The self-test, too, has too little then to find the device good for all it is: no definite systems.)
    let limits = wgpu::Limits { max_storage_buffer_binding_size: 1 << 18, ..wgpu::Limits::defaults() };
    for device in common::devices() {
        let small = common::with_limits(device, &limits);
        for (m, n) in [(40, 30), (12, 60), (1000, 3)] {
            let a = random(9, m, n);
            assert!(bits(&small, &a) == bits(device, &a), "{m}×{n}");
            assert!(solution_bits(&small, &a) == solution_bits(device, &a), "solutions of {m}×{n}");
        }
        // On the device they lie in smaller tiles than others do.
        let lanes = |device: &Device| {
            let there = device.upload(&random(8, 64, 48)).unwrap().with_lanes(1).unwrap();
            there.svd(&SvdOptions::default()).unwrap().sigma.shape().lanes
        };
        assert_eq!((lanes(&small), lanes(device)), (8, device.upload(&random(9, 3, 3)).unwrap().shape().lanes));
        assert!(lanes(device) >= 16);
        // One matrix is more than a buffer holds: said with both numbers.
        let error = svd(&small, &random(1, 300, 300), &SvdOptions::default()).unwrap_err().to_string();
        assert!(error.contains("262144"), "{error}");
    }
}

#[test]
fn the_same_holds_on_swiftshader() {
    // Of the smallest bodies: it takes minutes to compile the blocked ones.
    common::again_on_swiftshader(&["products_and_small_matrices"]);
}
