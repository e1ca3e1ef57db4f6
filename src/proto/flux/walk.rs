//! Visits every expression of a script.

use super::ast::{Body, Expression, ExpressionKind, Property, Statement, StringPart};

/// Visits every expression.
pub(super) fn walk_statements<'a>(
    statements: &'a [Statement],
    visit: &mut impl FnMut(&'a Expression),
) {
    for statement in statements {
        match statement {
            Statement::Assign { value, .. } | Statement::Option { value, .. } => {
                walk(value, visit);
            }
            Statement::Return(value) | Statement::Expression(value) => walk(value, visit),
            Statement::TestCase { body, .. } => walk_statements(body, visit),
            Statement::Builtin(_) => {}
        }
    }
}

fn walk<'a>(expression: &'a Expression, visit: &mut impl FnMut(&'a Expression)) {
    visit(expression);
    let mut walk_properties = |properties: &'a [Property]| {
        properties.iter().filter_map(|p| p.value.as_ref()).for_each(|value| walk(value, visit));
    };
    match &expression.kind {
        ExpressionKind::Record { properties, .. } => walk_properties(properties),
        ExpressionKind::Call { callee, arguments } => {
            walk_properties(arguments);
            walk(callee, visit);
        }
        ExpressionKind::Interpolated(parts) => {
            for part in parts {
                if let StringPart::Value(value) = part {
                    walk(value, visit);
                }
            }
        }
        ExpressionKind::Array(items) => items.iter().for_each(|item| walk(item, visit)),
        ExpressionKind::Dictionary(pairs) => pairs.iter().for_each(|(key, value)| {
            walk(key, visit);
            walk(value, visit);
        }),
        ExpressionKind::Function(function) => {
            let defaults = function.parameters.iter().filter_map(|p| p.default.as_ref());
            defaults.for_each(|default| walk(default, visit));
            match &function.body {
                Body::Expression(body) => walk(body, visit),
                Body::Block(body) => walk_statements(body, visit),
            }
        }
        ExpressionKind::Member { object, .. } => walk(object, visit),
        ExpressionKind::Unary { operand, .. } => walk(operand, visit),
        ExpressionKind::Index { object, index } => {
            walk(object, visit);
            walk(index, visit);
        }
        ExpressionKind::Pipe { source, calls } => {
            walk(source, visit);
            calls.iter().for_each(|call| walk(call, visit));
        }
        ExpressionKind::Chain { first, rest } => {
            walk(first, visit);
            rest.iter().for_each(|(_, operand)| walk(operand, visit));
        }
        ExpressionKind::Conditional { test, consequent, alternate } => {
            [test, consequent, alternate].into_iter().for_each(|part| walk(part, visit));
        }
        _ => {}
    }
}
