//! TCP of one core: listeners that share a port, streams that end at once when dropped, with or without TLS.

use super::Clock;
use super::file::into_io;
use super::pieces::Rest;
use super::tls::{Door, Refused, TlsStream, Trust};
#[cfg(any(test, feature = "sim"))]
use super::{sim_net, sim_tasks};
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use glommio::net::{TcpListener, TcpStream};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// Connections that the kernel holds for us between two accepts.
const BACKLOG: i32 = 4096;

/// What the kernel may have to hold of one connection before it wakes us, in bytes.
const WAIT_BYTES_MAX: usize = 256 * 1024;

/// Pieces that one call hands to the kernel.
const PIECES_MAX: usize = 64;

/// A listening socket of one core. Several cores listen on one address; the kernel spreads connections.
pub enum Listener {
    Real {
        inner: TcpListener,
        fd: RawFd,
    },
    #[cfg(any(test, feature = "sim"))]
    Sim(sim_net::SimListener),
}

/// A connection. Dropping it sends FIN at once.
pub enum Stream {
    Real(Socket),
    Tls(Box<TlsStream>),
    #[cfg(any(test, feature = "sim"))]
    Sim(sim_net::SimStream),
}

/// A connection of the kernel's.
pub struct Socket {
    inner: TcpStream,
    /// Another core has it: it goes on when this one lets go.
    has_left: bool,
    /// See [`Stream::wait_for`]: what is wanted, and what the kernel knows of it.
    waits_for: usize,
    low_water: usize,
    /// A read was begun, and may have been given up: what it gets is the next one's.
    is_reading: bool,
}

/// A connection on its way to another core. Dropping it closes it.
#[derive(Debug)]
pub struct Parcel(OwnedFd);

/// Can stop a pending accept or read from another task, and look at a connection for it.
#[derive(Clone, Copy, Debug)]
pub enum Stopper {
    Real(RawFd),
    /// The peer's last bytes may be a farewell that nobody reads.
    Tls(RawFd),
    /// A simulated connection, by its number.
    #[cfg(any(test, feature = "sim"))]
    Sim(u64),
}

impl Listener {
    /// One of several that share the address, a core each.
    pub fn bind(address: SocketAddr) -> io::Result<Listener> {
        Listener::bind_as(address, true)
    }

    /// The only one of its address.
    pub fn bind_alone(address: SocketAddr) -> io::Result<Listener> {
        Listener::bind_as(address, false)
    }

    fn bind_as(address: SocketAddr, is_shared: bool) -> io::Result<Listener> {
        #[cfg(any(test, feature = "sim"))]
        if let Some(tasks) = sim_tasks::current() {
            return sim_net::SimListener::bind(&tasks, address).map(Listener::Sim);
        }
        let domain = socket2::Domain::for_address(address);
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(is_shared)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let fd = socket.into_raw_fd();
        #[expect(unsafe_code, reason = "the runtime takes a prepared socket only as a number")]
        // SAFETY: `fd` was just taken out of a socket that nothing else owns.
        let inner = unsafe { TcpListener::from_raw_fd(fd) };
        Ok(Listener::Real { inner, fd })
    }

    pub fn local_address(&self) -> io::Result<SocketAddr> {
        match self {
            Listener::Real { inner, .. } => inner.local_addr().map_err(into_io),
            #[cfg(any(test, feature = "sim"))]
            Listener::Sim(listener) => Ok(listener.address()),
        }
    }

    pub async fn accept(&self) -> io::Result<Stream> {
        match self {
            Listener::Real { inner, .. } => {
                let inner = inner.accept().await.map_err(into_io)?;
                // A failure here would mean that the peer is already gone; the first read tells.
                drop(inner.set_nodelay(true));
                Ok(Stream::Real(Socket::new(inner)))
            }
            #[cfg(any(test, feature = "sim"))]
            Listener::Sim(listener) => listener.accept().await.map(Stream::Sim),
        }
    }

    pub fn stopper(&self) -> Stopper {
        match self {
            Listener::Real { fd, .. } => Stopper::Real(*fd),
            #[cfg(any(test, feature = "sim"))]
            Listener::Sim(listener) => Stopper::Sim(listener.number()),
        }
    }
}

impl Stopper {
    /// Makes the pending accept, and all later ones, fail. The listener must still be alive.
    pub fn stop(self) {
        match self {
            Stopper::Real(fd) | Stopper::Tls(fd) => shut(fd),
            #[cfg(any(test, feature = "sim"))]
            Stopper::Sim(number) => {
                if let Some(tasks) = sim_tasks::current() {
                    tasks.net().stop(number);
                }
            }
        }
    }
}

impl Stopper {
    /// Whether the peer of a connection has ended it: nothing more will come. The connection must still be alive.
    pub fn has_ended(self) -> bool {
        match self {
            Stopper::Real(fd) => peer_has_ended(fd),
            Stopper::Tls(fd) => peer_has_shut(fd),
            #[cfg(any(test, feature = "sim"))]
            Stopper::Sim(_) => false,
        }
    }
}

impl Stream {
    /// Connects within `limit`. Only numeric addresses: a name would stall the core.
    pub async fn connect(address: SocketAddr, limit: Duration) -> io::Result<Stream> {
        #[cfg(any(test, feature = "sim"))]
        if let Some(tasks) = sim_tasks::current() {
            return sim_net::SimStream::connect(&tasks, address, limit).await.map(Stream::Sim);
        }
        let inner = TcpStream::connect_timeout(address, limit).await.map_err(into_io)?;
        inner.set_nodelay(true).map_err(into_io)?;
        Ok(Stream::Real(Socket::new(inner)))
    }

    /// The handshake of a listener's side, within `limit`. Whoever speaks no TLS is sent `told`.
    pub async fn accept_tls(
        self,
        door: &Door,
        clock: &Clock,
        limit: Duration,
        told: &[u8],
    ) -> Result<Stream, Refused> {
        let Stream::Real(socket) = self else { return Err(Refused::Failed(only_once())) };
        let stream = TlsStream::accept(socket, door, clock, limit, told).await?;
        Ok(Stream::Tls(Box::new(stream)))
    }

    /// The handshake of the side that connected, within `limit`.
    pub async fn begin_tls(
        self,
        trust: &Trust,
        clock: &Clock,
        limit: Duration,
    ) -> io::Result<Stream> {
        let Stream::Real(socket) = self else { return Err(only_once()) };
        let stream = TlsStream::connect(socket, trust, clock, limit).await?;
        Ok(Stream::Tls(Box::new(stream)))
    }

    /// Takes the connection off this core, to be unpacked on another one. Gives it back where that cannot be.
    /// There must be no read or write under way.
    pub fn pack(self) -> Result<Parcel, Box<Stream>> {
        match self {
            Stream::Real(mut socket) => match lend(socket.inner.as_raw_fd()).try_clone_to_owned() {
                Ok(copy) => {
                    socket.has_left = true;
                    Ok(Parcel(copy))
                }
                Err(_) => Err(Box::new(Stream::Real(socket))),
            },
            // Its session stays here: a connection moves before its handshake or not at all.
            Stream::Tls(stream) => Err(Box::new(Stream::Tls(stream))),
            #[cfg(any(test, feature = "sim"))]
            Stream::Sim(stream) => Err(Box::new(Stream::Sim(stream))),
        }
    }

    /// On the core that serves it from here on.
    pub fn unpack(parcel: Parcel) -> Stream {
        let fd = parcel.0.into_raw_fd();
        #[expect(unsafe_code, reason = "the runtime takes a prepared socket only as a number")]
        // SAFETY: `fd` was just taken out of a file that nothing else owns.
        let inner = unsafe { TcpStream::from_raw_fd(fd) };
        Stream::Real(Socket::new(inner))
    }

    /// Bytes read into `buffer`; 0 at the end.
    pub async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Real(socket) => socket.read(buffer).await,
            Stream::Tls(stream) => stream.read(buffer).await,
            #[cfg(any(test, feature = "sim"))]
            Stream::Sim(stream) => stream.read(buffer).await,
        }
    }

    pub async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Stream::Real(socket) => socket.write_all(bytes).await,
            Stream::Tls(stream) => stream.write_pieces(&[bytes]).await,
            #[cfg(any(test, feature = "sim"))]
            Stream::Sim(stream) => stream.write_all(bytes).await,
        }
    }

    /// Writes pieces as if they were one, without copying them together.
    pub async fn write_pieces(&mut self, pieces: &[&[u8]]) -> io::Result<()> {
        match self {
            Stream::Real(socket) => socket.write_pieces(pieces).await,
            Stream::Tls(stream) => stream.write_pieces(pieces).await,
            #[cfg(any(test, feature = "sim"))]
            Stream::Sim(stream) => stream.write_all(&pieces.concat()).await,
        }
    }

    /// A read that has to wait does so until about so many bytes have come, or the peer's last ones: a large body
    /// then wakes the core a few times and not for every piece of it. 1 waits for any.
    pub fn wait_for(&mut self, bytes: usize) {
        match self {
            Stream::Real(socket) => socket.waits_for = bytes.clamp(1, WAIT_BYTES_MAX),
            // A part of a record may lie in our own buffers already, and records are longer than what is in
            // them: how many bytes the socket still gets is not known, and the kernel would wait for too many.
            Stream::Tls(_) => {}
            #[cfg(any(test, feature = "sim"))]
            Stream::Sim(_) => {}
        }
    }

    /// The longest that one read may take; `None` waits for ever.
    pub fn set_read_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
        match self {
            Stream::Real(socket) => socket.set_read_timeout(limit),
            Stream::Tls(stream) => stream.socket().set_read_timeout(limit),
            #[cfg(any(test, feature = "sim"))]
            Stream::Sim(stream) => {
                stream.set_read_timeout(limit);
                Ok(())
            }
        }
    }

    /// The longest that one write may take; `None` waits for ever.
    pub fn set_write_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
        match self {
            Stream::Real(socket) => socket.set_write_timeout(limit),
            Stream::Tls(stream) => stream.socket().set_write_timeout(limit),
            #[cfg(any(test, feature = "sim"))]
            Stream::Sim(stream) => {
                stream.set_write_timeout(limit);
                Ok(())
            }
        }
    }

    pub fn peer_address(&self) -> io::Result<SocketAddr> {
        match self {
            Stream::Real(socket) => socket.inner.peer_addr().map_err(into_io),
            Stream::Tls(stream) => stream.socket().inner.peer_addr().map_err(into_io),
            #[cfg(any(test, feature = "sim"))]
            Stream::Sim(stream) => Ok(stream.peer_address()),
        }
    }

    /// Says that no more bytes will come, and lets the peer's last bytes still be read.
    pub fn finish_writing(&mut self) {
        match self {
            Stream::Real(socket) => shut_half(socket.inner.as_raw_fd()),
            Stream::Tls(stream) => {
                stream.say_end();
                shut_half(stream.socket().inner.as_raw_fd());
            }
            #[cfg(any(test, feature = "sim"))]
            Stream::Sim(stream) => stream.finish_writing(),
        }
    }

    /// Ends the connection so that the peer sees an error, not an end.
    pub fn reset(&mut self) {
        match self {
            Stream::Real(socket) => socket.reset(),
            Stream::Tls(stream) => {
                stream.forbid_farewell();
                stream.socket().reset();
            }
            #[cfg(any(test, feature = "sim"))]
            Stream::Sim(stream) => stream.finish_writing(),
        }
    }

    /// Can end the connection from another task: its pending read then gives 0 or an error.
    pub fn stopper(&self) -> Stopper {
        match self {
            Stream::Real(socket) => Stopper::Real(socket.inner.as_raw_fd()),
            Stream::Tls(stream) => Stopper::Tls(stream.socket().inner.as_raw_fd()),
            #[cfg(any(test, feature = "sim"))]
            Stream::Sim(stream) => Stopper::Sim(stream.number()),
        }
    }
}

impl Socket {
    fn new(inner: TcpStream) -> Socket {
        Socket { inner, has_left: false, waits_for: 1, low_water: 1, is_reading: false }
    }

    pub(super) async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.waits_for != self.low_water {
            // What is there need not be waited for, so the kernel need not know: the usual small body.
            if !self.is_reading
                && let Some(received) = self.receive_now(buffer)
            {
                return received;
            }
            self.set_low_water();
        }
        self.is_reading = true;
        let received = self.inner.read(buffer).await;
        self.is_reading = received.is_err();
        received
    }

    /// What has come already; `None` if that is nothing.
    fn receive_now(&self, buffer: &mut [u8]) -> Option<io::Result<usize>> {
        use rustix::io::Errno;
        use rustix::net::{RecvFlags, recv};
        match recv(lend(self.inner.as_raw_fd()), buffer, RecvFlags::DONTWAIT) {
            Ok((received, _)) => Some(Ok(received)),
            Err(Errno::AGAIN | Errno::INTR) => None,
            Err(error) => Some(Err(error.into())),
        }
    }

    pub(super) async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.inner.write_all(bytes).await
    }

    pub(super) fn set_read_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
        self.inner.set_read_timeout(limit).map_err(into_io)
    }

    pub(super) fn set_write_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
        self.inner.set_write_timeout(limit).map_err(into_io)
    }

    fn reset(&self) {
        // An error says that the connection has ended already.
        rustix::net::connect_unspec(lend(self.inner.as_raw_fd())).unwrap_or(());
    }

    fn set_low_water(&mut self) {
        self.low_water = self.waits_for;
        let value = libc::c_int::try_from(self.low_water).unwrap_or(1);
        #[expect(unsafe_code, reason = "no package has this option of a socket")]
        // SAFETY: the option is a number, which lives through the call; the socket is open. A failure leaves
        // the option as it was, which costs wake-ups and nothing else.
        unsafe {
            libc::setsockopt(
                self.inner.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_RCVLOWAT,
                (&raw const value).cast(),
                size_of_val(&value) as libc::socklen_t,
            );
        }
    }

    /// The runtime sends one piece at a time; the kernel takes many. Only when it takes none, the runtime
    /// waits, with the piece that is next.
    async fn write_pieces(&mut self, pieces: &[&[u8]]) -> io::Result<()> {
        let mut rest = Rest::new(pieces);
        while let Some(next) = rest.first() {
            let sent = match self.send_now(&rest) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.inner.write(next).await?
                }
                sent => sent?,
            };
            rest.skip(sent);
        }
        Ok(())
    }

    /// What the kernel takes without waiting.
    pub(super) fn send_now(&self, rest: &Rest<'_>) -> io::Result<usize> {
        use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};
        let mut slices = [io::IoSlice::new(&[]); PIECES_MAX];
        let count = rest.fill(&mut slices);
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        let mut nothing_else = SendAncillaryBuffer::default();
        let socket = lend(self.inner.as_raw_fd());
        Ok(sendmsg(socket, &slices[..count], &mut nothing_else, flags)?)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if !self.has_left {
            // The runtime closes late on a busy core, because a pending poll holds the file; the peer must
            // not wait for that.
            shut(self.inner.as_raw_fd());
        }
    }
}

fn peer_has_ended(fd: RawFd) -> bool {
    use rustix::io::Errno;
    use rustix::net::{RecvFlags, recv};
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    match recv(lend(fd), &mut [0_u8; 1], flags) {
        Ok((bytes, _)) => bytes == 0,
        Err(error) => !matches!(error, Errno::AGAIN | Errno::INTR),
    }
}

/// Whatever it has sent before, and nobody has read.
fn peer_has_shut(fd: RawFd) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    let socket = lend(fd);
    let mut asked = [PollFd::new(&socket, PollFlags::RDHUP)];
    let told = poll(&mut asked, Some(&at_once)).unwrap_or(0);
    told > 0 && !asked[0].revents().is_empty()
}

fn only_once() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "TLS begins on a connection of the kernel's, once")
}

fn shut(fd: RawFd) {
    shut_down(fd, rustix::net::Shutdown::Both);
}

fn shut_half(fd: RawFd) {
    shut_down(fd, rustix::net::Shutdown::Write);
}

fn shut_down(fd: RawFd, how: rustix::net::Shutdown) {
    // An error says that the connection has ended already, which is what was wanted.
    rustix::net::shutdown(lend(fd), how).unwrap_or(());
}

/// The caller owns the socket behind `fd` and keeps it open as long as it holds what is lent.
fn lend<'a>(fd: RawFd) -> BorrowedFd<'a> {
    #[expect(unsafe_code, reason = "the runtime lends its sockets only as numbers")]
    // SAFETY: see above; every caller uses it in the same expression.
    unsafe {
        BorrowedFd::borrow_raw(fd)
    }
}
