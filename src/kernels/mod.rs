//! The kernels: shader x.wgsl, `x/host.rs` that declares and dispatches it, `x/twin.rs` that says the same in f64.

macro_rules! kernel_folder {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        $($(#[$doc])*
        pub(crate) mod $name {
            pub(crate) mod host;
            #[cfg(test)]
            pub(crate) mod twin;
        })*
    };
}

kernel_folder! {
    /// e and J of a block of rows.
    jacobian,
    /// The same of a network.
    network,
    /// Triangular factor of [J | e].
    qr,
    /// Accepts or rejects the trial point.
    judge,
    /// Tests, filter and update.
    step,
    /// The heavy ball.
    momentum,
    /// Where problems stand along the way.
    history,
    /// JᵀJ and Jᵀe.
    /// AᵀA and AAᵀ of matrices of any origin.
    product,
    /// Columns by descending magnitude.
    presort,
    /// Least squares by the triangular factor.
    solve,
    /// Inverses of triangles, and solutions with them.
    substitute,
    /// Which of those solutions stand.
    sift,
    /// XΣ⁻¹Yᵀ of what an SVD found.
    combine,
    /// Singular vectors of zero singular values.
    complete,
    /// Cholesky factors.
    cholesky,
    /// Solutions by them, refined.
    cholesky_solve,
    /// Two matrices side by side.
    join,
}

/// QR of matrices of any size.
pub(crate) mod qr_blocked {
    pub(crate) mod factors;
    pub(crate) mod host;
    #[cfg(test)]
    pub(crate) mod twin;
}

/// What lies between Jacobian, QR and SVD of problems that registers do not hold.
pub(crate) mod step_blocked {
    pub(crate) mod host;
    #[cfg(test)]
    pub(crate) mod twin;
    pub(crate) mod wide;
}

/// Steps of wide problems that take no singular vectors of J: by the kernel matrix, by rotations where f32 is in doubt of that,
/// and gradient descent.
pub(crate) mod step_dual {
    pub(crate) mod host;
    pub(crate) mod rotated;
    pub(crate) mod steps;
    #[cfg(test)]
    pub(crate) mod twin;
}

/// Whole steps of small problems in registers.
pub(crate) mod fused {
    pub(crate) mod code;
    pub(crate) mod form;
    pub(crate) mod host;
    mod lines;
    mod moments;
    pub(crate) mod quads;
    mod rotations;
    #[cfg(test)]
    pub(crate) mod twin;
}

/// One-sided Jacobi: in registers, in the memory of an invocation or of a workgroup, and in blocks of columns.
pub(crate) mod svd {
    pub(crate) mod blocked;
    pub(crate) mod group;
    pub(crate) mod host;
    pub(crate) mod mapping;
    pub(crate) mod private;
    #[cfg(test)]
    pub(crate) mod twin;
}

pub(crate) mod batch;
pub(crate) mod check;
pub(crate) mod matrices;
pub(crate) mod problem;
mod specialisations;
pub(crate) mod trial;
pub(crate) mod work;

pub use specialisations::{
    Specialisation, matrix_specialisations, peak_specialisations, selftest_specialisations, specialisations,
};

#[cfg(test)]
mod matrix_tests;
#[cfg(test)]
mod pace_tests;
#[cfg(test)]
mod structures;
#[cfg(test)]
mod tests;
