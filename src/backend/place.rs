//! Who a backend is. While the process runs, only how Circlet shows itself to it may change, and whether it is asked.

use crate::base::current::Current;
use crate::base::ids::{BackendId, CircleId};
use crate::config::checked::{Backend, Credentials, Kind};
use crate::rt::tls::Trust;
use base64::Engine;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::cell::Cell;
use std::sync::Arc;

/// What may stand unescaped in a query parameter.
const PARAMETER: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A backend of the configuration. Lives on: every shard.
#[derive(Debug)]
pub struct Place {
    pub id: BackendId,
    pub name: String,
    pub circle: CircleId,
    pub circle_name: String,
    pub host: String,
    pub port: u16,
    /// As a `Host` field wants it.
    pub authority: String,
    pub kind: Kind,
    /// The whole `Authorization` field, or empty.
    authorization: Current<String>,
    write_only: Cell<bool>,
    /// Absent: connections to it are plain.
    pub trust: Option<Arc<Trust>>,
}

impl Place {
    pub fn new(id: BackendId, backend: &Backend, circle_name: &str) -> Place {
        Place {
            id,
            name: backend.name.clone(),
            circle: CircleId(backend.circle),
            circle_name: circle_name.to_owned(),
            host: backend.host.clone(),
            port: backend.port,
            authority: backend.authority(),
            kind: backend.kind,
            authorization: authorization(backend.kind, &backend.credentials).into(),
            write_only: Cell::new(backend.write_only),
            trust: None,
        }
    }

    /// Meets it over TLS.
    pub fn with_trust(self, trust: Option<Arc<Trust>>) -> Place {
        Place { trust, ..self }
    }

    /// Takes over what may change of the same backend. False if it is met as before.
    pub fn follow(&self, backend: &Backend) -> bool {
        self.write_only.set(backend.write_only);
        let fresh = authorization(backend.kind, &backend.credentials);
        let is_new = *self.authorization.get() != fresh;
        self.authorization.set(fresh);
        is_new
    }

    /// It is never asked.
    pub fn is_write_only(&self) -> bool {
        self.write_only.get()
    }

    /// `circle/name`, as headers and logs say it.
    pub fn label(&self) -> String {
        format!("{}/{}", self.circle_name, self.name)
    }

    /// The fields that every request to it carries, each with its line end.
    pub fn common_fields(&self) -> String {
        let agent = concat!("User-Agent: circlet/", env!("CARGO_PKG_VERSION"), "\r\n");
        format!("Host: {}\r\n{agent}{}", self.authority, self.authorization.get())
    }

    /// Path and parameters of a write.
    pub fn write_path(&self, org: &str, database: &str, retention_policy: &str) -> String {
        match self.kind {
            Kind::Influxdb1 | Kind::Embedded | Kind::LineProtocol
                if retention_policy.is_empty() =>
            {
                format!("/write?db={}&precision=ns", escape(database))
            }
            Kind::Influxdb1 | Kind::Embedded | Kind::LineProtocol => format!(
                "/write?db={}&rp={}&precision=ns",
                escape(database),
                escape(retention_policy)
            ),
            Kind::Influxdb2 | Kind::Influxdb3 => {
                let bucket = match retention_policy {
                    "" => database.to_owned(),
                    policy => format!("{database}/{policy}"),
                };
                format!("/api/v2/write?org={}&bucket={}&precision=ns", escape(org), escape(&bucket))
            }
        }
    }
}

pub fn escape(text: &str) -> String {
    utf8_percent_encode(text, PARAMETER).to_string()
}

fn authorization(kind: Kind, credentials: &Credentials) -> String {
    match credentials {
        Credentials::None => String::new(),
        Credentials::Token(token) => {
            let scheme = if kind == Kind::Influxdb3 { "Bearer" } else { "Token" };
            format!("Authorization: {scheme} {}\r\n", token.expose())
        }
        Credentials::Password { username, password } => {
            let pair = format!("{username}:{}", password.expose());
            let pair = base64::engine::general_purpose::STANDARD.encode(pair);
            format!("Authorization: Basic {pair}\r\n")
        }
    }
}
