//! Copies of one minimiser that are the same function: `cargo run --release --example rescaled` writes their starts to
//! `examples/networks/same_function.csv`, which `examples/networks/same_function.toml` certifies.
//!
//! Without a bias of the outputs, a ReLU network does not change where its first layer is multiplied by c and its second
//! divided by it. For powers of two not a bit of a value changes, in f32 or f64.

use natgrad::builtin::Teacher;
use natgrad::data::Numbers;
use natgrad::{
    Activation, Choice, Data, Distribution, Draw, Engine, Error, Initialisation, Initialiser, Model, Network,
    RandomStarts, Stop, Sweep,
};

/// Inputs, hidden units, outputs.
pub const LAYERS: [usize; 3] = [4, 12, 1];

/// By what the first layer of each copy is multiplied.
pub const FACTORS: [f64; 7] = [0.03125, 0.125, 0.5, 2.0, 8.0, 32.0, 128.0];

/// From how many random starts a minimiser is sought.
const SEEDS: u64 = 400;

fn network() -> Result<Network, Error> {
    Ok(Network::new(&LAYERS, Activation::Relu)?.output_bias(false))
}

/// Six points of a small teacher: `data.builtin` of the spec.
fn data() -> Result<Data, Error> {
    let initialiser = Initialiser::Xavier { gain: 1.0 };
    let teacher = Teacher {
        network: Network::new(&[LAYERS[0], 3, 1], Activation::Tanh)?,
        initialisation: Initialisation { initialiser, distribution: Distribution::Normal, zero_output: false },
        points: 6,
        seeds: 0..1,
        noise: 0.0,
    };
    teacher.data()
}

/// How far the nearest unit is from turning on or off at a point: |w·x + b| over ‖(x, 1)‖, the distance to there in its own
/// weights. J is constant, and the theorem holds, for perturbations that are shorter.
fn margin(network: &Network, points: &[Vec<f64>], theta: &[f64]) -> Option<f64> {
    let first = network.weight_layers().next()?;
    let weights = &theta[first.weights.clone()];
    let distance = |weights: &[f64], bias: f64, x: &[f64]| {
        let sum = bias + weights.iter().zip(x).map(|(w, x)| w * x).sum::<f64>();
        sum.abs() / (1.0 + x.iter().map(|x| x * x).sum::<f64>()).sqrt()
    };
    let units = weights.chunks(first.inputs).zip(&theta[first.biases]);
    units.flat_map(|(w, &b)| points.iter().map(move |x| distance(w, b, x))).reduce(f64::min)
}

/// Of the minimisers that go through the data, the one whose units are furthest from turning on or off, with its margin.
///
/// # Errors
/// If the sweep fails, or none of the starts leads to a minimiser.
pub fn minimiser() -> Result<(Vec<f64>, f64), Box<dyn std::error::Error>> {
    let (network, data) = (network()?, data()?);
    let names: Vec<&str> = network.inputs().iter().map(String::as_str).collect();
    let bound = data.bind(&names)?;
    let columns: Vec<&Numbers> = names.iter().filter_map(|name| bound.column(name)).collect();
    let points: Vec<Vec<f64>> =
        (0..bound.rows()).map(|i| columns.iter().map(|column| column.get(i)).collect()).collect();
    let initialiser = Initialiser::He { gain: 1.0 };
    let start = Initialisation { initialiser, distribution: Distribution::Normal, zero_output: false };
    let sweep = Sweep::new(&Model::from(network.clone()), &data)
        .random_starts(RandomStarts { draw: Draw::Initialised(start), seeds: 0..SEEDS })
        .stop(Stop { steps: 100, ..Stop::default() });
    let outcome = Engine::open(Choice::Cpu)?.run(&sweep)?;
    // f64 leaves 1e-16 of the response, whose square this is well above.
    let found = outcome.iter().filter(|problem| problem.loss() < 1e-24);
    let found =
        found.filter_map(|problem| Some((problem.parameters(), margin(&network, &points, problem.parameters())?)));
    let (theta, margin) = found.max_by(|a, b| a.1.total_cmp(&b.1)).ok_or("no start leads to a minimiser")?;
    Ok((theta.to_vec(), margin))
}

/// The same function with the first layer times c and the second over c.
///
/// # Errors
/// If the layers make no network.
pub fn rescaled(theta: &[f64], c: f64) -> Result<Vec<f64>, Error> {
    let network = network()?;
    let layers: Vec<_> = network.weight_layers().collect();
    let mut copy = theta.to_vec();
    copy[layers[0].weights.start..layers[0].biases.end].iter_mut().for_each(|w| *w *= c);
    copy[layers[1].weights.clone()].iter_mut().for_each(|w| *w /= c);
    Ok(copy)
}

/// The starts, as `start.file` reads them.
///
/// # Errors
/// As [`minimiser`].
pub fn starts() -> Result<String, Box<dyn std::error::Error>> {
    let (theta, margin) = minimiser()?;
    let sweep = Sweep::new(&Model::from(network()?), &data()?);
    let mut bytes = format!(
        "# Made by `cargo run --release --example rescaled`: one minimiser, its first layer times c and its second over c.\n\
         # A row for each c of {FACTORS:?}; no unit is nearer than {margin:.3} to turning on or off at c = 1.\n"
    )
    .into_bytes();
    let copies = FACTORS.iter().map(|&c| rescaled(&theta, c)).collect::<Result<Vec<_>, _>>()?;
    natgrad::report::write_starts(&copies.into_iter().fold(sweep, Sweep::start).resolve()?, &mut bytes)?;
    Ok(String::from_utf8(bytes)?)
}

/// Writes the starts.
///
/// # Errors
/// As [`starts`], or if the file cannot be written.
pub fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/networks/same_function.csv");
    std::fs::write(path, starts()?)?;
    println!("{} starts: {path}", FACTORS.len());
    Ok(())
}
