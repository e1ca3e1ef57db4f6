//! A backend that plays a part: it is up, takes every write, and answers questions as the test says, byte by byte.
//! Only for what a real server cannot be made to do, as to stop in the middle of an answer.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What the test does with a question: the whole request as text, and the connection to answer on. An error
/// ends the connection.
type Part = dyn Fn(&str, &mut TcpStream) -> std::io::Result<()> + Send + Sync;

/// Ends when it is dropped.
pub struct Actor {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    part: Box<Part>,
    ends: AtomicBool,
    /// Questions that were ended by the other side while the part was played.
    left: AtomicU64,
}

impl Actor {
    pub fn start(
        part: impl Fn(&str, &mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static,
    ) -> Actor {
        let address = SocketAddr::from(([127, 0, 0, 1], super::ports::free()));
        let listener = TcpListener::bind(address).expect("the port was free");
        let shared =
            Shared { part: Box::new(part), ends: AtomicBool::new(false), left: AtomicU64::new(0) };
        let shared = Arc::new(shared);
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
        Actor { address, shared }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How often a part ended with an error, which says that the asker has gone.
    pub fn left(&self) -> u64 {
        self.shared.left.load(Ordering::Relaxed)
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::Relaxed);
        // Wakes the listening thread, which then sees that it is over.
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    fn serve(&self, mut client: TcpStream) {
        while let Some(request) = request(&mut client) {
            let done = match request.split(' ').nth(1).unwrap_or_default() {
                path if path.starts_with("/ping") || path.starts_with("/write") => client
                    .write_all(b"HTTP/1.1 204 No Content\r\nX-Influxdb-Version: 1.6.7\r\n\r\n"),
                _ if request.contains("SHOW+DATABASES") || request.contains("SHOW%20DATABASES") => {
                    answer(&mut client, DATABASES)
                }
                _ => (self.part)(&request, &mut client),
            };
            if done.is_err() {
                self.left.fetch_add(1, Ordering::Relaxed);
                drop(client.shutdown(Shutdown::Both));
                return;
            }
        }
    }
}

const DATABASES: &str = r#"{"results":[{"statement_id":0,"series":[{"name":"databases","columns":["name"],"values":[["d"]]}]}]}"#;

/// A whole answer of JSON.
pub fn answer(client: &mut TcpStream, body: &str) -> std::io::Result<()> {
    let length = body.len();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length:";
    client.write_all(format!("{head} {length}\r\n\r\n{body}").as_bytes())
}

/// The head of an answer in chunks.
pub fn begin(client: &mut TcpStream) -> std::io::Result<()> {
    client.write_all(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
    )
}

pub fn chunk(client: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    client.write_all(format!("{:x}\r\n", bytes.len()).as_bytes())?;
    client.write_all(bytes)?;
    client.write_all(b"\r\n")
}

/// Waits for the other side to end the connection, which is an error.
pub fn wait_for_the_end(client: &mut TcpStream) -> std::io::Result<()> {
    match client.read(&mut [0; 1])? {
        0 => Err(ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

/// The next request with its body, decoded as far as it is text.
fn request(client: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some(head) = text.find("\r\n\r\n") {
            let length = text.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                let is_it = name.eq_ignore_ascii_case("content-length");
                is_it.then(|| value.trim().parse::<usize>().ok())?
            });
            if bytes.len() >= head + 4 + length.unwrap_or(0) {
                return Some(text);
            }
        }
        match client.read(&mut piece) {
            Ok(count) if count > 0 => bytes.extend_from_slice(&piece[..count]),
            _ => return None,
        }
    }
}
