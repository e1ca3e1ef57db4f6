//! Expressions by precedence: conditional, or, and, not, comparison, sums, products, power, pipe,
//! sign, and what follows an operand.

use super::ast::{Expression, ExpressionKind, Operator, Span, UnaryOperator};
use super::parse::{Parsed, Parser};
use super::scan::Token;

/// How many members, indexes and calls may follow each other: each is a level of the tree.
const SUFFIXES_MAX: usize = 80;

/// `not` and `exists` bind looser than a comparison.
const COMPARISON: u8 = 3;

impl Parser<'_> {
    pub(super) fn expression(&mut self) -> Parsed<Expression> {
        let ahead = self.peek();
        self.nested(ahead.span, |parser| match parser.accept("if") {
            true => parser.conditional(ahead.span.start),
            false => parser.chain(1),
        })
    }

    fn conditional(&mut self, start: usize) -> Parsed<Expression> {
        let test = Box::new(self.expression()?);
        self.close(start, "then")?;
        let consequent = Box::new(self.expression()?);
        self.close(start, "else")?;
        let alternate = Box::new(self.expression()?);
        Ok(self.spanned(start, ExpressionKind::Conditional { test, consequent, alternate }))
    }

    /// Operands joined by operators that bind at least as tightly as `least`.
    fn chain(&mut self, least: u8) -> Parsed<Expression> {
        let start = self.peek().span.start;
        let mut left = self.operand(least)?;
        while let Some(operator) = self.operator_ahead().filter(|o| o.precedence() >= least) {
            let precedence = operator.precedence();
            let mut rest = Vec::new();
            while let Some(operator) =
                self.operator_ahead().filter(|o| o.precedence() == precedence)
            {
                self.next();
                rest.push((operator, self.chain(precedence + 1)?));
            }
            left = self.spanned(start, ExpressionKind::Chain { first: Box::new(left), rest });
        }
        Ok(left)
    }

    fn operator_ahead(&self) -> Option<Operator> {
        match self.peek().token {
            Token::Keyword(word) | Token::Symbol(word) => Operator::from_text(word),
            _ => None,
        }
    }

    fn operand(&mut self, least: u8) -> Parsed<Expression> {
        let ahead = self.peek();
        let operator = match ahead.token {
            Token::Keyword("not") if least <= COMPARISON => UnaryOperator::Not,
            Token::Keyword("exists") if least <= COMPARISON => UnaryOperator::Exists,
            _ => return self.pipe(),
        };
        self.next();
        let operand = Box::new(self.nested(ahead.span, |parser| parser.chain(COMPARISON))?);
        Ok(self.spanned(ahead.span.start, ExpressionKind::Unary { operator, operand }))
    }

    fn pipe(&mut self) -> Parsed<Expression> {
        let start = self.peek().span.start;
        let source = self.signed()?;
        let mut calls = Vec::new();
        while self.accept("|>") {
            let call = self.signed()?;
            if !matches!(call.kind, ExpressionKind::Call { .. }) {
                let message = "pipe destination must be a function call";
                return Err(self.error(call.span, message));
            }
            calls.push(call);
        }
        if calls.is_empty() {
            return Ok(source);
        }
        Ok(self.spanned(start, ExpressionKind::Pipe { source: Box::new(source), calls }))
    }

    fn signed(&mut self) -> Parsed<Expression> {
        let ahead = self.peek();
        let operator = match ahead.token {
            Token::Symbol("-") => UnaryOperator::Minus,
            Token::Symbol("+") => UnaryOperator::Plus,
            _ => return self.suffixed(),
        };
        self.next();
        let operand = Box::new(self.nested(ahead.span, Self::signed)?);
        Ok(self.spanned(ahead.span.start, ExpressionKind::Unary { operator, operand }))
    }

    /// An operand with its members, indexes and calls.
    fn suffixed(&mut self) -> Parsed<Expression> {
        let start = self.peek().span.start;
        let mut expression = self.primary()?;
        for _ in 0..SUFFIXES_MAX {
            let object = Box::new(expression);
            let kind = if self.accept(".") {
                ExpressionKind::Member { object, name: self.identifier()? }
            } else if self.accept("[") {
                self.index(object)?
            } else if self.accept("(") {
                let arguments = self.list(start, ")", Self::property)?;
                ExpressionKind::Call { callee: object, arguments }
            } else {
                return Ok(*object);
            };
            expression = self.spanned(start, kind);
        }
        Err(self.error(expression.span, "Program is nested too deep"))
    }

    /// After `[`: with a string literal it is a member.
    fn index(&mut self, object: Box<Expression>) -> Parsed<ExpressionKind> {
        if self.accept("]") {
            let span = Span { start: object.span.start, end: self.scanner.offset };
            return Err(self.error(span, "no expression included in brackets"));
        }
        let index = self.expression()?;
        self.expect("]")?;
        Ok(match index.kind {
            ExpressionKind::String(name) => ExpressionKind::Member { object, name },
            _ => ExpressionKind::Index { object, index: Box::new(index) },
        })
    }
}
