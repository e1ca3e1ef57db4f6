//! TLS of the listener and of the way to a backend. Reads the files.

use super::address::Address;
use crate::config::certificates::{self, CertificateError};
use crate::config::checked::{BackendTls, TlsConfig, TlsVersion};
use crate::config::problem::{Place, Problems};
use crate::config::raw::{RawBackend, RawTls};
use crate::config::section::Found;
use std::path::PathBuf;

const MEND: &str = "give PEM files that belong together and that this user may read";

/// The listener's; nothing without `[tls]`.
pub fn listener(raw: Option<&RawTls>, problems: &mut Problems) -> Option<TlsConfig> {
    let raw = raw?;
    let tls = TlsConfig {
        cert_file: path(&raw.cert_file)?,
        key_file: path(&raw.key_file)?,
        client_ca_file: path(&raw.client_ca_file),
        min_version: raw.min_version.unwrap_or(TlsVersion::Tls12),
    };
    if let Err(error) = certificates::of_listener(&tls) {
        let files = [&raw.cert_file, &raw.key_file, &raw.client_ca_file];
        problems.add(place(&error, &files).unwrap_or(&raw.place), error.to_string(), MEND);
    }
    Some(tls)
}

/// A backend's, where its URL is an `https://` one.
pub fn backend(raw: &RawBackend, address: &Address, problems: &mut Problems) -> Option<BackendTls> {
    let files = [&raw.tls_ca_file, &raw.tls_cert_file, &raw.tls_key_file];
    if !address.is_tls {
        let file = files.iter().find_map(|file| file.as_ref());
        if let Some(found) = file.or(raw.tls_server_name.as_ref()) {
            let mend = "write an https:// URL, or remove the key";
            problems.add(&found.place, "there is no TLS to this backend", mend);
        }
        return None;
    }
    let own = match (path(&raw.tls_cert_file), path(&raw.tls_key_file)) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        _ => {
            let mend = "give both tls_cert_file and tls_key_file, or none";
            problems.add(&raw.place, "a certificate and its key come together", mend);
            return None;
        }
    };
    let name = raw.tls_server_name.as_ref();
    let tls = BackendTls {
        ca_file: path(&raw.tls_ca_file),
        own,
        server_name: name.map_or_else(|| address.host.clone(), |found| found.value.clone()),
    };
    if let Err(error) = certificates::server_name(&tls.server_name) {
        let place = name.map_or(&raw.place, |found| &found.place);
        problems.add(place, error.to_string(), "give the name in its certificate");
    }
    if let Err(error) = certificates::of_backend(&tls) {
        let mend = match error {
            CertificateError::NoRoots => "install ca-certificates, or give tls_ca_file",
            _ => MEND,
        };
        problems.add(place(&error, &files).unwrap_or(&raw.place), error.to_string(), mend);
    }
    Some(tls)
}

fn path(found: &Option<Found<String>>) -> Option<PathBuf> {
    found.as_ref().map(|found| PathBuf::from(&found.value))
}

/// The key that names the file which is at fault.
fn place<'a>(error: &CertificateError, files: &[&'a Option<Found<String>>]) -> Option<&'a Place> {
    let (CertificateError::File { path, .. } | CertificateError::Pair { key: path, .. }) = error
    else {
        return None;
    };
    let mut named = files.iter().filter_map(|file| file.as_ref());
    named.find(|file| path.as_os_str() == &*file.value).map(|file| &file.place)
}
