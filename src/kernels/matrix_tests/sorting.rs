//! The sorting of columns against its twin, and the way back.

use super::super::presort::{host, twin};
use super::*;

/// A random matrix with columns of very different sizes, of which two are equally large.
fn graded(b: usize, rows: usize, columns: usize) -> Matrix {
    let mut a = random(b, rows, columns);
    for j in 0..columns {
        let size = f64::from((10.0 * uniform(b + 300, j) as f32).exp2());
        a.iter_mut().for_each(|row| row[j] = f64::from((row[j] * size) as f32));
    }
    if columns > 2 {
        a.iter_mut().for_each(|row| row[columns - 1] = -row[0]);
    }
    a
}

#[test]
fn columns_come_by_descending_magnitude_near_one_and_go_back_to_their_places() {
    for_each_device(|device| {
        // Few lanes are what large matrices have.
        for (rows, columns, lanes) in [(1, 1, 64), (7, 3, 64), (9, 5, 2), (4, 4, 1)] {
            let batch = Batch { count: BATCH, lanes };
            let a: Vec<Matrix> = (0..BATCH).map(|b| graded(b, rows, columns)).collect();
            let (padded_rows, padded_columns) = (rows + 2, columns + 1);
            let form = host::Form { rows, columns, padded_rows, padded_columns, group: 1, transposed: false };
            let copied = room(device, padded_rows, padded_columns, lanes);
            let bits = device.buffer::<u32>("bits", batch.whole()).unwrap();
            // σ all ones, and W the identity: what comes back is the way that each row takes.
            let ones = vec![vec![vec![1.0]; columns]; BATCH];
            let identity: Vec<Matrix> =
                vec![(0..columns).map(|i| (0..columns).map(|j| f64::from(i == j)).collect()).collect(); BATCH];
            let sigma = upload(device, &ones, lanes);
            let restored = room(device, columns, columns, lanes);
            let mut commands = device.record("sorting");
            let given = upload(device, &a, lanes);
            let sorted = host::Presorted::record(device, &mut commands, form, batch, [&given, &copied], &bits).unwrap();
            let w = upload(device, &identity, lanes);
            sorted.restore(device, &mut commands, &sigma, Some([&w, &restored])).unwrap();
            commands.submit().unwrap();
            let copies = download(device, &copied, padded_rows, padded_columns, lanes);
            let back = download(device, &restored, columns, columns, lanes);
            let units = download(device, &sigma, columns, 1, lanes);
            for b in 0..BATCH {
                let order = twin::order(&a[b]);
                let unit = units[b][0][0];
                let largest = a[b].iter().flatten().fold(0.0f64, |most, x| most.max(x.abs()));
                assert!((0.5..=1.0).contains(&(unit / largest)) && unit.log2().fract() == 0.0, "{unit} for {largest}");
                for i in 0..padded_rows {
                    for (place, found) in copies[b][i].iter().enumerate() {
                        let inside = i < rows && place < columns;
                        // A power of two changes no digit.
                        assert_eq!(*found, if inside { a[b][i][order[place]] / unit } else { 0.0 });
                    }
                }
                for place in 0..columns {
                    for j in 0..columns {
                        assert_eq!(back[b][j][place], f64::from(order[place] == j), "{rows}×{columns}");
                    }
                }
            }
        }
    });
}
