//! How the kernel of steps in registers is specialised beside the model and its coordinates.

use crate::gpu::{Def, GeneratedModule, UNROLLED};
use crate::ngd::{Damping, Filter, Scaling};
use crate::sweep::StepRule;

/// How the rows come to a triangular factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// Summed up in JᵀJ and Jᵀe.
    Normal,
    /// Turned, one by one, into R and Qᵀe of J = QR.
    Orthogonal,
}

/// A specialisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    /// Whether all problems have the same rule and the same coordinates, and no more is described of each than what is its own.
    pub(crate) uniform: bool,
    /// Whether no rule damps.
    undamped: bool,
    common: Common,
    /// By normal equations at first, and for those in doubt by rotations.
    pub(crate) route: Route,
}

/// What all rules have in common; nothing where they differ in it. What is known when the kernel is compiled takes no choice in
/// every step, and what no rule asks for is not computed: drivers flatten small branches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Common {
    adaptive: Option<bool>,
    follows_residual: Option<bool>,
    descends: Option<bool>,
    in_columns: Option<bool>,
}

impl Common {
    fn of(rules: &[StepRule]) -> Self {
        let alike = |of: &dyn Fn(&StepRule) -> bool| {
            let first = of(rules.first()?);
            rules.iter().all(|rule| of(rule) == first).then_some(first)
        };
        Self {
            adaptive: alike(&|rule| rule.damping == Damping::Adaptive),
            follows_residual: alike(&follows_residual),
            descends: alike(&|rule| rule.filter == Filter::Gradient),
            in_columns: alike(&|rule| rule.scaling == Scaling::Columns),
        }
    }
}

fn follows_residual(rule: &StepRule) -> bool {
    matches!(rule.filter, Filter::ResidualScaled { .. })
}

impl Form {
    /// For problems of these rules, by normal equations.
    pub(crate) fn of(rules: &[StepRule], uniform: bool) -> Self {
        let damps = |rule: &StepRule| rule.damping != Damping::Fixed(0.0) || follows_residual(rule);
        Self { uniform, undamped: !rules.iter().any(damps), common: Common::of(rules), route: Route::Normal }
    }

    /// The same by another route.
    pub(crate) fn by(self, route: Route) -> Self {
        Self { route, ..self }
    }

    /// The constants of the kernel.
    pub(crate) fn defs(self, parameters: usize) -> Vec<(&'static str, Def)> {
        vec![
            ("P", Def::UInt(parameters as u32)),
            ("UNIFORM", Def::Bool(self.uniform)),
            ("UNDAMPED", Def::Bool(self.undamped)),
            ("ORTHOGONAL", Def::Bool(self.route == Route::Orthogonal)),
            (UNROLLED, Def::Bool(true)),
        ]
    }

    /// What the rule of a problem is: as it is described, or as it is of all of them.
    pub(super) fn rule(self) -> GeneratedModule {
        let Common { adaptive, follows_residual, descends, in_columns } = self.common;
        let told = [
            ("adaptive", adaptive, "problem.damping < 0.0"),
            ("follows_residual", follows_residual, "problem.filter_kind == RESIDUAL_SCALED"),
            ("descends", descends, "problem.filter_kind == GRADIENT"),
            ("in_columns", in_columns, "problem.scaling != 0u"),
        ];
        let line = |(name, known, described): (&str, Option<bool>, &str)| match known {
            Some(known) => format!("let {name} = {known};\n"),
            None => format!("let {name} = {described};\n"),
        };
        GeneratedModule { name: "rule".to_owned(), wgsl: told.map(line).concat(), is_part: true }
    }
}
