//! Tables -> annotated CSV.

use std::borrow::Cow;

/// How a client wants its answer written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialect {
    pub has_header: bool,
    pub delimiter: u8,
    /// In the order in which they are written.
    pub annotations: Vec<Annotation>,
}

impl Default for Dialect {
    /// What InfluxDB takes where a request says nothing.
    fn default() -> Dialect {
        Dialect { has_header: true, delimiter: b',', annotations: Vec::new() }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Annotation {
    Datatype,
    Group,
    Default,
}

impl Annotation {
    /// By its name in a request.
    pub fn named(name: &str) -> Option<Annotation> {
        match name {
            "datatype" => Some(Annotation::Datatype),
            "group" => Some(Annotation::Group),
            "default" => Some(Annotation::Default),
            _ => None,
        }
    }
}

/// What is known of a column before its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub label: String,
    /// As `#datatype` has it.
    pub datatype: &'static str,
    pub is_group: bool,
}

/// Writes the results of one answer. A block begins where the columns change, and around an empty table.
#[derive(Debug)]
pub struct Encoder {
    dialect: Dialect,
    result: String,
    /// The columns of the table before, if there was one in this result.
    heads: Option<Vec<Head>>,
    was_empty: bool,
    tables: u64,
    /// Begins every row of the table.
    prefix: Vec<u8>,
    has_written: bool,
}

impl Encoder {
    pub fn new(dialect: Dialect) -> Encoder {
        Encoder {
            dialect,
            result: String::new(),
            heads: None,
            was_empty: false,
            tables: 0,
            prefix: Vec::new(),
            has_written: false,
        }
    }

    pub fn begin_result(&mut self, name: &str) {
        name.clone_into(&mut self.result);
        (self.heads, self.was_empty, self.tables) = (None, false, 0);
    }

    pub fn end_result(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\r\n");
        self.has_written = true;
    }

    /// Begins a table. `keys` are the values of its group key, empty for the other columns; an empty table has
    /// nothing else to say.
    pub fn begin_table(
        &mut self,
        heads: Vec<Head>,
        is_empty: bool,
        keys: &[String],
        out: &mut Vec<u8>,
    ) {
        let is_new = self.heads.as_ref() != Some(&heads) || is_empty || self.was_empty;
        if is_new {
            if self.heads.is_some() {
                out.extend_from_slice(b"\r\n");
            }
            for annotation in self.dialect.annotations.clone() {
                self.annotate(annotation, &heads, is_empty.then_some(keys), out);
            }
            if self.dialect.has_header {
                let labels = heads.iter().map(|head| &*head.label);
                self.row("", ["result", "table"].into_iter().chain(labels), out);
            }
        }
        self.has_written |= is_new;
        self.heads = Some(heads);
        self.was_empty = is_empty;
        self.prefix.clear();
        self.prefix.push(self.dialect.delimiter);
        if !self.dialect.annotations.contains(&Annotation::Default) {
            let name = std::mem::take(&mut self.result);
            let mut prefix = std::mem::take(&mut self.prefix);
            put(&name, self.dialect.delimiter, &mut prefix);
            (self.result, self.prefix) = (name, prefix);
        }
        self.prefix.push(self.dialect.delimiter);
        self.prefix.extend_from_slice(self.tables.to_string().as_bytes());
        self.tables += 1;
    }

    fn annotate(
        &self,
        annotation: Annotation,
        heads: &[Head],
        keys: Option<&[String]>,
        out: &mut Vec<u8>,
    ) {
        match annotation {
            Annotation::Datatype => {
                let types = heads.iter().map(|head| head.datatype);
                self.row("#datatype", ["string", "long"].into_iter().chain(types), out);
            }
            Annotation::Group => {
                let groups = heads.iter().map(|head| if head.is_group { "true" } else { "false" });
                self.row("#group", ["false", "false"].into_iter().chain(groups), out);
            }
            Annotation::Default => {
                let table = keys.map_or(String::new(), |_| self.tables.to_string());
                let of_key = |at: usize| keys.map_or("", |keys| keys[at].as_str());
                let defaults = (0..heads.len()).map(of_key);
                let first = [self.result.as_str(), table.as_str()].into_iter();
                self.row("#default", first.chain(defaults), out);
            }
        }
    }

    fn row<'c>(&self, first: &str, cells: impl Iterator<Item = &'c str>, out: &mut Vec<u8>) {
        out.extend_from_slice(first.as_bytes());
        for cell in cells {
            out.push(self.dialect.delimiter);
            put(cell, self.dialect.delimiter, out);
        }
        out.extend_from_slice(b"\r\n");
    }

    pub fn begin_row(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.prefix);
        self.has_written = true;
    }

    /// A cell that may have to be quoted.
    pub fn text(&self, text: &str, out: &mut Vec<u8>) {
        out.push(self.dialect.delimiter);
        put(text, self.dialect.delimiter, out);
    }

    /// A number, a time, or nothing.
    pub fn plain(&self, text: &[u8], out: &mut Vec<u8>) {
        out.push(self.dialect.delimiter);
        out.extend_from_slice(text);
    }

    pub fn end_row(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\r\n");
    }

    /// Says that the query failed after the answer had begun. Nothing may follow.
    pub fn failed(&self, message: &str, out: &mut Vec<u8>) {
        if self.has_written {
            out.extend_from_slice(b"\r\n");
        }
        for annotation in &self.dialect.annotations {
            let (name, cells) = match annotation {
                Annotation::Datatype => ("#datatype", ["string", "string"]),
                Annotation::Group => ("#group", ["true", "true"]),
                Annotation::Default => ("#default", ["", ""]),
            };
            self.row(name, cells.into_iter(), out);
        }
        if self.dialect.has_header {
            self.row("", ["error", "reference"].into_iter(), out);
        }
        self.row("", [message, ""].into_iter(), out);
    }
}

/// Quoted where it must be; a line end in it becomes CRLF.
fn put(text: &str, delimiter: u8, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\r' | b'\n') || *byte == delimiter;
    let begins_blank = text.chars().next().is_some_and(char::is_whitespace);
    if text != "\\." && !begins_blank && !bytes.iter().any(is_special) {
        return out.extend_from_slice(bytes);
    }
    let text: Cow<'_, str> = match bytes.contains(&b'\r') {
        true => text.replace('\r', "").into(),
        false => text.into(),
    };
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\"\""),
            b'\n' => out.extend_from_slice(b"\r\n"),
            other => out.push(other),
        }
    }
    out.push(b'"');
}
