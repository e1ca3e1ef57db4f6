//! Calls: of the script's own functions, and of Flux's.

use std::collections::BTreeMap;

use super::ast::{Expression, ExpressionKind, Function, Property};
use super::catalogue::{Class, HARMLESS_ARGUMENTS, class};
use super::evaluate::Evaluator;
use super::grouping::called;
use super::reads::Measurements;
use super::shape::Shape;
use super::value::{Arguments, Scope, Stream, Value};

impl<'a> Evaluator<'a> {
    pub(super) fn call(
        &mut self,
        callee: &'a Expression,
        arguments: &'a [Property],
        piped: Option<Value<'a>>,
        scope: Scope,
    ) -> Value<'a> {
        let callee = self.evaluate(callee, scope);
        let named = arguments.iter().map(|argument| {
            let value = self.property(argument, scope);
            (argument.name.as_str(), value)
        });
        let arguments = Arguments { named: named.collect(), piped };
        match callee {
            Value::Function(function, inner) => self.apply(function, inner, &arguments),
            Value::Known(path) => self.known(&path, &arguments),
            Value::Undefined(name) => {
                self.doubt(format!("the unknown function {name}"));
                self.merged("an unknown function", &arguments)
            }
            other => {
                self.absorb(&other);
                self.doubt("a call of something that is not known");
                self.merged("an unknown function", &arguments)
            }
        }
    }

    /// Calls a function of the script; what is not given and has no default is unknown.
    pub(super) fn apply(
        &mut self,
        function: &'a Function,
        scope: Scope,
        arguments: &Arguments<'a>,
    ) -> Value<'a> {
        let (mut inner, mut piped_taken) = (scope, false);
        self.cost(function.parameters.len().saturating_mul(arguments.named.len()) / 16);
        if !self.step() {
            return Value::Unknown;
        }
        for parameter in &function.parameters {
            let given = arguments.get(&parameter.name).cloned();
            let takes_pipe = matches!(&parameter.default, Some(default) if default.kind == ExpressionKind::PipeInput);
            let value = match (given, &parameter.default) {
                (Some(value), _) => value,
                (None, Some(_)) if takes_pipe => {
                    piped_taken = true;
                    arguments.piped.clone().unwrap_or(Value::Unknown)
                }
                (None, Some(default)) => self.evaluate(default, scope),
                (None, None) => Value::Unknown,
            };
            inner = self.bind(&parameter.name, value, inner);
        }
        if let Some(piped) = arguments.piped.as_ref().filter(|_| !piped_taken) {
            self.absorb(piped);
        }
        self.body(function, inner)
    }

    fn known(&mut self, path: &str, arguments: &Arguments<'a>) -> Value<'a> {
        let value = self.followed(path, arguments);
        if let Value::Stream(stream) = value {
            self.streams[stream].shape = self.shape_after(path, arguments, stream);
        }
        if path == "yield" {
            self.result(&value);
        }
        value
    }

    fn followed(&mut self, path: &str, arguments: &Arguments<'a>) -> Value<'a> {
        match class(path) {
            Class::From => self.from(arguments),
            Class::Schema => self.schema(path, arguments),
            Class::Filter => self.filter(arguments),
            Class::InTable => self.in_table(arguments),
            Class::Pure => self.merged(&called(path), arguments),
            Class::Write => {
                self.effect("a Flux script that writes");
                self.merged(&called(path), arguments)
            }
            Class::Other => {
                let inline = |(name, _): &(&str, _)| matches!(*name, "csv" | "mode");
                if path != "csv.from" || !arguments.named.iter().all(inline) {
                    self.other(path);
                }
                self.merged(&called(path), arguments)
            }
        }
    }

    /// A function that was handed on as a value may be called by anybody.
    pub(super) fn handed_on(&mut self, path: &str) {
        match class(path) {
            Class::From | Class::Schema => self.doubt("a source that is handed on"),
            Class::Write => self.effect("a Flux script that writes"),
            Class::Other => self.other(path),
            Class::Filter | Class::InTable | Class::Pure => {}
        }
    }

    fn other(&mut self, path: &str) {
        match path.rsplit_once('.') {
            Some((package, name)) => self.effect(format!("the Flux function {name} of {package}")),
            None => self.doubt(format!("the unknown function {path}")),
        }
    }

    /// All streams of all arguments in one: tables may have been rearranged.
    fn merged(&mut self, what: &str, arguments: &Arguments<'a>) -> Value<'a> {
        let (mut found, mut beside) = (Vec::new(), Vec::new());
        for (name, value) in &arguments.named {
            self.streams_in(value, if *name == "tables" { &mut found } else { &mut beside });
        }
        if let Some(piped) = &arguments.piped {
            self.streams_in(piped, &mut found);
        }
        // A function of tables whose other arguments hold rows, too, is followed no further.
        let beside_read = beside.iter().find(|stream| !self.streams[**stream].parts.is_empty());
        let shape = match beside_read {
            Some(stream) => Shape::apart(self.streams[*stream].shape.stage().unwrap_or(what)),
            None => Shape::Stored,
        };
        found.append(&mut beside);
        if found.is_empty() {
            return Value::Unknown;
        }
        // One part for each read, or unions of unions would grow without bound.
        let mut parts: BTreeMap<usize, Measurements> = BTreeMap::new();
        for stream in found {
            for (read, measurements) in self.streams[stream].parts.clone() {
                self.cost(1 + measurements.names());
                let so_far = parts.remove(&read);
                let both = match so_far {
                    Some(so_far) => so_far.or(measurements),
                    None => measurements,
                };
                parts.insert(read, both);
            }
        }
        self.new_stream(Stream { parts: parts.into_iter().collect(), rearranged: true, shape })
    }

    fn from(&mut self, arguments: &Arguments<'a>) -> Value<'a> {
        let Some(bucket) = arguments.text("bucket") else {
            self.doubt("a bucket that is not written out");
            return Value::Unknown;
        };
        let org = arguments.text("org");
        for (name, value) in &arguments.named {
            let plain = *name == "bucket" || (*name == "org" && org.is_some());
            if !plain {
                self.doubt(format!("from() with {name}"));
                self.absorb(value);
            }
        }
        let read = self.new_read(&bucket, org.as_deref());
        let parts = vec![(read, Measurements::All)];
        self.new_stream(Stream { parts, rearranged: false, shape: Shape::Stored })
    }

    fn schema(&mut self, path: &str, arguments: &Arguments<'a>) -> Value<'a> {
        let Some(bucket) = arguments.text("bucket") else {
            self.doubt("a bucket that is not written out");
            return Value::Unknown;
        };
        let org = arguments.text("org");
        let remote = ["bucketID", "orgID", "host", "token"];
        if remote.iter().any(|name| arguments.get(name).is_some())
            || (org.is_none() && arguments.get("org").is_some())
        {
            self.doubt(format!("{path} of another place"));
        }
        let by_name = match arguments.get("measurement") {
            Some(Value::Text(name)) => Measurements::one(name),
            _ => Measurements::All,
        };
        let by_predicate = match arguments.get("predicate") {
            Some(Value::Function(function, scope)) => self.predicate(function, *scope),
            _ => Measurements::All,
        };
        let read = self.new_read(&bucket, org.as_deref());
        let parts = vec![(read, by_name.and(by_predicate))];
        self.new_stream(Stream { parts, rearranged: true, shape: Shape::Stored })
    }

    /// The stream that a function of tables works on; all other arguments are followed no further.
    fn tables(&mut self, arguments: &Arguments<'a>) -> Stream {
        let tables = arguments.get("tables").or(arguments.piped.as_ref()).cloned();
        for (name, value) in &arguments.named {
            if *name != "tables" {
                self.absorb(value);
            }
        }
        match tables {
            Some(Value::Stream(stream)) => self.streams[stream].clone(),
            Some(other) => {
                self.absorb(&other);
                Stream::unknown("rows that no bucket holds")
            }
            None => Stream::unknown("rows that no bucket holds"),
        }
    }

    fn filter(&mut self, arguments: &Arguments<'a>) -> Value<'a> {
        let mut stream = self.tables(arguments);
        let admitted = match arguments.get("fn") {
            Some(Value::Function(function, scope)) if !stream.rearranged => {
                self.predicate(function, *scope)
            }
            _ => Measurements::All,
        };
        for (_, measurements) in &mut stream.parts {
            let so_far = std::mem::replace(measurements, Measurements::All);
            *measurements = so_far.and(admitted.clone());
            self.cost(admitted.names());
        }
        self.new_stream(stream)
    }

    fn in_table(&mut self, arguments: &Arguments<'a>) -> Value<'a> {
        let mut stream = self.tables(arguments);
        let harmless = |name: &str| HARMLESS_ARGUMENTS.contains(&name);
        stream.rearranged |= arguments.named.iter().any(|(name, _)| !harmless(name));
        self.new_stream(stream)
    }
}
