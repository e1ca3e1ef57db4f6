//! The statements of a text, one after the other.

use super::define;
use super::expr::convert;
use super::fault::Fault;
use super::read::mapping::Context;
use super::rows::emit::{Pieces, Sink};
use super::rows::text::Times;
use super::select::{self, Defaults};
use super::show;
use crate::proto::influxql::{self as ast, Expression, Params, Source, Statement};
use crate::proto::results::{Form, Series, Writer};
use crate::store::guard::{Guard, Stopped};
use crate::store::view::Catalog;
use crate::store::zone::Zone;

/// A request of `/query`, as far as the engine is concerned.
#[derive(Clone, Debug)]
pub struct Question {
    pub text: String,
    /// May be empty.
    pub database: String,
    /// May be empty: the default one.
    pub policy: String,
    /// A JSON object of the values of `$name`.
    pub params: Option<String>,
    pub form: Form,
    pub epoch: Option<String>,
    /// Rows of a chunk, where chunks are wanted.
    pub chunk_size: Option<usize>,
    pub now_ns: i64,
    /// Otherwise statements that change something still run, and their answers warn, as InfluxDB's do.
    pub writes_allowed: bool,
}

/// Nothing was answered: the text of a 400.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(pub String);

/// What is written at once. InfluxDB holds a whole answer, and replaces it where it finds that it cannot write it; up
/// to here the same is possible.
const HELD_BYTES: usize = 1 << 20;
/// Rows of a piece where no chunks are wanted.
const PIECE_ROWS: usize = 4096;
const CHUNK_ROWS: usize = 10_000;

/// Answers all statements. `out` gets the answer piece by piece; where it is stopped, nothing more is read.
pub fn answer(
    catalog: &dyn Catalog,
    question: &Question,
    guard: &Guard,
    out: &mut dyn FnMut(&str) -> Result<(), Stopped>,
) -> Result<(), Refused> {
    if question.text.is_empty() {
        return Err(Refused("missing required parameter \"q\"".to_owned()));
    }
    let params = match question.params.as_deref().filter(|text| !text.is_empty()) {
        Some(text) => Params::from_json(text).map_err(Refused)?,
        None => Params::default(),
    };
    let refused = |error: String| Refused(format!("error parsing query: {error}"));
    let statements =
        ast::parse(&question.text, &params).map_err(|error| refused(error.to_string()))?;
    statements.iter().try_for_each(check).map_err(refused)?;
    let mut answer = Answer {
        writer: Writer::new(question.form),
        buffer: String::new(),
        out,
        has_sent: false,
        stopped: None,
    };
    if statements.is_empty() {
        answer.buffer.push_str("{}\n");
        answer.flush();
        return Ok(());
    }
    let asked = Asked { catalog, question, guard };
    if let Err(fault) = asked.all(&statements, &mut answer) {
        answer.broken(&fault);
    }
    answer.flush();
    Ok(())
}

/// What the grammar leaves to whoever runs a statement: regular expressions and time zones.
fn check(statement: &Statement) -> Result<(), String> {
    let mut fault = None;
    let mut expression = |expression: &Expression| {
        expression.walk(&mut |one| {
            if let Expression::Regex(text) = one
                && fault.is_none()
            {
                fault = super::expr::Pattern::new(text).err();
            }
        });
    };
    match statement {
        Statement::Select(select) | Statement::Explain { select, .. } => {
            check_select(select, &mut expression)?;
        }
        Statement::CreateContinuousQuery(query) => check_select(&query.select, &mut expression)?,
        Statement::Show(ast::Show::Schema(schema)) => {
            schema.condition.iter().for_each(&mut expression);
            schema.sources.iter().for_each(|source| check_source(source, &mut expression));
        }
        Statement::Delete(removal) | Statement::DropSeries(removal) => {
            removal.condition.iter().for_each(&mut expression);
            removal.sources.iter().for_each(|source| check_source(source, &mut expression));
        }
        _ => {}
    }
    fault.map_or(Ok(()), Err)
}

fn check_source(source: &Source, expression: &mut dyn FnMut(&Expression)) {
    if let Source::Measurement(measurement) = source
        && let ast::MeasurementName::Regex(text) = &measurement.name
    {
        expression(&Expression::Regex(text.clone()));
    }
}

fn check_select(
    select: &ast::Select,
    expression: &mut dyn FnMut(&Expression),
) -> Result<(), String> {
    select.fields.iter().for_each(|field| expression(&field.expression));
    select.condition.iter().for_each(&mut *expression);
    select.dimensions.iter().for_each(&mut *expression);
    for source in &select.sources {
        match source {
            Source::Subquery(inner) => check_select(inner, expression)?,
            source => check_source(source, expression),
        }
    }
    match &select.zone {
        Some(zone) if Zone::named(zone).is_none() => {
            Err(format!("unable to find time zone {zone}"))
        }
        _ => Ok(()),
    }
}

/// The answer so far.
struct Answer<'o> {
    writer: Writer,
    buffer: String,
    out: &'o mut dyn FnMut(&str) -> Result<(), Stopped>,
    has_sent: bool,
    stopped: Option<Stopped>,
}

impl Answer<'_> {
    fn flush(&mut self) {
        if !self.buffer.is_empty() && self.stopped.is_none() {
            self.stopped = (self.out)(&self.buffer).err();
            self.has_sent = true;
        }
        self.buffer.clear();
    }

    fn flush_if_full(&mut self) -> Result<(), Fault> {
        if self.buffer.len() >= HELD_BYTES {
            self.flush();
        }
        self.stopped.map_or(Ok(()), |stopped| Err(Fault::Stopped(stopped)))
    }

    /// A number that JSON has no word for: InfluxDB's whole answer is this text.
    fn broken(&mut self, fault: &Fault) {
        if let Fault::Infinite(_) = fault {
            if !self.has_sent {
                self.buffer.clear();
            }
            let kinds = ["httpd.Response", "*query.Result"];
            let around: String = kinds
                .map(|kind| format!("json: error calling MarshalJSON for type {kind}: "))
                .concat();
            self.buffer.push_str(&format!("{around}{fault}\n"));
        }
    }
}

impl Sink for Answer<'_> {
    fn piece(&mut self, series: Series) -> Result<(), Fault> {
        self.writer.piece(series, &mut self.buffer);
        if matches!(self.writer.form(), Form::Json { chunked: true, .. }) {
            self.flush();
        }
        self.flush_if_full()
    }
}

struct Asked<'a> {
    catalog: &'a dyn Catalog,
    question: &'a Question,
    guard: &'a Guard,
}

impl Asked<'_> {
    fn all(&self, statements: &[Statement], answer: &mut Answer<'_>) -> Result<(), Fault> {
        let chunked = matches!(self.question.form, Form::Json { chunked: true, .. });
        for (at, statement) in statements.iter().enumerate() {
            answer.writer.statement(show::is_in_pieces(statement), &mut answer.buffer);
            if !self.question.writes_allowed
                && let Some(text) = define::deprecated(statement, self.catalog, &self.defaults())
            {
                answer.writer.warn(&text);
            }
            let left = statements.len() - at - 1;
            match self.one(statement, answer) {
                Ok(()) => answer.writer.end(None, &mut answer.buffer),
                Err(fault @ (Fault::Infinite(_) | Fault::Stopped(Stopped::Cancelled))) => {
                    return Err(fault);
                }
                Err(fault) => {
                    let hidden = left > 0 && !chunked;
                    let text = if hidden { "not executed".to_owned() } else { fault.to_string() };
                    answer.writer.end(Some(&text), &mut answer.buffer);
                    for _ in 0..left {
                        answer.writer.not_executed(&mut answer.buffer);
                    }
                    break;
                }
            }
            answer.flush_if_full()?;
        }
        answer.writer.finish(&mut answer.buffer);
        Ok(())
    }

    fn defaults(&self) -> Defaults<'_> {
        Defaults { database: &self.question.database, policy: &self.question.policy }
    }

    fn one(&self, statement: &Statement, answer: &mut Answer<'_>) -> Result<(), Fault> {
        self.guard.check()?;
        let context = Context::new(self.catalog, self.guard, self.question.now_ns);
        let defaults = self.defaults();
        let is_csv = self.question.form == Form::Csv;
        let times = Times::of(self.question.epoch.as_deref(), is_csv);
        match statement {
            Statement::Select(select) if select.into.is_some() => {
                super::into::run(&context, &defaults, select, &times, answer)
            }
            Statement::Select(select) => {
                let planned = select::plan(&context, &defaults, select)?;
                select::answer(&context, &planned, &times, &self.pieces(), answer)
            }
            Statement::Explain { analyze, select } => {
                show::explain::run(&context, &defaults, select, *analyze, answer)
            }
            Statement::Show(shown) => {
                show::run(&context, &defaults, shown, &self.pieces(), answer, &self.question.text)
            }
            other => define::run(&context, &defaults, other),
        }
    }

    fn pieces(&self) -> Pieces {
        match self.question.form {
            Form::Json { chunked: true, .. } => {
                let rows = self.question.chunk_size.filter(|rows| *rows > 0);
                Pieces { rows_max: rows.unwrap_or(CHUNK_ROWS), marks: true }
            }
            _ => Pieces { rows_max: PIECE_ROWS, marks: false },
        }
    }
}

/// A condition of a statement that reads no values.
pub fn condition(expression: &Expression) -> Result<super::expr::Expr, Fault> {
    Ok(convert::expression(expression)?)
}
