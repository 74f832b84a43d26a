//! JᵀJ and Jᵀe summed up line by line: the step is that of the twin, and sums in which terms cancel are left to rotations.

use faer::Mat;

use super::*;
use crate::backend::residual_and_jacobian;
use crate::data::Data;
use crate::engine::Engine;
use crate::expr::unrolled::Grid;
use crate::expr::{Rewrite, Rewrites};
use crate::kernels::fused::code::{Coordinates, parts};
use crate::kernels::fused::form::Form;
use crate::kernels::fused::twin;
use crate::model::Kind;
use crate::sweep::{Detail, Job, StepBlock, Sweep};

/// How many points a line has, and how many lines there are: few enough to be written out, and too many.
const GRIDS: [(usize, usize); 2] = [(5, 4), (9, 17)];

/// Data sets on a grid in [−1, 1] × [−1.125, 1.125], with a response of their own at each point.
fn on_grid((width, lines): (usize, usize)) -> Data {
    let mut columns = [const { Vec::new() }; 4];
    for b in 0..BATCH {
        for i in 0..width * lines {
            let at = |k: usize, count: usize| k as f64 / (count - 1) as f64;
            let (u, v) = (2.0 * at(i % width, width) - 1.0, 2.25 * at(i / width, lines) - 1.125);
            let values = [b as f64, u, v, 2.0 * uniform(b, i)];
            columns.iter_mut().zip(values).for_each(|(column, value)| column.push(value));
        }
    }
    let [set, u, v, y] = columns;
    Data::from_columns([("set", set), ("u", u), ("v", v), ("y", y)]).unwrap().group_by(&["set"])
}

/// Small enough that a step does not lead where others are in doubt: one ends where the next could be taken.
const SIZE: f64 = 0.25;

/// One exact step.
fn one_step(grid: (usize, usize), model: &Model, start: &[f64]) -> Sweep {
    let block = StepBlock { sizes: vec![SIZE], dampings: vec![Damping::Fixed(0.0)], ..StepBlock::default() };
    let stop = Stop { steps: 1, tests: false, ..Stop::default() };
    Sweep::new(model, &on_grid(grid)).start(start.to_vec()).block(block).stop(stop).detail(Detail::Essential)
}

/// The text of the rows and their sums.
fn text(model: &Model, job: &Job) -> String {
    let Kind::Expression(expression) = model.kind() else { unreachable!("models here are expressions") };
    let rows = job.shared_grid().unwrap();
    let grid = Grid::of(rows, expression.inputs.len(), |row, input| job.inputs(row)[input]);
    parts(expression, &Coordinates::InGrid(grid), Form::of(job.rules(), true), true).map(|part| part.wgsl).concat()
}

fn goes_by_lines(text: &str) -> bool {
    text.contains("let along0")
}

fn is_loop(text: &str) -> bool {
    text.contains("for (")
}

/// θ of every problem after the step, none of which is mended by kernels in memory, and how many took it by rotations.
fn left_by_the_kernel(device: &Device, sweep: &Sweep, p: usize) -> (Vec<Vec<f64>>, u64) {
    let engine = Engine::from_device(device.clone()).unwrap();
    let mut fits = engine.resident(sweep).unwrap();
    let by_rotations = fits.run_and_count().unwrap();
    let found = device.read(fits.parameters()).unwrap();
    let theta = |b| (0..p).map(|j| f64::from(found[fits.place(b, j)])).collect();
    ((0..fits.len() as usize).map(theta).collect(), by_rotations)
}

fn length(v: impl IntoIterator<Item = f64>) -> f64 {
    v.into_iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// How far ends of problems are from where a step of the twin leads, with unit columns, beside the step's length, ‖e‖, and κ:
/// the worst of all data sets by error.
fn worst(job: &Job, ends: Vec<Vec<f64>>, start: &[f64]) -> [f64; 4] {
    let p = start.len();
    let one = |(set, theta): (usize, Vec<f64>)| {
        let (e, j) = residual_and_jacobian(job, set, start);
        let rows: Vec<Vec<f64>> = j.row_iter().map(|row| row.iter().copied().collect()).collect();
        let delta = twin::step(&rows, &e, 0.0, true);
        let columns: Vec<f64> = (0..p).map(|k| j.col(k).norm_l2()).collect();
        let unit = Mat::from_fn(e.len(), p, |i, k| j[(i, k)] / columns[k]);
        let sigma = unit.singular_values().unwrap();
        let error = length((0..p).map(|k| columns[k] * (start[k] - SIZE * delta[k] - theta[k])));
        let of_step = length((0..p).map(|k| columns[k] * SIZE * delta[k]));
        [error, of_step, length(e.iter().copied()), sigma[0] / sigma[p - 1]]
    };
    let all = ends.into_iter().enumerate().map(one);
    all.max_by(|a, b| a[0].total_cmp(&b[0])).unwrap()
}

/// A model, its parameters, and where the step begins.
type Case<'a> = (&'a str, &'a [&'a str], &'a [f64]);

const SADDLE: Case =
    ("a*((u - m)**2 - (v - n)**2) + b*u*v + c", &["a", "m", "n", "b", "c"], &[1.5, 0.3, 0.2, -0.75, 0.5]);

/// Takes the step by lines, and holds it against the twin's.
fn is_that_of_the_twin(device: &Device, grid: (usize, usize), (text_of, parameters, start): Case) {
    let sweep = one_step(grid, &Model::parse(text_of, parameters).unwrap(), start);
    let job = sweep.resolve().unwrap();
    let text_here = text(job.model(), &job);
    assert!(goes_by_lines(&text_here) && is_loop(&text_here) == (grid.0 * grid.1 > 64), "{text_of}");
    let without = job.model().with_rewrites(Rewrites::all().without(Rewrite::GridSums)).unwrap();
    assert!(!goes_by_lines(&text(&without, &job)), "{text_of}");
    let (ends, by_rotations) = left_by_the_kernel(device, &sweep, start.len());
    assert_eq!(by_rotations, 0, "{text_of}: the step is not one of normal equations");
    let [error, of_step, of_e, condition] = worst(&job, ends, start);
    // With unit columns: a factor is good to 8u (an exponential, two products, a difference), a sum of w products of two along a
    // line to (16 + w)u, one of h across to (16 + h)u, and the product of both is rounded; three terms of one sign each, or of
    // moduli up to four times their sum (of the saddle and the square), make four times as much and 3u. Jᵀe likewise, e itself
    // to 12u. κ² of both, ηth parts as the step; ‖Jᵀe‖ ≤ √p‖e‖. θ, below 2.5 with columns up to 30, is rounded.
    let (p, each) = (start.len() as f64, 4.0 * (33 + grid.0 + grid.1) as f64 + 3.0);
    let of_both = condition.powi(2) * (p * of_step + SIZE * p.sqrt() * of_e);
    let bound = U * (each * of_both + 75.0);
    assert!(of_step > 0.1 && bound < 0.3 * of_step, "{text_of}: {bound:e} for a step of {of_step}, κ = {condition}");
    assert!(error <= bound, "{text_of} on {grid:?}: off by {error:e} of {of_step}, bound {bound:e}");
}

#[test]
fn a_step_by_lines_is_that_of_the_normal_equations() {
    // One term each; two terms, of one sign and of both; a factor of the parameters alone; two peaks.
    let peak: Case =
        ("a*exp(-((u - m)**2 + (v - n)**2)/(2*s**2)) + b", &["a", "m", "n", "s", "b"], &[2.0, 0.1, -0.2, 0.5, 0.5]);
    let square: Case = ("(a*u + b*v)**2 + c*u + d + g*v", &["a", "b", "c", "d", "g"], &[1.0, -0.5, 2.0, 0.5, 0.25]);
    let waves: Case = ("sin(k*u)*cos(l*v) + d*k", &["k", "l", "d"], &[1.2, 0.9, 0.5]);
    // With a factor that is zero throughout, and nothing lost by it.
    let level: Case = ("sin(k*u)*cos(l*v) + d*k", &["k", "l", "d"], &[1.2, 0.9, 0.0]);
    let two: Case = (
        "a*exp(-(u - m)**2 - (v - n)**2) + c*exp(-(u - r)**2 - (v - q)**2)",
        &["a", "m", "n", "c", "r", "q"],
        &[2.0, -0.6, -0.5, 1.5, 0.7, 0.6],
    );
    for_each_device(|device| {
        for grid in GRIDS {
            [peak, SADDLE, square, waves, level, two].iter().for_each(|&case| is_that_of_the_twin(device, grid, case));
        }
    });
}

#[test]
fn every_problem_reads_its_own_rows_wherever_in_a_quad_they_begin() {
    // Data sets, written out, and lines in a loop that leave each remainder by four.
    let grids = [(4, 4), (5, 3), (6, 3), (7, 3), (5, 14), (6, 12), (7, 11), (8, 9)];
    for_each_device(|device| grids.iter().for_each(|&grid| is_that_of_the_twin(device, grid, SADDLE)));
}

#[test]
fn derivatives_whose_terms_cancel_are_left_to_rotations() {
    // d/da is u·v, in terms of 2500: sums by lines know its square to 6·10⁶·u, which is as much as it is itself.
    let text_of = "a*((u + 50)*(v + 50) - 50*u - 50*(v + 50)) + b*u + c + d*v + g*u*u";
    let start = [1.5, -0.5, 0.25, 0.5, -0.75];
    for_each_device(|device| {
        for grid in GRIDS {
            let sweep = one_step(grid, &Model::parse(text_of, &["a", "b", "c", "d", "g"]).unwrap(), &start);
            let job = sweep.resolve().unwrap();
            assert!(goes_by_lines(&text(job.model(), &job)));
            let (ends, by_rotations) = left_by_the_kernel(device, &sweep, start.len());
            assert_eq!(by_rotations, BATCH as u64);
            let [error, of_step, of_e, condition] = worst(&job, ends, &start);
            // By rows d/da is good to 4·2500u where it is 0.4 or more at the root of its mean square, and so is e, which a
            // multiplies. 1, u and v are orthogonal to it and to each other here, and u² is to all but 1.
            assert!(condition < 4.0, "{condition}");
            let bound = U * condition * (4.0 * 2500.0 / 0.4) * (of_step + SIZE * of_e + start[0]);
            assert!(bound < 0.02 * of_step, "{bound:e} of {of_step}");
            assert!(error <= bound, "off by {error:e} of {of_step}, bound {bound:e}");
        }
    });
}

#[test]
fn factors_whose_squares_have_no_digits_are_not_taken_at_their_word() {
    // Along the lines 10⁻²¹, across them 10¹⁸: products are ordinary numbers, and squares of the one have three digits or none.
    let text_of = "a*(exp(u - 48)*exp(v + 41)) + b*v";
    let start = [0.75, 0.5];
    for_each_device(|device| {
        for grid in GRIDS {
            let sweep = one_step(grid, &Model::parse(text_of, &["a", "b"]).unwrap(), &start);
            let job = sweep.resolve().unwrap();
            assert!(goes_by_lines(&text(job.model(), &job)));
            // Rotations have an answer; kernels in memory would have one too, at many times the cost.
            let (ends, by_rotations) = left_by_the_kernel(device, &sweep, start.len());
            assert_eq!(by_rotations, BATCH as u64);
            let [error, of_step, of_e, condition] = worst(&job, ends, &start);
            // Exponents of 50 are rounded: 50u of each exponential.
            let bound = U * condition.powi(2) * 2.0 * 120.0 * (of_step + SIZE * of_e + 4.0);
            assert!(bound < 0.01 * of_step, "{bound:e} of {of_step}, κ = {condition}");
            assert!(error <= bound, "off by {error:e} of {of_step}, bound {bound:e}");
        }
    });
}

#[test]
fn what_has_no_factors_goes_row_by_row_and_so_does_what_has_no_lines() {
    let texts = ["a*exp(-b*u*v)", "a/(1 + b*b*(u*u + v*v))", "a*sqrt(u*u + v*v + b*b)"];
    for (grid, text_of) in GRIDS.iter().flat_map(|&grid| texts.map(|text_of| (grid, text_of))) {
        let sweep = one_step(grid, &Model::parse(text_of, &["a", "b"]).unwrap(), &[1.0, 0.5]);
        let job = sweep.resolve().unwrap();
        assert!(!goes_by_lines(&text(job.model(), &job)), "{text_of}");
    }
    // Lines too long to be written out.
    let sweep =
        one_step((200, 2), &Model::parse("a*exp(-b*u*u - c*v*v)", &["a", "b", "c"]).unwrap(), &[1.0, 0.5, 0.25]);
    let job = sweep.resolve().unwrap();
    assert!(!goes_by_lines(&text(job.model(), &job)));
    // A curve is one line, of which there is nothing to share.
    for points in [20, 200] {
        let values = vec![1.0_f32; 3 * points];
        let data = Data::from_array(&values, &[3, points], &["set", "u"]).unwrap();
        let model = Model::parse("a*exp(-b*u) + c", &["a", "b", "c"]).unwrap();
        let job = Sweep::new(&model, &data).start([1.0, 0.1, 0.0]).resolve().unwrap();
        assert!(!goes_by_lines(&text(&model, &job)), "{points} points");
    }
}
