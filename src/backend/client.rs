//! HTTP/1.1 towards one backend: a small pool of kept connections.

use super::cancel::{Cancel, Watch};
use super::place::Place;
use crate::base::time::Mono;
use crate::proto::http::body::Body;
use crate::proto::http::response::{Head, Reader};
use crate::rt::net::Stream;
use crate::rt::{Clock, blocking};
use smallvec::SmallVec;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::rc::Rc;
use std::time::Duration;

const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// Servers close kept connections after minutes; ours are given up earlier.
const IDLE_MAX: Duration = Duration::from_secs(50);

const IDLE_CONNECTIONS_MAX: usize = 16;

/// A name is looked up again after this long, and after every failure to connect.
const ADDRESS_MAX: Duration = Duration::from_secs(30);

/// An answer that is held whole, in bytes. What does not fit is cut: it is an error text.
const WHOLE_BYTES_MAX: usize = 4 * 1024 * 1024;

const READ_BYTES: usize = 64 * 1024;
const READ_BYTES_MAX: usize = 256 * 1024;

/// A body of smaller pieces, on average, is copied together: each piece costs the kernel more than its bytes.
const PIECE_BYTES_MIN: usize = 512;

/// Why there was no answer.
#[derive(Debug)]
pub enum Error {
    /// The name has no address, or nobody listens there: the backend is down.
    Connect(io::Error),
    /// The connection broke, or took too long, after something was sent.
    Broken(io::Error),
    /// What came back is not HTTP.
    Protocol(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Connect(error) => write!(f, "cannot connect: {error}"),
            Error::Broken(error) if is_timeout(error) => {
                write!(f, "no answer in time")
            }
            Error::Broken(error) => write!(f, "the connection broke: {error}"),
            Error::Protocol(text) => write!(f, "the answer is not HTTP: {text}"),
        }
    }
}

impl std::error::Error for Error {}

impl Error {
    /// Something was sent, and nothing came back in time.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Error::Broken(error) if is_timeout(error))
    }
}

/// What is asked of a backend.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub method: &'a str,
    /// Path and parameters.
    pub path: &'a str,
    /// Further fields, each with its line end.
    pub fields: &'a str,
    pub body: &'a [&'a [u8]],
    /// The longest wait for each piece of the answer.
    pub limit: Duration,
}

/// An answer, whole.
#[derive(Debug)]
pub struct Reply {
    pub head: Head,
    pub body: Vec<u8>,
}

/// An answer that is still arriving. Lives on: the shard that asked.
pub struct Arriving {
    pub head: Head,
    body: Body,
    /// Goes before the connection that it can end.
    watch: Option<Watch>,
    connection: Option<Connection>,
    client: Rc<Client>,
}

struct Connection {
    stream: Stream,
    buffer: Vec<u8>,
    from: usize,
    to: usize,
    idle_since: Mono,
}

/// The connections of one shard to one backend. Lives on: every shard, one for each backend.
pub struct Client {
    pub place: Rc<Place>,
    clock: Clock,
    idle: RefCell<Vec<Connection>>,
    address: Cell<Option<(SocketAddr, Mono)>>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({})", self.place.name)
    }
}

impl Client {
    pub fn new(place: Rc<Place>, clock: Clock) -> Rc<Client> {
        Rc::new(Client { place, clock, idle: RefCell::default(), address: Cell::new(None) })
    }

    /// Asks and takes the whole answer.
    pub async fn ask(self: &Rc<Self>, request: Request<'_>) -> Result<Reply, Error> {
        let mut arriving = self.begin(request).await?;
        let mut body = Vec::new();
        while let Some(piece) = arriving.next().await? {
            let room = WHOLE_BYTES_MAX.saturating_sub(body.len());
            body.extend_from_slice(&piece[..piece.len().min(room)]);
        }
        let head = arriving.head.clone();
        Ok(Reply { head, body })
    }

    /// Asks and gives the answer as it arrives.
    pub async fn begin(self: &Rc<Self>, request: Request<'_>) -> Result<Arriving, Error> {
        self.begin_for(request, None).await
    }

    /// The same for somebody who may leave: then it ends with an error, and so does the answer's body.
    pub async fn begin_for(
        self: &Rc<Self>,
        request: Request<'_>,
        asker: Option<&Cancel>,
    ) -> Result<Arriving, Error> {
        // A kept connection may have been closed by the other side in the meantime; what it was asked is
        // asked again on a fresh one, which is safe because every request to a backend may be repeated.
        if let Some(mut kept) = self.take_idle() {
            let watch = asker.map(|asker| asker.watch(kept.stream.stopper()));
            match exchange(&mut kept, &self.place, &request).await {
                Ok(head) => return Ok(self.arriving(head, kept, watch)),
                // It was alive, only slow: a second request would not be faster.
                Err(Error::Broken(error)) if is_timeout(&error) => {
                    return Err(Error::Broken(error));
                }
                Err(_) => {}
            }
        }
        still_wanted(asker)?;
        let mut fresh = self.connect(request.limit).await?;
        still_wanted(asker)?;
        let watch = asker.map(|asker| asker.watch(fresh.stream.stopper()));
        let head = exchange(&mut fresh, &self.place, &request).await?;
        Ok(self.arriving(head, fresh, watch))
    }

    fn arriving(
        self: &Rc<Self>,
        head: Head,
        connection: Connection,
        watch: Option<Watch>,
    ) -> Arriving {
        let body = Body::new(head.body);
        Arriving { head, body, watch, connection: Some(connection), client: self.clone() }
    }

    fn take_idle(&self) -> Option<Connection> {
        let now = self.clock.mono();
        let mut idle = self.idle.borrow_mut();
        idle.retain(|connection| now.since(connection.idle_since) < IDLE_MAX);
        idle.pop()
    }

    /// Gives up all kept connections, for a backend that has gone down.
    pub fn forget_connections(&self) {
        self.idle.borrow_mut().clear();
        self.address.set(None);
    }

    async fn connect(&self, limit: Duration) -> Result<Connection, Error> {
        let address = self.address().await.map_err(Error::Connect)?;
        let stream = match Stream::connect(address, CONNECT_LIMIT.min(limit)).await {
            Ok(stream) => stream,
            Err(error) => {
                self.address.set(None);
                return Err(Error::Connect(error));
            }
        };
        let stream = match &self.place.trust {
            None => stream,
            Some(trust) => {
                let secured = stream.begin_tls(trust, &self.clock, CONNECT_LIMIT.min(limit)).await;
                secured.map_err(Error::Connect)?
            }
        };
        Ok(Connection { stream, buffer: vec![0; READ_BYTES], from: 0, to: 0, idle_since: Mono(0) })
    }

    async fn address(&self) -> io::Result<SocketAddr> {
        let now = self.clock.mono();
        if let Some((address, asked)) = self.address.get()
            && now.since(asked) < ADDRESS_MAX
        {
            return Ok(address);
        }
        let (host, port) = (self.place.host.clone(), self.place.port);
        let address = match host.parse() {
            Ok(address) => SocketAddr::new(address, port),
            Err(_) => {
                let found = blocking(move || (host.as_str(), port).to_socket_addrs()).await??;
                let mut found = found;
                found.next().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?
            }
        };
        self.address.set(Some((address, now)));
        Ok(address)
    }
}

fn still_wanted(asker: Option<&Cancel>) -> Result<(), Error> {
    match asker.is_some_and(Cancel::is_over) {
        true => Err(Error::Broken(io::ErrorKind::ConnectionAborted.into())),
        false => Ok(()),
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock)
}

async fn exchange(
    connection: &mut Connection,
    place: &Place,
    request: &Request<'_>,
) -> Result<Head, Error> {
    let limit = Some(request.limit);
    connection.stream.set_read_timeout(limit).map_err(Error::Broken)?;
    connection.stream.set_write_timeout(limit).map_err(Error::Broken)?;
    send(connection, place, request).await.map_err(Error::Broken)?;
    let mut reader = Reader::new(request.method == "HEAD");
    (connection.from, connection.to) = (0, 0);
    loop {
        if connection.to == connection.buffer.len() {
            return Err(Error::Protocol("its head is too long".to_owned()));
        }
        let read = connection.stream.read(&mut connection.buffer[connection.to..]).await;
        let read = read.map_err(Error::Broken)?;
        if read == 0 {
            return Err(Error::Broken(io::ErrorKind::UnexpectedEof.into()));
        }
        connection.to += read;
        let head = reader.push(&connection.buffer[..connection.to]);
        if let Some((head, at)) = head.map_err(|error| Error::Protocol(error.to_string()))? {
            connection.from = at;
            return Ok(head);
        }
    }
}

async fn send(connection: &mut Connection, place: &Place, request: &Request<'_>) -> io::Result<()> {
    let length: usize = request.body.iter().map(|piece| piece.len()).sum();
    let mut head = format!("{} {} HTTP/1.1\r\n", request.method, request.path);
    head.push_str(&place.common_fields());
    head.push_str(request.fields);
    if length > 0 || request.method == "POST" {
        head.push_str(&format!("Content-Length: {length}\r\n"));
    }
    head.push_str("\r\n");
    if length < PIECE_BYTES_MIN * request.body.len() {
        let together = request.body.concat();
        return connection.stream.write_pieces(&[head.as_bytes(), &together]).await;
    }
    let head = std::iter::once(head.as_bytes());
    let pieces: SmallVec<[&[u8]; 16]> = head.chain(request.body.iter().copied()).collect();
    connection.stream.write_pieces(&pieces).await
}

impl Connection {
    /// Fills the empty buffer with what is there; `to` is 0 at the end. A buffer that was full before was too
    /// small: large answers cost less in large pieces.
    async fn read_much(&mut self) -> io::Result<()> {
        if self.to == self.buffer.len() && self.to < READ_BYTES_MAX {
            self.buffer = vec![0; READ_BYTES_MAX];
        }
        (self.from, self.to) = (0, 0);
        self.to = self.stream.read(&mut self.buffer).await?;
        Ok(())
    }
}

impl Arriving {
    /// The backend understood the question, and this is what it says to it.
    pub fn is_fine(&self) -> bool {
        self.head.status == 200
    }

    /// The backend does not understand the question.
    pub fn is_complaint(&self) -> bool {
        self.head.status == 400
    }

    /// The backend could not do it; another one may.
    pub fn is_trouble(&self) -> bool {
        self.head.status >= 500
    }

    /// The next piece of the body; `None` at its end. The connection then goes back to the pool.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.next_slice().await?.map(<[u8]>::to_vec))
    }

    /// The same, lent: it lies where it was read to.
    pub async fn next_slice(&mut self) -> Result<Option<&[u8]>, Error> {
        loop {
            if self.body.is_done() {
                self.give_back();
                return Ok(None);
            }
            let connection = self.connection.as_mut().expect("kept until the body is done");
            if connection.from == connection.to {
                connection.read_much().await.map_err(Error::Broken)?;
                if connection.to == 0 {
                    let eof = |_| Error::Broken(io::ErrorKind::UnexpectedEof.into());
                    self.body.close().map_err(eof)?;
                    self.watch = None;
                    self.connection = None;
                    return Ok(None);
                }
            }
            let input = &connection.buffer[connection.from..connection.to];
            let (taken, content) =
                self.body.take(input).map_err(|error| Error::Protocol(error.to_string()))?;
            let bytes = content.len();
            let place = (bytes > 0)
                .then(|| connection.from + content.as_ptr().addr() - input.as_ptr().addr());
            connection.from += taken;
            if let Some(at) = place {
                let connection = self.connection.as_ref().expect("it was just read");
                return Ok(Some(&connection.buffer[at..at + bytes]));
            }
        }
    }

    fn give_back(&mut self) {
        self.watch = None;
        let Some(mut connection) = self.connection.take() else { return };
        // Bytes behind the answer were not asked for: such a connection is out of step.
        if self.head.keep_alive && connection.from == connection.to {
            connection.idle_since = self.client.clock.mono();
            connection.buffer.truncate(READ_BYTES);
            connection.buffer.shrink_to_fit();
            let mut idle = self.client.idle.borrow_mut();
            if idle.len() < IDLE_CONNECTIONS_MAX {
                idle.push(connection);
            }
        }
    }
}
