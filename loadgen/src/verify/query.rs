//! Questions to InfluxDB 1.x: `/query` with nanoseconds and chunks, answers read as they come.

use crate::http::Client;
use crate::url::{Url, encode};
use serde_json::Value;
use std::io;
use std::time::Duration;

const WAIT_MAX: Duration = Duration::from_secs(60);
const CHUNK_ROWS: u32 = 5000;

/// A backend that can be asked for the points of a measurement.
pub struct Backend {
    client: Client,
    host: String,
    prefix: String,
    authorization: String,
}

/// One stored point. None: the backend's answer has no such number there.
#[derive(Debug, PartialEq, Eq)]
pub struct Stored {
    pub time_ns: i64,
    pub sequence: Option<i64>,
    pub check: Option<i64>,
    /// The tag `conn`.
    pub connection: Option<u64>,
}

impl Backend {
    pub fn new(url: &Url, authorization: &str) -> Self {
        Backend {
            client: Client::new(&url.address, WAIT_MAX),
            host: url.address.clone(),
            prefix: url.path.trim_end_matches('/').to_owned(),
            authorization: authorization.to_owned(),
        }
    }

    fn head(&self, method: &str, parameters: &str) -> String {
        format!(
            "{method} {}/query?{parameters} HTTP/1.1\r\nHost: {}\r\nAccept: application/json\r\n{}",
            self.prefix, self.host, self.authorization
        )
    }

    /// Hands over every point of a measurement from a time on.
    pub fn points(
        &mut self,
        db: &str,
        measurement: &str,
        since_ns: u64,
        each: &mut dyn FnMut(Stored),
    ) -> io::Result<()> {
        let name = measurement.replace('\\', "\\\\").replace('"', "\\\"");
        let text =
            format!(r#"SELECT "seq", "check", "conn" FROM "{name}" WHERE time >= {since_ns}"#);
        let (db, q) = (encode(db), encode(&text));
        let head = self
            .head("GET", &format!("db={db}&epoch=ns&chunked=true&chunk_size={CHUNK_ROWS}&q={q}"));
        let mut documents = Documents::default();
        let status = self.client.stream(&head, &mut |piece| {
            documents.feed(piece, &mut |document| rows(document, each))
        })?;
        documents.finish(status)
    }
}

/// Sends CREATE DATABASE.
pub fn create_database(url: &Url, authorization: &str, db: &str) -> io::Result<()> {
    let mut backend = Backend::new(url, authorization);
    let name = db.replace('\\', "\\\\").replace('"', "\\\"");
    let q = encode(&format!(r#"CREATE DATABASE "{name}""#));
    let answer = backend.client.post(&backend.head("POST", &format!("q={q}")), &[], false)?;
    match answer.status {
        200 if !answer.body.windows(7).any(|part| part == b"\"error\"") => Ok(()),
        _ => Err(io::Error::other(format!("CREATE DATABASE: {}", answer.summary()))),
    }
}

/// JSON documents one behind the other, cut at will by the network.
#[derive(Default)]
struct Documents {
    rest: Vec<u8>,
}

impl Documents {
    fn feed(
        &mut self,
        piece: &[u8],
        each: &mut dyn FnMut(&Value) -> io::Result<()>,
    ) -> io::Result<()> {
        self.rest.extend_from_slice(piece);
        // Documents end with a line feed; without one there is nothing whole to read yet.
        if !piece.contains(&b'\n') {
            return Ok(());
        }
        let mut stream = serde_json::Deserializer::from_slice(&self.rest).into_iter::<Value>();
        let mut used = 0;
        while let Some(document) = stream.next() {
            match document {
                Ok(document) => each(&document)?,
                Err(error) if error.is_eof() => break,
                Err(error) => return Err(io::Error::other(error)),
            }
            used = stream.byte_offset();
        }
        self.rest.drain(..used);
        Ok(())
    }

    fn finish(&self, status: u16) -> io::Result<()> {
        let rest = String::from_utf8_lossy(&self.rest);
        if status == 200 && rest.trim().is_empty() {
            return Ok(());
        }
        let start: String = rest.trim().chars().take(200).collect();
        Err(io::Error::other(format!("query answered {status} {start}")))
    }
}

fn rows(document: &Value, each: &mut dyn FnMut(Stored)) -> io::Result<()> {
    if let Some(error) = document["error"].as_str() {
        return Err(io::Error::other(format!("query failed: {error}")));
    }
    for result in document["results"].as_array().into_iter().flatten() {
        if let Some(error) = result["error"].as_str() {
            return Err(io::Error::other(format!("query failed: {error}")));
        }
        for series in result["series"].as_array().into_iter().flatten() {
            for row in series["values"].as_array().into_iter().flatten() {
                each(Stored {
                    time_ns: row[0].as_i64().unwrap_or_default(),
                    sequence: row[1].as_i64(),
                    check: row[2].as_i64(),
                    connection: row[3].as_str().and_then(|text| text.parse().ok()),
                });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&str]) -> io::Result<Vec<Stored>> {
        let (mut documents, mut found) = (Documents::default(), Vec::new());
        for piece in pieces {
            documents.feed(piece.as_bytes(), &mut |document| {
                rows(document, &mut |stored| found.push(stored))
            })?;
        }
        documents.finish(200)?;
        Ok(found)
    }

    const ONE: &str = r#"{"results":[{"series":[{"name":"m0","columns":["time","seq","check","conn"],"values":[[7,1,-9223372036854775808,"3"]]}]}]}"#;

    #[test]
    fn a_document_may_be_cut_anywhere() {
        let text = format!("{ONE}\n{ONE}\n");
        let point = |stored: &Stored| (stored.time_ns, stored.check, stored.connection);
        for cut in 0..text.len() {
            let found = read(&[&text[..cut], &text[cut..]]).unwrap();
            assert_eq!(found.len(), 2);
            assert_eq!(point(&found[0]), (7, Some(i64::MIN), Some(3)));
        }
    }

    #[test]
    fn an_error_or_half_an_answer_is_never_an_empty_one() {
        assert!(read(&["{\"results\":[{\"error\":\"database not found\"}]}\n"]).is_err());
        assert!(read(&["{\"error\":\"unable to parse\"}\n"]).is_err());
        assert!(read(&["{\"results\":[{\n"]).is_err());
        assert!(read(&["<html>\n"]).is_err());
    }
}
