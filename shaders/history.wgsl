// Records where a problem stands, at every stride: ‖e‖, and the rank, σ₁ and the least σ of the J that is factored there;
// and θ, where it is asked for.
//
// Between factorisation and step, of the problems at work: what they end with is read at the end. A rejected trial leaves
// a problem where it stood, with the factorisation of that point.
//
// Invocation: one problem. Records lie problem after problem and not in tiles, so that any number of problems fits.
#import natgrad::layout::element
#import natgrad::problem::{Problem, State, Rules, is_due, RUNNING}

@group(0) @binding(0) var<uniform> rules: Rules;
@group(0) @binding(1) var<storage, read> problems: array<Problem>;
@group(0) @binding(2) var<storage, read> states: array<State>;
@group(0) @binding(3) var<storage, read> sigma: array<Real>;          // K × 1
@group(0) @binding(4) var<storage, read> theta: array<Real>;          // P × 1
@group(0) @binding(5) var<storage, read_write> records: array<Real>;  // WORDS a record

const P: u32 = #{P}u;
const K: u32 = #{K}u;
const WORDS: u32 = #{WORDS}u;  // of a record: FIGURES, and P more where θ is kept
const FIGURES: u32 = 4u;

// The rank as step counts it.
fn rank_of(b: u32) -> u32 {
    let least = problems[b].cutoff * sigma[element(b, 0u, 0u, K, 1u)];
    var rank = 0u;
    for (var i = 0u; i < min(K, problems[b].fixed_rank); i++) {
        let s = sigma[element(b, i, 0u, K, 1u)];
        if s > 0.0 && s > least {
            rank = i + 1u;
        }
    }
    return rank;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let b = id.x;
    if b >= rules.problems || states[b].status != RUNNING {
        return;
    }
    let steps = states[b].steps;
    // After the last step a problem ends.
    if steps >= rules.steps || !is_due(rules, steps) {
        return;
    }
    let slots = (rules.steps - 1u) / rules.history + 1u;
    let at = (b * slots + steps / rules.history) * WORDS;
    records[at] = states[b].residual_norm;
    records[at + 1u] = Real(rank_of(b));
    records[at + 2u] = sigma[element(b, 0u, 0u, K, 1u)];
    records[at + 3u] = sigma[element(b, min(problems[b].rows, K) - 1u, 0u, K, 1u)];
    for (var j = 0u; j < WORDS - FIGURES; j++) {
        records[at + FIGURES + j] = theta[element(b, j, 0u, P, 1u)];
    }
}
