//! Natgrad, with the data on the device or on the host.

use natgrad::Device;
use natgrad::linalg::{
    CholeskyOptions, CholeskySolution, DeviceBatch, DeviceCholeskySolution, DeviceReported, DeviceSvd, LinalgError,
    MatrixBatch, PinvOptions, Reported, Svd, SvdOptions, cholesky_solve, pinv_solve, svd,
};

use super::contender::Contender;
use super::matrices::Matrices;
use super::task::Task;

fn svd_options(task: Task) -> SvdOptions {
    if task == Task::Svd { SvdOptions::default() } else { SvdOptions::values() }
}

/// What was found, on the host.
enum Found {
    Svd(Svd),
    Reported(Reported),
    Cholesky(CholeskySolution),
}

impl Found {
    fn answers(&self, count: usize) -> Vec<f32> {
        let answers = match self {
            Self::Svd(found) => &found.sigma,
            Self::Reported(found) => &found.matrices,
            Self::Cholesky(found) => &found.x,
        };
        (0..count.min(answers.batch())).flat_map(|b| answers.matrix(b)).collect()
    }

    fn sweeps(&self) -> Option<f64> {
        let Self::Svd(found) = self else { return None };
        let sum: f64 = found.reports.iter().map(|report| f64::from(report.sweeps)).sum();
        Some(sum / found.reports.len() as f64)
    }
}

/// The same on the device.
enum DeviceFound {
    Svd(DeviceSvd),
    Reported(DeviceReported),
    Cholesky(DeviceCholeskySolution),
}

impl DeviceFound {
    fn download(&self) -> Result<Found, LinalgError> {
        Ok(match self {
            Self::Svd(found) => Found::Svd(found.download()?),
            Self::Reported(found) => Found::Reported(found.download()?),
            Self::Cholesky(found) => Found::Cholesky(found.download()?),
        })
    }

    fn answers(&self) -> &DeviceBatch {
        match self {
            Self::Svd(found) => &found.sigma,
            Self::Reported(found) => &found.matrices,
            Self::Cholesky(found) => &found.x,
        }
    }
}

/// Matrices that lie on the device already, with results that stay there.
pub(crate) struct OnDevice {
    task: Task,
    matrices: DeviceBatch,
    rights: DeviceBatch,
    found: Option<DeviceFound>,
}

impl OnDevice {
    pub(crate) fn new(device: &Device, task: Task, matrices: &Matrices, count: usize) -> Result<Self, LinalgError> {
        let [a, b] = matrices.tiles(count)?;
        Ok(Self { task, matrices: device.upload(&a)?, rights: device.upload(&b)?, found: None })
    }

    fn download(&self) -> Result<Found, LinalgError> {
        self.found.as_ref().expect("it has run").download()
    }
}

impl Contender for OnDevice {
    fn run(&mut self) -> Result<(), LinalgError> {
        // First the old results' memory, as in a loop that uses them up.
        self.found = None;
        let a = &self.matrices;
        let found = match self.task {
            Task::Svd | Task::SvdValues => DeviceFound::Svd(a.svd(&svd_options(self.task))?),
            Task::PinvSolve => DeviceFound::Reported(a.pinv_solve(&self.rights, &PinvOptions::default())?),
            Task::CholeskySolve => DeviceFound::Cholesky(a.cholesky_solve(&self.rights, &CholeskyOptions::default())?),
        };
        // One word back on the host: everything before it is done.
        a.device().read_range(found.answers().buffer(), 0..1)?;
        self.found = Some(found);
        Ok(())
    }

    fn answers(&self, count: usize) -> Result<Vec<f32>, LinalgError> {
        Ok(self.download()?.answers(count))
    }

    fn sweeps(&self) -> Result<Option<f64>, LinalgError> {
        Ok(self.download()?.sweeps())
    }
}

/// From host memory to host memory.
pub(crate) struct EndToEnd {
    task: Task,
    device: Device,
    matrices: MatrixBatch,
    rights: MatrixBatch,
    found: Option<Found>,
}

impl EndToEnd {
    pub(crate) fn new(device: &Device, task: Task, matrices: &Matrices, count: usize) -> Result<Self, LinalgError> {
        let [a, b] = matrices.tiles(count)?;
        Ok(Self { task, device: device.clone(), matrices: a, rights: b, found: None })
    }
}

impl Contender for EndToEnd {
    fn run(&mut self) -> Result<(), LinalgError> {
        self.found = None;
        let (device, a, b) = (&self.device, &self.matrices, &self.rights);
        self.found = Some(match self.task {
            Task::Svd | Task::SvdValues => Found::Svd(svd(device, a, &svd_options(self.task))?),
            Task::PinvSolve => Found::Reported(pinv_solve(device, a, b, &PinvOptions::default())?),
            Task::CholeskySolve => Found::Cholesky(cholesky_solve(device, a, b, &CholeskyOptions::default())?),
        });
        Ok(())
    }

    fn answers(&self, count: usize) -> Result<Vec<f32>, LinalgError> {
        Ok(self.found.as_ref().expect("it has run").answers(count))
    }
}
