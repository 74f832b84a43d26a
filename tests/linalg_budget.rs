//! The time budget of a dispatch: work that is cut finer has the same bits.

use std::time::Duration;

use natgrad::gpu::Device;
use natgrad::linalg::{GramKind, MatrixBatch, SvdOptions, gram, qr, svd};
use natgrad::{Distribution, random_start};

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

#[test]
fn a_budget_of_a_millisecond_gives_the_same_bits_as_the_default() {
    for device in common::devices() {
        // Its own device: a budget is shared by all clones of one.
        let hurried = common::once_more(&device);
        hurried.set_dispatch_budget(Duration::from_millis(1));
        // In registers, in blocks of which one invocation does all, and in blocks of which many do a pair each: at the
        // rate first assumed a millisecond holds 2.7 million multiply-adds, less than any of these batches takes.
        for (batch, m, n) in [(500, 8, 8), (200, 20, 12), (70, 40, 36), (2, 168, 168)] {
            let a = random(batch, m, n);
            let expected = bits(&device, &a);
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
        let hurried = common::once_more(&device);
        hurried.set_dispatch_budget(Duration::ZERO);
        let a = random(300, 5, 3);
        let found = |device: &Device| {
            let values = svd(device, &a, &SvdOptions::values()).unwrap().sigma;
            let products = gram(device, &a, GramKind::Columns).unwrap();
            [values, products].map(|part| part.as_slice().iter().map(|x| x.to_bits()).collect::<Vec<u32>>())
        };
        assert!(found(&device) == found(&hurried));
    }
}

#[test]
fn the_same_holds_on_swiftshader() {
    // Of the smallest bodies: it takes minutes to compile the blocked ones.
    common::again_on_swiftshader(&["products_and_small_matrices"]);
}
