//! One connection that is kept alive and made anew when it breaks.

use super::body::Body;
use super::wire::{Head, Wire};
use std::io::{self, BufRead, IoSlice, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// Bytes of one chunk of a chunked body.
const CHUNK_BYTES: usize = 32 << 10;
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);

pub struct Client {
    address: String,
    wait_max: Duration,
    wire: Option<Wire>,
}

/// What came back, the body whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Of `Retry-After`, in seconds.
    pub retry_after: Option<u64>,
    pub body: Vec<u8>,
}

impl Client {
    /// A client that gives up on an answer after `wait_max`. Connects on first use.
    pub fn new(address: &str, wait_max: Duration) -> Self {
        Client { address: address.to_owned(), wait_max, wire: None }
    }

    /// Sends a body and reads the answer. `head` is without the body's framing.
    pub fn post(&mut self, head: &str, body: &[u8], chunked: bool) -> io::Result<Answer> {
        let mut bytes = Vec::new();
        let (status, head) = self.exchange(head, body, chunked, &mut |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })?;
        let retry_after = head.get("retry-after").and_then(|value| value.parse().ok());
        Ok(Answer { status, retry_after, body: bytes })
    }

    /// Sends a request without a body and hands over the pieces of the answer as they come.
    pub fn stream(
        &mut self,
        head: &str,
        each: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<u16> {
        self.exchange(head, &[], false, each).map(|(status, _)| status)
    }

    fn exchange(
        &mut self,
        head: &str,
        body: &[u8],
        chunked: bool,
        each: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<(u16, Head)> {
        let mut wire = match self.wire.take() {
            Some(wire) => wire,
            None => self.connect()?,
        };
        let sent = send(&mut wire.stream, head, body, chunked);
        // A server that refuses a body may answer and close before it has read the whole of it.
        let answer = match (wire.answer(), sent) {
            (Ok(answer), _) => answer,
            (Err(_), Err(error)) | (Err(error), Ok(())) => return Err(error),
        };
        let mut body = Body::of_answer(&mut wire, &answer)?;
        loop {
            let piece = body.fill_buf()?;
            let count = piece.len();
            if count == 0 {
                break;
            }
            each(piece)?;
            body.consume(count);
        }
        if body.keeps_connection() && !answer.says("connection", "close") {
            self.wire = Some(wire);
        }
        Ok((answer.status, answer))
    }

    fn connect(&self) -> io::Result<Wire> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "address without a host");
        for address in self.address.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, CONNECT_TIME_MAX) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    stream.set_read_timeout(Some(self.wait_max))?;
                    stream.set_write_timeout(Some(self.wait_max))?;
                    return Ok(Wire::new(stream));
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

fn send(stream: &mut TcpStream, head: &str, body: &[u8], chunked: bool) -> io::Result<()> {
    if !chunked {
        let length = format!("Content-Length: {}\r\n\r\n", body.len());
        let mut parts = [head.as_bytes(), length.as_bytes(), body].map(IoSlice::new);
        return write_all(stream, &mut parts);
    }
    let sizes: Vec<String> =
        body.chunks(CHUNK_BYTES).map(|chunk| format!("{:x}\r\n", chunk.len())).collect();
    let mut parts =
        vec![IoSlice::new(head.as_bytes()), IoSlice::new(b"Transfer-Encoding: chunked\r\n\r\n")];
    for (chunk, size) in body.chunks(CHUNK_BYTES).zip(&sizes) {
        let framed = [size.as_bytes(), chunk, b"\r\n"];
        parts.extend(framed.map(IoSlice::new));
    }
    parts.push(IoSlice::new(b"0\r\n\r\n"));
    write_all(stream, &mut parts)
}

fn write_all(stream: &mut TcpStream, mut parts: &mut [IoSlice<'_>]) -> io::Result<()> {
    IoSlice::advance_slices(&mut parts, 0);
    while !parts.is_empty() {
        match stream.write_vectored(parts) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => IoSlice::advance_slices(&mut parts, count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl Answer {
    /// Status and the beginning of the body, for people.
    pub fn summary(&self) -> String {
        let start = &self.body[..self.body.len().min(200)];
        format!("{} {}", self.status, String::from_utf8_lossy(start).trim())
    }
}
