//! Every shader, in every specialisation the engine can ask for, composes, validates and translates to SPIR-V, MSL and
//! HLSL: no device is needed, and devices that are not at hand are not forgotten.

use std::collections::BTreeSet;
use std::path::Path;

use naga::{back, valid};
use natgrad::Model;
use natgrad::gpu::Scalar;
use natgrad::testing::{Specialisation, shader_specialisations};
use serde::Deserialize;

#[derive(Deserialize)]
struct Nist {
    name: String,
    model: String,
    parameters: Vec<String>,
}

/// The 18 NIST models, and models that use every function, many parameters, many inputs and none.
fn models() -> Vec<(String, Model)> {
    let nist: Vec<Nist> = serde_json::from_str(include_str!("data/nist.json")).unwrap();
    assert_eq!(nist.len(), 18);
    let mut models: Vec<(String, Model)> = nist
        .into_iter()
        .map(|problem| (problem.name, Model::parse(&problem.model, &problem.parameters).unwrap()))
        .collect();
    let many: Vec<String> = (1..=16).map(|k| format!("b{k}")).collect();
    let polynomial = many.iter().enumerate().map(|(k, b)| format!("{b}*x**{k}")).collect::<Vec<_>>().join(" + ");
    let inputs = (1..=12).map(|k| format!("x{k}")).collect::<Vec<_>>().join(" + ");
    let own = [
        ("16 parameters", polynomial, many),
        ("12 inputs", format!("a*({inputs}) + b"), vec!["a".to_owned(), "b".to_owned()]),
        ("no input", "a - 3".to_owned(), vec!["a".to_owned()]),
        (
            "every function",
            "exp(a) + log(x) + log10(a*x) + log2(b) + sqrt(b*x) + pow(b, x) + sin(a) + cos(a*x) + tan(b) + asin(a) + \
             acos(b) + atan(a) + atan2(a, b) + sinh(a) + cosh(b) + tanh(a*b) + abs(a) + min(a, b) + max(a, x) + \
             sign(b) + a**3 + b**-2 + a**b + pi"
                .to_owned(),
            vec!["a".to_owned(), "b".to_owned()],
        ),
        (
            "Gaussian peak",
            "A*exp(-((px-x0)**2+(py-y0)**2)/(2*s**2)) + b".to_owned(),
            ["A", "x0", "y0", "s", "b"].map(str::to_owned).to_vec(),
        ),
    ];
    models.extend(own.into_iter().map(|(name, text, names)| (name.to_owned(), Model::parse(&text, &names).unwrap())));
    models
}

fn capabilities(scalar: Scalar) -> valid::Capabilities {
    match scalar {
        Scalar::F32 => valid::Capabilities::empty(),
        Scalar::F64 => valid::Capabilities::FLOAT64,
    }
}

/// Validates afresh, and writes the program in every language a device may want.
fn translate(module: &naga::Module, scalar: Scalar) -> Result<(), String> {
    let info = valid::Validator::new(valid::ValidationFlags::all(), capabilities(scalar))
        .validate(module)
        .map_err(|error| format!("validation: {error:?}"))?;
    let words = back::spv::write_vec(module, &info, &back::spv::Options::default(), None)
        .map_err(|error| format!("SPIR-V: {error}"))?;
    if words.len() < 50 {
        return Err("SPIR-V: no program".to_owned());
    }
    // Metal has no f64 at all.
    if scalar == Scalar::F32 {
        let options = back::msl::Options { fake_missing_bindings: true, ..Default::default() };
        let (text, _) = back::msl::write_string(module, &info, &options, &back::msl::PipelineOptions::default())
            .map_err(|error| format!("MSL: {error}"))?;
        if !text.contains("kernel void") {
            return Err("MSL: no kernel".to_owned());
        }
    }
    let (mut text, options) = (String::new(), back::hlsl::Options::default());
    back::hlsl::Writer::new(&mut text, &options, &back::hlsl::PipelineOptions::default())
        .write(module, &info, None)
        .map_err(|error| format!("HLSL: {error}"))?;
    if !text.contains("numthreads") {
        return Err("HLSL: no entry point".to_owned());
    }
    Ok(())
}

fn compiles(special: &Specialisation, scalar: Scalar) -> Result<(), String> {
    let module = special.compose(scalar).map_err(|error| error.to_string())?;
    translate(&module, scalar)
}

fn all() -> Vec<Specialisation> {
    shader_specialisations(&models())
}

#[test]
fn every_specialisation_of_every_shader_translates_to_spirv_msl_and_hlsl() {
    let all = all();
    println!("{} programs", all.len());
    let failures: Vec<String> = all
        .iter()
        .filter_map(|special| Some(format!("{}: {}", special.name, compiles(special, Scalar::F32).err()?)))
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The WGSL files of a folder below shaders, by path without ending.
fn shader_files(folder: &str) -> BTreeSet<String> {
    let shaders = Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders");
    std::fs::read_dir(shaders.join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "wgsl"))
        .map(|path| Path::new(folder).join(path.file_stem().unwrap()).to_str().unwrap().to_owned())
        .collect()
}

#[test]
fn no_shader_file_is_left_out() {
    let mut files = shader_files("");
    files.extend(shader_files("selftest"));
    let special: BTreeSet<String> = all().iter().map(|special| special.source.name.to_owned()).collect();
    assert_eq!(files, special);
    // And each shared module is imported by some kernel or by another module.
    let texts: Vec<String> = all().iter().map(|special| special.source.wgsl.to_owned()).collect();
    for module in shader_files("shared") {
        let path = format!("natgrad::{}", module.trim_start_matches("shared/"));
        assert!(texts.iter().any(|text| text.contains(&format!("#import {path}"))), "{path} is imported by nobody");
    }
}

#[test]
fn the_scalar_type_is_a_parameter_of_these_shaders_and_only_f32_of_the_rest() {
    let (mut both, mut single) = (BTreeSet::new(), BTreeSet::new());
    for special in all() {
        // Models call elementary functions, which are f32: they are looked at below. The self-test names its types.
        if special.source.name == "jacobian" || special.source.name.starts_with("selftest") {
            continue;
        }
        match compiles(&special, Scalar::F64) {
            Ok(()) => both.insert(special.source.name),
            Err(error) => {
                if single.insert(special.source.name) {
                    println!("{}: {error}", special.name);
                }
                true
            }
        };
    }
    println!("f32 and f64: {both:?}; f32 only: {single:?}");
    assert!(both.is_disjoint(&single), "some specialisations compile in f64 and some do not");
    assert!(both.is_superset(&BTreeSet::from(["gram", "judge", "step"])), "{both:?}");
}

#[test]
fn the_selftest_of_f64_arithmetic_compiles_in_f64() {
    let all = all();
    let doubles = all.iter().find(|special| special.source.name == "selftest/doubles").unwrap();
    assert_eq!(compiles(doubles, Scalar::F64), Ok(()));
}

#[test]
fn a_model_without_elementary_functions_compiles_in_f64() {
    let wanted = ["16 parameters", "12 inputs", "no input"];
    let models: Vec<_> = models().into_iter().filter(|(name, _)| wanted.contains(&name.as_str())).collect();
    let special = shader_specialisations(&models);
    let mut compiled = 0;
    for special in special.iter().filter(|special| special.source.name == "jacobian") {
        if let Err(error) = compiles(special, Scalar::F64) {
            panic!("{}: {error}", special.name);
        }
        compiled += 1;
    }
    assert_eq!(compiled, 2 * wanted.len());
}
