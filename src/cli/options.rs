//! The options of `natgrad fit`, and the request that they make.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::arguments::{cutoff, detail, named_expression, named_numbers, names, nonnegative, positive, share};
use super::failure::Failure;
use super::spec::{
    DataRequest, DataSource, ExpressionRequest, FileForm, Keep, ModelRequest, Origin, OutputRequest, PrecisionChoice,
    Request, SavingRequest, StabilityRequest, StartRequest, TextForm, ending,
};
use crate::data::Missing;
use crate::model::ModelError;
use crate::ngd::{Damping, Filter, Scaling, Stop};
use crate::sweep::{Detail, Errors, History, Reduction, SizeUnit, StepBlock};

/// Fit a model to the data sets of a file.
#[derive(Debug, Args)]
#[command(after_help = "Expressions: + - * / ** ^, pi, exp log (ln) log10 log2 sqrt pow sin cos tan asin acos atan \
                        atan2 sinh cosh tanh abs sign min max; columns by name, in backticks where the name is no \
                        plain word. In a response, sigma or guess also, over the rows of a data set: min max mean \
                        sum median first last count argmin argmax, and x[i].\nThe functions, the columns of the \
                        results and the statuses are told in docs/spec.md, beside the keys of a sweep's spec.")]
pub(super) struct Arguments {
    /// The model as text, with any column of the data by name: "b1*(1 - exp(-b2*x))"
    #[arg(long, value_name = "EXPR", allow_hyphen_values = true)]
    model: String,
    /// The parameters to fit, separated by commas
    #[arg(long, value_name = "NAMES")]
    parameters: String,
    /// The data: a CSV file with a header row, a Parquet file (.parquet) or an array (.npy); - reads CSV from standard input
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// The axes of an array, separated by commas, as set,py,px: columns of coordinates; set, first, tells the data sets apart
    #[arg(long, value_name = "NAMES")]
    axes: Option<String>,
    /// A starting point, as b1=500,b2=1e-4; again for several; what is left out is guessed
    #[arg(long, value_name = "NAME=NUMBER,…", value_parser = parse_start, allow_hyphen_values = true)]
    start: Vec<NamedNumbers>,
    /// A starting value from each data set's own rows, as b1=max(y); again for several parameters
    #[arg(long, value_name = "NAME=EXPR", value_parser = named_expression, allow_hyphen_values = true)]
    guess: Vec<(String, String)>,
    /// Starting points from a CSV file with a column a parameter, joined on the group columns, or from an array (.npy) with a
    /// row a data set
    #[arg(long, value_name = "FILE")]
    starts: Option<PathBuf>,
    /// Hold parameters at these values, as s=1.0 [default: none]
    #[arg(long, value_name = "NAME=NUMBER,…", value_parser = parse_start, allow_hyphen_values = true)]
    fix: Vec<NamedNumbers>,
    /// Named constants of the model, as k=8.617e-5 [default: none]
    #[arg(long, value_name = "NAME=NUMBER,…", value_parser = parse_start, allow_hyphen_values = true)]
    constant: Vec<NamedNumbers>,
    /// The response: a column or an expression of columns [default: y]
    #[arg(long, value_name = "EXPR", allow_hyphen_values = true)]
    response: Option<String>,
    /// The standard deviation of the response: a number, a column or an expression, as sqrt(max(y, 1)) [default: 1]
    #[arg(long, value_name = "EXPR", allow_hyphen_values = true)]
    sigma: Option<String>,
    /// Columns whose values split the rows into data sets, separated by commas [default: all rows are one data set]
    #[arg(long, value_name = "COLUMNS")]
    group: Option<String>,
    /// Another name for a column, as t="Time [s]"; again for several [default: the file's own names]
    #[arg(long, value_name = "NAME=COLUMN", value_parser = named_expression)]
    columns: Vec<(String, String)>,
    /// What a row with a missing value is: an error, or left out and counted [default: error]
    #[arg(
        long,
        value_name = "error|drop",
        default_value = "error",
        hide_default_value = true,
        hide_possible_values = true
    )]
    missing: MissingChoice,
    /// Standard errors: scaled by the root of the reduced chi-square, or trusting the sigmas [default: scaled]
    #[arg(
        long,
        value_name = "scaled|absolute",
        default_value = "scaled",
        hide_default_value = true,
        hide_possible_values = true
    )]
    errors: ErrorsChoice,
    /// Damping added to JᵀJ; adaptive accepts and rejects steps and is for fits from far away [default: adaptive, or 0
    /// with --step-size]
    #[arg(long, value_name = "adaptive|NUMBER", value_parser = parse_damping, allow_negative_numbers = true)]
    damping: Option<Damping>,
    /// Step size; where it is given the damping is fixed, and only 1 goes with an adaptive one [default: 1]
    #[arg(long, value_name = "NUMBER", value_parser = positive, allow_negative_numbers = true)]
    step_size: Option<f64>,
    /// Relative cutoff on the singular values [default: max(n, p) times the precision's epsilon]
    #[arg(long, value_name = "C", value_parser = cutoff, allow_negative_numbers = true)]
    cutoff: Option<f64>,
    /// Whether the columns of the Jacobian are scaled before it is factored [default: columns]
    #[arg(long, value_name = "columns|none", hide_possible_values = true)]
    scaling: Option<ScalingChoice>,
    /// At most so many steps [default: 200]
    #[arg(long, value_name = "N")]
    steps: Option<u32>,
    /// Exit with 1 unless this share of the problems converges [default: 0]
    #[arg(long, value_name = "SHARE", value_parser = share, allow_negative_numbers = true)]
    require_converged: Option<f64>,
    /// Of several starts, report the best of each data set, or all [default: all]
    #[arg(
        long,
        value_name = "best|all",
        default_value = "all",
        hide_default_value = true,
        hide_possible_values = true
    )]
    keep: Keep,
    /// Tell all of every fit, or what is essential, in a fraction of the time: no standard errors [default: full]
    #[arg(
        long,
        value_name = "full|essential",
        default_value = "full",
        hide_default_value = true,
        hide_possible_values = true,
        value_parser = detail
    )]
    detail: Detail,
    /// auto, gpu, cpu, or the index or name of an adapter [default: auto] [env: NATGRAD_DEVICE]
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// The precision of the steps: f32 on a GPU, f64 on the CPU [default: auto]
    #[arg(
        long,
        value_name = "auto|f32|f64",
        default_value = "auto",
        hide_default_value = true,
        hide_possible_values = true
    )]
    precision: PrecisionChoice,
    /// Repeat so many problems, taken at random, in f64 on the CPU and say how far they differ [default: 0]
    #[arg(long, value_name = "N")]
    verify: Option<usize>,
    /// The form of the results on standard output [default: table]
    #[arg(
        long,
        value_name = "table|jsonl|csv",
        default_value = "table",
        hide_default_value = true,
        hide_possible_values = true
    )]
    pub(super) format: Format,
    /// Write the results to a file as well, in the form that its name ends with [default: none]
    #[arg(long, value_name = "FILE.parquet|.csv|.jsonl", value_parser = parse_out)]
    pub(super) out: Option<OutFile>,
    /// Write response, fit and residual, (fit − response)/sigma, row by row to a CSV file [default: none]
    #[arg(long, value_name = "FILE")]
    pub(super) curves: Option<PathBuf>,
    /// Print the sweep's spec that asks for the same, with absolute paths, and run nothing
    #[arg(long)]
    pub(super) emit_spec: bool,
}

/// Names and numbers of one option.
#[derive(Clone, Debug)]
struct NamedNumbers(Vec<(String, f64)>);

fn parse_start(text: &str) -> Result<NamedNumbers, String> {
    named_numbers(text).map(NamedNumbers)
}

fn parse_damping(text: &str) -> Result<Damping, String> {
    match text {
        "adaptive" => Ok(Damping::Adaptive),
        _ => nonnegative(text).map(Damping::Fixed).map_err(|mend| format!("{mend}, or adaptive")),
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum MissingChoice {
    Error,
    Drop,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ErrorsChoice {
    Scaled,
    Absolute,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ScalingChoice {
    Columns,
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Table,
    Jsonl,
    Csv,
}

/// A results file, its form known from its name.
#[derive(Clone, Debug)]
pub(super) struct OutFile {
    pub(super) path: PathBuf,
    /// As text; `None` is Parquet.
    pub(super) form: Option<TextForm>,
}

fn parse_out(text: &str) -> Result<OutFile, String> {
    let path = PathBuf::from(text);
    let form = match path.extension().and_then(|extension| extension.to_str()) {
        Some("parquet") => None,
        Some("csv") => Some(TextForm::Csv),
        Some("jsonl") => Some(TextForm::Jsonl),
        _ => return Err("end the name with .parquet, .csv or .jsonl".to_owned()),
    };
    Ok(OutFile { path, form })
}

impl Arguments {
    /// The axes, which an array needs and no other data have.
    fn axes(&self) -> Result<Vec<String>, Failure> {
        let file = self.data.display();
        match (&self.axes, ending(&self.data)) {
            (Some(axes), FileForm::Npy) => Ok(names(axes)),
            (None, FileForm::Npy) => Err(Failure::request(format!(
                "--data {file}: an array needs names for its axes; add them, as in --axes set,py,px"
            ))),
            (Some(axes), _) => Err(Failure::request(format!(
                "--axes {axes}: only an array has axes, in a file that ends in .npy, and --data is {file}; leave one out"
            ))),
            (None, _) => Ok(Vec::new()),
        }
    }

    /// The request that these options make.
    pub(super) fn request(&self) -> Result<Request, Failure> {
        let flat = |lists: &[NamedNumbers]| lists.iter().flat_map(|list| list.0.clone()).collect::<Vec<_>>();
        let fixed = flat(&self.fix);
        let started = self.start.iter().flat_map(|start| start.0.iter().map(|(name, _)| ("--start", name)));
        let guessed = self.guess.iter().map(|(name, _)| ("--guess", name));
        for (option, name) in started.chain(guessed) {
            if let Some((_, value)) = fixed.iter().find(|(held, _)| held == name) {
                return Err(Failure::request(format!(
                    "{option} names \"{name}\", which --fix holds at {value}: leave it out of one of them"
                )));
            }
        }
        let (parameters, constants) = hold(names(&self.parameters), flat(&self.constant), fixed)?;
        // A step size asks for the step as it is; without one, the adaptive rule finds its own way.
        let default = if self.step_size.is_some() { Damping::Fixed(0.0) } else { Damping::Adaptive };
        let damping = self.damping.unwrap_or(default);
        let size = self.step_size.unwrap_or(1.0);
        if damping == Damping::Adaptive && size != 1.0 {
            return Err(Failure::request(format!(
                "--step-size {size} with --damping adaptive: adaptive damping sets the step itself; leave one of them out"
            )));
        }
        let mut stop = Stop::default();
        stop.steps = self.steps.unwrap_or(stop.steps);
        Ok(Request {
            history: History::default(),
            model: ModelRequest::Expression(ExpressionRequest {
                expression: self.model.clone(),
                parameters,
                constants,
            }),
            data: DataRequest {
                source: DataSource::File(self.data.clone()),
                axes: self.axes()?,
                responses: self.response.iter().cloned().collect(),
                sigma: self.sigma.clone(),
                group: self.group.as_deref().map(names).unwrap_or_default(),
                missing: match self.missing {
                    MissingChoice::Error => Missing::Error,
                    MissingChoice::Drop => Missing::Drop,
                },
                columns: self.columns.clone(),
                errors: match self.errors {
                    ErrorsChoice::Scaled => Errors::Scaled,
                    ErrorsChoice::Absolute => Errors::Absolute,
                },
            },
            start: StartRequest {
                values: self.start.iter().map(|start| start.0.clone()).collect(),
                guesses: self.guess.clone(),
                file: self.starts.clone(),
                random: None,
            },
            blocks: vec![StepBlock {
                unit: SizeUnit::Absolute,
                sizes: vec![size],
                dampings: vec![damping],
                filter: Filter::Exact,
                momentum: 0.0,
                scaling: self.scaling.map(|scaling| match scaling {
                    ScalingChoice::Columns => Scaling::Columns,
                    ScalingChoice::None => Scaling::None,
                }),
                cutoff: self.cutoff,
            }],
            reduction: Reduction::Sum,
            stop,
            device: self.device.clone(),
            precision: self.precision,
            verify: self.verify,
            require_converged: self.require_converged,
            saving: SavingRequest::default(),
            stability: StabilityRequest::default(),
            output: OutputRequest {
                keep: self.keep,
                detail: self.detail,
                formats: self.out.iter().filter_map(|out| out.form).collect(),
                curves: self.curves.is_some(),
                parameters: false,
            },
            origin: Origin::CommandLine,
            folder: PathBuf::new(),
        })
    }
}

/// Parameters and constants after fixing: a fixed parameter becomes a constant.
type Held = (Vec<String>, Vec<(String, f64)>);

fn hold(parameters: Vec<String>, constants: Vec<(String, f64)>, fix: Vec<(String, f64)>) -> Result<Held, Failure> {
    let (mut parameters, mut constants) = (parameters, constants);
    for (name, value) in fix {
        let Some(position) = parameters.iter().position(|parameter| *parameter == name) else {
            return Err(Failure::from(ModelError::unknown_parameter(&name, &parameters)).at("--fix"));
        };
        parameters.remove(position);
        if parameters.is_empty() {
            return Err(Failure::from(ModelError::NothingToFit { name }).at("--fix"));
        }
        constants.push((name, value));
    }
    Ok((parameters, constants))
}
