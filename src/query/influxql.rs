//! Runs a text that one backend cannot answer, statement by statement, and merges as the answers arrive.
//!
//! Each statement is asked of one circle; as long as nothing of its answer has gone out, the next circle may be asked
//! instead. A failing statement ends the text as InfluxDB ends it. Memory: a piece of each backend.

mod source;

use super::choose::{Choice, Language, Wanted};
use super::forward::influxql_question;
use super::merge::influxql::{Key, Merge, Turn, Way};
use super::plan::influxql::known::{self, Known};
use super::plan::influxql::spread;
use super::plan::influxql::steps::{Step, Who};
use super::scatter::Gathered;
use super::{Answer, InfluxQl, Origin, Query, Refusal};
use crate::backend::client::Arriving;
use crate::proto::influxql::{Select, Statement};
use crate::proto::results::{Form, Series, Writer};
use crate::telemetry::Stage;
use source::Source;
use std::collections::VecDeque;
use std::rc::Rc;

/// A piece of the answer goes out when it has this many bytes.
const PIECE_BYTES: usize = 32 * 1024;

/// Rows in a piece of a backend's answer, if the client does not say how many.
const PIECE_ROWS: usize = 1_000;

/// InfluxDB's own number, and the most that is asked for at a time.
const CHUNK_ROWS_MAX: usize = 10_000;

/// An answer that is merged while it goes out. Lives on: the shard that asked.
pub struct Merged {
    query: Rc<Query>,
    asked: InfluxQl,
    piece_rows: usize,
    steps: VecDeque<Step>,
    running: Option<Running>,
    writer: Writer,
    out: String,
    /// The circle of the statement before.
    circle: Option<u16>,
    has_ended: bool,
}

/// A statement whose answers are arriving.
struct Running {
    merge: Merge,
    sources: Vec<Source>,
    next: Option<Event>,
}

/// What comes next of a statement.
enum Event {
    Piece(Series),
    Done,
    /// The statement failed, in a backend's words.
    Failed(String),
}

/// Why a statement gets no answer.
enum Trouble {
    /// Another circle may do better.
    Backend(String),
    /// In the words of a backend that refuses the statement.
    Failed(String),
    Refused(Refusal),
}

/// Answers a text whose statements are these.
pub(super) async fn answer(
    query: &Rc<Query>,
    steps: Vec<Step>,
    asked: InfluxQl,
) -> Result<Answer, Refusal> {
    let begun = query.clock.mono();
    let form = form(&asked);
    let piece_rows = piece_rows(&asked, form);
    let mut merged = Merged {
        query: query.clone(),
        asked,
        piece_rows,
        steps: steps.into(),
        running: None,
        writer: Writer::new(form),
        out: String::new(),
        circle: None,
        has_ended: false,
    };
    let Some(step) = merged.steps.pop_front() else {
        return Err(Refusal::CannotMerge("a text without a statement".to_owned()));
    };
    let choice = merged.begin(&step).await?;
    query.latencies.record(Stage::Query, query.clock.mono().since(begun));
    let place = |slot: &u16| &query.places[usize::from(*slot)];
    let circle = choice.slots.first().map(|slot| place(slot).circle_name.clone());
    let content_type = if form == Form::Csv { "text/csv" } else { "application/json" };
    Ok(Answer::Streamed {
        status: None,
        headers: vec![("Content-Type".to_owned(), content_type.to_owned())],
        backends: choice.slots.iter().map(|slot| place(slot).name.clone()).collect(),
        circle: circle.unwrap_or_default(),
        body: Origin::InfluxQl(Box::new(merged)).into(),
        incomplete: !choice.is_complete,
    })
}

fn param<'a>(asked: &'a InfluxQl, name: &str) -> Option<&'a str> {
    let found = asked.params.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str())
}

/// Who asks for MessagePack gets JSON: such clients follow the content type.
fn form(asked: &InfluxQl) -> Form {
    match asked.accept.as_deref() {
        Some("text/csv" | "application/csv") => Form::Csv,
        _ => Form::Json {
            pretty: param(asked, "pretty") == Some("true"),
            chunked: param(asked, "chunked") == Some("true"),
        },
    }
}

fn piece_rows(asked: &InfluxQl, form: Form) -> usize {
    if !matches!(form, Form::Json { chunked: true, .. }) {
        return PIECE_ROWS;
    }
    let said = param(asked, "chunk_size").and_then(|text| text.parse::<usize>().ok());
    said.filter(|rows| *rows > 0).map_or(CHUNK_ROWS_MAX, |rows| rows.min(CHUNK_ROWS_MAX))
}

impl Merged {
    /// The next piece; `None` at the end. An error means that the answer is cut short.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, String> {
        while !self.has_ended && self.out.len() < PIECE_BYTES {
            self.work().await?;
        }
        let out = std::mem::take(&mut self.out);
        Ok((!out.is_empty()).then(|| out.into_bytes()))
    }

    async fn work(&mut self) -> Result<(), String> {
        if let Some(running) = &mut self.running {
            let event = match running.next.take() {
                Some(event) => event,
                None => running.event().await.map_err(|trouble| match trouble {
                    Trouble::Backend(why) | Trouble::Failed(why) => why,
                    Trouble::Refused(_) => "the backends' answers do not fit together".to_owned(),
                })?,
            };
            match event {
                Event::Piece(series) => self.writer.piece(series, &mut self.out),
                Event::Done => {
                    self.writer.end(None, &mut self.out);
                    self.running = None;
                }
                Event::Failed(text) => self.fail(&text),
            }
            return Ok(());
        }
        match self.steps.pop_front() {
            None => {
                self.writer.finish(&mut self.out);
                self.has_ended = true;
            }
            Some(step) => {
                if let Err(refusal) = self.begin(&step).await {
                    self.writer.statement(true, &mut self.out);
                    self.fail(&refusal.to_string());
                }
            }
        }
        Ok(())
    }

    /// Ends the text after a statement that failed, as InfluxDB does: its error is shown when it is the last, or when
    /// each statement has an answer of its own.
    fn fail(&mut self, text: &str) {
        let is_chunked = matches!(self.writer.form(), Form::Json { chunked: true, .. });
        let is_last = self.steps.is_empty();
        let shown = if is_last || is_chunked { text } else { "not executed" };
        self.writer.end(Some(shown), &mut self.out);
        for _ in self.steps.drain(..) {
            self.writer.not_executed(&mut self.out);
        }
        self.running = None;
    }

    /// Asks a statement, of one circle after the other until one begins to answer.
    async fn begin(&mut self, step: &Step) -> Result<Choice, Refusal> {
        let mut choices = self.choices(&step.who)?;
        choices.sort_by_key(|choice| self.circle.is_some_and(|circle| circle != choice.circle));
        let mut trouble = String::from("there is no circle to ask");
        for (turn, choice) in choices.into_iter().enumerate() {
            if turn > 0 {
                self.query.meters.failovers.increment(1);
            }
            let running = match self.ask(step, &choice).await {
                Ok(running) => running,
                Err(Trouble::Backend(why)) => {
                    trouble = why;
                    continue;
                }
                Err(Trouble::Failed(text)) => Running::failed(text),
                Err(Trouble::Refused(refusal)) => return Err(refusal),
            };
            self.writer.statement(spread::marks_partial(&step.statement), &mut self.out);
            self.running = Some(running);
            self.circle = Some(choice.circle);
            return Ok(choice);
        }
        Err(Refusal::NoBackend { why: trouble, retry_after_s: 1 })
    }

    fn choices(&self, who: &Who) -> Result<Vec<Choice>, Refusal> {
        let language = Language::InfluxQl;
        match who {
            Who::Owners(owned) => Ok(self.query.circles(Wanted::Owners(owned), language)?),
            Who::Everything(targets) => {
                Ok(self.query.circles(Wanted::Everything(targets.first()), language)?)
            }
            Who::Any => {
                let circles = self.query.topology.circles();
                let circle_of = |slot: u16| {
                    let found = circles.iter().position(|circle| circle.backends.contains(&slot));
                    found.and_then(|at| u16::try_from(at).ok()).unwrap_or(0)
                };
                let candidates = self.query.anybody(language)?.into_iter();
                let choice = |candidate: super::choose::Candidate| Choice {
                    circle: circle_of(candidate.slot),
                    slots: vec![candidate.slot],
                    is_complete: candidate.is_complete,
                };
                Ok(candidates.map(choice).collect())
            }
        }
    }

    /// Asks a statement of one circle, and waits for the first of its answer.
    async fn ask(&self, step: &Step, choice: &Choice) -> Result<Running, Trouble> {
        let mut statement = step.statement.clone();
        let mut way = Way::Side { descending: false };
        if choice.slots.len() > 1 {
            let refused = |refusal: super::plan::Refusal| Trouble::Refused(refusal.into());
            way = spread::way(&statement, self.piece_rows).map_err(refused)?;
            if let Way::Rows { key: Key::Name, piece_rows, .. } = &mut way
                && matches!(self.writer.form(), Form::Json { chunked: true, .. })
            {
                // A server lists measurements at once, whatever the size of chunks.
                *piece_rows = usize::MAX;
            }
            self.check_targets(&step.who, choice).map_err(Trouble::Refused)?;
            spread::spread(&mut statement, self.query.clock.unix().0);
            if let Statement::Select(select) = &mut statement {
                let known = self.probe(select, choice).await?;
                let spelled = known::explicit(select, &mut known.into_iter());
                spelled.map_err(|why| cannot_merge(&why))?;
            }
        }
        let epoch = match self.writer.form() {
            // Times are numbers in CSV.
            Form::Csv => {
                param(&self.asked, "epoch").filter(|epoch| !epoch.is_empty()).or(Some("ns"))
            }
            Form::Json { .. } => param(&self.asked, "epoch"),
        };
        let answers = self.gather(&statement.to_string(), choice, epoch, self.piece_rows).await?;
        let sources: Vec<Source> = answers.into_iter().map(Source::new).collect();
        let merge = Merge::new(way, sources.len());
        let mut running = Running { merge, sources, next: None };
        running.next = Some(running.event().await?);
        Ok(running)
    }

    /// One series must not be held by two backends: measurements of one name in two databases are one series.
    fn check_targets(&self, who: &Who, choice: &Choice) -> Result<(), Refusal> {
        let topology = &self.query.topology;
        let refuse = |what: &str| Err(Refusal::CannotMerge(format!("cannot be merged: {what}")));
        match who {
            Who::Any => {}
            Who::Owners(owned) => {
                let circle = usize::from(choice.circle);
                for (at, (target, name)) in owned.iter().enumerate() {
                    let owner = topology.route(target, name)[circle];
                    let is_elsewhere = |(other, same): &(crate::ring::Target, Vec<u8>)| {
                        same == name && topology.route(other, same)[circle] != owner
                    };
                    if owned[..at].iter().any(is_elsewhere) {
                        return refuse("one measurement of several databases, whose owners differ");
                    }
                }
            }
            Who::Everything(targets) => {
                let key = |target| topology.route_key(target, b"m");
                let first = targets.first().map(key);
                if targets.iter().any(|target| Some(key(target)) != first) {
                    return refuse("a regular expression beside another database");
                }
            }
        }
        Ok(())
    }

    async fn gather(
        &self,
        text: &str,
        choice: &Choice,
        epoch: Option<&str>,
        rows: usize,
    ) -> Result<Vec<Arriving>, Trouble> {
        let mut params = vec![
            ("chunked".to_owned(), "true".to_owned()),
            ("chunk_size".to_owned(), rows.to_string()),
        ];
        params.extend(epoch.map(|epoch| ("epoch".to_owned(), epoch.to_owned())));
        let asked = InfluxQl {
            text: text.to_owned(),
            target_db: self.asked.target_db.clone(),
            rp: self.asked.rp.clone(),
            params,
            accept: Some("application/json".to_owned()),
            accept_encoding: None,
            read_only: false,
            asker: self.asked.asker.clone(),
        };
        let db = asked.target_db.as_deref().filter(|db| !db.is_empty());
        let target = db.map(|db| self.query.naming.v1(db, asked.rp.as_deref()));
        let question = |place: &crate::backend::Place| {
            influxql_question(&self.query, place.kind, target.as_ref(), &asked)
        };
        match self.query.gather(std::slice::from_ref(choice), &asked.asker, question).await {
            Ok(Gathered::All { answers, .. }) => Ok(answers),
            Ok(Gathered::Other { slot, answer, .. }) => Err(self.other(slot, *answer).await),
            Err(Refusal::NoBackend { why, .. }) => Err(Trouble::Backend(why)),
            Err(refusal) => Err(Trouble::Refused(refusal)),
        }
    }

    /// An answer with another status than 200.
    async fn other(&self, slot: u16, answer: Arriving) -> Trouble {
        let status = answer.head.status;
        let place = &self.query.places[usize::from(slot)];
        if answer.is_trouble() {
            return Trouble::Backend(format!("{} answered {status}", place.label()));
        }
        let is_complaint = answer.is_complaint();
        let mut source = Source::new(answer);
        let line = source.line().await.ok().flatten();
        let said = line.and_then(|line| crate::proto::results::read(line).ok());
        let text = said.and_then(|said| said.error);
        match text {
            Some(text) if is_complaint => Trouble::Refused(Refusal::Parse(text)),
            Some(text) => Trouble::Failed(text),
            None => Trouble::Backend(format!("{} answered {status}", place.label())),
        }
    }

    /// What all backends of the choice know of the measurements that are read.
    async fn probe(&self, select: &Select, choice: &Choice) -> Result<Vec<Known>, Trouble> {
        /// A backend lists the same for each measurement.
        const PROBE_ROWS: usize = 32;
        let probes = known::probes(select);
        let statements: Vec<&str> =
            probes.iter().flat_map(|probe| &probe.statements).map(String::as_str).collect();
        let text = statements.join("; ");
        let mut told = Vec::new();
        for answer in self.gather(&text, choice, None, PROBE_ROWS).await? {
            told.push(Source::new(answer).first_cells(statements.len()).await?);
        }
        let mut known = Vec::new();
        let mut from = 0;
        for probe in &probes {
            let to = from + probe.statements.len();
            let answers: Vec<&[known::Answer]> = told.iter().map(|told| &told[from..to]).collect();
            known.push(probe.known(&answers).map_err(|why| cannot_merge(&why))?);
            from = to;
        }
        Ok(known)
    }
}

fn cannot_merge(why: &str) -> Trouble {
    Trouble::Refused(Refusal::CannotMerge(format!("cannot be merged: {why}")))
}

impl Running {
    fn failed(text: String) -> Running {
        let merge = Merge::new(Way::Equal, 0);
        Running { merge, sources: Vec::new(), next: Some(Event::Failed(text)) }
    }

    async fn event(&mut self) -> Result<Event, Trouble> {
        loop {
            match self.merge.turn().map_err(|conflict| cannot_merge(&conflict.to_string()))? {
                Turn::Piece(series) => return Ok(Event::Piece(series)),
                Turn::Done => return Ok(Event::Done),
                Turn::Need(at) => match self.sources[at].parts().await? {
                    None => self.merge.end(at),
                    Some(parts) => {
                        for part in parts {
                            if let Some(error) = part.error {
                                return Ok(Event::Failed(error));
                            }
                            self.merge.feed(at, part.series);
                        }
                    }
                },
            }
        }
    }
}
