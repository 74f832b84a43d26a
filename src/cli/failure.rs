use crate::error::Error;
use crate::report::ReportError;

/// Why a command ends early: an exit code and one line.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) code: u8,
    pub(super) message: String,
}

impl Failure {
    /// The request is wrong.
    pub(super) const REQUEST: u8 = 2;
    /// No usable device.
    pub(super) const DEVICE: u8 = 3;
    /// The run was asked to end before it was done: 128 and the number of SIGINT, as shells have it.
    pub(super) const INTERRUPTED: u8 = 130;

    /// A request that is wrong, told in one line that names the place and the mend.
    pub(super) fn request(message: impl Into<String>) -> Self {
        Self { code: Self::REQUEST, message: message.into() }
    }

    /// The run was asked to end.
    pub(super) fn interrupted() -> Self {
        Self { code: Self::INTERRUPTED, message: "interrupted".to_owned() }
    }

    /// The same with the place at fault in front of the message.
    pub(super) fn at(self, place: &str) -> Self {
        Self { message: format!("{place}: {}", self.message), ..self }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = if error.is_device() { Self::DEVICE } else { Self::REQUEST };
        Self { code, message: error.to_string() }
    }
}

impl From<ReportError> for Failure {
    fn from(error: ReportError) -> Self {
        Self::request(error.to_string())
    }
}

impl From<crate::model::ModelError> for Failure {
    fn from(error: crate::model::ModelError) -> Self {
        Self::request(error.to_string())
    }
}

impl From<crate::data::DataError> for Failure {
    fn from(error: crate::data::DataError) -> Self {
        Self::request(error.to_string())
    }
}
