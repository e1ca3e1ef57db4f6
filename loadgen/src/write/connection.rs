//! One connection with one request under way; made anew when it breaks.

use super::answer::{self, Answer};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
const READ_BYTES: usize = 4096;

#[derive(Debug)]
pub struct Connection {
    address: SocketAddr,
    wait_max: Duration,
    /// Whether calls return at once, for a thread with many connections.
    is_shared: bool,
    stream: Option<TcpStream>,
    /// Bytes of the request that are sent.
    sent: usize,
    inbox: Vec<u8>,
}

impl Connection {
    /// Connects on first use. Not shared: calls wait, for as long as `wait_max`.
    pub fn new(address: SocketAddr, wait_max: Duration, is_shared: bool) -> Self {
        let inbox = Vec::with_capacity(READ_BYTES);
        Connection { address, wait_max, is_shared, stream: None, sent: 0, inbox }
    }

    /// Begins a request; true if that took a new connection.
    pub fn begin(&mut self) -> io::Result<bool> {
        self.sent = 0;
        self.inbox.clear();
        if self.stream.is_some() {
            return Ok(false);
        }
        let stream = TcpStream::connect_timeout(&self.address, CONNECT_TIME_MAX)?;
        stream.set_nodelay(true)?;
        if self.is_shared {
            stream.set_nonblocking(true)?;
        } else {
            stream.set_read_timeout(Some(self.wait_max))?;
            stream.set_write_timeout(Some(self.wait_max))?;
        }
        self.stream = Some(stream);
        Ok(true)
    }

    pub fn stream(&self) -> Option<&TcpStream> {
        self.stream.as_ref()
    }

    /// Sends what can be sent and reads what has come; None if shared and there is more to wait for.
    /// After an error the next request takes a new connection.
    pub fn advance(&mut self, request: &[u8]) -> io::Result<Option<Answer>> {
        let outcome = self.advance_once(request);
        let is_waiting = matches!(outcome, Ok(None));
        let keeps = matches!(&outcome, Ok(Some(answer)) if answer.keeps);
        if !is_waiting && !keeps {
            self.close();
        }
        outcome
    }

    pub fn close(&mut self) {
        self.stream = None;
    }

    fn advance_once(&mut self, request: &[u8]) -> io::Result<Option<Answer>> {
        let broken = self.send(request).err();
        match (self.receive(), broken) {
            // A server that refuses a body may answer and close before it has read the whole of it.
            (Ok(Some(mut answer)), _) => {
                answer.keeps &= self.sent == request.len() && self.inbox.is_empty();
                Ok(Some(answer))
            }
            (_, Some(error)) | (Err(error), None) => Err(error),
            (Ok(None), None) => Ok(None),
        }
    }

    fn send(&mut self, request: &[u8]) -> io::Result<()> {
        let Some(stream) = &mut self.stream else { return Err(io::ErrorKind::NotConnected.into()) };
        while self.sent < request.len() {
            match stream.write(&request[self.sent..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if self.is_shared && error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn receive(&mut self) -> io::Result<Option<Answer>> {
        let Some(stream) = &mut self.stream else { return Err(io::ErrorKind::NotConnected.into()) };
        let mut piece = [0; READ_BYTES];
        loop {
            let count = match stream.read(&mut piece) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if self.is_shared && error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(None);
                }
                Err(error) => return Err(error),
            };
            self.inbox.extend_from_slice(&piece[..count]);
            if let Some(answer) = answer::take(&mut self.inbox, count == 0)? {
                return Ok(Some(answer));
            }
        }
    }
}
