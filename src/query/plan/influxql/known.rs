//! What no backend alone knows of the measurements that a query reads: all their fields, types and tag keys.
//!
//! One server gives `*` the columns of all measurements, and a field one type for all of them. A backend that holds
//! some of them would give fewer columns and other types, and so other numbers. Therefore the backends are asked
//! first ([`probes`]; EXPLAIN lists what a server would read in the time range of the query), and then the query is
//! written with every column and type spelled out ([`explicit`]), as a server does inside before it runs one.
//!
//! The rules of spelling out are those of InfluxDB 1.6 (`RewriteFields`), as observed.

use std::collections::{BTreeMap, BTreeSet};

use super::spread::{compared, times};
use crate::proto::influxql::{
    self as language, Expression, Field, Kind, Operator, Params, Select, Source, Statement,
};

/// A tag that nothing has: the answer to a probe costs no reading.
const NEVER: &str = "circlet reads nothing";

/// What the backends are asked about one SELECT that reads measurements.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// EXPLAIN of `*`; then EXPLAIN of each regular expression; last, if `*` is asked for, SHOW TAG KEYS.
    pub statements: Vec<String>,
    regexes: Vec<String>,
    has_wildcard: bool,
}

/// What one backend answers to one statement: the first cell of each row.
pub type Answer = Vec<String>;

/// What all backends together know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    fields: BTreeMap<String, Kind>,
    tags: BTreeSet<String>,
    /// Names that each regular expression matches.
    matching: BTreeMap<String, BTreeSet<String>>,
}

/// Types in the order in which a server prefers them when a field has several.
const PREFERRED: [Kind; 5] =
    [Kind::Float, Kind::Integer, Kind::Unsigned, Kind::String, Kind::Boolean];

/// The questions that must be asked before `select` is, one for each SELECT in it that reads measurements.
pub fn probes(select: &Select) -> Vec<Probe> {
    let mut range = select.condition.as_ref().map(times).unwrap_or_default();
    if let Some(every) = extra_windows(select) {
        let descending = select.order.is_some_and(|order| order.descending);
        range.iter_mut().for_each(|time| widen(time, every, descending));
    }
    let mut found = Vec::new();
    collect(select, &range, &mut found);
    found
}

/// The length in ns of the windows that are read beside those that are shown.
fn extra_windows(select: &Select) -> Option<i64> {
    let mut count = 0;
    for field in &select.fields {
        field.expression.walk(&mut |inner| {
            if let Expression::Call { name, arguments } = inner {
                count = count.max(windows_before(name, arguments));
            }
        });
    }
    let every = |dimension: &Expression| match dimension {
        Expression::Call { name, arguments } if name == "time" => match arguments.first() {
            Some(Expression::Duration(every)) => Some(*every),
            _ => None,
        },
        _ => None,
    };
    let every = select.dimensions.iter().find_map(every)?;
    (count > 0).then(|| every.saturating_mul(count))
}

/// How many windows before the first one a function looks at.
fn windows_before(function: &str, arguments: &[Expression]) -> i64 {
    match function {
        "derivative"
        | "non_negative_derivative"
        | "difference"
        | "non_negative_difference"
        | "cumulative_sum"
        | "elapsed" => 1,
        "moving_average" => match arguments.get(1) {
            Some(Expression::Integer(count)) => *count,
            _ => 1,
        },
        _ => 0,
    }
}

/// Moves a lower bound down by so much, or an upper one up if the newest comes first.
fn widen(time: &mut Expression, every_ns: i64, descending: bool) {
    let Expression::Chain { first, rest } = time else { return };
    let [(operator, right)] = rest.as_mut_slice() else { return };
    let is_left = matches!(&**first, Expression::Reference { .. });
    let is_lower = match operator {
        Operator::Greater | Operator::GreaterOrEqual => is_left,
        Operator::Less | Operator::LessOrEqual => !is_left,
        _ => return,
    };
    if is_lower == descending {
        return;
    }
    let moment = if is_left { right } else { &mut **first };
    let operator = if descending { Operator::Add } else { Operator::Subtract };
    let step = (operator, Expression::Duration(every_ns));
    match moment {
        Expression::Chain { rest, .. } if rest[0].0.precedence() == 4 => rest.push(step),
        other => {
            let first = Box::new(other.clone());
            *other = Expression::Chain { first, rest: vec![step] };
        }
    }
}

fn collect(select: &Select, range: &[Expression], found: &mut Vec<Probe>) {
    let is_measured = |source: &&Source| matches!(source, Source::Measurement(_));
    let sources: Vec<String> =
        select.sources.iter().filter(is_measured).map(ToString::to_string).collect();
    if !sources.is_empty() {
        found.push(probe(select, &sources.join(", "), range));
    }
    for source in &select.sources {
        if let Source::Subquery(inner) = source {
            collect(inner, range, found);
        }
    }
}

fn probe(select: &Select, from: &str, range: &[Expression]) -> Probe {
    let nothing = compared(NEVER, Operator::Equal, Expression::String("x".to_owned()));
    let ranges =
        range.iter().map(|time| (Operator::And, Expression::Parenthesis(Box::new(time.clone()))));
    let ranges: Vec<(Operator, Expression)> = ranges.collect();
    let condition = match ranges.is_empty() {
        true => nothing,
        false => Expression::Chain { first: Box::new(nothing), rest: ranges },
    };
    let explain = |what: &str| format!("EXPLAIN SELECT {what} FROM {from} WHERE {condition}");
    let mut regexes = BTreeSet::new();
    let mut has_wildcard = false;
    let items = select.fields.iter().map(|field| &field.expression).chain(&select.dimensions);
    for item in items {
        item.walk(&mut |inner| match inner {
            Expression::Regex(text) => {
                regexes.insert(text.clone());
            }
            Expression::Wildcard(_) => has_wildcard = true,
            _ => {}
        });
    }
    let mut statements = vec![explain("*")];
    for text in &regexes {
        statements.push(explain(&Expression::Regex(text.clone()).to_string()));
    }
    let regexes: Vec<String> = regexes.into_iter().collect();
    if has_wildcard || !regexes.is_empty() {
        statements.push(format!("SHOW TAG KEYS FROM {from}"));
    }
    Probe { statements, regexes, has_wildcard }
}

impl Probe {
    /// What all backends say together: for each backend one answer to each statement. The error names what it is
    /// that cannot be told.
    pub fn known(&self, answers: &[&[Answer]]) -> Result<Known, String> {
        let mut known = Known::default();
        let mut blind: Vec<&Answer> = Vec::new();
        for answers in answers {
            let columns = columns(answers.first().map_or(&[], Vec::as_slice))?;
            if columns.is_empty() {
                // Nothing in this time range; what tags it has is in the index all the same.
                if answers.len() > 1 {
                    blind.extend(answers.last());
                }
                continue;
            }
            for (name, kind) in columns {
                known.add(name, kind);
            }
            for (text, answer) in self.regexes.iter().zip(&answers[1..]) {
                let names = self::columns(answer)?.into_iter().map(|(name, _)| name);
                known.matching.entry(text.clone()).or_default().extend(names);
            }
        }
        if known.fields.is_empty() {
            return Ok(known);
        }
        for tag in blind.into_iter().flatten() {
            let is_new = !known.tags.contains(tag);
            if is_new && !self.regexes.is_empty() {
                return Err("a regular expression over tag keys of which a backend has no point \
                            in the time range"
                    .to_owned());
            }
            if self.has_wildcard {
                known.tags.insert(tag.clone());
            }
        }
        Ok(known)
    }
}

impl Known {
    fn add(&mut self, name: String, kind: Kind) {
        if kind == Kind::Tag {
            self.tags.insert(name);
            return;
        }
        let place = |kind: Kind| PREFERRED.iter().position(|preferred| *preferred == kind);
        let known = self.fields.entry(name).or_insert(kind);
        if place(kind) < place(*known) {
            *known = kind;
        }
    }

    /// Of a name in the select list or the condition.
    fn kind_of(&self, name: &str) -> Option<Kind> {
        self.fields.get(name).copied().or_else(|| self.tags.contains(name).then_some(Kind::Tag))
    }

    fn matches(&self, text: &str, name: &str) -> bool {
        self.matching.get(text).is_some_and(|names| names.contains(name))
    }

    /// All columns in the order of `*`: by name, a field before a tag.
    fn columns(&self, tags: &BTreeSet<String>) -> Vec<(String, Kind)> {
        let fields = self.fields.iter().map(|(name, kind)| (name.clone(), *kind));
        let tags = tags.iter().map(|name| (name.clone(), Kind::Tag));
        let mut all: Vec<(String, Kind)> = fields.chain(tags).collect();
        all.sort_by(|a, b| a.0.cmp(&b.0).then((a.1 == Kind::Tag).cmp(&(b.1 == Kind::Tag))));
        all
    }
}

/// What EXPLAIN says that it would read: `AUXILIARY FIELDS: a::float, "b c"::tag`.
fn columns(answer: &[String]) -> Result<Vec<(String, Kind)>, String> {
    let strange = || "what a backend says of its columns cannot be read".to_owned();
    if !answer.iter().any(|line| line.starts_with("EXPRESSION: ")) {
        // A server that has nothing to read says one empty line.
        return if answer.iter().all(String::is_empty) { Ok(Vec::new()) } else { Err(strange()) };
    }
    let line = answer.iter().find_map(|line| line.strip_prefix("AUXILIARY FIELDS: "));
    let text = format!("SELECT {} FROM x", line.ok_or_else(strange)?);
    let statements = language::parse(&text, &Params::default()).map_err(|_| strange())?;
    let [Statement::Select(select)] = statements.as_slice() else { return Err(strange()) };
    let column = |field: &Field| match &field.expression {
        Expression::Reference { name, kind: Some(kind) } => Ok((name.clone(), *kind)),
        _ => Err(strange()),
    };
    select.fields.iter().map(column).collect()
}

/// Spells out columns, types and tag keys, with what [`Probe::known`] found for each of [`probes`], in their order.
/// The error is a clause that names what cannot be spelled out.
pub fn explicit(select: &mut Select, known: &mut dyn Iterator<Item = Known>) -> Result<(), String> {
    let is_measured = |source: &Source| matches!(source, Source::Measurement(_));
    if select.sources.iter().any(is_measured) {
        let known = known.next().unwrap_or_default();
        let is_mixed = !select.sources.iter().all(is_measured);
        if is_mixed {
            check_mixed(select, &known)?;
        }
        spell(select, &known);
    }
    for source in &mut select.sources {
        if let Source::Subquery(inner) = source {
            explicit(inner, known)?;
        }
    }
    Ok(())
}

/// Measurements beside subqueries: what a name means must not depend on who is asked.
fn check_mixed(select: &Select, known: &Known) -> Result<(), String> {
    let mut trouble = None;
    let items = select.fields.iter().map(|field| &field.expression);
    for item in items.chain(&select.dimensions).chain(&select.condition) {
        item.walk(&mut |inner| match inner {
            Expression::Wildcard(_) | Expression::Regex(_) => {
                trouble = Some("a wildcard over a measurement beside a subquery");
            }
            Expression::Reference { name, kind: None }
                if known.kind_of(name).is_some_and(|kind| kind != Kind::Float) =>
            {
                trouble = Some("a measurement beside a subquery whose columns may differ in type");
            }
            _ => {}
        });
    }
    trouble.map_or(Ok(()), |trouble| Err(trouble.to_owned()))
}

fn is_open(expression: &Expression) -> bool {
    matches!(expression, Expression::Wildcard(_) | Expression::Regex(_))
}

fn spell(select: &mut Select, known: &Known) {
    // Nothing in the time range anywhere: every backend comes to the same by itself.
    if known.fields.is_empty() {
        return;
    }
    let has_open_dimension = select.dimensions.iter().any(is_open);
    let mut tags = if has_open_dimension { BTreeSet::new() } else { known.tags.clone() };
    for dimension in &select.dimensions {
        if let Expression::Reference { name, .. } = dimension {
            tags.remove(name);
        }
    }
    let columns = known.columns(&tags);
    let fields: Option<Vec<Vec<Field>>> =
        select.fields.iter().map(|field| spelled(field, &columns, known)).collect();
    let fields: Vec<Field> = match fields {
        Some(fields) => fields.into_iter().flatten().collect(),
        // Every backend refuses it with the same words.
        None => return,
    };
    if fields.is_empty() {
        return;
    }
    select.fields = fields;
    select.fields.iter_mut().for_each(|field| typed(&mut field.expression, known));
    if let Some(condition) = &mut select.condition {
        typed(condition, known);
    }
    if has_open_dimension {
        select.dimensions = dimensions(&select.dimensions, known);
    }
}

/// The fields that one item of the select list stands for; `None` if it is one that servers refuse.
fn spelled(field: &Field, columns: &[(String, Kind)], known: &Known) -> Option<Vec<Field>> {
    let reference = |(name, kind): &(String, Kind)| Field {
        expression: Expression::Reference { name: name.clone(), kind: Some(*kind) },
        alias: None,
    };
    match &field.expression {
        Expression::Wildcard(kind) => {
            let fits = |(_, of): &&(String, Kind)| match kind {
                Some(Kind::Field) => *of != Kind::Tag,
                Some(Kind::Tag) => *of == Kind::Tag,
                _ => true,
            };
            Some(columns.iter().filter(fits).map(reference).collect())
        }
        Expression::Regex(text) => {
            let fits = |(name, _): &&(String, Kind)| known.matches(text, name);
            Some(columns.iter().filter(fits).map(reference).collect())
        }
        Expression::Call { name, .. } => {
            let Some(innermost) = innermost(&field.expression) else {
                return Some(vec![field.clone()]);
            };
            let (function, open) = innermost;
            if *open == Expression::Wildcard(Some(Kind::Tag)) {
                return None;
            }
            let title = field.alias.as_ref().unwrap_or(name);
            let fits = |(column, kind): &&(String, Kind)| {
                let is_named = match open {
                    Expression::Regex(text) => known.matches(text, column),
                    _ => true,
                };
                is_named && takes(function, *kind)
            };
            let fitting = columns.iter().filter(fits).map(|(column, kind)| Field {
                expression: filled(&field.expression, column, *kind),
                alias: Some(format!("{title}_{column}")),
            });
            Some(fitting.collect())
        }
        expression => {
            let mut has_open = false;
            expression.walk(&mut |inner| has_open |= is_open(inner));
            (!has_open).then(|| vec![field.clone()])
        }
    }
}

/// The call that has `*` or a regular expression as its first argument, looking into first arguments only.
fn innermost(call: &Expression) -> Option<(&str, &Expression)> {
    let Expression::Call { name, arguments } = call else { return None };
    match arguments.first()? {
        open if is_open(open) => Some((name, open)),
        inner @ Expression::Call { .. } => innermost(inner),
        _ => None,
    }
}

/// The call with a field in the place of what [`innermost`] found.
fn filled(call: &Expression, column: &str, kind: Kind) -> Expression {
    let Expression::Call { name, arguments } = call else { return call.clone() };
    let mut arguments = arguments.clone();
    if let Some(first) = arguments.first_mut() {
        *first = if is_open(first) {
            Expression::Reference { name: column.to_owned(), kind: Some(kind) }
        } else {
            filled(first, column, kind)
        };
    }
    Expression::Call { name: name.clone(), arguments }
}

/// Whether `*` in this function includes fields of this type.
fn takes(function: &str, kind: Kind) -> bool {
    match kind {
        Kind::Float | Kind::Integer => true,
        Kind::Unsigned => !function.starts_with("holt_winters"),
        Kind::String => matches!(
            function,
            "count" | "first" | "last" | "distinct" | "elapsed" | "mode" | "sample"
        ),
        Kind::Boolean => takes(function, Kind::String) || matches!(function, "min" | "max"),
        Kind::Tag | Kind::Field => false,
    }
}

/// Gives each name the type that it has on one server.
fn typed(expression: &mut Expression, known: &Known) {
    match expression {
        Expression::Reference { name, kind } => {
            let found = known.kind_of(name);
            match (&kind, found) {
                (None, Some(found)) if !name.eq_ignore_ascii_case("time") => *kind = Some(found),
                (Some(Kind::Field), Some(found)) if found != Kind::Tag => *kind = Some(found),
                _ => {}
            }
        }
        Expression::Distinct(name) => {
            let reference = Expression::Reference { name: name.clone(), kind: None };
            *expression =
                Expression::Call { name: "distinct".to_owned(), arguments: vec![reference] };
            typed(expression, known);
        }
        Expression::Parenthesis(inner) => typed(inner, known),
        Expression::Call { arguments, .. } => {
            arguments.iter_mut().for_each(|argument| typed(argument, known));
        }
        Expression::Chain { first, rest } => {
            typed(first, known);
            rest.iter_mut().for_each(|(_, inner)| typed(inner, known));
        }
        _ => {}
    }
}

fn dimensions(dimensions: &[Expression], known: &Known) -> Vec<Expression> {
    let tag = |name: &String| Expression::Reference { name: name.clone(), kind: None };
    let mut all = Vec::new();
    for dimension in dimensions {
        match dimension {
            Expression::Wildcard(_) => all.extend(known.tags.iter().map(tag)),
            Expression::Regex(text) => {
                let fitting = known.tags.iter().filter(|name| known.matches(text, name));
                all.extend(fitting.map(tag));
            }
            other => all.push(other.clone()),
        }
    }
    all
}

#[cfg(test)]
mod tests;
