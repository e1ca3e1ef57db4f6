//! Merged answers when a backend breaks off, and what they take of memory.

use crate::support::actor::{Actor, answer, begin, chunk};
use crate::support::prelude::*;
use crate::support::stage::Stage;
use std::net::TcpStream;

const QUESTION: &str = "/query?db=d&q=SHOW+SERIES";

/// A line of an answer with these series keys.
fn line(keys: impl Iterator<Item = String>, partial: bool) -> String {
    let rows: Vec<String> = keys.map(|key| format!("[\"{key}\"]")).collect();
    let partial = if partial { ",\"partial\":true" } else { "" };
    format!(
        "{{\"results\":[{{\"statement_id\":0,\"series\":[{{\"columns\":[\"key\"],\"values\":[{}]{partial}}}]{partial}}}]}}\n",
        rows.join(",")
    )
}

fn knows(key: &'static str) -> Actor {
    Actor::start(move |_, client| answer(client, &line([key.to_owned()].into_iter(), false)))
}

fn breaks(after: impl Fn(&mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static) -> Actor {
    Actor::start(move |_, client| {
        begin(client)?;
        after(client)?;
        std::thread::sleep(Duration::from_millis(50));
        Err(std::io::ErrorKind::Other.into())
    })
}

#[test]
fn a_backend_that_breaks_off_leaves_no_answer_that_looks_whole() {
    let much = || {
        breaks(|client| {
            let keys = (0..3000).map(|index| format!("a,tag=value-{index:05}"));
            chunk(client, line(keys, true).as_bytes())
        })
    };
    let stage = Stage::start(vec![vec![much(), knows("b")]]);
    for _ in 0..3 {
        let mut connection = stage.circlet.connect();
        connection.request(&Request::get(QUESTION)).expect_err("the answer never ends");
    }
}

#[test]
fn before_the_first_byte_another_circle_answers_instead() {
    let silent = || breaks(|_| Ok(()));
    let circles = vec![vec![knows("a"), silent()], vec![knows("a"), knows("b")]];
    let stage = Stage::start(circles);
    for _ in 0..10 {
        let answer = stage.circlet.ask(&Request::get(QUESTION)).expect(200);
        assert_eq!(answer.text(), line(["a", "b"].map(str::to_owned).into_iter(), false));
        assert_eq!(answer.header("X-Circlet-Circle"), Some("circle-1"));
        let backends = Some("circle-1/actor-1-0, circle-1/actor-1-1");
        assert_eq!(answer.header("X-Circlet-Backend"), backends);
    }
}

#[test]
fn without_another_circle_the_error_is_plain() {
    let stage = Stage::start(vec![vec![knows("a"), breaks(|_| Ok(()))]]);
    let answer = stage.circlet.ask(&Request::get(QUESTION)).expect(503);
    assert!(answer.header("Retry-After").is_some(), "{:?}", answer.headers);
}

#[test]
fn a_merged_answer_takes_a_piece_of_each_backend_and_no_more() {
    const LINES: usize = 32;
    let large = |name: &'static str| {
        Actor::start(move |_, client| {
            begin(client)?;
            for at in 0..LINES {
                let key = |index| format!("{name},k={at:03}-{index:03}-{}", "x".repeat(1000));
                chunk(client, line((0..1000).map(key), at + 1 < LINES).as_bytes())?;
            }
            std::io::Write::write_all(client, b"0\r\n\r\n")
        })
    };
    let stage = Stage::start(vec![vec![large("b"), large("a")]]);
    let before = stage.circlet.resident_bytes();
    let answer = stage.circlet.ask(&Request::get(QUESTION)).expect(200);
    assert!(answer.body.len() > 2 * LINES * 1_000_000, "{}", answer.body.len());
    assert!(answer.body.ends_with(b"]}]}]}\n"));
    let more = stage.circlet.resident_peak_bytes().saturating_sub(before);
    assert!(more < 32 << 20, "{more} bytes more");
}
