use std::path::{Path, PathBuf};

use crate::data::{Data, StartArray};
use crate::model::Model;
use crate::ngd::{Damping, Filter, Scaling, Stop};
use crate::starts::{Distribution, Initialisation, StartRange};

use super::{Detail, Errors, History, Reduction, SizeUnit, StepBlock};

/// Random starting points: one for each seed, every parameter drawn on its own. A draw depends on the seed and the
/// parameter's index only.
#[derive(Clone, Debug, PartialEq)]
pub struct RandomStarts {
    /// From what the parameters are drawn.
    pub draw: Draw,
    /// The seeds.
    pub seeds: std::ops::Range<u64>,
}

/// From what random starts are drawn.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Draw {
    /// Every parameter from the same distribution about zero.
    Scaled {
        /// The distribution.
        distribution: Distribution,
        /// The standard deviation of the normal, the half width of the uniform distribution.
        scale: f64,
    },
    /// A network's, layer by layer.
    Initialised(Initialisation),
    /// Each parameter from a range of its own; parameters left out are filled from the guesses.
    Ranges(Vec<(String, StartRange)>),
}

/// Where the starting points come from. Sources add up, in this order.
#[derive(Clone, Debug, Default)]
pub(crate) struct StartSources {
    /// Parameters by name; what is missing is filled from `guesses`.
    pub(crate) named: Vec<Vec<(String, f64)>>,
    /// All parameters in order.
    pub(crate) positional: Vec<Vec<f64>>,
    /// Data expressions by parameter name, evaluated per data set.
    pub(crate) guesses: Vec<(String, String)>,
    pub(crate) file: Option<PathBuf>,
    /// One start a data set.
    pub(crate) array: Option<StartArray>,
    pub(crate) random: Option<RandomStarts>,
}

impl StartSources {
    /// Hands the bytes that decide the starts to `add`. Of a file joined on keys and of an array those are the contents.
    pub(crate) fn add_to(&self, add: &mut dyn FnMut(&[u8])) {
        let text = format!("{:?} {:?} {:?} {:?}", self.named, self.positional, self.guesses, self.random);
        add(text.as_bytes());
        // What cannot be read any more was refused before; it is no part of the starts.
        if let Some(contents) = self.file.as_ref().and_then(|file| std::fs::read(file).ok()) {
            add(&contents);
        }
        if let Some(array) = &self.array {
            array.add_to(add);
        }
    }
}

/// A request: one model, data sets, starting points and step rules. Every combination is a problem of its own.
///
/// Building never fails; what was asked is read and checked by [`resolve`](Self::resolve), which every run calls first.
#[derive(Clone, Debug)]
pub struct Sweep {
    pub(crate) model: Model,
    pub(crate) data: Data,
    pub(crate) starts: StartSources,
    /// The block that the plain methods (`step_sizes`, `dampings`, …) change.
    pub(crate) plain: StepBlock,
    pub(crate) blocks: Vec<StepBlock>,
    pub(crate) reduction: Reduction,
    pub(crate) stop: Stop,
    pub(crate) errors: Errors,
    pub(crate) history: History,
    pub(crate) detail: Detail,
}

impl Sweep {
    /// A sweep of one adaptive step rule; it still needs a start or guesses.
    #[must_use]
    pub fn new(model: &Model, data: &Data) -> Self {
        Self {
            model: model.clone(),
            data: data.clone(),
            starts: StartSources::default(),
            plain: StepBlock::default(),
            blocks: Vec::new(),
            reduction: Reduction::default(),
            stop: Stop::default(),
            errors: Errors::default(),
            history: History::default(),
            detail: Detail::default(),
        }
    }

    /// The same sweep of other data, before which `sets` data sets have been.
    pub(crate) fn on(&self, data: &Data, sets: usize) -> Self {
        let mut sweep = Self { data: data.clone(), ..self.clone() };
        sweep.starts.array = sweep.starts.array.map(|array| array.behind(sets));
        sweep
    }

    /// Adds a starting point: all parameters in the model's order. Several make several problems a data set.
    #[must_use]
    pub fn start(mut self, theta: impl IntoIterator<Item = f64>) -> Self {
        self.starts.positional.push(theta.into_iter().collect());
        self
    }

    /// Adds a starting point by parameter name; parameters left out are filled from the guesses.
    #[must_use]
    pub fn start_named<N: Into<String>>(mut self, values: impl IntoIterator<Item = (N, f64)>) -> Self {
        self.starts.named.push(values.into_iter().map(|(name, value)| (name.into(), value)).collect());
        self
    }

    /// Guesses a parameter per data set by an expression over its rows, such as `max(y)` or `x[argmax(y)]`.
    #[must_use]
    pub fn guess(mut self, parameter: impl Into<String>, expression: impl Into<String>) -> Self {
        self.starts.guesses.push((parameter.into(), expression.into()));
        self
    }

    /// Takes starting points from a CSV file with a column a parameter, joined on the group columns it has.
    #[must_use]
    pub fn starts_from_csv(mut self, path: impl AsRef<Path>) -> Self {
        self.starts.file = Some(path.as_ref().to_owned());
        self
    }

    /// Takes a starting point for each data set from an array of data sets × parameters in row-major order, the parameters in
    /// the model's order. Data sets are in the order in which they first appear in the data.
    #[must_use]
    pub fn starts_from_array(mut self, values: Vec<f64>) -> Self {
        self.starts.array = Some(StartArray::of_values(values));
        self
    }

    /// The same from a file in NumPy's NPY format of the shape data sets × parameters, mapped into memory.
    #[must_use]
    pub fn starts_from_npy(mut self, path: impl AsRef<Path>) -> Self {
        self.starts.array = Some(StartArray::of_npy(path.as_ref().to_owned()));
        self
    }

    /// Adds random starting points, one a seed.
    #[must_use]
    pub fn random_starts(mut self, random: RandomStarts) -> Self {
        self.starts.random = Some(random);
        self
    }

    /// The step sizes η of the plain block.
    #[must_use]
    pub fn step_sizes(mut self, sizes: impl IntoIterator<Item = f64>) -> Self {
        self.plain.sizes = sizes.into_iter().collect();
        // A grid of step sizes asks for the step as it is: the adaptive default would overrule it.
        if self.plain.dampings == [Damping::Adaptive] {
            self.plain.dampings = vec![Damping::Fixed(0.0)];
        }
        self
    }

    /// What the step sizes of the plain block are multiples of.
    #[must_use]
    pub fn size_unit(mut self, unit: SizeUnit) -> Self {
        self.plain.unit = unit;
        self
    }

    /// The dampings of the plain block: numbers, or [`Damping::Adaptive`].
    #[must_use]
    pub fn dampings<D: Into<Damping>>(mut self, dampings: impl IntoIterator<Item = D>) -> Self {
        self.plain.dampings = dampings.into_iter().map(Into::into).collect();
        self
    }

    /// The filter of the plain block.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.plain.filter = filter;
        self
    }

    /// The column scaling of the plain block.
    #[must_use]
    pub fn scaling(mut self, scaling: Scaling) -> Self {
        self.plain.scaling = Some(scaling);
        self
    }

    /// The relative cutoff on σ of the plain block, in [0, 1).
    #[must_use]
    pub fn cutoff(mut self, cutoff: f64) -> Self {
        self.plain.cutoff = Some(cutoff);
        self
    }

    /// The heavy-ball momentum β of the plain block, in [0, 1).
    #[must_use]
    pub fn momentum(mut self, momentum: f64) -> Self {
        self.plain.momentum = momentum;
        self
    }

    /// Adds a block of step rules. Once there is one, the plain block no longer counts.
    #[must_use]
    pub fn block(mut self, block: StepBlock) -> Self {
        self.blocks.push(block);
        self
    }

    /// The loss that step sizes and dampings were chosen for; for that of a mean they are converted, and data sets have
    /// to be of one length. Losses in results are sums.
    #[must_use]
    pub fn reduction(mut self, reduction: Reduction) -> Self {
        self.reduction = reduction;
        self
    }

    /// When a problem stops.
    #[must_use]
    pub fn stop(mut self, stop: Stop) -> Self {
        self.stop = stop;
        self
    }

    /// How standard errors are scaled.
    #[must_use]
    pub fn errors(mut self, errors: Errors) -> Self {
        self.errors = errors;
        self
    }

    /// What is recorded along the way; it changes no bit of the results.
    #[must_use]
    pub fn history(mut self, history: History) -> Self {
        self.history = history;
        self
    }

    /// How much is told of every problem. What is essential is the same with either up to rounding, and to where the tests of
    /// convergence leave a fit.
    #[must_use]
    pub fn detail(mut self, detail: Detail) -> Self {
        self.detail = detail;
        self
    }
}

impl From<f64> for Damping {
    fn from(epsilon: f64) -> Self {
        Self::Fixed(epsilon)
    }
}
