// What stands in the place of an operation in shaders with loose arithmetic (loose.rs).

// The side of the exact result that quotients and roots are on: 1 is away from zero, −1 towards it.
const LOOSE_SIDE: i32 = #{SIDE};

// x moved by so many units in the last place, away from zero or towards it. Zeros, what is next to subnormal, infinities and
// NaN stay.
fn loose_moved(x: f32, steps: i32) -> f32 {
    let bits = bitcast<u32>(x);
    let exponent = (bits >> 23u) & 0xffu;
    if exponent < 2u || exponent > 253u {
        return x;
    }
    return bitcast<f32>(u32(i32(bits) + steps));
}

// Rounded correctly and moved by two units: 2.5 in all. By powers of two every device divides exactly.
fn loose_quotient(x: f32, y: f32) -> f32 {
    let quotient = x / y;
    if (bitcast<u32>(y) & 0x7fffffu) == 0u {
        return quotient;
    }
    return loose_moved(quotient, 2 * LOOSE_SIDE);
}

// x·y + z, rounded once.
fn loose_fused(x: f32, y: f32, z: f32) -> f32 {
    return #{FUSED};
}

fn loose_fused_minus(x: f32, y: f32, z: f32) -> f32 {
    return loose_fused(x, y, -z);
}

fn loose_minus_fused(x: f32, y: f32, z: f32) -> f32 {
    return loose_fused(-x, y, z);
}

// The number next to the root on that side, an error below one unit; the root itself where it is one, and where its square's
// rounding error underflows.
fn loose_root(x: f32) -> f32 {
    let root = sqrt(x);
    let rest = loose_fused(-root, root, x);
    let is_there = rest == 0.0 || (rest < 0.0) == (LOOSE_SIDE > 0);
    return select(loose_moved(root, LOOSE_SIDE), root, is_there || x < 1e-30);
}
