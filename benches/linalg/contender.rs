//! What can be timed: natgrad with the data on the device or on the host, and the peers on all cores.

use natgrad::Device;
use natgrad::linalg::{DeviceBatch, DeviceSvd, LinalgError, MatrixBatch, Svd, SvdOptions, svd};

use super::matrices::Matrices;

/// Work that can be repeated; it is prepared outside the time.
pub(crate) trait Contender {
    /// Does the work once, to its end.
    fn run(&mut self) -> Result<(), LinalgError>;

    /// The singular values of the last run, matrix by matrix, up to `count` matrices.
    fn sigma(&self, count: usize) -> Result<Vec<f32>, LinalgError>;

    /// Jacobi sweeps in the last run, the mean over the matrices, where it takes any.
    fn sweeps(&self) -> Result<Option<f64>, LinalgError> {
        Ok(None)
    }
}

fn options(vectors: bool) -> SvdOptions {
    if vectors { SvdOptions::default() } else { SvdOptions::values() }
}

fn mean_sweeps(svd: &Svd) -> f64 {
    svd.reports.iter().map(|report| f64::from(report.sweeps)).sum::<f64>() / svd.reports.len() as f64
}

fn first_sigma(sigma: &MatrixBatch, count: usize) -> Vec<f32> {
    (0..count.min(sigma.batch())).flat_map(|b| sigma.matrix(b)).collect()
}

/// Natgrad on matrices that lie on the device already, with results that stay there.
pub(crate) struct OnDevice {
    matrices: DeviceBatch,
    vectors: bool,
    found: Option<DeviceSvd>,
}

impl OnDevice {
    pub(crate) fn new(device: &Device, matrices: &Matrices, count: usize, vectors: bool) -> Result<Self, LinalgError> {
        Ok(Self { matrices: device.upload(&matrices.tiles(count)?)?, vectors, found: None })
    }

    fn download(&self) -> Result<Svd, LinalgError> {
        self.found.as_ref().expect("it has run").download()
    }
}

impl Contender for OnDevice {
    fn run(&mut self) -> Result<(), LinalgError> {
        // First the old results' memory, as in a loop that uses them up.
        self.found = None;
        let found = self.matrices.svd(&options(self.vectors))?;
        // One word back on the host: everything before it is done.
        self.matrices.device().read_range(found.sigma.buffer(), 0..1)?;
        self.found = Some(found);
        Ok(())
    }

    fn sigma(&self, count: usize) -> Result<Vec<f32>, LinalgError> {
        Ok(first_sigma(&self.download()?.sigma, count))
    }

    fn sweeps(&self) -> Result<Option<f64>, LinalgError> {
        Ok(Some(mean_sweeps(&self.download()?)))
    }
}

/// Natgrad from host memory to host memory.
pub(crate) struct EndToEnd {
    device: Device,
    matrices: MatrixBatch,
    vectors: bool,
    found: Option<Svd>,
}

impl EndToEnd {
    pub(crate) fn new(device: &Device, matrices: &Matrices, count: usize, vectors: bool) -> Result<Self, LinalgError> {
        Ok(Self { device: device.clone(), matrices: matrices.tiles(count)?, vectors, found: None })
    }
}

impl Contender for EndToEnd {
    fn run(&mut self) -> Result<(), LinalgError> {
        self.found = None;
        self.found = Some(svd(&self.device, &self.matrices, &options(self.vectors))?);
        Ok(())
    }

    fn sigma(&self, count: usize) -> Result<Vec<f32>, LinalgError> {
        Ok(first_sigma(&self.found.as_ref().expect("it has run").sigma, count))
    }
}
