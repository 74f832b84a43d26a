//! The comparison in one table.

use std::fmt::Write;

use natgrad::Device;
use natgrad::gpu::peaks::Peaks;

use super::contender::Contender;

/// What is asked of every matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    Svd,
    SvdValues,
}

impl Task {
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Svd => "svd",
            Self::SvdValues => "svd_values",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Svd => "SVD with vectors",
            Self::SvdValues => "SVD, values only",
        }
    }

    /// Operations a matrix, by convention: one-sided Jacobi takes 4mn² a sweep over the columns, m ≥ n, and 3n³ over V
    /// where that is wanted. A kernel that reduces a tall matrix to its triangular factor takes fewer.
    fn operations(self, m: usize, n: usize, sweeps: f64) -> f64 {
        let (long, short) = (m.max(n) as f64, m.min(n) as f64);
        let of_v = if self == Self::Svd { 3.0 * short.powi(3) } else { 0.0 };
        sweeps * (4.0 * long * short * short + of_v)
    }

    /// The bytes that cannot be saved: the matrix read once, every result written once.
    fn bytes(self, m: usize, n: usize) -> f64 {
        let rank = m.min(n);
        let vectors = if self == Self::Svd { (m + n) * rank } else { 0 };
        4.0 * (m * n + rank + vectors) as f64
    }
}

/// What one contender reached.
pub(crate) struct Figure {
    /// Matrices of one run.
    count: usize,
    /// Matrices a second in the best run.
    rate: f64,
    sweeps: Option<f64>,
    /// The largest error of a singular value, in units of 2⁻²⁴·σ₁.
    error: f64,
}

impl Figure {
    /// Of a contender that has run; `truth` holds the singular values of the first matrices, `rank` of each.
    pub(crate) fn new(work: &dyn Contender, count: usize, rate: f64, truth: &[f64], rank: usize) -> Self {
        let found = work.sigma(truth.len() / rank).expect("the results can be read");
        let worst = |(found, truth): (&[f32], &[f64])| {
            let off = found.iter().zip(truth).map(|(&found, truth)| (f64::from(found) - truth).abs());
            off.fold(0.0, |worst: f64, off| if off > worst || off.is_nan() { off } else { worst }) / truth[0]
        };
        let error = found.chunks_exact(rank).zip(truth.chunks_exact(rank)).map(worst).fold(0.0, f64::max);
        let sweeps = work.sweeps().expect("the reports can be read");
        Self { count, rate, sweeps, error: error * 2f64.powi(24) }
    }
}

/// Everybody's figures on one shape, by name.
pub(crate) struct Row {
    pub(crate) task: Task,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) figures: Vec<(&'static str, Figure)>,
}

impl Row {
    fn figure(&self, name: &str) -> Option<&Figure> {
        self.figures.iter().find(|(contender, _)| *contender == name).map(|(_, figure)| figure)
    }

    fn cells(&self, peaks: &Peaks) -> Vec<String> {
        let (m, n) = (self.rows, self.columns);
        let device = self.figure("device");
        let sweeps = device.and_then(|figure| figure.sweeps);
        let operations = device.zip(sweeps).map(|(figure, sweeps)| figure.rate * self.task.operations(m, n, sweeps));
        let bytes = device.map(|figure| figure.rate * self.task.bytes(m, n));
        let peers = ["faer", "nalgebra", "fast-svd-3x3"].map(|name| self.figure(name));
        let best = peers.iter().flatten().map(|figure| figure.rate).max_by(f64::total_cmp);
        let ratio =
            |name: &str| cell(self.figure(name).zip(best), |(figure, best)| format!("{:.2}", figure.rate / best));
        let rate = |figure: Option<&Figure>| cell(figure, |figure| short(figure.rate));
        let errors = ["device", "faer", "nalgebra", "fast-svd-3x3"].map(|name| self.figure(name));
        let errors = errors.map(|figure| cell(figure, |figure| format!("{:.0}", figure.error)));
        vec![
            format!("{m}x{n}"),
            cell(device, |figure| figure.count.to_string()),
            cell(sweeps, |sweeps| format!("{sweeps:.1}")),
            rate(device),
            rate(self.figure("end_to_end")),
            rate(peers[0]),
            rate(peers[1]),
            rate(peers[2]),
            ratio("device"),
            ratio("end_to_end"),
            cell(operations, |operations| format!("{:.2}", operations * 1e-9)),
            cell(operations, |operations| percent(operations / peaks.operations_per_second())),
            cell(bytes, |bytes| percent(bytes / peaks.bytes_per_second())),
            errors.join(" "),
        ]
    }
}

const HEAD: [&str; 14] = [
    "shape",
    "batch",
    "sweeps",
    "device/s",
    "host/s",
    "faer/s",
    "nalgebra/s",
    "fast3x3/s",
    "device:peer",
    "host:peer",
    "GFLOP/s",
    "of peak",
    "of copy",
    "sigma errors",
];

const NOTES: &str = "\
device/s, host/s: matrices a second, with matrices and results on the device, and from host memory to host memory.
Rates are those of the best run of each contender; criterion's report has the spread. Peers use all cores, a matrix each.
device:peer, host:peer: against the fastest peer here; above 1 natgrad is faster.
GFLOP/s: 4mn² a sweep (m ≥ n) and 3n³ a sweep for V, with the mean of the sweeps reported; nominal where a QR comes first.
of peak, of copy: fractions of the multiply-add peak, and of the copy peak by the bytes that must be read and written.
sigma errors: worst of the first 16 matrices, in units of 2^-24 times the largest, of natgrad, faer, nalgebra, fast-svd-3x3.
fast3x3/s: fast-svd-3x3 by AVX, eight interleaved matrices at a time; four sweeps on AᵀA with approximate square roots.
";

fn cell<T>(value: Option<T>, text: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), text)
}

fn percent(fraction: f64) -> String {
    format!("{:.1}%", 100.0 * fraction)
}

/// Three digits and a suffix.
fn short(rate: f64) -> String {
    let (value, suffix) = match rate {
        rate if rate >= 1e6 => (rate * 1e-6, "M"),
        rate if rate >= 1e3 => (rate * 1e-3, "k"),
        rate => (rate, ""),
    };
    let decimals = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.decimals$}{suffix}")
}

/// The peaks, a table for every task, and what the columns mean.
pub(crate) fn text(rows: &[Row], device: &Device, peaks: &Peaks, load: f64) -> String {
    let mut text = format!("\n{}\n", device.summary().label());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let _ = writeln!(text, "{cores} cores; load average of the last five minutes, this run included: {load:.1}");
    for (what, unit, rates) in [
        ("multiply-add peak", "GFLOP/s", &peaks.multiply_add),
        ("copy peak", "GB/s read plus written", &peaks.copy),
        ("copy command", "GB/s read plus written", &peaks.copy_command),
    ] {
        if let Some(rate) = rates.first() {
            let _ = writeln!(text, "{what}: {:.1} {unit} ({})", rate.per_second * 1e-9, rate.kernel);
        }
    }
    for task in [Task::Svd, Task::SvdValues] {
        let mut cells: Vec<Vec<String>> =
            rows.iter().filter(|row| row.task == task).map(|row| row.cells(peaks)).collect();
        if cells.is_empty() {
            continue;
        }
        cells.insert(0, HEAD.map(str::to_owned).to_vec());
        let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
        let _ = writeln!(text, "\n{}, f32", task.title());
        for row in &cells {
            let line: Vec<String> = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:>width$}")).collect();
            let _ = writeln!(text, "{}", line.join("  "));
        }
    }
    let _ = write!(text, "\n{NOTES}");
    text
}
