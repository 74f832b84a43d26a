//! SVDs in registers: matrices come and go by loops where a CPU plays the device, and one entry after another elsewhere. Both
//! are run here, for of the devices that tests see none may be a GPU.

use super::*;
use crate::kernels::matrices::Matrices;
use crate::kernels::svd::host::{Form, Source, VALUES, VECTORS, matrix_defs};

/// σ, reports, W Σ⁻¹ and what was carried.
type Found = (Vec<f32>, Vec<Report>, Vec<f32>, Vec<f32>);

fn found(device: &Device, form: Form, a: &Buffer<f32>, looped: bool) -> Found {
    let source = if form.vectors { &VECTORS } else { &VALUES };
    let kernel = all().kernel(device, source, matrix_defs(form, looped)).unwrap();
    let matrices = device.uniform(&Matrices::new(BATCH, form.rows, 0.0)).unwrap();
    let sigma = room(device, form.columns, 1, LANES);
    let w = room(device, form.rows, form.columns, LANES);
    let v = room(device, form.carried().max(1), form.columns, LANES);
    let reports = device.buffer::<Report>("reports", BATCH).unwrap();
    let mut commands = device.record("svd");
    if form.vectors {
        commands.dispatch(&kernel, &[&matrices, a, &sigma, &reports, &w, &v], [1, 1, 1]).unwrap();
    } else {
        commands.dispatch(&kernel, &[&matrices, a, &sigma, &reports], [1, 1, 1]).unwrap();
    }
    commands.submit().unwrap();
    let read = |buffer: &Buffer<f32>| device.read(buffer).unwrap();
    (read(&sigma), device.read(&reports).unwrap(), read(&w), read(&v))
}

#[test]
fn whether_matrices_come_by_loops_or_one_entry_after_another_changes_no_bit() {
    for_each_device(|device| {
        // As they are, transposed, of a factor with a row carried, with none; odd and even, values alone too.
        for form in [
            Form::of_matrices(6, 4, true),
            Form::of_matrices(3, 5, true),
            Form::of_matrices(5, 5, false),
            Form { rows: 4, columns: 4, source: Source::Factor(1), vectors: true },
            Form { rows: 3, columns: 3, source: Source::Factor(0), vectors: true },
        ] {
            let (rows, columns) = form.operand();
            let mut all: Vec<Matrix> = (0..BATCH).map(|b| random(b, rows, columns)).collect();
            all[2][0][columns - 1] = f64::NAN;
            let a = upload(device, &all, LANES);
            let [looped, written_out] = [true, false].map(|looped| found(device, form, &a, looped));
            let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<u32>>();
            assert_eq!(bits(&looped.0), bits(&written_out.0), "σ, {form:?}");
            assert_eq!(looped.1, written_out.1, "{form:?}");
            assert_eq!(bits(&looped.2), bits(&written_out.2), "W, {form:?}");
            assert_eq!(bits(&looped.3), bits(&written_out.3), "what was carried, {form:?}");
            // Both might do nothing: the Frobenius norm of what is decomposed is that of its singular values.
            for b in (0..BATCH).filter(|&b| b != 2) {
                let carried = if let Source::Factor(carried) = form.source { carried } else { 0 };
                let of_row = |row: &Vec<f64>| row[..columns - carried].iter().map(|x| x * x).sum::<f64>();
                let norm = all[b].iter().map(of_row).sum::<f64>().sqrt();
                let sigma = |k| f64::from(looped.0[element(b, k, 0, form.columns, 1, LANES)]);
                let of_sigma = (0..form.columns).map(|k| sigma(k).powi(2)).sum::<f64>().sqrt();
                assert!((norm - of_sigma).abs() <= 16.0 * U * norm, "{form:?}, {b}: {of_sigma} for {norm}");
            }
        }
    });
}
