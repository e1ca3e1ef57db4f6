//! From the grammar's tree.

use super::{Expr, Kind, Operator, Pattern};
use crate::proto::influxql::{self as ast, Expression};
use crate::store::value::FieldType;

/// A chain of sums longer than this would need a stack as deep.
const CHAIN_MAX: usize = 2000;

/// The error is the text of a regular expression's fault.
pub fn expression(from: &Expression) -> Result<Expr, String> {
    Ok(match from {
        Expression::Chain { first, rest } => return chain(first, rest),
        Expression::Parenthesis(inner) => Expr::Paren(Box::new(expression(inner)?)),
        Expression::Call { name, arguments } => Expr::Call {
            name: name.as_str().into(),
            arguments: arguments.iter().map(expression).collect::<Result<_, _>>()?,
        },
        Expression::Reference { name, kind: said } => Expr::reference(name, kind(*said)),
        Expression::Wildcard(said) => {
            Expr::Wildcard(said.map(|kind| matches!(kind, ast::Kind::Tag)))
        }
        Expression::Distinct(name) => Expr::Distinct(name.as_str().into()),
        Expression::Regex(text) => Expr::Regex(Pattern::new(text)?),
        Expression::String(text) => Expr::String(text.as_str().into()),
        Expression::Number(number) => Expr::Number(*number),
        Expression::Integer(number) => Expr::Integer(*number),
        Expression::Unsigned(number) => Expr::Unsigned(*number),
        Expression::Boolean(value) => Expr::Boolean(*value),
        Expression::Duration(ns) => Expr::Duration(*ns),
    })
}

fn kind(said: Option<ast::Kind>) -> Kind {
    match said {
        None => Kind::Unknown,
        Some(ast::Kind::Float) => Kind::Value(FieldType::Float),
        Some(ast::Kind::Integer) => Kind::Value(FieldType::Integer),
        Some(ast::Kind::Unsigned) => Kind::Value(FieldType::Unsigned),
        Some(ast::Kind::String) => Kind::Value(FieldType::String),
        Some(ast::Kind::Boolean) => Kind::Value(FieldType::Boolean),
        Some(ast::Kind::Field) => Kind::AnyField,
        Some(ast::Kind::Tag) => Kind::Tag,
    }
}

fn chain(first: &Expression, rest: &[(Operator, Expression)]) -> Result<Expr, String> {
    // Long lists of alternatives are balanced: their order does not matter, the depth of the stack does.
    if matches!(rest[0].0, Operator::And | Operator::Or) {
        let mut all = vec![expression(first)?];
        for (_, operand) in rest {
            all.push(expression(operand)?);
        }
        return Ok(balanced(rest[0].0, all));
    }
    if rest.len() > CHAIN_MAX {
        return Err(format!("an expression of more than {CHAIN_MAX} operands"));
    }
    let mut left = expression(first)?;
    for (operator, right) in rest {
        left = Expr::binary(*operator, left, expression(right)?);
    }
    Ok(left)
}

fn balanced(operator: Operator, mut all: Vec<Expr>) -> Expr {
    if all.len() == 1 {
        return all.pop().expect("one is there");
    }
    let right = all.split_off(all.len().div_ceil(2));
    Expr::binary(operator, balanced(operator, all), balanced(operator, right))
}
