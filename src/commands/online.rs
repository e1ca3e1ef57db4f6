//! Asks each backend's `/ping`, before any shard exists.

use std::io;
use std::thread;
use std::time::Duration;

use circlet::config::{Backend, Config, Kind};
use circlet::proto::http::response::Head;

use super::{http, say};

/// Prints one line for each backend that is a server of its own, and whether all of them answer. Each has the probe's time-out for
/// each step; all are asked at the same time.
pub fn check(config: &Config) -> bool {
    let timeout = config.probe.timeout;
    let answers: Vec<Result<String, io::Error>> = thread::scope(|scope| {
        let asked: Vec<_> = config
            .backends
            .iter()
            .filter(|backend| backend.kind != Kind::Embedded)
            .map(|backend| scope.spawn(move || ping(backend, timeout)))
            .collect();
        let joined = asked.into_iter().map(|thread| thread.join());
        joined.map(|answer| answer.unwrap_or_else(|_| Err(io::Error::other("panicked")))).collect()
    });
    let asked = config.backends.iter().filter(|backend| backend.kind != Kind::Embedded);
    for (backend, answer) in asked.zip(&answers) {
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
    let fields = format!("Host: {}\r\nUser-Agent: circlet\r\n", backend.authority());
    let server = http::Server::backend(backend, timeout)?;
    judge(&server.ask("GET", "/ping", &fields, b"")?.head)
}

/// InfluxDB answers 204, others 200; either may name its version.
fn judge(head: &Head) -> io::Result<String> {
    let status = head.status;
    if status != 200 && status != 204 {
        return Err(io::Error::other(format!("/ping was answered with {status}")));
    }
    let version = head.field("X-Influxdb-Version");
    Ok(version.map_or("no version named".to_owned(), |version| format!("version {version}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use circlet::proto::http::response::Reader;

    #[test]
    fn only_success_is_an_answer() {
        let of = |bytes: &[u8]| {
            let (head, _) = Reader::new(false).push(bytes).unwrap().unwrap();
            judge(&head).map_err(|error| error.to_string())
        };
        let influx = b"HTTP/1.1 204 No Content\r\nx-influxdb-version: 1.6.7\r\n\r\n";
        assert_eq!(of(influx).unwrap(), "version 1.6.7");
        assert_eq!(of(b"HTTP/1.1 200 OK\r\n\r\n").unwrap(), "no version named");
        assert_eq!(of(b"HTTP/1.1 401 No\r\n\r\n").unwrap_err(), "/ping was answered with 401");
    }
}
