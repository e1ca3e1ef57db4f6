use proptest::prelude::*;

use super::*;

fn read(bytes: &[u8], is_head: bool) -> Result<(Head, usize), Error> {
    Ok(Reader::new(is_head).push(bytes)?.expect("a whole head"))
}

fn framing(head: &str) -> Result<Framing, Error> {
    Ok(read(format!("{head}\r\n\r\n").as_bytes(), false)?.0.body)
}

#[test]
fn the_end_of_a_body_is_known_or_refused() {
    assert_eq!(framing("HTTP/1.1 200 OK\r\nContent-Length: 5"), Ok(Framing::Length(5)));
    assert_eq!(framing("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"), Ok(Framing::Chunked));
    assert_eq!(framing("HTTP/1.1 200 OK"), Ok(Framing::UntilClose));
    assert_eq!(framing("HTTP/1.1 204 No Content"), Ok(Framing::None));
    assert_eq!(framing("HTTP/1.1 304 Not Modified\r\nContent-Length: 5"), Ok(Framing::None));
    let both = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked";
    assert_eq!(framing(both), Err(Error::Framing));
    let two = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6";
    assert_eq!(framing(two), Err(Error::Framing));
    assert_eq!(framing("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip"), Err(Error::Framing));
    assert_eq!(framing("HTTP/1.1 200 OK\r\nContent-Length: -1"), Err(Error::Framing));
    assert_eq!(framing("HTTP/1.1 101 Switching Protocols"), Err(Error::Upgrade));
}

#[test]
fn an_answer_to_head_has_no_body() {
    let (head, _) = read(b"HTTP/1.1 200 OK\r\nContent-Length: 128\r\n\r\n", true).unwrap();
    assert_eq!(head.body, Framing::None);
}

#[test]
fn interim_answers_are_skipped() {
    let bytes = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\nA: b\r\n\r\nrest";
    let (head, length) = read(bytes, false).unwrap();
    assert_eq!((head.status, head.field("a")), (204, Some("b")));
    assert_eq!(&bytes[length..], b"rest");
}

#[test]
fn a_connection_is_kept_only_if_both_sides_know_the_end() {
    let keeps = |text: &str| read(text.as_bytes(), false).unwrap().0.keep_alive;
    assert!(keeps("HTTP/1.1 204 No Content\r\n\r\n"));
    assert!(!keeps("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"));
    assert!(!keeps("HTTP/1.0 204 No Content\r\n\r\n"));
    assert!(keeps("HTTP/1.0 204 No Content\r\nConnection: Keep-Alive\r\n\r\n"));
    assert!(!keeps("HTTP/1.1 200 OK\r\n\r\n"));
}

#[test]
fn the_cut_into_reads_changes_nothing() {
    let bytes = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nHTTP";
    for piece in 1..bytes.len() {
        let mut reader = Reader::new(false);
        let mut arrived = 0;
        let (head, length) = loop {
            arrived = (arrived + piece).min(bytes.len());
            if let Some(found) = reader.push(&bytes[..arrived]).unwrap() {
                break found;
            }
        };
        let mut whole = Whole::new(head);
        let mut at = length;
        while !whole.is_done() {
            let end = (at + piece).min(bytes.len());
            at += whole.push(&bytes[at..end]).unwrap();
        }
        assert_eq!((whole.head.status, whole.content.as_slice()), (400, &b"abcde"[..]));
        assert_eq!(&bytes[at..], b"HTTP");
    }
}

#[test]
fn a_short_body_is_never_a_whole_one() {
    let (head, _) = read(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false).unwrap();
    let mut whole = Whole::new(head);
    whole.push(b"abc").unwrap();
    assert_eq!(whole.close(), Err(Error::Body(body::Error::Truncated)));
}

proptest! {
    #[test]
    fn no_input_panics(bytes in proptest::collection::vec(any::<u8>(), 0..80), is_head: bool) {
        drop(Reader::new(is_head).push(&bytes));
        let mut text = b"HTTP/1.1 200 OK\r\n".to_vec();
        text.extend_from_slice(&bytes);
        text.extend_from_slice(b"\r\n\r\n");
        drop(Reader::new(is_head).push(&text));
    }
}
