// Evaluates elementary functions at given points, so that the host can compare them with f64.
//
// Points and results travel as bits: a NaN or an infinity arrives as it left.

#import natgrad::elementary::{ng_exp, ng_log, ng_log2, ng_log10, ng_sqrt, ng_pow, ng_sin, ng_cos, ng_tan, ng_asin, ng_acos, ng_atan, ng_atan2, ng_sinh, ng_cosh, ng_tanh}

struct Point {
    function: u32,
    x: u32,
    y: u32,
    padding: u32,
}

@group(0) @binding(0) var<storage, read> points: array<Point>;
@group(0) @binding(1) var<storage, read_write> results: array<u32>;

fn value(function: u32, x: f32, y: f32) -> f32 {
    switch function {
        case 0u: { return ng_exp(x); }
        case 1u: { return ng_log(x); }
        case 2u: { return ng_log2(x); }
        case 3u: { return ng_log10(x); }
        case 4u: { return ng_sqrt(x); }
        case 5u: { return ng_pow(x, y); }
        case 6u: { return ng_sin(x); }
        case 7u: { return ng_cos(x); }
        case 8u: { return ng_tan(x); }
        case 9u: { return ng_asin(x); }
        case 10u: { return ng_acos(x); }
        case 11u: { return ng_atan(x); }
        case 12u: { return ng_atan2(x, y); }
        case 13u: { return ng_sinh(x); }
        case 14u: { return ng_cosh(x); }
        case 15u: { return ng_tanh(x); }
        default: { return 0.0; }
    }
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= arrayLength(&points) {
        return;
    }
    let point = points[id.x];
    results[id.x] = bitcast<u32>(value(point.function, bitcast<f32>(point.x), bitcast<f32>(point.y)));
}
