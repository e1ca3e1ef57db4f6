//! What can be said of a script before it runs: its imports, and names that nothing defines.

use super::failure::{Failure, Refused};
use super::library;
use crate::proto::flux::{
    Body, Expression, ExpressionKind, File, Function, Property, Span, Statement, StringPart, place,
};

/// The first mistakes are refused all together.
pub fn check(text: &str, file: &File) -> Result<(), Failure> {
    for import in &file.imports {
        if !library::is_package(&import.path) {
            let quoted = format!("\"{}\"", import.path);
            let start = text.find(&quoted).unwrap_or(0);
            let (start, end) = (place(text, start), place(text, start + quoted.len()));
            let path = &import.path;
            return Failure::invalid(format!("error @{start}-{end}: invalid import path {path}"));
        }
    }
    let own = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
    let names =
        file.imports.iter().map(|import| import.alias.clone().unwrap_or_else(|| own(&import.path)));
    let mut checker = Checker { text, names: names.collect(), faults: Vec::new() };
    checker.block(&file.statements, true);
    if checker.faults.is_empty() {
        checker.faults = super::typed::mistakes(&file.statements);
        checker.faults.truncate(FAULTS_MAX);
    }
    if checker.faults.is_empty() {
        return Ok(());
    }
    let said = checker.faults.iter().map(|(span, what)| {
        format!("error @{}-{}: {what}", place(text, span.start), place(text, span.end))
    });
    Err(Refused::invalid(said.collect::<Vec<_>>().join("\n\n")).into())
}

/// So many mistakes are told.
const FAULTS_MAX: usize = 20;

struct Checker<'t> {
    text: &'t str,
    /// In sight, inner ones last.
    names: Vec<String>,
    faults: Vec<(Span, String)>,
}

impl Checker<'_> {
    fn fault(&mut self, span: Span, what: impl Into<String>) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push((span, what.into()));
        }
    }

    /// The statement of an expression, which begins with a word.
    fn statement_of(&self, word: &str, span: Span) -> Span {
        let start = self.text[..span.start].rfind(word).unwrap_or(span.start);
        Span { start, end: span.end }
    }

    fn block(&mut self, statements: &[Statement], is_file: bool) {
        let outer = self.names.len();
        for statement in statements {
            match statement {
                Statement::Assign { name, value } => {
                    self.expression(value);
                    if self.names[outer..].contains(name) {
                        let span = self.statement_of(name, value.span);
                        self.fault(span, format!("variable \"{name}\" reassigned"));
                    }
                    self.names.push(name.clone());
                }
                Statement::Option { package, name, value } => {
                    self.expression(value);
                    if package.is_none() {
                        self.names.push(name.clone());
                    }
                }
                Statement::Return(value) => {
                    if is_file {
                        let span = self.statement_of("return", value.span);
                        self.fault(span, "return not valid in file block");
                    }
                    self.expression(value);
                }
                Statement::Expression(value) => self.expression(value),
                Statement::Builtin(_) | Statement::TestCase { .. } => {}
            }
        }
        self.names.truncate(outer);
    }

    fn name(&mut self, name: &str, span: Span) {
        let is_known = self.names.iter().any(|known| known == name)
            || library::universal(name).is_some()
            || library::is_known(name);
        if !is_known {
            self.fault(span, format!("undefined identifier {name}"));
        }
    }

    fn properties(&mut self, properties: &[Property], span: Span) {
        for property in properties {
            match &property.value {
                Some(value) => self.expression(value),
                None => self.name(&property.name, span),
            }
        }
    }

    fn expression(&mut self, expression: &Expression) {
        match &expression.kind {
            ExpressionKind::Identifier(name) => self.name(name, expression.span),
            ExpressionKind::Interpolated(parts) => {
                for part in parts {
                    if let StringPart::Value(value) = part {
                        self.expression(value);
                    }
                }
            }
            ExpressionKind::Array(items) => items.iter().for_each(|item| self.expression(item)),
            ExpressionKind::Dictionary(pairs) => pairs.iter().for_each(|(key, value)| {
                self.expression(key);
                self.expression(value);
            }),
            ExpressionKind::Record { with, properties } => {
                if let Some(with) = with {
                    self.name(with, expression.span);
                }
                self.properties(properties, expression.span);
            }
            ExpressionKind::Function(function) => self.function(function, expression.span),
            ExpressionKind::Call { callee, arguments } => {
                self.expression(callee);
                self.properties(arguments, expression.span);
            }
            ExpressionKind::Member { object, .. } => self.expression(object),
            ExpressionKind::Index { object, index } => {
                self.expression(object);
                self.expression(index);
            }
            ExpressionKind::Pipe { source, calls } => {
                self.expression(source);
                calls.iter().for_each(|call| self.expression(call));
            }
            ExpressionKind::Unary { operand, .. } => self.expression(operand),
            ExpressionKind::Chain { first, rest } => {
                self.expression(first);
                rest.iter().for_each(|(_, operand)| self.expression(operand));
            }
            ExpressionKind::Conditional { test, consequent, alternate } => {
                [test, consequent, alternate].into_iter().for_each(|part| self.expression(part));
            }
            _ => {}
        }
    }

    fn function(&mut self, function: &Function, span: Span) {
        let is_pipe = |default: &Option<Expression>| {
            matches!(default, Some(Expression { kind: ExpressionKind::PipeInput, .. }))
        };
        if function.parameters.iter().filter(|one| is_pipe(&one.default)).count() > 1 {
            self.fault(span, "function types can have at most one pipe parameter");
        }
        for parameter in &function.parameters {
            if let Some(default) =
                parameter.default.as_ref().filter(|_| !is_pipe(&parameter.default))
            {
                self.expression(default);
            }
        }
        let outer = self.names.len();
        self.names.extend(function.parameters.iter().map(|parameter| parameter.name.clone()));
        match &function.body {
            Body::Expression(body) => self.expression(body),
            Body::Block(statements) => {
                if !matches!(statements.last(), Some(Statement::Return(_))) {
                    self.fault(span, "missing return statement in block");
                }
                self.block(statements, false);
            }
        }
        self.names.truncate(outer);
    }
}
