//! The interpreter: statements, names, expressions, calls.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::call::{Arguments, Call};
use super::failure::{Failure, Refused};
use super::interval::Interval;
use super::library;
use super::node::{DEPTH_MAX as STAGES_MAX, Location, Node, Op, Stream};
use super::operate::{self, truth};
use super::scope::Scope;
use super::value::{Closure, Fields, Value, set_field};
use crate::proto::flux::{
    Body, Expression, ExpressionKind, File, Operator, Property, Span, Statement, StringPart,
    UnaryOperator, place,
};
use crate::proto::moment;
use crate::store::guard::Guard;
use crate::store::view::Catalog;

/// Evaluations inside each other: a stack of two MiB has room for them.
const DEPTH_MAX: u32 = 250;
/// How often the guard is asked.
const STEPS_PER_CHECK: u32 = 4096;

/// What the evaluation of one script knows.
pub struct Interpreter<'q> {
    pub text: &'q str,
    pub catalog: &'q dyn Catalog,
    pub guard: &'q Guard,
    pub organization: &'q str,
    pub now: Cell<i64>,
    pub location: RefCell<Location>,
    /// Names and paths of imports.
    imports: Vec<(Rc<str>, Rc<str>)>,
    nodes: Cell<usize>,
    depth: Cell<u32>,
    steps: Cell<u32>,
    /// Streams that stand as statements.
    pub results: RefCell<Vec<Stream>>,
}

impl<'q> Interpreter<'q> {
    pub fn new(
        text: &'q str,
        file: &File,
        catalog: &'q dyn Catalog,
        guard: &'q Guard,
        organization: &'q str,
        now: i64,
    ) -> Interpreter<'q> {
        let own = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
        let named = file.imports.iter().map(|import| {
            let name = import.alias.clone().unwrap_or_else(|| own(&import.path));
            (name.into(), import.path.as_str().into())
        });
        Interpreter {
            text,
            catalog,
            guard,
            organization,
            now: Cell::new(now),
            location: RefCell::default(),
            imports: named.collect(),
            nodes: Cell::new(0),
            depth: Cell::new(0),
            steps: Cell::new(0),
            results: RefCell::default(),
        }
    }

    /// `1:2-3:4`
    pub fn place(&self, span: Span) -> Rc<str> {
        format!("{}-{}", place(self.text, span.start), place(self.text, span.end)).into()
    }

    /// An error of the kind that InfluxDB finds before it runs anything.
    pub fn error<T>(&self, span: Span, what: impl std::fmt::Display) -> Result<T, Failure> {
        Failure::invalid(format!("error @{}: {what}", self.place(span)))
    }

    /// A new stage of the plan.
    pub fn node(
        &self,
        name: &'static str,
        place: &Rc<str>,
        op: Op,
        inputs: Vec<Stream>,
    ) -> Result<Value, Failure> {
        let depth = inputs.iter().map(|input| input.depth).max().unwrap_or(0) + 1;
        if depth > STAGES_MAX {
            return Failure::invalid(format!("error @{place}: more than {STAGES_MAX} stages"));
        }
        self.nodes.set(self.nodes.get() + 1);
        let bounds = Node::bounds_of(&op, &inputs);
        let (id, place) = (self.nodes.get(), place.clone());
        Ok(Value::Stream(Rc::new(Node { id, name, place, op, inputs, depth, bounds })))
    }

    /// Runs the statements of the file; its streams are in `results` then.
    pub fn run(&self, file: &File) -> Result<(), Failure> {
        self.block(&file.statements, Scope::default(), true).map(drop)
    }

    fn block(
        &self,
        statements: &[Statement],
        mut scope: Scope,
        is_file: bool,
    ) -> Result<Value, Failure> {
        for statement in statements {
            match statement {
                Statement::Assign { name, value } => {
                    let value = self.evaluate(value, &scope)?;
                    scope = scope.with(&name.as_str().into(), value);
                }
                Statement::Option { package, name, value } => {
                    let value = self.option(package.as_deref(), name, value, &scope)?;
                    if package.is_none() {
                        scope = scope.with(&name.as_str().into(), value);
                    }
                }
                Statement::Return(value) => return self.evaluate(value, &scope),
                Statement::Expression(value) => {
                    let value = self.evaluate(value, &scope)?;
                    if let (true, Value::Stream(stream)) = (is_file, value) {
                        self.results.borrow_mut().push(stream);
                    }
                }
                Statement::Builtin(_) | Statement::TestCase { .. } => {
                    return Failure::invalid("builtin and testcase statements are not run here");
                }
            }
        }
        Ok(Value::Null)
    }

    fn option(
        &self,
        package: Option<&str>,
        name: &str,
        expression: &Expression,
        scope: &Scope,
    ) -> Result<Value, Failure> {
        let value = self.evaluate(expression, scope)?;
        match (package, name) {
            (None, "now") => {
                let call = Arguments::default();
                match self.apply(&value, call, expression.span)? {
                    Value::Time(now) => self.now.set(now),
                    other => {
                        let found = other.type_name();
                        let message = format!("expected time but found {found}");
                        return self.error(expression.span, message);
                    }
                }
            }
            (None, "location") => *self.location.borrow_mut() = library::location(&value)?,
            (None, _) => {}
            (Some(package), name) => {
                let message = format!("the option {package}.{name} is not supported");
                return self.error(expression.span, message);
            }
        }
        Ok(value)
    }

    fn step(&self) -> Result<(), Failure> {
        self.steps.set(self.steps.get().wrapping_add(1));
        if self.steps.get().is_multiple_of(STEPS_PER_CHECK) {
            self.guard.check()?;
        }
        Ok(())
    }

    pub fn evaluate(&self, expression: &Expression, scope: &Scope) -> Result<Value, Failure> {
        self.step()?;
        if self.depth.get() >= DEPTH_MAX {
            return self.error(expression.span, "functions call each other too deep");
        }
        self.depth.set(self.depth.get() + 1);
        let value = self.evaluate_kind(expression, scope);
        self.depth.set(self.depth.get() - 1);
        value
    }

    fn evaluate_kind(&self, expression: &Expression, scope: &Scope) -> Result<Value, Failure> {
        let span = expression.span;
        match &expression.kind {
            ExpressionKind::Identifier(name) => self.named(name, span, scope),
            ExpressionKind::String(text) => Ok(Value::text(text)),
            ExpressionKind::Integer(number) => Ok(Value::Integer(*number)),
            ExpressionKind::Float(number) => Ok(Value::Float(*number)),
            ExpressionKind::Boolean(truth) => Ok(Value::Boolean(*truth)),
            ExpressionKind::Label(name) => Ok(Value::text(name)),
            ExpressionKind::Duration(_) | ExpressionKind::Time(_) | ExpressionKind::Regex(_) => {
                self.literal(expression)
            }
            ExpressionKind::Interpolated(parts) => self.interpolated(parts, scope),
            ExpressionKind::PipeInput => self.error(span, "nothing is piped in here"),
            ExpressionKind::Array(items) => {
                let items: Result<_, _> =
                    items.iter().map(|item| self.evaluate(item, scope)).collect();
                self.array(items?, expression)
            }
            ExpressionKind::Dictionary(pairs) => self.dictionary(pairs, scope),
            ExpressionKind::Record { with, properties } => {
                self.record(with.as_deref(), properties, span, scope)
            }
            ExpressionKind::Function(function) => {
                let function = Rc::new((**function).clone());
                Ok(Value::Function(Rc::new(Closure::new(function, scope.clone())?)))
            }
            ExpressionKind::Call { callee, arguments } => {
                self.call(callee, arguments, None, span, scope)
            }
            ExpressionKind::Pipe { source, calls } => {
                let mut value = self.evaluate(source, scope)?;
                for call in calls {
                    let ExpressionKind::Call { callee, arguments } = &call.kind else {
                        return self.error(call.span, "pipe destination must be a function call");
                    };
                    value = self.call(callee, arguments, Some(value), call.span, scope)?;
                }
                Ok(value)
            }
            ExpressionKind::Member { object, name } => {
                let object = self.evaluate(object, scope)?;
                self.member(&object, name, span)
            }
            ExpressionKind::Index { object, index } => {
                let (object, at) = (self.evaluate(object, scope)?, self.evaluate(index, scope)?);
                self.index(&object, &at, index.span)
            }
            ExpressionKind::Unary { operator, operand } => {
                let value = self.evaluate(operand, scope)?;
                self.unary(*operator, value, operand.span)
            }
            ExpressionKind::Chain { first, rest } => self.chain(first, rest, scope),
            ExpressionKind::Conditional { test, consequent, alternate } => {
                match truth(&self.evaluate(test, scope)?) {
                    Ok(Some(true)) => self.evaluate(consequent, scope),
                    Ok(_) => self.evaluate(alternate, scope),
                    Err(found) => self.error(test.span, format!("expected bool but found {found}")),
                }
            }
        }
    }

    fn literal(&self, expression: &Expression) -> Result<Value, Failure> {
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
    fn named(&self, name: &str, span: Span, scope: &Scope) -> Result<Value, Failure> {
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

    fn interpolated(&self, parts: &[StringPart], scope: &Scope) -> Result<Value, Failure> {
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

    fn array(&self, items: Vec<Value>, whole: &Expression) -> Result<Value, Failure> {
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

    fn dictionary(
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

    fn record(
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

    fn property(&self, property: &Property, span: Span, scope: &Scope) -> Result<Value, Failure> {
        match &property.value {
            Some(value) => self.evaluate(value, scope),
            None => self.named(&property.name, span, scope),
        }
    }

    fn member(&self, object: &Value, name: &str, span: Span) -> Result<Value, Failure> {
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

    fn index(&self, object: &Value, at: &Value, span: Span) -> Result<Value, Failure> {
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

    fn unary(&self, operator: UnaryOperator, value: Value, span: Span) -> Result<Value, Failure> {
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

    fn chain(
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

    fn logical(
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

    fn call(
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
                (builtin.run)(&call).map_err(|failure| called(failure, builtin.name, &place))
            }
            other => self.error(span, format!("expected function but found {}", other.type_name())),
        }
    }

    fn apply_closure(
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
        for parameter in &closure.function.parameters {
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
            scope = scope.with(&parameter.name.as_str().into(), value);
        }
        if given.piped.is_some() {
            return self.error(span, "function does not take a pipe argument");
        }
        self.body(&closure.function.body, scope)
    }

    fn missing(&self, name: &str, span: Span) -> Result<Value, Failure> {
        self.error(span, format!("missing required argument {name}"))
    }

    /// Calls a function of rows: the names are its parameters' in that order.
    pub fn apply_row(&self, function: &Value, values: &[(&str, Value)]) -> Result<Value, Failure> {
        let Value::Function(closure) = function else {
            let named = values
                .iter()
                .map(|(name, value)| ((*name).into(), value.clone(), Span { start: 0, end: 0 }));
            let given = Arguments { named: named.collect(), piped: None };
            return self.apply(function, given, Span { start: 0, end: 0 });
        };
        let mut scope = closure.scope.clone();
        for parameter in &closure.function.parameters {
            let value = values.iter().find(|(name, _)| *name == parameter.name);
            let value = match (value, &parameter.default) {
                (Some((_, value)), _) => value.clone(),
                (None, Some(default)) => self.evaluate(default, &closure.scope)?,
                (None, None) => Value::Null,
            };
            scope = scope.with(&parameter.name.as_str().into(), value);
        }
        self.body(&closure.function.body, scope)
    }

    fn body(&self, body: &Body, scope: Scope) -> Result<Value, Failure> {
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

fn is_literal(expression: &Expression) -> bool {
    matches!(
        expression.kind,
        ExpressionKind::Integer(_)
            | ExpressionKind::Float(_)
            | ExpressionKind::String(_)
            | ExpressionKind::Boolean(_)
    )
}
