//! What a question comes to, without asking anybody: who would answer, why these, and how their answers are merged.
//!
//! It goes the way of the question itself, through the same plans, so that it cannot say something else.

use super::choose::{Language, Wanted, no_speaker};
use super::flux_body::FluxRequest;
use super::merge::influxql::Way;
use super::plan::flux::{Merging, Wanted as Needed};
use super::plan::influxql::spread;
use super::plan::influxql::steps::{self, Step, Who};
use super::plan::{self, Plan, Refusal};
use crate::proto::influxql::{Params, Statement};
use crate::ring::{Naming, Target, Topology};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Rows in a piece: of no importance where nothing is asked.
const PIECE_ROWS: usize = 1;

/// A question, part by part. Lives on: whoever explains it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// `influxql` or `flux`.
    pub language: &'static str,
    pub parts: Vec<Part>,
}

/// A statement, or the whole text where one backend answers it as it came. Lives on: whoever explains it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub text: String,
    pub fate: Fate,
    /// A sentence without its full stop.
    pub why: String,
    /// For each circle that can answer, the places of its backends that are asked.
    pub circles: Vec<(u16, Vec<u16>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// One backend's answer is passed on, byte for byte.
    Forwarded,
    /// The answers of several backends of one circle become one.
    Merged,
    /// To every backend that it concerns, by way of the log.
    Logged,
    Refused,
}

impl Fate {
    pub fn word(self) -> &'static str {
        match self {
            Fate::Forwarded => "forwarded",
            Fate::Merged => "merged",
            Fate::Logged => "logged",
            Fate::Refused => "refused",
        }
    }
}

/// Where measurements live, and who answers there.
#[derive(Clone, Copy)]
pub struct Places<'a> {
    pub topology: &'a Topology,
    pub naming: &'a Naming,
    /// Whether a backend, by its place, can be asked in a language at all.
    pub can_be_asked: &'a dyn Fn(u16, Language) -> bool,
}

impl Places<'_> {
    /// Explains an InfluxQL text with what its request says beside it.
    pub fn influxql(
        self,
        text: &str,
        db: Option<&str>,
        rp: Option<&str>,
        params: &Params,
    ) -> Explained {
        let has_whole = self.topology.circles().iter().all(|circle| circle.backends.len() == 1);
        let whole = |fate, why: &str, circles| {
            vec![Part { text: text.to_owned(), fate, why: why.to_owned(), circles }]
        };
        let stepped = || match steps::steps(text, db, rp, self.naming, params) {
            Ok(steps) => steps.iter().map(|step| self.step(step)).collect(),
            Err(refusal) => whole(Fate::Refused, &refusal.to_string(), Vec::new()),
        };
        let mut parts: Vec<Part> = match plan::influxql::plan(text, db, rp, self.naming, params) {
            Ok(Plan::Owner { target, measurement }) => {
                let why = owner(&target, &measurement);
                let circles = self.needed(Wanted::Owners(&[(target, measurement)]));
                whole(Fate::Forwarded, &why, circles)
            }
            Ok(Plan::AnyBackend) => whole(Fate::Forwarded, ANYBODY, self.all()),
            Ok(Plan::WholeCircle { .. }) if has_whole => {
                let why = "the only backend of a circle has everything";
                whole(Fate::Forwarded, why, self.all())
            }
            Ok(Plan::WholeCircle { .. }) => stepped(),
            Ok(Plan::Everywhere { statements }) => {
                let part = |statement| self.beside_changes(statement, db, rp);
                statements.iter().flat_map(part).collect()
            }
            Err(Refusal::NotYet { what }) if what == plan::influxql::RENAMED => stepped(),
            Err(refusal) => whole(Fate::Refused, &refusal.to_string(), Vec::new()),
        };
        parts.iter_mut().for_each(|part| self.leave_out(part, Language::InfluxQl));
        Explained { language: "influxql", parts }
    }

    /// A statement of a text that changes something.
    fn beside_changes(
        self,
        statement: &Statement,
        db: Option<&str>,
        rp: Option<&str>,
    ) -> Vec<Part> {
        let text = statement.to_string();
        if matches!(
            statement,
            Statement::Select(_) | Statement::Explain { .. } | Statement::Show(_)
        ) {
            return self.influxql(&text, db, rp, &Params::default()).parts;
        }
        let why = "it changes what backends hold: it is kept in the log and sent, in order with the lines, to all \
                   whom it concerns";
        vec![Part { text, fate: Fate::Logged, why: why.to_owned(), circles: self.all() }]
    }

    fn step(self, step: &Step) -> Part {
        let text = step.statement.to_string();
        let (why, circles) = match &step.who {
            Who::Any => {
                let why = ANYBODY.to_owned();
                return Part { text, fate: Fate::Forwarded, why, circles: self.all() };
            }
            Who::Owners(owned) => (owners(owned), self.needed(Wanted::Owners(owned))),
            Who::Everything(targets) => {
                let wanted = Wanted::Everything(targets.first());
                ("what it reads is known to the backends only".to_owned(), self.needed(wanted))
            }
        };
        if circles.iter().all(|(_, slots)| slots.len() == 1) {
            return Part { text, fate: Fate::Forwarded, why, circles };
        }
        match spread::way(&step.statement, PIECE_ROWS) {
            Ok(way) => {
                let why = format!("{why}; {}", merged(&way));
                Part { text, fate: Fate::Merged, why, circles }
            }
            Err(refusal) => {
                Part { text, fate: Fate::Refused, why: refusal.to_string(), circles: Vec::new() }
            }
        }
    }

    /// Explains a Flux script; `org` is that of the URL.
    pub fn flux(self, request: &FluxRequest, org: Option<&str>) -> Explained {
        let part = match plan::flux::plan(request, org, self.naming) {
            Ok(plan::flux::Plan::Owner { target, measurement }) => {
                let why = owner(&target, &measurement);
                let circles = self.needed(Wanted::Owners(&[(target, measurement)]));
                (Fate::Forwarded, why, circles)
            }
            Ok(plan::flux::Plan::AnyBackend) => (Fate::Forwarded, ANYBODY.to_owned(), self.all()),
            Ok(plan::flux::Plan::Spread { wanted, merging }) => self.spread(&wanted, &merging),
            Err(refusal) => (Fate::Refused, refusal.to_string(), Vec::new()),
        };
        let (fate, why, circles) = part;
        let mut part = Part { text: request.query.clone(), fate, why, circles };
        self.leave_out(&mut part, Language::Flux);
        Explained { language: "flux", parts: vec![part] }
    }

    /// Leaves out the circles that cannot be asked.
    fn leave_out(self, part: &mut Part, language: Language) {
        if matches!(part.fate, Fate::Logged | Fate::Refused) {
            return;
        }
        let can_be_asked = |slot: &u16| (self.can_be_asked)(*slot, language);
        part.circles.retain(|(_, slots)| slots.iter().all(can_be_asked));
        if part.circles.is_empty() {
            part.fate = Fate::Refused;
            part.why = format!("{}; {}", part.why, no_speaker(language));
        }
    }

    fn spread(self, wanted: &Needed, merging: &Merging) -> (Fate, String, Vec<(u16, Vec<u16>)>) {
        let (why, circles) = match wanted {
            Needed::Owners(owned) => (owners(owned), self.needed(Wanted::Owners(owned))),
            Needed::Everything(target) => (
                "it does not say which measurements it reads".to_owned(),
                self.needed(Wanted::Everything(target.as_ref())),
            ),
        };
        let is_single = |(_, slots): &(u16, Vec<u16>)| slots.len() == 1;
        if circles.iter().all(is_single) {
            return (Fate::Forwarded, why, circles);
        }
        let how = match merging {
            Merging::Tables => "their tables are put side by side",
            Merging::Names(_) => "the set of all their names is the answer",
            Merging::Never { stage } => {
                let single: Vec<_> = circles.into_iter().filter(is_single).collect();
                let why = format!("{why}, and this needs all rows in one place: {stage}");
                let fate = if single.is_empty() { Fate::Refused } else { Fate::Forwarded };
                return (fate, why, single);
            }
        };
        (Fate::Merged, format!("{why}; {how}"), circles)
    }

    fn all(self) -> Vec<(u16, Vec<u16>)> {
        self.needed(Wanted::Everything(None))
    }

    fn needed(self, wanted: Wanted<'_>) -> Vec<(u16, Vec<u16>)> {
        let circles = (0_u16..).zip(self.topology.circles());
        circles
            .map(|(number, circle)| {
                let slots: BTreeSet<u16> = match wanted {
                    Wanted::Everything(_) => circle.backends.clone().collect(),
                    Wanted::Owners(owned) => owned
                        .iter()
                        .map(|(target, name)| {
                            self.topology.route(target, name)[usize::from(number)]
                        })
                        .collect(),
                };
                (number, slots.into_iter().collect())
            })
            .collect()
    }
}

const ANYBODY: &str = "it reads no measurement: any one backend knows the answer";

fn owner(target: &Target, measurement: &[u8]) -> String {
    let name = String::from_utf8_lossy(measurement);
    format!("measurement {name:?} of {:?} has one owner in each circle", target.bucket())
}

fn owners(owned: &[(Target, Vec<u8>)]) -> String {
    match owned {
        [(target, measurement)] => owner(target, measurement),
        _ => format!(
            "it reads {} measurements, each of which has one owner in a circle",
            owned.len()
        ),
    }
}

fn merged(way: &Way) -> &'static str {
    match way {
        Way::Side { .. } => "their series are put side by side, by name and tags",
        Way::Union => "their series are united",
        Way::Sum => "their counts are added up",
        Way::Rows { .. } => "their lists become one, and the limit is applied to that",
        Way::Equal => "all of them must say the same",
    }
}

impl Explained {
    /// For programs. `is_complete` says of a backend, by its place, whether it holds all that it should.
    pub fn json(&self, topology: &Topology, is_complete: Option<&dyn Fn(u16) -> bool>) -> Value {
        let backend = |slot: &u16| {
            let mut backend = json!({ "name": &*topology.backends()[usize::from(*slot)].name });
            if let Some(is_complete) = is_complete {
                backend["complete"] = json!(is_complete(*slot));
            }
            backend
        };
        let circle = |(number, slots): &(u16, Vec<u16>)| {
            json!({
                "circle": &*topology.circles()[usize::from(*number)].name,
                "backends": slots.iter().map(backend).collect::<Vec<_>>(),
            })
        };
        let part = |part: &Part| {
            json!({
                "text": part.text,
                "answer": part.fate.word(),
                "why": part.why,
                "circles": part.circles.iter().map(circle).collect::<Vec<_>>(),
            })
        };
        json!({
            "language": self.language,
            "parts": self.parts.iter().map(part).collect::<Vec<_>>(),
        })
    }

    /// For people.
    pub fn text(&self, topology: &Topology) -> String {
        let mut out = String::new();
        for part in &self.parts {
            out.push_str(&format!("{}\n  {}: {}\n", part.text.trim(), part.fate.word(), part.why));
            for (number, slots) in &part.circles {
                let name = |slot: &u16| &*topology.backends()[usize::from(*slot)].name;
                let names: Vec<&str> = slots.iter().map(name).collect();
                let circle = &topology.circles()[usize::from(*number)].name;
                out.push_str(&format!("  {circle}: {}\n", names.join(", ")));
            }
        }
        out
    }

    /// Nothing in it is refused.
    pub fn is_answered(&self) -> bool {
        self.parts.iter().all(|part| part.fate != Fate::Refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::{BackendPlan, CirclePlan, HashKey, Placement, Plan, ShardKey};

    fn topology(backends: &[usize]) -> Topology {
        let backend = |circle: usize, index: usize| BackendPlan {
            name: format!("b{circle}{index}"),
            url: format!("http://b{circle}{index}"),
        };
        let circle = |(number, count): (usize, &usize)| CirclePlan {
            name: format!("c{number}"),
            backends: (0..*count).map(|index| backend(number, index)).collect(),
        };
        Topology::new(&Plan {
            placement: Placement::Even,
            hash_key: HashKey::Index,
            shard_key: ShardKey::parse("%db,%mm").expect("a template"),
            circles: backends.iter().enumerate().map(circle).collect(),
        })
    }

    fn parts(backends: &[usize], text: &str) -> Vec<Part> {
        let (topology, naming) = (topology(backends), Naming::default());
        let places = Places { topology: &topology, naming: &naming, can_be_asked: &|_, _| true };
        places.influxql(text, Some("d"), None, &Params::default()).parts
    }

    fn flux(backends: &[usize], text: &str) -> Part {
        let (topology, naming) = (topology(backends), Naming::default());
        let places = Places { topology: &topology, naming: &naming, can_be_asked: &|_, _| true };
        let request = FluxRequest { query: text.to_owned(), ..FluxRequest::default() };
        places.flux(&request, None).parts.remove(0)
    }

    #[test]
    fn one_measurement_is_its_owners() {
        let part = &parts(&[4, 3], "SELECT v FROM m")[0];
        assert_eq!(part.fate, Fate::Forwarded);
        let counts: Vec<usize> = part.circles.iter().map(|(_, slots)| slots.len()).collect();
        assert_eq!(counts, [1, 1]);
        assert_eq!(part.why, "measurement \"m\" of \"d\" has one owner in each circle");
    }

    #[test]
    fn each_statement_of_a_text_has_its_own_fate() {
        let parts = parts(&[4, 3], "SHOW MEASUREMENTS; SELECT v FROM a; EXPLAIN SELECT v FROM /./");
        let fates: Vec<Fate> = parts.iter().map(|part| part.fate).collect();
        assert_eq!(fates, [Fate::Merged, Fate::Forwarded, Fate::Refused]);
        assert_eq!(parts[0].circles, [(0, vec![0, 1, 2, 3]), (1, vec![4, 5, 6])]);
        assert!(parts[2].why.contains("EXPLAIN tells of one backend"), "{}", parts[2].why);
    }

    #[test]
    fn a_circle_of_one_answers_what_others_cannot() {
        let text = "from(bucket: \"d\") |> range(start: 0) |> group() |> count()";
        let part = flux(&[4, 1], text);
        assert_eq!((part.fate, part.circles), (Fate::Forwarded, vec![(1, vec![4])]));
        let part = flux(&[4, 2], text);
        assert_eq!((part.fate, part.circles), (Fate::Refused, vec![]));
        assert!(part.why.contains("group()"), "{}", part.why);
    }

    #[test]
    fn what_changes_data_goes_by_way_of_the_log() {
        let parts_of = |text| parts(&[2, 2], text).into_iter().map(|part| part.fate);
        let fates: Vec<Fate> = parts_of("DROP MEASUREMENT m; SELECT v FROM n").collect();
        assert_eq!(fates, [Fate::Logged, Fate::Forwarded]);
        let part = &parts(&[2, 2], "SELEC v FROM m")[0];
        assert_eq!(part.fate, Fate::Refused);
        assert!(part.why.starts_with("error parsing query: found SELEC"), "{}", part.why);
    }
}
