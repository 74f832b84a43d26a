// What must not be left to a compiler that assumes neither NaN nor infinity and may reassociate.
#define_import_path natgrad::bits

// Whether x is neither NaN nor infinite: `x != x` may be folded away, bits may not.
fn is_finite(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}

// Whether x is NaN.
fn is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

// The bits of |x|, which are ordered as numbers are, with infinity and then NaN above all: a maximum that costs half as much
// as that of numbers does where NaN has to be minded.
fn magnitude(x: Real) -> u32 {
    return bitcast<u32>(f32(x)) & 0x7fffffffu;
}

// The bits of an infinity; those of a NaN are above.
const INFINITE: u32 = 0x7f800000u;

// The power of two in [|x|/2, |x|], kept where both it and its reciprocal are normal numbers of f32; 1 for zero.
fn power_of_two(x: Real) -> Real {
    let exponent = (bitcast<u32>(f32(x)) >> 23u) & 0xffu;
    if exponent == 0u {
        return 1.0;
    }
    return Real(bitcast<f32>(clamp(exponent, 2u, 252u) << 23u));
}

// The power of two in [√x/2, √x], without the root; 1 for zero.
fn power_of_root(x: Real) -> Real {
    let exponent = (bitcast<u32>(f32(x)) >> 23u) & 0xffu;
    if exponent == 0u {
        return 1.0;
    }
    return Real(bitcast<f32>(((exponent + 127u) >> 1u) << 23u));
}

// 1/x of a power of two that the functions above have made, without the division.
fn reciprocal(x: Real) -> Real {
    return Real(bitcast<f32>((254u - (bitcast<u32>(f32(x)) >> 23u)) << 23u));
}

// The length of (x, y) without overflow or underflow of the squares.
fn length2(x: Real, y: Real) -> Real {
    let big = max(abs(x), abs(y));
    let small = min(abs(x), abs(y));
    if small == 0.0 {
        return big;
    }
    let q = small / big;
    return big * sqrt(1.0 + q * q);
}

// x itself, by a way that no compiler sees through: `zero` must be 0 and come from a buffer.
fn opaque(x: f32, zero: u32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) ^ zero);
}

// Sum and its rounding error (Knuth): a + b = x + y exactly.
fn two_sum(a: f32, b: f32, zero: u32) -> vec2<f32> {
    let s = opaque(a + b, zero);
    let bb = opaque(s - a, zero);
    let ra = opaque(a - opaque(s - bb, zero), zero);
    let rb = opaque(b - bb, zero);
    return vec2<f32>(s, opaque(ra + rb, zero));
}

// The upper 12 bits of a's significand, by masking: what is left over has 12 bits too.
fn high_half(a: f32, zero: u32) -> f32 {
    return bitcast<f32>((bitcast<u32>(a) ^ zero) & 0xfffff000u);
}

// Product and its rounding error (Dekker): a·b = x + y exactly, barring underflow.
fn two_prod(a: f32, b: f32, zero: u32) -> vec2<f32> {
    let p = opaque(a * b, zero);
    let ah = high_half(a, zero);
    let al = opaque(a - ah, zero);
    let bh = high_half(b, zero);
    let bl = opaque(b - bh, zero);
    var e = opaque(opaque(ah * bh, zero) - p, zero);
    e = opaque(e + opaque(ah * bl, zero), zero);
    e = opaque(e + opaque(al * bh, zero), zero);
    e = opaque(e + opaque(al * bl, zero), zero);
    return vec2<f32>(p, e);
}
