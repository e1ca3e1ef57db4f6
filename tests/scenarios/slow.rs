//! Row 8: clients that send or read as slowly as they can.

use crate::support::neighbour::Neighbour;
use crate::support::prelude::*;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

const SLOW_HEADS: usize = 400;
const SLOW_BODIES: usize = 50;
const SLOW_READERS: usize = 8;

/// The time-outs for heads, bodies and answers of this test.
const LIMIT: Duration = Duration::from_secs(3);

/// A connection on which a byte is sent now and then.
struct Slow {
    stream: TcpStream,
    rest: std::vec::IntoIter<u8>,
    closed: Option<Duration>,
}

impl Slow {
    fn open(address: SocketAddr, sent: &str, rest: &str) -> Slow {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(sent.as_bytes()).unwrap();
        stream.set_nonblocking(true).unwrap();
        let rest = rest.repeat(50).into_bytes().into_iter();
        Slow { stream, rest, closed: None }
    }

    /// Sends a byte, and notes whether the other side has closed; what it says before must be 408.
    fn turn(&mut self, began: Instant) {
        if self.closed.is_some() {
            return;
        }
        let mut answer = [0; 4096];
        match self.stream.read(&mut answer) {
            Ok(0) => self.closed = Some(began.elapsed()),
            Ok(read) => {
                let text = String::from_utf8_lossy(&answer[..read]).into_owned();
                assert!(text.starts_with("HTTP/1.1 408 "), "{text}");
                self.closed = Some(began.elapsed());
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                let byte = self.rest.next().expect("there is enough to send");
                if self.stream.write_all(&[byte]).is_err() {
                    self.closed = Some(began.elapsed());
                }
            }
            Err(_) => self.closed = Some(began.elapsed()),
        }
    }
}

/// Asks for much and reads nothing, with a small window.
fn deaf(address: SocketAddr) -> TcpStream {
    let kind = socket2::Type::STREAM;
    let socket = socket2::Socket::new(socket2::Domain::IPV4, kind, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&address.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.write_all(&Request::get("/query?db=d&q=SELECT+*+FROM+huge").bytes()).unwrap();
    stream
}

/// An answer of more than sockets can hold.
fn fill(world: &World) {
    let text = "x".repeat(400);
    for body in 0..70 {
        let line = |index: u32| format!("huge text=\"{text}\" {index}\n");
        let lines: String = (body * 500..body * 500 + 500).map(line).collect();
        world.write("d", lines).expect(204);
    }
    world.wait_drained(seconds(60));
}

pub fn slow_clients_are_closed_and_hinder_nobody() {
    let limits = "[server]\nheader_timeout = \"3s\"\nbody_timeout = \"3s\"\n";
    // The servers are busy with the answers: only the gateway's own part of a write is waited for.
    let durable = Setup::new().circles(2, 1).write("ack = \"durable\"");
    let world = durable.tables(limits).start();
    fill(&world);
    let address = world.circlet.address;
    let expected = world.query("d", "SELECT * FROM huge").expect(200).body.len();
    assert!(expected > 12 << 20, "{expected} bytes would fit into sockets");
    let before = world.circlet.resident_bytes();
    let files = world.circlet.open_files();
    let began = Instant::now();
    let readers: Vec<TcpStream> = (0..SLOW_READERS).map(|_| deaf(address)).collect();
    let head = |_| Slow::open(address, "POST /write?db=d HTTP/1.1\r\nHost: x\r\n", "X: y\r\n");
    let body = |_| {
        let head = "POST /write?db=d HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n";
        Slow::open(address, head, "a v=1 1\n")
    };
    let mut slow: Vec<Slow> = (0..SLOW_HEADS).map(head).collect();
    slow.extend((0..SLOW_BODIES).map(body));
    let mut neighbour = world.connect();
    let mut meanwhile = 0;
    let mut longest = Duration::ZERO;
    let mut peak = 0;
    while slow.iter().any(|client| client.closed.is_none()) {
        assert!(began.elapsed() < 4 * LIMIT, "slow clients are still there: {}", still(&slow));
        slow.iter_mut().for_each(|client| client.turn(began));
        let line = format!("neighbour v=1i {meanwhile}");
        let asked = Instant::now();
        neighbour.request(&Request::post("/write?db=d", line)).unwrap().expect(204);
        longest = longest.max(asked.elapsed());
        meanwhile += 1;
        peak = peak.max(world.circlet.resident_bytes());
        std::thread::sleep(Duration::from_millis(50));
    }
    let too_early = slow.iter().filter(|client| client.closed.unwrap() < LIMIT / 2).count();
    assert_eq!(too_early, 0, "closed before their time");
    assert!(meanwhile >= 10, "a neighbour was answered {meanwhile} times, {longest:?}");
    // 16 KiB for each client in hand, and a piece of an answer for each reader.
    let bound = (slow.len() as u64 * 2 * (16 << 10)) + (SLOW_READERS as u64 * (1 << 20));
    let more = peak.saturating_sub(before);
    assert!(more < bound, "memory grew by {} KiB, above {} KiB", more >> 10, bound >> 10);
    wait_for_readers(&world, files);
    for mut reader in readers {
        let mut answer = Vec::new();
        // Whether it ends or is reset: it is not whole.
        let outcome = reader.read_to_end(&mut answer);
        let whole = outcome.is_ok() && answer.ends_with(b"0\r\n\r\n");
        assert!(!whole && answer.len() < expected, "a slow reader got the whole answer");
    }
    Neighbour::of(neighbour, meanwhile).check_among(&world, "huge");
}

fn still(slow: &[Slow]) -> usize {
    slow.iter().filter(|client| client.closed.is_none()).count()
}

/// Until the connections of the readers, and theirs to the backends, are closed. A socket that finds a little
/// more room begins its time anew, and the servers need theirs to answer at all.
fn wait_for_readers(world: &World, files: usize) {
    until("slow readers are closed", 20 * LIMIT, || {
        let open = world.metrics().must("circlet_http_connections", &[]);
        // The neighbour, and whoever asks for this.
        (open <= 2.0).then_some(())
    });
    assert!(world.circlet.open_files() <= files + 8, "files stay open");
}
