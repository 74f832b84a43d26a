//! The starting points of all data sets: values, guesses, a file and random draws brought together.

use std::ops::Range;

use crate::data::{BoundData, StartTable};
use crate::error::{Error, RequestError};
use crate::expr::RowExpression;
use crate::memory;
use crate::starts::{Distribution, Initialisation, StartRange, random_start};

use super::{Draw, RandomStarts, Sweep};

/// The starting points of all data sets.
#[derive(Debug)]
pub(super) struct StartGrid {
    /// θ after θ.
    pub(super) values: Vec<f64>,
    /// First start of each data set in `values`, and the end; or one range that all data sets share.
    offsets: Offsets,
    /// The seeds of the random starts, which come last among the starts of a data set.
    pub(super) seeds: Option<Range<u64>>,
}

#[derive(Debug)]
enum Offsets {
    Shared(usize),
    PerSet(Vec<usize>),
}

impl StartGrid {
    /// Data set and θ of each start, by ascending data set.
    pub(super) fn of_sets<'a>(
        starts: impl IntoIterator<Item = (usize, &'a [f64])>,
        sets: usize,
        parameters: usize,
    ) -> Result<Self, RequestError> {
        let mut values = Vec::new();
        let mut offsets = vec![0];
        for (set, theta) in starts {
            if theta.len() != parameters {
                return Err(RequestError::StartLength { given: theta.len(), parameters });
            }
            assert!(offsets.len() <= set + 1 && set < sets, "starts by ascending data set, of which there are {sets}");
            offsets.resize(set + 1, values.len() / parameters);
            values.extend_from_slice(theta);
        }
        offsets.resize(sets + 1, values.len() / parameters);
        Ok(Self { values, offsets: Offsets::PerSet(offsets), seeds: None })
    }

    pub(super) fn is_shared(&self) -> bool {
        matches!(self.offsets, Offsets::Shared(_))
    }

    pub(super) fn range(&self, set: usize) -> Range<usize> {
        match &self.offsets {
            Offsets::Shared(count) => 0..*count,
            Offsets::PerSet(offsets) => offsets[set]..offsets[set + 1],
        }
    }
}

/// One start: a value for each parameter, or `None` where its guess stands in.
type Template = Vec<Option<f64>>;

impl Sweep {
    /// The guess of each parameter, its names looked up among the columns.
    pub(super) fn guesses(&self) -> Result<Vec<Option<RowExpression>>, Error> {
        let mut guesses: Vec<Option<RowExpression>> = vec![None; self.model.parameters().len()];
        for (name, text) in &self.starts.guesses {
            let j = self.model.parameter_index(name).ok_or_else(|| self.unknown_parameter(name, "guess"))?;
            let guess = RowExpression::parse(text).map_err(|error| Error::guess(name, error.into()))?;
            self.data.check_guess(&guess).map_err(|error| Error::guess(name, error.into()))?;
            if guesses[j].replace(guess).is_some() {
                return Err(RequestError::DuplicateParameter { name: name.clone(), place: "guess" }.into());
            }
        }
        Ok(guesses)
    }

    pub(super) fn start_grid(&self, data: &BoundData, guesses: &[Option<RowExpression>]) -> Result<StartGrid, Error> {
        let sources = &self.starts;
        let parameters = self.model.parameters();
        let marginals = sources.random.as_ref().map(|random| self.marginals(random, guesses)).transpose()?;
        let random_gap = marginals.iter().flatten().any(Option::is_none);
        let templates = self.templates(guesses, random_gap)?;
        let table = sources
            .file
            .as_ref()
            .map(|path| {
                let groups: Vec<&str> = data.keys.iter().map(|key| key.name.as_str()).collect();
                let names: Vec<&str> = parameters.iter().map(String::as_str).collect();
                StartTable::read_csv(path, &names, &groups)?.join(data)
            })
            .transpose()?;
        if templates.is_empty() && table.is_none() && marginals.is_none() {
            return Err(RequestError::NoStart { parameter: parameters[0].clone() }.into());
        }
        let guessed = random_gap || templates.iter().flatten().any(Option::is_none);
        // Starts without guesses are those of every data set.
        let shared = !guessed && table.is_none();
        let sets = if shared { 1 } else { data.sets.len() };
        let seeds = sources.random.as_ref().map_or(0..0, |random| random.seeds.clone());
        check_memory(&seeds, parameters.len() as u64 * sets as u64)?;

        let guess = |(name, guess): (&String, &Option<RowExpression>)| {
            let values = guess.as_ref().map(|guess| data.guesses(guess)).transpose();
            values.map_err(|error| Error::guess(name, error.into()))
        };
        let guessed: Vec<Option<Vec<f64>>> = parameters.iter().zip(guesses).map(guess).collect::<Result<_, _>>()?;
        let mut values = Vec::new();
        let mut offsets = vec![0];
        for set in 0..sets {
            // What has neither a value nor a guess was refused above.
            let fill = |j: usize| guessed[j].as_ref().map_or(f64::NAN, |guess| guess[set]);
            for template in &templates {
                values.extend(template.iter().enumerate().map(|(j, value)| value.unwrap_or_else(|| fill(j))));
            }
            if let Some(table) = &table {
                values.extend(table.of_set(set).flatten());
            }
            for (seed, marginals) in seeds.clone().flat_map(|seed| marginals.iter().map(move |m| (seed, m))) {
                let draw = |(j, marginal): (usize, &Option<Marginal>)| match marginal {
                    Some(marginal) => marginal.draw(seed, j as u32),
                    None => fill(j),
                };
                values.extend(marginals.iter().enumerate().map(draw));
            }
            offsets.push(values.len() / parameters.len());
        }
        let offsets = if shared { Offsets::Shared(offsets[1]) } else { Offsets::PerSet(offsets) };
        Ok(StartGrid { values, offsets, seeds: sources.random.as_ref().map(|_| seeds) })
    }

    /// The starts given by value and those that guesses make. With gaps in the random starts the guesses may be there
    /// to fill these.
    fn templates(&self, guesses: &[Option<RowExpression>], random_gap: bool) -> Result<Vec<Template>, RequestError> {
        let sources = &self.starts;
        let parameters = self.model.parameters();
        let mut templates: Vec<Template> = Vec::new();
        for named in &sources.named {
            let mut template = vec![None; parameters.len()];
            for (name, value) in named {
                let j = self.model.parameter_index(name).ok_or_else(|| self.unknown_parameter(name, "start"))?;
                if template[j].replace(*value).is_some() {
                    return Err(RequestError::DuplicateParameter { name: name.clone(), place: "start" });
                }
            }
            templates.push(template);
        }
        for values in &sources.positional {
            if values.len() != parameters.len() {
                return Err(RequestError::StartLength { given: values.len(), parameters: parameters.len() });
            }
            templates.push(values.iter().copied().map(Some).collect());
        }
        let complete = guesses.iter().all(Option::is_some);
        if templates.is_empty() && guesses.iter().any(Option::is_some) && (complete || !random_gap) {
            templates.push(vec![None; parameters.len()]);
        }
        let count = templates.len();
        for (k, template) in templates.iter().enumerate() {
            for ((value, guess), name) in template.iter().zip(guesses).zip(parameters) {
                let parameter = name.clone();
                match value {
                    None if guess.is_none() && count == 1 => return Err(RequestError::NoStart { parameter }),
                    None if guess.is_none() => {
                        return Err(RequestError::IncompleteStart { number: k + 1, count, parameter });
                    }
                    Some(value) if !value.is_finite() => {
                        return Err(RequestError::StartNotFinite { parameter, value: *value });
                    }
                    _ => {}
                }
            }
        }
        Ok(templates)
    }

    /// From what each parameter's random start is drawn; `None` where its guess stands in.
    fn marginals(
        &self,
        random: &RandomStarts,
        guesses: &[Option<RowExpression>],
    ) -> Result<Vec<Option<Marginal>>, RequestError> {
        if random.seeds.is_empty() {
            return Err(RequestError::EmptyAxis { axis: "random seed" });
        }
        let parameters = self.model.parameters();
        let ranges = match &random.draw {
            Draw::Scaled { distribution, scale } => {
                return Ok(vec![Some(Marginal::Scaled(*distribution, *scale)); parameters.len()]);
            }
            Draw::Initialised(initialisation) => return self.initialised(initialisation),
            Draw::Ranges(ranges) => ranges,
        };
        let mut marginals = vec![None; parameters.len()];
        for (name, range) in ranges {
            let j = self.model.parameter_index(name).ok_or_else(|| self.unknown_parameter(name, "random start"))?;
            if let Some(problem) = range.problem() {
                return Err(RequestError::StartRange { parameter: name.clone(), range: range.to_string(), problem });
            }
            if marginals[j].replace(Marginal::Range(*range)).is_some() {
                return Err(RequestError::DuplicateParameter { name: name.clone(), place: "random start" });
            }
        }
        let gap = (0..parameters.len()).find(|&j| marginals[j].is_none() && guesses[j].is_none());
        match gap {
            Some(j) => Err(RequestError::NoRange { parameter: parameters[j].clone() }),
            None => Ok(marginals),
        }
    }

    /// The same for a network, layer by layer.
    fn initialised(&self, initialisation: &Initialisation) -> Result<Vec<Option<Marginal>>, RequestError> {
        let network = self.model.as_network().ok_or(RequestError::InitialiserOfExpression)?;
        let distribution = initialisation.distribution;
        let marginal = |deviation: f64| Some(Marginal::Scaled(distribution, distribution.scale_of(deviation)));
        Ok(network.deviations(initialisation)?.into_iter().map(marginal).collect())
    }

    fn unknown_parameter(&self, name: &str, place: &'static str) -> RequestError {
        RequestError::UnknownParameter { name: name.to_owned(), place, parameters: self.model.parameters().join(", ") }
    }
}

/// From what the random starts of one parameter are drawn.
#[derive(Clone, Copy, Debug)]
enum Marginal {
    Scaled(Distribution, f64),
    Range(StartRange),
}

impl Marginal {
    fn draw(self, seed: u64, parameter: u32) -> f64 {
        match self {
            // Zero, and not minus zero.
            Self::Scaled(_, 0.0) => 0.0,
            Self::Scaled(distribution, scale) => random_start(seed, parameter, distribution, scale),
            Self::Range(range) => range.draw(seed, parameter),
        }
    }
}

/// Refuses random starts of `width` numbers a seed that would not fit in memory.
fn check_memory(seeds: &Range<u64>, width: u64) -> Result<(), RequestError> {
    let count = seeds.end.saturating_sub(seeds.start);
    memory::check(count, 8 * width, |needed, free, fits| RequestError::TooManySeeds { count, needed, free, fits })
}
