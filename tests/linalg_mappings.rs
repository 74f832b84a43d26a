//! Mappings: every one gives the same decompositions, and which is taken is measured once, kept, recorded, and can be said.

use std::path::Path;
use std::process::{Command, Output};

use natgrad::gpu::{AdapterChoice, Chosen, ChosenBy, Device, Tuning};
use natgrad::linalg::{MatrixStatus, PinvOptions, SvdOptions, pinv_solve, projector, svd};

mod common;
use common::matrices::{Case, Spectrum, batch, catalogue, gaussian, matrix, rounded, with_spectrum};
use common::oracle::{absolute_bound, bits, sigma, singular_values, svd_ratios};

/// Mappings that there are for these sizes; those that are looped compile everywhere.
const MAPPINGS: [((usize, usize), &[&str]); 5] = [
    ((4, 3), &["registers", "lane-4-looped"]),
    ((8, 8), &["registers", "lane-4", "lane-4-looped", "group"]),
    ((20, 13), &["registers", "lane-4", "lane-4-looped", "group"]),
    ((12, 24), &["registers", "lane-4", "lane-4-looped", "group"]),
    ((24, 19), &["private-5", "lane-4", "lane-4-looped", "group"]),
];

/// What a driver that cannot compile much is spared.
fn mappings(of: &[&'static str]) -> Vec<&'static str> {
    of.iter()
        .copied()
        .filter(|name| !common::is_on_one_adapter() || ["lane-4-looped", "group"].contains(name))
        .collect()
}

#[test]
fn every_mapping_finds_the_same_decompositions_with_vectors_and_without() {
    for device in common::devices() {
        let device = common::once_more(device);
        for ((m, n), names) in MAPPINGS {
            let cases: Vec<Case> = catalogue(m, n);
            let matrices = batch(cases.iter().map(|case| &case.matrix));
            for name in mappings(names) {
                device.pin_mapping("svd", name);
                let found = svd(&device, &matrices, &SvdOptions::default()).unwrap();
                let values = svd(&device, &matrices, &SvdOptions::values()).unwrap();
                for (b, case) in cases.iter().enumerate() {
                    assert_eq!(found.reports[b].status, MatrixStatus::Converged, "{name}, {m}×{n}, {}", case.name);
                    let limit = if case.well_scaled { 10.0 } else { 50.0 };
                    let ratios = svd_ratios(&case.matrix, &found, b);
                    assert!(ratios.iter().all(|&ratio| ratio < limit), "{name}, {m}×{n}, {}: {ratios:?}", case.name);
                    let bound = absolute_bound(&case.matrix);
                    let expected = singular_values(&case.matrix);
                    for (values, expected) in [(sigma(&found, b), &expected), (sigma(&values, b), &expected)] {
                        let near = values.iter().zip(expected).all(|(x, y)| (x - y).abs() <= bound);
                        assert!(near, "{name}, {m}×{n}, {}: {values:?} for {expected:?}", case.name);
                    }
                }
                let used = device.mappings();
                assert!(used.iter().any(|chosen| chosen.mapping == name && chosen.by == ChosenBy::Pin), "{used:?}");
            }
        }
    }
}

#[test]
fn under_every_mapping_a_matrix_has_the_same_bits_in_any_batch_and_beside_nan() {
    for device in common::devices() {
        let device = common::once_more(device);
        for ((m, n), names) in MAPPINGS {
            let cases = catalogue(m, n);
            let matrices: Vec<_> = cases.iter().cycle().take(150).map(|case| &case.matrix).collect();
            for name in mappings(names) {
                device.pin_mapping("svd", name);
                let whole = svd(&device, &batch(matrices.iter().copied()), &SvdOptions::default()).unwrap();
                let again = svd(&device, &batch(matrices[100..].iter().copied()), &SvdOptions::default()).unwrap();
                for b in 0..50 {
                    assert_eq!(bits(&again, b), bits(&whole, 100 + b), "{name}, {m}×{n}, matrix {b}");
                }
                // Every fifth is not finite: its neighbours, of which some share its workgroup, do not notice.
                let mut poisoned = batch(matrices.iter().copied());
                let is_bad = |b: usize| b % 5 == 2;
                (0..150)
                    .filter(|&b| is_bad(b))
                    .for_each(|b| poisoned.set(b, m - 1, 0, [f32::NAN, f32::INFINITY][b % 2]));
                let found = svd(&device, &poisoned, &SvdOptions::default()).unwrap();
                for b in 0..150 {
                    if is_bad(b) {
                        assert_eq!(found.reports[b].status, MatrixStatus::NonFinite, "{name}, {m}×{n}, matrix {b}");
                        assert!(sigma(&found, b).iter().all(|value| value.is_nan()), "{name}, {m}×{n}, matrix {b}");
                    } else {
                        assert_eq!(bits(&found, b), bits(&whole, b), "{name}, {m}×{n}, matrix {b} beside NaN");
                    }
                }
            }
        }
    }
}

#[test]
fn either_way_to_the_triangular_factor_gives_the_same_solutions_and_projectors() {
    // The rule takes registers for both; κ of these is below 100, and a solution errs by some κ(m + n)u.
    for device in common::devices() {
        let other = common::once_more(device);
        other.pin_mapping("triangle", "blocks");
        for (m, n) in [(9, 4), (30, 12)] {
            let a: Vec<_> = (0..70).map(|b| with_spectrum(m, n, &Spectrum::Geometric(50.0).values(n, b), b)).collect();
            let a: Vec<_> = a.iter().map(rounded).collect();
            let b: Vec<_> = (0..70).map(|b| rounded(&gaussian(m, 2, 900 + b))).collect();
            let (a, b) = (batch(&a), batch(&b));
            let solved = |device: &Device| pinv_solve(device, &a, &b, &PinvOptions::default()).unwrap().matrices;
            let projected = |device: &Device| projector(device, &a, &PinvOptions::default()).unwrap().matrices;
            let bound = 8.0 * (m + n) as f64 * 50.0 * 2f64.powi(-24);
            for (x, y) in [(solved(device), solved(&other)), (projected(device), projected(&other))] {
                for of in 0..70 {
                    let (x, y) = (matrix(&x, of), matrix(&y, of));
                    // With a residual the condition counts twice.
                    assert!((&x - &y).norm_l2() <= 50.0 * bound * x.norm_l2(), "{m}×{n}, matrix {of}");
                }
            }
            let way = |device: &Device| {
                let used = device.mappings();
                used.into_iter().find(|chosen| chosen.operation.starts_with(&format!("triangle {m}x{n}"))).unwrap()
            };
            assert_eq!(way(&other).mapping, "blocks");
            assert!(common::is_on_one_adapter() || way(device).mapping == "registers");
        }
    }
}

#[test]
fn a_mapping_that_there_is_not_is_an_error_that_names_those_there_are() {
    for device in common::devices() {
        let device = common::once_more(device);
        device.pin_mapping("svd", "lane-3");
        let a = batch([&faer::Mat::<f64>::identity(6, 6)]);
        let error = svd(&device, &a, &SvdOptions::values()).unwrap_err().to_string();
        assert_eq!(error, "svd 6x6 has no mapping \"lane-3\": there are registers, lane-4, lane-4-looped, group");
        // Said last, heard first: of this shape alone.
        device.pin_mapping("svd 6x6", "registers");
        assert_eq!(svd(&device, &a, &SvdOptions::values()).unwrap().reports[0].rank, 6);
    }
}

/// Set for the process that uses a device as any program would, on the adapter of this index.
const CHILD: &str = "NATGRAD_TEST_MEASURES";

#[test]
fn in_its_own_process_an_svd_is_tuned() {
    let Ok(index) = std::env::var(CHILD) else { return };
    let device = Device::open(&AdapterChoice::Index(index.parse().unwrap())).unwrap();
    let a = batch([&faer::Mat::<f64>::identity(6, 6)]);
    match svd(&device, &a, &SvdOptions::values()) {
        Ok(found) => assert_eq!(found.reports[0].rank, 6),
        Err(error) => println!("error: {error}"),
    }
    println!("chosen: {}", serde_json::to_string(&device.mappings()).unwrap());
}

/// That process, with its files in this folder and one more environment variable.
fn child(index: usize, folder: &Path, (name, value): (&str, &str)) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .args(["in_its_own_process", "--nocapture", "--test-threads=1"])
        .env(CHILD, index.to_string())
        .env("NATGRAD_CACHE_DIR", folder)
        .env(name, value)
        .output()
        .unwrap()
}

fn chosen(output: &Output) -> Vec<Chosen> {
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find_map(|line| line.split_once("chosen: ")).unwrap_or_else(|| panic!("{output:?}")).1;
    serde_json::from_str(line).unwrap()
}

#[test]
fn what_is_measured_at_first_use_is_kept_in_the_users_file_and_the_environment_overrides_it() {
    for device in common::devices() {
        let index = device.summary().index;
        let folder = tempfile::tempdir().unwrap();
        let first = chosen(&child(index, folder.path(), ("NATGRAD_TEST", "1")));
        assert_eq!(first.len(), 1);
        assert_eq!((&*first[0].operation, first[0].by), ("svd 6x6", ChosenBy::Measurement));
        // The winner is the fastest of all.
        let seconds = &first[0].seconds;
        // Not tried where barriers are dear: by workgroups.
        let tried = if device.summary().device_type == natgrad::wgpu::DeviceType::Cpu { 2 } else { 3 };
        assert_eq!(seconds.len(), tried, "{seconds:?}");
        let least = seconds.values().flatten().copied().fold(f64::INFINITY, f64::min);
        assert_eq!(seconds[&first[0].mapping], Some(least));
        let file = std::fs::read_to_string(folder.path().join("mappings.json")).unwrap();
        assert!(file.contains(&device.summary().label()) && file.contains("svd 6x6"), "{file}");
        // Another process measures nothing: the times are the same to the last digit.
        assert_eq!(chosen(&child(index, folder.path(), ("NATGRAD_TEST", "1"))), first);
        for (name, mapping) in [("svd", "lane-4"), ("svd 6x6", "registers")] {
            let found = chosen(&child(index, folder.path(), ("NATGRAD_MAPPING", &format!("{name}={mapping}"))));
            assert_eq!((&*found[0].mapping, found[0].by), (mapping, ChosenBy::Environment));
        }
        let found = chosen(&child(index, folder.path(), ("NATGRAD_TUNING", "off")));
        assert_eq!((&*found[0].mapping, found[0].by), ("registers", ChosenBy::Rule));
        let refused = child(index, folder.path(), ("NATGRAD_MAPPING", "svd=fastest"));
        assert!(String::from_utf8_lossy(&refused.stdout).contains("no mapping \"fastest\""), "{refused:?}");
    }
}

#[test]
fn tuning_can_be_turned_off_and_one_way_needs_no_measurement() {
    for device in common::devices().take(1) {
        let a = batch([&faer::Mat::<f64>::identity(3, 3)]);
        let device = common::once_more(device);
        device.set_tuning(Tuning::Measured);
        assert_eq!(svd(&device, &a, &SvdOptions::values()).unwrap().reports[0].rank, 3);
        assert_eq!(device.mappings()[0].by, ChosenBy::Rule);
    }
}

#[test]
fn on_swiftshader_the_looped_mappings_hold_the_same_claims() {
    common::again_on_swiftshader(&["every_mapping", "under_every_mapping", "either_way"]);
}
