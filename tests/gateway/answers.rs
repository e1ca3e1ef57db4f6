//! Answers on their way: cut short, too large, too slow, or wanted by nobody any more.

use crate::support::actor::{Actor, begin, chunk, wait_for_the_end};
use crate::support::prelude::*;
use crate::support::stage::Stage;
use std::io::Read;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const QUESTION: &str = "/query?db=d&q=SELECT+v+FROM+m";

/// A large piece of an answer, in bytes.
const PIECE: usize = 1 << 20;

fn cut_after_a_piece() -> Actor {
    Actor::start(|_, client| {
        begin(client)?;
        chunk(client, b"{\"results\":[{\"statement_id\":0,\"series\":[")?;
        std::thread::sleep(Duration::from_millis(50));
        Err(std::io::ErrorKind::Other.into())
    })
}

#[test]
fn a_backend_that_ends_in_the_middle_of_its_answer_never_makes_a_short_one_that_looks_whole() {
    let stage = Stage::start(vec![vec![cut_after_a_piece()], vec![cut_after_a_piece()]]);
    for _ in 0..5 {
        let mut connection = stage.circlet.connect();
        connection.request(&Request::get(QUESTION)).expect_err("the answer never ends");
        // In HTTP/1.0 nothing but an error tells a cut answer from a whole one.
        let mut old = TcpStream::connect(stage.circlet.address).expect("it listens");
        let request = format!("GET {QUESTION} HTTP/1.0\r\n\r\n");
        std::io::Write::write_all(&mut old, request.as_bytes()).expect("it takes a request");
        old.set_read_timeout(Some(seconds(10))).expect("a limit");
        let error = old.read_to_end(&mut Vec::new()).expect_err("an end would mean a whole answer");
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
}

#[test]
fn a_client_that_leaves_ends_its_question_at_the_backend() {
    // One says nothing, one stops in the middle: neither would ever notice by itself.
    let silent = Actor::start(|_, client| wait_for_the_end(client));
    let halfway = Actor::start(|_, client| {
        begin(client)?;
        chunk(client, b"{\"results\":")?;
        wait_for_the_end(client)
    });
    for actor in [silent, halfway] {
        let stage = Stage::start(vec![vec![actor]]);
        let mut connection = stage.circlet.connect();
        connection.send(&Request::get(QUESTION).bytes()).expect("it takes a request");
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(stage.circles[0][0].left(), 0, "somebody still waits for it");
        drop(connection);
        until("the question has ended", seconds(5), || {
            (stage.circles[0][0].left() == 1).then_some(())
        });
        // Nobody asked again for a client that has gone.
        std::thread::sleep(Duration::from_millis(500));
        assert_eq!(stage.circles[0][0].left(), 1);
    }
}

#[test]
fn an_answer_of_a_gigabyte_passes_through_little_memory_however_slowly_it_is_read() {
    let sent = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&sent);
    let large = Actor::start(move |_, client| {
        begin(client)?;
        let piece = vec![b'x'; PIECE];
        for _ in 0..1024 {
            chunk(client, &piece)?;
            count.fetch_add(PIECE as u64, Ordering::Relaxed);
        }
        std::io::Write::write_all(client, b"0\r\n\r\n")
    });
    let stage = Stage::start(vec![vec![large]]);
    let before = stage.circlet.resident_bytes();
    let mut client = TcpStream::connect(stage.circlet.address).expect("it listens");
    let request = Request::get(QUESTION).bytes();
    std::io::Write::write_all(&mut client, &request).expect("it takes a request");
    // The backend waits for this client, and what it could send before that lies in the kernel's buffers.
    std::thread::sleep(Duration::from_millis(700));
    let ahead = sent.load(Ordering::Relaxed);
    assert!(ahead < 64 << 20, "{ahead} bytes were taken for a client that reads nothing");
    let mut buffer = vec![0; PIECE];
    let (mut all, mut end) = (0_u64, Vec::new());
    while !end.ends_with(b"\r\n0\r\n\r\n") {
        let read = client.read(&mut buffer).expect("the answer goes on");
        assert!(read > 0, "the answer ended after {all} bytes");
        all += read as u64;
        end.extend_from_slice(&buffer[read.saturating_sub(7)..read]);
        end.drain(..end.len().saturating_sub(7));
    }
    assert!(all > 1 << 30, "{all} bytes");
    let more = stage.circlet.resident_peak_bytes().saturating_sub(before);
    assert!(more < 64 << 20, "{more} bytes more");
}
