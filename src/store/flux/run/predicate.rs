//! Filters that run in storage: comparisons of names with texts, and of values with literals.
//!
//! There a series that lacks a tag has the empty text, and a comparison of two types is false.

use std::rc::Rc;

use super::super::interpret::Interpreter;
use super::super::operate;
use super::super::scope::Scope;
use super::super::value::{Closure, Value};
use crate::proto::flux::{Body, Expression, ExpressionKind, Function, Operator, UnaryOperator};
use crate::store::view::{Database, Series, SeriesId};

#[derive(Clone, Debug)]
pub enum Predicate {
    All(Vec<Predicate>),
    Any(Vec<Predicate>),
    Compare { column: Rc<str>, operator: Operator, literal: Value },
    Exists(Rc<str>),
    Constant(bool),
}

/// One field of one series, or less: what is not known decides nothing.
#[derive(Clone, Copy)]
pub struct Subject<'s> {
    pub measurement: &'s str,
    pub series: Option<&'s Series>,
    pub field: Option<&'s str>,
}

impl Subject<'_> {
    /// Nothing: it is not known yet.
    fn text(&self, column: &str) -> Option<&str> {
        match column {
            "_measurement" => Some(self.measurement),
            "_field" => self.field,
            "_value" => None,
            tag => self.series.map(|series| series.tag(tag).unwrap_or("")),
        }
    }
}

impl Predicate {
    /// What it says of all points of the subject; nothing: of each something else, or it is not known yet.
    pub fn decide(&self, subject: Subject<'_>) -> Option<bool> {
        self.judge(subject, None)
    }

    /// What it says of one point.
    pub fn holds(&self, subject: Subject<'_>, value: &Value) -> bool {
        self.judge(subject, Some(value)).unwrap_or(false)
    }

    fn judge(&self, subject: Subject<'_>, value: Option<&Value>) -> Option<bool> {
        match self {
            Predicate::Constant(truth) => Some(*truth),
            Predicate::All(parts) => {
                let mut whole = Some(true);
                for part in parts {
                    match part.judge(subject, value) {
                        Some(false) => return Some(false),
                        Some(true) => {}
                        None => whole = None,
                    }
                }
                whole
            }
            Predicate::Any(parts) => {
                let mut whole = Some(false);
                for part in parts {
                    match part.judge(subject, value) {
                        Some(true) => return Some(true),
                        Some(false) => {}
                        None => whole = None,
                    }
                }
                whole
            }
            Predicate::Exists(column) if **column == *"_value" => Some(true),
            Predicate::Exists(column) => subject.text(column).map(|text| !text.is_empty()),
            Predicate::Compare { column, operator, literal } if **column == *"_value" => {
                let result = operate::binary(*operator, value?, literal);
                Some(matches!(result, Ok(Value::Boolean(true))))
            }
            Predicate::Compare { column, operator, literal } => {
                let text = subject.text(column)?;
                Some(match (operator, literal) {
                    (Operator::Equal, Value::String(wanted)) => *text == **wanted,
                    (Operator::NotEqual, Value::String(wanted)) => *text != **wanted,
                    (Operator::Matches, Value::Regex(regex)) => regex.is_match(text),
                    (Operator::MatchesNot, Value::Regex(regex)) => !regex.is_match(text),
                    _ => false,
                })
            }
        }
    }

    /// The series of a measurement that it may hold for, by the postings of the index; nothing: any.
    pub fn postings(&self, database: &dyn Database, measurement: &str) -> Option<Vec<SeriesId>> {
        match self {
            Predicate::All(parts) => {
                let lists = parts.iter().filter_map(|part| part.postings(database, measurement));
                lists
                    .reduce(|a, b| a.into_iter().filter(|id| b.binary_search(id).is_ok()).collect())
            }
            Predicate::Any(parts) => {
                let lists: Option<Vec<Vec<SeriesId>>> =
                    parts.iter().map(|part| part.postings(database, measurement)).collect();
                let mut all = lists?.concat();
                all.sort();
                all.dedup();
                Some(all)
            }
            Predicate::Compare { column, .. } if column.starts_with('_') => None,
            Predicate::Compare { column, operator, literal } => match (operator, literal) {
                (Operator::Equal, Value::String(text)) if !text.is_empty() => {
                    Some(database.series_with(measurement, column, text))
                }
                (Operator::Matches, Value::Regex(regex)) if !regex.is_match("") => {
                    let values = database.tag_values(measurement, column);
                    let mine = values.iter().filter(|value| regex.is_match(value));
                    let mut all: Vec<SeriesId> = mine
                        .flat_map(|value| database.series_with(measurement, column, value))
                        .collect();
                    all.sort();
                    Some(all)
                }
                _ => None,
            },
            Predicate::Exists(_) | Predicate::Constant(_) => None,
        }
    }
}

/// A filter taken apart.
pub struct Split {
    pub pushed: Vec<Predicate>,
    /// What stays, as a function of a row.
    pub rest: Option<Value>,
}

/// Takes the parts of a filter that storage understands; of parts joined by `and`, each is for itself.
pub fn split(interpreter: &Interpreter<'_>, function: &Value) -> Split {
    let whole = || Split { pushed: Vec::new(), rest: Some(function.clone()) };
    let Value::Function(closure) = function else { return whole() };
    let [parameter] = closure.function.parameters.as_slice() else { return whole() };
    let Body::Expression(body) = &closure.function.body else { return whole() };
    let reader = Reader { interpreter, row: &parameter.name, scope: &closure.scope };
    let (mut pushed, mut kept) = (Vec::new(), Vec::new());
    for part in conjuncts(body) {
        match reader.predicate(part) {
            Some(predicate) => pushed.push(predicate),
            None => kept.push(part.clone()),
        }
    }
    let mut kept = kept.into_iter();
    let Some(first) = kept.next() else { return Split { pushed, rest: None } };
    let others: Vec<(Operator, Expression)> = kept.map(|part| (Operator::And, part)).collect();
    let body = match others.is_empty() {
        true => first,
        false => Expression {
            kind: ExpressionKind::Chain { first: Box::new(first), rest: others },
            span: body.span,
        },
    };
    let function =
        Function { parameters: closure.function.parameters.clone(), body: Body::Expression(body) };
    match Closure::new(Rc::new(function), closure.scope.clone()) {
        Ok(closure) => Split { pushed, rest: Some(Value::Function(Rc::new(closure))) },
        Err(_) => whole(),
    }
}

/// The parts that `and` joins.
fn conjuncts(expression: &Expression) -> Vec<&Expression> {
    match &expression.kind {
        ExpressionKind::Chain { first, rest }
            if rest.iter().all(|(operator, _)| *operator == Operator::And) =>
        {
            let others = rest.iter().flat_map(|(_, part)| conjuncts(part));
            conjuncts(first).into_iter().chain(others).collect()
        }
        _ => vec![expression],
    }
}

struct Reader<'r, 'q> {
    interpreter: &'r Interpreter<'q>,
    row: &'r str,
    scope: &'r Scope,
}

impl Reader<'_, '_> {
    fn predicate(&self, expression: &Expression) -> Option<Predicate> {
        match &expression.kind {
            ExpressionKind::Boolean(truth) => Some(Predicate::Constant(*truth)),
            ExpressionKind::Unary { operator: UnaryOperator::Exists, operand } => {
                self.column(operand).map(|column| Predicate::Exists(column.into()))
            }
            ExpressionKind::Chain { first, rest } => {
                let (operator, second) = rest.first()?;
                match operator {
                    Operator::And | Operator::Or => {
                        let operands = rest.iter().map(|(_, operand)| operand);
                        let parts: Option<Vec<Predicate>> = std::iter::once(&**first)
                            .chain(operands)
                            .map(|part| self.predicate(part))
                            .collect();
                        let is_and = *operator == Operator::And;
                        parts.map(if is_and { Predicate::All } else { Predicate::Any })
                    }
                    _ if rest.len() == 1 => self.comparison(first, *operator, second),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn comparison(
        &self,
        first: &Expression,
        operator: Operator,
        second: &Expression,
    ) -> Option<Predicate> {
        let (column, operator, literal) = match self.column(first) {
            Some(column) => (column, operator, self.literal(second)?),
            None => (self.column(second)?, flipped(operator)?, self.literal(first)?),
        };
        let fits = match (operator, &literal) {
            (Operator::Matches | Operator::MatchesNot, literal) => {
                matches!(literal, Value::Regex(_))
            }
            (Operator::Equal | Operator::NotEqual, literal) if column != "_value" => {
                matches!(literal, Value::String(_))
            }
            (
                Operator::Equal
                | Operator::NotEqual
                | Operator::Less
                | Operator::LessOrEqual
                | Operator::Greater
                | Operator::GreaterOrEqual,
                literal,
            ) => column == "_value" && literal.kind().is_some(),
            _ => false,
        };
        fits.then(|| Predicate::Compare { column: column.into(), operator, literal })
    }

    /// The column of the row that an expression is.
    fn column<'e>(&self, expression: &'e Expression) -> Option<&'e str> {
        let ExpressionKind::Member { object, name } = &expression.kind else { return None };
        let is_row = matches!(&object.kind, ExpressionKind::Identifier(name) if name == self.row);
        let is_stored = !matches!(name.as_str(), "_time" | "_start" | "_stop");
        (is_row && is_stored).then_some(name)
    }

    /// What an expression is that has nothing of the row in it.
    fn literal(&self, expression: &Expression) -> Option<Value> {
        self.is_plain(expression)
            .then(|| self.interpreter.evaluate(expression, self.scope).ok())
            .flatten()
    }

    fn is_plain(&self, expression: &Expression) -> bool {
        match &expression.kind {
            ExpressionKind::String(_)
            | ExpressionKind::Integer(_)
            | ExpressionKind::Float(_)
            | ExpressionKind::Boolean(_)
            | ExpressionKind::Time(_)
            | ExpressionKind::Regex(_) => true,
            ExpressionKind::Identifier(name) => name != self.row && self.scope.get(name).is_some(),
            ExpressionKind::Member { object, .. } => self.is_plain(object),
            ExpressionKind::Unary { operator: UnaryOperator::Minus, operand } => {
                self.is_plain(operand)
            }
            _ => false,
        }
    }
}

/// The operator that says the same with its sides swapped.
fn flipped(operator: Operator) -> Option<Operator> {
    Some(match operator {
        Operator::Equal | Operator::NotEqual => operator,
        Operator::Less => Operator::Greater,
        Operator::LessOrEqual => Operator::GreaterOrEqual,
        Operator::Greater => Operator::Less,
        Operator::GreaterOrEqual => Operator::LessOrEqual,
        _ => return None,
    })
}
