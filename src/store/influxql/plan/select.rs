//! A SELECT as the evaluation wants it.

use crate::proto::influxql as ast;
use crate::store::influxql::expr::condition::Bounds;
use crate::store::influxql::expr::{Expr, Kind, Pattern, convert};
use crate::store::influxql::fault::Fault;
use crate::store::zone::Zone;
use std::sync::Arc;

#[derive(Clone, Debug)]
pub struct Select {
    pub fields: Vec<Field>,
    pub into: Option<ast::Measurement>,
    pub sources: Vec<Source>,
    pub condition: Option<Expr>,
    /// Without time; references only, once wildcards are resolved.
    pub dimensions: Vec<Expr>,
    pub fill: ast::Fill,
    pub ascending: bool,
    pub says_order: bool,
    pub limits: ast::Limits,
    pub zone: Option<Arc<Zone>>,
    /// What of WHERE is said of time.
    pub bounds: Bounds,
    pub interval_ns: i64,
    pub offset_ns: i64,
    /// Only the outermost has a column of time.
    pub has_time: bool,
    pub time_alias: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Field {
    pub expr: Expr,
    pub alias: Option<String>,
}

#[derive(Clone, Debug)]
pub enum Source {
    Measurement(Measurement),
    Subquery(Box<Select>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Measurement {
    pub database: String,
    pub policy: String,
    pub name: Name,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Name {
    Exact(Arc<str>),
    Matching(Pattern),
}

impl Field {
    /// The name that it has without an alias of its own.
    pub fn name(&self) -> String {
        self.alias.clone().unwrap_or_else(|| name_of(&self.expr))
    }
}

fn name_of(expr: &Expr) -> String {
    match expr {
        Expr::Ref { name, .. } | Expr::Call { name, .. } => name.to_string(),
        Expr::Distinct(_) => "distinct".to_owned(),
        Expr::Paren(inner) => name_of(inner),
        Expr::Binary { .. } => {
            let mut names = Vec::new();
            names_in(expr, &mut names);
            names.join("_")
        }
        _ => String::new(),
    }
}

fn names_in(expr: &Expr, names: &mut Vec<String>) {
    match expr {
        Expr::Ref { name, .. } | Expr::Call { name, .. } => names.push(name.to_string()),
        Expr::Binary { left, right, .. } => {
            names_in(left, names);
            names_in(right, names);
        }
        Expr::Paren(inner) => names_in(inner, names),
        _ => {}
    }
}

impl Select {
    /// `resolve` finds the database and the policy of a measurement.
    pub fn of(
        select: &ast::Select,
        resolve: &dyn Fn(&ast::Measurement) -> Result<Measurement, Fault>,
    ) -> Result<Select, Fault> {
        let sources = select.sources.iter().map(|source| {
            Ok(match source {
                ast::Source::Measurement(measurement) => Source::Measurement(resolve(measurement)?),
                ast::Source::Subquery(inner) => {
                    Source::Subquery(Box::new(Select::of(inner, resolve)?))
                }
            })
        });
        let sources = sources.collect::<Result<Vec<Source>, Fault>>()?;
        let field = |field: &ast::Field| {
            let expr = convert::expression(&field.expression)?;
            Ok(Field { expr, alias: field.alias.clone() })
        };
        let fields = select.fields.iter().map(field).collect::<Result<_, String>>()?;
        let dimensions = select.dimensions.iter().map(convert::expression);
        let order = select.order;
        Ok(Select {
            fields,
            into: select.into.clone(),
            sources,
            condition: select.condition.as_ref().map(convert::expression).transpose()?,
            dimensions: dimensions.collect::<Result<_, _>>()?,
            fill: select.fill,
            ascending: !order.is_some_and(|order| order.descending),
            says_order: order.is_some(),
            limits: select.limits,
            zone: select.zone.as_deref().and_then(Zone::named).map(Arc::new),
            bounds: Bounds::default(),
            interval_ns: 0,
            offset_ns: 0,
            has_time: true,
            time_alias: None,
        })
    }

    /// The names of the columns: aliases first, then names that are free.
    pub fn columns(&self) -> Vec<String> {
        let mut fields: Vec<(Option<String>, String)> = Vec::new();
        for field in &self.fields {
            fields.push((field.alias.clone(), name_of(&field.expr)));
            if self.into.is_none() {
                for expr in added_by(&field.expr) {
                    fields.push((None, name_of(expr)));
                }
            }
        }
        let mut taken: Vec<(String, usize)> = Vec::new();
        for alias in fields.iter().filter_map(|(alias, _)| alias.as_ref()) {
            taken.push((alias.clone(), 1));
        }
        let mut columns = Vec::new();
        if self.has_time {
            columns.push(self.time_alias.clone().unwrap_or_else(|| "time".to_owned()));
        }
        columns.extend(fields.into_iter().map(|(alias, name)| match alias {
            Some(alias) => alias,
            None => free(&mut taken, name),
        }));
        columns
    }

    pub fn dimension_names(&self) -> Vec<Arc<str>> {
        let name = |expr: &Expr| match expr {
            Expr::Ref { name, .. } => Some(name.clone()),
            _ => None,
        };
        let mut names: Vec<Arc<str>> = self.dimensions.iter().filter_map(name).collect();
        names.sort();
        names.dedup();
        names
    }
}

/// The columns that `top(v, host, 2)` adds behind its own.
pub fn added_by(expr: &Expr) -> &[Expr] {
    match expr {
        Expr::Call { name, arguments } if matches!(&**name, "top" | "bottom") => {
            match arguments.as_slice() {
                [_, added @ .., _] => added,
                _ => &[],
            }
        }
        _ => &[],
    }
}

fn free(taken: &mut Vec<(String, usize)>, name: String) -> String {
    let Some(at) = taken.iter().position(|(known, _)| *known == name) else {
        taken.push((name.clone(), 1));
        return name;
    };
    let mut count = taken[at].1;
    loop {
        let candidate = format!("{name}_{count}");
        count += 1;
        if !taken.iter().any(|(known, _)| *known == candidate) {
            taken[at].1 = count;
            taken.push((candidate.clone(), 1));
            return candidate;
        }
    }
}

pub fn untyped(name: &str) -> Expr {
    Expr::reference(name, Kind::Unknown)
}
