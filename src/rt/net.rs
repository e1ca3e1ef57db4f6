//! TCP of one core: listeners that share a port, streams that end at once when dropped.

use super::file::into_io;
#[cfg(any(test, feature = "sim"))]
use super::{sim_net, sim_tasks};
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use glommio::net::{TcpListener, TcpStream};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, RawFd};
use std::time::Duration;

/// Connections that the kernel holds for us between two accepts.
const BACKLOG: i32 = 4096;

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
    #[cfg(any(test, feature = "sim"))]
    Sim(sim_net::SimStream),
}

/// A connection of the kernel's.
pub struct Socket(TcpStream);

/// Can stop a pending accept from another task.
#[derive(Clone, Copy, Debug)]
pub enum Stopper {
    Real(RawFd),
    /// A simulated connection, by its number.
    #[cfg(any(test, feature = "sim"))]
    Sim(u64),
}

impl Listener {
    pub fn bind(address: SocketAddr) -> io::Result<Listener> {
        #[cfg(any(test, feature = "sim"))]
        if let Some(tasks) = sim_tasks::current() {
            return sim_net::SimListener::bind(&tasks, address).map(Listener::Sim);
        }
        let domain = socket2::Domain::for_address(address);
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
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
                Ok(Stream::Real(Socket(inner)))
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
            Stopper::Real(fd) => shut(fd),
            #[cfg(any(test, feature = "sim"))]
            Stopper::Sim(number) => {
                if let Some(tasks) = sim_tasks::current() {
                    tasks.net().stop(number);
                }
            }
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
        Ok(Stream::Real(Socket(inner)))
    }

    /// Bytes read into `buffer`; 0 at the end.
    pub async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Real(socket) => socket.0.read(buffer).await,
            #[cfg(any(test, feature = "sim"))]
            Stream::Sim(stream) => stream.read(buffer).await,
        }
    }

    pub async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Stream::Real(socket) => socket.0.write_all(bytes).await,
            #[cfg(any(test, feature = "sim"))]
            Stream::Sim(stream) => stream.write_all(bytes).await,
        }
    }

    /// Writes pieces as if they were one, without copying them together.
    pub async fn write_pieces(&mut self, pieces: &[&[u8]]) -> io::Result<()> {
        match self {
            Stream::Real(socket) => socket.write_pieces(pieces).await,
            #[cfg(any(test, feature = "sim"))]
            Stream::Sim(stream) => stream.write_all(&pieces.concat()).await,
        }
    }

    /// The longest that one read may take; `None` waits for ever.
    pub fn set_read_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
        match self {
            Stream::Real(socket) => socket.0.set_read_timeout(limit).map_err(into_io),
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
            Stream::Real(socket) => socket.0.set_write_timeout(limit).map_err(into_io),
            #[cfg(any(test, feature = "sim"))]
            Stream::Sim(stream) => {
                stream.set_write_timeout(limit);
                Ok(())
            }
        }
    }

    pub fn peer_address(&self) -> io::Result<SocketAddr> {
        match self {
            Stream::Real(socket) => socket.0.peer_addr().map_err(into_io),
            #[cfg(any(test, feature = "sim"))]
            Stream::Sim(stream) => Ok(stream.peer_address()),
        }
    }

    /// Says that no more bytes will come, and lets the peer's last bytes still be read.
    pub fn finish_writing(&self) {
        match self {
            Stream::Real(socket) => shut_half(socket.0.as_raw_fd()),
            #[cfg(any(test, feature = "sim"))]
            Stream::Sim(stream) => stream.finish_writing(),
        }
    }

    /// Can end the connection from another task: its pending read then gives 0 or an error.
    pub fn stopper(&self) -> Stopper {
        match self {
            Stream::Real(socket) => Stopper::Real(socket.0.as_raw_fd()),
            #[cfg(any(test, feature = "sim"))]
            Stream::Sim(stream) => Stopper::Sim(stream.number()),
        }
    }
}

/// Pieces that one call hands to the kernel.
const PIECES_MAX: usize = 64;

impl Socket {
    /// The runtime sends one piece at a time; the kernel takes many. Only when it takes none, the runtime
    /// waits, with the piece that is next.
    async fn write_pieces(&mut self, pieces: &[&[u8]]) -> io::Result<()> {
        let mut rest = Rest { pieces, skip: 0 };
        rest.skip(0);
        while let Some(next) = rest.first() {
            let sent = match self.send_now(&rest) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.0.write(next).await?
                }
                sent => sent?,
            };
            rest.skip(sent);
        }
        Ok(())
    }

    fn send_now(&self, rest: &Rest<'_>) -> io::Result<usize> {
        use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};
        let mut slices = [io::IoSlice::new(&[]); PIECES_MAX];
        let count = rest.fill(&mut slices);
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        let mut nothing_else = SendAncillaryBuffer::default();
        let socket = borrow(self.0.as_raw_fd());
        Ok(sendmsg(socket, &slices[..count], &mut nothing_else, flags)?)
    }
}

/// What of some pieces is still to be sent.
struct Rest<'a> {
    pieces: &'a [&'a [u8]],
    /// Of the first piece, already sent.
    skip: usize,
}

impl<'a> Rest<'a> {
    fn first(&self) -> Option<&'a [u8]> {
        self.pieces.first().map(|piece| &piece[self.skip..])
    }

    fn fill(&self, slices: &mut [io::IoSlice<'a>]) -> usize {
        let later = self.pieces.iter().skip(1).copied();
        let all = self.first().into_iter().chain(later);
        slices.iter_mut().zip(all).map(|(slice, piece)| *slice = io::IoSlice::new(piece)).count()
    }

    /// Goes on by `sent` bytes, and over empty pieces.
    fn skip(&mut self, sent: usize) {
        self.skip += sent;
        while let Some(first) = self.pieces.first().filter(|first| first.len() <= self.skip) {
            self.skip -= first.len();
            self.pieces = &self.pieces[1..];
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // The runtime closes late on a busy core, because a pending poll holds the file; the peer must
        // not wait for that.
        shut(self.0.as_raw_fd());
    }
}

fn shut(fd: RawFd) {
    with_fd(fd, rustix::net::Shutdown::Both);
}

fn shut_half(fd: RawFd) {
    with_fd(fd, rustix::net::Shutdown::Write);
}

/// For one call, during which the caller keeps its socket.
fn borrow<'a>(fd: RawFd) -> std::os::fd::BorrowedFd<'a> {
    #[expect(unsafe_code, reason = "the runtime lends its sockets only as numbers")]
    // SAFETY: the caller owns the socket behind `fd` and keeps it open while it uses this.
    unsafe {
        std::os::fd::BorrowedFd::borrow_raw(fd)
    }
}

fn with_fd(fd: RawFd, how: rustix::net::Shutdown) {
    let borrowed = borrow(fd);
    // An error says that the connection has ended already, which is what was wanted.
    rustix::net::shutdown(borrowed, how).unwrap_or(());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_sent_from_any_byte_on() {
        let pieces: [&[u8]; 5] = [b"", b"abc", b"", b"d", b"ef"];
        let whole = pieces.concat();
        for first in 0..=whole.len() {
            for second in 0..=whole.len() - first {
                let mut rest = Rest { pieces: &pieces, skip: 0 };
                rest.skip(0);
                rest.skip(first);
                rest.skip(second);
                let mut slices = [io::IoSlice::new(&[]); 8];
                let count = rest.fill(&mut slices);
                let left: Vec<u8> =
                    slices[..count].iter().flat_map(|slice| slice.to_vec()).collect();
                assert_eq!(left, whole[first + second..]);
                assert_eq!(rest.first().is_none(), left.is_empty());
            }
        }
    }
}
