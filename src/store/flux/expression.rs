//! Expressions, each kind by itself.

use std::rc::Rc;

use super::failure::Failure;
use super::interpret::Interpreter;
use super::interval::Interval;
use super::library;
use super::operate::{self, truth};
use super::scope::Scope;
use super::value::{Fields, Value, set_field};
use crate::proto::flux::{
    Expression, ExpressionKind, Operator, Property, Span, StringPart, UnaryOperator,
};
use crate::proto::moment;

impl Interpreter<'_> {
    pub(super) fn literal(&self, expression: &Expression) -> Result<Value, Failure> {
        let span = expression.span;
        match &expression.kind {
            ExpressionKind::Duration(parts) => match Interval::of(parts) {
                Some(interval) => Ok(Value::Duration(interval)),
                None => self.error(span, "invalid expression: invalid duration literal"),
            },
            ExpressionKind::Time(text) => {
                let midnight = format!("{text}T00:00:00Z");
                let text = if text.len() == 10 { &midnight } else { text };
                match moment::rfc3339(text).and_then(|time| i64::try_from(time).ok()) {
                    Some(time) => Ok(Value::Time(time)),
                    None => self.error(
                        span,
                        "invalid expression: invalid date time literal, missing time offset",
                    ),
                }
            }
            ExpressionKind::Regex(text) => match regex::Regex::new(text) {
                Ok(regex) => Ok(Value::Regex(Rc::new(regex))),
                Err(error) => {
                    let error = error.to_string();
                    let last = error.lines().last().unwrap_or_default().to_owned();
                    let message = format!(
                        "compilation failed: error @{}: regex parse error: {text}  {last}",
                        self.place(span)
                    );
                    Failure::invalid(message)
                }
            },
            _ => unreachable!("only literals come here"),
        }
    }

    /// What a name means: of the script, of an import, of Flux.
    pub(super) fn named(&self, name: &str, span: Span, scope: &Scope) -> Result<Value, Failure> {
        if let Some(value) = scope.get(name) {
            return Ok(value.clone());
        }
        if let Some((_, path)) = self.imports.iter().find(|(known, _)| **known == *name) {
            return Ok(Value::Package(path.clone()));
        }
        match library::universal(name) {
            Some(value) => Ok(value),
            None if library::is_known(name) => {
                self.error(span, format!("the function {name} is not supported by this store"))
            }
            None => self.error(span, format!("undefined identifier {name}")),
        }
    }

    pub(super) fn interpolated(
        &self,
        parts: &[StringPart],
        scope: &Scope,
    ) -> Result<Value, Failure> {
        let mut text = String::new();
        for part in parts {
            match part {
                StringPart::Text(part) => text.push_str(part),
                StringPart::Value(expression) => {
                    let value = self.evaluate(expression, scope)?;
                    match super::convert::text(&value) {
                        Some(part) => text.push_str(&part),
                        None => return Failure::invalid("invalid interpolation type"),
                    }
                }
            }
        }
        Ok(Value::String(text.into()))
    }

    pub(super) fn array(&self, items: Vec<Value>, whole: &Expression) -> Result<Value, Failure> {
        let ExpressionKind::Array(written) = &whole.kind else {
            return Value::array(items);
        };
        let first = items.iter().find(|item| !item.is_null());
        for (item, expression) in items.iter().zip(written) {
            if let (Some(expected), Some(found)) = (first.and_then(Value::kind), item.kind())
                && expected != found
            {
                let (expected, found) = (expected.name(), found.name());
                let message = format!("expected {expected} but found {found}");
                return self.error(expression.span, message);
            }
        }
        Value::array(items)
    }

    pub(super) fn dictionary(
        &self,
        pairs: &[(Expression, Expression)],
        scope: &Scope,
    ) -> Result<Value, Failure> {
        let mut made = Vec::new();
        for (key, value) in pairs {
            made.push((self.evaluate(key, scope)?, self.evaluate(value, scope)?));
        }
        library::dictionary(made)
    }

    pub(super) fn record(
        &self,
        with: Option<&str>,
        properties: &[Property],
        span: Span,
        scope: &Scope,
    ) -> Result<Value, Failure> {
        let mut fields = match with {
            None => Fields::new(),
            Some(name) => match self.named(name, span, scope)?.fields() {
                Some(fields) => fields,
                None => return self.error(span, format!("{name} is no record")),
            },
        };
        for property in properties {
            let value = self.property(property, span, scope)?;
            set_field(&mut fields, &property.name.as_str().into(), value);
        }
        Value::record(fields)
    }

    pub(super) fn property(
        &self,
        property: &Property,
        span: Span,
        scope: &Scope,
    ) -> Result<Value, Failure> {
        match &property.value {
            Some(value) => self.evaluate(value, scope),
            None => self.named(&property.name, span, scope),
        }
    }

    pub(super) fn member(&self, object: &Value, name: &str, span: Span) -> Result<Value, Failure> {
        match object {
            // A row that lacks the column has null there.
            Value::Row(table, row) => {
                Ok(table.column(name).map_or(Value::Null, |column| column.get(*row)))
            }
            Value::Record(_) => match object.field(name) {
                Some(value) => Ok(value),
                None => self.error(span, format!("record is missing label {name}")),
            },
            Value::Package(path) => match library::member(path, name) {
                Some(value) => Ok(value),
                None => {
                    let message = format!("record is missing label {name}");
                    let hint = format!("{message} (what this store knows of the package {path})");
                    self.error(span, hint)
                }
            },
            Value::Null => Ok(Value::Null),
            other => {
                let found = other.type_name();
                self.error(
                    span,
                    format!("expected {{A with {name}: B}} (record) but found {found}"),
                )
            }
        }
    }

    pub(super) fn index(&self, object: &Value, at: &Value, span: Span) -> Result<Value, Failure> {
        match (object, at) {
            (Value::Array(items), Value::Integer(at)) => {
                let length = items.inner.len();
                match usize::try_from(*at).ok().and_then(|at| items.inner.get(at)) {
                    Some(item) => Ok(item.clone()),
                    None => Failure::invalid(format!(
                        "cannot access element {at} of array of length {length}"
                    )),
                }
            }
            (Value::Array(_), other) => {
                self.error(span, format!("expected int but found {}", other.type_name()))
            }
            // A name that is worked out is a member, too.
            (object, Value::String(name)) => self.member(object, name, span),
            (other, _) => {
                self.error(span, format!("expected [A] (array) but found {}", other.type_name()))
            }
        }
    }

    pub(super) fn unary(
        &self,
        operator: UnaryOperator,
        value: Value,
        span: Span,
    ) -> Result<Value, Failure> {
        match operator {
            UnaryOperator::Exists => Ok(Value::Boolean(!value.is_null())),
            UnaryOperator::Plus => Ok(value),
            UnaryOperator::Not => match truth(&value) {
                Ok(truth) => Ok(truth.map_or(Value::Null, |truth| Value::Boolean(!truth))),
                Err(found) => self.error(span, format!("expected bool but found {found}")),
            },
            UnaryOperator::Minus => match value {
                Value::Integer(number) => Ok(Value::Integer(number.wrapping_neg())),
                Value::Float(number) => Ok(Value::Float(-number)),
                Value::Duration(interval) => Ok(Value::Duration(interval.negated())),
                Value::Null => Ok(Value::Null),
                other => self.error(span, format!("{} is not Negatable", other.type_name())),
            },
        }
    }

    pub(super) fn chain(
        &self,
        first: &Expression,
        rest: &[(Operator, Expression)],
        scope: &Scope,
    ) -> Result<Value, Failure> {
        let mut left = self.evaluate(first, scope)?;
        for (operator, operand) in rest {
            left = match operator {
                Operator::And | Operator::Or => {
                    self.logical(*operator, &left, first, operand, scope)?
                }
                _ => {
                    let right = self.evaluate(operand, scope)?;
                    operate::binary(*operator, &left, &right).map_err(|failure| {
                        // What a literal is, the other side has to be.
                        match is_literal(operand) {
                            true => operate::conflict(*operator, &right, &left).unwrap_or(failure),
                            false => failure,
                        }
                    })?
                }
            };
        }
        Ok(left)
    }

    pub(super) fn logical(
        &self,
        operator: Operator,
        left: &Value,
        first: &Expression,
        operand: &Expression,
        scope: &Scope,
    ) -> Result<Value, Failure> {
        let wanted = |found: String, span| {
            self.error::<Option<bool>>(span, format!("expected bool but found {found}"))
        };
        // The value that decides alone.
        let decisive = operator == Operator::Or;
        let left = truth(left).or_else(|found| wanted(found, first.span))?;
        if left == Some(decisive) {
            return Ok(Value::Boolean(decisive));
        }
        let right = truth(&self.evaluate(operand, scope)?);
        let right = right.or_else(|found| wanted(found, operand.span))?;
        Ok(match (left, right) {
            (_, Some(right)) if right == decisive => Value::Boolean(decisive),
            (Some(_), Some(right)) => Value::Boolean(right),
            _ => Value::Null,
        })
    }
}

fn is_literal(expression: &Expression) -> bool {
    matches!(
        expression.kind,
        ExpressionKind::Integer(_)
            | ExpressionKind::Float(_)
            | ExpressionKind::String(_)
            | ExpressionKind::Boolean(_)
    )
}
