//! A way to a server that can make trouble: a TCP proxy that delays, cuts, resets, or answers itself.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What happens on the way, to old connections as to new ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    None,
    /// Everything is reset.
    Reset,
    /// Taken, and never answered, as by a machine that is gone from a network.
    Silence,
    /// The answer comes at one byte a second.
    Drip,
    /// Writes are answered so, and do not reach the server; everything else does.
    Answer(u16, &'static str),
    /// Of the answer to a question only so many bytes come, then the connection is reset.
    CutQuestions(usize),
}

struct Shared {
    server: SocketAddr,
    trouble: Mutex<Trouble>,
    ends: AtomicBool,
    /// Writes that were answered here.
    answered: AtomicU64,
    open: Mutex<Vec<TcpStream>>,
}

/// Ends all its connections when it is dropped.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Proxy {
    pub fn start(server: SocketAddr) -> Proxy {
        let address = SocketAddr::from(([127, 0, 0, 1], super::ports::free()));
        let listener = TcpListener::bind(address).expect("the port was free");
        let shared = Arc::new(Shared {
            server,
            trouble: Mutex::new(Trouble::None),
            ends: AtomicBool::new(false),
            answered: AtomicU64::new(0),
            open: Mutex::new(Vec::new()),
        });
        let own = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if own.ends.load(Ordering::Relaxed) {
                    return;
                }
                let own = Arc::clone(&own);
                std::thread::spawn(move || own.serve(client));
            }
        });
        Proxy { address, shared }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on, and for connections that are open.
    pub fn make(&self, trouble: Trouble) {
        *self.shared.trouble.lock().expect("nobody panics with it") = trouble;
    }

    /// Writes that were answered here, not by the server.
    pub fn answered(&self) -> u64 {
        self.shared.answered.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::Relaxed);
        for stream in self.shared.open.lock().expect("nobody panics with it").drain(..) {
            drop(stream.shutdown(Shutdown::Both));
        }
        // Wakes the listening thread, which then sees that it is over.
        drop(TcpStream::connect(self.address));
    }
}

fn reset(stream: &TcpStream) {
    let socket = socket2::SockRef::from(stream);
    drop(socket.set_linger(Some(Duration::ZERO)));
}

impl Shared {
    fn trouble(&self) -> Trouble {
        self.trouble.lock().expect("nobody panics with it").clone()
    }

    fn serve(self: Arc<Shared>, client: TcpStream) {
        if self.trouble() == Trouble::Reset {
            return reset(&client);
        }
        let Ok(server) = TcpStream::connect(self.server) else { return reset(&client) };
        let pair = || Some((client.try_clone().ok()?, server.try_clone().ok()?));
        let (Some(ours), Some(mine)) = (pair(), pair()) else { return };
        let mut open = self.open.lock().expect("nobody panics with it");
        open.extend([ours.0, ours.1]);
        drop(open);
        let (own, asks) = (Arc::clone(&self), Arc::new(AtomicBool::new(false)));
        let asked = Arc::clone(&asks);
        let back = std::thread::spawn(move || own.bring_back(mine.1, mine.0, &asked));
        let end = self.bring_on(&client, &server, &asks);
        if end.is_none() {
            reset(&client);
        }
        drop(client.shutdown(Shutdown::Both));
        drop(server.shutdown(Shutdown::Both));
        drop(back.join());
    }

    /// From the client to the server; `None` ends both with a reset.
    fn bring_on(
        &self,
        mut client: &TcpStream,
        mut server: &TcpStream,
        asks: &AtomicBool,
    ) -> Option<()> {
        let mut block = vec![0; 64 << 10];
        loop {
            let read = client.read(&mut block).ok()?;
            if read == 0 {
                return Some(());
            }
            match self.trouble() {
                Trouble::Reset => return None,
                Trouble::Silence => {}
                Trouble::Answer(status, body) if block.starts_with(b"POST /write") => {
                    read_whole(client, block[..read].to_vec())?;
                    self.answered.fetch_add(1, Ordering::Relaxed);
                    let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n", body.len());
                    let answer = format!("{head}X-Influxdb-Version: 1.6\r\n\r\n{body}");
                    client.write_all(answer.as_bytes()).ok()?;
                }
                _ => {
                    let is_question = |start: &[u8]| block.starts_with(start);
                    let question = is_question(b"GET /query") || is_question(b"POST /query");
                    asks.store(question, Ordering::Relaxed);
                    server.write_all(&block[..read]).ok()?;
                }
            }
        }
    }

    /// From the server to the client.
    fn bring_back(&self, mut server: TcpStream, mut client: TcpStream, asks: &AtomicBool) {
        let mut block = vec![0; 64 << 10];
        let mut sent = 0;
        while let Ok(read @ 1..) = server.read(&mut block) {
            let piece = &block[..read];
            let done = match self.trouble() {
                Trouble::Reset => break,
                Trouble::Silence => Ok(()),
                Trouble::Drip => self.drip(&mut client, piece),
                Trouble::CutQuestions(most) if asks.load(Ordering::Relaxed) => {
                    let rest = most.saturating_sub(sent).min(read);
                    let done = client.write_all(&piece[..rest]);
                    sent += read;
                    if sent > most {
                        break;
                    }
                    done
                }
                _ => client.write_all(piece),
            };
            if done.is_err() {
                break;
            }
        }
        reset(&client);
        drop(client.shutdown(Shutdown::Both));
        drop(server.shutdown(Shutdown::Both));
    }

    fn drip(&self, client: &mut TcpStream, piece: &[u8]) -> std::io::Result<()> {
        for byte in piece {
            client.write_all(&[*byte])?;
            // Looked at often, so that healing does not wait for a whole answer.
            for _ in 0..20 {
                if self.trouble() == Trouble::Drip && !self.ends.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(50));
                }
            }
        }
        Ok(())
    }
}

/// Reads the rest of a request that begins with these bytes and tells its length.
fn read_whole(mut client: &TcpStream, mut request: Vec<u8>) -> Option<()> {
    let mut block = vec![0; 64 << 10];
    loop {
        if let Some(end) = memchr::memmem::find(&request, b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&request[..end]).to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length?.trim().parse().ok()?;
            if request.len() >= end + 4 + length {
                return Some(());
            }
        }
        let read = client.read(&mut block).ok().filter(|read| *read > 0)?;
        request.extend_from_slice(&block[..read]);
    }
}
