use proptest::prelude::*;

use super::*;

fn head(text: &str) -> Result<Head, Error> {
    parse(format!("{text}\r\n\r\n").as_bytes())
}

fn post(fields: &str) -> Result<Head, Error> {
    head(&format!("POST /write?db=a HTTP/1.1\r\nHost: h\r\n{fields}"))
}

#[test]
fn a_head_says_what_is_asked_for() {
    let head = head(concat!(
        "POST /write?db=p1&q=a?b HTTP/1.1\r\nhost: h\r\nAuthorization: Token t\r\n",
        "Content-Encoding: x-gzip\r\nTransfer-Encoding: Chunked\r\nX-Request-Id:  my id \r\n",
        "Expect: 100-Continue\r\nContent-Type:"
    ))
    .unwrap();
    assert_eq!((head.method, head.path.as_str()), (Method::Post, "/write"));
    assert_eq!(head.query, "db=p1&q=a?b");
    assert_eq!((head.body, head.encoding), (Framing::Chunked, Encoding::Gzip));
    assert!(head.keep_alive && head.expect_continue && head.version_11);
    assert_eq!(head.fields.authorization.as_deref(), Some("Token t"));
    assert_eq!(head.fields.x_request_id.as_deref(), Some("my id"));
    assert_eq!(head.fields.content_type.as_deref(), Some(""));
}

#[test]
fn a_body_without_one_sure_end_is_refused() {
    let cases = [
        ("Content-Length: 8\r\nTransfer-Encoding: chunked", Error::LengthAndTransferEncoding),
        ("Transfer-Encoding: chunked\r\nContent-Length: 0", Error::LengthAndTransferEncoding),
        ("Content-Length: 8\r\nContent-Length: 9", Error::TwoLengths),
        ("Content-Length: -1", Error::BadLength),
        ("Content-Length: 8, 8", Error::BadLength),
        ("Content-Length: 18446744073709551616", Error::BadLength),
        ("Content-Length:", Error::BadLength),
        ("Transfer-Encoding: xchunked", Error::TransferEncoding),
        ("Transfer-Encoding: gzip, chunked", Error::TransferEncoding),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", Error::TransferEncoding),
        ("Expect: foo", Error::Expectation),
        ("Host: two", Error::ManyHosts),
        ("Content-Length : 8", Error::Malformed),
        ("A: b\r\n folded", Error::Malformed),
        ("A: b\0", Error::Malformed),
    ];
    for (fields, error) in cases {
        assert_eq!(post(fields), Err(error), "{fields}");
    }
    let same = post("Content-Length: 8\r\nContent-Length: 8").unwrap();
    assert_eq!(same.body, Framing::Length(8));
}

#[test]
fn what_is_no_plain_request_is_refused() {
    let long = format!("GET /{} HTTP/1.1\r\nHost: h", "a".repeat(URL_BYTES_MAX));
    let many = format!("GET / HTTP/1.1\r\nHost: h{}", "\r\nA: b".repeat(100));
    let cases = [
        ("FOO", Error::Malformed),
        ("GET /", Error::Malformed),
        ("GET / HTTP/1.1", Error::NoHost),
        ("GET / HTTP/2.0\r\nHost: h", Error::Version),
        ("GET / HTTP/1.2\r\nHost: h", Error::Version),
        ("GET / HTTX/1.1\r\nHost: h", Error::Malformed),
        ("GET http://h/write HTTP/1.1\r\nHost: h", Error::TargetForm),
        ("CONNECT h:80 HTTP/1.1\r\nHost: h", Error::TargetForm),
        ("GET * HTTP/1.1\r\nHost: h", Error::TargetForm),
        ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked", Error::TransferEncoding),
        (&long, Error::TargetTooLong),
        (&many, Error::TooManyFields),
    ];
    for (text, error) in cases {
        assert_eq!(head(text), Err(error), "{text}");
    }
}

#[test]
fn http_10_closes_unless_it_asks_not_to() {
    assert!(!head("GET /ping HTTP/1.0").unwrap().keep_alive);
    assert!(head("GET /ping HTTP/1.0\r\nConnection: Keep-Alive").unwrap().keep_alive);
    assert!(!post("Connection: foo, Close").unwrap().keep_alive);
    assert!(!head("POST / HTTP/1.0\r\nExpect: foo\r\nContent-Length: 1").unwrap().expect_continue);
}

#[test]
fn a_client_that_sends_no_body_need_not_be_told_to_go_on() {
    assert!(!post("Expect: 100-continue").unwrap().expect_continue);
    assert!(post("Expect: 100-continue\r\nContent-Length: 1").unwrap().expect_continue);
}

#[test]
fn only_gzip_and_identity_are_encodings() {
    let encoding = |value: &str| post(&format!("Content-Encoding: {value}")).unwrap().encoding;
    assert_eq!(encoding("GZIP"), Encoding::Gzip);
    assert_eq!(encoding("identity"), Encoding::Identity);
    assert_eq!(encoding(""), Encoding::Identity);
    assert_eq!(encoding("gzip, gzip"), Encoding::Other("gzip, gzip".into()));
    assert_eq!(encoding("deflate"), Encoding::Other("deflate".into()));
    let twice = post("Content-Encoding: gzip\r\nContent-Encoding: gzip").unwrap();
    assert_eq!(twice.encoding, Encoding::Other("gzip, gzip".into()));
}

proptest! {
    #[test]
    fn no_input_panics(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
        drop(parse(&bytes));
        let mut text = b"POST /write HTTP/1.1\r\nHost: h\r\n".to_vec();
        text.extend_from_slice(&bytes);
        text.extend_from_slice(b"\r\n\r\n");
        drop(parse(&text));
    }
}
