//! Answers to writes, read from what has come so far.

use std::io;

/// Bytes of an answer; what is longer is not an answer to a write.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Characters of an answer that a report shows.
const SHOWN_MAX: usize = 200;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// Whether the connection can carry another request.
    pub keeps: bool,
    /// Status and the beginning of the body, for people; empty for 204.
    pub text: String,
}

enum Framing {
    Counted(usize),
    Chunked,
    UntilEnd,
}

fn malformed(text: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text.to_string())
}

/// Takes a whole answer from the front of the bytes, interim answers before it, too; None if there is
/// more to come. `ended`: the peer has closed.
pub fn take(inbox: &mut Vec<u8>, ended: bool) -> io::Result<Option<Answer>> {
    loop {
        let mut fields = [httparse::EMPTY_HEADER; 64];
        let mut parsed = httparse::Response::new(&mut fields);
        let httparse::Status::Complete(head) = parsed.parse(inbox).map_err(malformed)? else {
            return if ended || inbox.len() > ANSWER_BYTES_MAX {
                Err(io::ErrorKind::UnexpectedEof.into())
            } else {
                Ok(None)
            };
        };
        let status = parsed.code.unwrap_or_default();
        if (100..200).contains(&status) {
            inbox.drain(..head);
            continue;
        }
        let (framing, closes) = framing(status, parsed.headers)?;
        let Some((body, used)) = body(&inbox[head..], &framing, ended)? else { return Ok(None) };
        let keeps = !closes && !matches!(framing, Framing::UntilEnd);
        let text = if status == 204 { String::new() } else { shown(status, &body) };
        inbox.drain(..head + used);
        return Ok(Some(Answer { status, keeps, text }));
    }
}

fn framing(status: u16, headers: &[httparse::Header<'_>]) -> io::Result<(Framing, bool)> {
    let (mut length, mut chunked, mut closes) = (None, false, false);
    for header in headers {
        let value = std::str::from_utf8(header.value).map_err(malformed)?.trim();
        if header.name.eq_ignore_ascii_case("content-length") {
            length = Some(value.parse().map_err(malformed)?);
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            chunked = value.eq_ignore_ascii_case("chunked");
        } else if header.name.eq_ignore_ascii_case("connection") {
            closes = value.eq_ignore_ascii_case("close");
        }
    }
    let framing = match (status, chunked, length) {
        (204 | 304, ..) => Framing::Counted(0),
        (_, true, _) => Framing::Chunked,
        (_, false, Some(length)) => Framing::Counted(length),
        (_, false, None) => Framing::UntilEnd,
    };
    Ok((framing, closes))
}

/// The body and the bytes that it takes; None if there is more to come.
fn body(bytes: &[u8], framing: &Framing, ended: bool) -> io::Result<Option<(Vec<u8>, usize)>> {
    let whole = match framing {
        Framing::Counted(length) => bytes.get(..*length).map(|body| (body.to_vec(), *length)),
        Framing::Chunked => dechunk(bytes)?,
        Framing::UntilEnd => ended.then(|| (bytes.to_vec(), bytes.len())),
    };
    if whole.is_none() && (ended || bytes.len() > ANSWER_BYTES_MAX) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(whole)
}

fn dechunk(bytes: &[u8]) -> io::Result<Option<(Vec<u8>, usize)>> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let size = httparse::parse_chunk_size(&bytes[at..]).map_err(|_| malformed("bad chunk"))?;
        let httparse::Status::Complete((line, size)) = size else { return Ok(None) };
        let start = at + line;
        let end =
            usize::try_from(size).ok().and_then(|size| start.checked_add(size)?.checked_add(2));
        let Some(piece) = end.and_then(|end| bytes.get(start..end)) else { return Ok(None) };
        body.extend_from_slice(&piece[..piece.len() - 2]);
        at = start + piece.len();
        if size == 0 {
            return Ok(Some((body, at)));
        }
    }
}

fn shown(status: u16, body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let text: String = text.trim().chars().take(SHOWN_MAX).collect();
    format!("{status} {text}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answer, once it is there, and how many bytes it took to be there.
    fn fed(text: &str) -> (Answer, usize) {
        for end in 0..text.len() {
            let mut inbox = text.as_bytes()[..end].to_vec();
            if let Some(answer) = take(&mut inbox, false).unwrap() {
                return (answer, end - inbox.len());
            }
        }
        let mut inbox = text.as_bytes().to_vec();
        (take(&mut inbox, false).unwrap().unwrap(), text.len() - inbox.len())
    }

    #[test]
    fn an_answer_ends_where_its_framing_says() {
        for (text, status, shown) in [
            ("HTTP/1.1 204 No Content\r\nX: y\r\n\r\n", 204, ""),
            ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 N\r\n\r\n", 204, ""),
            ("HTTP/1.1 400 Bad\r\nContent-Length: 5\r\n\r\nab cd", 400, "400 ab cd"),
            (
                "HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
                503,
                "503 abc",
            ),
        ] {
            let (answer, bytes) = fed(text);
            assert_eq!((answer.status, &*answer.text, bytes), (status, shown, text.len()));
            assert!(answer.keeps);
        }
    }

    #[test]
    fn a_connection_that_ends_is_not_kept() {
        let mut inbox = b"HTTP/1.0 500 No\r\n\r\nwhy".to_vec();
        assert_eq!(take(&mut inbox, false).unwrap(), None);
        let answer = take(&mut inbox, true).unwrap().unwrap();
        assert_eq!((answer.keeps, &*answer.text), (false, "500 why"));
        let mut inbox =
            b"HTTP/1.1 400 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".to_vec();
        assert!(!take(&mut inbox, false).unwrap().unwrap().keeps);
        assert!(take(&mut b"HTTP/1.1 2".to_vec(), true).is_err());
        assert!(take(&mut b"SSH-2.0\r\n".to_vec(), false).is_err());
    }
}
