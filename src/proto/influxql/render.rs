//! Statements as text again: InfluxDB's canonical spelling, but with every digit of a number.

use std::fmt::{self, Display, Formatter, Write as _};

use super::ast::{
    Expression, Field, Fill, Limits, Measurement, MeasurementName, Operator, Order, Select, Source,
    Statement,
};
use super::token::keyword;

/// A name as it must be written: quoted only if it has to be.
pub fn identifier(name: &str) -> String {
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    let plain = first && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if plain && keyword(name).is_none() { name.to_owned() } else { quoted(name, '"') }
}

/// A text between quotes, with InfluxQL's escapes.
pub fn quoted(text: &str, quote: char) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\\' => out.push_str("\\\\"),
            c if c == quote => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

pub(super) fn regex(text: &str) -> String {
    format!("/{}/", text.replace('/', "\\/"))
}

/// As an error names a path of names: all quoted but the last, nothing for the empty ones.
pub(super) fn quoted_path(segments: &[String]) -> String {
    let mut out = String::new();
    for (index, segment) in segments.iter().enumerate() {
        let last = index + 1 == segments.len();
        match (last, segment.is_empty()) {
            (true, _) => out.push_str(&identifier(segment)),
            (false, true) => {}
            (false, false) => out.push_str(&quoted(segment, '"')),
        }
        if !last {
            out.push('.');
        }
    }
    out
}

/// A duration in its largest whole unit.
pub(super) fn duration(ns: i64) -> String {
    const UNITS: [(i64, &str); 8] = [
        (604_800_000_000_000, "w"),
        (86_400_000_000_000, "d"),
        (3_600_000_000_000, "h"),
        (60_000_000_000, "m"),
        (1_000_000_000, "s"),
        (1_000_000, "ms"),
        (1_000, "u"),
        (1, "ns"),
    ];
    if ns == 0 {
        return "0s".to_owned();
    }
    let unit = UNITS.iter().find(|(unit, _)| ns % unit == 0).unwrap_or(&(1, "ns"));
    format!("{}{}", ns / unit.0, unit.1)
}

fn number(value: f64) -> String {
    let text = format!("{value}");
    if text.contains('.') || !value.is_finite() { text } else { text + ".0" }
}

/// Items with `between` between them.
pub(super) fn join<T: Display>(out: &mut Formatter<'_>, items: &[T], between: &str) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.write_str(between)?;
        }
        write!(out, "{item}")?;
    }
    Ok(())
}

pub(super) fn clause<T: Display>(out: &mut Formatter<'_>, word: &str, items: &[T]) -> fmt::Result {
    if items.is_empty() {
        return Ok(());
    }
    write!(out, " {word} ")?;
    join(out, items, ", ")
}

impl Display for Expression {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Expression::Chain { first, rest } => {
                operand(out, first, rest[0].0, true)?;
                for (operator, right) in rest {
                    write!(out, " {} ", operator.text())?;
                    operand(out, right, *operator, false)?;
                }
                Ok(())
            }
            Expression::Parenthesis(inner) => write!(out, "({inner})"),
            Expression::Call { name, arguments } => {
                write!(out, "{}(", identifier_of_call(name))?;
                join(out, arguments, ", ")?;
                out.write_char(')')
            }
            Expression::Reference { name, kind } => {
                out.write_str(&identifier(name))?;
                kind.map_or(Ok(()), |kind| write!(out, "::{}", kind.text()))
            }
            Expression::Wildcard(kind) => {
                out.write_char('*')?;
                kind.map_or(Ok(()), |kind| write!(out, "::{}", kind.text()))
            }
            Expression::Distinct(name) => write!(out, "DISTINCT {}", identifier(name)),
            Expression::Regex(text) => out.write_str(&regex(text)),
            Expression::String(text) => out.write_str(&quoted(text, '\'')),
            Expression::Number(value) => out.write_str(&number(*value)),
            Expression::Integer(value) => write!(out, "{value}"),
            Expression::Unsigned(value) => write!(out, "{value}"),
            Expression::Boolean(value) => write!(out, "{value}"),
            Expression::Duration(ns) => out.write_str(&duration(*ns)),
        }
    }
}

/// `distinct` is a keyword, yet the name of a call.
fn identifier_of_call(name: &str) -> String {
    if name == "distinct" { name.to_owned() } else { identifier(name) }
}

/// An operand that binds less tightly than its operator needs parentheses: so does the product that
/// a sign makes.
fn operand(
    out: &mut Formatter<'_>,
    expression: &Expression,
    of: Operator,
    first: bool,
) -> fmt::Result {
    let loose = match expression {
        Expression::Chain { rest, .. } if first => rest[0].0.precedence() < of.precedence(),
        Expression::Chain { rest, .. } => rest[0].0.precedence() <= of.precedence(),
        _ => false,
    };
    if loose { write!(out, "({expression})") } else { write!(out, "{expression}") }
}

impl Display for Measurement {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        if let Some(database) = &self.database {
            write!(out, "{}.", identifier(database))?;
        }
        match &self.policy {
            Some(policy) => write!(out, "{}.", identifier(policy))?,
            None if self.database.is_some() => out.write_char('.')?,
            None => {}
        }
        match &self.name {
            MeasurementName::Name(name) => out.write_str(&identifier(name)),
            MeasurementName::Regex(text) => out.write_str(&regex(text)),
            MeasurementName::OfSource => out.write_str(":MEASUREMENT"),
        }
    }
}

impl Display for Source {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Source::Measurement(measurement) => write!(out, "{measurement}"),
            Source::Subquery(select) => write!(out, "({select})"),
        }
    }
}

impl Display for Field {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.expression)?;
        self.alias.as_ref().map_or(Ok(()), |alias| write!(out, " AS {}", identifier(alias)))
    }
}

impl Display for Limits {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let counts = [
            ("LIMIT", self.limit),
            ("OFFSET", self.offset),
            ("SLIMIT", self.series_limit),
            ("SOFFSET", self.series_offset),
        ];
        for (word, count) in counts {
            if let Some(count) = count {
                write!(out, " {word} {count}")?;
            }
        }
        Ok(())
    }
}

impl Display for Fill {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Fill::Default => Ok(()),
            Fill::Null => out.write_str(" fill(null)"),
            Fill::None => out.write_str(" fill(none)"),
            Fill::Previous => out.write_str(" fill(previous)"),
            Fill::Linear => out.write_str(" fill(linear)"),
            Fill::Integer(value) => write!(out, " fill({value})"),
            Fill::Number(value) => write!(out, " fill({})", number(*value)),
        }
    }
}

impl Display for Order {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let direction = if self.descending { "DESC" } else { "ASC" };
        write!(out, " ORDER BY {}{direction}", if self.named { "time " } else { "" })
    }
}

pub(super) fn optional<T: Display>(
    out: &mut Formatter<'_>,
    before: &str,
    item: &Option<T>,
) -> fmt::Result {
    item.as_ref().map_or(Ok(()), |item| write!(out, "{before}{item}"))
}

impl Display for Select {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str("SELECT ")?;
        join(out, &self.fields, ", ")?;
        optional(out, " INTO ", &self.into)?;
        clause(out, "FROM", &self.sources)?;
        optional(out, " WHERE ", &self.condition)?;
        clause(out, "GROUP BY", &self.dimensions)?;
        write!(out, "{}", self.fill)?;
        optional(out, "", &self.order)?;
        write!(out, "{}", self.limits)?;
        self.zone.as_ref().map_or(Ok(()), |zone| write!(out, " tz({})", quoted(zone, '\'')))
    }
}

impl Display for Statement {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        super::render_define::statement(self, out)
    }
}
