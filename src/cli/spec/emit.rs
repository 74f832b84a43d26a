//! A request as the TOML that asks for the same.

use std::fmt::Write;

use super::{DataSource, Keep, ModelRequest, OutputRequest, PrecisionChoice, Request, SavingRequest};
use crate::builtin::Teacher;
use crate::data::Missing;
use crate::model::Network;
use crate::ngd::{Damping, Filter, Scaling, Stop};
use crate::starts::{Distribution, Initialisation, Initialiser, Spacing, StartRange};
use crate::sweep::{Detail, Draw, Errors, History, Reduction, SizeUnit, StepBlock};

impl Request {
    /// The spec that `natgrad sweep` runs to the same results; what is at its default is left out.
    pub(in super::super) fn to_toml(&self) -> String {
        let mut spec = Spec::default();
        spec.table("[model]");
        match &self.model {
            ModelRequest::Expression(model) => {
                spec.text("expression", &model.expression);
                spec.texts("parameters", &model.parameters);
                if !model.constants.is_empty() {
                    spec.line("constants", &inline(&model.constants, |&value| number(value)));
                }
            }
            ModelRequest::Network(network) => spec.line("network", &format!("{{ {} }}", of_network(network))),
        }
        self.data_table(&mut spec);
        self.start_table(&mut spec);
        for block in &self.blocks {
            step_block(&mut spec, block);
        }
        if self.reduction == Reduction::Mean {
            spec.table("[loss]");
            spec.text("reduction", "mean");
        }
        stop_table(&mut spec, &self.stop);
        history_table(&mut spec, self.history);
        self.run_table(&mut spec);
        output_table(&mut spec, &self.output);
        spec.0
    }

    fn run_table(&self, spec: &mut Spec) {
        let mut run = Spec::default();
        if let Some(device) = &self.device {
            run.text("device", device);
        }
        let precision = PrecisionChoice::WORDS.iter().find(|(_, choice)| *choice == self.precision);
        if let Some((word, _)) = precision.filter(|(_, choice)| *choice != PrecisionChoice::Auto) {
            run.text("precision", word);
        }
        if let Some(count) = self.verify {
            run.line("verify", &count.to_string());
        }
        if let Some(share) = self.require_converged {
            run.line("require_converged", &number(share));
        }
        if let Some(part) = self.saving.part {
            run.line("part", &part.to_string());
        }
        if self.saving != (SavingRequest { part: self.saving.part, ..SavingRequest::default() }) {
            run.line("save_every", &number(self.saving.seconds));
        }
        spec.table_unless_empty("[run]", &run);
    }

    fn data_table(&self, spec: &mut Spec) {
        let data = &self.data;
        spec.table("[data]");
        match &data.source {
            DataSource::File(file) => {
                spec.text("file", &file.display().to_string());
                if !data.axes.is_empty() {
                    spec.texts("axes", &data.axes);
                }
            }
            DataSource::Chebyshev { degree, points } => {
                spec.line("builtin", &format!("{{ chebyshev = {{ degree = {degree}, points = {points} }} }}"));
            }
            DataSource::Teacher(teacher) => {
                let Teacher { network, initialisation, points, seeds, noise } = teacher;
                let network = layers(network);
                let initialisation = self::initialisation(initialisation);
                let (seeds, noise) = (self::seeds(seeds), number(*noise));
                let rest = format!("{initialisation}, points = {points}, {seeds}, noise = {noise}");
                spec.line("builtin", &format!("{{ teacher = {{ {network}, {rest} }} }}"));
            }
        }
        match data.responses.as_slice() {
            [] => {}
            [response] => spec.text("response", response),
            responses => spec.texts("response", responses),
        }
        if let Some(sigma) = &data.sigma {
            spec.text("sigma", sigma);
        }
        if !data.group.is_empty() {
            spec.texts("group", &data.group);
        }
        if data.missing == Missing::Drop {
            spec.text("missing", "drop");
        }
        if !data.columns.is_empty() {
            spec.line("columns", &inline(&data.columns, |column| quoted(column)));
        }
        if data.errors == Errors::Absolute {
            spec.text("errors", "absolute");
        }
    }

    fn start_table(&self, spec: &mut Spec) {
        let start = &self.start;
        spec.table("[start]");
        if !start.values.is_empty() {
            let values: Vec<String> = start.values.iter().map(|values| inline(values, |&v| number(v))).collect();
            spec.line("values", &format!("[{}]", values.join(", ")));
        }
        if !start.guesses.is_empty() {
            spec.line("guess", &inline(&start.guesses, |guess| quoted(guess)));
        }
        if let Some(file) = &start.file {
            spec.text("file", &file.display().to_string());
        }
        if let Some(random) = &start.random {
            let seeds = seeds(&random.seeds);
            spec.line("random", &format!("{{ {}, {seeds} }}", draw(&random.draw)));
        }
    }
}

fn seeds(seeds: &std::ops::Range<u64>) -> String {
    format!("seeds = {{ from = {}, count = {} }}", seeds.start, seeds.end - seeds.start)
}

fn layers(network: &Network) -> String {
    let bias = network.weight_layers().last().is_none_or(|layer| !layer.biases.is_empty());
    let (layers, activation) = (network.layers(), network.activation().name());
    format!("layers = {layers:?}, activation = \"{activation}\", output_bias = {bias}")
}

fn of_network(network: &Network) -> String {
    let scaled = network.is_ntk();
    let inputs: Vec<String> = network.inputs().iter().map(|input| quoted(input)).collect();
    let parametrisation = if scaled { "ntk" } else { "standard" };
    format!("{}, parametrisation = \"{parametrisation}\", inputs = [{}]", layers(network), inputs.join(", "))
}

fn initialisation(initialisation: &Initialisation) -> String {
    match initialisation.initialiser {
        Initialiser::Normal { scale } => format!("initialiser = \"normal\", scale = {}", number(scale)),
        Initialiser::Xavier { gain } => format!("initialiser = \"xavier\", gain = {}", number(gain)),
        Initialiser::He { gain } => format!("initialiser = \"he\", gain = {}", number(gain)),
    }
}

fn word(distribution: Distribution) -> &'static str {
    match distribution {
        Distribution::Uniform => "uniform",
        Distribution::Normal => "normal",
    }
}

fn draw(draw: &Draw) -> String {
    match draw {
        Draw::Scaled { distribution, scale } => {
            format!("distribution = \"{}\", scale = {}", word(*distribution), number(*scale))
        }
        Draw::Initialised(start) => {
            let (distribution, zero) = (word(start.distribution), start.zero_output);
            format!("{}, distribution = \"{distribution}\", zero_output = {zero}", initialisation(start))
        }
        Draw::Ranges(ranges) => format!("ranges = {}", inline(ranges, range)),
    }
}

fn range(range: &StartRange) -> String {
    let (from, to) = (number(range.from), number(range.to));
    match range.spacing {
        Spacing::Linear => format!("[{from}, {to}]"),
        Spacing::Log => format!("{{ from = {from}, to = {to}, spacing = \"log\" }}"),
    }
}

fn step_block(spec: &mut Spec, block: &StepBlock) {
    spec.table("[[step]]");
    spec.line("size", &list(&block.sizes, |&size| number(size)));
    if block.unit != SizeUnit::Absolute {
        spec.text("size_unit", block.unit.name());
    }
    spec.line(
        "damping",
        &list(&block.dampings, |damping| match damping {
            Damping::Adaptive => quoted("adaptive"),
            Damping::Fixed(epsilon) => number(*epsilon),
        }),
    );
    match block.filter {
        Filter::FixedRank(rank) => spec.line("filter", &format!("{{ fixed_rank = {rank} }}")),
        Filter::Exact => {}
        Filter::Smooth => spec.text("filter", "smooth"),
        Filter::Gradient => spec.text("method", "gd"),
        Filter::ResidualScaled { factor, power } => {
            let table = format!("factor = {}, power = {}", number(factor), number(power));
            spec.line("filter", &format!("{{ residual_scaled = {{ {table} }} }}"));
        }
    }
    if block.momentum != 0.0 {
        spec.line("momentum", &number(block.momentum));
    }
    match block.scaling {
        Some(Scaling::Columns) => spec.text("scaling", "columns"),
        Some(Scaling::None) => spec.text("scaling", "none"),
        None => {}
    }
    if let Some(cutoff) = block.cutoff {
        spec.line("cutoff", &number(cutoff));
    }
}

fn stop_table(spec: &mut Spec, stop: &Stop) {
    if *stop == Stop::default() {
        return;
    }
    spec.table("[stop]");
    spec.line("steps", &stop.steps.to_string());
    let tolerances = [("loss", stop.loss), ("initial_loss", stop.initial_loss), ("gradient", stop.gradient)];
    for (key, tolerance) in tolerances.into_iter().chain([("change", stop.change)]) {
        if let Some(tolerance) = tolerance {
            spec.line(key, &number(tolerance));
        }
    }
    if !stop.tests {
        spec.line("tests", "false");
    }
}

fn history_table(spec: &mut Spec, history: History) {
    if !history.is_kept() {
        return;
    }
    spec.table("[history]");
    spec.line("every", &history.every.to_string());
    for (key, asked) in [("parameters", history.parameters), ("hessian_sharpness", history.hessian_sharpness)] {
        if asked {
            spec.line(key, "true");
        }
    }
}

fn output_table(spec: &mut Spec, output: &OutputRequest) {
    let mut table = Spec::default();
    if output.keep == Keep::Best {
        table.text("keep", "best");
    }
    if output.detail == Detail::Essential {
        table.text("detail", "essential");
    }
    if !output.formats.is_empty() {
        let formats: Vec<String> = output.formats.iter().map(|form| form.extension().to_owned()).collect();
        table.texts("formats", &formats);
    }
    for (key, asked) in [("curves", output.curves), ("parameters", output.parameters)] {
        if asked {
            table.line(key, "true");
        }
    }
    spec.table_unless_empty("[output]", &table);
}

/// A spec as it grows.
#[derive(Default)]
struct Spec(String);

impl Spec {
    fn table(&mut self, header: &str) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        self.0 += header;
        self.0.push('\n');
    }

    fn table_unless_empty(&mut self, header: &str, lines: &Self) {
        if !lines.0.is_empty() {
            self.table(header);
            self.0 += &lines.0;
        }
    }

    fn line(&mut self, key: &str, value: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{key} = {value}");
    }

    fn text(&mut self, key: &str, value: &str) {
        self.line(key, &quoted(value));
    }

    fn texts(&mut self, key: &str, values: &[String]) {
        let values: Vec<String> = values.iter().map(|value| quoted(value)).collect();
        self.line(key, &format!("[{}]", values.join(", ")));
    }
}

/// The shortest TOML number that reads back as the same bits.
fn number(value: f64) -> String {
    format!("{value:?}")
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// A single value as it is, several as a list.
fn list<T>(values: &[T], shown: impl Fn(&T) -> String) -> String {
    match values {
        [one] => shown(one),
        _ => format!("[{}]", values.iter().map(shown).collect::<Vec<_>>().join(", ")),
    }
}

fn inline<T>(entries: &[(String, T)], shown: impl Fn(&T) -> String) -> String {
    let bare = |key: &str| !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    let entries: Vec<String> = entries
        .iter()
        .map(|(key, value)| {
            let key = if bare(key) { key.clone() } else { quoted(key) };
            format!("{key} = {}", shown(value))
        })
        .collect();
    format!("{{ {} }}", entries.join(", "))
}
