//! Every shader, translated into the language of every graphics API, without any device.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use natgrad::gpu::elementary::ElementarySet;
use natgrad::gpu::{Def, KernelSource, Scalar, compose};
use natgrad::{
    Activation, Model, Network, Parametrisation, Specialisation, matrix_specialisations, peak_specialisations,
    selftest_specialisations, specialisations,
};
use rayon::prelude::*;

#[path = "data/nist.rs"]
mod nist;

/// Natgrad's own version of every elementary function.
fn own() -> Vec<(&'static str, Def)> {
    ElementarySet::ALL.definitions().map(|name| (name, Def::Bool(true))).collect()
}

/// Validates a module and writes it in every language that has its scalar type; panics with the language that cannot
/// say it.
fn translate(name: &str, module: &naga::Module, scalar: Scalar) {
    use naga::back::{glsl, hlsl, msl, spv};
    use naga::valid::{Capabilities, ValidationFlags, Validator};

    // The capabilities of a device without any optional feature, and f64 only where it is asked for.
    let capabilities = if scalar == Scalar::F64 { Capabilities::FLOAT64 } else { Capabilities::empty() };
    let info = Validator::new(ValidationFlags::all(), capabilities)
        .validate(module)
        .unwrap_or_else(|error| panic!("{name} is not valid: {}", error.emit_to_string("")));

    let words = spv::write_vec(module, &info, &spv::Options::default(), None)
        .unwrap_or_else(|error| panic!("{name} in SPIR-V: {error}"));
    assert_eq!(words[0], 0x0723_0203, "{name}: SPIR-V begins with its magic number");

    if scalar == Scalar::F64 {
        // Only Vulkan has it.
        return;
    }

    let (text, _) = msl::write_string(module, &info, &msl::Options::default(), &msl::PipelineOptions::default())
        .unwrap_or_else(|error| panic!("{name} in MSL: {error}"));
    assert!(text.contains("kernel void"), "{name}: no kernel in its MSL");

    let mut text = String::new();
    hlsl::Writer::new(&mut text, &hlsl::Options::default(), &hlsl::PipelineOptions::default())
        .write(module, &info, None)
        .unwrap_or_else(|error| panic!("{name} in HLSL: {error}"));
    assert!(text.contains("[numthreads("), "{name}: no compute shader in its HLSL");

    let mut text = String::new();
    let options = glsl::Options { version: glsl::Version::new_gles(310), ..Default::default() };
    let entry = glsl::PipelineOptions {
        shader_stage: naga::ShaderStage::Compute,
        entry_point: "main".to_owned(),
        multiview: None,
    };
    glsl::Writer::new(&mut text, module, &info, &options, &entry, naga::proc::BoundsCheckPolicies::default())
        .and_then(|mut writer| writer.write())
        .unwrap_or_else(|error| panic!("{name} in GLSL: {error}"));
    assert!(text.contains("local_size_x"), "{name}: no compute shader in its GLSL");
}

fn models() -> Vec<Model> {
    let mut models = vec![
        Model::parse("b1*(1 - exp(-b2*x))", &["b1", "b2"]).unwrap(),
        Model::parse("A*exp(-((px-x0)**2+(py-y0)**2)/(2*s**2)) + b", &["A", "x0", "y0", "s", "b"]).unwrap(),
        // Every function of the language, and its derivative.
        Model::parse(
            "exp(a*x) + log(a*x) + log10(a*x) + log2(a*x) + sqrt(a*x) + pow(a, x) + sin(a*x) + cos(a*x) + tan(a*x) \
             + asin(a*x) + acos(a*x) + atan(a*x) + atan2(a, x) + sinh(a*x) + cosh(a*x) + tanh(a*x) + abs(a*x) \
             + min(a, x) + max(a, x) + sign(a*x) + a^3 + a^-2 + pi",
            &["a"],
        )
        .unwrap(),
    ];
    models.extend(nist::problems().iter().map(|problem| Model::parse(&problem.model, &problem.parameters).unwrap()));
    // Up to 10 parameters one invocation does a problem in memory, and to 16 in registers; beyond, it takes kernels of linear
    // algebra.
    for p in (1..=12).chain([16, 40]) {
        let names: Vec<String> = (1..=p).map(|k| format!("b{k}")).collect();
        let terms: Vec<String> = (1..=p).map(|k| format!("b{k}*x^{}", k - 1)).collect();
        models.push(Model::parse(&terms.join(" + "), &names).unwrap());
    }
    // No input at all, and many.
    models.push(Model::parse("a - 3", &["a"]).unwrap());
    let inputs: Vec<String> = (1..=12).map(|k| format!("x{k}")).collect();
    models.push(Model::parse(&format!("a*({}) + b", inputs.join(" + ")), &["a", "b"]).unwrap());
    models.extend(networks());
    models
}

/// Networks whose kernels differ in more than a number: every activation, with no, one and several hidden layers, one and
/// several outputs, with an output bias and without.
fn networks() -> Vec<Model> {
    let mut all = Vec::new();
    for activation in Activation::ALL {
        for layers in [&[2, 1][..], &[1, 100, 1], &[10, 5, 1], &[3, 8, 2], &[2, 300, 20, 4, 3]] {
            for bias in [true, false] {
                let network = Network::new(layers, activation).unwrap().output_bias(bias);
                all.push(network.parametrisation(Parametrisation::Ntk).into());
            }
        }
    }
    all
}

/// Matrices whose kernels differ in more than a number: every size in registers, and blocks narrow and wide, in one
/// invocation and in many, tall, square and wide.
fn matrices() -> Vec<Specialisation> {
    let small = (1..=8).flat_map(|n| [(n, n), (n, n + 2), (16, n)]);
    let large = [(9, 9), (5, 300), (100, 16), (32, 32), (64, 33), (20, 100), (256, 256), (2048, 512), (512, 2048)];
    small.chain(large).flat_map(|(rows, columns)| matrix_specialisations(rows, columns)).collect()
}

/// Every one of them once.
fn once_each(kernels: impl IntoIterator<Item = Specialisation>) -> Vec<Specialisation> {
    let mut seen = HashSet::new();
    kernels.into_iter().filter(|kernel| seen.insert(format!("{kernel:?}"))).collect()
}

fn all_specialisations() -> Vec<Specialisation> {
    let fixed = [selftest_specialisations(), peak_specialisations(), matrices()].concat();
    once_each(models().iter().flat_map(specialisations).chain(fixed))
}

/// Whether a kernel takes elementary functions from anywhere: from the device or from natgrad.
fn has_functions(kernel: &Specialisation) -> bool {
    !kernel.generated.is_empty() || kernel.source.wgsl.contains("natgrad::elementary")
}

#[test]
fn every_kernel_translates_to_every_graphics_api_for_every_number_of_parameters() {
    all_specialisations().par_iter().for_each(|kernel| {
        let both = [Vec::new(), own()].into_iter().take(if has_functions(kernel) { 2 } else { 1 });
        // GPUs, whose quotients are off, have reflections of their own.
        let inexact = kernel.source.wgsl.contains("natgrad::reflection").then(|| vec![("INEXACT", Def::Bool(true))]);
        for further in both.chain(inexact) {
            let module = kernel.compose(&further).unwrap();
            translate(&format!("{} {:?}", kernel.source.name, kernel.defs), &module, kernel.scalar);
        }
    });
}

#[test]
fn every_kernel_translates_for_tiles_of_any_number_of_problems() {
    let straight_line = Model::parse("a*x + b*exp(c*x)", &["a", "b", "c"]).unwrap();
    let sizes = [(3, 3), (100, 16), (20, 100)];
    let kernels = sizes.into_iter().flat_map(|(rows, columns)| matrix_specialisations(rows, columns));
    kernels.chain(specialisations(&straight_line)).par_bridge().for_each(|kernel| {
        let module = kernel.compose(&[("LANES", Def::UInt(8))]).unwrap();
        translate(&format!("{} {:?} in tiles of 8", kernel.source.name, kernel.defs), &module, kernel.scalar);
    });
}

/// Whether a kernel compiles with f64 in the place of f32, and what stands in the way.
fn in_f64(kernel: &Specialisation) -> Result<(), String> {
    let module = compose(&kernel.source, &kernel.defs, &kernel.generated, Scalar::F64).map_err(|e| e.to_string())?;
    translate(kernel.source.name, &module, Scalar::F64);
    Ok(())
}

#[test]
fn the_scalar_type_of_these_kernels_is_free_and_the_reasons_of_the_others_are_known() {
    // The Jacobian of a model, by itself or in registers, and of a network by its activation, calls elementary functions,
    // which are f32.
    let calls = |kernel: &Specialisation| {
        kernel.source.name == "jacobian"
            || kernel.source.name.starts_with("fused/steps")
            || kernel.defs.iter().any(|(def, _)| ["TANH", "SILU"].contains(def))
    };
    let kernels = once_each(models().iter().flat_map(specialisations).filter(|kernel| !calls(kernel)));
    let found: Vec<_> = kernels.par_iter().map(|kernel| (kernel.source.name, in_f64(kernel))).collect();
    let (mut free, mut bound) = (BTreeSet::new(), BTreeSet::new());
    for (name, result) in found {
        match result {
            Ok(()) => _ = free.insert(name),
            Err(reason) if bound.insert(name) => println!("{reason}"),
            Err(_) => {}
        }
    }
    println!("f32 and f64: {free:?}; f32 only: {bound:?}");
    assert!(free.is_superset(&BTreeSet::from(["judge", "momentum", "step"])), "{free:?}");
    // Those that look at the bits of an f32.
    assert!(bound.is_subset(&BTreeSet::from(["qr", "svd"])), "{bound:?}");
}

#[test]
fn the_jacobian_of_a_model_without_elementary_functions_compiles_in_f64() {
    let quadratic = Model::parse("a + b*x + c*x**2/(1 + d*z)", &["a", "b", "c", "d"]).unwrap();
    let jacobian = &specialisations(&quadratic)[0];
    assert_eq!(jacobian.source.name, "jacobian");
    assert_eq!(in_f64(jacobian), Ok(()));
}

/// The folders of kernels, the shaders' own included; what lies in `shared` is imported, and what lies in `parts` included.
fn folders() -> Vec<String> {
    let shaders = Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders");
    let below = std::fs::read_dir(shaders).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let names = below.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned());
    names.filter(|name| !["shared", "parts"].contains(&name.as_str())).chain([String::new()]).collect()
}

/// WGSL files directly in a folder.
fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders").join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "wgsl"))
        .collect();
    files.sort();
    files
}

#[test]
fn no_shader_file_is_left_out_of_the_kernels() {
    let names: Vec<&str> = all_specialisations().iter().map(|kernel| kernel.source.name).collect();
    for folder in folders() {
        let files = files(&folder);
        assert!(!files.is_empty());
        for file in files {
            let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
            let name = format!("{prefix}{}", file.file_stem().unwrap().to_str().unwrap());
            assert!(names.contains(&name.as_str()), "{} belongs to no kernel that is tested here", file.display());
        }
    }
}

#[test]
fn every_part_stands_in_several_kernels() {
    let kernels: Vec<String> =
        folders().iter().flat_map(|folder| files(folder)).map(|file| std::fs::read_to_string(file).unwrap()).collect();
    for part in files("parts") {
        let line = format!("// @include {}", part.file_stem().unwrap().to_str().unwrap());
        let places = kernels.iter().filter(|kernel| kernel.lines().any(|text| text.trim_start() == line)).count();
        assert!(places > 1, "{} stands in {places} kernels", part.display());
    }
}

/// The parts of a list at its outermost commas.
fn outermost(list: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (at, c) in list.char_indices() {
        match c {
            '<' => depth += 1,
            '>' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&list[start..]);
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

/// Whether a structure holds atomics: such a one cannot be made, only bound.
fn has_atomics(text: &str, name: &str) -> bool {
    let body = text.split_once(&format!("struct {name}")).and_then(|(_, rest)| rest.split_once('}'));
    body.is_some_and(|(body, _)| body.contains("atomic<"))
}

/// A kernel that calls every function and makes every structure of a shared module, out of zeros.
fn caller(text: &str) -> String {
    let module = text.lines().find_map(|line| line.strip_prefix("#define_import_path ")).unwrap().trim();
    let mut body = String::new();
    for line in text.lines() {
        if let Some(signature) = line.strip_prefix("fn ") {
            let (name, rest) = signature.split_once('(').unwrap();
            let (parameters, result) = rest.rsplit_once(')').unwrap();
            assert!(result.contains("->"), "{module}::{name} returns nothing");
            let zero = |parameter: &&str| {
                let kind = parameter.split_once(':').unwrap().1.trim();
                let is_own = text.contains(&format!("struct {kind} {{"));
                if is_own { format!("shared::{kind}()") } else { format!("{kind}()") }
            };
            let zeros: Vec<String> = outermost(parameters).iter().map(zero).collect();
            body += &format!("    _ = shared::{name}({});\n", zeros.join(", "));
        } else if let Some(name) = line.strip_prefix("struct ").filter(|name| !has_atomics(text, name)) {
            body += &format!("    _ = shared::{}();\n", name.trim_end_matches([' ', '{']));
        }
    }
    assert!(!body.is_empty(), "{module} has neither functions nor structures");
    // Structures of other modules are called as the module itself calls them.
    let imports: String =
        text.lines().filter(|line| line.starts_with("#import")).map(|line| format!("{line}\n")).collect();
    format!("#import {module} as shared\n{imports}\n@compute @workgroup_size(1)\nfn main() {{\n{body}}}\n")
}

#[test]
fn every_function_of_every_shared_module_translates_on_its_own() {
    let files = files("shared");
    assert!(!files.is_empty());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let name: &'static str = file.file_name().unwrap().to_str().unwrap().to_owned().leak();
        let source = KernelSource { name, wgsl: caller(&text).leak(), bindings: &[] };
        for defs in [Vec::new(), own()] {
            let module = compose(&source, &defs, &[], Scalar::F32).unwrap();
            translate(name, &module, Scalar::F32);
        }
    }
}

#[test]
fn a_faulty_shader_is_an_error_of_one_line_that_names_shader_and_fault() {
    for fault in
        ["fn main() { let x: u32 = 1.0; }", "fn main( {", "#import natgrad::nothing::at_all\nfn main() { at_all(); }"]
    {
        let source = KernelSource { name: "faulty", wgsl: fault.to_owned().leak(), bindings: &[] };
        let message = compose(&source, &[], &[], Scalar::F32).unwrap_err().to_string();
        assert!(message.contains("faulty"), "{message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}

#[test]
fn bindings_other_than_declared_are_refused_before_any_device_sees_them() {
    use natgrad::gpu::{Access, Binding};
    const WGSL: &str = "@group(0) @binding(0) var<storage, read_write> values: array<u32>;\n\
                        @compute @workgroup_size(1) fn main() { values[0] = 1u; }";
    let bound = |bindings: &'static [Binding]| {
        compose(&KernelSource { name: "bound", wgsl: WGSL, bindings }, &[], &[], Scalar::F32)
    };
    assert!(bound(&[Binding { name: "values", access: Access::ReadWrite }]).is_ok());
    for wrong in [
        const { &[Binding { name: "values", access: Access::Read }] as &[Binding] },
        &[Binding { name: "numbers", access: Access::ReadWrite }],
        &[],
    ] {
        let message = bound(wrong).unwrap_err().to_string();
        assert!(message.contains("bound") && message.contains("values"), "{message}");
    }
}
