//! Writes a stack of images, a Gaussian peak with noise on 5×5 pixels each, and a start for each of them, as NPY files:
//! `cargo run --release --example peaks -- 100000 peaks.npy peaks-starts.npy`. `examples/peaks.toml` fits them.
//!
//! The peaks are those of Gpufit's published example (Przybylski et al., Sci. Rep. 7 (2017) 15722): amplitude 500, centre
//! (2, 2), width 1 and background 10, each times a number from 0.9 to 1.1; noise of standard deviation 17.05; starts that
//! are off by up to a tenth once more.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use natgrad::{Distribution, random_start};

const NOMINAL: [f64; 5] = [500.0, 2.0, 2.0, 1.0, 10.0];
const NOISE: f64 = 17.05;
const SIDE: usize = 5;

/// A number of NOMINAL, times one from 0.9 to 1.1.
fn about(value: f64, set: u64, draw: u32) -> f64 {
    value * (1.0 + random_start(set, draw, Distribution::Uniform, 0.1))
}

/// The header of an array of f32 in C order, version 1.
fn header(shape: &str) -> Vec<u8> {
    let mut text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({shape}), }}");
    while (text.len() + 11) % 64 != 0 {
        text.push(' ');
    }
    text.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes
}

fn write(count: u64, images: &str, starts: &str) -> io::Result<()> {
    let mut images = BufWriter::new(File::create(images)?);
    let mut starts = BufWriter::new(File::create(starts)?);
    images.write_all(&header(&format!("{count}, {SIDE}, {SIDE}")))?;
    starts.write_all(&header(&format!("{count}, {}", NOMINAL.len())))?;
    for set in 0..count {
        let truth: Vec<f64> = NOMINAL.iter().zip(0..).map(|(&value, j)| about(value, set, j)).collect();
        let [a, x0, y0, s, b] = truth[..] else { unreachable!("as many as NOMINAL has") };
        for (pixel, draw) in (0..SIDE * SIDE).zip(100..) {
            let (x, y) = ((pixel % SIDE) as f64, (pixel / SIDE) as f64);
            let clean = a * (-((x - x0).powi(2) + (y - y0).powi(2)) / (2.0 * s * s)).exp() + b;
            let value = clean + random_start(set, draw, Distribution::Normal, NOISE);
            images.write_all(&(value as f32).to_le_bytes())?;
        }
        for (&value, j) in truth.iter().zip(10..) {
            starts.write_all(&(about(value, set, j) as f32).to_le_bytes())?;
        }
    }
    images.flush()?;
    starts.flush()
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [count, images, starts] = &arguments[..] else {
        eprintln!("give a number of images and two files: 100000 peaks.npy peaks-starts.npy");
        return ExitCode::from(2);
    };
    let Ok(count) = count.parse() else {
        eprintln!("{count:?} is not a number of images");
        return ExitCode::from(2);
    };
    match write(count, images, starts) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot write {images} and {starts}: {error}");
            ExitCode::from(2)
        }
    }
}
