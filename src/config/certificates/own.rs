//! Commands of one gateway: they read its configuration, so each side knows the other one's certificate itself.
//!
//! The name in the certificate is mostly not the address on which a command asks, and its authority may be one that
//! this machine does not trust. So a command takes the very certificate that the configuration names and no other; and
//! a gateway that wants to see certificates takes its own one, whose key only those have who may read its files.

use super::{CertificateError, certificates, key, no_pair, provider, versions};
use crate::config::checked::{TlsConfig, TlsVersion};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError as Refused, ClientConfig, DigitallySignedStruct, DistinguishedName, Error,
    SignatureScheme,
};
use std::sync::Arc;

/// What a command demands of the gateway that has this configuration, and shows to it.
pub fn of_own_gateway(tls: &TlsConfig) -> Result<Arc<ClientConfig>, CertificateError> {
    let chain = certificates(&tls.cert_file)?;
    let verifier = Arc::new(Exactly { wanted: chain[0].clone(), provider: provider() });
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions(TlsVersion::Tls12))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let config = match &tls.client_ca_file {
        None => builder.with_no_client_auth(),
        Some(_) => builder
            .with_client_auth_cert(chain, key(&tls.key_file)?)
            .map_err(|error| no_pair(&tls.cert_file, &tls.key_file, &error))?,
    };
    Ok(Arc::new(config))
}

/// Takes the gateway's own certificate, and whatever `signed` takes.
pub fn or_signed(
    chain: &[CertificateDer<'static>],
    signed: Arc<dyn ClientCertVerifier>,
) -> Arc<dyn ClientCertVerifier> {
    Arc::new(OwnOrSigned { own: chain[0].clone(), signed })
}

/// Trusts one certificate, byte for byte. Its key is proven by the handshake.
#[derive(Debug)]
struct Exactly {
    wanted: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Exactly {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match *shown == self.wanted {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(Refused::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, shown, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, shown, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[derive(Debug)]
struct OwnOrSigned {
    own: CertificateDer<'static>,
    signed: Arc<dyn ClientCertVerifier>,
}

impl ClientCertVerifier for OwnOrSigned {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.signed.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match *shown == self.own {
            true => Ok(ClientCertVerified::assertion()),
            false => self.signed.verify_client_cert(shown, between, now),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed.verify_tls12_signature(message, shown, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed.verify_tls13_signature(message, shown, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.signed.supported_verify_schemes()
    }
}
