//! The little of URLs that a plain HTTP tool needs: `http://host:port/path?query`.

use std::io;

/// Where to connect (`address` is host:port) and the path with query that the user gave, or "".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    pub address: String,
    pub path: String,
}

/// Reads an `http` URL; the scheme may be absent, the port defaults to 80, other schemes are refused.
pub fn parse(text: &str) -> io::Result<Url> {
    let rest = match text.split_once("://") {
        Some(("http", rest)) => rest,
        Some((scheme, _)) => {
            return Err(usage(format!("{text}: cannot speak {scheme}, only http")));
        }
        None => text,
    };
    let cut = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(cut);
    if host.is_empty() {
        return Err(usage(format!("{text}: no host")));
    }
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let address = if has_port { host.to_owned() } else { format!("{host}:80") };
    let path = if path.starts_with('?') { format!("/{path}") } else { path.to_owned() };
    Ok(Url { address, path: if path == "/" { String::new() } else { path } })
}

/// Percent-encodes a value for a query string.
pub fn encode(value: &str) -> String {
    percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Undoes `encode`, and reads `+` as a space.
pub fn decode(value: &str) -> String {
    let spaced = value.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

/// An error of the person at the command line: exit code 2.
pub fn usage(text: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_falls_into_address_and_path() {
        let parts = |text| parse(text).map(|url| (url.address, url.path)).unwrap();
        assert_eq!(parts("http://h:1"), ("h:1".into(), String::new()));
        assert_eq!(parts("http://h:1/"), ("h:1".into(), String::new()));
        assert_eq!(parts("h/write?db=x"), ("h:80".into(), "/write?db=x".into()));
        assert_eq!(parts("http://[::1]:9/a"), ("[::1]:9".into(), "/a".into()));
        assert!(parse("https://h").is_err());
        assert!(parse("http:///x").is_err());
    }

    #[test]
    fn encoding_is_undone_by_decoding() {
        for text in ["plain", "a b&c=d", "ü%+/\"", ""] {
            assert_eq!(decode(&encode(text)), text);
        }
    }
}
