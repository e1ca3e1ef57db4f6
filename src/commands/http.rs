//! One request over one connection, for commands: blocking sockets with time-outs, with TLS where the
//! configuration has it.

use circlet::backend::{Verdict, answer};
use circlet::config::certificates::{self, CertificateError};
use circlet::config::{Auth, Backend, BackendTls, Config, Environment, Secret};
use circlet::proto::http::response::{Head, Reader, Whole};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

/// An answer that is longer than this is none that a command understands.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How long each step of a question to the running gateway may take.
const GATEWAY_LIMIT: Duration = Duration::from_secs(5);

/// A token to show where the configuration knows only hashes.
pub const TOKEN_VARIABLE: &str = "CIRCLET_TOKEN";

const WRITE_LIMIT: Duration = Duration::from_secs(60);

/// Looks at an answer while it comes; false if that is enough of it.
type Look<'a> = &'a mut dyn FnMut(&mut Whole) -> bool;

/// A whole answer.
#[derive(Debug)]
pub struct Reply {
    pub head: Head,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn is_success(&self) -> bool {
        self.verdict() == Verdict::Done
    }

    /// What it means, if it answers a write.
    pub fn verdict(&self) -> Verdict {
        answer::judge(self.head.status, &self.body, None)
    }

    /// Status and the text of an error, in whichever dialect.
    pub fn complaint(&self) -> String {
        format!("{}: {}", self.head.status, answer::message(&self.body))
    }
}

/// Whom a command asks.
pub struct Server {
    host: String,
    port: u16,
    /// Of each step.
    limit: Duration,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

impl Server {
    /// A backend, met as the gateway meets it.
    pub fn backend(backend: &Backend, limit: Duration) -> io::Result<Server> {
        let of = |tls: &BackendTls| {
            Ok((certificates::of_backend(tls)?, certificates::server_name(&tls.server_name)?))
        };
        let tls = backend.tls.as_ref().map(of).transpose();
        let tls = tls.map_err(|error: CertificateError| io::Error::other(error))?;
        Ok(Server { host: backend.host.clone(), port: backend.port, limit, tls })
    }

    /// The gateway of this configuration. Its certificate is known, so its name does not matter.
    fn gateway(config: &Config, address: SocketAddr, limit: Duration) -> io::Result<Server> {
        let (ip, port) = (address.ip(), address.port());
        let own = config.tls.as_ref().map(certificates::of_own_gateway).transpose();
        let tls = own.map_err(io::Error::other)?.map(|own| (own, ServerName::from(ip)));
        Ok(Server { host: ip.to_string(), port, limit, tls })
    }

    /// Sends one request. `fields` are header fields, each with its line end.
    pub fn ask(&self, method: &str, path: &str, fields: &str, body: &[u8]) -> io::Result<Reply> {
        self.follow(method, path, fields, body, &mut |_| true)
    }

    fn follow(
        &self,
        method: &str,
        path: &str,
        fields: &str,
        body: &[u8],
        look: Look<'_>,
    ) -> io::Result<Reply> {
        let stream = connect((&*self.host, self.port), self.limit)?;
        stream.set_read_timeout(Some(self.limit))?;
        stream.set_write_timeout(Some(self.limit))?;
        let Some((config, name)) = self.tls.clone() else {
            return exchange(stream, method, path, fields, body, look);
        };
        let session = ClientConnection::new(config, name).map_err(io::Error::other)?;
        exchange(StreamOwned::new(session, stream), method, path, fields, body, look)
    }
}

/// Asks for what comes piece by piece, and hands on each piece until `take` says that it has enough, or there is
/// no more. An answer that is no success is given back whole.
pub fn follow_gateway(
    config: &Config,
    path: &str,
    mut take: impl FnMut(&[u8]) -> bool,
) -> io::Result<Reply> {
    let address = admin(config);
    let server = Server::gateway(config, address, GATEWAY_LIMIT)?;
    server.follow("GET", path, &gateway_fields(config, address), b"", &mut |whole: &mut Whole| {
        if answer::judge(whole.head.status, b"", None) != Verdict::Done {
            return true;
        }
        let goes_on = take(&whole.content);
        whole.content.clear();
        goes_on
    })
}

fn exchange(
    mut stream: impl Read + Write,
    method: &str,
    path: &str,
    fields: &str,
    body: &[u8],
    look: Look<'_>,
) -> io::Result<Reply> {
    let head = format!(
        "{method} {path} HTTP/1.1\r\n{fields}Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    stream.flush()?;
    read(&mut stream, look)
}

/// Where a running gateway answers operators.
pub fn admin(config: &Config) -> SocketAddr {
    config.admin.unwrap_or(config.listen)
}

/// Asks the gateway of this configuration as an operator, with the token of the environment, else the first of its list.
pub fn ask_gateway(config: &Config, method: &str, path: &str) -> io::Result<Reply> {
    let address = admin(config);
    let fields = gateway_fields(config, address);
    Server::gateway(config, address, GATEWAY_LIMIT)?.ask(method, path, &fields, b"")
}

/// Sends lines, which may take as long as the gateway waits for backends.
pub fn post_to_gateway(
    config: &Config,
    path: &str,
    fields: &str,
    body: &[u8],
) -> io::Result<Reply> {
    let fields = format!("{}{fields}", gateway_fields(config, config.listen));
    Server::gateway(config, config.listen, WRITE_LIMIT)?.ask("POST", path, &fields, body)
}

fn gateway_fields(config: &Config, address: SocketAddr) -> String {
    let of_list = || match &config.auth {
        Auth::Open => None,
        Auth::Tokens(tokens) => tokens.iter().find_map(|token| token.secret.clone()),
    };
    let given = Environment::of_process().variables.remove(TOKEN_VARIABLE);
    let given = given.filter(|text| !text.is_empty());
    let token = given.map(Secret::new).or_else(of_list);
    let token =
        token.map_or(String::new(), |token| format!("Authorization: Token {}\r\n", token.expose()));
    format!("Host: {address}\r\n{token}")
}

/// The first address that takes the connection.
fn connect(address: impl ToSocketAddrs, limit: Duration) -> io::Result<TcpStream> {
    let mut last = io::Error::other("the host has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, limit) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn read(stream: &mut impl Read, look: Look<'_>) -> io::Result<Reply> {
    let bad = |error| io::Error::other(format!("no HTTP answer: {error}"));
    let mut reader = Reader::new(false);
    let mut bytes = Vec::new();
    let (head, length) = loop {
        if let Some(found) = reader.push(&bytes).map_err(bad)? {
            break found;
        }
        if !more(stream, &mut bytes)? {
            return Err(io::Error::other("closed without an HTTP answer"));
        }
    };
    let mut whole = Whole::new(head);
    whole.push(&bytes[length..]).map_err(bad)?;
    while look(&mut whole) && !whole.is_done() {
        bytes.clear();
        if whole.content.len() > ANSWER_BYTES_MAX {
            return Err(io::Error::other("the answer is too long"));
        }
        if !more(stream, &mut bytes)? {
            whole.close().map_err(bad)?;
            break;
        }
        whole.push(&bytes).map_err(bad)?;
    }
    Ok(Reply { head: whole.head, body: whole.content })
}

/// Reads more; false at the end of the stream.
fn more(stream: &mut impl Read, bytes: &mut Vec<u8>) -> io::Result<bool> {
    let mut piece = [0; 16 * 1024];
    let read = stream.read(&mut piece).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => io::Error::other("no answer in time"),
        _ => error,
    })?;
    bytes.extend_from_slice(&piece[..read]);
    Ok(read > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(mut answer: &[u8]) -> Result<(u16, Vec<u8>), String> {
        let reply = read(&mut answer, &mut |_| true).map_err(|error| error.to_string())?;
        Ok((reply.head.status, reply.body))
    }

    #[test]
    fn an_answer_ends_where_its_framing_says() {
        let chunked =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nrest";
        assert_eq!(of(chunked).unwrap(), (200, b"abc".to_vec()));
        assert_eq!(of(b"HTTP/1.0 503 No\r\n\r\nall").unwrap(), (503, b"all".to_vec()));
        assert_eq!(of(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap(), (204, Vec::new()));
    }

    #[test]
    fn what_is_cut_short_or_no_http_is_an_error() {
        assert_eq!(of(b"HTTP/1.1 200 OK\r\n").unwrap_err(), "closed without an HTTP answer");
        let cut = of(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc").unwrap_err();
        assert!(cut.starts_with("no HTTP answer"), "{cut}");
        assert!(of(b"SSH-2.0-OpenSSH\r\n\r\n").unwrap_err().starts_with("no HTTP answer"));
    }
}
