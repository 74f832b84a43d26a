// ‖e‖ at the trial points, and what they are to be taken for: the words that qr leaves where it does all itself.
// Invocation: a place in the roster.
#import natgrad::layout::element
#import natgrad::bits::is_finite
#import natgrad::problem::{Rules, State, range_of}

@group(0) @binding(0) var<uniform> rules: Rules;
@group(0) @binding(1) var<storage, read> roster: array<u32>;    // the problems at work: how many, then which
@group(0) @binding(2) var<storage, read> lengths: array<Real>;  // COLUMNS × 1, of the roster
@group(0) @binding(3) var<storage, read> bits: array<u32>;      // of the largest magnitudes of J and of e
@group(0) @binding(4) var<storage, read_write> states: array<State>;

const COLUMNS: u32 = #{P}u + 1u;
const INFINITE: u32 = 0x7f800000u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let at = id.x;
    if at >= min(roster[0], rules.problems) {
        return;
    }
    let b = roster[1u + at];
    let norm = lengths[element(at, COLUMNS - 1u, 0u, COLUMNS, 1u)];
    let of_e = bits[2u * at + 1u];
    let nan = of_e > INFINITE;
    // ‖e‖ may overflow where no residual does.
    let infinite = of_e == INFINITE || !is_finite(f32(norm));
    let bad_jacobian = bits[2u * at] >= INFINITE;
    states[b].trial_norm = norm;
    states[b].trial_range = range_of(nan, infinite, bad_jacobian);
}
