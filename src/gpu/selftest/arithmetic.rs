//! Arithmetic: what is not finite, exact rounding errors, f64.

use crate::gpu::random::Random;
use crate::gpu::{Device, DeviceError, KernelSource, Scalar, kernel_source};

use super::{Check, Depth};

pub(super) const SOURCES: [KernelSource; 3] = [FINITE, TRANSFORMS, DOUBLES];

const FINITE: KernelSource = kernel_source!("selftest/finite", read pairs, write verdicts);
const TRANSFORMS: KernelSource = kernel_source!("selftest/transforms", read pairs, read zero, write results);
const DOUBLES: KernelSource = kernel_source!("selftest/doubles", read pairs, write results);

/// Whether NaN and infinity are seen: needed for what is read, good to have for what is computed, where a driver may by
/// specification assume that there is neither.
pub(super) fn not_finite(device: &Device) -> Result<[Check; 2], DeviceError> {
    let pairs: Vec<[f32; 2]> = [
        // Quiet and signalling NaNs of both signs, infinities, and finite numbers that look most like them.
        [0x7fc0_0000, 0],
        [0xffc0_0000, 0],
        [0x7f80_0001, 0],
        [0xff80_0001, 0],
        [0x7fff_ffff, 0],
        [0x7f80_0000, 0x7f80_0000],
        [0xff80_0000, 0],
        [0x7f7f_ffff, 0x7f7f_ffff],
        [0xff7f_ffff, 0x4000_0000],
        [0, 0],
        [0x8000_0000, 0],
        [0x3f80_0000, 0],
        [0x3f80_0000, 0x3f80_0000],
        [0xc2f6_e979, 0x3dcc_cccd],
        [0x0080_0000, 0x3f80_0000],
        [0x0000_0001, 0x3f80_0000],
    ]
    .map(|pair| pair.map(f32::from_bits))
    .to_vec();
    let verdicts = run_finite(device, &pairs);
    let compare = |results: &[usize], verdicts: Result<Vec<u32>, DeviceError>| {
        let verdicts = verdicts?;
        for (i, &[a, b]) in pairs.iter().enumerate() {
            for &k in results {
                let (what, expected) = [("a", a), ("a·b", a * b), ("a / b", a / b), ("a − b", a - b)][k];
                if (verdicts[4 * i + k] != 0) != expected.is_finite() {
                    let word = if expected.is_finite() { "not finite" } else { "finite" };
                    return Ok(Err(format!("{what} = {expected:e} of a = {a:e}, b = {b:e} is taken to be {word}")));
                }
            }
        }
        Ok(Ok(format!("{} values", pairs.len() * results.len())))
    };
    Ok([
        Check::run("not finite, read", true, || compare(&[0], verdicts.clone()))?,
        Check::run("not finite, computed", false, || compare(&[1, 2, 3], verdicts))?,
    ])
}

fn run_finite(device: &Device, pairs: &[[f32; 2]]) -> Result<Vec<u32>, DeviceError> {
    let kernel = device.kernel(&FINITE, &[], &[])?;
    let input = device.buffer_from("pairs", pairs)?;
    let output = device.buffer::<u32>("verdicts", 4 * pairs.len())?;
    let mut commands = device.record("not finite");
    commands.dispatch(&kernel, &[&input, &output], [pairs.len().div_ceil(64) as u32, 1, 1])?;
    let read = commands.read_later(&output, 0..output.len())?;
    commands.submit()?;
    read.wait_here()
}

/// Pairs a round.
const PAIRS: usize = 1 << 16;

/// two_sum and two_prod against f64, where both sum and product of two such f32 are exact.
pub(super) fn error_free_transforms(device: &Device, depth: Depth) -> Result<Check, DeviceError> {
    let rounds = match depth {
        Depth::Quick => 1,
        Depth::Full => 16,
    };
    Check::run("error-free transforms", false, || {
        let kernel = device.kernel(&TRANSFORMS, &[], &[])?;
        let zero = device.buffer_from("zero", &[0u32])?;
        let mut random = Random(1);
        for _ in 0..rounds {
            let pairs: Vec<[f32; 2]> = (0..PAIRS).map(|_| [single(&mut random), single(&mut random)]).collect();
            let input = device.buffer_from("pairs", &pairs)?;
            let output = device.buffer::<[f32; 4]>("sums and products", PAIRS)?;
            let mut commands = device.record("error-free transforms");
            commands.dispatch(&kernel, &[&input, &zero, &output], [(PAIRS / 64) as u32, 1, 1])?;
            let read = commands.read_later(&output, 0..PAIRS)?;
            commands.submit()?;
            let found = read.wait_here()?;
            let wrong = pairs.iter().zip(&found).filter(|&(&[a, b], found)| *found != exact(a, b)).count();
            if wrong > 0 {
                return Ok(Err(format!("{wrong} of {PAIRS} pairs lose their rounding error")));
            }
        }
        Ok(Ok(format!("{} pairs, every bit", rounds * PAIRS)))
    })
}

/// A number of either sign between 2⁻¹² and 2¹³: the sum of two spans 49 bits at most, and no rounding error underflows.
fn single(random: &mut Random) -> f32 {
    let bits = random.next();
    let exponent = 127 - 12 + (bits >> 32) as u32 % 25;
    f32::from_bits((bits as u32 & 0x807f_ffff) | exponent << 23)
}

/// Sum, its rounding error, product and its rounding error.
fn exact(a: f32, b: f32) -> [f32; 4] {
    let (sum, product) = (f64::from(a) + f64::from(b), f64::from(a) * f64::from(b));
    let (s, p) = (sum as f32, product as f32);
    [s, (sum - f64::from(s)) as f32, p, (product - f64::from(p)) as f32]
}

/// f64 arithmetic against the host's. Sum and product are rounded correctly by every API that has them; division and
/// square root may be off by one ULP.
pub(super) fn doubles(device: &Device, depth: Depth) -> Result<Check, DeviceError> {
    const NAME: &str = "f64 arithmetic";
    if !device.features().contains(wgpu::Features::SHADER_F64) {
        return Ok(Check::skipped(NAME, "not offered by this device"));
    }
    let count = match depth {
        Depth::Quick => 4_096,
        Depth::Full => 1 << 18,
    };
    Check::run(NAME, false, || {
        let kernel = device.kernel_in(Scalar::F64, &DOUBLES, &[], &[])?;
        let mut random = Random(2);
        let pairs: Vec<[f64; 2]> = (0..count).map(|_| [double(&mut random), double(&mut random)]).collect();
        let input = device.buffer_from("pairs", &pairs)?;
        let output = device.buffer::<[f64; 4]>("results", count)?;
        let mut commands = device.record("f64 arithmetic");
        commands.dispatch(&kernel, &[&input, &output], [count.div_ceil(64) as u32, 1, 1])?;
        let read = commands.read_later(&output, 0..count)?;
        commands.submit()?;
        let found = read.wait_here()?;
        let mut worst = [0; 4];
        for (&[a, b], found) in pairs.iter().zip(&found) {
            let expected = [a + b, a * b, a / b, a.abs().sqrt()];
            for k in 0..4 {
                worst[k] = worst[k].max(found[k].to_bits().abs_diff(expected[k].to_bits()));
            }
        }
        let [sum, product, quotient, root] = worst;
        let detail = format!("ULP of +, ·, /, √: {sum}, {product}, {quotient}, {root}");
        Ok(if sum == 0 && product == 0 && quotient <= 1 && root <= 1 { Ok(detail) } else { Err(detail) })
    })
}

/// A number of either sign between 2⁻⁴⁰ and 2⁴¹ with all bits of its significand at random.
fn double(random: &mut Random) -> f64 {
    let exponent = 1023 - 40 + random.next() % 81;
    f64::from_bits((random.next() & 0x800f_ffff_ffff_ffff) | exponent << 52)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exact_reference_agrees_with_the_classical_transforms() {
        let mut random = Random(7);
        for _ in 0..10_000 {
            let (a, b) = (single(&mut random), single(&mut random));
            // Knuth's two-sum and a fused product, both in strict f32.
            let s = a + b;
            let bb = s - a;
            let error = (a - (s - bb)) + (b - bb);
            assert_eq!(exact(a, b), [s, error, a * b, a.mul_add(b, -(a * b))]);
        }
    }
}
