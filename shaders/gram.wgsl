// Gram matrix of [J | e]: the Fisher matrix F = JᵀJ, the gradient Jᵀe and ‖e‖² in one symmetric (P+1) × (P+1).
//
// For sharpness and gradient norm only: in f32 a Gram matrix loses its rank at a condition of 1e3 to 1e4, so no step,
// rank or covariance is taken from it. Rows are summed in segments of SEGMENT, as in qr, and for the same reasons.
//
// Invocation: one problem. `block` is block_rows × (P+1), `gram` is (P+1) × (P+1), lower triangle.
#import natgrad::layout::element
#import natgrad::problem::{Block, Problem, Rules}

@group(0) @binding(0) var<uniform> rules: Rules;
@group(0) @binding(1) var<uniform> span: Block;
@group(0) @binding(2) var<storage, read> problems: array<Problem>;
@group(0) @binding(3) var<storage, read> block: array<Real>;
@group(0) @binding(4) var<storage, read_write> gram: array<Real>;

const P: u32 = #{P}u;
const COLUMNS: u32 = P + 1u;
const SEGMENT: u32 = 256u;

var<private> g: array<Real, COLUMNS * COLUMNS>;
var<private> a: array<Real, COLUMNS>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let b = id.x;
    if b >= rules.problems {
        return;
    }
    let n = problems[b].rows;
    if span.first >= n {
        return;
    }
    let rows = min(span.rows, n - span.first);
    for (var first = 0u; first < rows; first += SEGMENT) {
        for (var k = 0u; k < COLUMNS * COLUMNS; k++) {
            g[k] = 0.0;
        }
        let last = min(first + SEGMENT, rows);
        for (var i = first; i < last; i++) {
            for (var k = 0u; k < COLUMNS; k++) {
                a[k] = block[element(b, i, k, span.stride, COLUMNS)];
            }
            for (var j = 0u; j < COLUMNS; j++) {
                for (var k = 0u; k <= j; k++) {
                    g[j * COLUMNS + k] += a[j] * a[k];
                }
            }
        }
        for (var j = 0u; j < COLUMNS; j++) {
            for (var k = 0u; k <= j; k++) {
                let at = element(b, j, k, COLUMNS, COLUMNS);
                if span.first + first == 0u {
                    gram[at] = g[j * COLUMNS + k];
                } else {
                    gram[at] += g[j * COLUMNS + k];
                }
            }
        }
    }
}
