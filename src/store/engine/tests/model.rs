//! Random lives of a store beside a map in memory: whatever happens in between, both hold the same points.

use super::ways::{all, create, open, write};
use crate::store::store::Store;
use crate::store::view::{Catalog, Change, SeriesId, TimeRange};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

#[derive(Clone, Debug)]
enum Step {
    /// Measurement, tag, fields as bits, time.
    Write(Vec<(u8, u8, u8, i64)>),
    /// A run of points, long enough for several blocks.
    Run(u8, i64, i64),
    Delete(u8, u8, i64, i64),
    DropMeasurement(u8),
    Flush,
    Tend,
    /// The process dies and another one starts on what it left.
    Die,
    Stop,
}

/// Three windows of a week and their edges.
const WEEK_NS: i64 = 7 * 24 * 3_600_000_000_000;
const MONDAY_NS: i64 = 4 * 24 * 3_600_000_000_000;

fn time() -> impl Strategy<Value = i64> {
    (0_i64..3, prop_oneof![0_i64..12, Just(WEEK_NS - 1), Just(5000_i64)])
        .prop_map(|(week, offset)| MONDAY_NS + week * WEEK_NS + offset)
}

fn step() -> impl Strategy<Value = Step> {
    let line = (0_u8..3, 0_u8..4, 1_u8..16, time());
    prop_oneof![
        6 => prop::collection::vec(line, 1..12).prop_map(Step::Write),
        1 => (0_u8..3, time(), 900_i64..2300).prop_map(|(m, at, n)| Step::Run(m, at, n)),
        2 => (0_u8..3, 0_u8..5, time(), time())
            .prop_map(|(m, tag, a, b)| Step::Delete(m, tag, a.min(b), a.max(b))),
        1 => (0_u8..3).prop_map(Step::DropMeasurement),
        3 => Just(Step::Flush),
        2 => Just(Step::Tend),
        2 => Just(Step::Die),
        1 => Just(Step::Stop),
    ]
}

/// By series key and field, then time.
type Model = BTreeMap<(String, String), BTreeMap<i64, String>>;

struct World<'a> {
    directory: &'a Path,
    store: Arc<Store>,
    model: Model,
    count: u32,
}

impl World<'_> {
    fn line(&mut self, m: u8, tag: u8, bits: u8, time: i64, body: &mut String) {
        self.count += 1;
        let key = if tag == 0 { format!("m{m}") } else { format!("m{m},t=v{tag}") };
        let n = self.count;
        let texts = [
            format!("{n}"),
            format!("{n}i"),
            format!("\"s{n}\""),
            format!("{}", n.is_multiple_of(2)),
        ];
        let fields: Vec<(String, String)> = (0..4)
            .filter(|bit| bits >> bit & 1 == 1)
            .map(|bit| (format!("f{bit}"), texts[bit].clone()))
            .collect();
        let written: Vec<String> =
            fields.iter().map(|(name, text)| format!("{name}={text}")).collect();
        body.push_str(&format!("{key} {} {time}\n", written.join(",")));
        for (name, text) in fields {
            self.model.entry((key.clone(), name)).or_default().insert(time, text);
        }
    }

    fn series(&self, m: u8, tag: u8) -> Vec<SeriesId> {
        let database = self.store.database("d").unwrap();
        let measurement = format!("m{m}");
        // Tag 4 stands for all series of the measurement.
        match tag {
            4 => database.series_ids(&measurement),
            tag => database.series_with(&measurement, "t", &format!("v{tag}")),
        }
    }

    fn forget(&mut self, keep: impl Fn(&str, i64) -> bool) {
        for ((key, _), points) in &mut self.model {
            points.retain(|time, _| keep(key, *time));
        }
        self.model.retain(|_, points| !points.is_empty());
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Write(lines) => {
                let mut body = String::new();
                for (m, tag, bits, time) in lines {
                    self.line(m, tag, bits, time, &mut body);
                }
                write(&self.store, &body);
            }
            Step::Run(m, at, count) => {
                let mut body = String::new();
                for offset in 0..count {
                    self.line(m, 1, 1, at + offset, &mut body);
                }
                write(&self.store, &body);
            }
            Step::Delete(m, tag, min_ns, max_ns) => {
                let series = self.series(m, tag);
                let range = TimeRange { min_ns, max_ns };
                let change = Change::Delete { database: "d".to_owned(), series, range };
                self.store.change(change).unwrap();
                let prefix = format!("m{m}");
                let exact = format!("m{m},t=v{tag}");
                self.forget(|key, time| {
                    let is_meant = if tag == 4 { key.starts_with(&prefix) } else { key == exact };
                    !is_meant || time < min_ns || max_ns < time
                });
            }
            Step::DropMeasurement(m) => {
                let measurement = format!("m{m}");
                self.forget(|key, _| !key.starts_with(&measurement));
                let change = Change::DropMeasurement { database: "d".to_owned(), measurement };
                self.store.change(change).unwrap();
            }
            Step::Flush => self.store.flush().unwrap(),
            Step::Tend => self.store.tend(),
            Step::Die => self.reopen(),
            Step::Stop => {
                self.store.stop().unwrap();
                self.reopen();
            }
        }
    }

    fn reopen(&mut self) {
        // The lock has to go before the next one comes.
        let elsewhere = tempfile::tempdir().unwrap();
        self.store = open(elsewhere.path());
        self.store = open(self.directory);
    }

    fn check(&self) {
        let mut wanted: Vec<String> = Vec::new();
        for ((key, field), points) in &self.model {
            wanted.extend(points.iter().map(|(time, text)| format!("{key} {field}={text} {time}")));
        }
        wanted.sort();
        assert_eq!(all(&self.store, "d"), wanted);
        let database = self.store.database("d").unwrap();
        let mut keys: Vec<&str> = self.model.keys().map(|(key, _)| &**key).collect();
        keys.dedup();
        let measurements = database.measurements();
        let mut known: Vec<String> = Vec::new();
        for measurement in measurements {
            for id in database.series_ids(&measurement) {
                known.push(String::from_utf8(database.series(id).key.to_vec()).unwrap());
            }
        }
        known.sort();
        assert_eq!(known, keys, "series");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
    #[test]
    fn a_store_holds_what_a_map_holds(steps in prop::collection::vec(step(), 1..25)) {
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path());
        create(&store, "d");
        let mut world = World { directory: directory.path(), store, model: Model::new(), count: 0 };
        for step in steps {
            world.run(step);
            world.check();
        }
    }
}
