//! Elementary functions: the builtin where it meets its bound, our own where that does.

use crate::gpu::elementary::{ElementaryError, ElementarySet, measure, replaced};
use crate::gpu::{Device, DeviceError};

use super::{Check, Depth, Outcome};

/// A check a function, and the set to replace.
pub(super) fn check(device: &Device, depth: Depth) -> Result<(Vec<Check>, ElementarySet), DeviceError> {
    let builtins = match measure(device, depth, ElementarySet::NONE) {
        Ok(errors) => errors,
        Err(error @ (DeviceError::Lost { .. } | DeviceError::OutOfMemory { .. })) => return Err(error),
        // A builtin that does not even compile is a bad one; which of them it is does not matter.
        Err(_) => return own_only(device, depth),
    };
    let own = replaced(&builtins);
    if own.is_empty() {
        let checks = builtins.iter().map(|builtin| verdict(builtin, None)).collect();
        return Ok((checks, own));
    }
    let both = measure(device, depth, own)?;
    let checks = builtins.iter().zip(&both).map(|(builtin, now)| verdict(builtin, now.own.then_some(now))).collect();
    Ok((checks, own))
}

fn own_only(device: &Device, depth: Depth) -> Result<(Vec<Check>, ElementarySet), DeviceError> {
    let checks = measure(device, depth, ElementarySet::ALL)?.iter().map(|own| verdict(own, None)).collect();
    Ok((checks, ElementarySet::ALL))
}

/// Passed where what will be used meets its bound.
fn verdict(first: &ElementaryError, own: Option<&ElementaryError>) -> Check {
    let used = own.unwrap_or(first);
    let detail = match own {
        None => first.summary(),
        Some(own) => format!("{}; {}", own.summary(), first.summary()),
    };
    Check {
        name: first.function.to_string(),
        needed: true,
        outcome: if used.meets_bound() { Outcome::Passed } else { Outcome::Failed },
        detail,
    }
}
