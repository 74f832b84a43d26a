//! Reads the data four numbers at a time: on software Vulkan to find an address, lane by lane, costs several times what it costs to
//! read there.

const QUAD: usize = 4;

/// The declaration of the data as quads, and as single numbers.
pub(super) const AS_QUADS: &str = "@group(0) @binding(4) var<storage, read> data: array<vec4<Real>>;";
pub(super) const AS_NUMBERS: &str = "@group(0) @binding(4) var<storage, read> data: array<Real>;";

/// How many numbers a buffer of so many has to hold: quads are read whole, and the one after the last as well.
pub(crate) fn room(numbers: usize) -> usize {
    numbers.next_multiple_of(QUAD) + QUAD
}

/// The number at a place that is known when the text is written.
pub(super) fn known(place: usize) -> String {
    format!("data[{}u].{}", place / QUAD, component(place))
}

/// The number at a place that is an expression.
pub(super) fn number(place: &str) -> String {
    format!("data[({place}) / {QUAD}u][({place}) % {QUAD}u]")
}

fn component(place: usize) -> char {
    ['x', 'y', 'z', 'w'][place % QUAD]
}

/// `count` numbers that follow each other from the place `first` on, an expression whose values are multiples of `multiple`: each
/// by a name of its own, `name` with its number.
///
/// Where in a quad they begin differs from problem to problem. They are moved to their places by one binary digit of that after
/// the other: a choice between registers costs less than a read.
pub(super) fn read(name: &str, first: &str, count: usize, multiple: usize) -> String {
    let digits: Vec<usize> = [2, 1].into_iter().filter(|digit| !multiple.is_multiple_of(2 * digit)).collect();
    let most = count + digits.iter().sum::<usize>();
    let mut text = format!("let first_{name} = {first};\n");
    for quad in 0..most.div_ceil(QUAD) {
        text += &format!("let quad_{name}{quad} = data[first_{name} / {QUAD}u + {quad}u];\n");
    }
    let mut numbers: Vec<String> = (0..most).map(|k| format!("quad_{name}{}.{}", k / QUAD, component(k))).collect();
    for digit in digits {
        text += &format!("let is_{name}_by{digit} = (first_{name} & {digit}u) != 0u;\n");
        let moved = |k: usize| {
            let to = format!("{name}{k}_by{digit}");
            text += &format!("let {to} = select({}, {}, is_{name}_by{digit});\n", numbers[k], numbers[k + digit]);
            to
        };
        numbers = (0..numbers.len() - digit).map(moved).collect();
    }
    for (k, number) in numbers.iter().enumerate().take(count) {
        text += &format!("let {name}{k}: Real = {number};\n");
    }
    text
}
