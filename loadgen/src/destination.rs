//! Where lines go and with which credentials: the options that `write` and `verify` share.

use crate::url::{self, Url, encode, usage};
use base64::Engine as _;
use clap::Args;
use std::io;

#[derive(Args, Clone, Debug, Default)]
pub struct Credentials {
    /// Send `Authorization: Token ...`.
    #[arg(long)]
    pub token: Option<String>,
    /// Send Basic credentials with this name.
    #[arg(long, conflicts_with = "token")]
    pub user: Option<String>,
    /// The password of --user.
    #[arg(long, requires = "user", default_value = "")]
    pub password: String,
}

/// The header line of the credentials with its end of line, or "" where there are none.
pub fn authorization(token: Option<&str>, user: Option<&str>, password: &str) -> String {
    match (token, user) {
        (Some(token), _) => format!("Authorization: Token {token}\r\n"),
        (None, Some(user)) => {
            let pair =
                base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
            format!("Authorization: Basic {pair}\r\n")
        }
        (None, None) => String::new(),
    }
}

impl Credentials {
    /// See `authorization`.
    pub fn header(&self) -> String {
        authorization(self.token.as_deref(), self.user.as_deref(), &self.password)
    }
}

/// How the bodies of requests travel.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct Coding {
    /// Compress each body.
    #[arg(long)]
    pub gzip: bool,
    /// Send bodies with Transfer-Encoding: chunked.
    #[arg(long)]
    pub chunked: bool,
}

/// A place that takes writes: address to connect to, and the head of a request without its length.
#[derive(Clone, Debug)]
pub struct Destination {
    pub address: String,
    /// Request line and headers up to, not including, the body's framing.
    pub head: String,
    pub coding: Coding,
}

/// The path of writes: the dialect of 1.x for a database, of 2.x for a bucket, else as in the URL.
pub fn write_path(
    url: &Url,
    db: Option<&str>,
    org: Option<&str>,
    bucket: Option<&str>,
    precision: &str,
) -> io::Result<String> {
    let prefix = url.path.trim_end_matches('/');
    match (db, bucket) {
        (Some(db), None) => Ok(format!("{prefix}/write?db={}&precision={precision}", encode(db))),
        (None, Some(bucket)) => {
            let org = org.map(|org| format!("&org={}", encode(org))).unwrap_or_default();
            let bucket = encode(bucket);
            Ok(format!("{prefix}/api/v2/write?bucket={bucket}{org}&precision={precision}"))
        }
        (None, None) if !url.path.is_empty() => Ok(url.path.clone()),
        (None, None) => Err(usage("name a --db, a --bucket, or a URL with the path of the write")),
        (Some(_), Some(_)) => Err(usage("--db and --bucket exclude each other")),
    }
}

impl Destination {
    /// Builds the head of write requests to `path` at the URL's address.
    pub fn new(url: &Url, path: &str, credentials: &Credentials, coding: Coding) -> Self {
        let mut head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nUser-Agent: circlet-load\r\n{}Content-Type: text/plain; charset=utf-8\r\n",
            url.address,
            credentials.header(),
        );
        if coding.gzip {
            head.push_str("Content-Encoding: gzip\r\n");
        }
        Destination { address: url.address.clone(), head, coding }
    }

    /// As `new`, from the text of a URL.
    pub fn from_options(
        text: &str,
        db: Option<&str>,
        org: Option<&str>,
        bucket: Option<&str>,
        precision: &str,
        credentials: &Credentials,
        coding: Coding,
    ) -> io::Result<Self> {
        let url = url::parse(text)?;
        let path = write_path(&url, db, org, bucket, precision)?;
        Ok(Self::new(&url, &path, credentials, coding))
    }
}
