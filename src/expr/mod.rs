//! Scalar expressions: parsed from text or built with operators, differentiated, evaluated in f64, emitted as WGSL.
