//! Expressions, references, calls; names of measurements.

use super::ast::{Expression, Kind, Measurement, MeasurementName, Operator};
use super::error::ParseError;
use super::parser::{Parsed, Parser, duration_ns};
use super::token::{Lexeme, Position, Token};

impl Parser<'_> {
    pub(super) fn expression(&mut self) -> Parsed<Expression> {
        self.nested(|parser| parser.chain(1))
    }

    /// Operands joined by operators that bind at least as tightly as `least`.
    fn chain(&mut self, least: u8) -> Parsed<Expression> {
        let mut left = self.unary()?;
        while let Some(operator) = self.operator_ahead().filter(|o| o.precedence() >= least) {
            let precedence = operator.precedence();
            let mut rest = Vec::new();
            while let Some(operator) =
                self.operator_ahead().filter(|o| o.precedence() == precedence)
            {
                self.next();
                let right = match operator {
                    Operator::Matches | Operator::MatchesNot => {
                        Expression::Regex(self.expect_regex()?)
                    }
                    _ => self.chain(precedence + 1)?,
                };
                rest.push((operator, right));
            }
            left = Expression::Chain { first: Box::new(left), rest };
        }
        Ok(left)
    }

    fn operator_ahead(&self) -> Option<Operator> {
        match self.peek().token {
            Token::Keyword(word) | Token::Symbol(word) => Operator::from_text(word),
            _ => None,
        }
    }

    fn unary(&mut self) -> Parsed<Expression> {
        if self.accept("(") {
            let inner = self.expression()?;
            self.expect(")")?;
            return Ok(Expression::Parenthesis(Box::new(inner)));
        }
        let lexeme = self.peek();
        match lexeme.token {
            Token::Identifier => self.call_or_reference(),
            Token::Symbol("+" | "-") => self.signed(),
            _ => {
                self.next();
                self.operand(lexeme)
            }
        }
    }

    fn operand(&mut self, lexeme: Lexeme<'_>) -> Parsed<Expression> {
        match lexeme.token {
            Token::String => Ok(Expression::String(lexeme.text.into_owned())),
            Token::Number => match lexeme.text.parse() {
                Ok(number) => Ok(Expression::Number(number)),
                Err(_) => Err(at("unable to parse number", lexeme.at)),
            },
            Token::Integer => {
                let (signed, unsigned) = (lexeme.text.parse(), lexeme.text.parse());
                signed
                    .map(Expression::Integer)
                    .or(unsigned.map(Expression::Unsigned))
                    .map_err(|_| at("unable to parse integer", lexeme.at))
            }
            Token::Duration => duration_ns(&lexeme.text).map(Expression::Duration),
            Token::Regex => Ok(Expression::Regex(lexeme.text.into_owned())),
            Token::Keyword("TRUE") => Ok(Expression::Boolean(true)),
            Token::Keyword("FALSE") => Ok(Expression::Boolean(false)),
            Token::Keyword("DISTINCT") => self.distinct(),
            Token::Symbol("*") => self.wildcard(),
            Token::BadParameter => {
                Err(ParseError::Plain(self.scanner.parameter_fault(&lexeme.text)))
            }
            _ => Err(self.unexpected(lexeme, &["identifier", "string", "number", "bool"])),
        }
    }

    /// A sign belongs to a literal; before anything else it multiplies.
    fn signed(&mut self) -> Parsed<Expression> {
        let negative = self.next().is("-");
        let ahead = self.peek();
        let operand = match ahead.token {
            Token::Number | Token::Integer | Token::Duration | Token::Identifier => self.unary()?,
            Token::Symbol("(") => self.unary()?,
            _ => {
                let expected = ["identifier", "number", "duration", "("];
                return Err(self.unexpected(ahead, &expected));
            }
        };
        let sign = if negative { -1 } else { 1 };
        Ok(match operand {
            Expression::Number(number) => {
                Expression::Number(if negative { -number } else { number })
            }
            Expression::Integer(integer) => Expression::Integer(integer.wrapping_mul(sign)),
            Expression::Duration(ns) => Expression::Duration(ns.wrapping_mul(sign)),
            Expression::Unsigned(number) if !negative => Expression::Unsigned(number),
            Expression::Unsigned(number) if number == i64::MIN.unsigned_abs() => {
                Expression::Integer(i64::MIN)
            }
            Expression::Unsigned(number) => {
                let message = format!("constant -{number} underflows int64");
                return Err(ParseError::Plain(message));
            }
            other => {
                let rest = vec![(Operator::Multiply, other)];
                Expression::Chain { first: Box::new(Expression::Integer(sign)), rest }
            }
        })
    }

    fn distinct(&mut self) -> Parsed<Expression> {
        if self.accept_raw("(") {
            return self.call("distinct".to_owned());
        }
        if self.peek_raw().token == Token::White {
            return self.identifier().map(Expression::Distinct);
        }
        let lexeme = self.next();
        Err(self.unexpected(lexeme, &["(", "identifier"]))
    }

    fn wildcard(&mut self) -> Parsed<Expression> {
        if !self.accept_raw("::") {
            return Ok(Expression::Wildcard(None));
        }
        let lexeme = self.scanner.scan();
        match lexeme.token {
            Token::Keyword("FIELD") => Ok(Expression::Wildcard(Some(Kind::Field))),
            Token::Keyword("TAG") => Ok(Expression::Wildcard(Some(Kind::Tag))),
            _ => Err(self.unexpected(lexeme, &["field", "tag"])),
        }
    }

    fn call_or_reference(&mut self) -> Parsed<Expression> {
        let before = self.scanner;
        let name = self.next();
        if self.accept_raw("(") {
            return self.call(name.text.to_lowercase());
        }
        self.scanner = before;
        let name = self.segments()?.join(".");
        let kind = if self.accept_raw("::") { Some(self.kind()?) } else { None };
        Ok(Expression::Reference { name, kind })
    }

    fn kind(&mut self) -> Parsed<Kind> {
        let lexeme = self.scanner.scan();
        let expected: &[&str] = match lexeme.token {
            Token::Keyword("FIELD") => return Ok(Kind::Field),
            Token::Keyword("TAG") => return Ok(Kind::Tag),
            Token::Identifier => {
                match lexeme.text.to_ascii_lowercase().as_str() {
                    "float" => return Ok(Kind::Float),
                    "integer" => return Ok(Kind::Integer),
                    "unsigned" => return Ok(Kind::Unsigned),
                    "string" => return Ok(Kind::String),
                    "boolean" => return Ok(Kind::Boolean),
                    _ => {}
                }
                &["float", "integer", "unsigned", "string", "boolean", "field", "tag"]
            }
            _ => &["float", "integer", "string", "boolean", "field", "tag"],
        };
        Err(self.unexpected(lexeme, expected))
    }

    /// After `name(`.
    fn call(&mut self, name: String) -> Parsed<Expression> {
        let mut arguments = Vec::new();
        if let Some(regex) = self.regex()? {
            arguments.push(Expression::Regex(regex));
        } else if self.accept(")") {
            return Ok(Expression::Call { name, arguments });
        } else {
            arguments.push(self.expression()?);
        }
        while self.accept(",") {
            let regex = self.regex()?;
            arguments.push(match regex {
                Some(regex) => Expression::Regex(regex),
                None => self.expression()?,
            });
        }
        self.expect(")")?;
        Ok(Expression::Call { name, arguments })
    }

    /// `name { "." name }`; an empty segment between two points is an empty text. Stops before a
    /// regular expression or `:`, which belong to whoever asked.
    fn segments(&mut self) -> Parsed<Vec<String>> {
        let mut segments = vec![self.identifier()?];
        while self.accept_raw(".") {
            match self.scanner.look() {
                Some('/' | ':') => break,
                Some('.') => segments.push(String::new()),
                _ => segments.push(self.identifier()?),
            }
        }
        if segments.len() > 3 {
            let shown = super::render::quoted_path(&segments);
            let at_start = Position { line: 1, char: 1 };
            return Err(at(&format!("too many segments in {shown}"), at_start));
        }
        Ok(segments)
    }

    /// A measurement with its database and policy; behind a point the name may be an expression.
    pub(super) fn measurement(&mut self) -> Parsed<Measurement> {
        let segments = self.segments()?;
        if segments.len() < 3 {
            self.no_blank_before_regex()?;
            // Only behind a point: `cpu/a/` is no policy with an expression.
            if let Some(regex) = if self.behind_point() { self.regex()? } else { None } {
                return Ok(qualified(segments, MeasurementName::Regex(regex)));
            }
        }
        Ok(named(segments))
    }

    fn behind_point(&self) -> bool {
        self.last.as_ref().is_some_and(|last| last.is("."))
    }

    /// InfluxDB takes a slash after `name ` for a regular expression and then stumbles over the
    /// blank, so that no comment may stand there.
    fn no_blank_before_regex(&self) -> Parsed<()> {
        let blank = self.peek_raw();
        let mut ahead = self.scanner;
        ahead.skip_white();
        if blank.token == Token::White && ahead.peek() == Some('/') {
            return Err(self.unexpected(blank, &["regex"]));
        }
        Ok(())
    }

    /// The target of INTO.
    pub(super) fn target(&mut self) -> Parsed<Measurement> {
        let segments = self.segments()?;
        if segments.len() < 3 && self.behind_point() && self.scanner.peek() == Some(':') {
            self.expect(":")?;
            self.expect("MEASUREMENT")?;
            return Ok(qualified(segments, MeasurementName::OfSource));
        }
        Ok(named(segments))
    }
}

fn at(message: &str, at: Position) -> ParseError {
    ParseError::At { message: message.to_owned(), at }
}

fn named(mut segments: Vec<String>) -> Measurement {
    let name = segments.pop().unwrap_or_default();
    qualified(segments, MeasurementName::Name(name))
}

/// `[policy]` or `[database, policy]` before a name; empty segments say nothing.
fn qualified(mut segments: Vec<String>, name: MeasurementName) -> Measurement {
    let said = |segment: Option<String>| segment.filter(|text| !text.is_empty());
    let policy = said(segments.pop());
    let database = said(segments.pop());
    Measurement { database, policy, name }
}
