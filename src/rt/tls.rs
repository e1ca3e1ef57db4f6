//! TLS over a socket: rustls keeps the session and does no I/O, the socket carries the records.
//!
//! Promises: what has not come whole is an error and no end, unless the peer has said that it is the end; whatever a
//! peer sends ends its own connection at the most. Does not know where certificates come from.

use super::Clock;
use super::net::Socket;
use super::pieces::Rest;
use arc_swap::ArcSwap;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection};
use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::sync::Arc;
use std::time::Duration;

/// Room for records that arrive: little while a connection waits, more while much comes.
const LITTLE_BYTES: usize = 4 * 1024;
const MUCH_BYTES: usize = 32 * 1024;

/// Pieces of an answer that are made into records at once.
const PIECES_MAX: usize = 16;

/// The first byte of every TLS connection: a record of the kind "handshake" (RFC 8446 5.1).
const HANDSHAKE: u8 = 22;

/// What new connections of a listener are shown. Shared: by all shards; the control thread swaps it.
pub struct Door(ArcSwap<ServerConfig>);

/// How new connections to a backend are made. Shared: by all shards; the control thread swaps it.
pub struct Trust {
    /// And what the backend's certificate must be for.
    met: ArcSwap<(Arc<ClientConfig>, ServerName<'static>)>,
}

impl Door {
    pub fn new(config: Arc<ServerConfig>) -> Door {
        Door(ArcSwap::new(config))
    }

    /// From the next handshake on; connections that are open stay as they are.
    pub fn replace(&self, config: Arc<ServerConfig>) {
        self.0.store(config);
    }
}

impl Trust {
    pub fn new(config: Arc<ClientConfig>, name: ServerName<'static>) -> Trust {
        Trust { met: ArcSwap::from_pointee((config, name)) }
    }

    /// From the next handshake on; connections that are open stay as they are.
    pub fn replace(&self, config: Arc<ClientConfig>, name: ServerName<'static>) {
        self.met.store(Arc::new((config, name)));
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trust({:?})", self.met.load().1)
    }
}

/// A connection whose handshake is done.
pub struct TlsStream {
    socket: Socket,
    session: Connection,
    /// Bytes `from..to` have arrived and the session has not taken them yet.
    incoming: Vec<u8>,
    from: usize,
    to: usize,
    /// Records on their way out.
    outgoing: Vec<u8>,
    /// The peer shall not be told that this is an orderly end.
    is_reset: bool,
}

/// Why there is no connection.
pub enum Refused {
    /// The peer does not speak TLS at all, and was told so.
    Plain,
    Failed(io::Error),
}

impl TlsStream {
    /// The side of the listener. The whole handshake may take `limit`. Whoever speaks no TLS is sent `told`.
    pub async fn accept(
        socket: Socket,
        door: &Door,
        clock: &Clock,
        limit: Duration,
        told: &[u8],
    ) -> Result<TlsStream, Refused> {
        let session = ServerConnection::new(door.0.load_full()).map_err(no_session)?;
        let mut stream = TlsStream::new(socket, session.into());
        stream.hand_shake(clock, limit, true).await.map_err(Refused::Failed)?;
        match stream.session.is_handshaking() {
            true => {
                // Whether it hears it is its own affair.
                drop(stream.socket.write_all(told).await);
                Err(Refused::Plain)
            }
            false => Ok(stream),
        }
    }

    /// The side that connects. The whole handshake may take `limit`.
    pub async fn connect(
        socket: Socket,
        trust: &Trust,
        clock: &Clock,
        limit: Duration,
    ) -> io::Result<TlsStream> {
        let (config, name) = (*trust.met.load_full()).clone();
        let session = ClientConnection::new(config, name).map_err(io::Error::other)?;
        let mut stream = TlsStream::new(socket, session.into());
        stream.hand_shake(clock, limit, false).await?;
        Ok(stream)
    }

    fn new(socket: Socket, session: Connection) -> TlsStream {
        let (incoming, outgoing) = (Vec::new(), Vec::new());
        TlsStream { socket, session, incoming, from: 0, to: 0, outgoing, is_reset: false }
    }

    /// Ends early, without an error, if the first byte is none of TLS and that is to be looked at.
    async fn hand_shake(&mut self, clock: &Clock, limit: Duration, looks: bool) -> io::Result<()> {
        let deadline = clock.mono().after(limit);
        self.socket.set_write_timeout(Some(limit))?;
        let mut is_first = looks;
        self.flush().await?;
        while self.session.is_handshaking() {
            // Every piece counts against the same time: whoever sends a byte now and then gains nothing.
            let left = deadline.since(clock.mono());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.socket.set_read_timeout(Some(left))?;
            self.fetch(MUCH_BYTES).await?;
            if std::mem::take(&mut is_first) && self.from < self.to {
                let first = self.incoming[self.from];
                if first != HANDSHAKE {
                    return Ok(());
                }
            }
            self.take_in().await?;
        }
        // Tickets for the next time are under way.
        self.flush().await
    }

    /// See `Stream::read`.
    pub async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.session.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // 0 only where the peer has said that it is the end; else the end of the socket is an error.
                known => return known,
            }
            let room = if buffer.len() > LITTLE_BYTES { MUCH_BYTES } else { LITTLE_BYTES };
            self.fetch(room).await?;
            self.take_in().await?;
        }
    }

    /// Reads what the socket has, unless there are bytes left of the last time.
    async fn fetch(&mut self, room: usize) -> io::Result<()> {
        if self.from < self.to {
            return Ok(());
        }
        if self.incoming.len() != room {
            self.incoming = vec![0; room];
        }
        (self.from, self.to) = (0, 0);
        self.to = self.socket.read(&mut self.incoming).await?;
        Ok(())
    }

    /// Gives the session what has arrived, as much as it wants, and sends what it answers.
    async fn take_in(&mut self) -> io::Result<()> {
        let mut rest = &self.incoming[self.from..self.to];
        self.from += self.session.read_tls(&mut rest)?;
        let ended = self.to == 0;
        if let Err(error) = self.session.process_new_packets() {
            // The peer is told why, if it still listens.
            drop(self.flush().await);
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        if ended && self.session.is_handshaking() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.flush().await
    }

    pub async fn write_pieces(&mut self, pieces: &[&[u8]]) -> io::Result<()> {
        let mut rest = Rest::new(pieces);
        while rest.first().is_some() {
            let mut slices = [IoSlice::new(&[]); PIECES_MAX];
            let count = rest.fill(&mut slices);
            // The session takes no more than its bound at once, and all of that is sent before it takes more.
            let taken = self.session.writer().write_vectored(&slices[..count])?;
            self.flush().await?;
            if taken == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            rest.skip(taken);
        }
        Ok(())
    }

    async fn flush(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            self.outgoing.clear();
            while self.session.wants_write() {
                self.session.write_tls(&mut self.outgoing)?;
            }
            self.socket.write_all(&self.outgoing).await?;
        }
        if self.outgoing.capacity() > MUCH_BYTES {
            self.outgoing = Vec::new();
        }
        Ok(())
    }

    /// Says that this is the end, if the kernel takes it at once: nobody waits for a farewell.
    pub fn say_end(&mut self) {
        if self.is_reset || self.session.is_handshaking() {
            return;
        }
        self.session.send_close_notify();
        self.outgoing.clear();
        while self.session.wants_write() {
            if self.session.write_tls(&mut self.outgoing).is_err() {
                return;
            }
        }
        // What does not go out now would not tell more than the end of the socket.
        self.socket.send_now(&Rest::new(&[&self.outgoing])).unwrap_or(0);
    }

    /// The connection shall not look as if it had ended in order.
    pub fn forbid_farewell(&mut self) {
        self.is_reset = true;
    }

    pub fn socket(&self) -> &Socket {
        &self.socket
    }
}

impl Drop for TlsStream {
    fn drop(&mut self) {
        self.say_end();
    }
}

fn no_session(error: rustls::Error) -> Refused {
    Refused::Failed(io::Error::other(error))
}
