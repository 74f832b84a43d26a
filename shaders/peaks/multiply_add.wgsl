// Multiply-adds and next to nothing else: CHAINS independent recurrences x ← a·x + b in every invocation, the sum of all
// at the end. With a = 1 and b = 1 each ends at its start plus the number of steps, exactly; a and b come from a buffer,
// and every chain of every invocation begins at a number of its own, so that no compiler can fold, share or drop one.

struct Recurrence {
    a: Real,
    b: Real,
    // Rounds of STEPS steps each.
    rounds: u32,
    padding: u32,
}

@group(0) @binding(0) var<uniform> recurrence: Recurrence;
@group(0) @binding(1) var<storage, read_write> sums: array<Real>;  // one an invocation

const CHAINS: u32 = #{CHAINS}u;
const STEPS: u32 = #{STEPS}u;

#ifdef VECTOR
alias Chain = vec4<Real>;

fn begin(lane: Real, c: u32) -> Chain {
    return vec4<Real>(lane) + Real(4u * c) + vec4<Real>(0.0, 1.0, 2.0, 3.0);
}

fn total(x: Chain) -> Real {
    return x.x + x.y + x.z + x.w;
}
#else
alias Chain = Real;

fn begin(lane: Real, c: u32) -> Chain {
    return lane + Real(c);
}

fn total(x: Chain) -> Real {
    return x;
}
#endif

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let a = Chain(recurrence.a);
    let b = Chain(recurrence.b);
    // @registers
    var x: array<Chain, CHAINS>;
    // @unroll
    for (var c = 0u; c < CHAINS; c++) {
        x[c] = begin(Real(lane), c);
    }
    for (var round = 0u; round < recurrence.rounds; round++) {
        // @unroll
        for (var s = 0u; s < STEPS; s++) {
            // @unroll
            for (var c = 0u; c < CHAINS; c++) {
#ifdef FUSED
                x[c] = fma(a, x[c], b);
#else
                x[c] = a * x[c] + b;
#endif
            }
        }
    }
    var sum: Real = 0.0;
    // @unroll
    for (var c = 0u; c < CHAINS; c++) {
        sum += total(x[c]);
    }
    if id.x < arrayLength(&sums) {
        sums[id.x] = sum;
    }
}
