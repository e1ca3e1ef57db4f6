//! Certificates: from the files that the configuration names to what a handshake needs.
//!
//! Made when the configuration is checked, so that a file that is missing or does not fit is told like any other
//! mistake; made again whenever the files change. Every side is verified: nothing here can switch that off.

mod own;
mod validity;

use super::checked::{BackendTls, TlsConfig, TlsVersion};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use own::of_own_gateway;

/// The one protocol inside, for clients that ask.
const PROTOCOL: &[u8] = b"http/1.1";

/// Why files do not make one side of a connection. Texts are lower-case and without a full stop.
#[derive(Debug)]
pub enum CertificateError {
    /// It cannot be read, or what it should have is not in it.
    File {
        path: PathBuf,
        why: String,
    },
    /// Certificate and key are there, and not of one another or not usable.
    Pair {
        certificate: PathBuf,
        key: PathBuf,
        why: String,
    },
    /// The name cannot be the one of a server.
    Name(String),
    /// The system has no certificate authority.
    NoRoots,
    Library(rustls::Error),
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CertificateError::File { path, why } => write!(f, "{}: {why}", path.display()),
            CertificateError::Pair { certificate, key, why } => {
                write!(f, "{} and {}: {why}", certificate.display(), key.display())
            }
            CertificateError::Name(name) => write!(f, "{name} is no name of a server"),
            CertificateError::NoRoots => {
                f.write_str("no certificate authority is installed on this system")
            }
            CertificateError::Library(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for CertificateError {}

impl From<rustls::Error> for CertificateError {
    fn from(error: rustls::Error) -> CertificateError {
        CertificateError::Library(error)
    }
}

/// What the gateway's listener shows and demands. A new one has new keys for session tickets: nobody resumes a session
/// that was begun under other certificates.
pub fn of_listener(tls: &TlsConfig) -> Result<Arc<ServerConfig>, CertificateError> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions(tls.min_version))?;
    let chain = certificates(&tls.cert_file)?;
    let builder = match &tls.client_ca_file {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let roots = Arc::new(authorities(path)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider())
                .build()
                .map_err(|error| unusable(path, &error))?;
            builder.with_client_cert_verifier(own::or_signed(&chain, verifier))
        }
    };
    let mut config = builder
        .with_single_cert(chain, key(&tls.key_file)?)
        .map_err(|error| no_pair(&tls.cert_file, &tls.key_file, &error))?;
    config.ticketer = rustls::crypto::ring::Ticketer::new()?;
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(Arc::new(config))
}

/// What the gateway demands of a backend, and shows to it.
pub fn of_backend(tls: &BackendTls) -> Result<Arc<ClientConfig>, CertificateError> {
    let roots = match &tls.ca_file {
        Some(path) => authorities(path)?,
        None => system_roots()?,
    };
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions(TlsVersion::Tls12))?
        .with_root_certificates(roots);
    let mut config = match &tls.own {
        None => builder.with_no_client_auth(),
        Some((certificate, own_key)) => builder
            .with_client_auth_cert(certificates(certificate)?, key(own_key)?)
            .map_err(|error| no_pair(certificate, own_key, &error))?,
    };
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(Arc::new(config))
}

/// The name that a server's certificate must have.
pub fn server_name(name: &str) -> Result<ServerName<'static>, CertificateError> {
    ServerName::try_from(name.to_owned()).map_err(|_| CertificateError::Name(name.to_owned()))
}

/// When the first certificate of a file ends, in seconds since 1970. Nothing where that cannot be read.
pub fn ends_unix_seconds(path: &Path) -> Option<i64> {
    let all = certificates(path).ok()?;
    all.iter().filter_map(|certificate| validity::end_unix_seconds(certificate)).min()
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn versions(least: TlsVersion) -> &'static [&'static SupportedProtocolVersion] {
    static NEWEST: [&SupportedProtocolVersion; 1] = [&rustls::version::TLS13];
    match least {
        TlsVersion::Tls12 => rustls::ALL_VERSIONS,
        TlsVersion::Tls13 => &NEWEST,
    }
}

/// All certificates of a PEM file; never none.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let all: Vec<_> = read.map_err(|error| unreadable(path, &error))?;
    match all.is_empty() {
        true => Err(unusable(path, &"there is no certificate in it")),
        false => Ok(all),
    }
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, CertificateError> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| match error {
        pem::Error::NoItemsFound => unusable(path, &"there is no private key in it"),
        other => unreadable(path, &other),
    })
}

fn authorities(path: &Path) -> Result<RootCertStore, CertificateError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| unusable(path, &error))?;
    }
    Ok(roots)
}

fn system_roots() -> Result<RootCertStore, CertificateError> {
    let mut roots = RootCertStore::empty();
    // Old ones that nobody can use any more lie about on many systems.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    match roots.is_empty() {
        true => Err(CertificateError::NoRoots),
        false => Ok(roots),
    }
}

/// Never shows what stands in the file: it may be a key.
fn unreadable(path: &Path, error: &pem::Error) -> CertificateError {
    match error {
        pem::Error::Io(error) => unusable(path, error),
        _ => unusable(path, &"it is not PEM"),
    }
}

fn unusable(path: &Path, why: &dyn fmt::Display) -> CertificateError {
    CertificateError::File { path: path.to_owned(), why: why.to_string() }
}

fn no_pair(certificate: &Path, key: &Path, error: &rustls::Error) -> CertificateError {
    let why = match error {
        rustls::Error::InconsistentKeys(_) => "the key is not the one of the certificate".into(),
        other => other.to_string(),
    };
    CertificateError::Pair { certificate: certificate.to_owned(), key: key.to_owned(), why }
}
