//! `GET /-/tap`: a sample of the lines that pass, for as long as the client reads.

use super::answer::{self, Answer, Body, Voice};
use super::auth::Grant;
use super::front::Settings;
use super::gateway::Gateway;
use super::query::Reply;
use crate::backend::tap::{Tap, Wish};
use crate::backend::{Board, Cancel};
use crate::base::current::Current;
use crate::config::token::{Extent, Need};
use crate::proto::http::params::Params;
use crate::ring::Naming;
use crate::rt::sleep;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::time::Duration;

const RATE_DEFAULT: u64 = 10;
const RATE_MAX: u64 = 1000;

/// How often it is looked whether there are lines, and whether the client is still there.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// After so many looks without lines an empty comment is sent, so that everybody between knows that this lives.
const QUIET_LOOKS_MAX: u32 = 10;

/// The lines on their way to one client. Lives on: the shard of its connection.
pub struct Flow {
    board: Arc<Board>,
    tap: Arc<Tap>,
    lines: Receiver<Vec<u8>>,
    settings: Rc<Current<Settings>>,
    grant: Grant,
    asker: Cancel,
    /// Told first.
    title: Option<String>,
}

pub fn handle(
    gateway: &Gateway,
    voice: Voice,
    grant: &Grant,
    params: &Params,
    asker: &Cancel,
) -> Reply {
    match open(gateway, voice, grant, params, asker) {
        Ok(flow) => {
            let kind = ("Content-Type".to_owned(), "text/plain; charset=utf-8".to_owned());
            Reply::Streamed { status: 200, fields: vec![kind], body: Body::Lines(Box::new(flow)) }
        }
        Err(answer) => Reply::Whole(answer),
    }
}

fn open(
    gateway: &Gateway,
    voice: Voice,
    grant: &Grant,
    params: &Params,
    asker: &Cancel,
) -> Result<Flow, Answer> {
    let wish = wish(&gateway.settings.get().naming, params)
        .map_err(|problem| answer::invalid(voice, &problem))?;
    // Who may look after the gateway may not for that reason see what is in it.
    if !grant.allows(&Need::Read(wish.extent.clone())) {
        let text = format!("{} may not read {:?}", grant.name(), wish.extent.to_string());
        return Err(answer::forbidden(voice, &text));
    }
    let title = format!("# at most {} lines a second of {}\n", wish.lines_per_second, wish.extent);
    let board = gateway.ingest.facts.board.clone();
    let Some((tap, lines)) = board.taps.open(wish) else {
        let why = "too many look at what passes";
        return Err(answer::unavailable(voice, why, answer::RETRY_AFTER_S));
    };
    let (settings, grant) = (gateway.settings.clone(), grant.clone());
    Ok(Flow { board, tap, lines, settings, grant, asker: asker.clone(), title: Some(title) })
}

fn wish(naming: &Naming, params: &Params) -> Result<Wish, String> {
    let given = |key: &str| params.get(key).filter(|value| !value.is_empty());
    let extent = match (given("bucket"), given("db")) {
        (Some(bucket), _) => Extent::from(&naming.v2(given("org"), bucket)),
        (None, Some(database)) => match given("rp") {
            Some(policy) => Extent::from(&naming.v1(database, Some(policy))),
            None => Extent::whole(&naming.v1(database, None).database),
        },
        (None, None) => return Err("db or bucket is missing: name one".to_owned()),
    };
    let rate = given("rate").map_or(Some(RATE_DEFAULT), |text| text.parse().ok());
    let rate = rate.filter(|rate| (1..=RATE_MAX).contains(rate));
    let lines_per_second = rate.ok_or_else(|| format!("rate is 1 to {RATE_MAX} lines a second"))?;
    let measurement = given("measurement").map(|name| name.as_bytes().to_vec());
    Ok(Wish { extent, measurement, lines_per_second })
}

impl Flow {
    /// It has no end of its own, so somebody has to look: the client has gone, the gateway stops, or a reload has
    /// taken the right to it away.
    fn is_over(&self) -> bool {
        self.asker.is_over()
            || self.board.draining.load(Ordering::Relaxed)
            || !self.grant.holds(&self.settings.get().auth)
    }

    /// The next lines; `None` when it is over.
    pub async fn next(&mut self) -> Option<Vec<u8>> {
        if let Some(title) = self.title.take() {
            return Some(title.into_bytes());
        }
        for _ in 0..QUIET_LOOKS_MAX {
            if self.is_over() {
                return None;
            }
            let lines: Vec<u8> = self.lines.try_iter().flatten().collect();
            if !lines.is_empty() {
                return Some(lines);
            }
            sleep(LOOK_EVERY).await;
        }
        Some(b"#\n".to_vec())
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.board.taps.close(&self.tap);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_has_limits() {
        let naming = Naming::new("default", &[]);
        let of = |query: &str| wish(&naming, &Params::parse(query.as_bytes()));
        let whole = of("db=d").unwrap();
        assert_eq!(whole.extent, Extent::whole("d"));
        assert_eq!((whole.lines_per_second, whole.measurement), (10, None));
        assert_eq!(of("db=d&rp=weekly").unwrap().extent, Extent::parse("d/weekly"));
        assert_eq!(of("bucket=d/weekly&rate=1000").unwrap().extent, Extent::parse("d/weekly"));
        assert_eq!(of("db=d&measurement=a%20b").unwrap().measurement, Some(b"a b".to_vec()));
        for wrong in ["", "db=", "db=d&rate=0", "db=d&rate=1001", "db=d&rate=-1", "db=d&rate=x"] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }
}
