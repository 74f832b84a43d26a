//! Tokens into an arena, by two explicit stacks (Dijkstra's shunting yard), so that depth costs memory and no stack.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::ast::{Ast, AstKind, AstName, AstNode, FUNCTIONS, Function, function};
use super::error::{ParseError, ParseErrorKind};
use super::lexer::{Lexer, Token};
use super::ops::{BinaryOp, UnaryOp};
use super::suggest::did_you_mean;

/// What waits for its (right) argument or for its closing bracket.
enum Pending {
    /// A sign; `true` for minus.
    Sign(bool, Range<usize>),
    Infix(BinaryOp),
    Group(Range<usize>),
    /// A function's open argument list: its name's span, and how many arguments are complete.
    Call {
        function: Function,
        name: &'static str,
        span: Range<usize>,
        arguments: usize,
    },
    Index(Range<usize>),
}

/// How tightly an operator holds what stands to its left.
fn precedence(pending: &Pending) -> u8 {
    match pending {
        Pending::Infix(BinaryOp::Add | BinaryOp::Sub) => 1,
        Pending::Infix(BinaryOp::Mul | BinaryOp::Div) => 2,
        Pending::Sign(..) => 3,
        Pending::Infix(_) => 4,
        // Brackets hold everything off.
        Pending::Group(_) | Pending::Call { .. } | Pending::Index(_) => 0,
    }
}

struct Parser<'a> {
    text: &'a Arc<str>,
    nodes: Vec<AstNode>,
    names: Vec<AstName>,
    name_indices: HashMap<String, u32>,
    operands: Vec<u32>,
    pending: Vec<Pending>,
}

/// See [`Ast::parse`].
pub(crate) fn parse(text: &str) -> Result<Ast, ParseError> {
    let text: Arc<str> = Arc::from(text);
    let mut parser = Parser {
        text: &text,
        nodes: Vec::new(),
        names: Vec::new(),
        name_indices: HashMap::new(),
        operands: Vec::new(),
        pending: Vec::new(),
    };
    parser.run()?;
    let (nodes, names) = (parser.nodes, parser.names);
    Ok(Ast { text, nodes, names })
}

impl Parser<'_> {
    fn run(&mut self) -> Result<(), ParseError> {
        let mut lexer = Lexer::new(self.text)?;
        let mut value_expected = true;
        loop {
            let (token, span) = lexer.next()?;
            if value_expected {
                value_expected = self.value(token, span, &mut lexer)?;
            } else if token == Token::End {
                return self.finish();
            } else {
                value_expected = self.operator(token, span)?;
            }
        }
    }

    /// Takes a token where a value should stand; says whether a value is still expected after it.
    fn value(&mut self, token: Token, span: Range<usize>, lexer: &mut Lexer) -> Result<bool, ParseError> {
        match token {
            Token::Number(value) => self.leaf(AstKind::Number(value), span),
            Token::QuotedName => self.name(span.start + 1..span.end - 1, span),
            Token::Name => {
                let mut ahead = lexer.clone();
                let called = matches!(ahead.next(), Ok((Token::Open, _)));
                if called {
                    *lexer = ahead;
                    return self.call(span, lexer);
                }
                let name = &self.text[span.clone()];
                if name == "pi" {
                    self.leaf(AstKind::Number(std::f64::consts::PI), span);
                } else if function(name).is_some() {
                    let kind = ParseErrorKind::FunctionWithoutArguments(name.to_owned());
                    return Err(self.error(span, kind));
                } else {
                    self.name(span.clone(), span);
                }
            }
            Token::Plus | Token::Minus => {
                self.pending.push(Pending::Sign(token == Token::Minus, span));
                return Ok(true);
            }
            Token::Open => {
                self.pending.push(Pending::Group(span));
                return Ok(true);
            }
            _ => {
                let found = self.describe(token, &span);
                return Err(self.error(span, ParseErrorKind::ExpectedValue { found }));
            }
        }
        Ok(false)
    }

    /// Takes a token after a complete value; says whether a value is expected after it.
    fn operator(&mut self, token: Token, span: Range<usize>) -> Result<bool, ParseError> {
        match token {
            Token::Plus => self.infix(BinaryOp::Add),
            Token::Minus => self.infix(BinaryOp::Sub),
            Token::Star => self.infix(BinaryOp::Mul),
            Token::Slash => self.infix(BinaryOp::Div),
            Token::Power => self.infix(BinaryOp::Pow),
            Token::OpenBracket => self.pending.push(Pending::Index(span)),
            Token::Comma => {
                self.reduce_above(1);
                match self.pending.last_mut() {
                    Some(Pending::Call { arguments, .. }) => *arguments += 1,
                    _ => return Err(self.error(span, ParseErrorKind::Unopened(','))),
                }
            }
            Token::Close => return self.close(span).map(|()| false),
            Token::CloseBracket => {
                self.reduce_above(1);
                match self.pending.pop() {
                    Some(Pending::Index(_)) => self.index(span.end),
                    Some(Pending::Group(open)) => {
                        return Err(self.error(open, ParseErrorKind::Unclosed('(')));
                    }
                    Some(Pending::Call { span, .. }) => {
                        return Err(self.error(span, ParseErrorKind::Unclosed('(')));
                    }
                    _ => return Err(self.error(span, ParseErrorKind::Unopened(']'))),
                }
                return Ok(false);
            }
            _ => {
                let found = self.describe(token, &span);
                return Err(self.error(span, ParseErrorKind::ExpectedOperator { found }));
            }
        }
        Ok(true)
    }

    /// A name with its `(` already read: opens a function's arguments.
    fn call(&mut self, span: Range<usize>, lexer: &mut Lexer) -> Result<bool, ParseError> {
        let name = &self.text[span.clone()];
        let Some(&(name, function)) = FUNCTIONS.iter().find(|(known, _)| *known == name) else {
            let known: Vec<&str> = FUNCTIONS.iter().map(|&(known, _)| known).collect();
            let suggestion = did_you_mean(name, &known).map(str::to_owned);
            let kind = ParseErrorKind::UnknownFunction { name: name.to_owned(), suggestion };
            return Err(self.error(span, kind));
        };
        let mut ahead = lexer.clone();
        if let Ok((Token::Close, _)) = ahead.next() {
            let expected = if let Function::Binary(_) = function { 2 } else { 1 };
            return Err(self.error(span, ParseErrorKind::ArgumentCount { function: name, expected, found: 0 }));
        }
        self.pending.push(Pending::Call { function, name, span, arguments: 0 });
        Ok(true)
    }

    fn infix(&mut self, op: BinaryOp) {
        let incoming = Pending::Infix(op);
        // A power waits for powers to its right (right associative); the others take what is complete.
        let holds = precedence(&incoming) + u8::from(op == BinaryOp::Pow);
        self.reduce_above(holds);
        self.pending.push(incoming);
    }

    /// Completes the pending operators that bind at least as tightly as `least`.
    fn reduce_above(&mut self, least: u8) {
        while self.pending.last().is_some_and(|top| precedence(top) >= least.max(1)) {
            match self.pending.pop() {
                Some(Pending::Sign(true, span)) => {
                    let argument = self.pop();
                    let end = self.nodes[argument as usize].end;
                    self.push(AstKind::Unary(UnaryOp::Neg, argument), span.start as u32, end);
                }
                Some(Pending::Infix(op)) => {
                    let (right, left) = (self.pop(), self.pop());
                    self.push_binary(op, left, right);
                }
                // A plus sign changes nothing; brackets have precedence 0 and are never reached.
                _ => {}
            }
        }
    }

    fn close(&mut self, span: Range<usize>) -> Result<(), ParseError> {
        self.reduce_above(1);
        match self.pending.pop() {
            Some(Pending::Group(_)) => Ok(()),
            Some(Pending::Call { function, name, span: start, arguments }) => {
                self.apply(function, name, start.start..span.end, arguments + 1)
            }
            Some(Pending::Index(open)) => Err(self.error(open, ParseErrorKind::Unclosed('['))),
            _ => Err(self.error(span, ParseErrorKind::Unopened(')'))),
        }
    }

    /// Applies a function to the topmost `found` operands.
    fn apply(
        &mut self,
        function: Function,
        name: &'static str,
        span: Range<usize>,
        found: usize,
    ) -> Result<(), ParseError> {
        let count = |expected| ParseErrorKind::ArgumentCount { function: name, expected, found };
        let (start, end) = (span.start as u32, span.end as u32);
        match function {
            Function::Unary(_) | Function::Reduce(_) if found != 1 => {
                return Err(self.error(span, count(1)));
            }
            Function::Binary(_) if found != 2 => return Err(self.error(span, count(2))),
            Function::Unary(op) => {
                let a = self.pop();
                self.push(AstKind::Unary(op, a), start, end);
            }
            Function::Reduce(reduction) | Function::Extremum(_, reduction) if found == 1 => {
                let a = self.pop();
                self.push(AstKind::Reduce(reduction, a), start, end);
            }
            Function::Binary(op) | Function::Extremum(op, _) => {
                // min(a, b, c) is min(min(a, b), c).
                let arguments = self.operands.split_off(self.operands.len() - found);
                let mut left = arguments[0];
                for &right in &arguments[1..] {
                    left = self.add(AstKind::Binary(op, left, right), start, end);
                }
                self.operands.push(left);
            }
            Function::Reduce(_) => {}
        }
        Ok(())
    }

    fn index(&mut self, end: usize) {
        let (index, column) = (self.pop(), self.pop());
        let start = self.nodes[column as usize].start;
        self.push(AstKind::Index(column, index), start, end as u32);
    }

    fn finish(&mut self) -> Result<(), ParseError> {
        self.reduce_above(1);
        match self.pending.pop() {
            None => Ok(()),
            Some(Pending::Index(open)) => Err(self.error(open, ParseErrorKind::Unclosed('['))),
            Some(Pending::Group(span) | Pending::Call { span, .. } | Pending::Sign(_, span)) => {
                Err(self.error(span, ParseErrorKind::Unclosed('(')))
            }
            Some(Pending::Infix(_)) => Ok(()),
        }
    }

    fn name(&mut self, name: Range<usize>, span: Range<usize>) {
        let text = &self.text[name];
        let index = match self.name_indices.get(text) {
            Some(&index) => index,
            None => {
                let index = self.names.len() as u32;
                self.names.push(AstName { text: text.to_owned(), span: span.clone() });
                self.name_indices.insert(text.to_owned(), index);
                index
            }
        };
        self.leaf(AstKind::Name(index), span);
    }

    fn leaf(&mut self, kind: AstKind, span: Range<usize>) {
        self.push(kind, span.start as u32, span.end as u32);
    }

    fn push_binary(&mut self, op: BinaryOp, left: u32, right: u32) {
        let (start, end) = (self.nodes[left as usize].start, self.nodes[right as usize].end);
        self.push(AstKind::Binary(op, left, right), start, end);
    }

    fn push(&mut self, kind: AstKind, start: u32, end: u32) {
        let index = self.add(kind, start, end);
        self.operands.push(index);
    }

    fn add(&mut self, kind: AstKind, start: u32, end: u32) -> u32 {
        self.nodes.push(AstNode { kind, start, end });
        (self.nodes.len() - 1) as u32
    }

    /// The topmost operand. The grammar's two states keep one there for every operator, whatever the text.
    fn pop(&mut self) -> u32 {
        self.operands.pop().unwrap_or(0)
    }

    fn describe(&self, token: Token, span: &Range<usize>) -> String {
        match token {
            Token::End => "the end of the text".into(),
            _ => {
                let shown: String = self.text[span.clone()].chars().take(40).collect();
                format!("\"{shown}\"")
            }
        }
    }

    fn error(&self, span: Range<usize>, kind: ParseErrorKind) -> ParseError {
        ParseError::new(self.text, span, kind)
    }
}
