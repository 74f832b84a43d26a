// One-sided Jacobi on A = (RD)ᵀ: rotates the columns of A to W = AV with orthogonal columns of length σ.
//
// R comes from qr, D is the column scaling. J D = QR D = (Q V) Σ (W Σ⁻¹)ᵀ, so the right singular vectors of JD are
// the columns of W Σ⁻¹, and c = Qᵀe, carried as one extra row that is rotated but left out of the dot products,
// becomes β = Vᵀc = Uᵀe. Then Δ = D W Σ⁻²φ β, P = W Σ⁻² Wᵀ and (JᵀJ)⁺ = D W Σ⁻⁴ Wᵀ D need neither U nor V.
// QR first is the preconditioner of Drmač and Veselić, SIAM J. Matrix Anal. Appl. 29 (2008) 1322.
//
// Invocation: one problem. `w` is (P+1) × P: W above, β in the last row; columns by descending σ.
#import natgrad::layout::element
#import natgrad::bits::power_of_two
#import natgrad::problem::{Problem, State, Rules, RUNNING, FACTORIZATION_LIMIT}

@group(0) @binding(0) var<uniform> rules: Rules;
@group(0) @binding(1) var<storage, read> problems: array<Problem>;
@group(0) @binding(2) var<storage, read_write> states: array<State>;
@group(0) @binding(3) var<storage, read> factor: array<Real>;         // P × (P+1)
@group(0) @binding(4) var<storage, read_write> w: array<Real>;        // (P+1) × P
@group(0) @binding(5) var<storage, read_write> sigma: array<Real>;    // P × 1
@group(0) @binding(6) var<storage, read_write> lengths: array<Real>;  // P × 1: the column lengths of J

const P: u32 = #{P}u;
const ROWS: u32 = P + 1u;

// Columns shorter than this, beside a largest entry near 1, count as zero: σ = 0, and never rotated. An entry that
// matters to a longer one is still a normal number of f32, whether the device flushes the others or not.
const NEGLIGIBLE: Real = 8e-28;

var<private> m: array<Real, P * ROWS>;  // column by column
var<private> norms: array<Real, P>;     // the columns' lengths, refreshed once a sweep

// The length of column j. A graded matrix has columns whose squares underflow.
fn column_norm(j: u32) -> Real {
    var sum: Real = 0.0;
    var big: Real = 0.0;
    for (var i = 0u; i < P; i++) {
        let x = m[j * ROWS + i];
        sum += x * x;
        big = max(big, abs(x));
    }
    if sum > 1e-18 {
        return sqrt(sum);
    }
    if !(big > NEGLIGIBLE) {
        return 0.0;
    }
    let scale = 1.0 / power_of_two(big);
    sum = 0.0;
    for (var i = 0u; i < P; i++) {
        let x = m[j * ROWS + i] * scale;
        sum += x * x;
    }
    return sqrt(sum) / scale;
}

// The cosine of the angle between columns j and k, both of nonzero length.
fn cosine(j: u32, k: u32) -> Real {
    // One of them is brought to a length near 1, so that no product underflows that matters.
    let scale = 1.0 / power_of_two(norms[j]);
    var sum: Real = 0.0;
    for (var i = 0u; i < P; i++) {
        sum += (m[j * ROWS + i] * scale) * m[k * ROWS + i];
    }
    return sum / (norms[j] * scale) / norms[k];
}

// The length of column j after a rotation that shrinks its square by `factor`: measured anew where most of it
// cancels, since the error of the old length then is most of the new one.
fn shrunk(j: u32, factor: Real) -> Real {
    if factor > 0.125 {
        return norms[j] * sqrt(factor);
    }
    return column_norm(j);
}

// Rotates columns j < k until they are orthogonal; says whether they were not.
fn rotate(j: u32, k: u32) -> bool {
    let x = norms[j];
    let y = norms[k];
    if x == 0.0 || y == 0.0 {
        return false;
    }
    let g = cosine(j, k);
    if !(abs(g) > rules.rotation_tolerance) {
        return false;
    }
    // (y² − x²)/2xyg, in lengths and not in their squares, which underflow.
    let zeta = (y / x - x / y) / (2.0 * g);
    var t: Real;
    if abs(zeta) > 4096.0 {
        // ζ² would overflow long before the difference to the full formula shows.
        t = 0.5 / zeta;
    } else {
        // select, because sign(0) is 0 and columns of equal length must rotate by 45°.
        t = select(Real(1.0), Real(-1.0), zeta < 0.0) / (abs(zeta) + sqrt(1.0 + zeta * zeta));
    }
    let c = 1.0 / sqrt(1.0 + t * t);
    let s = c * t;
    for (var i = 0u; i < ROWS; i++) {
        let a = m[j * ROWS + i];
        let b = m[k * ROWS + i];
        m[j * ROWS + i] = c * a - s * b;
        m[k * ROWS + i] = s * a + c * b;
    }
    norms[j] = shrunk(j, 1.0 - t * g * (y / x));
    norms[k] = shrunk(k, 1.0 + t * g * (x / y));
    return true;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let b = id.x;
    if b >= rules.problems || states[b].status != RUNNING || states[b].fresh == 0u {
        return;
    }
    // Load RD transposed: column i of A is row i of RD. Column lengths are scaled by their largest entry, so that
    // no square overflows.
    var largest: Real = 0.0;
    for (var j = 0u; j < P; j++) {
        var big: Real = 0.0;
        for (var i = 0u; i <= j; i++) {
            big = max(big, abs(factor[element(b, i, j, P, P + 1u)]));
        }
        let unit = power_of_two(big);
        var sum: Real = 0.0;
        for (var i = 0u; i <= j; i++) {
            let x = factor[element(b, i, j, P, P + 1u)] / unit;
            sum += x * x;
        }
        let norm = sqrt(sum);
        lengths[element(b, j, 0u, P, 1u)] = norm * unit;
        for (var i = 0u; i < P; i++) {
            var x: Real = 0.0;
            if i <= j && norm > 0.0 {
                if problems[b].scaling != 0u {
                    x = factor[element(b, i, j, P, P + 1u)] / unit / norm;
                } else {
                    x = factor[element(b, i, j, P, P + 1u)];
                }
            }
            m[i * ROWS + j] = x;
            largest = max(largest, abs(x));
        }
    }
    // One power of two for the whole matrix: factors per column would change the singular vectors.
    let unit = power_of_two(largest);
    for (var j = 0u; j < P; j++) {
        for (var i = 0u; i < P; i++) {
            m[j * ROWS + i] = m[j * ROWS + i] / unit;
        }
        m[j * ROWS + P] = factor[element(b, j, P, P, P + 1u)];
    }

    var sweeps = 0u;
    var rotated = true;
    while rotated && sweeps < rules.max_sweeps {
        rotated = false;
        sweeps += 1u;
        for (var j = 0u; j < P; j++) {
            norms[j] = column_norm(j);
        }
        for (var j = 0u; j + 1u < P; j++) {
            for (var k = j + 1u; k < P; k++) {
                if rotate(j, k) {
                    rotated = true;
                }
            }
        }
    }

    // σ is measured at the end, so that no error of the rotations adds up in it; columns leave by descending σ.
    for (var j = 0u; j < P; j++) {
        norms[j] = column_norm(j);
    }
    for (var place = 0u; place < P; place++) {
        var best = place;
        for (var j = place + 1u; j < P; j++) {
            if norms[j] > norms[best] {
                best = j;
            }
        }
        if best != place {
            let t = norms[place];
            norms[place] = norms[best];
            norms[best] = t;
            for (var i = 0u; i < ROWS; i++) {
                let x = m[place * ROWS + i];
                m[place * ROWS + i] = m[best * ROWS + i];
                m[best * ROWS + i] = x;
            }
        }
        sigma[element(b, place, 0u, P, 1u)] = norms[place] * unit;
        for (var i = 0u; i < P; i++) {
            w[element(b, i, place, ROWS, P)] = m[place * ROWS + i] * unit;
        }
        w[element(b, P, place, ROWS, P)] = m[place * ROWS + P];
    }
    states[b].sweeps = sweeps;
    if rotated {
        states[b].status = FACTORIZATION_LIMIT;
    }
}
