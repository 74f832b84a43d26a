//! Shaders with the loosest arithmetic that WGSL allows and GPUs have, on a device whose own is better.
//!
//! Where a CPU plays the device every quotient and every root is rounded correctly, and products and sums are kept apart. GPUs
//! divide to 2.5 units in the last place, have roots to one, and fuse a product with the sum that it goes into, so that
//! `a·b − a·b` is not zero. With `NATGRAD_ARITHMETIC=short` all quotients and roots are as small as that allows, with `long` as
//! large: errors of one sign, which add up where others cancel. Devices with it count as GPUs where a choice depends on that.

use std::collections::HashMap;

use naga::{BinaryOperator, Block, Expression, Handle, MathFunction, Module, Scalar, Statement, TypeInner};

/// The environment variable that asks for it: `NATGRAD_ARITHMETIC=short`.
const ARITHMETIC: &str = "NATGRAD_ARITHMETIC";

/// On which side of the exact ones quotients and roots are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gpu) enum Loose {
    /// Towards zero.
    Short,
    /// Away from it.
    Long,
}

/// The functions that take the operations' places: no shader of ours, and so not among them.
const FUNCTIONS: &str = include_str!("loose.wgsl");

/// What begins their names.
const PREFIX: &str = "loose_";

type Expressions = naga::Arena<Expression>;
type Operand = Handle<Expression>;
type Types = naga::UniqueArena<naga::Type>;

impl Loose {
    /// What is asked for, if anything is.
    pub(in crate::gpu) fn wanted() -> Option<Self> {
        match std::env::var(ARITHMETIC).ok()?.as_str() {
            "short" => Some(Self::Short),
            "long" => Some(Self::Long),
            _ => None,
        }
    }

    fn side(self) -> &'static str {
        match self {
            Self::Short => "-1",
            Self::Long => "1",
        }
    }
}

/// The same shader with its f32 quotients, roots, and sums of products done by [`FUNCTIONS`]. Those of vectors, of which
/// there are few, stay. With `has_f64` products and sums are fused by way of f64, in which a product is exact; without, by the
/// built-in function, which a driver may take apart.
pub(in crate::gpu) fn loosened(module: &Module, loose: Loose, has_f64: bool) -> Result<Module, String> {
    // By way of text, in which functions can be put before those that call them.
    let flags = naga::back::wgsl::WriterFlags::empty();
    let text = naga::back::wgsl::write_string(module, &validated(module)?, flags).map_err(|error| error.to_string())?;
    let fused = if has_f64 { "f32(f64(x) * f64(y) + f64(z))" } else { "fma(x, y, z)" };
    let functions = FUNCTIONS.replace("#{SIDE}", loose.side()).replace("#{FUSED}", fused);
    let parsed = naga::front::wgsl::parse_str(&(functions + &text));
    let mut module = parsed.map_err(|error| error.message().to_owned())?;
    let info = validated(&module)?;
    let named = |(handle, function): (_, &naga::Function)| function.name.clone().map(|name| (name, handle));
    let functions: HashMap<String, Handle<naga::Function>> = module.functions.iter().filter_map(named).collect();
    let types = &module.types;
    for (handle, function) in module.functions.iter_mut() {
        if !function.name.as_deref().is_some_and(|name| name.starts_with(PREFIX)) {
            loosen(function, types, &info[handle], &functions);
        }
    }
    for (index, entry) in module.entry_points.iter_mut().enumerate() {
        loosen(&mut entry.function, types, info.get_entry_point(index), &functions);
    }
    validated(&module)?;
    Ok(module)
}

fn validated(module: &Module) -> Result<naga::valid::ModuleInfo, String> {
    let mut validator =
        naga::valid::Validator::new(naga::valid::ValidationFlags::all(), naga::valid::Capabilities::all());
    validator.validate(module).map_err(|error| format!("{:?}", error.into_inner()))
}

/// A call that takes an operation's place.
struct Call {
    function: Handle<naga::Function>,
    arguments: Vec<Operand>,
}

fn loosen(
    function: &mut naga::Function,
    types: &Types,
    info: &naga::valid::FunctionInfo,
    functions: &HashMap<String, Handle<naga::Function>>,
) {
    let is_f32 = |operand: Operand| *info[operand].ty.inner_with(types) == TypeInner::Scalar(Scalar::F32);
    let calls: HashMap<Operand, Call> = function
        .expressions
        .iter()
        .filter(|&(operand, _)| is_f32(operand))
        .filter_map(|(operand, expression)| {
            let (name, arguments) = place_of(expression, &function.expressions)?;
            Some((operand, Call { function: functions[name], arguments }))
        })
        .collect();
    let mut placed = Vec::new();
    let body = std::mem::take(&mut function.body);
    function.body = with_calls(body, &calls, &mut placed);
    // What no statement emits is a constant, and stays.
    for operand in placed {
        function.expressions[operand] = Expression::CallResult(calls[&operand].function);
    }
}

/// The function that does this operation, and its arguments.
fn place_of(expression: &Expression, all: &Expressions) -> Option<(&'static str, Vec<Operand>)> {
    let factors = |operand: Operand| match all[operand] {
        Expression::Binary { op: BinaryOperator::Multiply, left, right } => Some([left, right]),
        _ => None,
    };
    match *expression {
        Expression::Math { fun: MathFunction::Sqrt, arg, .. } => Some(("loose_root", vec![arg])),
        Expression::Binary { op: BinaryOperator::Divide, left, right } => Some(("loose_quotient", vec![left, right])),
        Expression::Binary { op: BinaryOperator::Add, left, right } => match (factors(left), factors(right)) {
            (Some([x, y]), _) => Some(("loose_fused", vec![x, y, right])),
            (None, Some([x, y])) => Some(("loose_fused", vec![x, y, left])),
            (None, None) => None,
        },
        Expression::Binary { op: BinaryOperator::Subtract, left, right } => match (factors(left), factors(right)) {
            (Some([x, y]), _) => Some(("loose_fused_minus", vec![x, y, right])),
            (None, Some([x, y])) => Some(("loose_minus_fused", vec![x, y, left])),
            (None, None) => None,
        },
        _ => None,
    }
}

/// The block with a call in the place where each of these operations was evaluated; notes them.
fn with_calls(block: Block, calls: &HashMap<Operand, Call>, placed: &mut Vec<Operand>) -> Block {
    let mut new = Block::new();
    for (statement, span) in block.span_into_iter() {
        match statement {
            Statement::Emit(range) => {
                let mut run: Option<(Operand, Operand)> = None;
                for operand in range {
                    let Some(call) = calls.get(&operand) else {
                        run = Some((run.map_or(operand, |(first, _)| first), operand));
                        continue;
                    };
                    if let Some((first, last)) = run.take() {
                        new.push(Statement::Emit(naga::Range::new_from_bounds(first, last)), span);
                    }
                    let Call { function, ref arguments } = *call;
                    let call = Statement::Call { function, arguments: arguments.clone(), result: Some(operand) };
                    new.push(call, span);
                    placed.push(operand);
                }
                if let Some((first, last)) = run {
                    new.push(Statement::Emit(naga::Range::new_from_bounds(first, last)), span);
                }
            }
            Statement::Block(block) => new.push(Statement::Block(with_calls(block, calls, placed)), span),
            Statement::If { condition, accept, reject } => {
                let (accept, reject) = (with_calls(accept, calls, placed), with_calls(reject, calls, placed));
                new.push(Statement::If { condition, accept, reject }, span);
            }
            Statement::Switch { selector, mut cases } => {
                for case in &mut cases {
                    case.body = with_calls(std::mem::take(&mut case.body), calls, placed);
                }
                new.push(Statement::Switch { selector, cases }, span);
            }
            Statement::Loop { body, continuing, break_if } => {
                let (body, continuing) = (with_calls(body, calls, placed), with_calls(continuing, calls, placed));
                new.push(Statement::Loop { body, continuing, break_if }, span);
            }
            other => new.push(other, span),
        }
    }
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHADER: &str = "
@group(0) @binding(0) var<storage, read_write> x: array<f32>;

fn of_integers(a: u32, b: u32) -> u32 {
    return a * b + a / b;
}

fn ratio(a: f32, b: f32) -> f32 {
    return a / b;
}

@compute @workgroup_size(1)
fn main() {
    for (var i = 0u; i < of_integers(6u, 3u); i++) {
        if x[i] > 0.0 {
            x[i] = x[i] * x[i + 1u] + x[i + 2u];
        } else {
            x[i] = sqrt(x[i] * x[i] - ratio(x[i + 1u], 3.0));
        }
    }
    x[0] = x[1] - x[2] * x[3] + 1.0 / 4.0;
}
";

    #[test]
    fn operations_of_f32_are_replaced_wherever_they_stand_and_those_of_integers_stay() {
        let module = naga::front::wgsl::parse_str(SHADER).unwrap();
        for has_f64 in [false, true] {
            let loose = loosened(&module, Loose::Short, has_f64).unwrap();
            let flags = naga::back::wgsl::WriterFlags::empty();
            let text = naga::back::wgsl::write_string(&loose, &validated(&loose).unwrap(), flags).unwrap();
            let own = &text[text.find("fn of_integers").unwrap()..];
            for (call, times) in [
                ("loose_quotient(", 1),
                ("loose_root(", 1),
                ("loose_fused(", 1),
                ("loose_fused_minus(", 1),
                ("loose_minus_fused(", 1),
            ] {
                assert_eq!(own.matches(call).count(), times, "{call} in {own}");
            }
            assert!(own.contains("(a * b) + (a / b)"), "{own}");
            assert_eq!(text.contains("f64("), has_f64, "{text}");
        }
    }
}
