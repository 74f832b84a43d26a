// What the kernels of a step know of a problem: its fixed description and its changing state.
// The Rust side is src/kernels/problem.rs; a test compares sizes and offsets.
#define_import_path natgrad::problem
#import natgrad::bits::power_of_two


// Written once by the host.
struct Problem {
    first_row: u32,      // first row of its data set in the data buffer
    rows: u32,           // n
    fixed_rank: u32,     // at most this many singular directions
    window: u32,         // steps without visible progress that end it
    step_size: Real,     // η
    damping: Real,       // ε in the units of the scaled data; negative: adaptive
    cutoff: Real,        // relative, on σ
    response_norm: Real, // ‖y‖ of the scaled data
    scaling: u32,        // 1: factor JD with unit columns
    filter_kind: u32,    // FILTERED, SMOOTH, RESIDUAL_SCALED or GRADIENT
    log_factor: Real,    // log₂ c of the residual-scaled damping ε = c‖e‖^δ
    power: Real,         // δ of it; of GRADIENT what σ² is multiplied by, in the units of the scaled data
    momentum: Real,      // β, heavy ball
    weight: Real,        // w of every row, where rows have none of their own
}

// Which φ(σ), 1/(1 + (cσ₁/σ)¹²) of SMOOTH and σ² of GRADIENT, which both use all directions. FILTERED: σ²/(σ²+ε) above the cutoff, 1 where there is no damping.
const FILTERED: u32 = 0u;
const SMOOTH: u32 = 1u;
const RESIDUAL_SCALED: u32 = 2u;
const GRADIENT: u32 = 3u;

// Every problem touches its own.
struct State {
    status: u32,
    reason: u32,
    steps: u32,
    rank: u32,
    sweeps: u32,
    rejections: u32,
    quiet_steps: u32,     // successive accepted steps without visible progress
    fresh: u32,           // ACCEPTED and so on: how far the point is
    trial_norm: Real,     // ‖e‖ at the trial point, by qr
    residual_norm: Real,  // ‖e‖ at θ
    first_norm: Real,     // ‖e₀‖
    epsilon: Real,        // damping in force
    growth: Real,         // factor on ε at the next rejection
    predicted: Real,      // decrease of the loss that the trial step promises, over unit(‖e‖)²
    best_tangent: Real,   // least ‖Uᵣᵀe‖ before the quiet steps
    trial_range: u32,     // FINITE, OVERFLOW or NOT_FINITE: the worst of [J | e] at the trial point
    doubted: u32,         // 1 once f32 did not take a step by the kernel matrix: rotations take them from there on
}

// The statuses of src/ngd/status.rs; RUNNING, FUSED and DOUBTED are only seen on the device.
const RUNNING: u32 = 0u;
const CONVERGED: u32 = 1u;
const STEP_LIMIT: u32 = 2u;
const STALLED: u32 = 3u;
const DIVERGED: u32 = 4u;
const NON_FINITE: u32 = 5u;
const FACTORIZATION_LIMIT: u32 = 6u;
// At work in registers; RUNNING there is what is left to the other kernels.
const FUSED: u32 = 7u;
// And there, but f32 is in doubt of its normal equations.
const DOUBTED: u32 = 8u;

const REASON_NONE: u32 = 0u;
const REASON_LOSS: u32 = 1u;
const REASON_GRADIENT: u32 = 2u;
const REASON_CHANGE: u32 = 3u;
const REASON_ROUNDING: u32 = 4u;

// REJECTED, or not judged yet: θ is the point before. ACCEPTED: θ waits to be factored. DUAL_DONE: its step was taken by the
// kernel matrix. WAITS: it needs singular values that there were none of, and is evaluated once more. DUAL_DOUBT: f32 does not
// take its step by the kernel matrix.
const REJECTED: u32 = 0u;
const ACCEPTED: u32 = 1u;
const DUAL_DONE: u32 = 2u;
const WAITS: u32 = 3u;
const DUAL_DOUBT: u32 = 4u;

// What a trial point's [J | e] can be. An infinite ‖e‖ has outgrown every bound: that is divergence. A NaN in e, or a J
// that is not finite while e is, is not.
const FINITE: u32 = 0u;
const OVERFLOW: u32 = 1u;
const NOT_FINITE: u32 = 2u;

fn range_of(nan: bool, infinite: bool, bad_jacobian: bool) -> u32 {
    if nan || (bad_jacobian && !infinite) {
        return NOT_FINITE;
    }
    return select(FINITE, OVERFLOW, infinite);
}

// The power of two by which ‖e‖ and everything of its size is divided before it is squared: a start may lie 10³⁰ times
// further from the data than their own size, and the square of that is no number of f32. Exact, so that it changes no
// bit elsewhere.
fn unit(residual_norm: Real) -> Real {
    return power_of_two(residual_norm);
}

// The same for all problems of a run.
struct Rules {
    problems: u32,      // in this chunk
    steps: u32,         // step limit
    tests: u32,         // 0: no convergence test
    loss: Real,         // tolerances, see src/ngd/stop.rs
    initial: Real,      // on ‖e‖ over ‖e₀‖
    gradient: Real,
    change: Real,
    rounding: Real,     // 4u
    divergence: Real,
    damping_start: Real,
    damping_floor: Real,
    accept: Real,
    max_rejections: u32,
    max_sweeps: u32,
    rotation_tolerance: Real,
    history: u32,       // steps from record to record; 0: none is kept
    waits: u32,         // 1: no singular values this time; problems that need them wait
    padding_a: u32,
    padding_b: u32,
    padding_c: u32,
}

// What is a problem's own where all have the same rule and the same coordinates.
struct Brief {
    words: vec4<u32>,    // first_row, response_norm, weight, and nothing: a vector is one read
}

// How a problem ended, where no more is asked for.
struct End {
    code: u32,           // status, reason and rank, from the lowest byte up
    steps: u32,
    residual_norm: Real,
}

// How the fused kernel works.
struct Fused {
    passes: u32,        // evaluations a dispatch
    most_plain: Real,   // bounds on ‖L⁻¹‖², C = LLᵀ with unit diagonal, up to which a plain step
    most_damped: Real,  // and a damped one are taken
    fresh: u32,         // 1: the first evaluations of all problems; no state is read
    rule: Problem,      // UNIFORM: what all problems have in common
}

// Whether the loss is as small as asked.
fn loss_ends(rules: Rules, problem: Problem, state: State) -> bool {
    let most = max(rules.loss * problem.response_norm, rules.initial * state.first_norm);
    return rules.tests != 0u && state.residual_norm <= most;
}

// Whether a record is due after so many steps.
fn is_due(rules: Rules, steps: u32) -> bool {
    return rules.history != 0u && steps % max(rules.history, 1u) == 0u;
}

// A block of rows, the same rows of every problem.
struct Block {
    first: u32,  // first row of the block within each problem
    rows: u32,   // rows of the block
    all: u32,    // 1: finished problems too
    stride: u32, // rows that the block buffer has room for: these are the last
}
