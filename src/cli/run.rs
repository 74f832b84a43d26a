//! What `fit` and `sweep` share: the choice of the device, and what is told of the data.

use super::failure::Failure;
use super::output;
use super::spec::PrecisionChoice;
use crate::engine::{Choice, Engine};
use crate::error::{Error, RequestError};
use crate::ngd::Precision;
use crate::sweep::{Context, Job};

/// The environment variable that chooses the device where neither option nor spec does.
const DEVICE_VARIABLE: &str = "NATGRAD_DEVICE";

/// The device asked for: by option or spec, else by the environment. `None` leaves the choice to natgrad.
pub(super) fn wanted_device(asked: Option<&str>) -> Option<String> {
    let from_environment = std::env::var(DEVICE_VARIABLE).ok();
    [asked, from_environment.as_deref()]
        .into_iter()
        .flatten()
        .map(str::trim)
        .find(|name| !name.is_empty() && !name.eq_ignore_ascii_case("auto"))
        .map(str::to_owned)
}

/// Opens the device asked for, else the best, and says what was chosen where that is not plain,
/// and what about the job should be known on this device.
pub(super) fn open_engine(asked: Option<&str>, precision: PrecisionChoice, job: &Job) -> Result<Engine, Failure> {
    let engine = open_quietly(asked, precision, job)?;
    for notice in engine.notices().iter().chain(&engine.advice(job)) {
        output::note(notice);
    }
    Ok(engine)
}

/// The same without a word: what there is to say was said before.
pub(super) fn open_quietly(asked: Option<&str>, precision: PrecisionChoice, job: &Job) -> Result<Engine, Failure> {
    let wanted = wanted_device(asked).unwrap_or_else(|| "auto".to_owned());
    let Ok(choice) = wanted.parse::<Choice>();
    let engine = match precision {
        // The CPU does not offer it, so no other device can stand in for a GPU.
        PrecisionChoice::F32 => Engine::open(choice)?,
        PrecisionChoice::Auto | PrecisionChoice::F64 => Engine::open_for(choice, job)?,
    };
    check_precision(&engine, precision)?;
    Ok(engine)
}

/// Says how many rows were left out.
pub(super) fn tell_dropped_rows(context: &Context) {
    if context.dropped_rows > 0 {
        output::note(&format!("{} rows with missing values were left out", context.dropped_rows));
    }
}

/// Says how the numbers of a loss that averages were converted.
pub(super) fn tell_reduction(job: &Job) {
    if let Some(points) = job.averaged() {
        output::note(&format!(
            "loss.reduction = \"mean\" over {points} residuals: dampings are multiplied by {points} and absolute step \
             sizes of gradient descent divided by it; results are in terms of the sum"
        ));
    }
}

fn check_precision(engine: &Engine, asked: PrecisionChoice) -> Result<(), Failure> {
    let (asked, wanted, mend) = match asked {
        PrecisionChoice::Auto => return Ok(()),
        PrecisionChoice::F32 => ("f32", Precision::F32, "gpu"),
        PrecisionChoice::F64 => ("f64", Precision::F64, "cpu"),
    };
    if engine.precision() == wanted {
        return Ok(());
    }
    let offered = match engine.precision() {
        Precision::F32 => "f32",
        Precision::F64 => "f64",
    };
    let device = engine.description().to_owned();
    Err(Error::from(RequestError::Precision { asked, device, offered, mend }).into())
}
