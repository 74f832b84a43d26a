use std::io::{self, Write};

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::columns::Names;
use crate::data::Key;
use crate::ngd::Reason;
use crate::sweep::{Context, Outcome, Problem};

/// Writes the outcome as JSON lines: an object a problem, with the group columns by name, `set`, `start`, `status`,
/// `reason`, `steps`, `points`, `loss`, `residual_sum_of_squares`, `reduced_chi_square`, `parameters`,
/// `standard_errors` and `covariance`, `rank`, `unresolved` (the parameters that the null vectors mix),
/// `singular_values`, `scaling`, `device` and `precision`. What is not finite is null, and so is what follows from the
/// factorisation of J where it was [not factored](Problem::is_factored) at the end. Of a network `parameters` is a list, there
/// where [asked for](Outcome::with_parameter_lists), and there are neither errors, covariance nor unresolved parameters.
///
/// # Errors
/// What the writer answers.
pub fn write_jsonl(outcome: &Outcome, mut writer: impl Write) -> io::Result<()> {
    let names = Names::new(outcome.context());
    for problem in outcome.iter() {
        let line = Line { context: outcome.context(), names: &names, problem };
        serde_json::to_writer(&mut writer, &line)?;
        writer.write_all(b"\n")?;
    }
    writer.flush()
}

/// One problem as a JSON object whose keys keep their order.
struct Line<'a> {
    context: &'a Context,
    names: &'a Names,
    problem: Problem<'a>,
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let problem = &self.problem;
        let mut line = serializer.serialize_map(None)?;
        for (name, key) in self.names.groups.iter().zip(&self.context.keys) {
            match key.get(problem.set()) {
                Key::Integer(value) => line.serialize_entry(name, &value)?,
                Key::Number(value) => line.serialize_entry(name, &value)?,
                Key::Text(value) => line.serialize_entry(name, value)?,
            }
        }
        line.serialize_entry("set", &problem.set())?;
        line.serialize_entry("start", &problem.start_index())?;
        line.serialize_entry("status", problem.status().name())?;
        line.serialize_entry("reason", &problem.reason().map(Reason::name))?;
        line.serialize_entry("steps", &problem.steps())?;
        line.serialize_entry("points", &problem.points())?;
        line.serialize_entry("loss", &problem.loss())?;
        line.serialize_entry("residual_sum_of_squares", &problem.residual_sum_of_squares())?;
        line.serialize_entry("reduced_chi_square", &problem.reduced_chi_square())?;
        let factored = problem.is_factored();
        if self.context.network {
            if self.context.parameter_lists {
                line.serialize_entry("parameters", problem.parameters())?;
            }
            line.serialize_entry("rank", &problem.rank())?;
        } else {
            line.serialize_entry("parameters", &ByName(&self.context.parameters, problem.parameters()))?;
            line.serialize_entry("standard_errors", &ByName(&self.context.parameters, &problem.standard_errors()))?;
            let covariance = problem.covariance();
            let rows = || covariance.chunks(self.context.parameters.len().max(1)).collect::<Vec<&[f64]>>();
            line.serialize_entry("covariance", &factored.then(rows))?;
            line.serialize_entry("rank", &problem.rank())?;
            line.serialize_entry("unresolved", &factored.then(|| problem.unresolved()))?;
        }
        line.serialize_entry("singular_values", &factored.then(|| problem.singular_values()))?;
        line.serialize_entry("scaling", problem.rule().scaling.name())?;
        line.serialize_entry("device", &self.context.device)?;
        line.serialize_entry("precision", &self.context.precision.to_string())?;
        line.end()
    }
}

/// Values under the parameters' names.
struct ByName<'a>(&'a [String], &'a [f64]);

impl Serialize for ByName<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().zip(self.1))
    }
}

#[cfg(test)]
mod tests {
    use super::super::example::{empty_outcome_with, outcome, stale_outcome};
    use super::*;

    fn lines(outcome: &Outcome) -> Vec<String> {
        let mut bytes = Vec::new();
        write_jsonl(outcome, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_line_holds_the_documented_keys_in_their_order() {
        assert_eq!(
            lines(&outcome())[0],
            "{\"cell\":\"A, left\",\"set\":0,\"start\":0,\"status\":\"converged\",\"reason\":\"gradient\",\
             \"steps\":12,\"points\":4,\"loss\":0.25,\"residual_sum_of_squares\":0.5,\"reduced_chi_square\":0.25,\
             \"parameters\":{\"b1\":238.5,\"b2\":0.00055},\"standard_errors\":{\"b1\":1.0,\"b2\":2.0},\
             \"covariance\":[[1.0,-0.25],[-0.25,4.0]],\"rank\":2,\"unresolved\":[],\"singular_values\":[1.5,0.5],\
             \"scaling\":\"columns\",\"device\":\"test\",\"precision\":\"f64\"}"
        );
    }

    #[test]
    fn what_is_not_finite_is_null_and_every_line_is_json() {
        let parsed: Vec<serde_json::Value> =
            lines(&outcome()).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(parsed.len(), 4);
        assert!(parsed[2]["loss"].is_null() && parsed[2]["standard_errors"]["b1"].is_null());
        assert_eq!(parsed[2]["status"], "non_finite");
        assert_eq!(parsed[3]["unresolved"][0], "b2");
        assert!(parsed[3]["standard_errors"]["b2"].is_null());
    }

    #[test]
    fn what_an_earlier_factorisation_said_is_null_where_there_is_none_at_the_end() {
        for line in lines(&stale_outcome()) {
            let parsed: serde_json::Value = serde_json::from_str(&line).unwrap();
            for name in ["rank", "unresolved", "singular_values", "covariance", "reduced_chi_square"] {
                assert!(parsed[name].is_null(), "{name}: {line}");
            }
            assert!(parsed["standard_errors"]["b1"].is_null() && parsed["standard_errors"]["b2"].is_null(), "{line}");
            assert_eq!(parsed["loss"], 0.25, "{line}");
        }
    }

    #[test]
    fn no_problems_are_no_lines() {
        assert!(lines(&empty_outcome_with(&[], &["a"])).is_empty());
    }
}
