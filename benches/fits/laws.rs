//! The models: as the text that natgrad takes, and written out by hand for the peers.

/// A model of N points and P parameters.
pub(crate) trait Law<const N: usize, const P: usize> {
    const TEXT: &'static str;
    const PARAMETERS: [&'static str; P];
    /// Operations of f and its gradient at a point, an exponential counted as eight and a division as one. What all points of a
    /// fit share is left out.
    const OPERATIONS: f64;

    /// f at every point, and its derivatives, a column a parameter.
    fn evaluate(theta: &[f32; P], values: &mut [f32; N], jacobian: &mut [[f32; N]; P]);
}

/// Operations of an evaluation, with all that leads to the next step: f and its gradient (the law's own), the residual, its
/// square and its sum (3), Jᵀe (2p) and one triangle of JᵀJ (p(p + 1)) at every point; the Cholesky factor (p³/3) and two
/// triangles solved (2p²). A fit has one evaluation more than steps. What exact steps by QR and SVD do beyond is
/// not counted, and what sums over a grid by lines do without is: operations of the problem, not of a way to solve it.
pub(crate) fn operations_of_evaluation(n: usize, p: usize, of_law: f64) -> f64 {
    let (n, p) = (n as f64, p as f64);
    n * (of_law + 3.0 + 2.0 * p + p * (p + 1.0)) + p * p * p / 3.0 + 2.0 * p * p
}

pub(crate) const SIDE: usize = 5;

/// Gpufit's own example: a Gaussian peak on 5×5 pixels.
pub(crate) struct Peak;

impl Law<25, 5> for Peak {
    const TEXT: &'static str = "A*exp(-((px - x0)**2 + (py - y0)**2)/(2*s**2)) + b";
    const PARAMETERS: [&'static str; 5] = ["A", "x0", "y0", "s", "b"];
    /// dx, dy (2), r² (3), its scale (1), the exponential (8), times A (1), + b (1); by x0 and y0 (2 each), by s (2).
    const OPERATIONS: f64 = 22.0;

    fn evaluate(&[a, x0, y0, s, b]: &[f32; 5], values: &mut [f32; 25], jacobian: &mut [[f32; 25]; 5]) {
        let inverse = 1.0 / (s * s);
        for i in 0..25 {
            let (dx, dy) = ((i % SIDE) as f32 - x0, (i / SIDE) as f32 - y0);
            let square = (dx * dx + dy * dy) * inverse;
            let e = (-0.5 * square).exp();
            let (height, slope) = (a * e, a * e * inverse);
            values[i] = height + b;
            jacobian[0][i] = e;
            jacobian[1][i] = slope * dx;
            jacobian[2][i] = slope * dy;
            jacobian[3][i] = slope * s * square;
            jacobian[4][i] = 1.0;
        }
    }
}

/// The pressures of Misra's data (NIST, StRD, Misra1a).
pub(crate) const PRESSURES: [f32; 14] =
    [77.6, 114.9, 141.1, 190.8, 239.9, 289.0, 332.8, 378.4, 434.8, 477.3, 536.8, 593.1, 689.1, 760.0];

/// Misra's exponential.
pub(crate) struct Misra;

impl Law<14, 2> for Misra {
    const TEXT: &'static str = "b1*(1 - exp(-b2*x))";
    const PARAMETERS: [&'static str; 2] = ["b1", "b2"];
    /// b2·x (1), the exponential (8), 1 − e (1), times b1 (1), by b2 (2).
    const OPERATIONS: f64 = 13.0;

    fn evaluate(&[b1, b2]: &[f32; 2], values: &mut [f32; 14], jacobian: &mut [[f32; 14]; 2]) {
        for (i, x) in PRESSURES.into_iter().enumerate() {
            let e = (-b2 * x).exp();
            values[i] = b1 * (1.0 - e);
            jacobian[0][i] = 1.0 - e;
            jacobian[1][i] = b1 * x * e;
        }
    }
}

/// A Gaussian line on a straight background, x = 0, 1, … 99.
pub(crate) struct Line;

impl Law<100, 5> for Line {
    const TEXT: &'static str = "A*exp(-(x - m)**2/(2*s**2)) + b + c*x";
    const PARAMETERS: [&'static str; 5] = ["A", "m", "s", "b", "c"];
    /// x − m (1), its square and scale (2), the exponential (8), times A (1), the background (3); by m (2), by s (2).
    const OPERATIONS: f64 = 19.0;

    fn evaluate(&[a, m, s, b, c]: &[f32; 5], values: &mut [f32; 100], jacobian: &mut [[f32; 100]; 5]) {
        let inverse = 1.0 / s;
        for i in 0..100 {
            let x = i as f32;
            let z = (x - m) * inverse;
            let e = (-0.5 * z * z).exp();
            let slope = a * e * inverse * z;
            values[i] = a * e + b + c * x;
            jacobian[0][i] = e;
            jacobian[1][i] = slope;
            jacobian[2][i] = slope * z;
            jacobian[3][i] = 1.0;
            jacobian[4][i] = x;
        }
    }
}
