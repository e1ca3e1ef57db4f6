//! A backend's URL: `http://host:port` or `https://host:port` and nothing more.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::section::quoted;

const SECURE: &str = "https://";

/// Host and port of a URL. The host is in lower case, an IPv6 address without its brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub host: String,
    pub port: u16,
    /// `https://`.
    pub is_tls: bool,
}

impl Address {
    /// The same for all spellings of this machine's loopback.
    pub fn identity(&self) -> (String, u16) {
        let host = match self.host.as_str() {
            "localhost" | "localhost." | "::1" => "127.0.0.1",
            host => host,
        };
        (host.to_owned(), self.port)
    }

    /// The address, where the host is one or is `localhost`.
    pub fn ip(&self) -> Option<IpAddr> {
        if self.host == "localhost" {
            return Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
        }
        self.host.parse().ok()
    }
}

/// What is wrong, and a mend.
pub type UrlError = (String, String);

pub fn parse(url: &str) -> Result<Address, UrlError> {
    let (scheme, rest) = without_scheme(url)?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains('@') {
        return Err(error(
            "credentials in the URL",
            "use the keys token, or username and password",
        ));
    }
    if let Some(junk) = rest.find(['/', '?', '#']) {
        let what = format!("{} after the port", shown(&rest[junk..]));
        return Err((what, format!("write \"{scheme}{}\"", &rest[..junk])));
    }
    let (host, port) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map(|(host, after)| (host, after.strip_prefix(':'))),
        None => Some(match rest.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (rest, None),
        }),
    }
    .ok_or_else(|| error("[ without ]", "write \"http://[::1]:8086\""))?;
    let host_fits =
        if rest.starts_with('[') { host.parse::<Ipv6Addr>().is_ok() } else { is_host_name(host) };
    if !host_fits {
        let what = format!("{} is no host name and no address", quoted(host));
        return Err((what, "write \"http://HOST:PORT\"".to_owned()));
    }
    let port = port.ok_or_else(|| error("no port", "add it, as in \"http://HOST:8086\""))?;
    let number = port.parse::<u16>().ok().filter(|number| *number != 0);
    let number = number.filter(|_| port.bytes().all(|byte| byte.is_ascii_digit()));
    let number = number.ok_or_else(|| {
        (format!("{} is no port", quoted(port)), "choose from 1 to 65535".to_owned())
    })?;
    Ok(Address { host: host.to_ascii_lowercase(), port: number, is_tls: scheme == SECURE })
}

/// What may be told of it: no credentials, whether before an `@` or among parameters.
fn shown(url: &str) -> String {
    let (start, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let mark = if start.is_empty() { "" } else { "://" };
    let rest = rest.rsplit_once('@').map_or(rest.to_owned(), |(_, host)| format!("...@{host}"));
    let rest = rest.split_once('?').map_or(rest.clone(), |(path, _)| format!("{path}?..."));
    quoted(&format!("{start}{mark}{rest}"))
}

fn without_scheme(url: &str) -> Result<(&'static str, &str), UrlError> {
    for scheme in ["http://", SECURE] {
        if let Some(rest) = url.strip_prefix(scheme) {
            return Ok((scheme, rest));
        }
    }
    Err((format!("{} is no http:// URL", shown(url)), "write \"http://HOST:PORT\"".to_owned()))
}

/// Letters, digits, `.`, `-` and `_`, as resolvers take them.
fn is_host_name(host: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    !host.is_empty() && host.len() <= 253 && host.bytes().all(fits) && !host.starts_with(['.', '-'])
}

fn error(what: &str, mend: &str) -> UrlError {
    (what.to_owned(), mend.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_host_and_a_port() {
        let of = |url| parse(url).map(|address| (address.host, address.port));
        assert_eq!(of("http://127.0.0.1:8086"), Ok(("127.0.0.1".to_owned(), 8086)));
        assert_eq!(of("http://Influx-1.example:80/"), Ok(("influx-1.example".to_owned(), 80)));
        assert_eq!(of("http://[::1]:8086"), Ok(("::1".to_owned(), 8086)));
        assert_eq!(of("https://a:443"), Ok(("a".to_owned(), 443)));
        assert!(parse("https://a:443").unwrap().is_tls && !parse("http://a:443").unwrap().is_tls);
    }

    #[test]
    fn whatever_else_is_told_apart() {
        let of = |url| parse(url).unwrap_err().0;
        assert_eq!(of("https://a"), "no port");
        assert_eq!(of("ftp://a:1"), "\"ftp://a:1\" is no http:// URL");
        assert_eq!(of("http://"), "\"\" is no host name and no address");
        assert_eq!(of("http://a"), "no port");
        assert_eq!(of("http://[::1]"), "no port");
        assert_eq!(of("http://[::1"), "[ without ]");
        assert_eq!(of("http://::1:80"), "\"::1\" is no host name and no address");
        assert_eq!(of("http://[a]:80"), "\"a\" is no host name and no address");
        assert_eq!(of("http://u:p@a:1"), "credentials in the URL");
        assert_eq!(of("http://a:1/influx"), "\"/influx\" after the port");
        assert_eq!(of("http://a:1?x=y"), "\"?...\" after the port");
        assert_eq!(of("http://a:0"), "\"0\" is no port");
        assert_eq!(of("http://a:+80"), "\"+80\" is no port");
        assert_eq!(of("http://a:65536"), "\"65536\" is no port");
        assert_eq!(of("http://a b:1"), "\"a b\" is no host name and no address");
    }

    #[test]
    fn no_credentials_of_a_url_are_told() {
        for url in [
            "http://u:planted@a:1",
            "htp://u:planted@a:1",
            "u:planted@a:1",
            "http://a:1/?p=planted",
            "http://a:1?u=x&p=planted",
            "ftp://a:1/x?token=planted",
            "http://u:planted@a:1/x?p=planted@b",
        ] {
            let (what, mend) = parse(url).unwrap_err();
            assert!(
                !what.contains("planted") && !mend.contains("planted"),
                "{url}: {what}; {mend}"
            );
        }
        assert_eq!(parse("htp://u:p@a:1").unwrap_err().0, "\"htp://...@a:1\" is no http:// URL");
    }
}
