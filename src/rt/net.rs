//! TCP of one core: listeners that share a port, streams that end at once when dropped.

use super::file::into_io;
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use glommio::net::{TcpListener, TcpStream};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, RawFd};
use std::time::Duration;

/// Connections that the kernel holds for us between two accepts.
const BACKLOG: i32 = 4096;

/// A listening socket of one core. Several cores listen on one address; the kernel spreads connections.
pub struct Listener {
    inner: TcpListener,
    fd: RawFd,
}

/// A connection. Dropping it sends FIN at once.
pub struct Stream {
    inner: TcpStream,
}

/// Can stop a pending accept from another task.
#[derive(Clone, Copy, Debug)]
pub struct Stopper(RawFd);

impl Listener {
    pub fn bind(address: SocketAddr) -> io::Result<Listener> {
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
        Ok(Listener { inner, fd })
    }

    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr().map_err(into_io)
    }

    pub async fn accept(&self) -> io::Result<Stream> {
        let inner = self.inner.accept().await.map_err(into_io)?;
        // A failure here would mean that the peer is already gone; the first read tells.
        drop(inner.set_nodelay(true));
        Ok(Stream { inner })
    }

    pub fn stopper(&self) -> Stopper {
        Stopper(self.fd)
    }
}

impl Stopper {
    /// Makes the pending accept, and all later ones, fail. The listener must still be alive.
    pub fn stop(self) {
        shut(self.0);
    }
}

impl Stream {
    /// Connects within `limit`. Only numeric addresses: a name would stall the core.
    pub async fn connect(address: SocketAddr, limit: Duration) -> io::Result<Stream> {
        let inner = TcpStream::connect_timeout(address, limit).await.map_err(into_io)?;
        inner.set_nodelay(true).map_err(into_io)?;
        Ok(Stream { inner })
    }

    /// Bytes read into `buffer`; 0 at the end.
    pub async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer).await
    }

    pub async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.inner.write_all(bytes).await
    }

    /// The longest that one read may take; `None` waits for ever.
    pub fn set_read_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
        self.inner.set_read_timeout(limit).map_err(into_io)
    }

    /// The longest that one write may take; `None` waits for ever.
    pub fn set_write_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
        self.inner.set_write_timeout(limit).map_err(into_io)
    }

    pub fn peer_address(&self) -> io::Result<SocketAddr> {
        self.inner.peer_addr().map_err(into_io)
    }

    /// Says that no more bytes will come, and lets the peer's last bytes still be read.
    pub fn finish_writing(&self) {
        shut_half(self.inner.as_raw_fd());
    }

    /// Can end the connection from another task: its pending read then gives 0 or an error.
    pub fn stopper(&self) -> Stopper {
        Stopper(self.inner.as_raw_fd())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // The runtime closes late on a busy core, because a pending poll holds the file; the peer must
        // not wait for that.
        shut(self.inner.as_raw_fd());
    }
}

fn shut(fd: RawFd) {
    with_fd(fd, rustix::net::Shutdown::Both);
}

fn shut_half(fd: RawFd) {
    with_fd(fd, rustix::net::Shutdown::Write);
}

fn with_fd(fd: RawFd, how: rustix::net::Shutdown) {
    #[expect(unsafe_code, reason = "the runtime lends its sockets only as numbers")]
    // SAFETY: the caller owns the socket behind `fd` and keeps it open during this call.
    let borrowed = unsafe { std::os::fd::BorrowedFd::borrow_raw(fd) };
    // An error says that the connection has ended already, which is what was wanted.
    rustix::net::shutdown(borrowed, how).unwrap_or(());
}
