//! Requests of a real Telegraf, byte for byte: every line that it sent arrives, however the bytes are cut.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::world::World;

const DATABASES: [&str; 3] = ["telegraf", "klec-bucket", "San Francisco, CA"];

struct Sent {
    bytes: Vec<u8>,
    target: String,
    lines: String,
}

fn sent() -> Vec<Sent> {
    let rows = include_str!("../../../tests/vectors/telegraf.jsonl").lines();
    let rows = rows.map(|row| serde_json::from_str::<Value>(row).unwrap());
    let mut sent = Vec::new();
    for row in rows.filter(|row| row["what"] == "requests") {
        for request in row["requests"].as_array().unwrap() {
            let head = request["head"].as_str().unwrap();
            let body = match request["body_as_sent_b64"].as_str() {
                Some(text) => STANDARD.decode(text).unwrap(),
                None => request["body_as_sent"].as_str().unwrap().as_bytes().to_vec(),
            };
            sent.push(Sent {
                bytes: [head.as_bytes(), b"\r\n\r\n", &body].concat(),
                target: head.split(' ').nth(1).unwrap().to_owned(),
                lines: request["lines"].as_str().unwrap().to_owned(),
            });
        }
    }
    sent
}

#[test]
fn every_line_that_telegraf_sends_arrives() {
    let writes = sent().into_iter().filter(|request| !request.target.starts_with("/query"));
    let mut count = 0;
    for request in writes {
        count += 1;
        let plain = format!(
            "POST {} HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{}",
            request.target,
            request.lines.len(),
            request.lines
        );
        let mut expected = World::new(&[], &DATABASES);
        assert_eq!(expected.ask(plain.as_bytes()).status, 204);
        assert!(!expected.kept.is_empty());
        for piece in [1, 2, 3, 7, 64, 500, 5000] {
            let mut world = World::new(&[], &DATABASES);
            let seen = world.talk(&request.bytes, piece, false);
            assert_eq!((seen.answers[0].status, seen.closed), (204, false));
            assert_eq!(world.kept, expected.kept, "{}", request.target);
        }
    }
    assert!(count >= 35, "{count} writes");
}

#[test]
fn its_statements_are_read_from_their_form() {
    let asks = sent().into_iter().filter(|request| request.target.starts_with("/query"));
    let mut count = 0;
    for request in asks {
        count += 1;
        let mut world = World::new(&[], &DATABASES);
        assert_eq!(world.ask(&request.bytes).status, 501);
        assert!(world.asked[0].starts_with("CREATE DATABASE \""), "{:?}", world.asked);
    }
    assert!(count >= 4, "{count} statements");
}
