//! The comparison in one table.

use std::fmt::Write;

use natgrad::Device;
use natgrad::gpu::peaks::Peaks;

use super::contender::Contender;
use super::task::Task;

/// What one contender reached.
pub(crate) struct Figure {
    /// Matrices of one run.
    count: usize,
    /// Matrices a second in the best run.
    rate: f64,
    sweeps: Option<f64>,
    /// The largest error of a matrix, in units of 2⁻²⁴ times its largest singular value or entry of the solution.
    error: f64,
}

impl Figure {
    /// Of a contender that has run; `truth` holds the answers of the first matrices, so many of `each`.
    pub(crate) fn new(work: &dyn Contender, count: usize, rate: f64, truth: &[f64], each: usize) -> Self {
        let found = work.answers(truth.len() / each).expect("the results can be read");
        let worse = |worst: f64, off: f64| if worst.is_nan() || worst >= off { worst } else { off };
        let worst = |(found, truth): (&[f32], &[f64])| {
            let off = found.iter().zip(truth).map(|(&found, truth)| (f64::from(found) - truth).abs());
            off.fold(0.0, worse) / truth.iter().fold(0.0, |most: f64, truth| most.max(truth.abs()))
        };
        let error = found.chunks_exact(each).zip(truth.chunks_exact(each)).map(worst).fold(0.0, worse);
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
        let each = self.task.operations(m, n, sweeps);
        let operations = device.zip(each).map(|(figure, each)| figure.rate * each);
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
    "errors",
];

const NOTES: &str = "\
device/s, host/s: matrices a second, with matrices and results on the device, and from host memory to host memory.
Rates are those of the best run of each contender; criterion's report has the spread. Peers use all cores, a matrix each.
device:peer, host:peer: against the fastest peer here; above 1 natgrad is faster.
GFLOP/s: of SVDs 4mn² a sweep (m ≥ n) and 3n³ a sweep for V, with the mean of the sweeps reported, nominal where a QR
comes first; of pinv_solve those of Householder QR, of cholesky_solve those of the factor and one solution.
of peak, of copy: fractions of the multiply-add peak, and of the copy peak by the bytes that must be read and written.
errors: of natgrad, faer, nalgebra, fast-svd-3x3 the worst of the first 16 matrices, in units of 2^-24 times the largest
singular value, or the largest entry of the solution; those of solutions grow with the condition.
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
    for task in Task::ALL {
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
    let _ = writeln!(text, "\nmappings measured on this device, microseconds a matrix");
    for chosen in device.mappings().iter().filter(|chosen| !chosen.seconds.is_empty()) {
        let time = |(name, seconds): (&String, &Option<f64>)| match seconds {
            Some(seconds) => format!("{name} {:.3}", seconds * 1e6),
            None => format!("{name} not tried"),
        };
        let times: Vec<String> = chosen.seconds.iter().map(time).collect();
        let _ = writeln!(text, "{}: {} ({})", chosen.operation, chosen.mapping, times.join(", "));
    }
    let _ = write!(text, "\n{NOTES}");
    text
}
