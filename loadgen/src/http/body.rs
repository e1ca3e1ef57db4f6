//! The body of a message as its framing cuts it: counted, chunked, until the end, or none.

use super::wire::{Head, Wire, malformed};
use std::io::{self, BufRead, Read};

enum Framing {
    /// Bytes still to come.
    Counted(u64),
    /// Bytes still to come of this chunk; whether it is the first.
    Chunked(u64, bool),
    UntilEnd,
    Done,
}

/// Reads a body straight from the wire's buffer; an empty `fill_buf` is its end.
pub struct Body<'a> {
    wire: &'a mut Wire,
    framing: Framing,
}

impl<'a> Body<'a> {
    /// The body of a request: without any framing it has none.
    pub fn of_request(wire: &'a mut Wire, head: &Head) -> io::Result<Self> {
        let framing = framing(head)?.unwrap_or(Framing::Done);
        Ok(Body { wire, framing })
    }

    /// The body of an answer: without any framing it ends with the connection.
    pub fn of_answer(wire: &'a mut Wire, head: &Head) -> io::Result<Self> {
        let none = matches!(head.status, 204 | 304);
        let framing =
            if none { Framing::Done } else { framing(head)?.unwrap_or(Framing::UntilEnd) };
        Ok(Body { wire, framing })
    }

    /// Whether the connection can carry another message after this body.
    pub fn keeps_connection(&self) -> bool {
        !matches!(self.framing, Framing::UntilEnd)
    }

    /// Moves on to the next chunk once the present one is used up.
    fn next_chunk(&mut self) -> io::Result<()> {
        let Framing::Chunked(0, first) = self.framing else { return Ok(()) };
        if !first && !self.wire.line()?.is_empty() {
            return Err(malformed("chunk longer than its size"));
        }
        let line = self.wire.line()?;
        let digits = line.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(digits, 16).map_err(|_| malformed("bad chunk size"))?;
        if size > 0 {
            self.framing = Framing::Chunked(size, false);
            return Ok(());
        }
        while !self.wire.line()?.is_empty() {}
        self.framing = Framing::Done;
        Ok(())
    }
}

fn framing(head: &Head) -> io::Result<Option<Framing>> {
    if head.says("transfer-encoding", "chunked") {
        return Ok(Some(Framing::Chunked(0, true)));
    }
    let Some(length) = head.get("content-length") else { return Ok(None) };
    let length = length.parse().map_err(|_| malformed("bad content-length"))?;
    Ok(Some(Framing::Counted(length)))
}

impl BufRead for Body<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.next_chunk()?;
        let limit = match self.framing {
            Framing::Done | Framing::Counted(0) => return Ok(&[]),
            Framing::Counted(left) | Framing::Chunked(left, _) => left,
            Framing::UntilEnd => u64::MAX,
        };
        if self.wire.unread().is_empty() && self.wire.fill()? == 0 {
            return match self.framing {
                Framing::UntilEnd => Ok(&[]),
                _ => Err(io::ErrorKind::UnexpectedEof.into()),
            };
        }
        let bytes = self.wire.unread();
        Ok(&bytes[..bytes.len().min(usize::try_from(limit).unwrap_or(usize::MAX))])
    }

    fn consume(&mut self, count: usize) {
        self.wire.consume(count);
        if let Framing::Counted(left) | Framing::Chunked(left, _) = &mut self.framing {
            *left = left.saturating_sub(count as u64);
        }
    }
}

impl Read for Body<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let bytes = self.fill_buf()?;
        let count = bytes.len().min(out.len());
        out[..count].copy_from_slice(&bytes[..count]);
        self.consume(count);
        Ok(count)
    }
}
