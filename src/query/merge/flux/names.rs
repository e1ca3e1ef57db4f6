//! Names of several answers as one set.

use super::Step;
use super::writer::Writer;
use crate::proto::annotated::{Block, Decoder, Event, unquoted};
use crate::proto::flux::Names;
use crate::query::flux_body::Dialect;
use std::collections::BTreeMap;
use std::rc::Rc;

/// All names that one answer may hold.
const NAMES_BYTES_MAX: usize = 16 * 1024 * 1024;

/// So much is written before it is handed out.
const OUT_BYTES: usize = 64 * 1024;

/// Names that are put in their place before others have their turn.
const NAMES_AT_ONCE: usize = 256;

/// Lives on: the shard that asked.
#[derive(Debug)]
pub struct NamesMerger {
    decoders: Vec<Decoder>,
    /// The answer that is read.
    reading: usize,
    names: Names,
    /// The result and the first block that came; the cells of each name by its order.
    result: Vec<u8>,
    block: Option<Rc<Block>>,
    found: BTreeMap<(u8, Vec<u8>), Vec<u8>>,
    found_bytes: usize,
    writer: Writer,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Reading,
    /// By bytes, into this.
    Sorting(BTreeMap<(u8, Vec<u8>), Vec<u8>>),
    Writing,
    Done,
    Broken(String),
}

impl NamesMerger {
    pub(super) fn new(
        dialect: &Dialect,
        delimiter: u8,
        answers: usize,
        names: Names,
    ) -> NamesMerger {
        NamesMerger {
            decoders: (0..answers).map(|_| Decoder::new(delimiter)).collect(),
            reading: 0,
            names,
            result: Vec::new(),
            block: None,
            found: BTreeMap::new(),
            found_bytes: 0,
            writer: Writer::new(dialect, delimiter),
            phase: Phase::Reading,
        }
    }

    pub(super) fn push(&mut self, answer: usize, bytes: &[u8]) {
        self.decoders[answer].push(bytes);
    }

    pub(super) fn end(&mut self, answer: usize) {
        self.decoders[answer].end();
    }

    pub(super) fn fail(&mut self, why: &str) {
        if self.writer.has_written() {
            self.writer.error(why, "");
        }
        self.phase = Phase::Broken(why.to_owned());
    }

    pub(super) fn step(&mut self) -> Step {
        while matches!(self.phase, Phase::Reading) {
            if self.reading == self.decoders.len() {
                self.begin_writing();
                break;
            }
            match self.read() {
                Ok(Read::All) => self.reading += 1,
                Ok(Read::More) => return Step::Want(self.reading),
                Ok(Read::Enough) => return Step::Pause,
                Err(why) => self.fail(&why),
            }
        }
        if self.sort() {
            return Step::Pause;
        }
        while matches!(self.phase, Phase::Writing) && self.writer.pending_bytes() < OUT_BYTES {
            match self.found.pop_first() {
                Some((_, cells)) => self.writer.row(&cells),
                None => {
                    self.writer.end_result();
                    self.phase = Phase::Done;
                }
            }
        }
        if self.writer.pending_bytes() > 0 {
            return Step::Out(self.writer.take());
        }
        match &self.phase {
            Phase::Broken(why) => Step::Broken(why.clone()),
            _ => Step::Done,
        }
    }

    /// Sorts some names by bytes; false when there is nothing to sort.
    fn sort(&mut self) -> bool {
        let Phase::Sorting(sorted) = &mut self.phase else { return false };
        for _ in 0..NAMES_AT_ONCE {
            let Some(((_, name), cells)) = self.found.pop_first() else {
                self.found = std::mem::take(sorted);
                self.phase = Phase::Writing;
                return false;
            };
            sorted.insert((0, name), cells);
        }
        true
    }

    fn keep(&mut self, name: Vec<u8>, cells: Vec<u8>) {
        let first = match &*name {
            _ if !self.names.keys => 4,
            b"_start" => 0,
            b"_stop" => 1,
            b"_field" => 2,
            b"_measurement" => 3,
            _ => 4,
        };
        let bytes = |name: &[u8], cells: &[u8]| name.len() + cells.len() + size_of::<[usize; 8]>();
        let added = bytes(&name, &cells);
        if self.found.insert((first, name), cells).is_none() {
            self.found_bytes += added;
        }
        let limit = self.names.limit.and_then(|limit| usize::try_from(limit).ok());
        if limit.is_some_and(|limit| self.found.len() > limit)
            && let Some(((_, name), cells)) = self.found.pop_last()
        {
            self.found_bytes -= bytes(&name, &cells);
        }
    }

    /// Takes some of what an answer has so far.
    fn read(&mut self) -> Result<Read, String> {
        for _ in 0..NAMES_AT_ONCE {
            match self.decoders[self.reading].event().map_err(|error| error.to_string())? {
                Event::Row(cells) => {
                    let name = unquoted(cells.get(1..).unwrap_or_default()).into_owned();
                    let cells = cells.to_vec();
                    self.keep(name, cells);
                    if self.found_bytes > NAMES_BYTES_MAX {
                        return Err("there are too many names to make one list of them".to_owned());
                    }
                }
                Event::Table { result, block, is_empty, .. } => {
                    if !block.columns().eq([b"_value".as_slice()]) {
                        return Err("a list of names has other columns than `_value`".to_owned());
                    }
                    if self.block.is_none() || !is_empty {
                        self.block = Some(block);
                    }
                    self.result = result;
                }
                Event::Error { message, reference } => {
                    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                    let (message, reference) = (text(&message), text(&reference));
                    self.writer.error(&message, &reference);
                    self.phase = match self.writer.has_header() {
                        true => Phase::Done,
                        false => Phase::Broken(message),
                    };
                    return Ok(Read::All);
                }
                Event::More => return Ok(Read::More),
                Event::End => return Ok(Read::All),
            }
        }
        Ok(Read::Enough)
    }

    fn begin_writing(&mut self) {
        if let Some(block) = &self.block {
            self.writer.table(0, &self.result, block, self.found.is_empty());
        }
        self.phase = match self.names.sorted && self.names.keys {
            true => Phase::Sorting(BTreeMap::new()),
            false => Phase::Writing,
        };
    }
}

/// How far an answer was read.
enum Read {
    All,
    More,
    /// There is more, and it may wait.
    Enough,
}
