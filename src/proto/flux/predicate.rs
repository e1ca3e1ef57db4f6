//! Which measurements a filter can admit.

use super::ast::{Body, Expression, ExpressionKind, Function, Operator, Statement};
use super::evaluate::Evaluator;
use super::reads::Measurements;
use super::value::{Arguments, Scope, Value};

impl<'a> Evaluator<'a> {
    /// The measurements of the rows for which the function can be true. The first parameter is the
    /// row; anything that is not understood admits all.
    pub(super) fn predicate(&mut self, function: &'a Function, scope: Scope) -> Measurements {
        let [row] = function.parameters.as_slice() else { return Measurements::All };
        let inner = self.bind(&row.name, Value::Row, scope);
        self.body_admits(function, inner)
    }

    fn body_admits(&mut self, function: &'a Function, scope: Scope) -> Measurements {
        match &function.body {
            Body::Expression(expression) => self.admits(expression, scope),
            Body::Block(statements) => match statements.as_slice() {
                [Statement::Return(expression)] => self.admits(expression, scope),
                _ => Measurements::All,
            },
        }
    }

    fn admits(&mut self, expression: &'a Expression, scope: Scope) -> Measurements {
        match &expression.kind {
            ExpressionKind::Chain { first, rest } => self.chain_admits(first, rest, scope),
            ExpressionKind::Call { callee, arguments } => {
                let callee = self.evaluate(callee, scope);
                let named = arguments.iter().map(|argument| {
                    let value = self.property(argument, scope);
                    (argument.name.as_str(), value)
                });
                let arguments = Arguments { named: named.collect(), piped: None };
                match callee {
                    Value::Known(path) if &*path == "contains" => self.contained(&arguments),
                    _ => Measurements::All,
                }
            }
            _ => Measurements::All,
        }
    }

    fn chain_admits(
        &mut self,
        first: &'a Expression,
        rest: &'a [(Operator, Expression)],
        scope: Scope,
    ) -> Measurements {
        match rest {
            [(Operator::Equal, second)] => {
                let (first, second) = (self.evaluate(first, scope), self.evaluate(second, scope));
                match (first, second) {
                    (Value::RowMeasurement, Value::Text(name))
                    | (Value::Text(name), Value::RowMeasurement) => Measurements::one(&name),
                    _ => Measurements::All,
                }
            }
            [(Operator::And, _), ..] => {
                let mut admitted = self.admits(first, scope);
                for (_, operand) in rest {
                    admitted = admitted.and(self.admits(operand, scope));
                }
                admitted
            }
            [(Operator::Or, _), ..] => {
                let mut admitted = self.admits(first, scope);
                for (_, operand) in rest {
                    admitted = admitted.or(self.admits(operand, scope));
                }
                admitted
            }
            _ => Measurements::All,
        }
    }

    /// `contains(value: r._measurement, set: [...])` with a set of texts.
    fn contained(&mut self, arguments: &Arguments<'a>) -> Measurements {
        let (Some(Value::RowMeasurement), Some(Value::List(list))) =
            (arguments.get("value"), arguments.get("set"))
        else {
            return Measurements::All;
        };
        self.cost(self.lists[*list].len());
        let names = self.lists[*list].iter().map(|item| match item {
            Value::Text(name) => Some(name.to_string()),
            _ => None,
        });
        names.collect::<Option<_>>().map_or(Measurements::All, Measurements::Only)
    }
}
