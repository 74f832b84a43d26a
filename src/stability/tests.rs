//! What no user can ask for: Jacobians that are not those of their points.

use faer::Mat;

use super::certify::{certify_jacobians, jacobians};
use super::*;
use crate::backend::{Backend, gpu::GpuBackend};
use crate::data::Data;
use crate::gpu::present::devices;
use crate::gpu::{Device, Tuning};
use crate::model::Model;
use crate::sweep::{Job, Sweep};

/// The CPU, and every device that passes the self-test.
fn backends() -> Vec<(String, Backend)> {
    let backend = |device: Device| {
        device.set_tuning(Tuning::Preset);
        (device.summary().label(), Backend::Gpu(GpuBackend::new(device)))
    };
    std::iter::once(("the CPU".to_owned(), Backend::Cpu)).chain(devices().into_iter().map(backend)).collect()
}

/// f = (ab, bc): rank 2 of three parameters, fitted exactly at (1, 2, 3).
fn job() -> (Job, Minimiser) {
    let model = Model::parse("a*b*(1-x) + b*c*x", &["a", "b", "c"]).unwrap();
    let data = Data::from_columns([("x", vec![0.0, 1.0]), ("y", vec![2.0, 6.0])]).unwrap();
    let theta = vec![1.0, 2.0, 3.0];
    let job = Sweep::new(&model, &data).start(theta.clone()).resolve().unwrap();
    (job, Minimiser { problem: 0, set: 0, parameters: theta, status: None })
}

fn certificate(backend: &Backend, corrupt: impl Fn(&mut Mat<f64>)) -> Certificate {
    let (job, point) = job();
    let options = StabilityOptions::default();
    let points = vec![point];
    let mut found = jacobians(backend, &job, &points, &options).unwrap();
    corrupt(&mut found[0]);
    certify_jacobians(backend, &job, points, found, &options).unwrap().0.remove(0)
}

#[test]
fn jacobians_come_back_from_every_backend_as_they_are() {
    let (job, point) = job();
    for (name, backend) in backends() {
        let found = jacobians(&backend, &job, std::slice::from_ref(&point), &StabilityOptions::default()).unwrap();
        let expected = [[2.0, 1.0, 0.0], [0.0, 3.0, 2.0]];
        assert!((0..2).all(|i| (0..3).all(|j| found[0][(i, j)] == expected[i][j])), "{name}: {found:?}");
    }
}

#[test]
fn a_jacobian_off_by_one_percent_in_one_entry_has_a_perfect_projector_and_no_certificate() {
    for (name, backend) in backends() {
        let sound = certificate(&backend, |_| ());
        assert_eq!(sound.verdict, Verdict::Holds, "{name}: {}", sound.detail);
        let corrupted = certificate(&backend, |jacobian| jacobian[(1, 2)] *= 1.01);
        assert_eq!((corrupted.verdict, corrupted.reason), (Verdict::DoesNotApply, Some(Doubt::Precision)), "{name}");
        assert!(corrupted.detail.contains("J₆₄(I − P)"), "{name}: {}", corrupted.detail);
        // What shows that its spectrum proves nothing: that of the corrupted projector is as good.
        assert!(corrupted.checks.eigenvalues <= 32.0 * 2f64.powi(-24), "{name}: {:?}", corrupted.checks);
        assert!(corrupted.row_space_error > 1e-4 && sound.row_space_error < 1e-6, "{name}");
    }
}

#[test]
fn spreads_are_the_least_the_median_and_the_largest() {
    let spread = Spread::of([3.0, 1.0, f64::NAN, 2.0, 10.0].into_iter());
    assert_eq!(spread, Spread { least: 1.0, median: 2.0, largest: 10.0 });
    assert!(Spread::of(std::iter::empty()).median.is_nan());
}
