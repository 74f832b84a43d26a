use super::*;
use crate::data::Missing;
use crate::ngd::{Damping, Filter, Scaling};
use crate::starts::{Distribution, Spacing, StartRange};
use crate::sweep::{Detail, Draw, History, RandomStarts, SizeUnit, linspace};

const PLAIN: &str = r#"
[model]
expression = "b1*(1 - exp(-b2*x))"
parameters = ["b1", "b2"]
[data]
file = "misra1a.csv"
[start]
values = [{ b1 = 500, b2 = 1e-4 }]
"#;

fn read(text: &str) -> Result<Request, String> {
    read_spec(Path::new("folder/sweep.toml"), text).map_err(|failure| failure.message)
}

#[test]
fn a_plain_spec_takes_the_defaults() {
    let request = read(PLAIN).unwrap();
    assert_eq!(request.blocks, [StepBlock::default()]);
    assert_eq!(request.stop, Stop::default());
    assert_eq!(request.start.values, [[("b1".to_owned(), 500.0), ("b2".to_owned(), 1e-4)]]);
    assert_eq!(request.data.source, DataSource::File(PathBuf::from("misra1a.csv")));
    assert_eq!(request.path(Path::new("-")), Path::new("-"));
    assert_eq!(request.path(Path::new("/data/a.csv")), Path::new("/data/a.csv"));
}

#[test]
fn every_key_of_a_spec_is_read() {
    let request = read(
        r#"
[model]
expression = "a*exp(-k*t) + c"
parameters = ["a", "k"]
constants = { c = 0.5 }
[data]
file = "d.csv"
response = "log(y)"
sigma = 2
group = "cell"
missing = "drop"
columns = { t = "Time [s]" }
errors = "absolute"
[start]
values = { a = 1, k = -2.5 }
guess = { a = "max(y)", k = 3 }
file = "starts.csv"
random = { distribution = "uniform", scale = 0.5, seeds = { from = 7, count = 3 } }
[[step]]
method = "ngd"
size = { from = 0.5, to = 1.5, count = 3 }
size_unit = "2/sharpness"
damping = [0, 1e-6]
filter = { fixed_rank = 2 }
scaling = "none"
cutoff = 1e-3
momentum = 0
[[step]]
damping = { from = 1e-4, to = 1e-2, count = 3, spacing = "log" }
[[step]]
damping = "adaptive"
[stop]
steps = 0x10
loss = 1e-9
initial_loss = 1e-8
gradient = 1e-3
change = 0
tests = false
[history]
every = 5
parameters = true
hessian_sharpness = true
[run]
device = "cpu"
precision = "f64"
verify = 10
require_converged = 0.99
part = 500
save_every = 0.5
[output]
keep = "best"
formats = ["parquet", "csv", "jsonl"]
curves = true
"#,
    )
    .unwrap();
    assert_eq!(request.model.constants(), [("c".to_owned(), 0.5)]);
    assert_eq!(request.data.sigma.as_deref(), Some("2.0"));
    assert_eq!(request.data.columns, [("t".to_owned(), "Time [s]".to_owned())]);
    assert_eq!(request.start.guesses, [("a", "max(y)"), ("k", "3.0")].map(|(a, b)| (a.to_owned(), b.to_owned())));
    let random = request.start.random.unwrap();
    let draw = Draw::Scaled { distribution: Distribution::Uniform, scale: 0.5 };
    assert_eq!(random, RandomStarts { draw, seeds: 7..10 });
    assert_eq!(
        request.blocks[0],
        StepBlock {
            sizes: linspace(0.5, 1.5, 3),
            unit: SizeUnit::TwoOverSharpness,
            dampings: vec![Damping::Fixed(0.0), Damping::Fixed(1e-6)],
            filter: Filter::FixedRank(2),
            scaling: Some(Scaling::None),
            cutoff: Some(1e-3),
            momentum: 0.0,
        }
    );
    assert_eq!(request.blocks[1].dampings.len(), 3);
    assert_eq!(request.blocks[1].sizes, [1.0]);
    assert_eq!(request.blocks[2].dampings, [Damping::Adaptive]);
    let stop = request.stop;
    assert_eq!(stop.initial_loss, Some(1e-8));
    assert_eq!(
        (stop.steps, stop.loss, stop.gradient, stop.change, stop.tests),
        (16, Some(1e-9), Some(1e-3), Some(0.0), false)
    );
    assert_eq!(request.history, History { every: 5, parameters: true, hessian_sharpness: true });
    assert_eq!((request.device.as_deref(), request.precision), (Some("cpu"), PrecisionChoice::F64));
    assert_eq!((request.verify, request.require_converged), (Some(10), Some(0.99)));
    assert_eq!(request.saving, SavingRequest { part: Some(500), seconds: 0.5 });
    let formats = vec![TextForm::Csv, TextForm::Jsonl];
    assert_eq!(
        request.output,
        OutputRequest { keep: Keep::Best, detail: Detail::Full, formats, curves: true, parameters: false }
    );
}

#[test]
fn random_starts_may_have_a_range_for_each_parameter() {
    let ranges = "random = { ranges = { b1 = [0, 1000], b2 = { from = 1e-5, to = 1e-2, spacing = \"log\" } }, seeds = { count = 5 } }";
    let request = read(&PLAIN.replace("values = [{ b1 = 500, b2 = 1e-4 }]", ranges)).unwrap();
    let random = request.start.random.clone().unwrap();
    let draw = Draw::Ranges(vec![
        ("b1".to_owned(), StartRange { from: 0.0, to: 1000.0, spacing: Spacing::Linear }),
        ("b2".to_owned(), StartRange { from: 1e-5, to: 1e-2, spacing: Spacing::Log }),
    ]);
    assert_eq!(random, RandomStarts { draw, seeds: 0..5 });
    assert_eq!(read(&request.to_toml()).unwrap().start, request.start);
    let wrong: [(&str, &str, &[&str]); 7] = [
        ("[0, 1000]", "[1000, 0]", &["start.random.ranges.b1", "swap"]),
        ("[0, 1000]", "[0, 500, 1000]", &["two ends"]),
        ("[0, 1000]", "{ from = 0, spacing = \"log\" }", &["start.random.ranges.b1.to is missing"]),
        ("from = 1e-5", "from = 0", &["ranges.b2", "above 0"]),
        ("b1 =", "b3 =", &["\"b3\" is not a parameter"]),
        ("spacing", "spacin", &["did you mean \"spacing\"?"]),
        ("ranges", "scale = 1, ranges", &["start.random.scale", "leave"]),
    ];
    for (old, new, words) in wrong {
        let text = PLAIN.replace("values = [{ b1 = 500, b2 = 1e-4 }]", &ranges.replacen(old, new, 1));
        let message = read(&text).unwrap_err();
        assert!(message.starts_with("folder/sweep.toml, line 8") && !message.contains('\n'), "{message}");
        for word in words {
            assert!(message.contains(word), "{new:?}: {message:?} lacks {word:?}");
        }
    }
}

#[test]
fn sizes_without_a_damping_take_exact_steps() {
    let request = read(&format!("{PLAIN}[[step]]\nsize = [0.5, 1]\n")).unwrap();
    assert_eq!(request.blocks[0].dampings, [Damping::Fixed(0.0)]);
}

/// What is wrong, the line it is on, and words that the message must hold.
const WRONG: [(&str, usize, &[&str]); 52] = [
    ("[stepp]\nsize = 1", 9, &["unknown key \"stepp\"", "did you mean \"step\"?"]),
    ("[[step]]\nsize = 1\ndampng = 0", 11, &["unknown key \"dampng\"", "did you mean \"damping\"?"]),
    ("[frobnicate]", 9, &["unknown key", "the keys here are model, data"]),
    ("[[step]]\nsize = { from = 0, to = 1, cuont = 3 }", 10, &["did you mean \"count\"?"]),
    ("[[step]]\nsize = []", 10, &["step.size", "empty grid"]),
    ("[[step]]\nsize = { from = 1, to = 2, count = 0 }", 10, &["step.size", "empty grid"]),
    ("[[step]]\nsize = { from = 1, to = 2, count = 100000000000000 }", 10, &["size.count", "too many", "1000000"]),
    ("[[step]]\nsize = { from = 1, to = 2 }", 10, &["step.size.count is missing"]),
    ("[[step]]\nsize = { from = 1, to = 2, count = 1 }", 10, &["count = 2"]),
    ("[[step]]\nsize = { from = 0, to = 2, count = 3, spacing = \"log\" }", 10, &["above 0"]),
    ("[[step]]\nsize = { from = 1, to = 2, count = 3, spacing = \"lin\" }", 10, &["\"linear\", \"log\""]),
    ("[[step]]\nsize = \"big\"", 10, &["step.size", "the text \"big\"", "a number"]),
    ("[[step]]\nsize = -1", 10, &["-1 is not positive"]),
    ("[[step]]\nsize = inf", 10, &["finite"]),
    ("[[step]]\nsize = 0.5\ndamping = \"adaptive\"", 10, &["block of its own"]),
    ("[[step]]\nsize_unit = \"2/sharpness\"", 10, &["step.size_unit", "adaptive damping", "give step.size"]),
    ("[[step]]\nsize = 1\nsize_unit = \"2/lambda\"", 11, &["step.size_unit", "\"absolute\", \"2/sharpness\""]),
    ("[[step]]\ndamping = \"adaptve\"", 10, &["did you mean \"adaptive\"?"]),
    ("[[step]]\ndamping = [0, -1e-3]", 10, &["-0.001 is negative"]),
    ("[[step]]\ndamping = []", 10, &["empty grid"]),
    ("[[step]]\nmethod = \"sgd\"", 10, &["step.method", "\"ngd\", \"gd\""]),
    ("[[step]]\nmethod = \"gd\"\nfilter = \"exact\"", 11, &["step.filter", "no filter"]),
    ("[[step]]\nmethod = \"gd\"\nscaling = \"columns\"", 11, &["step.scaling", "plain J"]),
    ("[[step]]\nmethod = \"gd\"\ndamping = 1", 10, &["step.method", "leave step.damping out"]),
    ("[[step]]\nfilter = \"smoth\"", 10, &["step.filter", "did you mean \"smooth\"?"]),
    ("[[step]]\nfilter = \"smooth\"\ndamping = 1e-3", 10, &["step.filter", "smooth", "damping"]),
    ("[[step]]\nfilter = { residual_scaled = { factor = -1 } }", 10, &["residual_scaled.factor", "-1"]),
    ("[[step]]\nfilter = { fixed_rank = 0 }", 10, &["at least 1"]),
    ("[[step]]\nsize = 1\nmomentum = 1", 11, &["step.momentum", "outside [0, 1)"]),
    ("[[step]]\nmomentum = 0.9", 10, &["step.momentum", "adaptive"]),
    ("[[step]]\ncutoff = 1", 10, &["step.cutoff", "outside 0 to 1"]),
    ("[[step]]\nscaling = true", 10, &["step.scaling", "text in quotes"]),
    ("[history]\nevery = -5", 10, &["history.every", "-5 is negative"]),
    ("[history]\nparameters = true", 10, &["history.parameters", "nothing is recorded", "history.every"]),
    ("[history]\nevery = 0\nhessian_sharpness = true", 11, &["history.hessian_sharpness", "nothing is recorded"]),
    ("[stop]\nsteps = -3", 10, &["stop.steps", "-3 is negative"]),
    ("[stop]\nsteps = 2.5", 10, &["stop.steps", "whole number"]),
    ("[stop]\nsteps = 99999999999999999999999", 10, &["too many"]),
    ("[stop]\ngradient = -1", 10, &["stop.gradient", "negative"]),
    ("[stop]\ntests = 0", 10, &["true or false"]),
    ("[run]\nprecision = \"f16\"", 10, &["run.precision", "\"f32\""]),
    ("[run]\npart = 0", 10, &["run.part", "at least 1"]),
    ("[run]\nsave_every = -1", 10, &["run.save_every", "outside 0 to 1e9"]),
    ("[run]\nverify = -1", 10, &["run.verify", "-1 is negative"]),
    ("[run]\nrequire_converged = 99", 10, &["run.require_converged", "outside 0 to 1"]),
    ("[output]\ndetail = \"esential\"", 10, &["output.detail", "did you mean \"essential\"?"]),
    ("[output]\nkeep = \"bset\"", 10, &["output.keep", "did you mean \"best\"?"]),
    ("[output]\nformats = [\"xml\"]", 10, &["output.formats", "\"jsonl\""]),
    ("[output]\ncurves = \"curves.csv\"", 10, &["output.curves", "true or false"]),
    ("[network]\nlayers = [1, 20, 1]", 9, &["unknown key \"network\"", "the keys here are model"]),
    ("[[step]]\nsize = ", 10, &["not valid TOML"]),
    ("[model]\nexpression = \"x\"", 9, &["not valid TOML", "duplicate"]),
];

#[test]
fn whatever_is_wrong_is_said_in_one_line_with_file_line_and_mend() {
    for (addition, line, words) in WRONG {
        let message = read(&format!("{PLAIN}{addition}\n")).unwrap_err();
        assert!(message.starts_with(&format!("folder/sweep.toml, line {line}")), "{addition:?}: {message}");
        assert!(!message.contains('\n'), "{message}");
        for word in words {
            assert!(message.contains(word), "{addition:?}: {message:?} lacks {word:?}");
        }
    }
}

#[test]
fn whatever_is_wrong_with_model_data_and_starts_is_said_too() {
    let cases: [(&str, &str, &[&str]); 13] = [
        ("file = \"misra1a.csv\"", "", &["line 5", "data.file is missing"]),
        ("file = \"misra1a.csv\"", "file = 3", &["line 6", "text in quotes"]),
        ("expression = \"b1*(1 - exp(-b2*x))\"", "", &["line 2", "model.expression is missing"]),
        ("parameters = [\"b1\", \"b2\"]", "parameters = []", &["line 4", "at least one parameter"]),
        (
            "parameters = [\"b1\", \"b2\"]",
            "network = { layers = [1, 20, 1], activation = \"tanh\" }",
            &["line 4", "model.network", "a network or an expression", "leave"],
        ),
        ("[data]\nfile = \"misra1a.csv\"", "", &["the key data is missing"]),
        ("b2 = 1e-4", "b4 = 1e-4", &["line 8", "\"b4\" is not a parameter", "did you mean"]),
        ("b2 = 1e-4", "b2 = \"small\"", &["line 8", "start.values.b2", "the text \"small\""]),
        ("values = [{ b1 = 500, b2 = 1e-4 }]", "values = []", &["line 8", "at least one start"]),
        ("values = [{ b1 = 500, b2 = 1e-4 }]", "guess = { b1 = \"max(y\" }", &["line 8", "start.guess.b1"]),
        (
            "values = [{ b1 = 500, b2 = 1e-4 }]",
            "random = { distribution = \"normal\", scale = 1, seeds = { from = 0, count = 0 } }",
            &["line 8", "seeds.count", "empty grid"],
        ),
        (
            "values = [{ b1 = 500, b2 = 1e-4 }]",
            "random = { distribution = \"normal\", scale = 1, seeds = { count = 100000000000000 } }",
            &["line 8", "100000000000000 is too many"],
        ),
        (
            "values = [{ b1 = 500, b2 = 1e-4 }]",
            "random = { distribution = \"normal\", scale = 0, seeds = { count = 1 } }",
            &["line 8", "not positive"],
        ),
    ];
    for (old, new, words) in cases {
        assert!(PLAIN.contains(old));
        let message = read(&PLAIN.replace(old, new)).unwrap_err();
        assert!(!message.contains('\n') && message.contains("sweep.toml"), "{message}");
        for word in words {
            assert!(message.contains(word), "{new:?}: {message:?} lacks {word:?}");
        }
    }
}

#[test]
fn nesting_of_any_depth_is_refused_without_a_crash() {
    let deep = format!("{PLAIN}[[step]]\nsize = {}1{}\n", "[".repeat(100_000), "]".repeat(100_000));
    let message = read(&deep).unwrap_err();
    assert!(message.starts_with("folder/sweep.toml, line 10") && message.len() < 300, "{message}");
}

#[test]
fn a_request_written_as_toml_reads_back_as_itself() {
    let request = Request {
        model: ModelRequest::Expression(ExpressionRequest {
            expression: "a*exp(-k*t) + \"quoted\\\" text\"".to_owned(),
            parameters: vec!["a".to_owned(), "k".to_owned(), "größe".to_owned()],
            constants: vec![("c".to_owned(), 8.617_333e-5), ("größe 2".to_owned(), -0.0)],
        }),
        data: DataRequest {
            source: DataSource::File(PathBuf::from("a folder/d.npy")),
            axes: vec!["set".to_owned(), "p x".to_owned()],
            responses: vec!["log(y)".to_owned()],
            sigma: Some("sqrt(max(y, 1))".to_owned()),
            group: vec!["cell".to_owned(), "Time [s]".to_owned()],
            missing: Missing::Drop,
            columns: vec![("t".to_owned(), "Time [s]".to_owned())],
            errors: Errors::Absolute,
        },
        start: StartRequest {
            values: vec![vec![("a".to_owned(), 1e300)], vec![("a".to_owned(), 5e-324), ("k".to_owned(), -0.1)]],
            guesses: vec![("k".to_owned(), "1/mean(t)".to_owned())],
            file: Some(PathBuf::from("starts.csv")),
            random: Some(RandomStarts {
                draw: Draw::Scaled { distribution: Distribution::Normal, scale: 0.1 },
                seeds: 3..10,
            }),
        },
        blocks: vec![
            StepBlock {
                sizes: linspace(0.05, 2.2, 44),
                unit: SizeUnit::TwoOverSharpness,
                dampings: vec![Damping::Fixed(0.0), Damping::Fixed(1e-8)],
                filter: Filter::FixedRank(2),
                scaling: Some(Scaling::None),
                cutoff: Some(1e-7),
                momentum: 0.25,
            },
            StepBlock { filter: Filter::Gradient, dampings: vec![Damping::Fixed(0.0)], ..StepBlock::default() },
            StepBlock { filter: Filter::Smooth, dampings: vec![Damping::Fixed(0.0)], ..StepBlock::default() },
            StepBlock {
                filter: Filter::ResidualScaled { factor: 0.1, power: 1.5 },
                dampings: vec![Damping::Fixed(0.0)],
                ..StepBlock::default()
            },
            StepBlock::default(),
        ],
        reduction: Reduction::Mean,
        stop: Stop {
            steps: 7,
            loss: Some(0.0),
            initial_loss: Some(1e-8),
            gradient: Some(1e-3),
            change: Some(1e-17),
            tests: false,
        },
        history: History { every: 3, parameters: false, hessian_sharpness: true },
        device: Some("cpu".to_owned()),
        precision: PrecisionChoice::F64,
        verify: Some(3),
        require_converged: Some(0.5),
        saving: SavingRequest { part: Some(7), seconds: 0.0 },
        stability: StabilityRequest::default(),
        output: OutputRequest {
            keep: Keep::Best,
            detail: Detail::Essential,
            formats: vec![TextForm::Jsonl],
            curves: true,
            parameters: true,
        },
        origin: Origin::CommandLine,
        folder: PathBuf::from("folder"),
    };
    let text = request.to_toml();
    // Where it was written is what differs.
    let again = Request { origin: Origin::CommandLine, ..read(&text).unwrap() };
    assert_eq!(again, request, "{text}");
}

const NETWORK: &str = "[model]
network = { layers = [2, 20, 1], activation = \"tanh\" }

[data]
builtin = { teacher = { layers = [2, 5, 1], activation = \"silu\", points = 10 } }

[start]
random = { initialiser = \"xavier\", gain = 1.9, seeds = { count = 3 } }
";

#[test]
fn a_spec_of_a_network_reads_back_as_itself() {
    let written_out = NETWORK
        .replace("\"tanh\" }", "\"tanh\", parametrisation = \"ntk\", output_bias = false, inputs = [\"a\", \"b\"] }")
        .replace(
            "points = 10",
            "points = 10, initialiser = \"he\", gain = 2, seeds = { from = 4, count = 2 }, noise = 0.1",
        )
        .replace("gain = 1.9", "gain = 1.9, distribution = \"uniform\", zero_output = true");
    let chebyshev = NETWORK.replace(
        "teacher = { layers = [2, 5, 1], activation = \"silu\", points = 10 }",
        "chebyshev = { degree = 4, points = 20 }",
    );
    let normal = NETWORK.replace("initialiser = \"xavier\", gain = 1.9", "distribution = \"normal\", scale = 0.5");
    for text in [NETWORK, &written_out, &chebyshev, &normal] {
        let origin = || Origin::CommandLine;
        let request = Request { origin: origin(), ..read(text).unwrap() };
        let again = request.to_toml();
        assert_eq!(Request { origin: origin(), ..read(&again).unwrap() }, request, "{again}");
    }
    let Request { start, .. } = read(&normal).unwrap();
    let Some(RandomStarts { draw: Draw::Initialised(found), .. }) = start.random else { panic!("{start:?}") };
    assert_eq!(found.initialiser, crate::starts::Initialiser::Normal { scale: 0.5 });
}

#[test]
fn whatever_is_wrong_with_a_network_is_said_in_one_line() {
    let cases: [(&str, &str, &[&str]); 18] = [
        ("[2, 20, 1], activation = \"tanh\"", "[], activation = \"tanh\"", &["line 2", "names 0 layers"]),
        ("[2, 20, 1]", "[2, 0, 1]", &["line 2", "layer 2 of [2, 0, 1] has no units"]),
        ("[2, 20, 1]", "[2, -5, 1]", &["line 2", "-5 is negative"]),
        ("[2, 20, 1]", "[2, 4000000, 1]", &["line 2", "16000001 parameters", "at most 1048576"]),
        (", activation = \"tanh\"", "", &["line 2", "model.network.activation is missing"]),
        ("tanh", "tahn", &["line 2", "did you mean \"tanh\"?"]),
        ("\"tanh\" }", "\"tanh\", inputs = [\"a\"] }", &["1 inputs are named and the first layer has 2 units"]),
        ("\"tanh\" }", "\"tanh\", parametrisation = \"nkt\" }", &["did you mean \"ntk\"?"]),
        ("points = 10", "points = 0", &["line 5", "points", "at least 1"]),
        ("points = 10", "points = 10, noise = -1", &["line 5", "noise -1"]),
        ("teacher = {", "techer = {", &["did you mean \"teacher\"?"]),
        ("builtin = {", "file = \"a.csv\"\nbuiltin = {", &["line 5", "data.file", "leave"]),
        ("gain = 1.9", "gain = -1.9", &["line 8", "-1.9 is not positive"]),
        ("gain = 1.9", "scale = 1.9", &["line 8", "goes by gain"]),
        ("xavier", "xaver", &["did you mean \"xavier\"?"]),
        ("count = 3", "from = 9223372036854775808, count = 3", &["line 8", "seeds.from", "too many"]),
        ("[start]", "[run]\nverify = 3\n[start]", &["line 8, run.verify", "no standard errors"]),
        ("[start]", "[loss]\nreduction = \"average\"\n[start]", &["loss.reduction", "\"mean\""]),
    ];
    for (old, new, words) in cases {
        assert!(NETWORK.contains(old));
        let message = read(&NETWORK.replace(old, new)).unwrap_err();
        assert!(!message.contains('\n') && message.starts_with("folder/sweep.toml, line"), "{message}");
        for word in words {
            assert!(message.contains(word), "{new:?}: {message:?} lacks {word:?}");
        }
    }
    // An expression has no layers.
    let text =
        PLAIN.replace("values = [{ b1 = 500, b2 = 1e-4 }]", "random = { initialiser = \"he\", seeds = { count = 3 } }");
    assert!(read(&text).unwrap_err().contains("only a network has layers"));
}
