//! A small blocking HTTP/1.1 client that sends exactly the bytes it is given.

use flate2::{Compression, write::GzEncoder};
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longer than any answer takes: a wait for a slow backend is 3 s.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// Percent-encodes a value of a query string.
pub fn encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// One gzip member.
pub fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).expect("memory takes every byte");
    encoder.finish().expect("memory takes every byte")
}

/// The body in chunks of at most `size` bytes, with the last chunk.
pub fn chunked(body: &[u8], size: usize) -> Vec<u8> {
    let mut framed = Vec::with_capacity(body.len() + body.len() / size * 8 + 16);
    for chunk in body.chunks(size) {
        framed.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        framed.extend_from_slice(chunk);
        framed.extend_from_slice(b"\r\n");
    }
    framed.extend_from_slice(b"0\r\n\r\n");
    framed
}

/// A request, built part by part.
#[derive(Clone)]
pub struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    chunk_bytes: Option<usize>,
}

impl Request {
    pub fn new(method: &str, target: &str) -> Request {
        Request {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: vec![("Host".to_owned(), "circlet.test".to_owned())],
            body: Vec::new(),
            chunk_bytes: None,
        }
    }

    pub fn get(target: &str) -> Request {
        Request::new("GET", target)
    }

    pub fn post(target: &str, body: impl AsRef<[u8]>) -> Request {
        Request::new("POST", target).body(body)
    }

    pub fn body(mut self, body: impl AsRef<[u8]>) -> Request {
        self.body = body.as_ref().to_vec();
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Request {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Compresses the body as it is now.
    pub fn gzip(mut self) -> Request {
        self.body = gzip(&self.body);
        self.header("Content-Encoding", "gzip")
    }

    /// Sends the body in chunks of at most `bytes` instead of with its length.
    pub fn chunked(mut self, bytes: usize) -> Request {
        self.chunk_bytes = Some(bytes);
        self
    }

    /// Head and body as they go over the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        match self.chunk_bytes {
            Some(size) => {
                bytes.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
                bytes.extend_from_slice(&chunked(&self.body, size));
            }
            None => {
                let length = format!("Content-Length: {}\r\n\r\n", self.body.len());
                bytes.extend_from_slice(length.as_bytes());
                bytes.extend_from_slice(&self.body);
            }
        }
        bytes
    }
}

/// An answer with its body decoded from chunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub version: String,
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// 1xx answers that came before it.
    pub interim: Vec<u16>,
}

impl Answer {
    /// The first header of this name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {} {}", self.status, self.text()))
    }

    /// Panics unless the status is this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{:?} {}", self.headers, self.text());
        self
    }
}

/// One keep-alive connection.
pub struct Connection {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Connection {
    pub fn try_open(address: SocketAddr) -> Result<Connection> {
        let stream = TcpStream::connect_timeout(&address, ANSWER_LIMIT)?;
        stream.set_read_timeout(Some(ANSWER_LIMIT))?;
        stream.set_write_timeout(Some(ANSWER_LIMIT))?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, unread: Vec::new() })
    }

    pub fn open(address: SocketAddr) -> Connection {
        Connection::try_open(address).unwrap_or_else(|error| panic!("{address}: {error}"))
    }

    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes)
    }

    /// Says that nothing more will be sent.
    pub fn end_sending(&mut self) {
        self.stream.shutdown(std::net::Shutdown::Write).expect("an open connection half-closes");
    }

    pub fn request(&mut self, request: &Request) -> Result<Answer> {
        self.send(&request.bytes())?;
        self.answer(request.method == "HEAD")
    }

    /// The next answer; `bodiless` for the answer to a HEAD.
    pub fn answer(&mut self, bodiless: bool) -> Result<Answer> {
        let mut interim = Vec::new();
        loop {
            let mut answer = self.head()?;
            if (100..200).contains(&answer.status) {
                interim.push(answer.status);
                continue;
            }
            answer.interim = interim;
            if !bodiless && answer.status != 204 && answer.status != 304 {
                answer.body = self.body(&answer)?;
            }
            return Ok(answer);
        }
    }

    /// True when the other side closes within `limit` without sending more. What it sends instead is kept
    /// for the next answer.
    pub fn closes_within(&mut self, limit: Duration) -> bool {
        self.stream.set_read_timeout(Some(limit)).expect("a time-out is set");
        let closed = match self.fill() {
            Ok(more) => !more,
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        };
        self.stream.set_read_timeout(Some(ANSWER_LIMIT)).expect("a time-out is set");
        closed && self.unread.is_empty()
    }

    /// The beginning of the next answer, whose body may never end.
    pub fn head(&mut self) -> Result<Answer> {
        let end = self.find(b"\r\n\r\n")?;
        let head: Vec<u8> = self.unread.drain(..end + 4).collect();
        let head = String::from_utf8_lossy(&head[..end]).into_owned();
        let mut lines = head.split("\r\n");
        let first = lines.next().unwrap_or_default();
        let (version, rest) = first.split_once(' ').unwrap_or_default();
        let status = rest.get(..3).and_then(|digits| digits.parse().ok());
        let status = status.ok_or_else(|| Error::other(format!("not a status line: {first}")))?;
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect();
        Ok(Answer {
            version: version.to_owned(),
            status,
            headers,
            body: Vec::new(),
            interim: Vec::new(),
        })
    }

    fn body(&mut self, answer: &Answer) -> Result<Vec<u8>> {
        if answer.header("Transfer-Encoding").is_some_and(|value| value.contains("chunked")) {
            return self.chunks();
        }
        if let Some(length) = answer.header("Content-Length") {
            let length = length.parse().map_err(|_| Error::other("bad Content-Length"))?;
            return self.take(length);
        }
        while self.fill()? {}
        Ok(std::mem::take(&mut self.unread))
    }

    fn chunks(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let end = self.find(b"\r\n")?;
            let line: Vec<u8> = self.unread.drain(..end + 2).collect();
            let size = String::from_utf8_lossy(&line[..end]).into_owned();
            let size = size.split(';').next().unwrap_or_default().trim().to_owned();
            let size = usize::from_str_radix(&size, 16).map_err(|_| Error::other("bad chunk"))?;
            body.extend_from_slice(&self.take(size)?);
            let end = self.find(b"\r\n")?;
            self.unread.drain(..end + 2);
            if size == 0 {
                return Ok(body);
            }
        }
    }

    fn take(&mut self, count: usize) -> Result<Vec<u8>> {
        while self.unread.len() < count {
            if !self.fill()? {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(self.unread.drain(..count).collect())
    }

    fn find(&mut self, pattern: &[u8]) -> Result<usize> {
        loop {
            if let Some(at) = memchr::memmem::find(&self.unread, pattern) {
                return Ok(at);
            }
            if !self.fill()? {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Reads more; false at the end of the stream.
    fn fill(&mut self) -> Result<bool> {
        let mut block = [0; 16 << 10];
        let read = loop {
            match self.stream.read(&mut block) {
                // With a time-out the kernel does not begin again by itself when the process was stopped meanwhile.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.unread.extend_from_slice(&block[..read]);
        Ok(read > 0)
    }
}
