//! `natgrad stability` as its users meet it: the examples, the folder it leaves, and what it refuses.

use std::path::Path;

use common::program::{Place, Run, rows};
use serde_json::Value;

mod common;

/// The examples with fewer seeds, in a place of their own.
fn with_examples() -> Place {
    let place = Place::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for entry in std::fs::read_dir(root.join("stability")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let fewer = text.replace("count = 1000 }", "count = 40 }").replace("count = 200 }", "count = 20 }");
        let fewer = fewer.replace("count = 100 }", "count = 20 }");
        place.write(&format!("stability/{}", path.file_name().unwrap().to_str().unwrap()), &fewer);
    }
    place.write("misra1a.csv", &std::fs::read_to_string(root.join("misra1a.csv")).unwrap());
    place
}

fn certified(place: &Place, name: &str) -> (Run, Value) {
    let run = place.run(&["stability", &format!("stability/{name}.toml"), "--out", name]).good();
    let found = serde_json::from_slice(&place.read(&format!("{name}/stability.json"))).unwrap();
    (run, found)
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

#[test]
fn the_examples_show_the_claim_and_leave_the_files_that_the_reference_names() {
    let place = with_examples();
    for (name, rank, p) in [("product", 1, 2), ("factorisation", 4, 8), ("deficient", 2, 3)] {
        let (run, found) = certified(&place, name);
        let count = found["minimisers"].as_u64().unwrap();
        assert!(count >= 18 && found["verdicts"]["holds"].as_u64() == Some(count), "{name}: {}", run.stdout);
        assert!(run.stdout.starts_with("verdict  minimisers\nholds "), "{}", run.stdout);
        let certificates = found["certificates"].as_array().unwrap();
        assert_eq!(certificates.len() as u64, count);
        for certificate in certificates {
            assert_eq!((certificate["rank"].as_u64(), numbers(&certificate["parameters"]).len()), (Some(rank), p));
            assert!(certificate["row_space_error"].as_f64().unwrap() < 1e-12);
            assert_eq!((&certificate["verdict"], &certificate["reason"]), (&Value::from("holds"), &Value::Null));
            // Infinite where the rank is full: null.
            assert_eq!(certificate["gap"].is_null(), name != "deficient", "{name}: {}", certificate["gap"]);
            for filter in certificate["filters"].as_array().unwrap().iter().filter(|f| f["filter"] == "exact") {
                let eta = filter["step_size"].as_f64().unwrap();
                let claim = |k: usize| if k < rank as usize { 1.0 - eta } else { 1.0 };
                for (k, value) in numbers(&filter["spectrum"]).iter().enumerate() {
                    assert!((value - claim(k)).abs() < 1e-13, "{name}: {filter}");
                }
                for (k, value) in numbers(&filter["measured"]).iter().enumerate() {
                    assert!((value - claim(k)).abs() < 1e-5, "{name}: {filter}");
                }
                assert!((filter["critical_step"].as_f64().unwrap() - 2.0).abs() < 0.04);
            }
        }
        let files = [
            "contraction.svg",
            "plan.json",
            "results.parquet",
            "sharpness.svg",
            "spec.toml",
            "spectra.svg",
            "stability.json",
            "stability.parquet",
        ];
        assert_eq!(place.names(name), files);
        let flat = rows(&place.path(name).join("stability.parquet"));
        let filters = certificates[0]["filters"].as_array().unwrap().len();
        assert_eq!(flat.len() as u64, count * filters as u64);
        for picture in ["contraction.svg", "sharpness.svg", "spectra.svg"] {
            let svg = String::from_utf8(place.read(&format!("{name}/{picture}"))).unwrap();
            assert!(svg.contains("step size") && svg.trim_end().ends_with("</svg>"), "{picture}");
        }
    }
    // The sharpness varies, the critical step of natural gradient descent does not.
    let found: Value = serde_json::from_slice(&place.read("product/stability.json")).unwrap();
    let spread = |key: &str| ["least", "largest"].map(|end| found[key][end].as_f64().unwrap());
    let [low, high] = spread("hessian_sharpness");
    assert!(high > 3.0 * low, "{low} to {high}");
    let steps = |filter: &str| ["least", "largest"].map(|end| found["critical_steps"][filter][end].as_f64().unwrap());
    assert_eq!(steps("exact")[0], steps("exact")[1]);
    // Gradient descent, by its own steps: 2 over the sharpness.
    let [first, last] = steps("gradient");
    assert!((first * high / 2.0 - 1.0).abs() < 0.02 && (last * low / 2.0 - 1.0).abs() < 0.02, "{first} to {last}");
}

#[test]
fn the_examples_of_what_breaks_the_claim_say_by_how_much_and_why() {
    let place = with_examples();
    let (_, damped) = certified(&place, "damped");
    for certificate in damped["certificates"].as_array().unwrap() {
        for filter in certificate["filters"].as_array().unwrap() {
            let [predicted, measured] =
                ["predicted_critical_step", "critical_step"].map(|key| filter[key].as_f64().unwrap());
            assert!((measured / predicted - 1.0).abs() < 0.02, "{filter}");
            assert!(filter["worst_difference"].as_f64().unwrap() < 1e-3, "{filter}");
        }
    }
    let spread = &damped["critical_steps"]["tikhonov(0.5)"];
    assert!(spread["largest"].as_f64().unwrap() > 1.05 * spread["least"].as_f64().unwrap(), "{spread}");

    let (run, residual) = certified(&place, "residual");
    let certificate = &residual["certificates"][0];
    assert_eq!(
        (&certificate["verdict"], &certificate["reason"]),
        (&"does_not_apply".into(), &"residual_not_zero".into())
    );
    assert!(run.stdout.contains("does_not_apply: residual_not_zero"), "{}", run.stdout);
    let kappa = numbers(&certificate["curvatures"]);
    assert!(kappa.len() == 2 && kappa.iter().any(|kappa| kappa.abs() > 1e-3), "{kappa:?}");
    // 1 − 1.5(1+κ), measured to five digits and more.
    let filter = &certificate["filters"][2];
    for (predicted, measured) in numbers(&filter["predicted"]).iter().zip(numbers(&filter["measured"])) {
        assert!((predicted - measured).abs() < 1e-5, "{filter}");
    }
    // Nothing is certified: no picture.
    assert!(!place.names("residual").iter().any(|name| name.ends_with(".svg")));

    let (_, near) = certified(&place, "near_rank_change");
    let reasons: Vec<&Value> = near["certificates"].as_array().unwrap().iter().map(|c| &c["reason"]).collect();
    // In f64 the second singular value, 2b, passes the cutoff of 4e-16 within a factor of ten nowhere.
    assert!(reasons[0].is_null(), "{reasons:?}");
    assert!(near["certificates"][0]["problem"] == 0 && near["minimisers"] == 7);
}

#[test]
fn problems_that_did_not_converge_are_counted_and_not_certified() {
    let place = with_examples();
    let spec = String::from_utf8(place.read("stability/product.toml")).unwrap();
    let spec = spec.replace("damping = \"adaptive\"", "size = 0.3") + "[stop]\nsteps = 20\n";
    place.write("stability/short.toml", &spec);
    let (run, found) = certified(&place, "short");
    assert_eq!(
        (found["minimisers"].as_u64(), found["excluded"]["step_limit"].as_u64()),
        (Some(0), Some(40)),
        "{}",
        run.stdout
    );
    assert!(run.stdout.contains("not certified: 40 step_limit"), "{}", run.stdout);
}

#[test]
fn what_cannot_be_certified_is_refused_in_one_line_and_nothing_is_written() {
    let place = with_examples();
    let spec = String::from_utf8(place.read("stability/factorisation.toml")).unwrap();
    let cases: [(&str, &[&str]); 12] = [
        ("step_sizes = [0.5, 0]", &["stability.step_sizes", "0 is not positive"]),
        ("step_sizes = []", &["stability.step_sizes", "at least one"]),
        ("filters = [\"exat\"]", &["stability.filters", "did you mean \"exact\"?"]),
        ("filters = []", &["stability.filters", "at least one filter"]),
        ("filters = [{ momentum = 1 }]", &["stability.filters.momentum", "outside [0, 1)"]),
        ("filters = [{ filter = \"smooth\", damping = 1 }]", &["stability.filters", "leave damping out"]),
        ("filters = [{ filter = { fixed_rank = 0 } }]", &["fixed_rank", "at least 1"]),
        ("cutoff = 1", &["stability.cutoff", "outside 0 to 1"]),
        ("perturbation = 0.5", &["stability.perturbation", "at most 0.1"]),
        ("points = \"ends\"", &["stability.points", "\"minimisers\""]),
        ("map = { step_size = 1 }", &["unknown key", "did you mean \"step_sizes\"?"]),
        ("stepsizes = 1", &["unknown key", "did you mean \"step_sizes\"?"]),
    ];
    for (line, words) in cases {
        place.write("stability/bad.toml", &spec.replace("step_sizes = [0.1, 0.5, 1.5, 1.9]", line));
        place.run(&["stability", "stability/bad.toml", "--out", "bad"]).refused(2, words);
        assert!(!place.path("bad").exists());
    }
    place.run(&["stability", "stability/product.toml", "--out", "again"]).good();
    place
        .run(&["stability", "stability/product.toml", "--out", "again"])
        .refused(2, &["again already holds", "use --force to replace them\n"]);
    let before = place.read("again/stability.json");
    place.run(&["stability", "stability/product.toml", "--out", "again", "--force"]).good();
    assert_eq!(place.read("again/stability.json"), before, "equal runs give equal bytes");
}
