//! The certificates of a running node: made again when their files change, without ending a connection.
//!
//! A file is looked at once a second. What has changed is read when it has been the same for two looks: a certificate
//! and its key are two files, and nobody can replace both at once. What cannot be used is told once and changes nothing.

use crate::config::certificates::{self, CertificateError};
use crate::config::{BackendTls, Config, TlsConfig};
use crate::rt::tls::{Door, Trust};
use crate::telemetry::meters;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Device, inode, length and time of the last change of each file; nothing where there is none.
type Stamp = Vec<Option<(u64, u64, u64, i64, i64)>>;

/// All of one node. Lives on: the control thread.
pub struct Certificates {
    entries: Vec<Entry>,
    door: Option<Arc<Door>>,
    /// In the order of the configuration's backends.
    trusts: Vec<Option<Arc<Trust>>>,
}

/// One side of one kind of connection.
struct Entry {
    side: Side,
    /// The files that it is made of.
    files: Vec<PathBuf>,
    /// What they were when they were last read, and when they were last looked at.
    read: Stamp,
    seen: Stamp,
}

enum Side {
    Listener(TlsConfig, Arc<Door>),
    Backend(String, BackendTls, Arc<Trust>),
}

impl Side {
    fn files(&self) -> Vec<PathBuf> {
        match self {
            Side::Listener(tls, _) => {
                let own = [&tls.cert_file, &tls.key_file].into_iter();
                own.chain(&tls.client_ca_file).cloned().collect()
            }
            Side::Backend(_, tls, _) => {
                let own = tls.own.iter().flat_map(|(certificate, key)| [certificate, key]);
                own.chain(&tls.ca_file).cloned().collect()
            }
        }
    }
}

impl Certificates {
    /// Reads all files that the configuration names.
    pub fn load(config: &Config) -> Result<Certificates, CertificateError> {
        let mut entries = Vec::new();
        let mut door = None;
        if let Some(tls) = &config.tls {
            let own = Arc::new(Door::new(certificates::of_listener(tls)?));
            door = Some(own.clone());
            entries.push(Entry::new(Side::Listener(tls.clone(), own)));
        }
        let mut trusts = Vec::new();
        for backend in &config.backends {
            let Some(tls) = &backend.tls else {
                trusts.push(None);
                continue;
            };
            let name = certificates::server_name(&tls.server_name)?;
            let trust = Arc::new(Trust::new(certificates::of_backend(tls)?, name));
            let side = Side::Backend(backend.name.clone(), tls.clone(), trust.clone());
            entries.push(Entry::new(side));
            trusts.push(Some(trust));
        }
        let all = Certificates { entries, door, trusts };
        all.entries.iter().for_each(Entry::publish);
        Ok(all)
    }

    /// What the listeners show.
    pub fn door(&self) -> Option<Arc<Door>> {
        self.door.clone()
    }

    /// How each backend is met, in the order of the configuration.
    pub fn trusts(&self) -> Vec<Option<Arc<Trust>>> {
        self.trusts.clone()
    }

    /// Takes over which files the configuration names now, and reads all of them. False if something kept what it had.
    pub fn follow(&mut self, config: &Config) -> bool {
        for entry in &mut self.entries {
            entry.follow(config);
        }
        self.renew_all()
    }

    /// To be called about once a second.
    pub fn renew_what_has_changed(&mut self) {
        for entry in &mut self.entries {
            let now = stamp(&entry.files);
            let is_steady = now == entry.seen;
            entry.seen = now;
            if is_steady && entry.seen != entry.read {
                entry.renew();
            }
        }
    }

    /// Reads everything again at once, because somebody asks for it. False if something kept what it had.
    pub fn renew_all(&mut self) -> bool {
        let mut all_fine = true;
        for entry in &mut self.entries {
            entry.seen = stamp(&entry.files);
            all_fine &= entry.renew();
        }
        all_fine
    }
}

impl Entry {
    fn new(side: Side) -> Entry {
        let files = side.files();
        let seen = stamp(&files);
        Entry { side, files, read: seen.clone(), seen }
    }

    /// The configuration may name other files now.
    fn follow(&mut self, config: &Config) {
        match &mut self.side {
            Side::Listener(known, _) => {
                if let Some(tls) = &config.tls {
                    known.clone_from(tls);
                }
            }
            Side::Backend(name, known, _) => {
                let backend = config.backends.iter().find(|backend| backend.name == *name);
                if let Some(tls) = backend.and_then(|backend| backend.tls.as_ref()) {
                    known.clone_from(tls);
                }
            }
        }
        self.files = self.side.files();
    }

    /// Reads the files; new handshakes take what they hold. Else everything stays as it is.
    fn renew(&mut self) -> bool {
        self.read = self.seen.clone();
        let (side, name) = self.labels();
        let renewed = match &self.side {
            Side::Listener(tls, door) => {
                certificates::of_listener(tls).map(|config| door.replace(config))
            }
            Side::Backend(_, tls, trust) => {
                let name = certificates::server_name(&tls.server_name);
                let met = name.and_then(|name| Ok((certificates::of_backend(tls)?, name)));
                met.map(|(config, name)| trust.replace(config, name))
            }
        };
        match renewed {
            Ok(()) => tracing::info!(side, name, "certificates were read again"),
            Err(error) => {
                tracing::error!(side, name, %error, "certificates stay as they were");
                return false;
            }
        }
        self.publish();
        true
    }

    fn labels(&self) -> (&'static str, &str) {
        match &self.side {
            Side::Listener(..) => ("listener", ""),
            Side::Backend(name, ..) => ("backend", name),
        }
    }

    /// When the certificate that is shown ends.
    fn publish(&self) {
        let (side, name) = self.labels();
        let shown: Option<&Path> = match &self.side {
            Side::Listener(tls, _) => Some(&tls.cert_file),
            Side::Backend(_, tls, _) => tls.own.as_ref().map(|(certificate, _)| &**certificate),
        };
        if let Some(ends) = shown.and_then(certificates::ends_unix_seconds) {
            meters::certificate_ends(side, name, ends);
        }
    }
}

fn stamp(files: &[PathBuf]) -> Stamp {
    let of = |path: &PathBuf| {
        let facts = std::fs::metadata(path).ok()?;
        Some((facts.dev(), facts.ino(), facts.len(), facts.mtime(), facts.mtime_nsec()))
    };
    files.iter().map(of).collect()
}
