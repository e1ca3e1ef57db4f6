//! A socket with a buffer, and heads of messages read from it.

use std::io::{self, Read};
use std::net::TcpStream;

/// Heads beyond this many bytes are refused.
const HEAD_BYTES_MAX: usize = 64 << 10;
const BUFFER_BYTES: usize = 256 << 10;

pub struct Wire {
    pub stream: TcpStream,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

/// What matters of a start line, and the fields; names of fields are lower-case.
#[derive(Debug, Default)]
pub struct Head {
    pub target: String,
    pub status: u16,
    fields: Vec<(String, String)>,
}

impl Head {
    /// The first value of a field whose name is given in lower case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|field| field.0 == name).map(|field| field.1.as_str())
    }

    /// Whether the field holds exactly this word, in whatever case.
    pub fn says(&self, name: &str, word: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case(word))
    }
}

pub fn malformed(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

impl Wire {
    pub fn new(stream: TcpStream) -> Self {
        Wire { stream, buffer: vec![0; BUFFER_BYTES], start: 0, end: 0 }
    }

    /// The bytes that were read and not yet consumed.
    pub fn unread(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    pub fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }

    /// Reads more bytes behind the unread ones; 0 says that the peer has closed.
    pub fn fill(&mut self) -> io::Result<usize> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.buffer.len() {
            return Err(malformed("message does not fit the buffer"));
        }
        loop {
            match self.stream.read(&mut self.buffer[self.end..]) {
                Ok(count) => {
                    self.end += count;
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Consumes one line and gives it without its end.
    pub fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(at) = self.unread().iter().position(|byte| *byte == b'\n') {
                let line = String::from_utf8_lossy(&self.unread()[..at]).trim_end().to_owned();
                self.consume(at + 1);
                return Ok(line);
            }
            if self.unread().len() > HEAD_BYTES_MAX {
                return Err(malformed("line too long"));
            }
            if self.fill()? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Reads the head of a request; None when the peer closed between two requests.
    pub fn request(&mut self) -> io::Result<Option<Head>> {
        self.head(|bytes| {
            let mut fields = [httparse::EMPTY_HEADER; 64];
            let mut request = httparse::Request::new(&mut fields);
            let status = request.parse(bytes).map_err(|error| malformed(&error.to_string()))?;
            let httparse::Status::Complete(length) = status else { return Ok(None) };
            let head = Head {
                target: request.path.unwrap_or_default().to_owned(),
                status: 0,
                fields: owned(request.headers),
            };
            Ok(Some((length, head)))
        })
    }

    /// Reads the head of an answer, without those of interim answers.
    pub fn answer(&mut self) -> io::Result<Head> {
        loop {
            let head = self.head(|bytes| {
                let mut fields = [httparse::EMPTY_HEADER; 64];
                let mut answer = httparse::Response::new(&mut fields);
                let status = answer.parse(bytes).map_err(|error| malformed(&error.to_string()))?;
                let httparse::Status::Complete(length) = status else { return Ok(None) };
                let status = answer.code.unwrap_or_default();
                let fields = owned(answer.headers);
                Ok(Some((length, Head { status, fields, ..Head::default() })))
            })?;
            match head {
                Some(head) if (100..200).contains(&head.status) => {}
                Some(head) => return Ok(head),
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
    }

    fn head(
        &mut self,
        parse: impl Fn(&[u8]) -> io::Result<Option<(usize, Head)>>,
    ) -> io::Result<Option<Head>> {
        loop {
            if !self.unread().is_empty()
                && let Some((length, head)) = parse(self.unread())?
            {
                self.consume(length);
                return Ok(Some(head));
            }
            if self.unread().len() > HEAD_BYTES_MAX {
                return Err(malformed("head too long"));
            }
            if self.fill()? == 0 {
                let clean = self.unread().is_empty();
                return if clean { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
        }
    }
}

fn owned(headers: &[httparse::Header<'_>]) -> Vec<(String, String)> {
    let pair = |header: &httparse::Header<'_>| {
        let value = String::from_utf8_lossy(header.value).trim().to_owned();
        (header.name.to_ascii_lowercase(), value)
    };
    headers.iter().map(pair).collect()
}
