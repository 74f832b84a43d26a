// Residual and Jacobian of a block of rows of a network: [J | e], eᵢ = wᵢ(f(xᵢ, θ) − yᵢ) and Jᵢⱼ = wᵢ ∂f/∂θⱼ, as `jacobian`
// makes them of an expression and with the same bindings. Loops over layers and units: the code is as long for any network.
//
// Forward through the layers, keeping activations and slopes of all hidden layers but the last. Of that one each unit is
// done with at once: when its activation is known, so is its part of the output, and from the output's weight its ∂f/∂z,
// its entries of J and its part of the sums that go back. A network with one hidden layer keeps nothing.
//
// Invocation: x is the problem, or its place in the roster, y the row within the block.
#import natgrad::layout::element
#import natgrad::problem::{Block, Problem, State, Rules, RUNNING}
#import natgrad::elementary::{ng_exp, ng_tanh}
#import natgrad::architecture::{P, INPUTS, FEATURES, OUTPUTS, HIDDEN, units, first_weight, first_bias, weight_scale, first_kept}

@group(0) @binding(0) var<uniform> rules: Rules;
@group(0) @binding(1) var<uniform> span: Block;
@group(0) @binding(2) var<storage, read> problems: array<Problem>;
#ifdef ROSTER
@group(0) @binding(3) var<storage, read> roster: array<u32>;  // the problems at work: how many, then which
#else
@group(0) @binding(3) var<storage, read> states: array<State>;
#endif
@group(0) @binding(4) var<storage, read> data: array<Real>;   // a row: the inputs, the output where there are several, y, w
@group(0) @binding(5) var<storage, read> theta: array<Real>;  // P × 1
@group(0) @binding(6) var<storage, read_write> block: array<Real>;
#ifdef ROSTER
@group(0) @binding(7) var<storage, read_write> bits: array<atomic<u32>>;  // of the largest magnitudes of J and of e
#endif

const STRIDE: u32 = INPUTS + 2u;

var<private> b: u32;
var<private> place: u32;
var<private> at_row: u32;
var<private> at: u32;  // first number of the row in `data`
var<private> w: Real;
var<private> largest: u32;  // bits of the largest magnitude of the row

#ifdef KEPT
// Of the hidden layers but the last.
var<private> values: array<Real, #{KEPT}>;
var<private> slopes: array<Real, #{KEPT}>;
var<private> sums_back: array<Real, #{KEPT}>;
#endif

// An activation and its slope.
struct Unit {
    value: Real,
    slope: Real,
}

fn activate(z: Real) -> Unit {
#ifdef TANH
    let a = ng_tanh(z);
    return Unit(a, 1.0 - a * a);
#endif
#ifdef RELU
    // A NaN stays one.
    let is_on = !(z <= 0.0);
    return Unit(select(Real(0.0), z, is_on), select(Real(0.0), Real(1.0), is_on));
#endif
#ifdef SILU
    let e = ng_exp(-abs(z));
    let s = select(e, 1.0, z >= 0.0) / (1.0 + e);
    return Unit(z * s, s + z * (s * (1.0 - s)));
#endif
#ifdef IDENTITY
    return Unit(z, 1.0);
#endif
}

fn parameter(j: u32) -> Real {
    return theta[element(b, j, 0u, P, 1u)];
}

fn put(j: u32, derivative: Real) {
    let entry = w * derivative;
    largest = max(largest, bitcast<u32>(f32(entry)) & 0x7fffffffu);
    block[element(place, at_row, j, span.stride, P + 1u)] = entry;
}

// Activation i of the layer of units l; layer 0 are the inputs.
fn activation(l: u32, i: u32) -> Real {
#ifdef KEPT
    if l > 0u {
        return values[first_kept(l) + i];
    }
#endif
    return data[at + i];
}

// z of unit u of the layer of weights l, which leads to the layer of units l.
fn sum(l: u32, u: u32) -> Real {
    let inputs = units(l - 1u);
    let first = first_weight(l) + u * inputs;
    var product: Real = 0.0;
    for (var i = 0u; i < inputs; i++) {
        product += parameter(first + i) * activation(l - 1u, i);
    }
    return weight_scale(l) * product + parameter(first_bias(l) + u);
}

// Entries of J, and what goes back, of unit u of the hidden layer l where ∂f/∂z is delta.
fn put_unit(l: u32, u: u32, delta: Real) {
    let inputs = units(l - 1u);
    let first = first_weight(l) + u * inputs;
    let scaled = weight_scale(l) * delta;
    for (var i = 0u; i < inputs; i++) {
        put(first + i, scaled * activation(l - 1u, i));
#ifdef KEPT
        if l > 1u {
            sums_back[first_kept(l - 1u) + i] += scaled * parameter(first + i);
        }
#endif
    }
    put(first_bias(l) + u, delta);
}

// f, and all entries of J but those of the layers kept.
fn last_layers() -> Real {
    var output = 0u;
    if OUTPUTS > 1u {
        output = u32(data[at + FEATURES]);
    }
    let before = units(HIDDEN);
    let first = first_weight(HIDDEN + 1u);
    let scale = weight_scale(HIDDEN + 1u);
    var f: Real = 0.0;
    for (var u = 0u; u < before; u++) {
#ifdef DEEP
        let unit = activate(sum(HIDDEN, u));
        let by = scale * parameter(first + output * before + u);
        f += by * unit.value;
        put_unit(HIDDEN, u, by * unit.slope);
        let value = unit.value;
#else
        let value = data[at + u];
        f += scale * parameter(first + output * before + u) * value;
#endif
        for (var o = 0u; o < OUTPUTS; o++) {
            put(first + o * before + u, select(Real(0.0), scale * value, o == output));
        }
    }
#ifdef OUTPUT_BIAS
    f += parameter(first_bias(HIDDEN + 1u) + output);
    for (var o = 0u; o < OUTPUTS; o++) {
        put(first_bias(HIDDEN + 1u) + o, select(Real(0.0), Real(1.0), o == output));
    }
#endif
    return f;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    place = id.x;
    let i = id.y;
    if place >= rules.problems || i >= span.rows {
        return;
    }
    let row = span.first + i;
    at_row = span.stride - span.rows + i;
#ifdef ROSTER
    if place >= roster[0] {
        return;
    }
    b = roster[1u + place];
    if row >= problems[b].rows {
        for (var j = 0u; j <= P; j++) {
            block[element(place, at_row, j, span.stride, P + 1u)] = 0.0;
        }
        return;
    }
#else
    b = place;
    if row >= problems[b].rows || (span.all == 0u && states[b].status != RUNNING) {
        return;
    }
#endif
    at = (problems[b].first_row + row) * STRIDE;
    largest = 0u;
    let y = data[at + INPUTS];
    w = data[at + INPUTS + 1u];
#ifdef KEPT
    for (var l = 1u; l < HIDDEN; l++) {
        for (var u = 0u; u < units(l); u++) {
            let unit = activate(sum(l, u));
            let k = first_kept(l) + u;
            values[k] = unit.value;
            slopes[k] = unit.slope;
            sums_back[k] = 0.0;
        }
    }
#endif
    let f = last_layers();
#ifdef KEPT
    for (var l = HIDDEN - 1u; l > 0u; l--) {
        for (var u = 0u; u < units(l); u++) {
            let k = first_kept(l) + u;
            put_unit(l, u, slopes[k] * sums_back[k]);
        }
    }
#endif
    block[element(place, at_row, P, span.stride, P + 1u)] = w * (f - y);
#ifdef ROSTER
    atomicMax(&bits[2u * place], largest);
#endif
}
