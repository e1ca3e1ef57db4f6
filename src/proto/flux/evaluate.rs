//! The evaluator: statements, expressions, and what becomes of values that are no longer followed.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::ast::{
    Body, Expression, ExpressionKind, File, Function, Operator, Property, Statement, StringPart,
};
use super::catalogue::is_universal;
use super::reads::{Measurements, Outcome, Read, Reads, Uncertain};
use super::shape::Shape;
use super::value::{Arguments, Binding, Fields, Scope, Stream, Value};
use super::walk::walk_statements;

/// Steps until a script counts as too long to understand.
const STEPS_MAX: u32 = 200_000;
/// Evaluations inside each other.
const DEPTH_MAX: u32 = 150;

pub(super) struct Evaluator<'a> {
    file: &'a File,
    bindings: Vec<Binding<'a>>,
    pub(super) lists: Vec<Vec<Value<'a>>>,
    pub(super) records: Vec<Fields<'a>>,
    pub(super) streams: Vec<Stream>,
    pub(super) reads: Vec<(Read, bool)>,
    results: Vec<Outcome>,
    apart: Option<String>,
    doubt: Option<Uncertain>,
    steps: u32,
    depth: u32,
    /// Where the word `from` was evaluated.
    from_seen: BTreeSet<usize>,
}

impl<'a> Evaluator<'a> {
    pub(super) fn new(file: &'a File, variables: &'a [(String, String)]) -> Evaluator<'a> {
        let mut evaluator = Evaluator {
            file,
            bindings: vec![],
            lists: vec![],
            records: vec![],
            streams: vec![],
            reads: vec![],
            results: vec![],
            apart: None,
            doubt: None,
            steps: 0,
            depth: 0,
            from_seen: BTreeSet::new(),
        };
        if !variables.is_empty() {
            let texts = variables.iter();
            let texts =
                texts.map(|(name, text)| (name.as_str(), Value::Text(text.as_str().into())));
            evaluator.records.push(Fields { named: texts.collect(), is_open: true });
            evaluator.bind("v", Value::Record(0), None);
        }
        evaluator
    }

    pub(super) fn run(mut self) -> Reads {
        let start = self.bindings.len().checked_sub(1);
        let file = self.file;
        self.block(&file.statements, start);
        if self.reads.iter().any(|(_, used)| !used) {
            self.doubt("a read whose result is not used");
        }
        let mut written = Vec::new();
        walk_statements(&file.statements, &mut |expression| {
            if matches!(&expression.kind, ExpressionKind::Identifier(name) if name == "from") {
                written.push(expression.span.start);
            }
        });
        if written.iter().any(|place| !self.from_seen.contains(place)) {
            self.doubt("a function that is never called");
        }
        let reads = self.reads.into_iter().map(|(read, _)| read).collect();
        Reads { reads, results: self.results, apart: self.apart, doubt: self.doubt }
    }

    /// The first doubt stays, but an effect weighs more.
    pub(super) fn doubt(&mut self, what: impl Into<String>) {
        self.doubt.get_or_insert_with(|| Uncertain::Opaque(what.into()));
    }

    pub(super) fn effect(&mut self, what: impl Into<String>) {
        if !matches!(self.doubt, Some(Uncertain::Effect(_))) {
            self.doubt = Some(Uncertain::Effect(what.into()));
        }
    }

    /// Counts a step; false when the script is too long to follow.
    pub(super) fn step(&mut self) -> bool {
        self.steps = self.steps.saturating_add(1);
        if self.steps > STEPS_MAX {
            self.doubt("too many steps to understand");
        }
        self.steps <= STEPS_MAX
    }

    /// Counts work that is more than a step.
    pub(super) fn cost(&mut self, units: usize) {
        self.steps = self.steps.saturating_add(u32::try_from(units).unwrap_or(u32::MAX));
    }

    pub(super) fn bind(&mut self, name: &'a str, value: Value<'a>, scope: Scope) -> Scope {
        self.bindings.push(Binding { name, value, outer: scope });
        Some(self.bindings.len() - 1)
    }

    fn look_up(&mut self, name: &str, scope: Scope) -> Option<Value<'a>> {
        let mut at = scope;
        while let Some(index) = at {
            if !self.step() {
                return Some(Value::Unknown);
            }
            let binding = &self.bindings[index];
            if binding.name == name {
                return Some(binding.value.clone());
            }
            at = binding.outer;
        }
        None
    }

    /// Runs statements; the value of the return, if there is one.
    fn block(&mut self, statements: &'a [Statement], mut scope: Scope) -> Value<'a> {
        for statement in statements {
            match statement {
                Statement::Assign { name, value } => {
                    let value = self.evaluate(value, scope);
                    scope = self.bind(name, value, scope);
                }
                Statement::Option { package: None, name, value } => {
                    let value = self.evaluate(value, scope);
                    scope = self.bind(name, value, scope);
                }
                Statement::Option { package: Some(package), value, .. } => {
                    self.doubt(format!("an option of the package {package}"));
                    let value = self.evaluate(value, scope);
                    self.absorb(&value);
                }
                Statement::Return(value) => return self.evaluate(value, scope),
                Statement::Expression(value) => {
                    let value = self.evaluate(value, scope);
                    self.result(&value);
                }
                Statement::Builtin(_) | Statement::TestCase { .. } => {
                    self.doubt("a statement that is no query");
                }
            }
        }
        Value::Unknown
    }

    pub(super) fn body(&mut self, function: &'a Function, scope: Scope) -> Value<'a> {
        match &function.body {
            Body::Expression(expression) => self.evaluate(expression, scope),
            Body::Block(statements) => self.block(statements, scope),
        }
    }

    pub(super) fn evaluate(&mut self, expression: &'a Expression, scope: Scope) -> Value<'a> {
        if !self.step() || self.depth >= DEPTH_MAX {
            self.doubt("too much nesting to understand");
            return Value::Unknown;
        }
        self.depth += 1;
        let value = self.evaluate_kind(expression, scope);
        self.depth -= 1;
        value
    }

    fn evaluate_kind(&mut self, expression: &'a Expression, scope: Scope) -> Value<'a> {
        match &expression.kind {
            ExpressionKind::Identifier(name) => {
                if name == "from" {
                    self.from_seen.insert(expression.span.start);
                }
                self.named(name, scope)
            }
            ExpressionKind::String(text) => Value::Text(text.as_str().into()),
            ExpressionKind::Interpolated(parts) => self.interpolated(parts, scope),
            ExpressionKind::Array(items) => {
                let values = items.iter().map(|item| self.evaluate(item, scope)).collect();
                self.lists.push(values);
                Value::List(self.lists.len() - 1)
            }
            ExpressionKind::Dictionary(pairs) => {
                let parts = pairs.iter().flat_map(|(key, value)| [key, value]);
                self.drop_all(parts, scope)
            }
            ExpressionKind::Record { with, properties } => self.record(with, properties, scope),
            ExpressionKind::Function(function) => Value::Function(function, scope),
            ExpressionKind::Call { callee, arguments } => self.call(callee, arguments, None, scope),
            ExpressionKind::Pipe { source, calls } => {
                let mut value = self.evaluate(source, scope);
                for call in calls {
                    if let ExpressionKind::Call { callee, arguments } = &call.kind {
                        value = self.call(callee, arguments, Some(value), scope);
                    }
                }
                value
            }
            ExpressionKind::Member { object, name } => {
                let object = self.evaluate(object, scope);
                self.member(&object, name)
            }
            ExpressionKind::Index { object, index } => self.drop_all([&**object, &**index], scope),
            ExpressionKind::Unary { operand, .. } => self.drop_all([&**operand], scope),
            ExpressionKind::Chain { first, rest } => self.chain(first, rest, scope),
            ExpressionKind::Conditional { test, consequent, alternate } => {
                self.drop_all([&**test, &**consequent, &**alternate], scope)
            }
            ExpressionKind::Integer(number) => Value::Integer(*number),
            ExpressionKind::Boolean(truth) => Value::Boolean(*truth),
            ExpressionKind::Float(_) | ExpressionKind::Duration(_) => Value::Literal,
            ExpressionKind::Time(_) | ExpressionKind::Regex(_) => Value::Literal,
            ExpressionKind::PipeInput | ExpressionKind::Label(_) => Value::Unknown,
        }
    }

    fn named(&mut self, name: &str, scope: Scope) -> Value<'a> {
        if let Some(value) = self.look_up(name, scope) {
            return value;
        }
        self.cost(self.file.imports.len() / 4);
        let package = self.file.imports.iter().find(|import| {
            let own = import.path.rsplit('/').next().unwrap_or(&import.path);
            import.alias.as_deref().unwrap_or(own) == name
        });
        match package {
            Some(import) => Value::Package(import.path.as_str().into()),
            None if is_universal(name) => Value::Known(name.into()),
            None => Value::Undefined(name.into()),
        }
    }

    /// Evaluates what comes to one value that is not followed: its reads happen, it is unknown.
    fn drop_all(
        &mut self,
        parts: impl IntoIterator<Item = &'a Expression>,
        scope: Scope,
    ) -> Value<'a> {
        let mut stream = false;
        for part in parts {
            let value = self.evaluate(part, scope);
            stream |= matches!(value, Value::Stream(_));
            self.absorb(&value);
        }
        if stream {
            self.new_stream(Stream::unknown("a stream chosen by a value"))
        } else {
            Value::Unknown
        }
    }

    fn chain(
        &mut self,
        first: &'a Expression,
        rest: &'a [(Operator, Expression)],
        scope: Scope,
    ) -> Value<'a> {
        let mut sum = self.evaluate(first, scope);
        for (operator, operand) in rest {
            let operand = self.evaluate(operand, scope);
            sum = match (&sum, operator, &operand) {
                (Value::Text(a), Operator::Add, Value::Text(b)) if self.step() => {
                    self.cost(a.len() / 64);
                    Value::Text(format!("{a}{b}").into())
                }
                _ => {
                    self.absorb(&sum);
                    self.absorb(&operand);
                    Value::Unknown
                }
            };
        }
        sum
    }

    fn interpolated(&mut self, parts: &'a [StringPart], scope: Scope) -> Value<'a> {
        let mut whole = Some(String::new());
        for part in parts {
            match part {
                StringPart::Text(text) => {
                    whole = whole.map(|whole| whole + text);
                }
                StringPart::Value(expression) => match self.evaluate(expression, scope) {
                    Value::Text(text) => {
                        self.cost(text.len() / 64);
                        whole = whole.map(|whole| whole + &text);
                    }
                    value => {
                        self.absorb(&value);
                        whole = None;
                    }
                },
            }
        }
        whole.map_or(Value::Unknown, |whole| Value::Text(whole.into()))
    }

    fn record(
        &mut self,
        with: &'a Option<String>,
        properties: &'a [Property],
        scope: Scope,
    ) -> Value<'a> {
        // What comes later is found first.
        let mut fields = Fields { named: Vec::new(), is_open: false };
        for property in properties {
            let value = self.property(property, scope);
            fields.named.push((&property.name, value));
        }
        if let Some(with) = with {
            match self.named(with, scope) {
                Value::Record(base) => {
                    self.cost(self.records[base].named.len());
                    fields.named.extend(self.records[base].named.iter().cloned());
                    fields.is_open = self.records[base].is_open;
                }
                Value::Row => {
                    fields.named.push(("_measurement", Value::RowMeasurement));
                    fields.is_open = true;
                }
                value => {
                    self.absorb(&value);
                    fields.is_open = true;
                }
            }
        }
        self.records.push(fields);
        Value::Record(self.records.len() - 1)
    }

    pub(super) fn property(&mut self, property: &'a Property, scope: Scope) -> Value<'a> {
        match &property.value {
            Some(value) => self.evaluate(value, scope),
            None => self.named(&property.name, scope),
        }
    }

    fn member(&mut self, object: &Value<'a>, name: &str) -> Value<'a> {
        match object {
            Value::Package(path) => Value::Known(Rc::from(format!("{path}.{name}"))),
            Value::Record(record) => {
                let field = self.records[*record].named.iter().find(|(known, _)| *known == name);
                field.map_or(Value::Unknown, |(_, value)| value.clone())
            }
            Value::Row if name == "_measurement" => Value::RowMeasurement,
            other => {
                self.absorb(other);
                Value::Unknown
            }
        }
    }

    pub(super) fn new_stream(&mut self, stream: Stream) -> Value<'a> {
        self.streams.push(stream);
        Value::Stream(self.streams.len() - 1)
    }

    /// A new read of a bucket, not narrowed, not used yet.
    pub(super) fn new_read(&mut self, bucket: &str, org: Option<&str>) -> usize {
        let (bucket, org) = (bucket.to_owned(), org.map(str::to_owned));
        let measurements = Measurements::Only(Default::default());
        self.reads.push((Read { bucket, org, measurements }, false));
        self.reads.len() - 1
    }

    /// All streams inside a value; functions are tried with unknown arguments.
    pub(super) fn streams_in(&mut self, value: &Value<'a>, found: &mut Vec<usize>) {
        if !self.step() || self.depth >= DEPTH_MAX {
            self.doubt("too much nesting to understand");
            return;
        }
        self.depth += 1;
        match value {
            Value::Stream(stream) => found.push(*stream),
            Value::List(list) => {
                for item in self.lists[*list].clone() {
                    self.streams_in(&item, found);
                }
            }
            Value::Record(record) => {
                for (_, field) in self.records[*record].named.clone() {
                    self.streams_in(&field, found);
                }
            }
            Value::Function(function, scope) => {
                let nothing = Arguments { named: vec![], piped: None };
                let result = self.apply(function, *scope, &nothing);
                self.streams_in(&result, found);
            }
            Value::Known(path) => self.handed_on(path),
            _ => {}
        }
        self.depth -= 1;
    }

    /// What a script hands to its client: a statement that is a stream, or a `yield`.
    pub(super) fn result(&mut self, value: &Value<'a>) {
        let Value::Stream(stream) = value else {
            self.absorb(value);
            self.results.push(Outcome {
                parts: vec![],
                shape: Shape::apart("a statement without a stream"),
            });
            return;
        };
        let Stream { parts, shape, .. } = self.streams[*stream].clone();
        self.cost(parts.iter().map(|(_, measurements)| 1 + measurements.names()).sum());
        self.use_parts(&parts);
        self.results.push(Outcome { parts, shape: shape.at_the_end() });
    }

    /// The reads inside a value happen, as narrowed so far; what becomes of their rows is not known.
    pub(super) fn absorb(&mut self, value: &Value<'a>) {
        let mut found = Vec::new();
        self.streams_in(value, &mut found);
        for stream in found {
            let Stream { parts, shape, .. } = self.streams[stream].clone();
            if !parts.is_empty() && self.apart.is_none() {
                self.apart = Some(shape.stage().unwrap_or("a stream used as a value").to_owned());
            }
            self.use_parts(&parts);
        }
    }

    fn use_parts(&mut self, parts: &[(usize, Measurements)]) {
        for (read, measurements) in parts {
            let (read, used) = &mut self.reads[*read];
            let so_far = std::mem::replace(&mut read.measurements, Measurements::All);
            read.measurements = so_far.or(measurements.clone());
            *used = true;
            let names = read.measurements.names();
            self.cost(names);
        }
    }
}
