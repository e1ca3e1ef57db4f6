//! Accepted lines can share a batch: joined by LF, the servers find exactly the same lines again.

use proptest::prelude::*;

use super::super::{Lines, Reason, explain, split};
use super::servers::lines as servers_lines;
use super::{RULES, accepted};

/// For each of `servers_lines` whether an LF ends it.
fn servers_line_ends(body: &[u8]) -> Vec<bool> {
    let lines = servers_lines(body, false);
    let end = |line: &[u8]| line.as_ptr() as usize - body.as_ptr() as usize + line.len();
    lines.iter().map(|line| end(line) < body.len()).collect()
}

/// What goes to a backend for each accepted line.
fn stamped(body: &[u8]) -> Vec<Vec<u8>> {
    accepted(body)
        .iter()
        .map(|line| {
            let time = line.time.map_or(1_700_000_000_000_000_000, |time| time.0);
            [line.head, format!(" {time}").as_bytes()].concat()
        })
        .collect()
}

fn assert_joinable(body: &[u8]) -> usize {
    let mut lines = stamped(body);
    lines.extend_from_within(..);
    lines.push(b"z v=\"q\" 1".to_vec());
    let joined = lines.join(&b'\n');
    for version_1_6 in [true, false] {
        assert_eq!(servers_lines(&joined, version_1_6), lines, "{}", body.escape_ascii());
    }
    for line in &lines {
        assert!(explain::servers_take(line, RULES), "{}", line.escape_ascii());
    }
    lines.len() / 2
}

/// Without comments, the lines that are found are the servers' lines.
fn assert_split_alike(body: &[u8]) {
    let trim = |line: &[u8]| {
        let blanks = line.iter().take_while(|byte| b" \t\0".contains(byte)).count();
        line[blanks..].to_vec()
    };
    let mut servers = servers_lines(body, false).into_iter().map(trim).collect::<Vec<_>>();
    // Neither the CR before the LF that ends a line nor an LF that is the last byte of a line is quoted.
    for (line, ended) in servers.iter_mut().zip(servers_line_ends(body)) {
        if line.ends_with(b"\n") || (ended && line.ends_with(b"\r")) {
            line.pop();
        }
    }
    servers.retain(|line| !line.is_empty());
    let found: Vec<_> = Lines::new(body, RULES).collect();
    assert_eq!(found.len(), servers.len(), "{}", body.escape_ascii());
    for (found, server) in found.iter().zip(&servers) {
        match found {
            Ok(line) => assert!(server.starts_with(line.head), "{}", body.escape_ascii()),
            Err(error) => assert_eq!(error.line, server, "{}", body.escape_ascii()),
        }
    }
}

/// The reason that is given last is only given where nothing but the splitter has an objection.
fn assert_reasons_are_found(body: &[u8]) {
    for error in Lines::new(body, RULES).filter_map(Result::err) {
        if error.reason == Reason::HiddenEnd {
            let hidden = [error.line.to_vec(), [b" ", error.line].concat()].iter().any(|line| {
                let end = split::line_end(line, 0);
                end.open || end.at != line.len()
            });
            assert!(hidden, "{}", body.escape_ascii());
        }
    }
}

fn assert_laws(body: &[u8]) -> usize {
    if !body.contains(&b'#') {
        assert_split_alike(body);
    }
    assert_reasons_are_found(body);
    assert_joinable(body)
}

const ALPHABET: &[u8] = b"a,=\"\\ \n#1it-.\t\0\r";

const PIECES: &[&str] = &[
    "a", ",", "=", "\"", "\\", " ", "\n", "#", "1", "i", "t", "-", ".", "\t", "\0", "\r", " a=1",
    ",a=\"", "\"\n", "\\ ", "\\\\ ", "\\\\,", "\\\\=", "=\"a", "a,a=a", "\na a=1", " a=\"", "\r\n",
    " 1\n",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 50_000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_bytes_join(body in prop::collection::vec(prop::sample::select(ALPHABET), 0..40)) {
        assert_laws(&body);
    }

    #[test]
    fn any_pieces_join(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..24)) {
        assert_laws(pieces.concat().as_bytes());
    }
}

/// Calls `look` with every word of up to `length` bytes of `alphabet`.
fn words(alphabet: &[u8], length: u32, mut look: impl FnMut(&[u8])) {
    let mut word = Vec::new();
    for length in 0..=length {
        for mut number in 0..alphabet.len().pow(length) {
            word.clear();
            for _ in 0..length {
                word.push(alphabet[number % alphabet.len()]);
                number /= alphabet.len();
            }
            look(&word);
        }
    }
}

#[test]
fn every_short_key_and_every_short_field_set_joins() {
    let mut found = 0;
    words(b"a,=\"\\ ", 6, |word| {
        found += assert_laws(&[b"a", word, b"a a=1"].concat());
        found += assert_laws(&[b"a\\\\ a", word, b",a=a a=\"a\n"].concat());
    });
    words(b"a,=\"\\ 1", 5, |word| {
        found += assert_laws(&[b"a a", word].concat());
        found += assert_laws(&[b"a a=\"", word, b"\n\" 1\na a=1"].concat());
    });
    assert!(found > 10_000, "{found}");
}
