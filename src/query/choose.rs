//! Which backend is asked first, and which then. Pure but for the board it reads.

use super::Query;
use super::plan::Refusal;
use crate::backend::Condition;
use crate::config::checked::Kind;
use crate::ring::Target;
use std::collections::BTreeSet;

/// What a question is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    InfluxQl,
    Flux,
}

/// A backend that can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Place in the list of backends.
    pub slot: u16,
    /// It holds everything that its circle should.
    pub is_complete: bool,
}

/// One circle's part in an answer. Lives on: the shard that asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Place in the list of circles.
    pub circle: u16,
    /// The backends to ask, rising.
    pub slots: Vec<u16>,
    /// Each of them holds everything that it should.
    pub is_complete: bool,
}

/// Whose answers make up the whole.
#[derive(Clone, Copy, Debug)]
pub enum Wanted<'a> {
    /// The owners of these measurements.
    Owners(&'a [(Target, Vec<u8>)]),
    /// All backends of a circle. The target, if there is one, is what is read.
    Everything(Option<&'a Target>),
}

impl Query {
    /// The circles that could answer, the best first. Each alone holds all that is wanted.
    pub fn circles(&self, wanted: Wanted<'_>, language: Language) -> Result<Vec<Choice>, Refusal> {
        let mut ranked: Vec<(u8, u64, Choice)> = Vec::new();
        for (circle, place) in (0_u16..).zip(self.topology.circles()) {
            let needed = self.needed(wanted, circle);
            let slots: BTreeSet<u16> = match wanted {
                Wanted::Owners(_) => needed.iter().map(|(slot, _)| *slot).collect(),
                Wanted::Everything(_) => place.backends.clone().collect(),
            };
            if slots.is_empty() || !slots.iter().all(|slot| self.can_be_asked(*slot, language)) {
                continue;
            }
            let standings = needed.iter().map(|(slot, target)| self.standing(*slot, *target));
            let worst = standings.max_by_key(|(rank, _)| *rank).unwrap_or((3, false));
            let choice =
                Choice { circle, slots: slots.into_iter().collect(), is_complete: worst.1 };
            ranked.push((worst.0, getrandom::u64().unwrap_or(0), choice));
        }
        if ranked.is_empty() {
            return Err(Refusal::CannotMerge { why: no_speaker(language).to_owned() });
        }
        ranked.sort_unstable_by_key(|(rank, turn, _)| (*rank, *turn));
        Ok(ranked.into_iter().map(|(_, _, choice)| choice).collect())
    }

    /// Which backends of a circle are needed, and for which target.
    fn needed<'a>(&self, wanted: Wanted<'a>, circle: u16) -> Vec<(u16, Option<&'a Target>)> {
        match wanted {
            Wanted::Owners(owned) => owned
                .iter()
                .map(|(target, measurement)| {
                    let owners = self.topology.route(target, measurement);
                    (owners[usize::from(circle)], Some(target))
                })
                .collect(),
            Wanted::Everything(target) => {
                let backends = self.topology.circles()[usize::from(circle)].backends.clone();
                backends.map(|slot| (slot, target)).collect()
            }
        }
    }

    pub(super) fn can_be_asked(&self, slot: u16, language: Language) -> bool {
        let place = &self.places[usize::from(slot)];
        speaks(place.kind, language) && !place.is_write_only()
    }

    /// The owners of a measurement, one for each circle, the best first.
    pub fn owners(
        &self,
        target: &Target,
        measurement: &[u8],
        language: Language,
    ) -> Result<Vec<Candidate>, Refusal> {
        let slots = self.topology.route(target, measurement);
        self.rank(slots.iter().copied(), Some(target), language)
    }

    /// All backends, the best first: for a question that reads no data.
    pub fn anybody(&self, language: Language) -> Result<Vec<Candidate>, Refusal> {
        let count = u16::try_from(self.places.len()).expect("far fewer backends");
        self.rank(0..count, None, language)
    }

    /// The only backends of circles that have one only.
    pub fn whole_circles(&self, what: &str, language: Language) -> Result<Vec<Candidate>, Refusal> {
        let single = self.topology.circles().iter().filter(|circle| circle.backends.len() == 1);
        let slots: Vec<u16> = single.map(|circle| circle.backends.start).collect();
        if slots.is_empty() {
            return Err(Refusal::not_yet(what));
        }
        self.rank(slots.into_iter(), None, language)
    }

    /// Whether each circle has one backend only, which then knows everything.
    pub fn has_whole_backends(&self) -> bool {
        self.topology.circles().iter().all(|circle| circle.backends.len() == 1)
    }

    fn rank(
        &self,
        slots: impl Iterator<Item = u16>,
        target: Option<&Target>,
        language: Language,
    ) -> Result<Vec<Candidate>, Refusal> {
        let slots: Vec<u16> = slots.filter(|slot| self.can_be_asked(*slot, language)).collect();
        if slots.is_empty() {
            return Err(Refusal::CannotMerge { why: no_speaker(language).to_owned() });
        }
        let mut ranked: Vec<(u8, u64, Candidate)> = slots
            .into_iter()
            .map(|slot| {
                let (rank, is_complete) = self.standing(slot, target);
                (rank, getrandom::u64().unwrap_or(0), Candidate { slot, is_complete })
            })
            .collect();
        ranked.sort_unstable_by_key(|(rank, turn, _)| (*rank, *turn));
        Ok(ranked.into_iter().map(|(_, _, candidate)| candidate).collect())
    }

    /// Whether a backend, by its place, holds all that it should.
    pub fn is_complete(&self, slot: u16) -> bool {
        self.standing(slot, None).1
    }

    /// 0 complete, 1 up, 2 not known, 3 down.
    fn standing(&self, slot: u16, target: Option<&Target>) -> (u8, bool) {
        let id = self.places[usize::from(slot)].id;
        let now = self.clock.unix().millis();
        let parked = &self.board.parked;
        let waits = target.is_some_and(|target| {
            !parked.is_empty() && parked.find(id, &target.to_tag()).is_some()
        });
        if self.board.is_complete(id, self.settings.get().stale_after, now) && !waits {
            return (0, true);
        }
        match self.board.condition(id) {
            Condition::Up => (1, false),
            Condition::Unknown => (2, false),
            Condition::Down => (3, false),
        }
    }
}

/// Whether a kind of backend answers in this language.
pub fn speaks(kind: Kind, language: Language) -> bool {
    match language {
        Language::InfluxQl => kind != Kind::LineProtocol,
        Language::Flux => matches!(kind, Kind::Influxdb2 | Kind::Embedded),
    }
}

pub(super) fn no_speaker(language: Language) -> &'static str {
    match language {
        Language::InfluxQl => "no backend that could be asked answers InfluxQL",
        Language::Flux => {
            "no backend that could be asked answers Flux; it takes `influxdb2` backends"
        }
    }
}
