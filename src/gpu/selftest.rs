//! Known answers that a device must give before it is trusted.
//!
//! The quick self-test runs whenever a device is opened. What the engine needs and the driver gets wrong is a refusal,
//! in one line that names driver and test; what it does not need is switched off ([`Capabilities`]); an elementary
//! function worse than its stated bound is replaced by natgrad's own.
//!
//! | test | needed | claim |
//! | --- | --- | --- |
//! | one loop, nested loops | yes | a million iterations in one invocation are a million |
//! | workgroups | yes | barriers order workgroup memory; atomics lose nothing |
//! | indirect dispatch | yes | workgroups by a count that the device wrote, none included |
//! | not finite, read | yes | NaN and infinity in a buffer are seen as such |
//! | not finite, computed | no | overflow, 0/0 and ∞ − ∞ give what is seen as such |
//! | error-free transforms | no | two_sum and two_prod are exact to the bit behind the opaque barrier |
//! | f64 arithmetic | no | +, · to the bit, / and √ to one ULP, where f64 is offered |
//! | each elementary function | yes | the builtin meets its bound, or else our own does |

mod arithmetic;
mod functions;
mod loops;
mod workgroups;

use super::{Capabilities, Device, DeviceError, KernelSource};

/// How much is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Depth {
    /// Everything at about 1,000 points a function: some 100 ms, at every opening of a device.
    #[default]
    Quick,
    /// A million points a function and more of the rest: for a report.
    Full,
}

/// How a test ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As claimed.
    Passed,
    /// Not as claimed; the check's detail says what came out.
    Failed,
    /// Not run: the device does not offer what it tests.
    Skipped,
}

/// One test of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Check {
    /// What is tested.
    pub name: String,
    /// Whether the engine cannot do without it.
    pub needed: bool,
    /// How it ended.
    pub outcome: Outcome,
    /// What was measured, or what was wrong, or why it was skipped; one line.
    pub detail: String,
}

impl Check {
    /// Runs a test: `Ok` with what was measured where the claim holds, `Err` with what came out where it does not.
    ///
    /// A device that refuses the test's shader or dispatch has failed it.
    ///
    /// # Errors
    /// If the device is lost or out of memory: that says nothing about the claim.
    pub(crate) fn run(
        name: impl Into<String>,
        needed: bool,
        test: impl FnOnce() -> Result<Result<String, String>, DeviceError>,
    ) -> Result<Self, DeviceError> {
        let (outcome, detail) = match test() {
            Ok(Ok(measured)) => (Outcome::Passed, measured),
            Ok(Err(wrong)) => (Outcome::Failed, wrong),
            Err(error @ (DeviceError::Lost { .. } | DeviceError::OutOfMemory { .. })) => return Err(error),
            Err(error) => (Outcome::Failed, error.to_string()),
        };
        Ok(Self { name: name.into(), needed, outcome, detail })
    }

    fn skipped(name: &str, why: &str) -> Self {
        Self { name: name.to_owned(), needed: false, outcome: Outcome::Skipped, detail: why.to_owned() }
    }

    /// The refusal that a failed needed test calls for.
    ///
    /// # Errors
    /// If the test is needed and has failed.
    pub(crate) fn accept(&self, device: &Device) -> Result<(), DeviceError> {
        if self.needed && self.outcome == Outcome::Failed {
            return Err(DeviceError::Refused {
                driver: device.summary().label(),
                test: self.name.clone(),
                detail: self.detail.clone(),
            });
        }
        Ok(())
    }
}

/// What a self-test found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// Adapter and driver.
    pub device: String,
    /// The tests, in the order in which they ran.
    pub checks: Vec<Check>,
    /// What follows for the engine.
    pub capabilities: Capabilities,
}

impl Report {
    /// Whether the engine runs on this device.
    #[must_use]
    pub fn usable(&self) -> bool {
        !self.checks.iter().any(|check| check.needed && check.outcome == Outcome::Failed)
    }
}

impl std::fmt::Display for Report {
    /// A line a test, in columns.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}", self.device)?;
        let width = self.checks.iter().map(|check| check.name.chars().count()).max().unwrap_or(0);
        for check in &self.checks {
            let outcome = match (&check.outcome, check.needed) {
                (Outcome::Passed, _) => "passed",
                (Outcome::Failed, true) => "FAILED",
                (Outcome::Failed, false) => "off",
                (Outcome::Skipped, _) => "skipped",
            };
            writeln!(f, "  {:<width$}  {outcome:<7}  {}", check.name, check.detail)?;
        }
        let replaced = self.capabilities.replaced_functions();
        match (self.usable(), replaced.is_empty()) {
            (false, _) => write!(f, "refused: the engine needs what this driver gets wrong"),
            (true, true) => write!(f, "usable, with all builtin functions"),
            (true, false) => write!(f, "usable, with natgrad's own {}", replaced.join(", ")),
        }
    }
}

/// Tests a device and reports everything, whatever fails. A million points a function take some seconds.
///
/// # Errors
/// If the device is lost or out of memory.
pub fn selftest(device: &Device, depth: Depth) -> Result<Report, DeviceError> {
    let device = device.untested();
    let mut checks = loops::check(&device)?;
    if checks.iter().any(|check| check.outcome == Outcome::Failed) {
        // Everything else loops too: where loops are cut, no further answer means anything.
        return Ok(Report { device: device.summary().label(), checks, capabilities: Capabilities::default() });
    }
    // Most of the time goes into compiling: functions on one core, all the rest on another.
    let (others, functions) = rayon::join(|| other_checks(&device, depth), || functions::check(&device, depth));
    let (first, transforms, f64) = others?;
    let (functions, replaced) = functions?;
    checks.extend(first);
    let capabilities = Capabilities {
        error_free_transforms: transforms.outcome == Outcome::Passed,
        f64: f64.outcome == Outcome::Passed,
        ..Capabilities::default()
    };
    checks.extend([transforms, f64]);
    checks.extend(functions);
    let capabilities = Capabilities { replaced: replaced.definitions().collect(), ..capabilities };
    Ok(Report { device: device.summary().label(), checks, capabilities })
}

/// Everything that is neither a loop nor a function: first what only passes or fails, then what is switched off.
fn other_checks(device: &Device, depth: Depth) -> Result<(Vec<Check>, Check, Check), DeviceError> {
    let mut first = Vec::from(workgroups::check(device)?);
    first.extend(arithmetic::not_finite(device)?);
    Ok((first, arithmetic::error_free_transforms(device, depth)?, arithmetic::doubles(device, depth)?))
}

/// The quick self-test at opening: what the device is good for, or why it is refused.
pub(crate) fn capabilities(device: &Device) -> Result<Capabilities, DeviceError> {
    let report = selftest(device, Depth::Quick)?;
    for check in &report.checks {
        check.accept(device)?;
    }
    Ok(report.capabilities)
}

/// The kernels of the self-test, for tests that compile every shader without a device.
pub(crate) fn sources() -> Vec<KernelSource> {
    let mut sources = vec![super::elementary::SOURCE, loops::SOURCE];
    sources.extend(arithmetic::SOURCES);
    sources.extend(workgroups::SOURCES);
    sources
}
