//! SELECT and its clauses, in their fixed order.

use super::ast::{Expression, Field, Fill, Limits, Measurement, Operator, Order, Select, Source};
use super::error::ParseError;
use super::parser::{Parsed, Parser};
use super::token::{Position, Token};

impl Parser<'_> {
    /// After the word SELECT. `into_expected`: a continuous query must say INTO.
    pub(super) fn select(&mut self, into_expected: bool) -> Parsed<Select> {
        let fields = self.list(Self::field)?;
        let into = match self.accept("INTO") {
            true => Some(self.target()?),
            false if into_expected => {
                self.expect("INTO")?;
                None
            }
            false => None,
        };
        self.expect("FROM")?;
        Ok(Select {
            fields,
            into,
            sources: self.list(|parser| parser.source(true))?,
            condition: self.condition()?,
            dimensions: self.dimensions()?,
            fill: self.fill()?,
            order: self.order()?,
            limits: self.limits(true)?,
            zone: self.zone()?,
        })
    }

    fn field(&mut self) -> Parsed<Field> {
        let expression = match self.regex()? {
            Some(regex) => Expression::Regex(regex),
            None => {
                let at = self.peek().at;
                let expression = self.expression()?;
                refuse_conditions(&expression, at)?;
                expression
            }
        };
        let alias = if self.accept("AS") { Some(self.identifier()?) } else { None };
        Ok(Field { expression, alias })
    }

    /// A measurement, or where they are allowed a subquery.
    pub(super) fn source(&mut self, subqueries: bool) -> Parsed<Source> {
        // The expression is looked for first: a comment here counts as one.
        if let Some(regex) = self.regex()? {
            return Ok(Source::Measurement(Measurement::matching(regex)));
        }
        if subqueries && self.accept("(") {
            self.expect("SELECT")?;
            let select = self.nested(|parser| parser.select(false))?;
            self.expect(")")?;
            return Ok(Source::Subquery(Box::new(select)));
        }
        self.measurement().map(Source::Measurement)
    }

    /// FROM, if it is next; nothing but measurements.
    pub(super) fn from(&mut self) -> Parsed<Vec<Source>> {
        match self.accept("FROM") {
            true => self.list(|parser| parser.source(false)),
            false => Ok(vec![]),
        }
    }

    pub(super) fn condition(&mut self) -> Parsed<Option<Expression>> {
        if self.accept("WHERE") { self.expression().map(Some) } else { Ok(None) }
    }

    pub(super) fn dimensions(&mut self) -> Parsed<Vec<Expression>> {
        if !self.accept("GROUP") {
            return Ok(vec![]);
        }
        self.expect("BY")?;
        self.list(|parser| match parser.regex()? {
            Some(regex) => Ok(Expression::Regex(regex)),
            None => parser.expression(),
        })
    }

    /// The arguments of a clause that is spelled as a call, `fill` or `tz`, if it is next.
    fn clause_call(&mut self, word: &str, not_a_call: &str) -> Parsed<Option<Vec<Expression>>> {
        let ahead = self.peek();
        if ahead.token != Token::Identifier || !ahead.text.eq_ignore_ascii_case(word) {
            return Ok(None);
        }
        match self.expression()? {
            Expression::Call { arguments, .. } => Ok(Some(arguments)),
            _ => Err(ParseError::plain(not_a_call)),
        }
    }

    fn fill(&mut self) -> Parsed<Fill> {
        let Some(arguments) = self.clause_call("fill", "fill must be a function call")? else {
            return Ok(Fill::Default);
        };
        let [argument] = arguments.as_slice() else {
            let message = "fill requires an argument, e.g.: 0, null, none, previous, linear";
            return Err(ParseError::plain(message));
        };
        let word = match argument {
            Expression::Reference { name, kind: None } => name.as_str(),
            Expression::Integer(integer) => return Ok(Fill::Integer(*integer)),
            Expression::Number(number) => return Ok(Fill::Number(*number)),
            _ => "",
        };
        match word {
            "null" => Ok(Fill::Null),
            "none" => Ok(Fill::None),
            "previous" => Ok(Fill::Previous),
            "linear" => Ok(Fill::Linear),
            _ => Err(ParseError::plain("expected number argument in fill()")),
        }
    }

    fn zone(&mut self) -> Parsed<Option<String>> {
        let Some(mut arguments) = self.clause_call("tz", "tz must be a function call")? else {
            return Ok(None);
        };
        match (arguments.pop(), arguments.is_empty()) {
            (Some(Expression::String(name)), true) => Ok(Some(name)),
            (Some(_), true) => Err(ParseError::plain("expected string argument in tz()")),
            _ => Err(ParseError::plain("tz requires exactly one argument")),
        }
    }

    pub(super) fn order(&mut self) -> Parsed<Option<Order>> {
        if !self.accept("ORDER") {
            return Ok(None);
        }
        self.expect("BY")?;
        let first = self.next();
        let order = match first.token {
            Token::Keyword("ASC") => Order { named: false, descending: false },
            Token::Keyword("DESC") => Order { named: false, descending: true },
            Token::Identifier => {
                let descending = self.accept("DESC");
                if !descending {
                    self.accept("ASC");
                }
                if first.text != "time" {
                    return Err(ParseError::plain("only ORDER BY time supported at this time"));
                }
                Order { named: true, descending }
            }
            _ => return Err(self.unexpected(first, &["identifier", "ASC", "DESC"])),
        };
        if self.accept(",") {
            self.identifier()?;
            return Err(ParseError::plain("only ORDER BY time supported at this time"));
        }
        Ok(Some(order))
    }

    pub(super) fn limits(&mut self, of_series: bool) -> Parsed<Limits> {
        let (limit, offset) = (self.optional_count("LIMIT")?, self.optional_count("OFFSET")?);
        if !of_series {
            return Ok(Limits { limit, offset, ..Limits::default() });
        }
        let series_limit = self.optional_count("SLIMIT")?;
        let series_offset = self.optional_count("SOFFSET")?;
        Ok(Limits { limit, offset, series_limit, series_offset })
    }
}

/// A field computes; it does not compare.
fn refuse_conditions(expression: &Expression, at: Position) -> Parsed<()> {
    let mut found: Option<Operator> = None;
    expression.walk(&mut |inner| {
        if let Expression::Chain { rest, .. } = inner {
            let condition = |(operator, _): &&(Operator, Expression)| operator.precedence() < 4;
            found = found.or(rest.iter().rfind(condition).map(|(operator, _)| *operator));
        }
    });
    let Some(operator) = found else { return Ok(()) };
    let position = format!("line {}, char {}", at.line, at.char);
    let what = format!("invalid operator {} in SELECT clause", operator.text());
    Err(ParseError::Plain(format!("{what} at {position}; operator is intended for WHERE clause")))
}
