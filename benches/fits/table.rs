//! What was measured, as a table.

use std::time::Duration;

use super::workloads::{Found, Kind};

/// The time of opening the device, and of the first run there.
pub(crate) type Cold = (Duration, Duration);

/// How difficult the mixed fits are.
pub(crate) struct Mixture {
    /// Steps on average: of the hard ones, and of the others.
    pub(crate) hard: f64,
    pub(crate) others: f64,
    pub(crate) slowest: u32,
    /// The time by tests, and that of all fits taking as many steps as the slowest.
    pub(crate) end_to_end: [Duration; 2],
    /// The same of data and results that stay on the device.
    pub(crate) resident: [Option<Duration>; 2],
}

/// A workload of one size.
pub(crate) struct Line {
    pub(crate) kind: Kind,
    pub(crate) count: usize,
    /// Opening the device, and the first run on it.
    pub(crate) cold: Option<Cold>,
    /// Fits a second from a sweep to its outcome, with what is essential and with all that there is.
    pub(crate) warm: Option<f64>,
    pub(crate) full: Option<f64>,
    /// Fits a second of data that are on the device already and results that stay there.
    pub(crate) resident: Option<f64>,
    pub(crate) found: Found,
    /// What the peers reach a second, and how their fits ended.
    pub(crate) peers: Vec<(&'static str, f64, Found)>,
    pub(crate) mixture: Option<Mixture>,
}

impl Line {
    fn name(&self) -> String {
        format!("{}/{}", self.kind.name(), self.count)
    }

    fn best_peer(&self) -> Option<f64> {
        self.peers.iter().map(|&(_, rate, _)| rate).max_by(f64::total_cmp)
    }

    /// The share of the multiply-add peak, of the fastest figure that there is.
    fn of_peak(&self, peak: f64) -> Option<f64> {
        let rate = self.resident.or(self.warm)?;
        let (steps, _) = self.found.steps?;
        Some(rate * (steps + 1.0) * self.kind.operations() / peak)
    }
}

/// A number of fits a second, short.
fn short(rate: f64) -> String {
    match rate {
        rate if rate >= 1e6 => format!("{:.2} M", rate / 1e6),
        rate if rate >= 1e3 => format!("{:.1} k", rate / 1e3),
        rate => format!("{rate:.0}"),
    }
}

fn or_none(figure: Option<String>) -> String {
    figure.unwrap_or_else(|| "-".to_owned())
}

/// `first` is the first call of the process, on the smallest job.
pub(crate) fn print(label: &str, peak: f64, first: Option<Cold>, lines: &[Line]) {
    println!("\n{label}: multiply-add peak {:.0} GFLOP/s, {} threads", peak / 1e9, rayon::current_num_threads());
    rates(lines, peak);
    ratios(lines);
    errors(lines);
    flatness(lines);
    if let Some((open, run)) = first {
        let (open, run) = (open.as_secs_f64(), run.as_secs_f64());
        println!(
            "\nfirst result of the process, 100 peaks: {:.2} s, {open:.2} s of them to open the device",
            open + run
        );
    }
}

fn rates(lines: &[Line], peak: f64) {
    println!(
        "{:20} {:>9} {:>9} {:>9} {:>9} {:>10} {:>6} {:>6} {:>8} {:>6}",
        "fits a second", "cold", "warm", "full", "resident", "converged", "steps", "most", "of peak", "bytes"
    );
    for line in lines {
        let (steps, most) = line.found.steps.unwrap_or((f64::NAN, 0));
        println!(
            "{:20} {:>9} {:>9} {:>9} {:>9} {:9.2}% {steps:6.2} {most:6} {:>8} {:6}",
            line.name(),
            or_none(line.cold.map(|(_, run)| short(line.count as f64 / run.as_secs_f64()))),
            or_none(line.warm.map(short)),
            or_none(line.full.map(short)),
            or_none(line.resident.map(short)),
            100.0 * line.found.converged,
            or_none(line.of_peak(peak).map(|share| format!("{:.1}%", 100.0 * share))),
            line.kind.bytes()
        );
    }
    println!(
        "cold: the first run on a device just opened, with the compilation of its shaders; opening is not counted. Drivers"
    );
    println!(
        "keep what they compiled in the process and on disk. resident: data and results on the device. of peak: of resident, or else of warm."
    );
}

fn ratios(lines: &[Line]) {
    println!(
        "\n{:20} {:>20} {:>12} {:>16} {:>16}",
        "ratio to peers", "levenberg-marquardt", "faer", "warm / best", "resident / best"
    );
    for line in lines {
        let of = |name: &str| line.peers.iter().find(|peer| peer.0 == name).map(|peer| short(peer.1));
        let ratio =
            |rate: Option<f64>| or_none(rate.zip(line.best_peer()).map(|(ours, best)| format!("{:.1}", ours / best)));
        println!(
            "{:20} {:>20} {:>12} {:>16} {:>16}",
            line.name(),
            or_none(of("levenberg-marquardt")),
            or_none(of("faer")),
            ratio(line.warm),
            ratio(line.resident)
        );
    }
    for Mixture { hard, others, slowest, end_to_end, resident } in lines.iter().filter_map(|l| l.mixture.as_ref()) {
        println!(
            "\n{}: steps of the hard ones {hard:.1}, of the others {others:.2}, most {slowest}",
            Kind::Mixed.name()
        );
        let compared = |name: &str, [by_tests, to_the_slowest]: [Duration; 2]| {
            let times = to_the_slowest.as_secs_f64() / by_tests.as_secs_f64();
            println!(
                "{name}: {by_tests:.1?} by tests, {to_the_slowest:.1?} with all to the slowest: {times:.1} times as long"
            );
        };
        compared("end to end", *end_to_end);
        if let [Some(by_tests), Some(to_the_slowest)] = *resident {
            compared("on the device", [by_tests, to_the_slowest]);
        }
    }
}

/// The last size of every workload.
fn errors(lines: &[Line]) {
    println!("\nconverged, and RMSE of the parameters against the truth in % of its mean");
    for (k, line) in lines.iter().enumerate() {
        if lines.get(k + 1).is_some_and(|next| next.kind == line.kind) {
            continue;
        }
        let ours = ("natgrad", &line.found);
        for (name, found) in std::iter::once(ours).chain(line.peers.iter().map(|(name, _, found)| (*name, found))) {
            let errors: Vec<String> = found.errors.iter().map(|error| format!("{error:.3}")).collect();
            println!("{:20} {name:20} {:6.2}%  {}", line.name(), 100.0 * found.converged, errors.join("  "));
        }
    }
}

/// Whether a fit costs the same from 10⁵ on.
fn flatness(lines: &[Line]) {
    let large = |line: &&Line| line.kind == Kind::Peaks && line.count >= 100_000;
    let costs: Vec<(usize, f64)> =
        lines.iter().filter(large).filter_map(|line| line.warm.map(|rate| (line.count, 1e9 / rate))).collect();
    if costs.len() < 2 {
        return;
    }
    println!("\ncost of a fit, end to end:");
    for &(count, cost) in &costs {
        println!("{:20} {cost:8.1} ns, {:+.1}%", count, 100.0 * (cost / costs[0].1 - 1.0));
    }
    let (least, most) =
        costs.iter().fold((f64::INFINITY, 0.0_f64), |(least, most), &(_, cost)| (least.min(cost), most.max(cost)));
    println!("flat within {:.1}%", 100.0 * (most / least - 1.0));
}
