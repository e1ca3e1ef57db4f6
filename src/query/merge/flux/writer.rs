//! Writes annotated CSV in the dialect of a client.

use crate::proto::annotated::{Block, Cells, plain};
use crate::query::flux_body::Dialect;
use std::rc::Rc;

const ANNOTATIONS: [&str; 3] = ["datatype", "group", "default"];

/// What is written so far, and what the next table must begin with.
#[derive(Debug)]
pub(super) struct Writer {
    out: Vec<u8>,
    has_written: bool,
    delimiter: u8,
    header: bool,
    annotations: Vec<&'static str>,
    names_results: bool,
    /// The answer and block of the table before; none at the start of a result.
    last: Option<(usize, Rc<Block>)>,
    last_is_empty: bool,
    tables: u64,
    /// The cells before those of a row, made anew for each table.
    lead: Vec<u8>,
}

impl Writer {
    pub(super) fn new(dialect: &Dialect, delimiter: u8) -> Writer {
        let known = |name: &String| ANNOTATIONS.into_iter().find(|known| known == name);
        let annotations: Vec<_> = dialect.annotations.iter().filter_map(known).collect();
        Writer {
            out: Vec::new(),
            has_written: false,
            delimiter,
            header: dialect.header,
            names_results: !annotations.contains(&"default"),
            annotations,
            last: None,
            last_is_empty: false,
            tables: 0,
            lead: Vec::new(),
        }
    }

    pub(super) fn pending_bytes(&self) -> usize {
        self.out.len()
    }

    pub(super) fn has_written(&self) -> bool {
        self.has_written
    }

    pub(super) fn has_header(&self) -> bool {
        self.header
    }

    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// Begins the next table of the result; tables of one block of one answer follow each other without a header.
    pub(super) fn table(&mut self, answer: usize, result: &[u8], block: &Rc<Block>, empty: bool) {
        let is_same = |(of, last): &(usize, Rc<Block>)| *of == answer && Rc::ptr_eq(last, block);
        let continues = !empty && !self.last_is_empty && self.last.as_ref().is_some_and(is_same);
        if !continues {
            if self.last.is_some() {
                self.out.extend_from_slice(b"\r\n");
            }
            self.head(block, empty);
        }
        self.lead.clear();
        self.lead.push(self.delimiter);
        if self.names_results || block.default.is_none() {
            self.lead.extend_from_slice(result);
        }
        self.lead.push(self.delimiter);
        self.lead.extend_from_slice(self.tables.to_string().as_bytes());
        self.last = Some((answer, block.clone()));
        self.last_is_empty = empty;
        self.tables += 1;
        self.has_written = true;
    }

    fn head(&mut self, block: &Block, empty: bool) {
        for annotation in self.annotations.clone() {
            let row = match annotation {
                "datatype" => &block.datatype,
                "group" => &block.group,
                _ => &block.default,
            };
            let Some(row) = row else { continue };
            if annotation == "default" && empty {
                // The one place where an empty table has its number.
                let mut cells = Cells::new(row, self.delimiter);
                let before: usize = cells.by_ref().take(2).map(|cell| cell.len() + 1).sum();
                let number = cells.next().unwrap_or_default().len();
                self.out.extend_from_slice(&row[..before.min(row.len())]);
                self.out.extend_from_slice(self.tables.to_string().as_bytes());
                self.out.extend_from_slice(row.get(before + number..).unwrap_or_default());
            } else {
                self.out.extend_from_slice(row);
            }
            self.out.extend_from_slice(b"\r\n");
        }
        if self.header {
            self.out.extend_from_slice(&block.header);
            self.out.extend_from_slice(b"\r\n");
        }
    }

    /// A row of the table that was begun last: its cells behind the table's number.
    pub(super) fn row(&mut self, cells: &[u8]) {
        self.out.reserve(self.lead.len() + cells.len() + 2);
        self.out.extend_from_slice(&self.lead);
        self.out.extend_from_slice(cells);
        self.out.extend_from_slice(b"\r\n");
    }

    /// All tables of the result are written.
    pub(super) fn end_result(&mut self) {
        self.out.extend_from_slice(b"\r\n");
        self.last = None;
        self.last_is_empty = false;
        self.tables = 0;
        self.has_written = true;
    }

    /// The table that says that the query failed.
    pub(super) fn error(&mut self, message: &str, reference: &str) {
        let delimiter = char::from(self.delimiter);
        if self.has_written {
            self.out.extend_from_slice(b"\r\n");
        }
        let rows = self.annotations.iter().map(|annotation| match *annotation {
            "datatype" => format!("#datatype{delimiter}string{delimiter}string\r\n"),
            "group" => format!("#group{delimiter}true{delimiter}true\r\n"),
            _ => format!("#default{delimiter}{delimiter}\r\n"),
        });
        let rows: String = rows.collect();
        self.out.extend_from_slice(rows.as_bytes());
        if self.header {
            let header = format!("{delimiter}error{delimiter}reference\r\n");
            self.out.extend_from_slice(header.as_bytes());
        }
        for text in [message, reference] {
            self.out.push(self.delimiter);
            self.out.extend_from_slice(&plain(text, self.delimiter));
        }
        self.out.extend_from_slice(b"\r\n");
        self.has_written = true;
    }
}
