//! The part of `shaders/fused/steps.wgsl` that turns rows of [J | e] into R and Qᵀe, where the kernel is ORTHOGONAL.

/// The least square that has all its digits: of a smaller one devices that keep it have a few, and an angle of a few digits
/// would turn the rest of the row by them.
const LEAST: f32 = f32::MIN_POSITIVE;

/// A row that is not zero from `first` on, by Givens' rotations: it is turned into `upper` and `turned`, entry by entry, until
/// nothing is left of it. Its entries are the variables d0, d1, … and e, which are written over.
fn rotate(first: usize, parameters: usize) -> String {
    let mut text = String::new();
    for j in first..parameters {
        let at = |k: usize| format!("upper[{}u]", k * (k + 1) / 2 + j);
        let pivot = at(j);
        text += &format!(
            "{{\nlet square = {pivot} * {pivot} + d{j} * d{j};\nlet is_nothing = square < {LEAST:e};\n\
             let length = sqrt(square);\nlet cosine = select({pivot} / length, Real(1.0), is_nothing);\n\
             let sine = select(d{j} / length, Real(0.0), is_nothing);\n\
             {pivot} = select(length, {pivot}, is_nothing);\n"
        );
        let others = (j + 1..parameters).map(|k| (at(k), format!("d{k}")));
        for (k, (above, entry)) in others.chain([(format!("turned[{j}u]"), String::from("e"))]).enumerate() {
            text += &format!(
                "let above_{k} = {above};\n{above} = cosine * above_{k} + sine * {entry};\n\
                 {entry} = cosine * {entry} - sine * above_{k};\n"
            );
        }
        text += "}\n";
    }
    text
}

/// Statements of [`row`].
pub(super) fn statements(parameters: usize) -> usize {
    2 + parameters + (0..parameters).map(|j| 5 + 3 * (parameters - j)).sum::<usize>()
}

/// A row of the data: its weight is `w` and its response `y`; `results` are f and its derivatives there.
pub(super) fn row(results: &[String]) -> String {
    let parameters = results.len() - 1;
    let mut text = format!("var e: Real = w * ({} - y);\nsquares += e * e;\n", results[0]);
    for (j, derivative) in results[1..].iter().enumerate() {
        text += &format!("var d{j}: Real = w * {derivative};\n");
    }
    text + &rotate(0, parameters)
}

/// The rows √(εDⱼ)eⱼ, which add εD to RᵀR.
pub(super) fn damping(parameters: usize) -> String {
    let mut text = String::new();
    for j in 0..parameters {
        let square = format!("gram[{}u]", j * (j + 1) / 2 + j);
        text += &format!("{{\nvar d{j}: Real = sqrt(epsilon * select(Real(1.0), {square}, in_columns));\n");
        for k in j + 1..parameters {
            text += &format!("var d{k}: Real = 0.0;\n");
        }
        text += &format!("var e: Real = 0.0;\n{}}}\n", rotate(j, parameters));
    }
    text
}
