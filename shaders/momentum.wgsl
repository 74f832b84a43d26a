// Heavy-ball momentum: the trial point θ − ηΔ of step becomes θ − ηΔ + β(θ − θ⁻), θ⁻ the point before.
//
// B. T. Polyak, USSR Comput. Math. Math. Phys. 4 (1964) 1. Only for damping that accepts every step: the step before
// is then the one that was taken.
//
// Invocation: one problem.
#import natgrad::layout::element
#import natgrad::problem::{Problem, State, Rules, RUNNING, WAITS}

@group(0) @binding(0) var<uniform> rules: Rules;
@group(0) @binding(1) var<storage, read> problems: array<Problem>;
@group(0) @binding(2) var<storage, read> states: array<State>;
@group(0) @binding(3) var<storage, read> theta: array<Real>;           // P × 1
@group(0) @binding(4) var<storage, read_write> trial: array<Real>;     // P × 1
@group(0) @binding(5) var<storage, read_write> previous: array<Real>;  // P × 1: θ⁻, at first the start

const P: u32 = #{P}u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let b = id.x;
    // One that waits has no trial point yet.
    if b >= rules.problems || states[b].status != RUNNING || states[b].fresh == WAITS {
        return;
    }
    let momentum = problems[b].momentum;
    for (var j = 0u; j < P; j++) {
        let at = element(b, j, 0u, P, 1u);
        let here = theta[at];
        // Where there is none, no bit changes.
        if momentum != 0.0 {
            trial[at] += momentum * (here - previous[at]);
        }
        previous[at] = here;
    }
}
