//! What type an expression has, over the sources of its statement.

use super::{Expr, Kind, Operator, math};
use crate::store::influxql::plan::select::{Measurement, Select, Source};
use crate::store::value::FieldType;
use std::sync::Arc;

/// What is known of measurements, over the windows that a statement reads.
pub trait Schema {
    fn kind(&self, measurement: &Measurement, name: &str) -> Kind;
    /// Fields with their types, and tag keys.
    fn names(&self, measurement: &Measurement) -> (Vec<(Arc<str>, Kind)>, Vec<Arc<str>>);
}

/// What a name is in these sources.
pub fn reference(name: &str, kind: Kind, sources: &[Source], schema: &dyn Schema) -> Kind {
    if !matches!(kind, Kind::Unknown | Kind::AnyField) {
        return kind;
    }
    let mut best = Kind::Unknown;
    for source in sources {
        match source {
            Source::Measurement(measurement) => {
                best = best.better(schema.kind(measurement, name));
            }
            Source::Subquery(inner) => best = best.better(column(name, inner, schema)),
        }
    }
    best
}

/// What a subquery's column is.
fn column(name: &str, inner: &Select, schema: &dyn Schema) -> Kind {
    let mut best = Kind::Unknown;
    for field in &inner.fields {
        if field.name() == name {
            best = of(&field.expr, &inner.sources, schema).unwrap_or(Kind::Unknown);
            break;
        }
        let added = super::super::plan::select::added_by(&field.expr);
        for expr in added {
            if matches!(expr, Expr::Ref { name: known, .. } if &**known == name) {
                return of(expr, &inner.sources, schema).unwrap_or(Kind::Unknown);
            }
        }
    }
    if best == Kind::Unknown && inner.dimension_names().iter().any(|known| &**known == name) {
        return Kind::Tag;
    }
    best
}

/// The error is InfluxDB's for operands that do not fit.
pub fn of(expr: &Expr, sources: &[Source], schema: &dyn Schema) -> Result<Kind, String> {
    Ok(match expr {
        Expr::Ref { name, kind } => reference(name, *kind, sources, schema),
        Expr::Paren(inner) => return of(inner, sources, schema),
        Expr::Number(_) => Kind::Value(FieldType::Float),
        Expr::Integer(_) => Kind::Value(FieldType::Integer),
        Expr::Unsigned(_) => Kind::Value(FieldType::Unsigned),
        Expr::String(_) => Kind::Value(FieldType::String),
        Expr::Boolean(_) => Kind::Value(FieldType::Boolean),
        Expr::Call { name, arguments } => {
            let first = match arguments.first() {
                Some(first) => of(first, sources, schema)?,
                None => Kind::Unknown,
            };
            call(name, first)
        }
        Expr::Binary { operator, left, right } => {
            let (a, b) = (of(left, sources, schema)?, of(right, sources, schema)?);
            return binary(expr, *operator, (left, a), (right, b));
        }
        _ => Kind::Unknown,
    })
}

fn call(name: &str, argument: Kind) -> Kind {
    match name {
        "count" | "elapsed" => Kind::Value(FieldType::Integer),
        "mean"
        | "median"
        | "stddev"
        | "integral"
        | "derivative"
        | "non_negative_derivative"
        | "moving_average"
        | "holt_winters"
        | "holt_winters_with_fit" => Kind::Value(FieldType::Float),
        _ if super::super::plan::functions::is_technical(name) => Kind::Value(FieldType::Float),
        _ if math::arguments(name).is_some() && !math::keeps_type(name) => {
            Kind::Value(FieldType::Float)
        }
        _ => argument,
    }
}

fn binary(
    expr: &Expr,
    operator: Operator,
    (left, a): (&Expr, Kind),
    (right, b): (&Expr, Kind),
) -> Result<Kind, String> {
    use FieldType as F;
    let (Kind::Value(of_a), Kind::Value(of_b)) = (a, b) else { return Ok(a.better(b)) };
    let incompatible = || {
        let (a, b) = (of_a.name(), of_b.name());
        Err(format!("type error: {expr}: incompatible types: {a} and {b}"))
    };
    let is_bitwise = matches!(operator, Operator::BitAnd | Operator::BitOr | Operator::BitXor);
    Ok(Kind::Value(match (of_a, of_b) {
        (F::Boolean, F::Boolean) if is_bitwise => F::Boolean,
        (F::Boolean | F::String, _) | (_, F::Boolean | F::String) => return incompatible(),
        (F::Float, _) | (_, F::Float) if is_bitwise => return incompatible(),
        (F::Float, _) | (_, F::Float) => F::Float,
        (F::Integer, F::Integer) | (F::Unsigned, F::Unsigned) => {
            if operator == Operator::Divide {
                F::Float
            } else {
                of_a
            }
        }
        // A literal takes the other side's type if it can.
        _ => {
            let (literal, is_left) = match (left, right) {
                (Expr::Integer(_) | Expr::Unsigned(_), _) => (left, true),
                _ => (right, false),
            };
            match literal {
                Expr::Integer(_) => F::Unsigned,
                Expr::Unsigned(_) => {
                    let sides = if is_left {
                        "unsigned literal and integer"
                    } else {
                        "integer and unsigned literal"
                    };
                    let sign = operator.text();
                    return Err(format!("type error: {expr}: cannot use {sign} with an {sides}"));
                }
                _ => {
                    let (a, b) = (of_a.name(), of_b.name());
                    let sign = operator.text();
                    return Err(format!(
                        "type error: {expr}: cannot use {sign} between an {a} and {b}, an explicit cast is required"
                    ));
                }
            }
        }
    }))
}
