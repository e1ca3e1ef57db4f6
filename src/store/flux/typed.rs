//! Types that are plain to see before a script runs: those of literals, of names bound to them, and of the columns
//! that every read has. What is not plain has no type here, and whatever runs later may still refuse it.

use crate::proto::flux::{
    Body, Expression, ExpressionKind, Function, Operator, Property, Span, Statement, StringPart,
    UnaryOperator,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Integer,
    Float,
    String,
    Boolean,
    Time,
    Duration,
    Regex,
    /// A row of a read that nothing has changed yet.
    Row,
    /// Tables as they are read.
    Stored,
}

impl Type {
    fn name(self) -> &'static str {
        match self {
            Type::Integer => "int",
            Type::Float => "float",
            Type::String => "string",
            Type::Boolean => "bool",
            Type::Time => "time",
            Type::Duration => "duration",
            Type::Regex => "regexp",
            Type::Row => "record",
            Type::Stored => "stream[A]",
        }
    }

    fn is_number(self) -> bool {
        matches!(self, Type::Integer | Type::Float)
    }
}

/// What stands in the wrong place, in the order of the script.
pub fn mistakes(statements: &[Statement]) -> Vec<(Span, String)> {
    let mut typer = Typer { names: Vec::new(), faults: Vec::new() };
    typer.block(statements);
    typer.faults
}

struct Typer {
    /// In sight, inner ones last.
    names: Vec<(String, Option<Type>)>,
    faults: Vec<(Span, String)>,
}

impl Typer {
    fn expected(&mut self, wanted: &str, found: Type, span: Span, argument: &str) {
        let found = found.name();
        let argument = match argument {
            "" => String::new(),
            name => format!(" (argument {name})"),
        };
        self.faults.push((span, format!("expected {wanted} but found {found}{argument}")));
    }

    /// The type of what it returns.
    fn block(&mut self, statements: &[Statement]) -> Option<Type> {
        let outer = self.names.len();
        let mut returned = None;
        for statement in statements {
            match statement {
                Statement::Assign { name, value } | Statement::Option { name, value, .. } => {
                    let of = self.expression(value);
                    self.names.push((name.clone(), of));
                }
                Statement::Return(value) => returned = self.expression(value),
                Statement::Expression(value) => drop(self.expression(value)),
                Statement::Builtin(_) | Statement::TestCase { .. } => {}
            }
        }
        self.names.truncate(outer);
        returned
    }

    fn expression(&mut self, expression: &Expression) -> Option<Type> {
        match &expression.kind {
            ExpressionKind::Integer(_) => Some(Type::Integer),
            ExpressionKind::Float(_) => Some(Type::Float),
            ExpressionKind::String(_) => Some(Type::String),
            ExpressionKind::Boolean(_) => Some(Type::Boolean),
            ExpressionKind::Time(_) => Some(Type::Time),
            ExpressionKind::Duration(_) => Some(Type::Duration),
            ExpressionKind::Regex(_) => Some(Type::Regex),
            ExpressionKind::Interpolated(parts) => {
                for part in parts {
                    if let StringPart::Value(value) = part {
                        self.expression(value);
                    }
                }
                Some(Type::String)
            }
            ExpressionKind::Identifier(name) => {
                self.names.iter().rev().find(|(known, _)| known == name)?.1
            }
            ExpressionKind::Member { object, name } => match (self.expression(object)?, &**name) {
                (Type::Row, "_measurement" | "_field") => Some(Type::String),
                (Type::Row, "_time" | "_start" | "_stop") => Some(Type::Time),
                _ => None,
            },
            ExpressionKind::Unary { operator, operand } => self.unary(*operator, operand),
            ExpressionKind::Chain { first, rest } => self.chain(first, rest),
            ExpressionKind::Conditional { test, consequent, alternate } => {
                self.boolean(test);
                let (first, second) = (self.expression(consequent), self.expression(alternate));
                self.same(first, second, alternate.span)
            }
            ExpressionKind::Call { callee, arguments } => self.call(callee, arguments, None),
            ExpressionKind::Pipe { source, calls } => {
                let (mut piped, mut span) = (self.expression(source), source.span);
                for call in calls {
                    if let ExpressionKind::Call { callee, arguments } = &call.kind {
                        piped = self.call(callee, arguments, Some((piped, span)));
                        span = Span { start: span.start, end: call.span.end };
                    }
                }
                piped
            }
            _ => self.others(expression),
        }
    }

    /// Expressions whose own type is not followed.
    fn others(&mut self, expression: &Expression) -> Option<Type> {
        match &expression.kind {
            ExpressionKind::Array(items) => {
                let mut first = None;
                for item in items {
                    let of = self.expression(item);
                    self.same(first, of, item.span);
                    first = first.or(of);
                }
            }
            ExpressionKind::Dictionary(pairs) => {
                for (key, value) in pairs {
                    self.expression(key);
                    self.expression(value);
                }
            }
            ExpressionKind::Record { properties, .. } => {
                properties.iter().filter_map(|one| one.value.as_ref()).for_each(|value| {
                    self.expression(value);
                });
            }
            ExpressionKind::Function(function) => drop(self.function(function, None)),
            ExpressionKind::Index { object, index } => {
                self.expression(object);
                self.expression(index);
            }
            _ => {}
        }
        None
    }

    fn same(&mut self, first: Option<Type>, second: Option<Type>, span: Span) -> Option<Type> {
        if let (Some(first), Some(second)) = (first, second)
            && first != second
        {
            self.expected(first.name(), second, span, "");
        }
        first.or(second)
    }

    fn boolean(&mut self, expression: &Expression) {
        if let Some(found) = self.expression(expression)
            && found != Type::Boolean
        {
            self.expected("bool", found, expression.span, "");
        }
    }

    fn unary(&mut self, operator: UnaryOperator, operand: &Expression) -> Option<Type> {
        match operator {
            UnaryOperator::Not => {
                self.boolean(operand);
                Some(Type::Boolean)
            }
            UnaryOperator::Exists => {
                self.expression(operand);
                Some(Type::Boolean)
            }
            UnaryOperator::Minus | UnaryOperator::Plus => self.expression(operand),
        }
    }

    fn chain(&mut self, first: &Expression, rest: &[(Operator, Expression)]) -> Option<Type> {
        if matches!(rest.first(), Some((Operator::And | Operator::Or, _))) {
            self.boolean(first);
            rest.iter().for_each(|(_, operand)| self.boolean(operand));
            return Some(Type::Boolean);
        }
        let mut left = self.expression(first);
        for (operator, operand) in rest {
            let right = self.expression(operand);
            left = match operator {
                Operator::Matches | Operator::MatchesNot => {
                    if let Some(found) = right.filter(|found| *found != Type::Regex) {
                        self.expected("regexp", found, operand.span, "");
                    }
                    Some(Type::Boolean)
                }
                _ if operator.precedence() == Operator::Equal.precedence() => {
                    let both = left.zip(right);
                    if !both.is_some_and(|(a, b)| a.is_number() && b.is_number()) {
                        self.same(left, right, operand.span);
                    }
                    Some(Type::Boolean)
                }
                // A power of integers is a float that says that it is an integer.
                Operator::Power => {
                    self.same(left, right, operand.span);
                    None
                }
                _ => self.same(left, right, operand.span),
            };
        }
        left
    }

    fn function(&mut self, function: &Function, row: Option<Type>) -> Option<Type> {
        let outer = self.names.len();
        for parameter in &function.parameters {
            if let Some(default) = &parameter.default {
                self.expression(default);
            }
            // An argument may be of another type than the default.
            self.names.push((parameter.name.clone(), row));
        }
        let returned = match &function.body {
            Body::Expression(body) => self.expression(body),
            Body::Block(statements) => self.block(statements),
        };
        self.names.truncate(outer);
        returned
    }

    fn call(
        &mut self,
        callee: &Expression,
        arguments: &[Property],
        piped: Option<(Option<Type>, Span)>,
    ) -> Option<Type> {
        let name = match &callee.kind {
            ExpressionKind::Identifier(name)
                if !self.names.iter().any(|(known, _)| known == name) =>
            {
                name.as_str()
            }
            _ => "",
        };
        if name.is_empty() {
            self.expression(callee);
        }
        let is_stored = matches!(piped, Some((Some(Type::Stored), _)));
        for argument in arguments {
            let Some(value) = &argument.value else { continue };
            match (&value.kind, name, &*argument.name) {
                (ExpressionKind::Function(function), "filter", "fn") => {
                    let row = is_stored.then_some(Type::Row);
                    self.parameters(function, value.span, &["r"]);
                    let found = self.function(function, row);
                    if let Some(found) = found.filter(|found| *found != Type::Boolean) {
                        let span = piped.map_or(value.span, |(_, span)| span);
                        self.expected("bool", found, span, "tables");
                    }
                }
                (ExpressionKind::Function(function), "map", "fn") => {
                    self.parameters(function, value.span, &["r"]);
                    self.function(function, is_stored.then_some(Type::Row));
                }
                (ExpressionKind::Function(function), "reduce", "fn") => {
                    self.parameters(function, value.span, &["r", "accumulator"]);
                    self.function(function, None);
                }
                _ => drop(self.expression(value)),
            }
        }
        match name {
            "from" => Some(Type::Stored),
            "range" | "filter" if is_stored => Some(Type::Stored),
            "int" => Some(Type::Integer),
            "float" => Some(Type::Float),
            "string" => Some(Type::String),
            "bool" => Some(Type::Boolean),
            "time" | "now" => Some(Type::Time),
            "duration" => Some(Type::Duration),
            _ => None,
        }
    }

    /// A function of rows must take these names.
    fn parameters(&mut self, function: &Function, span: Span, wanted: &[&str]) {
        let list: Vec<String> = wanted.iter().map(|name| format!("`{name}`")).collect();
        let list = list.join(" or ");
        let list = if wanted.len() > 1 { format!("one of {list}") } else { list };
        for parameter in function.parameters.iter().filter(|one| one.default.is_none()) {
            let name = parameter.name.as_str();
            if !wanted.contains(&name) {
                let what =
                    format!("found unexpected argument {name} (Expected {list}) (argument fn)");
                self.faults.push((span, what));
            }
        }
        for name in wanted {
            if !function.parameters.iter().any(|parameter| parameter.name == *name) {
                self.faults.push((span, format!("missing required argument {name} (argument fn)")));
            }
        }
    }
}
