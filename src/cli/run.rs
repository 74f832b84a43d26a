//! What `fit` and `sweep` share: the choice of the device.

use super::failure::Failure;
use super::output;
use super::spec::PrecisionChoice;
use crate::engine::{Choice, Engine};
use crate::error::{Error, RequestError};
use crate::ngd::Precision;

/// The environment variable that chooses the device where neither option nor spec does.
pub(super) const DEVICE_VARIABLE: &str = "NATGRAD_DEVICE";

/// Opens the device: the one asked for, else the one of the environment, else the best.
pub(super) fn open_engine(device: Option<&str>, precision: PrecisionChoice) -> Result<Engine, Failure> {
    let from_environment = std::env::var(DEVICE_VARIABLE).ok();
    let wanted = [device, from_environment.as_deref()]
        .into_iter()
        .flatten()
        .map(str::trim)
        .find(|name| !name.is_empty() && !name.eq_ignore_ascii_case("auto"))
        .unwrap_or("auto");
    let Ok(choice) = wanted.parse::<Choice>();
    let engine = Engine::open(choice)?;
    check_precision(&engine, precision)?;
    for notice in engine.notices() {
        output::note(notice);
    }
    Ok(engine)
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
