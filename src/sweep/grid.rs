//! The starting points of all data sets: values, guesses, a file and random draws brought together.

use std::ops::Range;
use std::sync::Arc;

use crate::data::{BoundData, JoinedStarts, Numbers, StartTable};
use crate::error::{Error, RequestError};
use crate::expr::RowExpression;
use crate::memory;
use crate::starts::{Distribution, Initialisation, StartRange, random_start};

use super::start_values::Lent;
use super::{Draw, RandomStarts, Sweep};

/// The starting points of data sets.
#[derive(Debug)]
pub(super) struct StartGrid {
    /// θ after θ.
    values: Arc<Vec<f64>>,
    parameters: usize,
    /// Which of them are those of a data set.
    offsets: Offsets,
}

#[derive(Debug)]
enum Offsets {
    /// All data sets have all of them, so many.
    Shared(usize),
    /// Each data set from the first on has so many.
    Each { first: usize, count: usize },
    /// Where the starts of each data set from the first on begin, and the end.
    PerSet { first: usize, offsets: Vec<usize> },
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
        Ok(Self { values: Arc::new(values), parameters, offsets: Offsets::PerSet { first: 0, offsets } })
    }

    /// All values, start after start.
    pub(super) fn values(&self) -> &[f64] {
        &self.values
    }

    /// The same for others to read, where they are those of all data sets, each the start of as many problems as there are rules.
    pub(super) fn lent(&self, rules: usize) -> Option<Lent> {
        match self.offsets {
            Offsets::Shared(_) => Some(Lent::shared(Arc::clone(&self.values))),
            Offsets::Each { first: 0, .. } | Offsets::PerSet { first: 0, .. } => {
                Some(Lent::in_turn(Arc::clone(&self.values), rules))
            }
            Offsets::Each { .. } | Offsets::PerSet { .. } => None,
        }
    }

    /// The starts of a data set.
    pub(super) fn range(&self, set: usize) -> Range<usize> {
        match &self.offsets {
            Offsets::Shared(count) => 0..*count,
            Offsets::Each { first, count } => (set - first) * count..(set - first + 1) * count,
            Offsets::PerSet { first, offsets } => offsets[set - first]..offsets[set - first + 1],
        }
    }

    pub(super) fn theta(&self, start: usize) -> &[f64] {
        &self.values[start * self.parameters..(start + 1) * self.parameters]
    }
}

/// What the starts of data sets are made of, everything read and checked but for the guesses.
#[derive(Clone, Debug)]
pub(super) struct Recipe {
    parameters: Vec<String>,
    templates: Vec<Template>,
    guesses: Vec<Option<RowExpression>>,
    /// Whether a guess is in use.
    guessed: bool,
    table: Option<Arc<JoinedStarts>>,
    /// One start a data set.
    array: Option<Numbers>,
    marginals: Option<Vec<Option<Marginal>>>,
    seeds: Option<Range<u64>>,
}

impl Recipe {
    /// Whether all data sets have the same starts.
    pub(super) fn is_shared(&self) -> bool {
        !self.guessed && self.table.is_none() && self.array.is_none()
    }

    /// The seeds of the random starts, which come last among the starts of a data set.
    pub(super) fn seeds(&self) -> Option<Range<u64>> {
        self.seeds.clone()
    }

    /// How many starts every data set has, where all have as many.
    pub(super) fn equal_count(&self) -> Option<usize> {
        self.table.is_none().then(|| self.count(0))
    }

    /// How many starts a data set has.
    pub(super) fn count(&self, set: usize) -> usize {
        let read = self.table.as_ref().map_or(0, |table| table.of_set(set).len()) + usize::from(self.array.is_some());
        let random = self.seeds.as_ref().map_or(0, |seeds| seeds.end.saturating_sub(seeds.start) as usize);
        self.templates.len() + read + random
    }

    /// The starts of some data sets, the guesses made from their rows.
    pub(super) fn grid(&self, data: &BoundData, sets: Range<usize>) -> Result<StartGrid, Error> {
        let p = self.parameters.len();
        if let Some(array) = &self.array
            && self.templates.is_empty()
            && self.table.is_none()
            && self.seeds.is_none()
        {
            let values = array.part(sets.start * p..sets.end * p)?;
            let (values, first) = match values.whole() {
                Some(whole) => (whole, 0),
                None => (Arc::new(values.to_vec()), sets.start),
            };
            return Ok(StartGrid { values, parameters: p, offsets: Offsets::Each { first, count: 1 } });
        }
        // Starts without guesses are those of every data set.
        let made = if self.is_shared() { 0..1 } else { sets.clone() };
        let seeds = self.seeds.clone().unwrap_or(0..0);
        check_memory(&seeds, p as u64 * made.len() as u64)?;

        let guess = |(name, guess): (&String, &Option<RowExpression>)| {
            let values = guess.as_ref().map(|guess| data.guesses_of(guess, sets.clone())).transpose();
            values.map_err(|error| Error::guess(name, error.into()))
        };
        let guessed: Vec<Option<Vec<f64>>> =
            self.parameters.iter().zip(&self.guesses).map(guess).collect::<Result<_, _>>()?;
        let array = self.array.as_ref().map(|array| array.part(sets.start * p..sets.end * p)).transpose()?;
        let mut values = Vec::new();
        let mut offsets = vec![0];
        for set in made {
            // What has neither a value nor a guess was refused above.
            let fill = |j: usize| guessed[j].as_ref().map_or(f64::NAN, |guess| guess[set - sets.start]);
            for template in &self.templates {
                values.extend(template.iter().enumerate().map(|(j, value)| value.unwrap_or_else(|| fill(j))));
            }
            if let Some(table) = &self.table {
                values.extend(table.of_set(set).flatten());
            }
            if let Some(array) = &array {
                values.extend_from_slice(&array.slice(set * p..(set + 1) * p));
            }
            for (seed, marginals) in seeds.clone().flat_map(|seed| self.marginals.iter().map(move |m| (seed, m))) {
                let draw = |(j, marginal): (usize, &Option<Marginal>)| match marginal {
                    Some(marginal) => marginal.draw(seed, j as u32),
                    None => fill(j),
                };
                values.extend(marginals.iter().enumerate().map(draw));
            }
            offsets.push(values.len() / p);
        }
        let offsets =
            if self.is_shared() { Offsets::Shared(offsets[1]) } else { Offsets::PerSet { first: sets.start, offsets } };
        Ok(StartGrid { values: Arc::new(values), parameters: p, offsets })
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

    /// What the starts of every data set are made of.
    pub(super) fn recipe(&self, data: &BoundData, guesses: &[Option<RowExpression>]) -> Result<Recipe, Error> {
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
        let names: Vec<&str> = parameters.iter().map(String::as_str).collect();
        let array = sources.array.as_ref().map(|array| array.read(&names, data.sets.len())).transpose()?;
        if templates.is_empty() && table.is_none() && array.is_none() && marginals.is_none() {
            return Err(RequestError::NoStart { parameter: parameters[0].clone() }.into());
        }
        let seeds = sources.random.as_ref().map(|random| random.seeds.clone());
        Ok(Recipe {
            parameters: parameters.to_vec(),
            guessed: random_gap || templates.iter().flatten().any(Option::is_none),
            templates,
            guesses: guesses.to_vec(),
            table: table.map(Arc::new),
            array,
            marginals,
            seeds,
        })
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
