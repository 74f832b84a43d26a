//! From a request to a job: everything read, bound and checked, before anything runs.

use std::sync::{Arc, OnceLock};

use sha2::{Digest, Sha256};

use crate::data::{BoundData, Data, Stack};
use crate::error::{Error, RequestError};
use crate::expr::RowExpression;
use crate::model::Model;

use super::check::{check_response, check_rule, check_stop};
use super::grid::{Recipe, StartGrid};
use super::index::ProblemIndex;
use super::job::{Held, Job, Whole};
use super::{Detail, Reduction, StepRule, Sweep};

impl Sweep {
    /// Reads and checks everything the sweep asks for.
    ///
    /// # Errors
    /// Whatever is wrong with the data, the starts, the rules or their combination, in one line.
    pub fn resolve(&self) -> Result<Job, Error> {
        let model = self.model.clone();
        self.check_names()?;
        let names: Vec<&str> = model.inputs().iter().map(String::as_str).collect();
        if let Some(error) = model.first_unknown(&|name| self.data.has_column(name), &self.data.names()) {
            return Err(error.into());
        }
        let source = self.responses()?;
        let guesses = self.guesses()?;
        let further: Vec<&str> = guesses.iter().flatten().flat_map(RowExpression::names).collect();
        if let Some(stack) = source.stack(&names, &further)? {
            match self.job_of_stack(stack, &guesses) {
                // Rows are to be left out: they are brought together one by one.
                Err(Error::Data(error)) if error.is_gap() && source.drops_gaps() => {}
                job => return job,
            }
        }
        let data = source.bind_with(&names, &further)?;
        let recipe = self.recipe(&data, &guesses)?;
        let (sets, data) = (0..data.sets.len(), Arc::new(data));
        check_response(&data, sets.clone())?;
        let starts = recipe.grid(&data, sets.clone())?;
        let whole = self.whole(&data, &recipe, None)?;
        Job::new(whole, Some(Held { sets, data, starts, edges: Vec::new() }))
    }

    /// A job over data sets of which each can be bound without the others.
    fn job_of_stack(&self, stack: Stack, guesses: &[Option<RowExpression>]) -> Result<Job, Error> {
        let frame = stack.bind(0..0)?;
        let recipe = self.recipe(&frame, guesses)?;
        let in_memory = stack.is_in_memory();
        let job = Job::new(self.whole(&frame, &recipe, Some((stack, recipe.clone())))?, None)?;
        if in_memory {
            return job.held_whole();
        }
        job.check_all()?;
        Ok(job)
    }

    /// What all windows of a job share; of the data only what does not grow with the rows is looked at.
    fn whole(&self, data: &BoundData, recipe: &Recipe, source: Option<(Stack, Recipe)>) -> Result<Whole, Error> {
        let averaged = self.averaged(data)?;
        let rules = self.rules(averaged)?;
        check_stop(&self.stop)?;
        self.history.check(&self.model)?;
        if self.history.is_kept() && self.detail == Detail::Essential {
            return Err(RequestError::HistoryOfEssential.into());
        }
        let sets = data.sets.clone();
        let problems = ProblemIndex::new(sets.len(), rules.len(), recipe.equal_count(), |set| recipe.count(set))?;
        if problems.len() == 0 {
            return Err(RequestError::NoProblems.into());
        }
        let grid = data.shared_grid();
        let rows = grid.unwrap_or_else(|| sets.rows());
        Ok(Whole {
            model: self.model.clone(),
            rules,
            stop: self.stop,
            errors: self.errors,
            history: self.history,
            detail: self.detail,
            averaged,
            keys: data.keys.clone(),
            dropped: data.dropped,
            inputs: Arc::new(input_table(&self.model, data, rows)),
            grid,
            has_sigma: data.sigma.as_ref().is_some_and(|sigma| sigma.constant() != Some(1.0)),
            problems,
            sets,
            seeds: recipe.seeds(),
            starts_are_shared: recipe.is_shared(),
            source,
            digest: OnceLock::new(),
            origin: None,
            asked: self.clone(),
        })
    }

    /// The data with a response for each output of the model: for several, unless others are named, `y1`, `y2`, …
    fn responses(&self) -> Result<Data, RequestError> {
        let outputs = self.model.outputs();
        let named = self.data.response_count();
        match self.model.as_network() {
            _ if named == Some(outputs) => Ok(self.data.clone()),
            Some(network) if named.is_none() => Ok(self.data.clone().responses(&network.responses())),
            None if named.is_none() => Ok(self.data.clone()),
            _ => Err(RequestError::Responses { responses: named.unwrap_or(1), outputs }),
        }
    }

    /// Refuses new names of columns that mean nothing, and a parameter or constant that hides a column.
    fn check_names(&self) -> Result<(), Error> {
        self.data.check_renames()?;
        let parameters = self.model.parameters().iter().map(|name| ("parameter", name.as_str()));
        let constants = self.model.constants().map(|(name, _)| ("constant", name));
        for (kind, name) in parameters.chain(constants) {
            if let Some(column) = self.data.claimant(name) {
                let (name, column, file) = (name.to_owned(), column.to_owned(), self.data.source().to_owned());
                return Err(RequestError::NameIsColumn { kind, name, column, file }.into());
            }
        }
        Ok(())
    }

    fn rules(&self, averaged: Option<usize>) -> Result<Vec<StepRule>, RequestError> {
        let blocks = if self.blocks.is_empty() { std::slice::from_ref(&self.plain) } else { &self.blocks };
        let mut rules = Vec::new();
        for block in blocks {
            if block.sizes.is_empty() {
                return Err(RequestError::EmptyAxis { axis: "step size" });
            }
            if block.dampings.is_empty() {
                return Err(RequestError::EmptyAxis { axis: "damping" });
            }
            for rule in block.rules(self.model.default_scaling()) {
                check_rule(&rule)?;
                rules.push(averaged.map_or(rule, |points| rule.of_mean(points as f64)));
            }
        }
        Ok(rules)
    }

    /// The residuals that a loss averages, where it does.
    fn averaged(&self, data: &BoundData) -> Result<Option<usize>, RequestError> {
        let (least, most) = (data.sets.least_rows(), data.sets.most_rows());
        match self.reduction {
            Reduction::Mean if least == most => Ok(Some(most)),
            Reduction::Mean => Err(RequestError::UnequalMeans { least, most }),
            Reduction::Sum => Ok(None),
        }
    }

    /// SHA-256 over everything that decides the results: data, model, starts, rules, stop, history.
    /// `starts`: where they are held; else what they are made of stands for them.
    pub(super) fn digest(&self, starts: Option<&StartGrid>) -> String {
        let mut hash = Sha256::new();
        // `resolve` has made sure that there are as many responses as the model wants.
        hash.update(self.responses().as_ref().unwrap_or(&self.data).digest());
        hash.update(self.model.digest());
        hash.update(format!(
            "{:?} {:?} {:?} {:?} {:?} {:?} {:?}",
            self.plain, self.blocks, self.reduction, self.stop, self.errors, self.history, self.detail
        ));
        match starts {
            Some(starts) => starts.values().iter().for_each(|value| hash.update(value.to_bits().to_le_bytes())),
            None => self.starts.add_to(&mut |bytes| hash.update(bytes)),
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The model's inputs of the first rows of the data, row after row.
fn input_table(model: &Model, data: &BoundData, rows: usize) -> Vec<f64> {
    let outputs = model.outputs();
    let mut inputs = Vec::with_capacity(rows * model.row_inputs());
    for row in 0..rows {
        inputs.extend(data.inputs.iter().map(|column| column.get(row)));
        if outputs > 1 {
            // The outputs of a row of data stand side by side, and data sets are whole rows of data.
            inputs.push((row % outputs) as f64);
        }
    }
    inputs
}
