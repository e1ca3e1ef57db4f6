//! Calls: of functions of the script and of Flux.

use super::call::{Arguments, Call};
use super::failure::{Failure, Refused};
use super::interpret::Interpreter;
use super::scope::Scope;
use super::value::{Closure, Value};
use crate::proto::flux::{Body, Expression, ExpressionKind, Property, Span};

impl Interpreter<'_> {
    pub(super) fn call(
        &self,
        callee: &Expression,
        arguments: &[Property],
        piped: Option<Value>,
        span: Span,
        scope: &Scope,
    ) -> Result<Value, Failure> {
        let callee = self.evaluate(callee, scope)?;
        let mut given = Arguments { piped, ..Arguments::default() };
        for property in arguments {
            let value = self.property(property, span, scope)?;
            let place = property.value.as_ref().map_or(span, |value| value.span);
            given.named.push((property.name.as_str().into(), value, place));
        }
        self.apply(&callee, given, span)
    }

    /// Calls a function, of the script or of Flux.
    pub fn apply(&self, callee: &Value, given: Arguments, span: Span) -> Result<Value, Failure> {
        match callee {
            Value::Function(closure) => self.apply_closure(closure, given, span),
            Value::Builtin(builtin) => {
                let call = Call::new(self, builtin, given, span)?;
                let place = call.place.clone();
                (builtin.run)(&call).map_err(|failure| match self.in_rows.get() {
                    // The stage says where it is.
                    true => failure,
                    false => called(failure, builtin.name, &place),
                })
            }
            other => self.error(span, format!("expected function but found {}", other.type_name())),
        }
    }

    pub(super) fn apply_closure(
        &self,
        closure: &Closure,
        mut given: Arguments,
        span: Span,
    ) -> Result<Value, Failure> {
        let mut scope = closure.scope.clone();
        let names = || closure.function.parameters.iter().map(|parameter| &*parameter.name);
        if let Some((name, ..)) =
            given.named.iter().find(|(name, ..)| !names().any(|n| *n == **name))
        {
            return self.error(span, super::call::unexpected(name, names()));
        }
        for (parameter, own) in closure.function.parameters.iter().zip(&closure.names) {
            let is_pipe = matches!(
                &parameter.default,
                Some(Expression { kind: ExpressionKind::PipeInput, .. })
            );
            let named = given.named.iter().find(|(name, ..)| **name == *parameter.name);
            let value = match (named, &parameter.default) {
                (Some((_, value, _)), _) => value.clone(),
                (None, Some(_)) if is_pipe => match given.piped.take() {
                    Some(piped) => piped,
                    None => return self.missing(&parameter.name, span),
                },
                (None, Some(default)) => self.evaluate(default, &closure.scope)?,
                (None, None) => return self.missing(&parameter.name, span),
            };
            scope = scope.with(own, value);
        }
        if given.piped.is_some() {
            return self.error(span, "function does not take a pipe argument");
        }
        self.body(&closure.function.body, scope)
    }

    pub(super) fn missing(&self, name: &str, span: Span) -> Result<Value, Failure> {
        self.error(span, format!("missing required argument {name}"))
    }

    /// Calls a function of rows.
    pub fn apply_row(&self, function: &Value, values: &[(&str, Value)]) -> Result<Value, Failure> {
        let before = self.in_rows.replace(true);
        let value = self.apply_names(function, values);
        self.in_rows.set(before);
        value
    }

    /// A part of a function of rows.
    pub fn evaluate_in_row(&self, part: &Expression, scope: &Scope) -> Result<Value, Failure> {
        let before = self.in_rows.replace(true);
        let value = self.evaluate(part, scope);
        self.in_rows.set(before);
        value
    }

    fn apply_names(&self, function: &Value, values: &[(&str, Value)]) -> Result<Value, Failure> {
        let Value::Function(closure) = function else {
            let named = values
                .iter()
                .map(|(name, value)| ((*name).into(), value.clone(), Span { start: 0, end: 0 }));
            let given = Arguments { named: named.collect(), piped: None };
            return self.apply(function, given, Span { start: 0, end: 0 });
        };
        let mut scope = closure.scope.clone();
        for (parameter, own) in closure.function.parameters.iter().zip(&closure.names) {
            let value = values.iter().find(|(name, _)| *name == parameter.name);
            let value = match (value, &parameter.default) {
                (Some((_, value)), _) => value.clone(),
                (None, Some(default)) => self.evaluate(default, &closure.scope)?,
                (None, None) => Value::Null,
            };
            scope = scope.with(own, value);
        }
        self.body(&closure.function.body, scope)
    }

    pub(super) fn body(&self, body: &Body, scope: Scope) -> Result<Value, Failure> {
        match body {
            Body::Expression(expression) => self.evaluate(expression, &scope),
            Body::Block(statements) => self.block(statements, scope, false),
        }
    }
}

/// The words that InfluxDB puts before the error of a function that the script calls.
fn called(failure: Failure, name: &str, place: &str) -> Failure {
    let is_placed = matches!(&failure, Failure::Refused(Refused { message, .. })
        if message.starts_with("error @") || message.starts_with("runtime error") || message.starts_with("compilation"));
    if is_placed {
        return failure;
    }
    failure.after(format_args!("error calling function \"{name}\" @{place}: "))
}
