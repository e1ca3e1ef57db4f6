//! One backend's answer, line by line.

use super::Trouble;
use crate::backend::client::Arriving;
use crate::proto::results::{self, Part, cells, string};
use std::ops::Range;

/// A longer line is not taken: a piece of an answer has at most some thousand rows.
const LINE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Lives on: the shard that asked.
pub(super) struct Source {
    arriving: Arriving,
    buffer: Vec<u8>,
    /// Bytes of the buffer that have been given out, and those in which there is no line end.
    read: usize,
    searched: usize,
}

impl Source {
    pub fn new(arriving: Arriving) -> Source {
        Source { arriving, buffer: Vec::new(), read: 0, searched: 0 }
    }

    /// The next line; `None` at the end of the answer.
    pub async fn line(&mut self) -> Result<Option<&str>, Trouble> {
        let Some(line) = self.find().await? else { return Ok(None) };
        let text = std::str::from_utf8(&self.buffer[line]);
        let text = text.map_err(|_| Trouble::Backend("a backend's answer is no text".to_owned()));
        text.map(Some)
    }

    /// Where the next line stands in the buffer.
    async fn find(&mut self) -> Result<Option<Range<usize>>, Trouble> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.buffer[self.searched..]) {
                let line = self.read..self.searched + end;
                self.searched += end + 1;
                self.read = self.searched;
                return Ok(Some(line));
            }
            self.buffer.drain(..self.read);
            (self.read, self.searched) = (0, self.buffer.len());
            if self.buffer.len() > LINE_BYTES_MAX {
                return Err(Trouble::Backend("a backend's answer has too long a line".to_owned()));
            }
            let piece = self.arriving.next_slice().await;
            match piece.map_err(|error| Trouble::Backend(error.to_string()))? {
                Some(piece) => self.buffer.extend_from_slice(piece),
                None if self.buffer.is_empty() => return Ok(None),
                None => {
                    // The last line has no end.
                    (self.read, self.searched) = (self.buffer.len(), self.buffer.len());
                    return Ok(Some(0..self.read));
                }
            }
        }
    }

    /// What the next line says; `None` at the end of the answer.
    pub async fn parts(&mut self) -> Result<Option<Vec<Part>>, Trouble> {
        let Some(line) = self.line().await? else { return Ok(None) };
        if line.trim().is_empty() {
            return Ok(Some(Vec::new()));
        }
        match results::read(line) {
            Ok(read) => match read.error {
                Some(error) => Err(Trouble::Failed(error)),
                None => Ok(Some(read.parts)),
            },
            // So InfluxDB ends an answer with a number that JSON has no word for.
            Err(_) if line.starts_with("json: error calling MarshalJSON") => {
                Err(super::cannot_merge("a backend has a number that is not finite"))
            }
            Err(error) => Err(Trouble::Backend(format!("a backend's answer is {error}"))),
        }
    }

    /// The first cell of each row, for each of `count` statements; each text once.
    pub async fn first_cells(mut self, count: usize) -> Result<Vec<Vec<String>>, Trouble> {
        let mut found = vec![Vec::new(); count];
        while let Some(parts) = self.parts().await? {
            for part in parts {
                if let Some(error) = part.error {
                    return Err(Trouble::Failed(error));
                }
                let at = usize::try_from(part.statement).unwrap_or(usize::MAX);
                let Some(texts) = found.get_mut(at) else { continue };
                let rows = part.series.iter().filter_map(|series| series.rows.as_ref());
                for row in rows.flat_map(|rows| rows.iter()) {
                    let Some(text) = cells(row).next().and_then(string) else { continue };
                    if !texts.iter().any(|known| known == &*text) {
                        texts.push(text.into_owned());
                    }
                }
            }
        }
        Ok(found)
    }
}
