// Elementary functions in f32, each either the device's builtin or our own.
//
// WGSL asks little of its builtins (atan may err by 4096 ULP, sin by 2^-11, tanh may overflow to NaN), so natgrad
// measures them on the device at hand and defines OWN_EXP, OWN_LOG … for those that miss the bounds of the table in
// src/gpu/elementary. Models call ng_exp, ng_log … and never know which they got.
//
// How our own are written, since a compiler may contract a product and a sum into one operation, regroup sums, flush
// subnormals, and assume that no operand is NaN or infinite:
// - what must be exact is exact with or without contraction: products of numbers of 12 significant bits, made by
//   masking bits, which no compiler can undo algebraically;
// - a sum that must not be regrouped passes through max() with a limit it cannot reach;
// - the nearest integer is taken from the bits of a sum with 1.5·2^23, and turned to a number again as an integer;
// - special values are found by integer comparisons of the bits and written as bits at the very end.
// Polynomials are minimax fits (Remez, relative to the function); interval, degree and relative error, with the
// coefficients rounded to f32, stand beside each.

#define_import_path natgrad::elementary

const INFINITY_BITS: u32 = 0x7f800000u;
const SIGN_BIT: u32 = 0x80000000u;
const PI_HIGH: f32 = 3.1415927410125732;
const PI_LOW: f32 = -8.742277657347586e-8;
const HALF_PI_HIGH: f32 = 1.5707963705062866;
const HALF_PI_LOW: f32 = -4.371138828673793e-8;
const QUARTER_PI_HIGH: f32 = 0.78539818525314331;
const QUARTER_PI_LOW: f32 = -2.1855694143368964e-8;

fn ng_exp(x: f32) -> f32 {
#ifdef OWN_EXP
    return own_exp(x);
#else
    return exp(x);
#endif
}

fn ng_log(x: f32) -> f32 {
#ifdef OWN_LOG
    return own_log(x);
#else
    return log(x);
#endif
}

fn ng_log2(x: f32) -> f32 {
#ifdef OWN_LOG2
    return own_log2(x);
#else
    return log2(x);
#endif
}

// WGSL has no log10: the builtin route is log2 times a constant.
fn ng_log10(x: f32) -> f32 {
#ifdef OWN_LOG10
    return own_log10(x);
#else
    return log2(x) * 0.30102999566398120;
#endif
}

fn ng_sqrt(x: f32) -> f32 {
#ifdef OWN_SQRT
    return own_sqrt(x);
#else
    return sqrt(x);
#endif
}

fn ng_pow(x: f32, y: f32) -> f32 {
#ifdef OWN_POW
    return own_pow(x, y);
#else
    return pow(x, y);
#endif
}

fn ng_sin(x: f32) -> f32 {
#ifdef OWN_SIN
    return own_sin(x);
#else
    return sin(x);
#endif
}

fn ng_cos(x: f32) -> f32 {
#ifdef OWN_COS
    return own_cos(x);
#else
    return cos(x);
#endif
}

fn ng_tan(x: f32) -> f32 {
#ifdef OWN_TAN
    return own_tan(x);
#else
    return tan(x);
#endif
}

fn ng_asin(x: f32) -> f32 {
#ifdef OWN_ASIN
    return own_asin(x);
#else
    return asin(x);
#endif
}

fn ng_acos(x: f32) -> f32 {
#ifdef OWN_ACOS
    return own_acos(x);
#else
    return acos(x);
#endif
}

fn ng_atan(x: f32) -> f32 {
#ifdef OWN_ATAN
    return own_atan(x);
#else
    return atan(x);
#endif
}

fn ng_atan2(y: f32, x: f32) -> f32 {
#ifdef OWN_ATAN2
    return own_atan2(y, x);
#else
    return atan2(y, x);
#endif
}

fn ng_sinh(x: f32) -> f32 {
#ifdef OWN_SINH
    return own_sinh(x);
#else
    return sinh(x);
#endif
}

fn ng_cosh(x: f32) -> f32 {
#ifdef OWN_COSH
    return own_cosh(x);
#else
    return cosh(x);
#endif
}

fn ng_tanh(x: f32) -> f32 {
#ifdef OWN_TANH
    return own_tanh(x);
#else
    return tanh(x);
#endif
}

// ---- bits -------------------------------------------------------------------------------------------------------

fn magnitude_bits(x: f32) -> u32 {
    return bitcast<u32>(x) & 0x7fffffffu;
}

fn is_nan(x: f32) -> bool {
    return magnitude_bits(x) > INFINITY_BITS;
}

// A quiet NaN, made from a value known at run time only: WGSL refuses to write one as a constant.
fn nan_bits(x: f32) -> u32 {
    return bitcast<u32>(x) | 0x7fc00000u;
}

// The leading 12 bits of x: the product of two such numbers is exact, and so is x minus this.
fn leading(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) & 0xfffff000u);
}

fn with_sign_of(magnitude: f32, sign: f32) -> f32 {
    return bitcast<f32>((bitcast<u32>(magnitude) & 0x7fffffffu) | (bitcast<u32>(sign) & SIGN_BIT));
}

// The integer nearest to x, for |x| < 2^22 (beyond that any integer).
fn nearest(x: f32) -> i32 {
    return bitcast<i32>(x + 12582912.0) - 0x4b400000;
}

// The bits of v·2^n, for v in [1/2, 2) and a normal result. The exponent is added as an integer, since 2^n alone may be
// out of range.
fn scaled_bits(v: f32, n: i32) -> u32 {
    return bitcast<u32>(v) + (bitcast<u32>(n) << 23u);
}

// a/b within 0.6 ULP, for |a| above 2^-66 (plain division, 2.5 ULP by WGSL's promise, below): the remainder
// a - q·b is formed from 12-bit parts, exactly but for its last bits, and divided again.
fn quotient(a: f32, b: f32) -> f32 {
    let q = a / b;
    let q1 = leading(q);
    let b1 = leading(b);
    let remainder = (max(a - q1 * b1, -abs(a)) - q1 * (b - b1)) - (q - q1) * b;
    return select(q, q + remainder / b, abs(a) > 1.0e-20);
}

// x = m·2^e of a positive finite x, m in [√½, √2). Subnormal numbers are normalised by an integer conversion, which
// no device flushes.
struct Binary {
    m: f32,
    e: i32,
}

fn binary(x: f32) -> Binary {
    let plain = bitcast<u32>(x);
    let subnormal = plain < 0x00800000u;
    let bits = select(plain, bitcast<u32>(f32(bitcast<i32>(plain))), subnormal);
    let fraction = bits & 0x007fffffu;
    let above = fraction > 0x003504f3u;
    let e = i32(bits >> 23u) - select(127, 276, subnormal) + select(0, 1, above);
    return Binary(bitcast<f32>(fraction | select(0x3f800000u, 0x3f000000u, above)), e);
}

// ---- exponential ------------------------------------------------------------------------------------------------

// e^x·2^shift where that is a normal number. x = n·ln 2 + r; the first part of ln 2 has 9 bits, so that n times it is
// exact.
fn exp_shifted_bits(x: f32, shift: i32) -> u32 {
    let n = nearest(x * 1.4426950408889634);
    let k = f32(n);
    let r = max(x - k * 0.693359375, -1.0) + k * 0.00021219444005469058;
    // (e^r - 1 - r)/r² on ±0.348, degree 4, 2^-27.9
    let p = (((0.00138141739 * r + 0.00836892147) * r + 0.0416684076) * r + 0.166665196) * r + 0.49999994;
    return scaled_bits(1.0 + (r + r * r * p), n + shift);
}

// Zero where e^x is less than the least normal number.
fn own_exp(x: f32) -> f32 {
    var bits = exp_shifted_bits(x, 0);
    bits = select(bits, INFINITY_BITS, x > 88.72283);
    bits = select(bits, 0u, x < -87.33654);
    return bitcast<f32>(select(bits, nan_bits(x), is_nan(x)));
}

// ---- logarithms -------------------------------------------------------------------------------------------------

// (log(1 + f) - f)/f for f in [√½ - 1, √2 - 1], times f.
fn log_tail(f: f32) -> f32 {
    let z = f * f;
    // (log(1 + f) - f + f²/2)/f³, degree 7, 2^-27.2
    let p = ((((((-0.0763451532 * f + 0.127615958) * f - 0.13160184) * f + 0.142017558) * f - 0.166233569) * f
        + 0.200012267) * f - 0.250008196) * f + 0.333333313;
    return f * z * p - 0.5 * z;
}

// Writes what a logarithm must be outside (0, ∞) over `value`.
fn log_specials(value: f32, x: f32) -> f32 {
    let bits = bitcast<u32>(x);
    var out = bitcast<u32>(value);
    out = select(out, INFINITY_BITS, bits == INFINITY_BITS);
    out = select(out, nan_bits(x), bits > INFINITY_BITS);
    return bitcast<f32>(select(out, INFINITY_BITS | SIGN_BIT, magnitude_bits(x) == 0u));
}

fn own_log(x: f32) -> f32 {
    let b = binary(x);
    let e = f32(b.e);
    let f = b.m - 1.0;
    let tail = log_tail(f) - e * 0.00021219444005469058;
    return log_specials(max(f + tail, -1.0) + e * 0.693359375, x);
}

fn own_log2(x: f32) -> f32 {
    let b = binary(x);
    let f = b.m - 1.0;
    let f1 = leading(f);
    // log2(e) = 1.4423828125 + 0.00031222839…, the first part of 12 bits.
    let rest = (f - f1) * 1.4423828125 + (f * 0.00031222839401103556 + log_tail(f) * 1.4426950408889634);
    return log_specials(max(max(f1 * 1.4423828125, -1.0) + max(rest, -1.0), -1.0) + f32(b.e), x);
}

fn own_log10(x: f32) -> f32 {
    let b = binary(x);
    let e = f32(b.e);
    let f = b.m - 1.0;
    let f1 = leading(f);
    // log10(e) = 0.4342041015625 + 0.0000903803…, log10(2) = 0.301025390625 + 0.000004605…, first parts of 12 bits.
    let rest = (f - f1) * 0.4342041015625
        + ((f * 0.0000903803407512779 + log_tail(f) * 0.4342944819032518) + e * 0.00000460503898120);
    return log_specials(max(max(f1 * 0.4342041015625, -1.0) + max(rest, -1.0), -1.0) + e * 0.301025390625, x);
}

// ---- roots and powers -------------------------------------------------------------------------------------------

fn own_sqrt(x: f32) -> f32 {
    let plain = bitcast<u32>(x);
    let subnormal = plain < 0x00800000u;
    let bits = select(plain, bitcast<u32>(f32(bitcast<i32>(plain))), subnormal);
    // x = m·4^h with m in [1, 4)
    let e = i32(bits >> 23u) - select(127, 276, subnormal);
    let odd = e & 1;
    let m = bitcast<f32>((bits & 0x007fffffu) | (u32(127 + odd) << 23u));
    // 1/√m: a guess by halving the exponent (3.5 %), and three of Newton's steps.
    var y = bitcast<f32>(0x5f375a86u - (bitcast<u32>(m) >> 1u));
    y = y * (1.5 - 0.5 * m * y * y);
    y = y * (1.5 - 0.5 * m * y * y);
    y = y * (1.5 - 0.5 * m * y * y);
    // One more for √m itself, with the remainder m - s² formed from 12-bit parts.
    let s = m * y;
    let s1 = leading(s);
    let remainder = (m - s1 * s1) - (s - s1) * (s + s1);
    let root = s + 0.5 * y * remainder;
    var out = bitcast<u32>(root) + (bitcast<u32>((e - odd) / 2) << 23u);
    out = select(out, plain, plain == INFINITY_BITS || magnitude_bits(x) == 0u);
    return bitcast<f32>(select(out, nan_bits(x), plain > INFINITY_BITS && magnitude_bits(x) != 0u));
}

// x^y = 2^(y·log2 x), with log2 x to about 31 bits as a sum of two numbers, the first of 12 bits.
fn own_pow(x: f32, y: f32) -> f32 {
    let b = binary(abs(x));
    let e = f32(b.e);
    // log2 m = 2/ln 2 · atanh(s), s = (m - 1)/(m + 1) = s1 + s2
    let f = b.m - 1.0;
    let d = b.m + 1.0;
    let d1 = leading(d);
    let s = f / d;
    let s1 = leading(s);
    let s2 = (max(f - s1 * d1, -1.0) - s1 * (b.m - max(d1 - 1.0, 0.5))) / d;
    let both = s1 + s2;
    let z = both * both;
    // (atanh(s) - s)/s³ in s², s within ±0.1716, degree 3; 2^-31.1 of atanh(s)
    let p = ((0.117908053 * z + 0.142686695) * z + 0.200001672) * z + 0.333333313;
    // 2/ln 2 = 2.884765625 + 0.00062445678…, the first part of 12 bits.
    let head = 2.884765625 * s1;
    let rest = 2.884765625 * s2 + (0.00062445678802207 * both + 2.8853900817779268 * (both * z * p));
    let l1 = leading(e + (head + rest));
    let l2 = max(max(e - l1, -2.0) + head, -2.0) + rest;
    let y1 = leading(y);
    let product = y1 * l1;
    let correction = (y - y1) * l1 + y * l2;
    let n = nearest(product + correction);
    let r = max(product - f32(n), -1.0) + correction;
    // (2^r - 1)/r on ±0.502, degree 6, 2^-29.7 of 2^r
    let q = (((((0.0000133600925 * r + 0.000154618305) * r + 0.00133420178) * r + 0.00961805601) * r + 0.0555040017) * r
        + 0.240226507) * r + 0.693147182;
    // Infinite from 2^128 on; zero, or nearly, below 2^-126. `exponent` speaks where n has no meaning.
    let exponent = y * (l1 + l2);
    var out = min(scaled_bits(1.0 + r * q, n), INFINITY_BITS);
    out = select(out, 0u, exponent < -128.0 || n < -126);
    out = select(out, INFINITY_BITS, exponent > 129.0);

    let x_size = magnitude_bits(x);
    let y_size = magnitude_bits(y);
    let y_negative = bitcast<u32>(y) >= SIGN_BIT;
    // Bases of size 0 and ∞; infinite powers of the rest are settled by `exponent`, but for bases of size 1.
    out = select(out, select(0u, INFINITY_BITS, y_negative), x_size == 0u);
    out = select(out, select(INFINITY_BITS, 0u, y_negative), x_size == INFINITY_BITS);
    out = select(out, 0x3f800000u, x_size == 0x3f800000u);
    // Negative bases: signed for an odd power, NaN for a power that is no integer.
    let integer = y_size >= 0x4b000000u || trunc(y) == y;
    let odd = y_size < 0x4b800000u && integer && (i32(clamp(y, -16777216.0, 16777216.0)) & 1) != 0;
    let negative = bitcast<u32>(x) >= SIGN_BIT;
    out = select(out, out | SIGN_BIT, negative && odd);
    out = select(out, nan_bits(x), negative && !integer && x_size != 0u && x_size != INFINITY_BITS);
    out = select(out, nan_bits(x), x_size > INFINITY_BITS || y_size > INFINITY_BITS);
    // As IEEE 754 has it, x^0 = 1 and 1^y = 1 whatever the other is.
    return bitcast<f32>(select(out, 0x3f800000u, y_size == 0u || bitcast<u32>(x) == 0x3f800000u));
}

// ---- circular functions -----------------------------------------------------------------------------------------

// x = r + n·π/2 with |r| hardly above π/4.
struct Reduced {
    r: f32,
    n: u32,
}

// Three parts of π/2 have 8 bits, so that n times each, and the first two differences, are exact while n has 16 bits
// (|x| < 102,900). r is kept within ±0.8 where x is too large for sense, so that sines stay within ±1.
fn reduced(x: f32) -> Reduced {
    let n = nearest(x * 0.63661977236758134);
    let k = f32(n);
    let r1 = max(x - k * 1.5703125, -1000.0);
    let r2 = max(r1 - k * 0.00048255920410156250, -1000.0);
    let r3 = max(r2 - k * 0.0000012665987014770508, -1000.0);
    return Reduced(clamp(r3 - k * 9.9209362947050313e-10, -0.8, 0.8), bitcast<u32>(n));
}

// sin(r + q·π/2), |r| ≤ π/4
fn sin_quadrant(r: f32, q: u32) -> f32 {
    let z = r * r;
    // (sin r - r)/r³ in r², degree 2, 2^-27.0; (cos r - 1 + r²/2)/r⁴ in r², degree 2, 2^-31.8
    let s = r + r * z * ((-0.000195133282 * z + 0.00833214633) * z - 0.166666538);
    let c = 1.0 - (0.5 * z - z * z * ((0.0000244309231 * z - 0.00138872967) * z + 0.0416666456));
    let v = select(s, c, (q & 1u) == 1u);
    return select(v, -v, (q & 2u) == 2u);
}

fn circular_specials(value: f32, x: f32) -> f32 {
    return bitcast<f32>(select(bitcast<u32>(value), nan_bits(x), magnitude_bits(x) >= INFINITY_BITS));
}

fn own_sin(x: f32) -> f32 {
    let t = reduced(x);
    return circular_specials(sin_quadrant(t.r, t.n), x);
}

fn own_cos(x: f32) -> f32 {
    let t = reduced(x);
    return circular_specials(sin_quadrant(t.r, t.n + 1u), x);
}

fn own_tan(x: f32) -> f32 {
    let turn = reduced(x);
    let r = turn.r;
    let z = r * r;
    // (tan r - r)/r³ in r², |r| ≤ 0.788, degree 6, 2^-26.9
    let p = (((((0.0044087749 * z + 0.0000252445989) * z + 0.0108852172) * z + 0.0212636553) * z + 0.0540633984) * z
        + 0.133326337) * z + 0.333333492;
    let t = r + r * z * p;
    let odd = (turn.n & 1u) == 1u;
    return circular_specials(select(t, quotient(-1.0, t), odd), x);
}

// ---- inverse circular functions ---------------------------------------------------------------------------------

// (asin x - x)/x³ in z = x², x ≤ 1/2, degree 4, 2^-27.2; times x³
fn asin_tail(x: f32, z: f32) -> f32 {
    return x * z * ((((0.0421782248 * z + 0.0241729505) * z + 0.0454716086) * z + 0.0749528855) * z + 0.166667521);
}

fn outside_unit(value: f32, x: f32) -> f32 {
    return bitcast<f32>(select(bitcast<u32>(value), nan_bits(x), magnitude_bits(x) > 0x3f800000u));
}

// asin x = π/2 - 2 asin √((1 - x)/2) above 1/2
fn own_asin(x: f32) -> f32 {
    let a = abs(x);
    let large = a > 0.5;
    let z = select(a * a, 0.5 - 0.5 * a, large);
    let s = select(a, ng_sqrt(z), large);
    let tail = asin_tail(s, z);
    let value = select(s + tail, max(HALF_PI_HIGH - 2.0 * s, -1.0) - (2.0 * tail - HALF_PI_LOW), large);
    return outside_unit(with_sign_of(value, x), x);
}

fn own_acos(x: f32) -> f32 {
    let a = abs(x);
    let large = a > 0.5;
    let z = select(a * a, 0.5 - 0.5 * a, large);
    let s = select(x, ng_sqrt(z), large);
    let tail = asin_tail(s, z);
    let middle = HALF_PI_HIGH - (s + (tail - HALF_PI_LOW));
    let right = 2.0 * (s + tail);
    let left = PI_HIGH - (2.0 * s + (2.0 * tail - PI_LOW));
    return outside_unit(select(middle, select(right, left, x < 0.0), large), x);
}

// base + atan(a/b) for a/b within ±1/2: the low part of base is added before its high part.
fn atan_from(a: f32, b: f32, base_high: f32, base_low: f32) -> f32 {
    let t = quotient(a, b);
    let z = t * t;
    // (atan t - t)/t³ in t², t ≤ 1/2, degree 4, 2^-26.8
    let tail = t * z
        * ((((-0.0513232723 * z + 0.101598665) * z - 0.141749829) * z + 0.199942246) * z - 0.33333233);
    return base_high + max(t + (tail + base_low), -1.0);
}

fn own_atan(x: f32) -> f32 {
    // Beyond 2^60 the result is π/2 to the last bit, and the quotient stays clear of overflow.
    let a = min(abs(x), 1.152921504606847e18);
    let middle = a > 0.5;
    let large = a > 2.0;
    let above = select(select(a, a - 1.0, middle), -1.0, large);
    let below = select(select(1.0, a + 1.0, middle), a, large);
    let base_high = select(select(0.0, QUARTER_PI_HIGH, middle), HALF_PI_HIGH, large);
    let base_low = select(select(0.0, QUARTER_PI_LOW, middle), HALF_PI_LOW, large);
    let value = with_sign_of(atan_from(above, below, base_high, base_low), x);
    return bitcast<f32>(select(bitcast<u32>(value), nan_bits(x), is_nan(x)));
}

// The angle is c ± atan t with t the smaller of |y|, |x| over the larger, or (larger - smaller)/(larger + smaller),
// and c a multiple of π/4 kept in two parts, so that only the last addition rounds visibly.
fn own_atan2(y: f32, x: f32) -> f32 {
    let steep = magnitude_bits(y) > magnitude_bits(x);
    var small = select(abs(y), abs(x), steep);
    var large = select(abs(x), abs(y), steep);
    // Bring the pair to the middle of the range of exponents; infinity counts as 1 against 0.
    let up = large < 8.673617379884035e-19;
    let down = large > 1.152921504606847e18;
    let factor = select(select(1.0, 1.152921504606847e18, up), 8.673617379884035e-19, down);
    small = small * factor;
    large = large * factor;
    let infinite = magnitude_bits(large) == INFINITY_BITS;
    small = select(small, select(0.0, 1.0, magnitude_bits(small) == INFINITY_BITS), infinite);
    large = select(large, 1.0, infinite || large == 0.0);

    let diagonal = small > 0.5 * large;
    let left = bitcast<u32>(x) >= SIGN_BIT;
    // Eighths of a turn to start from, and whether t is added or taken away.
    let up_to = select(select(0.0, 2.0, steep), select(4.0, 2.0, steep), left);
    let inwards = steep != left;
    let eighths = select(up_to, up_to + select(1.0, -1.0, inwards), diagonal);
    let minus = inwards != diagonal;
    let above = select(small, large - small, diagonal);
    let below = select(large, large + small, diagonal);
    // Multiples of π/4 by up to 4; three times its leading part is rounded, so 3π/4 is spelled out.
    let three = eighths == 3.0;
    let base_high = select(eighths * QUARTER_PI_HIGH, 2.3561944961547852, three);
    let base_low = select(eighths * QUARTER_PI_LOW, -5.962440319251527e-9, three);
    let value = with_sign_of(atan_from(select(above, -above, minus), below, base_high, base_low), y);
    let nan = is_nan(x) || is_nan(y);
    return bitcast<f32>(select(bitcast<u32>(value), 0x7fc00000u | bitcast<u32>(x) | bitcast<u32>(y), nan));
}

// ---- hyperbolic functions ---------------------------------------------------------------------------------------

fn own_sinh(x: f32) -> f32 {
    let a = abs(x);
    let z = min(a * a, 1.0);
    // (sinh x - x)/x³ in x², x ≤ 1, degree 3, 2^-27.5
    let p = ((0.00000281695111 * z + 0.000198361595) * z + 0.0083333496) * z + 0.166666672;
    let half = bitcast<f32>(exp_shifted_bits(a, -1));
    let value = select(a + a * z * p, half - 0.25 / half, a > 1.0);
    var out = bitcast<u32>(with_sign_of(value, x));
    out = select(out, INFINITY_BITS | (bitcast<u32>(x) & SIGN_BIT), a > 89.41598);
    return bitcast<f32>(select(out, nan_bits(x), is_nan(x)));
}

fn own_cosh(x: f32) -> f32 {
    let a = abs(x);
    let half = bitcast<f32>(exp_shifted_bits(a, -1));
    var out = bitcast<u32>(half + 0.25 / half);
    out = select(out, INFINITY_BITS, a > 89.41598);
    return bitcast<f32>(select(out, nan_bits(x), is_nan(x)));
}

// 1 - 2/(e^2x + 1) from 0.625 on; 1 to the last bit from 9.02 on.
fn own_tanh(x: f32) -> f32 {
    let a = min(abs(x), 10.0);
    let z = min(a * a, 0.390625);
    // (tanh x - x)/x³ in x², x ≤ 0.625, degree 4, 2^-26.8
    let p = (((-0.00570499338 * z + 0.0206390936) * z - 0.0537397154) * z + 0.133314416) * z - 0.333332807;
    let far = 1.0 - quotient(2.0, bitcast<f32>(exp_shifted_bits(2.0 * a, 0)) + 1.0);
    let value = with_sign_of(select(a + a * z * p, far, a > 0.625), x);
    return bitcast<f32>(select(bitcast<u32>(value), nan_bits(x), is_nan(x)));
}
