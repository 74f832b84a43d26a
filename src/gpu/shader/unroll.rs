//! Unrolls loops and turns arrays into scalars in the text of a shader, where the shader asks for it.
//!
//! Dynamically indexed private arrays live in memory on every device; a small matrix that is to stay in registers needs
//! code without indices. A shader says which loops and arrays may go that way, and stays plain WGSL, with the same
//! meaning, for whoever reads it without this step:
//!
//! ```wgsl
//! // @registers
//! var m: array<f32, N>;
//! // @unroll
//! for (var i = 0u; i < N; i++) {
//!     m[i] = 2.0 * m[i];
//! }
//! ```
//!
//! becomes `var m_0: f32; … { m_0 = 2.0 * m_0; } …`. Bounds and indices are arithmetic over literals, `const` of type
//! u32, the variables of the loops around, and what is marked in such a loop: `// @constant` before `let j = i + 1u;`.
//! `// @unroll unless NAME` is no mark where NAME is defined.

use std::collections::HashMap;

use crate::gpu::Def;

const UNROLL: &str = "// @unroll";
const CONSTANT: &str = "// @constant";
const REGISTERS: &str = "// @registers";
const UNLESS: &str = " unless ";

/// The text with its marked loops and arrays expanded; `defs` are the values of `#{NAME}`, and the names that `#ifdef`
/// finds: what is left out need not make sense.
///
/// # Errors
/// One line that says what is not constant, not closed or out of range.
pub(super) fn unroll(wgsl: &str, defs: &[(&str, Def)]) -> Result<String, String> {
    let mut text = chosen(wgsl, defs);
    for (name, def) in defs {
        if let Def::UInt(value) = def {
            text = text.replace(&format!("#{{{name}}}"), &value.to_string());
        }
    }
    let constants = constants(&text);
    registers(&loops(&text, &constants)?, &constants)
}

/// The text without what `#ifdef`, `#ifndef`, `#else` and `#endif` leave out, without those lines, and without the marks that do
/// not hold under these defs.
fn chosen(wgsl: &str, defs: &[(&str, Def)]) -> String {
    let is_there = |name: &str| defs.iter().any(|(def, value)| *def == name.trim() && *value != Def::Bool(false));
    let mut taken: Vec<bool> = Vec::new();
    let mut text = String::with_capacity(wgsl.len());
    for line in wgsl.lines() {
        if let Some(name) = line.strip_prefix("#ifdef ") {
            taken.push(is_there(name));
        } else if let Some(name) = line.strip_prefix("#ifndef ") {
            taken.push(!is_there(name));
        } else if line.starts_with("#else") {
            if let Some(last) = taken.last_mut() {
                *last = !*last;
            }
        } else if line.starts_with("#endif") {
            taken.pop();
        } else if taken.iter().all(|&taken| taken) {
            match line.split_once(UNLESS) {
                Some((mark, name)) if [UNROLL, REGISTERS].contains(&mark.trim()) => {
                    text += if is_there(name) { "" } else { mark };
                }
                _ => text += line,
            }
            text += "\n";
        }
    }
    text
}

/// The module's `const NAME: u32 = …;` that are arithmetic over numbers and each other, in order.
fn constants(text: &str) -> HashMap<String, i64> {
    let mut known = HashMap::new();
    for line in text.lines() {
        let Some((name, rest)) = line.strip_prefix("const ").and_then(|line| line.split_once(": u32 =")) else {
            continue;
        };
        let Some((expression, _)) = rest.split_once(';') else { continue };
        if let Ok(value) = evaluate(expression, &known) {
            known.insert(name.trim().to_owned(), value);
        }
    }
    known
}

fn loops(text: &str, constants: &HashMap<String, i64>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(UNROLL) {
        if let Some(earlier) = rest[..at].find(CONSTANT) {
            out += &rest[..earlier];
            let named = named(&rest[earlier + CONSTANT.len()..], constants)?;
            return Ok(out + &loops(&named, constants)?);
        }
        let (before, after) = rest.split_at(at);
        out += before;
        let header = Header::parse(after[UNROLL.len()..].trim_start())?;
        let (from, to) = (evaluate(header.from, constants)?, evaluate(header.to, constants)?);
        for value in from..to {
            let body = replace_word(header.body, header.variable, &format!("{value}u"));
            out += "{";
            out += &loops(&body, constants)?;
            out += "}\n";
        }
        rest = header.rest;
    }
    match rest.split_once(CONSTANT) {
        Some((before, after)) => Ok(out + before + &loops(&named(after, constants)?, constants)?),
        None => Ok(out + rest),
    }
}

/// What follows `let NAME = EXPRESSION;`, with the name replaced by its value.
fn named(text: &str, constants: &HashMap<String, i64>) -> Result<String, String> {
    let text = text.trim_start();
    let wrong = || format!("{CONSTANT} before \"{}\": wants let name = …;", first_line(text));
    let (definition, rest) = text.strip_prefix("let ").and_then(|text| text.split_once(';')).ok_or_else(wrong)?;
    let (name, expression) = definition.split_once('=').ok_or_else(wrong)?;
    let value = evaluate(expression, constants)?;
    Ok(replace_word(rest, name.trim(), &format!("{value}u")))
}

/// `for (var i = FROM; i < TO; i++) { BODY } REST`.
struct Header<'a> {
    variable: &'a str,
    from: &'a str,
    to: &'a str,
    body: &'a str,
    rest: &'a str,
}

impl<'a> Header<'a> {
    fn parse(text: &'a str) -> Result<Self, String> {
        let wrong = || format!("{UNROLL} before \"{}\": wants for (var i = a; i < b; i++)", first_line(text));
        let inside = text.strip_prefix("for (var ").ok_or_else(wrong)?;
        let (head, body) = inside.split_once(") {").ok_or_else(wrong)?;
        let mut parts = head.split(';');
        let (Some(start), Some(condition), Some(step), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong());
        };
        let (variable, from) = start.split_once('=').ok_or_else(wrong)?;
        let variable = variable.trim();
        let to = condition.trim().strip_prefix(variable).and_then(|rest| rest.trim_start().strip_prefix('<'));
        if step.trim().strip_suffix("++") != Some(variable) {
            return Err(wrong());
        }
        let end = closing(body, '{', '}').ok_or_else(|| format!("the loop over {variable} is not closed"))?;
        Ok(Self { variable, from, to: to.ok_or_else(wrong)?, body: &body[..end], rest: &body[end + 1..] })
    }
}

fn registers(text: &str, constants: &HashMap<String, i64>) -> Result<String, String> {
    let Some((before, after)) = text.split_once(REGISTERS) else { return Ok(text.to_owned()) };
    let after = after.trim_start();
    let wrong = || format!("{REGISTERS} before \"{}\": wants var name: array<T, N>;", first_line(after));
    let (declaration, rest) = after.split_once(';').ok_or_else(wrong)?;
    let (name, ty) = declaration
        .strip_prefix("var ")
        .and_then(|declaration| declaration.split_once(": array<"))
        .ok_or_else(wrong)?;
    let (ty, count) = ty.strip_suffix('>').and_then(|ty| ty.rsplit_once(',')).ok_or_else(wrong)?;
    let count = evaluate(count, constants)?;
    let scalars: Vec<String> = (0..count).map(|k| format!("var {name}_{k}: {ty};")).collect();
    let body = scalars_for(name, count, rest, constants)?;
    // The next array may be indexed anywhere after its own declaration.
    Ok(format!("{before}{}{}", scalars.join(" "), registers(&body, constants)?))
}

/// `name[index]` replaced by `name_k` throughout.
fn scalars_for(name: &str, count: i64, text: &str, constants: &HashMap<String, i64>) -> Result<String, String> {
    let opening = format!("{name}[");
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(&opening) {
        let (before, after) = rest.split_at(at);
        let after = &after[opening.len()..];
        out += before;
        if before.ends_with(is_word) {
            out += &opening;
            rest = after;
            continue;
        }
        let end = closing(after, '[', ']').ok_or_else(|| format!("{name}[ is not closed"))?;
        let k = evaluate(&after[..end], constants)?;
        if !(0..count).contains(&k) {
            return Err(format!("{name}[{}] is {name}[{k}] of {count}", after[..end].trim()));
        }
        out += &format!("{name}_{k}");
        rest = &after[end + 1..];
    }
    Ok(out + rest)
}

/// Where the bracket that was opened just before `text` closes.
fn closing(text: &str, open: char, close: char) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        if c == open {
            depth += 1;
        } else if c == close {
            if depth == 0 {
                return Some(at);
            }
            depth -= 1;
        }
    }
    None
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn replace_word(text: &str, word: &str, by: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        let (before, after) = (&rest[..at], &rest[at + word.len()..]);
        let whole = !before.ends_with(is_word) && !after.starts_with(is_word) && !before.ends_with('.');
        out += before;
        out += if whole { by } else { word };
        rest = after;
    }
    out + rest
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default().trim()
}

/// The value of u32 arithmetic: literals, known names, + - * / %, min, max, parentheses.
fn evaluate(expression: &str, known: &HashMap<String, i64>) -> Result<i64, String> {
    let mut parser = Arithmetic { rest: expression.trim(), known };
    let value = parser.sum().filter(|_| parser.rest.is_empty());
    match value {
        Some(value) if value >= 0 => Ok(value),
        Some(value) => Err(format!("{} is {value}: not a u32", expression.trim())),
        None => Err(format!("{} is not constant", expression.trim())),
    }
}

struct Arithmetic<'a> {
    rest: &'a str,
    known: &'a HashMap<String, i64>,
}

impl Arithmetic<'_> {
    fn sum(&mut self) -> Option<i64> {
        let mut value = self.product()?;
        loop {
            if self.take('+') {
                value += self.product()?;
            } else if self.take('-') {
                value -= self.product()?;
            } else {
                return Some(value);
            }
        }
    }

    fn product(&mut self) -> Option<i64> {
        let mut value = self.atom()?;
        loop {
            if self.take('*') {
                value *= self.atom()?;
            } else if self.take('/') {
                value = value.checked_div(self.atom()?)?;
            } else if self.take('%') {
                value = value.checked_rem(self.atom()?)?;
            } else {
                return Some(value);
            }
        }
    }

    fn atom(&mut self) -> Option<i64> {
        if self.take('(') {
            let value = self.sum()?;
            return self.take(')').then_some(value);
        }
        let end = self.rest.find(|c| !is_word(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest.trim_start();
        if word == "min" || word == "max" {
            let (a, b) = self.two()?;
            return Some(if word == "min" { a.min(b) } else { a.max(b) });
        }
        word.strip_suffix('u').unwrap_or(word).parse().ok().or_else(|| self.known.get(word).copied())
    }

    /// `(a, b)`.
    fn two(&mut self) -> Option<(i64, i64)> {
        if !self.take('(') {
            return None;
        }
        let a = self.sum()?;
        if !self.take(',') {
            return None;
        }
        let b = self.sum()?;
        self.take(')').then_some((a, b))
    }

    fn take(&mut self, c: char) -> bool {
        let Some(rest) = self.rest.strip_prefix(c) else { return false };
        self.rest = rest.trim_start();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(wgsl: &str, n: u32) -> Result<String, String> {
        let expanded = unroll(wgsl, &[("N", Def::UInt(n)), ("YES", Def::Bool(true)), ("NO", Def::Bool(false))])?;
        Ok(expanded.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn loops_nest_and_their_bounds_may_depend_on_the_loop_around() {
        let wgsl = "// @unroll\nfor (var j = 0u; j + 1u < 3u; j++) { }";
        assert!(with(wgsl, 0).unwrap_err().contains("wants for"), "the condition is i < b and no other");
        let wgsl = "// @unroll\nfor (var j = 0u; j < #{N} - 1u; j++) {\n// @unroll\nfor (var k = j + 1u; k < #{N}u; \
                    k++) { f(j, k); } }";
        assert_eq!(with(wgsl, 3).unwrap(), "{ { f(0u, 1u); } { f(0u, 2u); } } { { f(1u, 2u); } }");
        assert_eq!(with(wgsl, 1).unwrap(), "");
    }

    #[test]
    fn constants_within_a_loop_are_replaced_by_their_values() {
        let wgsl = "// @unroll\nfor (var i = 0u; i < 2u; i++) {\n// @constant\nlet j = (i + 2u) % 3u;\n// @constant\nlet \
                    k = j + 1u; m[j] = k; // @unroll\nfor (var l = j; l < 3u; l++) { f(l, k); } }";
        assert_eq!(
            with(wgsl, 0).unwrap(),
            "{ m[2u] = 3u; {f(2u, 3u); } } { m[0u] = 1u; {f(0u, 1u); } {f(1u, 1u); } {f(2u, \
                    1u); } }"
                .replace("{f", "{ f")
        );
        assert_eq!(with("// @constant\nlet j = max(1u, min(7u, 5u) - 2u);\nj", 0).unwrap(), "3u");
        assert!(with("// @constant\nlet j = i;", 0).unwrap_err().contains("not constant"));
        assert!(with("// @constant\nvar j = 0u;", 0).unwrap_err().contains("wants let"));
    }

    #[test]
    fn what_is_left_out_need_not_make_sense() {
        let wgsl = "// @registers\nvar m: array<f32, 1>;\n#ifdef NO\nm[9] = 0.0;\n#ifdef YES\nm[8] = 0.0;\n#endif\n#else\nm[0] = 1.0;\n\
                    #ifndef YES\nm[7] = 0.0;\n#endif\n#endif\nend";
        assert_eq!(with(wgsl, 0).unwrap(), "var m_0: f32; m_0 = 1.0; end");
    }

    #[test]
    fn a_mark_may_depend_on_a_name() {
        let wgsl = |name: &str| {
            format!(
                "    // @registers unless {name}\nvar m: array<f32, 2>;\n// @unroll unless {name}\nfor (var i = 0u; i < 2u; i++) {{ m[i] = 1.0; }}"
            )
        };
        assert_eq!(with(&wgsl("NO"), 0).unwrap(), "var m_0: f32; var m_1: f32; { m_0 = 1.0; } { m_1 = 1.0; }");
        assert_eq!(
            with(&wgsl("YES"), 0).unwrap(),
            "var m: array<f32, 2>; for (var i = 0u; i < 2u; i++) { m[i] = 1.0; }"
        );
        let prose = "// as it is, unless NO";
        assert_eq!(with(prose, 0).unwrap(), prose, "only marks are read");
    }

    #[test]
    fn loops_without_the_mark_stay() {
        let wgsl = "for (var i = 0u; i < 3u; i++) { g(i); }";
        assert_eq!(with(wgsl, 3).unwrap(), wgsl);
    }

    #[test]
    fn arrays_become_scalars_named_by_their_index() {
        let wgsl = "const ROWS: u32 = #{N}u + 1u;\n// @registers\nvar m: array<f32, 2u * ROWS>;\nm[1u * ROWS + (ROWS - \
                    1u)] = am[0u] + m[ROWS / 2u] % m [0];";
        let expanded = with(wgsl, 2).unwrap();
        assert!(expanded.contains("var m_0: f32; var m_1: f32;") && expanded.contains("var m_5: f32;"), "{expanded}");
        assert!(!expanded.contains("m_6"));
        assert!(expanded.ends_with("m_5 = am[0u] + m_1 % m [0];"), "{expanded}");
    }

    #[test]
    fn several_arrays_of_one_shader_are_told_apart() {
        let wgsl = "// @registers\nvar a: array<f32, 1>;\n// @registers\nvar ba: array<f32, 1>;\na[0] = ba[0u];";
        assert_eq!(with(wgsl, 0).unwrap(), "var a_0: f32; var ba_0: f32; a_0 = ba_0;");
    }

    #[test]
    fn what_cannot_be_expanded_is_named() {
        let array = |index: &str| with(&format!("// @registers\nvar m: array<f32, 2>;\nm[{index}] = 0.0;"), 0);
        assert_eq!(array("i").unwrap_err(), "i is not constant");
        assert_eq!(array("1u + 1u").unwrap_err(), "m[1u + 1u] is m[2] of 2");
        assert_eq!(array("0u - 1u").unwrap_err(), "0u - 1u is -1: not a u32");
        assert_eq!(array("1u / 0u").unwrap_err(), "1u / 0u is not constant");
        let open = with("// @unroll\nfor (var i = 0u; i < 2u; i++) { {", 0);
        assert_eq!(open.unwrap_err(), "the loop over i is not closed");
    }

    #[test]
    fn members_and_longer_words_are_not_the_loop_variable() {
        let wgsl = "// @unroll\nfor (var x = 0u; x < 1u; x++) { id.x + x + x_y + max; }";
        assert_eq!(with(wgsl, 0).unwrap(), "{ id.x + 0u + x_y + max; }");
    }
}
