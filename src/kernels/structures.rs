//! Structures as the shaders have them, for the tests that compare them with those of Rust.

use crate::gpu::{Def, KernelSource, Scalar, compose};

/// Size, and offset of each member, as the shader has them. The composer decorates names, so that a struct is found by
/// what its name begins with.
pub(super) fn in_shader(source: &KernelSource, defs: &[(&str, Def)], name: &str) -> (u32, Vec<(String, u32)>) {
    let module = compose(source, defs, &[], Scalar::F32).unwrap();
    let found: Vec<_> = module
        .types
        .iter()
        .filter_map(|(_, ty)| match &ty.inner {
            naga::TypeInner::Struct { members, span } if ty.name.as_deref()?.starts_with(name) => {
                Some((*span, members.iter().map(|m| (m.name.clone().unwrap(), m.offset)).collect()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(found.len(), 1, "{name} in {}", source.name);
    found.into_iter().next().unwrap()
}

/// The same of the Rust struct; every member is four bytes, so none can be forgotten.
macro_rules! in_rust {
    ($name:ident: $($member:ident),+ $(,)?) => {{
        let members = vec![$((stringify!($member).to_owned(), std::mem::offset_of!($name, $member) as u32)),+];
        assert_eq!(4 * members.len(), size_of::<$name>());
        (size_of::<$name>() as u32, members)
    }};
}
pub(super) use in_rust;
