//! [J | e] of a network row by row, in f64: every derivative by a forward pass of its own, with numbers that carry their
//! derivative by one parameter.

use crate::kernels::jacobian::twin::DataRow;
use crate::model::{Activation, Network};

/// A number and its derivative.
type Dual = (f64, f64);

/// The rows (w ∂f/∂θ₁ … w ∂f/∂θₚ, w(f − y)); the inputs of a row end with its output, where there are several.
pub(crate) fn network(network: &Network, theta: &[f64], rows: &[DataRow]) -> Vec<Vec<f64>> {
    let one = |row: &DataRow| {
        let mut out: Vec<f64> = (0..theta.len()).map(|j| row.w * value(network, theta, j, &row.inputs).1).collect();
        out.push(row.w * (value(network, theta, 0, &row.inputs).0 - row.y));
        out
    };
    rows.iter().map(one).collect()
}

/// f, and its derivative by parameter j.
fn value(network: &Network, theta: &[f64], j: usize, inputs: &[f64]) -> Dual {
    let theta = |k: usize| (theta[k], f64::from(u8::from(k == j)));
    let layers = network.layers();
    let mut units: Vec<Dual> = inputs[..layers[0]].iter().map(|&x| (x, 0.0)).collect();
    let last = layers.len() - 2;
    for (l, layer) in network.weight_layers().enumerate() {
        let scale = network.weight_scale(layer.inputs);
        let sums = (0..layer.units).map(|u| {
            let mut z = if layer.biases.is_empty() { (0.0, 0.0) } else { theta(layer.biases.start + u) };
            for (i, a) in units.iter().enumerate() {
                let w = theta(layer.weights.start + u * layer.inputs + i);
                z.0 += scale * w.0 * a.0;
                z.1 += scale * (w.1 * a.0 + w.0 * a.1);
            }
            z
        });
        units = sums.map(|z| if l == last { z } else { activated(network.activation(), z) }).collect();
    }
    let output = if network.outputs() > 1 { inputs[layers[0]] as usize } else { 0 };
    units[output]
}

fn activated(activation: Activation, (z, dz): Dual) -> Dual {
    match activation {
        Activation::Tanh => (z.tanh(), dz / z.cosh().powi(2)),
        Activation::Relu => (z.max(0.0), if z > 0.0 { dz } else { 0.0 }),
        Activation::Silu => {
            let e = (-z).exp();
            (z / (1.0 + e), dz * (1.0 + e + z * e) / (1.0 + e).powi(2))
        }
        Activation::Identity => (z, dz),
    }
}
