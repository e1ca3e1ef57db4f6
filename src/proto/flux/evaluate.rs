//! The evaluator: statements, expressions, and what becomes of values that are no longer followed.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::ast::{
    Body, Expression, ExpressionKind, File, Function, Operator, Property, Statement, StringPart,
};
use super::catalogue::is_universal;
use super::reads::{Measurements, Read, Reads, Uncertain};
use super::value::{Arguments, Binding, Scope, Stream, Value};

/// Steps until a script counts as too long to understand.
const STEPS_MAX: u32 = 200_000;
/// Evaluations inside each other.
const DEPTH_MAX: u32 = 150;

pub(super) struct Evaluator<'a> {
    file: &'a File,
    bindings: Vec<Binding<'a>>,
    pub(super) lists: Vec<Vec<Value<'a>>>,
    pub(super) records: Vec<Vec<(&'a str, Value<'a>)>>,
    pub(super) streams: Vec<Stream>,
    reads: Vec<(Read, bool)>,
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
            doubt: None,
            steps: 0,
            depth: 0,
            from_seen: BTreeSet::new(),
        };
        if !variables.is_empty() {
            let texts = variables.iter();
            let texts =
                texts.map(|(name, text)| (name.as_str(), Value::Text(text.as_str().into())));
            evaluator.records.push(texts.collect());
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
        Reads { reads, doubt: self.doubt }
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
                    self.absorb(&value);
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
            ExpressionKind::Integer(_) | ExpressionKind::Float(_) | ExpressionKind::Boolean(_) => {
                Value::Unknown
            }
            ExpressionKind::Duration(_) | ExpressionKind::Time(_) | ExpressionKind::Regex(_) => {
                Value::Unknown
            }
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
        if stream { self.new_stream(Stream::default()) } else { Value::Unknown }
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
        let mut fields: Vec<(&'a str, Value<'a>)> = Vec::new();
        for property in properties {
            let value = self.property(property, scope);
            fields.push((&property.name, value));
        }
        if let Some(with) = with {
            match self.named(with, scope) {
                Value::Record(base) => {
                    self.cost(self.records[base].len());
                    fields.extend(self.records[base].iter().cloned());
                }
                value => self.absorb(&value),
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
                let field = self.records[*record].iter().find(|(known, _)| *known == name);
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
                for (_, field) in self.records[*record].clone() {
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

    /// The reads inside a value happen, as narrowed so far.
    pub(super) fn absorb(&mut self, value: &Value<'a>) {
        let mut found = Vec::new();
        self.streams_in(value, &mut found);
        for stream in found {
            for (read, measurements) in self.streams[stream].parts.clone() {
                let (read, used) = &mut self.reads[read];
                let so_far = std::mem::replace(&mut read.measurements, Measurements::All);
                read.measurements = so_far.or(measurements);
                *used = true;
                let names = read.measurements.names();
                self.cost(names);
            }
        }
    }
}

/// Visits every expression.
fn walk_statements<'a>(statements: &'a [Statement], visit: &mut impl FnMut(&'a Expression)) {
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
