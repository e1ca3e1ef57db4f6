//! Asks each backend's `/ping`, before any shard exists: plain blocking sockets with time-outs.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::thread;
use std::time::Duration;

use circlet::config::{Backend, Config};

use super::say;

/// An answer's head that is longer than this is none.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Prints one line for each backend, and whether all of them answer. Each has the probe's time-out for
/// each step; all are asked at the same time.
pub fn check(config: &Config) -> bool {
    let timeout = config.probe.timeout;
    let answers: Vec<Result<String, io::Error>> = thread::scope(|scope| {
        let asked: Vec<_> = config
            .backends
            .iter()
            .map(|backend| scope.spawn(move || ping(backend, timeout)))
            .collect();
        let joined = asked.into_iter().map(|thread| thread.join());
        joined.map(|answer| answer.unwrap_or_else(|_| Err(io::Error::other("panicked")))).collect()
    });
    for (backend, answer) in config.backends.iter().zip(&answers) {
        match answer {
            Ok(version) => {
                say(format_args!("{} at {}: answers, {version}", backend.name, backend.url))
            }
            Err(error) => say(format_args!("{} at {}: {error}", backend.name, backend.url)),
        }
    }
    answers.iter().all(Result::is_ok)
}

/// The version that the backend names.
fn ping(backend: &Backend, timeout: Duration) -> io::Result<String> {
    let mut stream = connect(backend, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    let request = format!(
        "GET /ping HTTP/1.1\r\nHost: {}\r\nUser-Agent: circlet\r\nConnection: close\r\n\r\n",
        backend.authority()
    );
    stream.write_all(request.as_bytes())?;
    judge(&read_head(&mut stream)?)
}

/// The first address of the host that takes the connection.
fn connect(backend: &Backend, timeout: Duration) -> io::Result<TcpStream> {
    let mut last = io::Error::other("the host has no address");
    for address in (backend.host.as_str(), backend.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn read_head(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut piece = [0; 4096];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = stream.read(&mut piece).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => io::Error::other("no answer in time"),
            _ => error,
        })?;
        if read == 0 || head.len() > HEAD_BYTES_MAX {
            return Err(io::Error::other("closed without an HTTP answer"));
        }
        head.extend_from_slice(&piece[..read]);
    }
    Ok(head)
}

/// InfluxDB answers 204, others 200; either may name its version.
fn judge(head: &[u8]) -> io::Result<String> {
    let mut headers = [httparse::EMPTY_HEADER; 100];
    let mut response = httparse::Response::new(&mut headers);
    let status = match response.parse(head) {
        Ok(_) => response.code.unwrap_or(0),
        Err(error) => return Err(io::Error::other(format!("no HTTP answer: {error}"))),
    };
    if status != 200 && status != 204 {
        return Err(io::Error::other(format!("/ping was answered with {status}")));
    }
    let version = response
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("X-Influxdb-Version"))
        .map(|header| String::from_utf8_lossy(header.value).into_owned());
    Ok(version.map_or("no version named".to_owned(), |version| format!("version {version}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_success_is_an_answer() {
        let of = |head: &[u8]| judge(head).map_err(|error| error.to_string());
        let influx = b"HTTP/1.1 204 No Content\r\nx-influxdb-version: 1.6.7\r\n\r\n";
        assert_eq!(of(influx).unwrap(), "version 1.6.7");
        assert_eq!(of(b"HTTP/1.1 200 OK\r\n\r\n").unwrap(), "no version named");
        assert_eq!(of(b"HTTP/1.1 401 No\r\n\r\n").unwrap_err(), "/ping was answered with 401");
        assert!(of(b"SSH-2.0-OpenSSH\r\n\r\n").unwrap_err().starts_with("no HTTP answer"));
    }
}
