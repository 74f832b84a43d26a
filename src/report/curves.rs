use std::io::{self, Write};

use super::columns::Names;
use super::csv::{shortest, write_with};
use crate::sweep::{Job, Outcome, Problem};

/// One data point of a fitted problem.
#[derive(Clone, Debug, PartialEq)]
pub struct CurvePoint {
    /// The line of the data file (or the row of data in memory), from 1.
    pub line: u64,
    /// The model's inputs, in the order of their names, and behind them, where it has several outputs, which one: from 1.
    pub inputs: Vec<f64>,
    /// The response.
    pub response: f64,
    /// The model at the problem's final parameters.
    pub fit: f64,
    /// fit − response, divided by sigma where there is one: the residual whose squares the loss sums.
    pub residual: f64,
}

/// The data of a problem beside the model at its final parameters.
///
/// # Panics
/// If the data are in a file that can no longer be read as it was when the sweep was resolved.
#[must_use]
pub fn curve(job: &Job, problem: &Problem<'_>) -> Vec<CurvePoint> {
    let index = problem.index();
    let window = job.window(index..index + 1);
    at_hand(&window.expect("data that were sound when the sweep was resolved"), problem)
}

/// The same where the problem's data set is at hand.
fn at_hand(job: &Job, problem: &Problem<'_>) -> Vec<CurvePoint> {
    job.rows(problem.set())
        .map(|row| {
            let (inputs, response) = (job.inputs(row), job.response(row));
            let fit = job.model().evaluate(problem.parameters(), inputs);
            CurvePoint {
                line: job.data().line(row),
                inputs: shown(inputs, job.model().outputs()),
                response,
                fit,
                residual: (fit - response) * job.weight(row),
            }
        })
        .collect()
}

/// The inputs as users see them: outputs are counted from 1.
fn shown(inputs: &[f64], outputs: usize) -> Vec<f64> {
    let mut shown = inputs.to_vec();
    if let Some(output) = shown.last_mut().filter(|_| outputs > 1) {
        *output += 1.0;
    }
    shown
}

/// Writes data, fit and residual row by row as CSV: `problem`, the group columns, `start`, `line`, the inputs by name, of a
/// model with several outputs the `output`, `response`, `fit`, `residual`. The outcome must be one of this job.
///
/// # Errors
/// What the writer answers.
pub fn write_curves(job: &Job, outcome: &Outcome, writer: impl Write) -> io::Result<()> {
    let mut names = job.model().inputs().to_vec();
    names.extend((job.model().outputs() > 1).then(|| "output".to_owned()));
    let points = |problem: &Problem<'_>| {
        let index = problem.index();
        let window = job.window(index..index + 1).map_err(io::Error::other)?;
        Ok(at_hand(&window, problem))
    };
    write_points(outcome, &names, points, writer)
}

fn write_points(
    outcome: &Outcome,
    inputs: &[String],
    points: impl Fn(&Problem<'_>) -> io::Result<Vec<CurvePoint>>,
    writer: impl Write,
) -> io::Result<()> {
    let context = outcome.context();
    let groups = Names::new(context).groups;
    // A column in use as group and as input stands once, as a group column.
    let shown: Vec<usize> =
        (0..inputs.len()).filter(|&k| !context.keys.iter().any(|key| key.name == inputs[k])).collect();
    write_with(writer, |csv| {
        csv.write_field("problem")?;
        groups.iter().try_for_each(|name| csv.write_field(name))?;
        csv.write_field("start")?;
        csv.write_field("line")?;
        for &k in &shown {
            csv.write_field(input_name(&inputs[k]))?;
        }
        csv.write_record(["response", "fit", "residual"])?;
        for problem in outcome.iter() {
            for point in points(&problem)? {
                csv.write_field(problem.index().to_string())?;
                for key in &context.keys {
                    csv.write_field(key.get(problem.set()).to_string())?;
                }
                csv.write_field(problem.start_index().to_string())?;
                csv.write_field(point.line.to_string())?;
                for &k in &shown {
                    csv.write_field(shortest(point.inputs[k]))?;
                }
                csv.write_record([point.response, point.fit, point.residual].map(finite_or_empty))?;
            }
        }
        Ok(())
    })
}

/// An input's own name, unless another column of the file has it.
fn input_name(name: &str) -> String {
    let taken = ["problem", "start", "line", "response", "fit", "residual"].contains(&name);
    if taken { format!("input_{name}") } else { name.to_owned() }
}

fn finite_or_empty(value: f64) -> String {
    if value.is_finite() { shortest(value) } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::super::example::outcome;
    use super::*;

    #[test]
    fn every_point_of_every_problem_has_a_row() {
        let points = |problem: &Problem<'_>| {
            Ok(vec![CurvePoint {
                line: 2,
                inputs: vec![77.6, 1.0],
                response: 10.07,
                fit: if problem.index() == 2 { f64::NAN } else { 10.0 },
                residual: -0.07,
            }])
        };
        let mut bytes = Vec::new();
        let inputs = ["x".to_owned(), "line".to_owned()];
        write_points(&outcome(), &inputs, points, &mut bytes).unwrap();
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "problem,cell,start,line,x,input_line,response,fit,residual\n\
             0,\"A, left\",0,2,77.6,1.0,10.07,10.0,-0.07\n\
             1,\"A, left\",0,2,77.6,1.0,10.07,10.0,-0.07\n\
             2,B,0,2,77.6,1.0,10.07,,-0.07\n\
             3,B,0,2,77.6,1.0,10.07,10.0,-0.07\n"
        );
    }
}
