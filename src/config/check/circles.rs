//! Circles and their backends: names, URLs, credentials.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use super::address::{self, Address};
use super::{secrets, tls};
use crate::config::budget::RawBacklog;
use crate::config::checked::{Backend, Kind};
use crate::config::problem::{Place, Problems};
use crate::config::raw::{EMBEDDED, RawBackend, RawFile};
use crate::config::section::{Found, quoted};
use crate::ring::{BackendPlan, CirclePlan};

/// Backends in all circles together, so that places and ids fit into 16 bits with room to spare.
const BACKENDS_MAX: usize = 10_000;

const CIRCLES_MAX: usize = 64;

const NAME_BYTES_MAX: usize = 64;

/// What is sound of all circles.
pub fn circles(
    raw: &RawFile,
    own: [Option<SocketAddr>; 2],
    problems: &mut Problems,
) -> (Vec<CirclePlan>, Vec<Backend>) {
    let mut checker = Checker {
        own,
        backlog: &raw.backlog,
        problems,
        names: BTreeMap::new(),
        urls: BTreeMap::new(),
    };
    checker.counts(raw);
    let mut circle_names = BTreeMap::new();
    let mut plans = Vec::new();
    let mut all = Vec::new();
    for (index, circle) in raw.circles.iter().enumerate().take(CIRCLES_MAX) {
        if circle.backends.is_empty() {
            let path = format!("{}.backend", circle.place.path);
            let place = Place { path, offset: circle.place.offset };
            checker.problems.add(&place, "no backend", "add a [[circle.backend]] below");
        }
        let name = circle.name.as_ref();
        if let Some(found) = name {
            unique_name(found, &mut circle_names, checker.problems);
        }
        let number = u16::try_from(index).expect("at most 64 circles");
        let backends: Vec<Backend> =
            circle.backends.iter().filter_map(|it| checker.backend(number, it)).collect();
        plans.push(CirclePlan {
            name: name.map_or_else(String::new, |found| found.value.clone()),
            backends: backends.iter().map(plan).collect(),
        });
        all.extend(backends);
    }
    (plans, all)
}

fn plan(backend: &Backend) -> BackendPlan {
    BackendPlan { name: backend.name.clone(), url: backend.url.clone() }
}

struct Checker<'p> {
    /// Where the gateway itself listens.
    own: [Option<SocketAddr>; 2],
    backlog: &'p RawBacklog,
    problems: &'p mut Problems,
    /// Each name, and the path of whoever has it first.
    names: BTreeMap<String, String>,
    urls: BTreeMap<(String, u16), String>,
}

impl Checker<'_> {
    fn counts(&mut self, raw: &RawFile) {
        let place = Place { path: "circle".to_owned(), offset: raw.place.offset };
        if raw.circles.is_empty() {
            let mend = "add [[circle]] with a name and a [[circle.backend]]";
            self.problems.add(&place, "no circle", mend);
        }
        if raw.circles.len() > CIRCLES_MAX {
            let what = format!("more than {CIRCLES_MAX} circles");
            self.problems.add(&place, what, "a circle is a whole copy; use fewer");
        }
        let backends: usize = raw.circles.iter().map(|circle| circle.backends.len()).sum();
        if backends > BACKENDS_MAX {
            let what = format!("more than {BACKENDS_MAX} backends");
            self.problems.add(&place, what, "use fewer and larger backends");
        }
    }

    fn backend(&mut self, circle: u16, raw: &RawBackend) -> Option<Backend> {
        if let Some(name) = &raw.name {
            unique_name(name, &mut self.names, self.problems);
        }
        let is_embedded = raw.url.as_ref().is_some_and(|url| url.value == EMBEDDED);
        let address = match is_embedded {
            true => Some(self.embedded(raw)),
            false => raw.url.as_ref().and_then(|url| self.address(url)),
        };
        if let (Some(Kind::Embedded), false, Some(url)) = (raw.kind, is_embedded, &raw.url) {
            let mend = "url = \"embedded\", or the kind of that server";
            self.problems.add(&url.place, "a server of its own is not embedded", mend);
        }
        let credentials = secrets::credentials(raw, self.problems);
        let backlog = raw.backlog.over(self.backlog, self.problems);
        let address = address?;
        let tls = tls::backend(raw, &address, self.problems);
        Some(Backend {
            name: raw.name.as_ref()?.value.clone(),
            circle,
            url: match is_embedded {
                // Rings may be keyed by it.
                true => format!("{EMBEDDED}/{}", raw.name.as_ref()?.value),
                false => raw.url.as_ref()?.value.clone(),
            },
            host: address.host,
            port: address.port,
            kind: raw.kind?,
            credentials: credentials?,
            tls,
            write_only: raw.write_only,
            backlog,
        })
    }

    /// A store of this process; its port is chosen when it starts.
    fn embedded(&mut self, raw: &RawBackend) -> Address {
        if raw.kind.is_some_and(|kind| kind != Kind::Embedded) {
            let mend = "remove kind, or name a server's http:// URL";
            self.problems.add(&raw.place, "an embedded store has no other kind", mend);
        }
        if !raw.credentials.is_empty() {
            let mend = "remove them: nobody but this gateway asks it";
            self.problems.add(&raw.place, "an embedded store takes no credentials", mend);
        }
        Address { host: Ipv4Addr::LOCALHOST.to_string(), port: 0, is_tls: false }
    }

    fn address(&mut self, url: &Found<String>) -> Option<Address> {
        let address = match address::parse(&url.value) {
            Ok(address) => address,
            Err((what, mend)) => {
                self.problems.add(&url.place, what, mend);
                return None;
            }
        };
        match self.urls.get(&address.identity()) {
            Some(first) => {
                let what = format!("the same server as {first}");
                let mend = "each backend is a server of its own, in one circle";
                self.problems.add(&url.place, what, mend);
            }
            None => {
                self.urls.insert(address.identity(), url.place.path.clone());
            }
        }
        if self.is_the_gateway(&address) {
            let what = "the address that this gateway listens on";
            self.problems.add(&url.place, what, "name the InfluxDB server itself");
        }
        Some(address)
    }

    fn is_the_gateway(&self, address: &Address) -> bool {
        let Some(ip) = address.ip() else { return false };
        self.own.iter().flatten().any(|own| {
            let same_ip = own.ip() == ip || (own.ip().is_unspecified() && ip.is_loopback());
            own.port() == address.port && same_ip
        })
    }
}

/// Names are parts of file names and of header values.
fn unique_name(
    found: &Found<String>,
    names: &mut BTreeMap<String, String>,
    problems: &mut Problems,
) {
    let name = &found.value;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if name.len() > NAME_BYTES_MAX || name.starts_with(['.', '-']) || !name.bytes().all(fits) {
        let mend = "letters, digits, \".\", \"_\" and \"-\", at most 64, a letter or digit first";
        problems.add(&found.place, format!("{} does not fit a file name", quoted(name)), mend);
    }
    match names.get(name) {
        Some(first) => {
            let what = format!("{} is also the name of {first}", quoted(name));
            problems.add(&found.place, what, "give each its own name");
        }
        None => {
            let owner = found.place.path.trim_end_matches(".name");
            names.insert(name.clone(), owner.to_owned());
        }
    }
}
