//! Tables side by side, numbered anew for each result.

use super::Step;
use super::later::{LaterResult, LaterTable};
use super::writer::Writer;
use crate::proto::annotated::{Decoder, Event};
use crate::query::flux_body::Dialect;
use std::collections::{BTreeSet, VecDeque};

/// Tables of later results that one answer may send while another still sends an earlier result.
const LATER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// So much is written before it is handed out.
const OUT_BYTES: usize = 64 * 1024;

/// Lives on: the shard that asked.
#[derive(Debug)]
pub struct TablesMerger {
    answers: Vec<Answer>,
    writer: Writer,
    /// The result whose tables are written.
    result: Option<Vec<u8>>,
    /// The answer of which rows are taken, and whether they are for now.
    reading: Option<(usize, Use)>,
    /// A table that was kept, and how many of its rows are written.
    kept: Option<(LaterTable, usize)>,
    later_bytes: usize,
    end: Option<End>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Now,
    Later,
}

#[derive(Debug)]
enum End {
    Done,
    Broken(String),
}

/// One backend's answer.
#[derive(Debug)]
struct Answer {
    decoder: Decoder,
    head: Head,
    later: Vec<LaterResult>,
    /// Results of which a table has come. One that is here and not at the head has come whole.
    seen: BTreeSet<Vec<u8>>,
}

/// What comes next in an answer, behind what is kept for later.
#[derive(Debug)]
enum Head {
    Unknown,
    Table(LaterTable),
    End,
}

/// Why the merger cannot go on by itself.
enum Stop {
    Want(usize),
    Full,
    End(End),
    /// It has said so, and how.
    Ended,
}

impl TablesMerger {
    pub(super) fn new(dialect: &Dialect, delimiter: u8, answers: usize) -> TablesMerger {
        let answer = |_| Answer {
            decoder: Decoder::new(delimiter),
            head: Head::Unknown,
            later: Vec::new(),
            seen: BTreeSet::new(),
        };
        TablesMerger {
            answers: (0..answers).map(answer).collect(),
            writer: Writer::new(dialect, delimiter),
            result: None,
            reading: None,
            kept: None,
            later_bytes: 0,
            end: None,
        }
    }

    pub(super) fn push(&mut self, answer: usize, bytes: &[u8]) {
        self.answers[answer].decoder.push(bytes);
    }

    pub(super) fn end(&mut self, answer: usize) {
        self.answers[answer].decoder.end();
    }

    pub(super) fn fail(&mut self, why: &str) {
        if self.writer.has_written() {
            self.writer.error(why, "");
        }
        self.end = Some(End::Broken(why.to_owned()));
    }

    pub(super) fn step(&mut self) -> Step {
        while self.end.is_none() {
            match self.advance() {
                Ok(()) => {}
                Err(Stop::Want(answer)) if self.writer.pending_bytes() == 0 => {
                    return Step::Want(answer);
                }
                Err(Stop::Want(_) | Stop::Full) => return Step::Out(self.writer.take()),
                Err(Stop::End(End::Broken(why))) => self.fail(&why),
                Err(Stop::End(end)) => self.end = Some(end),
                Err(Stop::Ended) => break,
            }
        }
        if self.writer.pending_bytes() > 0 {
            return Step::Out(self.writer.take());
        }
        match &self.end {
            Some(End::Broken(why)) => Step::Broken(why.clone()),
            _ => Step::Done,
        }
    }

    fn advance(&mut self) -> Result<(), Stop> {
        if let Some((answer, wanted)) = self.reading {
            return self.read(answer, wanted);
        }
        if let Some((table, written)) = &mut self.kept {
            while let Some(row) = table.row(*written) {
                if self.writer.pending_bytes() >= OUT_BYTES {
                    return Err(Stop::Full);
                }
                self.writer.row(row);
                *written += 1;
            }
            self.kept = None;
        }
        for answer in 0..self.answers.len() {
            if matches!(self.answers[answer].head, Head::Unknown) {
                self.read(answer, Use::Now)?;
            }
        }
        let Some(result) = self.result.clone() else { return self.next_result() };
        let next = |(at, answer): (usize, &Answer)| {
            answer.next_of(&result).map(|measurement| (measurement.to_vec(), at))
        };
        if let Some((_, answer)) = self.answers.iter().enumerate().filter_map(next).min() {
            return self.write(answer, &result);
        }
        // Whoever has not come to this result yet may still send tables of it.
        match self.answers.iter().position(|answer| answer.may_send(&result)) {
            Some(answer) => {
                self.keep(answer);
                Ok(())
            }
            None => {
                self.writer.end_result();
                self.result = None;
                Ok(())
            }
        }
    }

    /// Chooses the result that is written next.
    fn next_result(&mut self) -> Result<(), Stop> {
        let kept = self.answers.iter().find_map(|answer| answer.later.first());
        let head = self.answers.iter().find_map(|answer| match &answer.head {
            Head::Table(table) => Some(&table.result),
            _ => None,
        });
        self.result = kept.map(|kept| &kept.result).or(head).cloned();
        if self.result.is_some() {
            return Ok(());
        }
        if !self.writer.has_written() {
            self.writer.end_result();
        }
        Err(Stop::End(End::Done))
    }

    /// Writes the next table of an answer, or begins to.
    fn write(&mut self, at: usize, result: &[u8]) -> Result<(), Stop> {
        let answer = &mut self.answers[at];
        if let Some(table) = answer.take_later(result) {
            self.later_bytes -= table.bytes();
            self.writer.table(at, &table.result, &table.block, table.is_empty);
            self.kept = Some((table, 0));
        } else if let Head::Table(table) = std::mem::replace(&mut answer.head, Head::Unknown) {
            self.writer.table(at, &table.result, &table.block, table.is_empty);
            if !table.is_empty {
                self.reading = Some((at, Use::Now));
            }
        }
        if self.writer.pending_bytes() >= OUT_BYTES { Err(Stop::Full) } else { Ok(()) }
    }

    /// Keeps the next table of an answer for later, or begins to.
    fn keep(&mut self, at: usize) {
        let answer = &mut self.answers[at];
        let Head::Table(table) = std::mem::replace(&mut answer.head, Head::Unknown) else { return };
        self.later_bytes += table.bytes();
        if !table.is_empty {
            self.reading = Some((at, Use::Later));
        }
        match answer.later.last_mut().filter(|last| last.result == table.result) {
            Some(last) => last.tables.push_back(table),
            None => {
                let result = table.result.clone();
                answer.later.push(LaterResult { result, tables: VecDeque::from([table]) });
            }
        }
    }

    /// Takes rows up to the next table of an answer.
    fn read(&mut self, at: usize, wanted: Use) -> Result<(), Stop> {
        let Answer { decoder, head, later, seen } = &mut self.answers[at];
        loop {
            let event = decoder.event();
            match event.map_err(|error| Stop::End(End::Broken(error.to_string())))? {
                Event::Row(cells) if wanted == Use::Now => {
                    self.writer.row(cells);
                    if self.writer.pending_bytes() >= OUT_BYTES {
                        return Err(Stop::Full);
                    }
                }
                Event::Row(cells) => {
                    self.later_bytes += cells.len() + LaterTable::ROW_BYTES;
                    if self.later_bytes > LATER_BYTES_MAX {
                        return Err(Stop::End(End::Broken(TOO_MANY.to_owned())));
                    }
                    let last = later.last_mut().and_then(|last| last.tables.back_mut());
                    last.expect("a table was kept before its rows").push(cells);
                }
                Event::Table { result, block, measurement, is_empty } => {
                    if !seen.contains(&result) {
                        seen.insert(result.clone());
                    }
                    *head = Head::Table(LaterTable::new(result, block, measurement, is_empty));
                    break;
                }
                Event::End => {
                    *head = Head::End;
                    break;
                }
                Event::More => return Err(Stop::Want(at)),
                Event::Error { message, reference } => {
                    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                    self.writer.error(&text(&message), &text(&reference));
                    self.end = Some(match self.writer.has_header() {
                        true => End::Done,
                        // Without a header nothing tells an error from data.
                        false => End::Broken(text(&message)),
                    });
                    return Err(Stop::Ended);
                }
            }
        }
        self.reading = None;
        Ok(())
    }
}

/// Why results are not put in order.
const TOO_MANY: &str = "several backends send several results, and together they are too large to be put \
     in order: ask for one result at a time";

impl Answer {
    /// The measurement of the next table of this result, if there is one.
    fn next_of(&self, result: &[u8]) -> Option<&[u8]> {
        let mut later = self.later.iter();
        let kept = later.find(|later| later.result == result).and_then(|kept| kept.tables.front());
        match (kept, &self.head) {
            (Some(table), _) => Some(&table.measurement),
            (None, Head::Table(table)) if table.result == result => Some(&table.measurement),
            _ => None,
        }
    }

    /// Whether a table of this result may come behind the head, which is of another one.
    fn may_send(&self, result: &[u8]) -> bool {
        matches!(self.head, Head::Table(_)) && !self.seen.contains(result)
    }

    fn take_later(&mut self, result: &[u8]) -> Option<LaterTable> {
        let at = self.later.iter().position(|later| later.result == result)?;
        let table = self.later[at].tables.pop_front();
        if self.later[at].tables.is_empty() {
            self.later.remove(at);
        }
        table
    }
}
