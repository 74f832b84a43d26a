//! A network and its derivatives in f64: forward through the layers, and back.

use super::{Layer, Network};

/// What a network keeps of one row of data, within the scratch of an evaluation: θ, then of every hidden unit its
/// activation, its slope, and ∂f/∂z.
struct Kept<'a> {
    theta: &'a [f64],
    values: &'a mut [f64],
    slopes: &'a mut [f64],
    deltas: &'a mut [f64],
}

impl Network {
    fn hidden_units(&self) -> usize {
        self.layers[1..self.layers.len() - 1].iter().sum()
    }

    /// Begins to evaluate rows at θ.
    pub(in crate::model) fn prepare(&self, theta: &[f64], scratch: &mut Vec<f64>) {
        scratch.clear();
        scratch.extend_from_slice(theta);
        scratch.resize(theta.len() + 3 * self.hidden_units(), 0.0);
    }

    /// The output that a row of data belongs to: what stands behind its inputs, where there are several.
    fn output_of(&self, inputs: &[f64]) -> usize {
        if self.outputs() > 1 { inputs[self.layers[0]] as usize } else { 0 }
    }

    /// f in f64.
    pub(in crate::model) fn evaluate(&self, theta: &[f64], inputs: &[f64]) -> f64 {
        let output = self.output_of(inputs);
        let mut values = inputs[..self.layers[0]].to_vec();
        let last = self.layers.len() - 2;
        for (l, layer) in self.weight_layers().enumerate() {
            if l == last {
                return self.sum(&layer, theta, output, &values);
            }
            values =
                (0..layer.units).map(|u| self.activation.derivatives(self.sum(&layer, theta, u, &values))[0]).collect();
        }
        unreachable!("a network has a layer of weights")
    }

    /// z of unit u.
    fn sum(&self, layer: &Layer, theta: &[f64], u: usize, values: &[f64]) -> f64 {
        let weights = &theta[layer.weights.start + u * layer.inputs..][..layer.inputs];
        let product: f64 = weights.iter().zip(values).map(|(w, a)| w * a).sum();
        self.weight_scale(layer.inputs) * product + theta[layer.biases.clone()].get(u).copied().unwrap_or(0.0)
    }

    /// f and ∂f/∂θ at a row, after [`prepare`](Self::prepare).
    pub(in crate::model) fn row(&self, inputs: &[f64], scratch: &mut [f64], out: &mut [f64]) {
        let hidden = self.hidden_units();
        let (theta, rest) = scratch.split_at_mut(self.parameters.len());
        let (values, rest) = rest.split_at_mut(hidden);
        let (slopes, deltas) = rest.split_at_mut(hidden);
        let mut kept = Kept { theta, values, slopes, deltas };
        let (value, gradient) = out.split_at_mut(1);
        value[0] = self.forward(inputs, &mut kept);
        self.backward(inputs, &mut kept, gradient);
    }

    fn forward(&self, inputs: &[f64], kept: &mut Kept<'_>) -> f64 {
        // Activations of the layer before: the inputs, or where it lies among the hidden units.
        let mut before: Option<usize> = None;
        let last = self.layers.len() - 2;
        let mut first = 0;
        for (l, layer) in self.weight_layers().enumerate() {
            let (done, open) = kept.values.split_at_mut(first);
            let values = before.map_or_else(|| &inputs[..layer.inputs], |at| &done[at..]);
            if l == last {
                return self.sum(&layer, kept.theta, self.output_of(inputs), values);
            }
            for u in 0..layer.units {
                let [value, slope, _] = self.activation.derivatives(self.sum(&layer, kept.theta, u, values));
                open[u] = value;
                kept.slopes[first + u] = slope;
            }
            before = Some(first);
            first += layer.units;
        }
        unreachable!("a network has a layer of weights")
    }

    fn backward(&self, inputs: &[f64], kept: &mut Kept<'_>, gradient: &mut [f64]) {
        let layers: Vec<Layer> = self.weight_layers().collect();
        let last = layers.len() - 1;
        let output = self.output_of(inputs);
        // Where the layer's units, and those before them, lie among the hidden units.
        let mut first = self.hidden_units();
        for (l, layer) in layers.iter().enumerate().rev() {
            let scale = self.weight_scale(layer.inputs);
            let first_before = first - if l == 0 { 0 } else { layer.inputs };
            let (deltas_before, deltas) = kept.deltas.split_at_mut(first);
            let values = if l == 0 { &inputs[..layer.inputs] } else { &kept.values[first_before..first] };
            if l > 0 {
                deltas_before[first_before..].fill(0.0);
            }
            for u in 0..layer.units {
                let delta = if l < last { deltas[u] } else { f64::from(u8::from(u == output)) };
                let start = layer.weights.start + u * layer.inputs;
                for i in 0..layer.inputs {
                    gradient[start + i] = scale * delta * values[i];
                    if l > 0 {
                        deltas_before[first_before + i] += scale * delta * kept.theta[start + i];
                    }
                }
                if !layer.biases.is_empty() {
                    gradient[layer.biases.start + u] = delta;
                }
            }
            for i in first_before..first {
                deltas_before[i] *= kept.slopes[i];
            }
            first = first_before;
        }
    }

    /// ∂²f/∂θⱼ∂θₖ for k ≤ j, row by row of the triangle, after [`prepare`](Self::prepare).
    pub(in crate::model) fn curvature_row(&self, inputs: &[f64], scratch: &mut [f64], triangle: &mut [f64]) {
        let p = self.parameters.len();
        let theta = &scratch[..p];
        let mut direction = vec![0.0; p];
        let mut product = vec![0.0; p];
        for k in 0..p {
            direction[k] = 1.0;
            self.hessian_vector(theta, inputs, &direction, &mut product);
            direction[k] = 0.0;
            for j in k..p {
                triangle[j * (j + 1) / 2 + k] = product[j];
            }
        }
    }

    /// (∇²f)v: the derivative of ∂f/∂θ along v, exact, by the derivative of every line of forward and backward pass
    /// (Pearlmutter: Fast exact multiplication by the Hessian, Neural Computation 6, 1994).
    pub(crate) fn hessian_vector(&self, theta: &[f64], inputs: &[f64], v: &[f64], out: &mut [f64]) {
        let layers: Vec<Layer> = self.weight_layers().collect();
        let last = layers.len() - 1;
        let output = self.output_of(inputs);
        // Of every layer of units, from the inputs on: activations and their derivatives along v.
        let mut values = vec![inputs[..self.layers[0]].to_vec()];
        let mut moved = vec![vec![0.0; self.layers[0]]];
        let (mut slopes, mut moved_slopes) = (Vec::new(), Vec::new());
        for layer in &layers[..last] {
            let (a, along) = (&values[values.len() - 1], &moved[moved.len() - 1]);
            let (mut next, mut next_along) = (Vec::new(), Vec::new());
            let (mut slope, mut slope_along) = (Vec::new(), Vec::new());
            for u in 0..layer.units {
                let at = layer.weights.start + u * layer.inputs;
                let weights = &theta[at..at + layer.inputs];
                let scale = self.weight_scale(layer.inputs);
                let dz = self.sum(layer, v, u, a) + scale * weights.iter().zip(along).map(|(w, a)| w * a).sum::<f64>();
                let [value, first, second] = self.activation.derivatives(self.sum(layer, theta, u, a));
                next.push(value);
                next_along.push(first * dz);
                slope.push(first);
                slope_along.push(second * dz);
            }
            values.push(next);
            moved.push(next_along);
            slopes.push(slope);
            moved_slopes.push(slope_along);
        }
        let mut delta: Vec<f64> = (0..self.outputs()).map(|u| f64::from(u8::from(u == output))).collect();
        let mut delta_along = vec![0.0; delta.len()];
        for (l, layer) in layers.iter().enumerate().rev() {
            let scale = self.weight_scale(layer.inputs);
            let mut back = vec![0.0; layer.inputs];
            let mut back_along = vec![0.0; layer.inputs];
            for u in 0..layer.units {
                let at = layer.weights.start + u * layer.inputs;
                for i in 0..layer.inputs {
                    out[at + i] = scale * (delta_along[u] * values[l][i] + delta[u] * moved[l][i]);
                    back[i] += scale * delta[u] * theta[at + i];
                    back_along[i] += scale * (delta_along[u] * theta[at + i] + delta[u] * v[at + i]);
                }
                if !layer.biases.is_empty() {
                    out[layer.biases.start + u] = delta_along[u];
                }
            }
            if l > 0 {
                let (slope, slope_along) = (&slopes[l - 1], &moved_slopes[l - 1]);
                delta_along = (0..back.len()).map(|i| back_along[i] * slope[i] + back[i] * slope_along[i]).collect();
                delta = (0..back.len()).map(|i| back[i] * slope[i]).collect();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::model::{Activation, Model, Network, Parametrisation};
    use crate::starts::{Distribution, random_start};

    fn networks() -> Vec<Model> {
        let mut all = Vec::new();
        for activation in Activation::ALL {
            for layers in [&[1, 1][..], &[1, 4, 1], &[2, 3, 4, 1], &[3, 2, 3], &[2, 3, 2, 3, 2]] {
                for parametrisation in [Parametrisation::Standard, Parametrisation::Ntk] {
                    for bias in [true, false] {
                        let network = Network::new(layers, activation).unwrap();
                        all.push(Model::from(network.parametrisation(parametrisation).output_bias(bias)));
                    }
                }
            }
        }
        all
    }

    fn numbers(seed: u64, count: usize) -> Vec<f64> {
        (0..count as u32).map(|k| random_start(seed, k, Distribution::Normal, 1.0)).collect()
    }

    #[test]
    fn derivatives_agree_with_central_differences_for_every_activation() {
        for (k, model) in networks().iter().enumerate() {
            let theta = numbers(k as u64, model.parameters().len());
            for output in 0..model.outputs() {
                let mut inputs = numbers(1000 + k as u64, model.inputs().len());
                if model.outputs() > 1 {
                    inputs.push(output as f64);
                }
                let check = model.check_derivatives(&theta, &inputs).unwrap();
                assert!(check.agrees(), "{model:?}: {check:?}");
            }
        }
    }

    #[test]
    fn hessian_vector_products_agree_with_central_differences_of_the_gradient() {
        let h = 2f64.powi(-17);
        for (k, model) in networks().iter().enumerate() {
            let p = model.parameters().len();
            let (theta, v) = (numbers(k as u64, p), numbers(500 + k as u64, p));
            let mut inputs = numbers(1000 + k as u64, model.inputs().len());
            inputs.push(0.0);
            let gradient = |sign: f64| {
                let moved: Vec<f64> = theta.iter().zip(&v).map(|(t, v)| t + sign * h * v).collect();
                let (mut scratch, mut out) = (Vec::new(), vec![0.0; p + 1]);
                model.prepare(&moved, &mut scratch);
                model.row(&inputs, &mut scratch, &mut out);
                out
            };
            let (above, below) = (gradient(1.0), gradient(-1.0));
            let mut product = vec![0.0; p];
            model.as_network().unwrap().hessian_vector(&theta, &inputs, &v, &mut product);
            for j in 0..p {
                let difference = (above[j + 1] - below[j + 1]) / (2.0 * h);
                // h²/6 of a third derivative of up to 10³ in these directions of length 3 or so.
                let allowed = 1e-7 * (1.0 + product[j].abs());
                assert!((difference - product[j]).abs() < allowed, "{model:?}: {difference} and {}", product[j]);
            }
        }
    }

    #[test]
    fn hessians_are_symmetric_and_made_of_those_products() {
        let model = Model::network(&[2, 3, 4, 1], Activation::Tanh).unwrap();
        let p = model.parameters().len();
        let (theta, inputs, v) = (numbers(1, p), numbers(2, 2), numbers(3, p));
        let hessian = model.hessian(&theta, &inputs);
        let mut product = vec![0.0; p];
        model.as_network().unwrap().hessian_vector(&theta, &inputs, &v, &mut product);
        for j in 0..p {
            let sum: f64 = (0..p).map(|k| hessian[j * p + k] * v[k]).sum();
            assert!((sum - product[j]).abs() < 1e-12 * (1.0 + product[j].abs()), "{j}: {sum} and {}", product[j]);
        }
    }

    #[test]
    fn a_small_network_is_the_formula_written_out() {
        let network = Model::network(&[1, 2, 1], Activation::Silu).unwrap();
        let text = "c1*(a1*x + b1)/(1 + exp(-(a1*x + b1))) + c2*(a2*x + b2)/(1 + exp(-(a2*x + b2))) + d";
        let names = ["a1", "a2", "b1", "b2", "c1", "c2", "d"];
        let written = Model::parse(text, &names).unwrap();
        let theta = numbers(4, 7);
        let row = |model: &Model| {
            let (mut scratch, mut out) = (Vec::new(), vec![0.0; 8]);
            model.prepare(&theta, &mut scratch);
            model.row(&[0.7], &mut scratch, &mut out);
            out
        };
        for (a, b) in row(&network).iter().zip(row(&written)) {
            assert!((a - b).abs() < 1e-14 * (1.0 + b.abs()), "{a} and {b}");
        }
        let (a, b) = (network.hessian(&theta, &[0.7]), written.hessian(&theta, &[0.7]));
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-13), "{a:?}\n{b:?}");
        assert!((network.evaluate(&theta, &[0.7]) - written.evaluate(&theta, &[0.7])).abs() < 1e-14);
    }
}
