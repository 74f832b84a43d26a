//! Composes a kernel's shader from its file, the shared modules and what was generated for a model.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Mutex;

pub(super) mod loose;
mod unroll;

use naga_oil::compose::{ComposableModuleDescriptor, Composer, NagaModuleDescriptor, ShaderDefValue};

use super::error::one_line;
use super::layout::LANES;
use super::{Access, Binding, Def, DeviceError, GeneratedModule, KernelSource};

/// The modules in `shaders/shared`, in an order in which each comes after what it imports.
const SHARED: [(&str, &str); 11] = [
    ("layout.wgsl", include_str!("../../shaders/shared/layout.wgsl")),
    ("bits.wgsl", include_str!("../../shaders/shared/bits.wgsl")),
    ("elementary.wgsl", include_str!("../../shaders/shared/elementary.wgsl")),
    ("rotation.wgsl", include_str!("../../shaders/shared/rotation.wgsl")),
    ("reflection.wgsl", include_str!("../../shaders/shared/reflection.wgsl")),
    ("panel.wgsl", include_str!("../../shaders/shared/panel.wgsl")),
    ("matrices.wgsl", include_str!("../../shaders/shared/matrices.wgsl")),
    ("definite.wgsl", include_str!("../../shaders/shared/definite.wgsl")),
    ("blocked.wgsl", include_str!("../../shaders/shared/blocked.wgsl")),
    ("problem.wgsl", include_str!("../../shaders/shared/problem.wgsl")),
    ("dual.wgsl", include_str!("../../shaders/shared/dual.wgsl")),
];

/// The texts in `shaders/parts`, which several kernels have in their own in the place of a line `// @include name`: what cannot
/// be a module, since it works on variables of the kernel or is unrolled with it.
const PARTS: [(&str, &str); 3] = [
    ("jacobi", include_str!("../../shaders/parts/jacobi.wgsl")),
    ("merge", include_str!("../../shaders/parts/merge.wgsl")),
    ("pair", include_str!("../../shaders/parts/pair.wgsl")),
];

/// The scalar type that the shaders call `Real`.
///
/// Aliases do not cross module borders in naga_oil, so `Real` is replaced in the text, word by word, before anything is
/// parsed: the scalar type is a parameter of every shader, and no shader exists twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Scalar {
    /// 32 bits, everywhere.
    #[default]
    F32,
    /// 64 bits, where the device has them.
    F64,
}

impl Scalar {
    fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }

    /// The text with the word `Real` replaced.
    fn spell(self, wgsl: &str) -> String {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let mut spelled = String::with_capacity(wgsl.len());
        let mut rest = wgsl;
        while let Some(at) = rest.find("Real") {
            let (before, after) = (&rest[..at], &rest[at + 4..]);
            let whole = !before.ends_with(word) && !after.starts_with(word);
            spelled += before;
            spelled += if whole { self.name() } else { "Real" };
            rest = after;
        }
        spelled + rest
    }
}

/// The kernel's shader with everything it imports, validated, under these defs; its bindings are checked against the
/// declaration. Needs no device.
///
/// # Errors
/// If the shader does not compile, or binds something else than declared.
pub fn compose(
    source: &KernelSource,
    defs: &[(&str, Def)],
    generated: &[GeneratedModule],
    scalar: Scalar,
) -> Result<naga::Module, DeviceError> {
    let idle = || COMPOSERS[scalar as usize].lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let kept = idle().pop();
    let mut composer = kept.map_or_else(|| with_shared_modules(scalar), Ok)?;
    let (parts, modules): (Vec<_>, Vec<_>) = generated.iter().partition(|module| module.is_part);
    let added: Result<Vec<String>, DeviceError> =
        modules.iter().map(|module| add(&mut composer, &module.name, &module.wgsl, scalar)).collect();
    let composed = added.and_then(|added| {
        let composed = make(&mut composer, source, defs, &parts, scalar);
        for name in added {
            composer.remove_composable_module(&name);
        }
        composed
    });
    idle().push(composer);
    let module = composed?;
    check_bindings(source, &module)?;
    Ok(module)
}

/// The composers that are idle, of each scalar type, with the shared modules in them: making one takes longer than most
/// kernels. There are as many as kernels were ever composed at once.
static COMPOSERS: [Mutex<Vec<Composer>>; 2] = [const { Mutex::new(Vec::new()) }; 2];

fn with_shared_modules(scalar: Scalar) -> Result<Composer, DeviceError> {
    let mut capabilities = naga::valid::Capabilities::default();
    capabilities.set(naga::valid::Capabilities::FLOAT64, scalar == Scalar::F64);
    let mut composer = Composer::default().with_capabilities(capabilities);
    for (file_path, wgsl) in SHARED {
        add(&mut composer, file_path, wgsl, scalar)?;
    }
    Ok(composer)
}

/// Adds a module, in the place of one of the same import path; its import path. It is compiled once a kernel wants it.
fn add(composer: &mut Composer, file_path: &str, wgsl: &str, scalar: Scalar) -> Result<String, DeviceError> {
    let wgsl = scalar.spell(wgsl);
    let descriptor = ComposableModuleDescriptor { source: &wgsl, file_path, ..Default::default() };
    match composer.add_composable_module(descriptor) {
        Ok(module) => Ok(module.name.clone()),
        Err(error) => Err(failure(file_path, &error.emit_to_string(composer), &wgsl)),
    }
}

fn make(
    composer: &mut Composer,
    source: &KernelSource,
    defs: &[(&str, Def)],
    parts: &[&GeneratedModule],
    scalar: Scalar,
) -> Result<naga::Module, DeviceError> {
    let lanes = ("LANES", Def::UInt(LANES as u32));
    let missing = defs.iter().all(|(name, _)| *name != lanes.0).then_some(&lanes);
    let shader_defs: HashMap<String, ShaderDefValue> = defs
        .iter()
        .chain(missing)
        .filter_map(|&(name, def)| {
            let value = match def {
                // `#ifdef` asks whether a name is there, and not whether it is true.
                Def::Bool(false) => return None,
                Def::Bool(true) => ShaderDefValue::Bool(true),
                Def::UInt(value) => ShaderDefValue::UInt(value),
            };
            Some((name.to_owned(), value))
        })
        .collect();
    let wgsl = scalar.spell(&expanded(source, defs, parts)?);
    let module = composer.make_naga_module(NagaModuleDescriptor {
        source: &wgsl,
        file_path: source.name,
        shader_defs,
        ..Default::default()
    });
    module.map_err(|error| failure(source.name, &error.emit_to_string(composer), &wgsl))
}

/// The def under which a shader's marked loops are unrolled and its marked arrays become scalars.
pub(crate) const UNROLLED: &str = "UNROLLED";

/// What stands before the name of a generated part, and of one of [`PARTS`].
const PART: &str = "// @generated ";
const INCLUDE: &str = "// @include ";

fn expanded<'a>(
    source: &KernelSource,
    defs: &[(&str, Def)],
    parts: &[&GeneratedModule],
) -> Result<Cow<'a, str>, DeviceError> {
    let text = with_parts(source.wgsl, parts);
    if !defs.contains(&(UNROLLED, Def::Bool(true))) {
        return Ok(text);
    }
    unroll::unroll(&text, defs)
        .map(Cow::Owned)
        .map_err(|message| DeviceError::Shader { name: source.name.to_owned(), message })
}

/// The text with each part in its place.
fn with_parts(wgsl: &'static str, parts: &[&GeneratedModule]) -> Cow<'static, str> {
    if parts.is_empty() && !wgsl.contains(INCLUDE) {
        return Cow::Borrowed(wgsl);
    }
    let line = |line: &'static str| {
        if let Some(name) = line.trim_start().strip_prefix(INCLUDE) {
            return PARTS.iter().find(|(part, _)| *part == name.trim()).map_or(line, |(_, wgsl)| wgsl.trim_end());
        }
        let name = line.trim_start().strip_prefix(PART).map(str::trim);
        parts.iter().find(|part| Some(part.name.as_str()) == name).map_or(line, |part| part.wgsl.trim_end())
    };
    Cow::Owned(wgsl.lines().map(line).collect::<Vec<&str>>().join("\n"))
}

fn failure(name: &str, message: &str, wgsl: &str) -> DeviceError {
    if let Ok(folder) = std::env::var("NATGRAD_SHADER_DUMP") {
        let path = std::path::Path::new(&folder).join(format!("{}.wgsl", name.replace('/', "-")));
        if let Err(error) = std::fs::write(&path, format!("{wgsl}\n/*\n{message}\n*/\n")) {
            log::warn!("{}: {error}", path.display());
        }
    }
    DeviceError::Shader { name: name.to_owned(), message: one_line(message) }
}

/// Whether the shader binds what the declaration says, name by name.
fn check_bindings(source: &KernelSource, module: &naga::Module) -> Result<(), DeviceError> {
    let mut found: Vec<(u32, String, Access)> = module
        .global_variables
        .iter()
        .filter_map(|(_, variable)| {
            let binding = variable.binding.as_ref()?;
            let access = match variable.space {
                naga::AddressSpace::Uniform => Access::Uniform,
                naga::AddressSpace::Storage { access } if access.contains(naga::StorageAccess::STORE) => {
                    Access::ReadWrite
                }
                _ => Access::Read,
            };
            Some((binding.binding, variable.name.clone().unwrap_or_default(), access))
        })
        .collect();
    found.sort_by_key(|(index, ..)| *index);
    let declared = |(k, binding): (usize, &Binding)| (k as u32, binding.name.to_owned(), binding.access);
    let declared: Vec<_> = source.bindings.iter().enumerate().map(declared).collect();
    if found == declared {
        return Ok(());
    }
    let message = format!("declared {declared:?} but the shader binds {found:?}");
    Err(DeviceError::Shader { name: source.name.to_owned(), message })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_word_real_is_the_scalar_type() {
        let wgsl = "var Reality: Real = Real(1.0); // array<Real, P>, unReal, Real_";
        assert_eq!(Scalar::F32.spell(wgsl), "var Reality: f32 = f32(1.0); // array<f32, P>, unReal, Real_");
        assert_eq!(Scalar::F64.spell("Real"), "f64");
    }
}
