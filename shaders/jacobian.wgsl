// Residual and Jacobian of a block of rows: [J | e], with eᵢ = wᵢ(f(xᵢ, θ) − yᵢ) and Jᵢⱼ = wᵢ ∂f/∂θⱼ.
// Invocation: x is the problem, y the row within the block. `block` is a MatrixBatch of block_rows × (P+1).
// Rows past a problem's own n are left as they are: no kernel reads them. With a ROSTER x is a place in it, where the
// problem's block comes to lie, and those rows are zero.
#import natgrad::layout::element
#import natgrad::problem::{Block, Problem, State, Rules, RUNNING}
#import natgrad::model::{P, INPUTS, Row, model_row}

@group(0) @binding(0) var<uniform> rules: Rules;
@group(0) @binding(1) var<uniform> span: Block;
@group(0) @binding(2) var<storage, read> problems: array<Problem>;
#ifdef ROSTER
@group(0) @binding(3) var<storage, read> roster: array<u32>;  // the problems at work: how many, then which
#else
@group(0) @binding(3) var<storage, read> states: array<State>;
#endif
@group(0) @binding(4) var<storage, read> data: array<Real>;   // a row: the inputs, y, w
@group(0) @binding(5) var<storage, read> theta: array<Real>;  // P × 1
@group(0) @binding(6) var<storage, read_write> block: array<Real>;
#ifdef ROSTER
@group(0) @binding(7) var<storage, read_write> bits: array<atomic<u32>>;  // of the largest magnitudes of J and of e
#endif

const STRIDE: u32 = INPUTS + 2u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let place = id.x;
    let i = id.y;
    if place >= rules.problems || i >= span.rows {
        return;
    }
    let row = span.first + i;
    let at_row = span.stride - span.rows + i;
#ifdef ROSTER
    if place >= roster[0] {
        return;
    }
    let b = roster[1u + place];
    if row >= problems[b].rows {
        for (var j = 0u; j <= P; j++) {
            block[element(place, at_row, j, span.stride, P + 1u)] = 0.0;
        }
        return;
    }
#else
    let b = place;
    if row >= problems[b].rows || (span.all == 0u && states[b].status != RUNNING) {
        return;
    }
#endif
    var t: array<Real, P>;
    for (var j = 0u; j < P; j++) {
        t[j] = theta[element(b, j, 0u, P, 1u)];
    }
    let at = (problems[b].first_row + row) * STRIDE;
    var x: array<Real, INPUTS + 1u>;
    for (var c = 0u; c < INPUTS; c++) {
        x[c] = data[at + c];
    }
    let y = data[at + INPUTS];
    let w = data[at + INPUTS + 1u];
    let f = model_row(t, x);
    var largest = 0u;
    for (var j = 0u; j < P; j++) {
        let entry = w * f.derivative[j];
        largest = max(largest, bitcast<u32>(f32(entry)) & 0x7fffffffu);
        block[element(place, at_row, j, span.stride, P + 1u)] = entry;
    }
#ifdef ROSTER
    atomicMax(&bits[2u * place], largest);
#endif
    block[element(place, at_row, P, span.stride, P + 1u)] = w * (f.value - y);
}
