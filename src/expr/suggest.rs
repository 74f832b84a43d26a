//! "Did you mean": the nearest of the known names.

/// Beyond this length (characters) a name is no slip of the pen, and comparing would cost its square.
const LONGEST: usize = 64;

/// The candidate nearest to `name`, if one is near enough to be a likely slip.
///
/// Near means: an edit distance (with swaps of neighbours counted as one) of at most a third of the longer name's
/// length, one at least, and something left in common. Among equally near ones the one whose differing characters
/// have the nearest code points wins (`b4` suggests `b3` and not `b1`), then the first.
#[must_use]
pub fn did_you_mean<'a>(name: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let length = name.chars().count();
    if length > LONGEST {
        return None;
    }
    let mut best: Option<((usize, u64), &'a str)> = None;
    for &candidate in candidates {
        let other = candidate.chars().count();
        if other > LONGEST {
            continue;
        }
        let longer = length.max(other);
        let case_only = name.to_lowercase() == candidate.to_lowercase();
        let distance = if case_only { 0 } else { strsim::osa_distance(name, candidate) };
        if !case_only && (distance > (longer / 3).max(1) || distance >= longer) {
            continue;
        }
        let apart = name.chars().zip(candidate.chars()).map(|(a, b)| u64::from((a as u32).abs_diff(b as u32))).sum();
        let key = (distance, apart);
        if best.is_none_or(|(least, _)| key < least) {
            best = Some((key, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::did_you_mean;

    #[test]
    fn the_nearest_name_is_suggested_and_a_far_one_is_not() {
        assert_eq!(did_you_mean("b4", &["b1", "b2", "b3", "x"]), Some("b3"));
        assert_eq!(did_you_mean("expp", &["exp", "log"]), Some("exp"));
        assert_eq!(did_you_mean("tiem", &["time", "y"]), Some("time"));
        assert_eq!(did_you_mean("TEMPERATURE", &["temperature"]), Some("temperature"));
        assert_eq!(did_you_mean("X", &["x"]), Some("x"));
        assert_eq!(did_you_mean("z", &["x"]), None);
        assert_eq!(did_you_mean("amplitude", &["x", "sigma"]), None);
    }
}
