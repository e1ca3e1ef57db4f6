//! From a question to the bytes of its answer.

use std::rc::Rc;

use super::failure::{Failure, Refused};
use super::interpret::Interpreter;
use super::node::{Op, Stream};
use super::print::{Printers, shown};
use super::run::Runner;
use super::table::Table;
use crate::base::map::FastMap;
use crate::proto::annotated::{Dialect, Encoder, Head};
use crate::proto::flux::{File, parse};
use crate::store::guard::{Guard, Stopped};
use crate::store::view::Catalog;

/// A script and what belongs to its request.
#[derive(Clone, Debug)]
pub struct Question {
    pub text: String,
    pub dialect: Dialect,
    /// What `now()` is, in nanoseconds since 1970.
    pub now_ns: i64,
    /// The name of the organization that asks.
    pub organization: String,
}

/// Pieces of this size go to the client.
const PIECE_BYTES: usize = 64 * 1024;

/// Answers a question piece by piece. An error before the first piece is returned; a later one stands in the answer.
pub fn answer(
    catalog: &dyn Catalog,
    question: &Question,
    guard: &Guard,
    out: &mut dyn FnMut(&[u8]) -> Result<(), Stopped>,
) -> Result<(), Refused> {
    let mut writer = Writer {
        encoder: Encoder::new(question.dialect.clone()),
        waiting: Vec::new(),
        has_begun: false,
        out,
    };
    match evaluate(catalog, question, guard, &mut writer) {
        Ok(()) => Ok(()),
        Err(Failure::Refused(refused)) if !writer.has_begun => Err(refused),
        Err(Failure::Stopped(stopped)) if !writer.has_begun => {
            Err(Refused { kind: super::Problem::Unprocessable, message: stopped.to_string() })
        }
        Err(Failure::Refused(refused)) => {
            writer.fail(&refused.message);
            Ok(())
        }
        Err(Failure::Stopped(stopped)) => {
            writer.fail(&stopped.to_string());
            Ok(())
        }
    }
}

fn evaluate(
    catalog: &dyn Catalog,
    question: &Question,
    guard: &Guard,
    writer: &mut Writer<'_>,
) -> Result<(), Failure> {
    let text = &question.text;
    let file: File =
        parse(text).map_err(|error| Refused::invalid(format!("compilation failed: {error}")))?;
    super::check::check(text, &file)?;
    let (organization, now) = (&question.organization, question.now_ns);
    let interpreter = Interpreter::new(text, &file, catalog, guard, organization, now);
    interpreter.run(&file)?;
    let streams = interpreter.results.take();
    let results = results(&streams)?;
    if results.is_empty() {
        return Failure::invalid(
            "error in query specification while starting program: this Flux script returns no streaming data. Consider adding a \"yield\" or invoking streaming functions directly, without performing an assignment",
        );
    }
    let roots: Vec<Stream> = results.iter().map(|(_, stream)| stream.clone()).collect();
    let runner = Runner::new(&interpreter, &roots)?;
    for (name, stream) in &results {
        writer.encoder.begin_result(name);
        runner.run(stream, &mut |table| writer.table(&table))?;
        writer.encoder.end_result(&mut writer.waiting);
        writer.flush()?;
    }
    Ok(())
}

/// The named results: every `yield` on the way to a statement, and statements without one.
fn results(streams: &[Stream]) -> Result<Vec<(Rc<str>, Stream)>, Failure> {
    let mut results: Vec<(Rc<str>, Stream)> = Vec::new();
    let mut seen: FastMap<usize, ()> = FastMap::default();
    let mut unnamed = 0;
    for stream in streams {
        collect(stream, &mut seen, &mut results);
        if !matches!(stream.op, Op::Yield(_)) {
            unnamed += 1;
            results.push(("_result".into(), stream.clone()));
        }
    }
    for (at, (name, _)) in results.iter().enumerate() {
        if results[..at].iter().all(|(known, _)| known != name) {
            continue;
        }
        return Failure::invalid(if unnamed > 1 {
            format!(
                "failed to initialize execute state: tried to produce more than one result with the name \"{name}\""
            )
        } else {
            format!(
                "error in building plan while starting program: found more than one call to yield() with the name \"{name}\""
            )
        });
    }
    Ok(results)
}

/// Yields before the stage come first. The depth of a plan is bounded.
fn collect(stream: &Stream, seen: &mut FastMap<usize, ()>, results: &mut Vec<(Rc<str>, Stream)>) {
    if seen.insert(stream.id, ()).is_some() {
        return;
    }
    stream.inputs.iter().for_each(|input| collect(input, seen, results));
    if let Op::Yield(name) = &stream.op {
        results.push((name.clone(), stream.clone()));
    }
}

struct Writer<'o> {
    encoder: Encoder,
    waiting: Vec<u8>,
    has_begun: bool,
    out: &'o mut dyn FnMut(&[u8]) -> Result<(), Stopped>,
}

impl Writer<'_> {
    fn table(&mut self, table: &Table) -> Result<(), Failure> {
        let heads = table.columns.iter().map(|column| Head {
            label: column.label.to_string(),
            datatype: column.kind.datatype(),
            is_group: table.is_key(&column.label),
        });
        let of_key = |label: &str| table.key.get(label).map_or(String::new(), shown);
        let is_empty = table.rows == 0;
        let keys: Vec<String> = match is_empty {
            true => table.columns.iter().map(|column| of_key(&column.label)).collect(),
            false => Vec::new(),
        };
        self.encoder.begin_table(heads.collect(), is_empty, &keys, &mut self.waiting);
        let mut printers = Printers::new(table, &self.encoder);
        for row in 0..table.rows {
            self.encoder.begin_row(&mut self.waiting);
            printers.row(row, &self.encoder, &mut self.waiting);
            self.encoder.end_row(&mut self.waiting);
            if self.waiting.len() >= PIECE_BYTES {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        if !self.waiting.is_empty() {
            self.has_begun = true;
            (self.out)(&self.waiting)?;
            self.waiting.clear();
        }
        Ok(())
    }

    /// The answer has begun: the error is its last table.
    fn fail(&mut self, message: &str) {
        self.encoder.failed(message, &mut self.waiting);
        // Whoever does not take this has gone.
        self.flush().ok();
    }
}
