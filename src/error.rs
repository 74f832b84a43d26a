//! Every way a request can fail, in one line each.

use crate::data::DataError;
use crate::expr::{ParseError, RowError};
use crate::gpu::DeviceError;
use crate::linalg::LinalgError;
use crate::model::ModelError;

/// Anything that can go wrong with a request. A bad *problem* is never an error: it gets a status.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The model or a data expression cannot be read.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// The model is not usable.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The data are not usable.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A data expression cannot be evaluated.
    #[error(transparent)]
    Row(#[from] RowError),
    /// The device is not usable, or failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The guess of a parameter cannot be read or evaluated.
    #[error("the guess of \"{parameter}\": {source}")]
    Guess {
        /// The parameter.
        parameter: String,
        /// What is wrong with the guess.
        source: Box<Error>,
    },
    /// The linear algebra refuses, or its device failed.
    #[error(transparent)]
    Linalg(#[from] LinalgError),
    /// The request itself is wrong.
    #[error(transparent)]
    Request(#[from] RequestError),
}

impl Error {
    pub(crate) fn guess(parameter: &str, source: Self) -> Self {
        Self::Guess { parameter: parameter.to_owned(), source: Box::new(source) }
    }

    /// Whether no device could be used, as against a request that is wrong or too large for the device.
    #[must_use]
    pub fn is_device(&self) -> bool {
        match self {
            Self::Device(error) | Self::Linalg(LinalgError::Device(error)) => {
                !matches!(error, DeviceError::TooLarge { .. } | DeviceError::OutOfMemory { .. })
            }
            _ => false,
        }
    }
}

/// A request that cannot be run as it stands.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// An initialiser without layers to initialise.
    #[error("an initialiser is for networks: give distribution and scale, or ranges")]
    InitialiserOfExpression,
    /// A gain or scale that is not positive.
    #[error("the {what} {value} of the initialiser is not positive: give a number above 0")]
    Initialiser {
        /// Gain or scale.
        what: &'static str,
        /// Its value.
        value: f64,
    },
    /// A seed that is the key of something else.
    #[error("the teacher's seed {seed} is beyond 2^62: give a smaller one")]
    TeacherSeed {
        /// The seed.
        seed: u64,
    },
    /// A noise that is none.
    #[error("the noise {value} of the teacher is no standard deviation: give 0 or more")]
    TeacherNoise {
        /// Its value.
        value: f64,
    },
    /// Means over different numbers of residuals, for one step size.
    #[error(
        "a mean is over {least} to {most} residuals, depending on the data set: write step sizes and dampings for the sum, or give data sets of one length"
    )]
    UnequalMeans {
        /// Residuals of the shortest data set.
        least: usize,
        /// Residuals of the longest.
        most: usize,
    },
    /// Responses and outputs of the model are not as many.
    #[error("{responses} responses are named and the model has {outputs} outputs: make them agree")]
    Responses {
        /// Responses named.
        responses: usize,
        /// Outputs of the model.
        outputs: usize,
    },
    /// Second derivatives of too many parameters.
    #[error(
        "step sizes in units of 2/sharpness need second derivatives, of at most {most} parameters of an expression, and the model has {parameters}: give absolute sizes, or fix parameters"
    )]
    SharpnessOfParameters {
        /// Parameters of the model.
        parameters: usize,
        /// The most that are allowed.
        most: usize,
    },
    /// A step size that adaptive damping does not take.
    #[error("adaptive damping sets the step itself, so its size is not in units of {unit}: leave the unit out")]
    AdaptiveSizeUnit {
        /// The unit.
        unit: &'static str,
    },
    /// An axis of the sweep has no values.
    #[error("the {axis} axis is empty: give at least one value")]
    EmptyAxis {
        /// Which axis.
        axis: &'static str,
    },
    /// The product of data sets, starts and step rules is empty.
    #[error("the sweep has no problems: give at least one data set, start and step rule")]
    NoProblems,
    /// A history of problems of which only what is essential is told.
    #[error(
        "a history needs singular values, and output.detail = \"essential\" (Detail::Essential) tells none: leave one of them out"
    )]
    HistoryOfEssential,
    /// Problems that cannot stay on the device.
    #[error("the sweep cannot stay on the device: {why}")]
    NotResident {
        /// Why, and what to do.
        why: String,
    },
    /// The product of data sets, starts and step rules is too large.
    #[error("the sweep has more than {most} problems: make an axis shorter or split it into several sweeps")]
    TooManyProblems {
        /// The largest count allowed.
        most: u64,
    },
    /// More random starts than can be held.
    #[error(
        "{count} random starts need {} of memory and {} are free: ask for at most {fits} seeds a sweep",
        bytes(*.needed), bytes(*.free)
    )]
    TooManySeeds {
        /// Seeds asked for.
        count: u64,
        /// Bytes they need.
        needed: u64,
        /// Bytes there are.
        free: u64,
        /// Seeds that fit.
        fits: u64,
    },
    /// The results do not fit in memory.
    #[error(
        "{problems} problems need {} of memory and {} are free: run at most {fits} at a time, or use `natgrad sweep`, which writes results as it goes",
        bytes(*.needed), bytes(*.free)
    )]
    OutOfMemory {
        /// Problems asked for.
        problems: u64,
        /// Bytes they need.
        needed: u64,
        /// Bytes there are.
        free: u64,
        /// Problems that fit.
        fits: u64,
    },
    /// A parameter has neither a start nor a guess.
    #[error(
        "parameter \"{parameter}\" has no start: give a value (--start {parameter}=…) or a guess (--guess \"{parameter}=…\")"
    )]
    NoStart {
        /// The parameter.
        parameter: String,
    },
    /// One of several starts leaves a parameter out.
    #[error(
        "start {number} of {count} has no value for \"{parameter}\": add {parameter}=… to it, or give a guess (--guess \"{parameter}=…\")"
    )]
    IncompleteStart {
        /// Which start, from 1.
        number: usize,
        /// How many there are.
        count: usize,
        /// The parameter left out.
        parameter: String,
    },
    /// Random starts leave a parameter out that has no guess.
    #[error("the random starts have no range for \"{parameter}\": add one, or give a guess of it")]
    NoRange {
        /// The parameter left out.
        parameter: String,
    },
    /// A range of random starts that cannot be meant.
    #[error("the range of random starts of \"{parameter}\", {range}, cannot be drawn from: {problem}")]
    StartRange {
        /// The parameter.
        parameter: String,
        /// Its range.
        range: String,
        /// What is wrong with it, and the mend.
        problem: &'static str,
    },
    /// A parameter or constant has the name of a column, so that the model could mean either.
    #[error(
        "\"{name}\" is a {kind} of the model and a column of {file}: rename the {kind}, or give the column another name by --columns {name}_column={column:?} (in a spec data.columns = {{ {name}_column = {column:?} }})"
    )]
    NameIsColumn {
        /// Parameter or constant.
        kind: &'static str,
        /// The name.
        name: String,
        /// The column's own name.
        column: String,
        /// Where the column is.
        file: String,
    },
    /// A start or a guess names something that is not a parameter.
    #[error("the {place} names \"{name}\", which is not a parameter of the model ({parameters})")]
    UnknownParameter {
        /// What was named.
        name: String,
        /// Start or guess.
        place: &'static str,
        /// The parameters there are.
        parameters: String,
    },
    /// A parameter is named twice in one start, or guessed twice.
    #[error("parameter \"{name}\" is given twice in the {place}: keep one of them")]
    DuplicateParameter {
        /// The parameter.
        name: String,
        /// Start or guess.
        place: &'static str,
    },
    /// A start has the wrong number of values.
    #[error("a start has {given} values and the model {parameters} parameters: give one value a parameter")]
    StartLength {
        /// Values given.
        given: usize,
        /// Parameters of the model.
        parameters: usize,
    },
    /// A start is not finite.
    #[error("the start of \"{parameter}\" is {value}: give a finite number")]
    StartNotFinite {
        /// The parameter.
        parameter: String,
        /// Its value.
        value: f64,
    },
    /// A step size is not positive.
    #[error("step size {value} is not a positive number: give η > 0")]
    StepSize {
        /// The value.
        value: f64,
    },
    /// A damping is negative.
    #[error("damping {value} is not a number of 0 or more: give ε ≥ 0, or \"adaptive\"")]
    Damping {
        /// The value.
        value: f64,
    },
    /// Adaptive damping sets the step itself.
    #[error(
        "adaptive damping sets the step itself and step size {value} was asked for: use step size 1 or a fixed damping"
    )]
    AdaptiveStepSize {
        /// The step size asked for.
        value: f64,
    },
    /// A cutoff is outside [0, 1).
    #[error("cutoff {value} is outside [0, 1): it is relative to the largest singular value")]
    Cutoff {
        /// The value.
        value: f64,
    },
    /// A filter of rank 0 steps nowhere.
    #[error("a fixed rank of 0 steps nowhere: give at least 1")]
    FixedRank,
    /// The numbers of a residual-scaled damping are not usable.
    #[error(
        "the {what} of a residual-scaled damping is {value}: give ε = factor·‖e‖^power with factor ≥ 0 and power > 0"
    )]
    ResidualScaled {
        /// Which of the two.
        what: &'static str,
        /// Its value.
        value: f64,
    },
    /// A filter that has no use for a damping beside it.
    #[error("the filter {filter} takes no damping beside: use it with damping 0")]
    FilterDamping {
        /// Its name.
        filter: String,
    },
    /// Gradient descent with scaled columns would be another method.
    #[error("gradient descent takes the plain J: leave scaling out, or give none")]
    GradientScaling,
    /// A momentum outside [0, 1).
    #[error("momentum {value} is outside [0, 1): give 0 for none")]
    Momentum {
        /// The value.
        value: f64,
    },
    /// Adaptive damping rejects steps, and momentum has no meaning then.
    #[error("momentum {value} does not go with adaptive damping: use a fixed damping, 0 or more")]
    AdaptiveMomentum {
        /// The momentum asked for.
        value: f64,
    },
    /// A setting of the stability checks is out of range.
    #[error("the {what} of the stability checks is {value}: give a number {wanted}")]
    Stability {
        /// Which setting.
        what: &'static str,
        /// Its value.
        value: f64,
        /// What it may be.
        wanted: &'static str,
    },
    /// Too many parameters for the p²/2 second derivatives of an expression.
    #[error(
        "the model has {parameters} parameters and second derivatives are taken of at most {most}: leave the update map out"
    )]
    TooManyForCurvature {
        /// Parameters of the model.
        parameters: usize,
        /// The most there can be.
        most: usize,
    },
    /// A history with something in it, and no records.
    #[error("a history of every 0 steps records nothing: give every at least 1")]
    HistoryOfNothing,
    /// Too many parameters for the Hessian of an expression.
    #[error(
        "the model has {parameters} parameters and the Hessian of an expression is formed of at most {most}: leave its sharpness out of the history"
    )]
    TooManyForHessian {
        /// Parameters of the model.
        parameters: usize,
        /// The most there can be.
        most: usize,
    },
    /// A history of one problem that there is no room for.
    #[error(
        "the history of a problem needs {} and {place} is {}: record fewer steps, or leave parameters out",
        bytes(*.needed), bytes(*.most)
    )]
    HistoryTooLarge {
        /// Bytes of the records of one problem.
        needed: u64,
        /// What they would have to fit.
        place: &'static str,
        /// Bytes of it.
        most: u64,
    },
    /// The residual or its derivatives are not finite at the point given.
    #[error("the residual or its derivatives are not finite at this θ (data set {set}): give another θ")]
    NotFiniteThere {
        /// Index of the data set.
        set: usize,
    },
    /// A point of a data set that is not there.
    #[error("a point of data set {set} was given and there are {sets}, from 0 on: name one of them")]
    NoSuchSet {
        /// The set named.
        set: usize,
        /// How many there are.
        sets: usize,
    },
    /// A tolerance is negative.
    #[error("the {name} tolerance is {value}: give a finite number of 0 or more")]
    Tolerance {
        /// Which tolerance.
        name: &'static str,
        /// Its value.
        value: f64,
    },
    /// More parameters than the GPU kernels hold.
    #[error("the model has {parameters} parameters and the GPU takes at most {most}: use the CPU (--device cpu)")]
    TooManyParameters {
        /// Parameters of the model.
        parameters: usize,
        /// The most there can be.
        most: usize,
    },
    /// Numbers whose squares leave the range of f64, and with them the loss.
    #[error(
        "the weighted response of data set {set} is of size {value:e}, the square of which f64 does not hold: multiply y, or sigma, by a power of ten"
    )]
    ResponseRange {
        /// Index of the data set.
        set: usize,
        /// The largest |y/σ|.
        value: f64,
    },
    /// Numbers outside the range of f32.
    #[error(
        "{what} is of size {value:e}, outside the range of f32 (1e-36 to 1e36): multiply it by a power of ten, or use the CPU (--device cpu)"
    )]
    RangeOfF32 {
        /// Which column.
        what: String,
        /// The first magnitude in it that is not zero.
        value: f64,
    },
    /// A precision that the device does not offer.
    #[error(
        "precision {asked} is not offered on {device}, which works in {offered}: leave --precision at auto, or use --device {mend}"
    )]
    Precision {
        /// What was asked for.
        asked: &'static str,
        /// Where.
        device: String,
        /// What it works in.
        offered: &'static str,
        /// The device to use instead.
        mend: &'static str,
    },
}

/// A size in bytes, for people.
fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.*} {}", usize::from(unit > 0), UNITS[unit])
}
