//! What changes of coordinates do to the two kinds of descent: `cargo run --release --example invariance`.
//!
//! A layer of a ReLU network may be scaled by c and the next one by 1/c: the function is the same, another minimiser. And
//! the parameters may be replaced by an affine map of others. The sharpness that gradient descent sees follows such
//! changes; the multipliers of natural gradient descent do not. Its steps themselves agree in what the function does, where
//! parameters outnumber data, to second order of the step size.

use natgrad::stability::{Certificate, Minimiser, StabilityOptions, Verdict};
use natgrad::{Data, Engine, Error, Model, Scaling, Stop, Sweep};

/// Points that the network goes through.
pub const POINTS: [f64; 4] = [-1.5, -0.5, 0.5, 1.5];

/// w₁ … w₃, b₁ … b₃, v₁ … v₃ of v·relu(wx + b).
pub const WEIGHTS: [f64; 9] = [1.0, -0.75, 0.5, 0.25, 0.5, 1.0, 0.75, 1.5, -0.5];

fn relu_network() -> Result<Model, Error> {
    let unit = |k: usize| format!("v{k}*max(w{k}*x + b{k}, 0)");
    let names: Vec<String> =
        ["w", "b", "v"].iter().flat_map(|name| (1..=3).map(move |k| format!("{name}{k}"))).collect();
    Ok(Model::parse(&[unit(1), unit(2), unit(3)].join(" + "), &names)?)
}

/// The data that a model makes of parameters, so that they are a minimiser.
fn made_by(model: &Model, theta: &[f64], x: &[f64]) -> Result<Data, Error> {
    let y: Vec<f64> = x.iter().map(|&x| model.evaluate(theta, &[x])).collect();
    Ok(Data::from_columns([("x", x.to_vec()), ("y", y)])?)
}

/// Certificates of the network with its first layer scaled by each factor, and its second by the reciprocal.
///
/// # Errors
/// If a device fails.
pub fn rescaled_layers(engine: &Engine, factors: &[f64]) -> Result<Vec<Certificate>, Error> {
    let model = relu_network()?;
    let sweep = Sweep::new(&model, &made_by(&model, &WEIGHTS, &POINTS)?).start(WEIGHTS);
    let point = |(k, c): (usize, &f64)| Minimiser {
        problem: k as u64,
        set: 0,
        parameters: WEIGHTS.iter().enumerate().map(|(j, w)| if j < 6 { w * c } else { w / c }).collect(),
        status: None,
    };
    let points: Vec<Minimiser> = factors.iter().enumerate().map(point).collect();
    let mut options = StabilityOptions::default();
    options.step_sizes = vec![0.5, 1.5];
    // Shorter than the way from the smaller layer to the kinks of its units.
    options.perturbation = Some(2e-4);
    Ok(engine.certify_points(&sweep.resolve()?, &points, &options)?.certificates)
}

/// How far the function values after one step of size η from θ differ from those after a step in other coordinates φ,
/// θ = Aφ with A = [[2, 0.5, 0], [−0.3, 1.2, 0.4], [0.1, 0, 0.8]], for each step size.
///
/// # Errors
/// If a device fails.
pub fn reparametrised_steps(engine: &Engine, step_sizes: &[f64]) -> Result<Vec<f64>, Error> {
    let a = [[2.0, 0.5, 0.0], [-0.3, 1.2, 0.4], [0.1, 0.0, 0.8]];
    let text = |[a, k, c]: [&str; 3]| format!("({a})*sin(({k})*x) + ({c})**2");
    let row = |r: [f64; 3]| format!("{}*p + {}*q + {}*s", r[0], r[1], r[2]);
    let plain = Model::parse(&text(["a", "k", "c"]), &["a", "k", "c"])?;
    let rows = a.map(row);
    let other = Model::parse(&text([&rows[0], &rows[1], &rows[2]]), &["p", "q", "s"])?;
    // Two points, three parameters.
    let x = [0.5, 1.25];
    let data = Data::from_columns([("x", x.to_vec()), ("y", vec![1.0, 2.0])])?;
    let phi = [0.5, 0.6, 0.7];
    let theta = a.map(|row| row.iter().zip(&phi).map(|(a, p)| a * p).sum::<f64>());
    let values = |model: &Model, start: &[f64]| -> Result<Vec<[f64; 2]>, Error> {
        let stop = Stop { steps: 1, tests: false, ..Stop::default() };
        let sweep = Sweep::new(model, &data).start(start.to_vec()).step_sizes(step_sizes.to_vec());
        let outcome = engine.run(&sweep.scaling(Scaling::None).stop(stop))?;
        Ok(outcome.iter().map(|problem| x.map(|x| model.evaluate(problem.parameters(), &[x]))).collect())
    };
    let (one, two) = (values(&plain, &theta)?, values(&other, &phi)?);
    let distance = |(a, b): (&[f64; 2], &[f64; 2])| (a[0] - b[0]).hypot(a[1] - b[1]);
    Ok(one.iter().zip(&two).map(distance).collect())
}

/// Prints both experiments, in f64.
///
/// # Errors
/// If a device fails.
pub fn main() -> Result<(), Error> {
    let engine = Engine::open(natgrad::Choice::Cpu)?;
    let factors = [0.1, 0.3, 1.0, 3.0, 10.0];
    println!("first layer times c, second over c   gradient descent      natural gradient, multipliers at η = 1.5");
    for (c, certificate) in factors.iter().zip(rescaled_layers(&engine, &factors)?) {
        let f = &certificate.filters[1];
        let rows = &f.measured[..f.measured.len() - f.measured_kernel];
        let (low, high) = rows.iter().fold((f64::MAX, f64::MIN), |(low, high), &m| (low.min(m), high.max(m)));
        let verdict = if certificate.verdict == Verdict::Holds { "certified" } else { "refused" };
        let sharpness = certificate.hessian_sharpness;
        println!("c = {c:<5}                            sharpness {sharpness:8.3}    {low:.5} to {high:.5}, {verdict}");
    }
    let sizes = [0.4, 0.2, 0.1, 0.05, 0.025];
    println!("\nstep size   how far apart two parametrisations are after a step   over η²");
    for (size, apart) in sizes.iter().zip(reparametrised_steps(&engine, &sizes)?) {
        println!("{size:<9}   {apart:.3e}                                            {:.4}", apart / (size * size));
    }
    Ok(())
}
