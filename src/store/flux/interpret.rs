//! The interpreter: what it knows, statements, and the way into expressions.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::call::Arguments;
use super::failure::Failure;
use super::library;
use super::node::{DEPTH_MAX as STAGES_MAX, Location, Node, Op, Stream};
use super::operate::truth;
use super::scope::Scope;
use super::value::{Closure, Value};
use crate::proto::flux::{Expression, ExpressionKind, File, Span, Statement, place};
use crate::store::guard::Guard;
use crate::store::view::Catalog;

/// Evaluations inside each other: a stack of two MiB has room for them.
const DEPTH_MAX: u32 = 160;
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
    pub(super) imports: Vec<(Rc<str>, Rc<str>)>,
    nodes: Cell<usize>,
    depth: Cell<u32>,
    steps: Cell<u32>,
    /// A function of rows is being evaluated.
    pub(super) in_rows: Cell<bool>,
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
            in_rows: Cell::new(false),
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

    pub(super) fn block(
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
}
