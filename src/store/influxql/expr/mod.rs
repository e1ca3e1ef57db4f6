//! Expressions as the evaluation wants them: two operands each, kinds of references known, regular expressions
//! ready, conditions without time.
//!
//! Promises: the text of an expression is the one that errors of InfluxDB show; values are computed as its own
//! engine does, with its overflow, its division and its nulls. Does not know: where values come from.
//!
//! Read `convert` (from the grammar's tree), `text`, `fold` (constants), `condition` (what WHERE says of time),
//! `eval` (values), `math` and `go` (functions of one row), `types`.

pub mod condition;
pub mod convert;
pub mod eval;
pub mod fold;
pub mod go;
pub mod math;
pub mod text;
pub mod types;

pub use crate::proto::influxql::Operator;
use crate::store::value::FieldType;
use std::sync::Arc;

/// What a reference is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Unknown,
    Value(FieldType),
    Tag,
    /// `::field`: of any type.
    AnyField,
}

impl Kind {
    /// The order in which InfluxDB prefers what a name may be; the first is the best.
    fn rank(self) -> u8 {
        match self {
            Kind::Value(FieldType::Float) => 0,
            Kind::Value(FieldType::Integer) => 1,
            Kind::Value(FieldType::Unsigned) => 2,
            Kind::Value(FieldType::String) => 3,
            Kind::Value(FieldType::Boolean) => 4,
            Kind::Tag => 5,
            Kind::AnyField => 6,
            Kind::Unknown => 7,
        }
    }

    pub fn better(self, other: Kind) -> Kind {
        if other.rank() < self.rank() { other } else { self }
    }

    pub fn field(self) -> Option<FieldType> {
        match self {
            Kind::Value(kind) => Some(kind),
            _ => None,
        }
    }
}

/// A regular expression with its text.
#[derive(Clone, Debug)]
pub struct Pattern {
    pub text: Arc<str>,
    regex: Arc<regex::Regex>,
}

impl Pattern {
    /// The error is InfluxDB's as far as it can be told.
    pub fn new(text: &str) -> Result<Pattern, String> {
        let regex = regex::RegexBuilder::new(text)
            .size_limit(16 << 20)
            .build()
            .map_err(|error| format!("error parsing regexp: {}", fault(&error)))?;
        Ok(Pattern { text: text.into(), regex: Arc::new(regex) })
    }

    pub fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

/// The last line of what the library says, without its drawing.
fn fault(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.trim_start_matches("error: ").to_owned()
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.text == other.text
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    Ref {
        name: Arc<str>,
        kind: Kind,
    },
    Call {
        name: Arc<str>,
        arguments: Vec<Expr>,
    },
    Binary {
        operator: Operator,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    Paren(Box<Expr>),
    Distinct(Arc<str>),
    /// `Some(true)`: tags only; `Some(false)`: fields only.
    Wildcard(Option<bool>),
    Regex(Pattern),
    String(Arc<str>),
    Number(f64),
    Integer(i64),
    Unsigned(u64),
    Boolean(bool),
    Duration(i64),
    /// Nanoseconds since 1970; may lie outside of what a point may have.
    Time(i128),
}

impl Expr {
    pub fn reference(name: &str, kind: Kind) -> Expr {
        Expr::Ref { name: name.into(), kind }
    }

    pub fn binary(operator: Operator, left: Expr, right: Expr) -> Expr {
        Expr::Binary { operator, left: Box::new(left), right: Box::new(right) }
    }

    pub fn is_literal(&self) -> bool {
        !matches!(
            self,
            Expr::Ref { .. }
                | Expr::Call { .. }
                | Expr::Binary { .. }
                | Expr::Paren(_)
                | Expr::Distinct(_)
                | Expr::Wildcard(_)
        )
    }

    /// As Go names the type of a node, where an error shows it.
    pub fn go_type(&self) -> &'static str {
        match self {
            Expr::Ref { .. } => "*influxql.VarRef",
            Expr::Call { .. } => "*influxql.Call",
            Expr::Binary { .. } => "*influxql.BinaryExpr",
            Expr::Paren(_) => "*influxql.ParenExpr",
            Expr::Distinct(_) => "*influxql.Distinct",
            Expr::Wildcard(_) => "*influxql.Wildcard",
            Expr::Regex(_) => "*influxql.RegexLiteral",
            Expr::String(_) => "*influxql.StringLiteral",
            Expr::Number(_) => "*influxql.NumberLiteral",
            Expr::Integer(_) => "*influxql.IntegerLiteral",
            Expr::Unsigned(_) => "*influxql.UnsignedLiteral",
            Expr::Boolean(_) => "*influxql.BooleanLiteral",
            Expr::Duration(_) => "*influxql.DurationLiteral",
            Expr::Time(_) => "*influxql.TimeLiteral",
        }
    }

    /// Visits this and all inside, itself first.
    pub fn walk(&self, visit: &mut dyn FnMut(&Expr)) {
        visit(self);
        match self {
            Expr::Binary { left, right, .. } => {
                left.walk(visit);
                right.walk(visit);
            }
            Expr::Paren(inner) => inner.walk(visit),
            Expr::Call { arguments, .. } => arguments.iter().for_each(|one| one.walk(visit)),
            _ => {}
        }
    }

    pub fn walk_mut(&mut self, visit: &mut dyn FnMut(&mut Expr)) {
        visit(self);
        match self {
            Expr::Binary { left, right, .. } => {
                left.walk_mut(visit);
                right.walk_mut(visit);
            }
            Expr::Paren(inner) => inner.walk_mut(visit),
            Expr::Call { arguments, .. } => {
                arguments.iter_mut().for_each(|one| one.walk_mut(visit));
            }
            _ => {}
        }
    }

    /// All references inside, each once, in order.
    pub fn references(&self) -> Vec<(Arc<str>, Kind)> {
        let mut found: Vec<(Arc<str>, Kind)> = Vec::new();
        self.walk(&mut |one| {
            if let Expr::Ref { name, kind } = one
                && !found.iter().any(|(known, of)| known == name && of == kind)
            {
                found.push((name.clone(), *kind));
            }
        });
        found
    }
}

pub fn is_time(name: &str) -> bool {
    name.eq_ignore_ascii_case("time")
}
