//! Bytes -> tables and rows.

use std::fmt;
use std::rc::Rc;

use super::block::Block;
use super::cells::{Cells, RowScan, is_sound, unquoted};

/// A row that is longer is taken for damage. A field of InfluxDB holds at most 64 KiB, a row many of them.
const ROW_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Why bytes are no annotated CSV.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(&'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "the answer is no annotated CSV: {}", self.0)
    }
}

impl std::error::Error for Malformed {}

/// What comes next. Cells are as they were written.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'d> {
    /// A table begins. Its rows follow.
    Table {
        result: Vec<u8>,
        block: Rc<Block>,
        /// What it holds, if its group key says so; unquoted.
        measurement: Vec<u8>,
        is_empty: bool,
    },
    /// The cells behind that of the table's number, with the delimiter before them.
    Row(&'d [u8]),
    /// The query failed; the texts are unquoted. Nothing follows.
    Error {
        message: Vec<u8>,
        reference: Vec<u8>,
    },
    /// More bytes are needed.
    More,
    End,
}

/// Decodes one answer.
#[derive(Debug)]
pub struct Decoder {
    delimiter: u8,
    buffer: Vec<u8>,
    at: usize,
    scan: RowScan,
    has_ended: bool,
    state: State,
    /// The annotations of the block that is being read.
    next_block: Block,
    block: Rc<Block>,
    /// The cells `,result,table` of the table that rows now belong to.
    table: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Annotations or a header come.
    BeforeHeader,
    /// The header was the last row.
    AfterHeader,
    InTable,
    Failed,
}

impl Decoder {
    pub fn new(delimiter: u8) -> Decoder {
        let next_block = Block { delimiter, ..Block::default() };
        Decoder {
            delimiter,
            buffer: Vec::new(),
            at: 0,
            scan: RowScan::default(),
            has_ended: false,
            state: State::BeforeHeader,
            block: Rc::new(next_block.clone()),
            next_block,
            table: Vec::new(),
        }
    }

    /// Takes the next bytes of the answer.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.at);
        self.at = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// Says that the answer ends here.
    pub fn end(&mut self) {
        self.has_ended = true;
    }

    /// What comes next in the bytes so far.
    pub fn event(&mut self) -> Result<Event<'_>, Malformed> {
        loop {
            let Some((length, content)) = self.row()? else {
                if !self.has_ended {
                    return Ok(Event::More);
                }
                return match (self.take_empty(), self.state) {
                    (Some(table), _) => Ok(table),
                    (None, State::Failed) => Err(Malformed("an error has no text")),
                    (None, _) => Ok(Event::End),
                };
            };
            let row = &self.buffer[self.at..self.at + content];
            let is_annotation = row.first() == Some(&b'#');
            if content == 0 || is_annotation {
                // The row is found again: it is the first behind the table.
                if let Some(table) = self.take_empty() {
                    return Ok(table);
                }
                if self.state == State::InTable {
                    self.state = State::BeforeHeader;
                }
                if is_annotation {
                    self.annotation(content)?;
                }
                self.at += length;
                continue;
            }
            match self.state {
                State::BeforeHeader => self.header(content)?,
                State::Failed => return Ok(self.error(content)),
                State::AfterHeader | State::InTable => {
                    if let Some(table) = self.new_table(content)? {
                        return Ok(table);
                    }
                    let row = self.at + self.table.len()..self.at + content;
                    self.at += length;
                    return Ok(Event::Row(&self.buffer[row]));
                }
            }
            self.at += length;
        }
    }

    /// The length of the next row, and without its line end.
    fn row(&mut self) -> Result<Option<(usize, usize)>, Malformed> {
        let bytes = &self.buffer[self.at..];
        let length = match self.scan.find(bytes) {
            Some(length) => length,
            None if bytes.len() > ROW_BYTES_MAX => return Err(Malformed("a row has no end")),
            None if !self.has_ended || bytes.is_empty() => return Ok(None),
            None if self.scan.is_quoted() => return Err(Malformed("it ends inside of a cell")),
            None => {
                self.scan = RowScan::default();
                bytes.len()
            }
        };
        let row = &bytes[..length];
        let row = row.strip_suffix(b"\n").unwrap_or(row);
        let row = row.strip_suffix(b"\r").unwrap_or(row);
        if !is_sound(row, self.delimiter) {
            return Err(Malformed("a quote stands inside of a cell"));
        }
        Ok(Some((length, row.len())))
    }

    fn annotation(&mut self, length: usize) -> Result<(), Malformed> {
        let row = &self.buffer[self.at..self.at + length];
        let place = match Cells::new(row, self.delimiter).next() {
            Some(b"#datatype") => &mut self.next_block.datatype,
            Some(b"#group") => &mut self.next_block.group,
            Some(b"#default") => &mut self.next_block.default,
            _ => return Err(Malformed("an annotation is not known")),
        };
        *place = Some(row.to_vec());
        Ok(())
    }

    fn header(&mut self, length: usize) -> Result<(), Malformed> {
        let next = Block { delimiter: self.delimiter, ..Block::default() };
        let mut block = std::mem::replace(&mut self.next_block, next);
        block.finish(&self.buffer[self.at..self.at + length]);
        if !block.is_even() {
            return Err(Malformed("an annotation has more or fewer cells than its header"));
        }
        self.state = if block.is_error() { State::Failed } else { State::AfterHeader };
        let mut cells = Cells::new(&block.header, self.delimiter);
        let named = cells.next() == Some(b"")
            && cells.next() == Some(b"result")
            && cells.next() == Some(b"table");
        if !named && self.state == State::AfterHeader {
            return Err(Malformed("a header does not begin with `,result,table`"));
        }
        self.block = Rc::new(block);
        Ok(())
    }

    /// A block that ends without a row is an empty table.
    fn take_empty(&mut self) -> Option<Event<'static>> {
        if self.state != State::AfterHeader {
            return None;
        }
        self.state = State::BeforeHeader;
        let block = self.block.clone();
        let (result, measurement) = (block.result().to_vec(), block.measurement(None));
        Some(Event::Table { result, block, measurement, is_empty: true })
    }

    /// A table, if this row is its first.
    fn new_table(&mut self, length: usize) -> Result<Option<Event<'static>>, Malformed> {
        let row = &self.buffer[self.at..self.at + length];
        let ends = || row.get(self.table.len()).is_none_or(|byte| *byte == self.delimiter);
        if self.state == State::InTable && row.starts_with(&self.table) && ends() {
            return Ok(None);
        }
        let mut cells = Cells::new(row, self.delimiter);
        let (name, result, table) = (cells.next(), cells.next(), cells.next());
        let (Some(b""), Some(result), Some(table)) = (name, result, table) else {
            return Err(Malformed("a row does not begin with its result and table"));
        };
        if table.is_empty() || !table.iter().all(u8::is_ascii_digit) {
            return Err(Malformed("a table has no number"));
        }
        self.table = row[..2 + result.len() + table.len()].to_vec();
        self.state = State::InTable;
        let block = self.block.clone();
        let result = if result.is_empty() { block.result() } else { result };
        let (result, measurement) = (result.to_vec(), block.measurement(Some(row)));
        Ok(Some(Event::Table { result, block, measurement, is_empty: false }))
    }

    fn error(&self, length: usize) -> Event<'static> {
        let row = &self.buffer[self.at..self.at + length];
        let mut cells = Cells::new(row, self.delimiter).skip(1);
        let mut text = || unquoted(cells.next().unwrap_or_default()).into_owned();
        Event::Error { message: text(), reference: text() }
    }
}
