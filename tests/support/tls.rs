//! Certificate authorities of the tests' own, and connections over TLS.

use super::http::Request;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned};
use std::io::{Error, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Signs certificates for 127.0.0.1.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate.
    pub file: PathBuf,
    directory: PathBuf,
}

/// A certificate and its key, as PEM files.
#[derive(Clone)]
pub struct Pair {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    pub fn new(directory: &Path, name: &str) -> Authority {
        let mut parameters = CertificateParams::new(Vec::new()).expect("no names");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let own = parameters.self_signed(&key).expect("a certificate");
        let file = directory.join(format!("{name}.pem"));
        std::fs::write(&file, own.pem()).expect("a directory for files");
        let issuer = Issuer::new(parameters, key);
        Authority { issuer, file, directory: directory.to_owned() }
    }

    /// A fresh pair; the files of this name are replaced, one after the other.
    pub fn issue(&self, name: &str) -> Pair {
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let mut parameters = CertificateParams::new(names).expect("two names");
        parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
        let both = [ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        parameters.extended_key_usages = both.to_vec();
        let key = KeyPair::generate().expect("a key");
        let certificate = parameters.signed_by(&key, &self.issuer).expect("a certificate");
        let path = |end: &str| self.directory.join(format!("{name}.{end}"));
        let pair = Pair { certificate: path("pem"), key: path("key") };
        std::fs::write(&pair.certificate, certificate.pem()).expect("a file");
        std::fs::write(&pair.key, key.serialize_pem()).expect("a file");
        pair
    }

    /// Trusts this authority, and shows the pair if there is one.
    pub fn client(&self, own: Option<&Pair>) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        let ours = CertificateDer::from_pem_file(&self.file).expect("our own file");
        roots.add(ours).expect("our own certificate");
        let builder = ClientConfig::builder().with_root_certificates(roots);
        Arc::new(match own {
            None => builder.with_no_client_auth(),
            Some(pair) => {
                builder.with_client_auth_cert(pair.chain(), pair.secret()).expect("a pair")
            }
        })
    }
}

impl Pair {
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![CertificateDer::from_pem_file(&self.certificate).expect("our own file")]
    }

    fn secret(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_file(&self.key).expect("our own file")
    }

    /// For a server that asks for no certificate.
    pub fn server(&self) -> Arc<ServerConfig> {
        let builder = ServerConfig::builder().with_no_client_auth();
        Arc::new(builder.with_single_cert(self.chain(), self.secret()).expect("a pair"))
    }
}

/// One kept connection over TLS.
pub struct Secure {
    pub stream: StreamOwned<ClientConnection, TcpStream>,
}

impl Secure {
    pub fn open(address: SocketAddr, config: Arc<ClientConfig>) -> Result<Secure> {
        let socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(Duration::from_secs(20)))?;
        let name = ServerName::from(address.ip());
        let session = ClientConnection::new(config, name).map_err(Error::other)?;
        let mut stream = StreamOwned::new(session, socket);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Secure { stream })
    }

    /// The head of the answer; only for answers without a body.
    pub fn head(&mut self, request: &Request) -> Result<String> {
        self.stream.write_all(&request.bytes())?;
        self.stream.flush()?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        Ok(String::from_utf8_lossy(&head).into_owned())
    }

    /// The whole answer to a request after which the connection ends.
    pub fn last(mut self, request: Request) -> Result<String> {
        self.stream.write_all(&request.header("Connection", "close").bytes())?;
        self.stream.flush()?;
        let mut text = String::new();
        self.stream.read_to_string(&mut text)?;
        Ok(text)
    }

    /// The certificate that the server has shown.
    pub fn shown(&self) -> Vec<u8> {
        self.stream.conn.peer_certificates().expect("it was verified")[0].to_vec()
    }
}
