//! The evaluation of networks against its twin.

use crate::kernels::jacobian::twin::DataRow;
use crate::kernels::network::{host, twin};
use crate::kernels::problem::{Block, State};
use crate::model::{Activation, Network, Parametrisation};
use crate::ngd::{Damping, Scaling};

use super::{BATCH, Bench, U, for_each_device, groups, pack, rule, uniform, unpack};

/// Shapes that take every path: none, one and several hidden layers, one and several inputs and outputs.
const LAYERS: [&[usize]; 6] = [&[2, 1], &[1, 9, 1], &[3, 5, 2], &[2, 5, 4, 1], &[1, 3, 6, 2, 3], &[12, 1, 1]];

fn networks() -> Vec<Network> {
    let mut all = Vec::new();
    for (k, layers) in LAYERS.into_iter().enumerate() {
        for (i, activation) in Activation::ALL.into_iter().enumerate() {
            let parametrisation = [Parametrisation::Standard, Parametrisation::Ntk][(i + k) % 2];
            let network = Network::new(layers, activation).unwrap();
            all.push(network.parametrisation(parametrisation).output_bias((i + k / 2) % 2 == 0));
        }
    }
    all
}

fn row(network: &Network, i: usize) -> DataRow {
    let mut inputs: Vec<f64> = (0..network.layers()[0]).map(|c| uniform(1000 + c, i)).collect();
    if network.outputs() > 1 {
        inputs.push((i % network.outputs()) as f64);
    }
    DataRow { inputs, y: uniform(2000, i), w: 1.5 }
}

#[test]
fn network_agrees_with_its_twin_for_every_row_and_leaves_finished_problems_alone() {
    let n = 7;
    for_each_device(|device| {
        for network in networks() {
            let p = crate::model::Model::from(network.clone()).parameters().len();
            let bench = Bench::new(device, n, p, &rule(Scaling::None, Damping::Fixed(0.0)), State::start());
            let mut states = vec![State::start(); BATCH];
            states[3].status = 1;
            device.write(&bench.states, 0, &states).unwrap();
            let rows: Vec<DataRow> = (0..n).map(|i| row(&network, i)).collect();
            let numbers = |row: &DataRow| row.inputs.iter().chain([&row.y, &row.w]).map(|&x| x as f32).collect();
            let flat: Vec<f32> = rows.iter().flat_map(|row| -> Vec<f32> { numbers(row) }).collect();
            let data = device.buffer_from("data", &flat).unwrap();
            let parameters = device.buffer_from("theta", &pack(p, 1, |b, j, _| 0.5 * uniform(b, j))).unwrap();
            let block = bench.floats(n, p + 1);
            let span = device.uniform(&Block::alone(0, n, false)).unwrap();
            let kernel = host::kernel(device, &network).unwrap();
            let mut commands = device.record("network");
            let buffers: [&dyn crate::gpu::Bindable; 7] =
                [&bench.rules, &span, &bench.problems, &bench.states, &data, &parameters, &block];
            commands.dispatch(&kernel, &buffers, [groups()[0], n as u32, 1]).unwrap();
            commands.submit().unwrap();
            let block = device.read(&block).unwrap();
            // Sums of fan-in terms in every layer, forward and back, and 4u of each activation. With |θ| ≤ ½ no sum
            // exceeds 4, so that an error of z changes a slope by no more than 4 times its own.
            let layers = network.layers();
            let roundings: usize = layers.iter().map(|units| 2 * units + 10).sum();
            let allowed = 4.0 * roundings as f64 * U;
            // The same sums without a sign that could cancel: sizes that roundings are relative to.
            let plain = Network::new(layers, Activation::Identity).unwrap();
            let plain = plain.output_bias(network.weight_layers().last().is_some_and(|l| !l.biases.is_empty()));
            for b in (0..BATCH).step_by(3) {
                let found = unpack(&block, b, n, p + 1);
                if b == 3 {
                    assert!(found.iter().flatten().all(|&value| value == 0.0), "a finished problem was evaluated");
                    continue;
                }
                let theta: Vec<f64> = (0..p).map(|j| f64::from((0.5 * uniform(b, j)) as f32)).collect();
                let expected = twin::network(&network, &theta, &rows);
                let sizes: Vec<f64> = theta.iter().map(|t| t.abs()).collect();
                let positive = |row: &DataRow| DataRow {
                    inputs: row.inputs.iter().map(|x| x.abs()).collect(),
                    y: -row.y.abs(),
                    w: row.w,
                };
                let sizes = twin::network(&plain, &sizes, &rows.iter().map(positive).collect::<Vec<_>>());
                for i in 0..n {
                    for j in 0..=p {
                        let off = (found[i][j] - expected[i][j]).abs();
                        let most = allowed * sizes[i][j];
                        assert!(off <= most, "{network:?} [{i}][{j}] off by {off:e}, beyond {most:e}");
                    }
                }
            }
        }
    });
}
