//! Which series a database has: by key, by measurement, by tag. In memory only; built anew at every start.
//!
//! A series has a number that is never given twice: one that was forgotten and comes back gets a new one. So the lists
//! of series are sorted by growing at their ends, and a question that still holds an old number is not misled.

use super::lock::Mutex;
use super::point::{Tag, split_key};
use super::table::Table;
use super::value::Strings;
use super::view::{Series, SeriesId};
use crate::base::map::{FastMap, FastSet, FastState};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Series keys one behind the other, in pieces that never move.
#[derive(Debug, Default)]
struct Keys {
    pieces: Vec<Vec<u8>>,
    /// By number: where the key is, and how long.
    places: Vec<u64>,
}

/// A key of the largest length fits.
const PIECE_BYTES: usize = 1 << 20;

impl Keys {
    fn push(&mut self, key: &[u8]) {
        if self.pieces.last().is_none_or(|piece| piece.len() + key.len() > PIECE_BYTES) {
            // The first one may stay small.
            let room = if self.pieces.is_empty() { 0 } else { PIECE_BYTES };
            self.pieces.push(Vec::with_capacity(room));
        }
        let piece = self.pieces.len() - 1;
        let at = self.pieces[piece].len();
        self.pieces[piece].extend_from_slice(key);
        self.places.push(((piece * PIECE_BYTES + at) as u64) << 16 | key.len() as u64);
    }

    #[inline]
    fn get(&self, number: u32) -> &[u8] {
        let place = self.places[number as usize];
        let (at, len) = ((place >> 16) as usize, (place & 0xFFFF) as usize);
        &self.pieces[at / PIECE_BYTES][at % PIECE_BYTES..][..len]
    }
}

/// Series with one value of a tag, or of one measurement, by number. Most values have one series only.
#[derive(Debug)]
enum List {
    One(u32),
    Many(Vec<u32>),
}

impl List {
    fn push(&mut self, number: u32) {
        match self {
            List::One(first) => *self = List::Many(vec![*first, number]),
            List::Many(numbers) => numbers.push(number),
        }
    }

    fn numbers(&self) -> &[u32] {
        match self {
            List::One(number) => std::slice::from_ref(number),
            List::Many(numbers) => numbers,
        }
    }

    fn forget(&mut self, gone: &FastSet<u32>) {
        match self {
            List::One(number) if gone.contains(number) => *self = List::Many(Vec::new()),
            List::One(_) => {}
            List::Many(numbers) => numbers.retain(|number| !gone.contains(number)),
        }
    }
}

/// The values of one tag key of one measurement.
#[derive(Debug)]
struct TagKey {
    name: Arc<str>,
    texts: Strings,
    by_text: Table,
    /// By value; empty where all series of a value are forgotten.
    lists: Vec<List>,
}

#[derive(Debug)]
struct Measurement {
    name: Arc<str>,
    series: Vec<u32>,
    tags: Vec<TagKey>,
}

impl Measurement {
    fn tag(&self, key: &str) -> Option<&TagKey> {
        self.tags.iter().find(|tag| *tag.name == *key)
    }
}

/// A series of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    pub series: u32,
    pub measurement: u32,
}

/// A series that may not be added, in InfluxDB's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitReached(pub String);

/// What InfluxDB's limits are here; 0 is none.
#[derive(Clone, Copy, Debug, Default)]
pub struct IndexLimits {
    pub series_max: usize,
    pub values_per_tag_max: usize,
}

#[derive(Debug, Default)]
pub struct Index {
    hasher: FastState,
    keys: Keys,
    by_key: Table,
    /// By series: its measurement.
    measurement_of: Vec<u32>,
    measurements: Vec<Measurement>,
    by_name: FastMap<Arc<str>, u32>,
    /// Spellings of keys that differ from the keys in files. Forgotten when there are too many.
    spellings: Mutex<FastMap<Box<[u8]>, u32>>,
    limits: IndexLimits,
}

/// Spellings kept.
const SPELLINGS_MAX: usize = 200_000;

fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

impl Index {
    pub fn new(limits: IndexLimits) -> Index {
        Index { limits, ..Index::default() }
    }

    /// The series of this key, as files have it.
    #[inline]
    pub fn find(&self, key: &[u8]) -> Option<Found> {
        let hash = self.hasher.hash_one(key);
        let series = self.by_key.find(hash, |number| self.keys.get(number) == key)?;
        Some(Found { series, measurement: self.measurement_of[series as usize] })
    }

    /// The series of a key that is spelled in another way than in files.
    pub fn find_spelling(&self, spelled: &[u8]) -> Option<Found> {
        let series = self.spellings.lock().get(spelled).copied()?;
        Some(Found { series, measurement: self.measurement_of[series as usize] })
    }

    pub fn learn_spelling(&self, spelled: &[u8], found: Found) {
        let mut spellings = self.spellings.lock();
        if spellings.len() >= SPELLINGS_MAX {
            spellings.clear();
        }
        spellings.insert(spelled.into(), found.series);
    }

    /// Adds what [`Index::find`] has not found, if the limits let it in.
    pub fn add(&mut self, key: &[u8]) -> Result<Found, LimitReached> {
        let series_max = self.limits.series_max;
        if series_max > 0 && self.by_key.len() >= series_max {
            let reason = format!("max-series-per-database limit exceeded: ({series_max})");
            return Err(LimitReached(reason));
        }
        let (measurement, tags) = split_key(key);
        let measurement = text(&measurement);
        self.check_values(&measurement, &tags)?;
        Ok(self.insert(key, &measurement, &tags))
    }

    /// Adds what is in files: limits do not take it away.
    pub fn restore(&mut self, key: &[u8]) -> Found {
        let (measurement, tags) = split_key(key);
        self.insert(key, &text(&measurement), &tags)
    }

    fn check_values(&self, measurement: &str, tags: &[Tag<'_>]) -> Result<(), LimitReached> {
        let max = self.limits.values_per_tag_max;
        let Some(known) = self.by_name.get(measurement) else { return Ok(()) };
        let known = &self.measurements[*known as usize];
        for (key, value) in tags.iter().filter(|_| max > 0) {
            let (key, value) = (text(key), text(value));
            let Some(tag) = known.tag(&key) else { continue };
            let count = tag.by_text.len();
            if count >= max && tag.find(&self.hasher, &value).is_none() {
                return Err(LimitReached(format!(
                    "max-values-per-tag limit exceeded ({count}/{max}): \
                     measurement={measurement:?} tag={key:?} value={value:?}"
                )));
            }
        }
        Ok(())
    }

    fn insert(&mut self, key: &[u8], measurement: &str, tags: &[Tag<'_>]) -> Found {
        let series = u32::try_from(self.keys.places.len()).expect("four thousand million series");
        self.keys.push(key);
        self.by_key.insert(self.hasher.hash_one(key), series);
        let number = self.measurement(measurement);
        self.measurement_of.push(number);
        let Index { measurements, hasher, .. } = self;
        let known = &mut measurements[number as usize];
        known.series.push(series);
        for (key, value) in tags {
            let (key, value) = (text(key), text(value));
            let at = match known.tags.binary_search_by(|tag| (*tag.name).cmp(&key)) {
                Ok(at) => at,
                Err(at) => {
                    known.tags.insert(at, TagKey::new(&key));
                    at
                }
            };
            known.tags[at].add(hasher, &value, series);
        }
        Found { series, measurement: number }
    }

    /// The number of a measurement; a new one where it has none.
    fn measurement(&mut self, name: &str) -> u32 {
        if let Some(number) = self.by_name.get(name) {
            return *number;
        }
        let number = u32::try_from(self.measurements.len()).expect("fewer than series");
        let name: Arc<str> = name.into();
        self.by_name.insert(name.clone(), number);
        self.measurements.push(Measurement { name, series: Vec::new(), tags: Vec::new() });
        number
    }

    /// Takes series out of all lists. Their keys stay, for those who still hold their numbers.
    pub fn forget(&mut self, gone: &FastSet<u32>) {
        self.spellings.lock().clear();
        let mut touched: BTreeSet<u32> = BTreeSet::new();
        let mut values: FastSet<(u32, usize, u32)> = FastSet::default();
        for &series in gone {
            let measurement = self.measurement_of[series as usize];
            touched.insert(measurement);
            let key = self.keys.get(series);
            self.by_key.remove(self.hasher.hash_one(key), series);
            let known = &self.measurements[measurement as usize];
            for (key, value) in split_key(key).1 {
                let key = text(&key);
                let Some(at) = known.tags.iter().position(|tag| *tag.name == *key) else {
                    continue;
                };
                let value = known.tags[at].find(&self.hasher, &text(&value));
                values.extend(value.map(|value| (measurement, at, value)));
            }
        }
        for (measurement, at, value) in values {
            let tag = &mut self.measurements[measurement as usize].tags[at];
            tag.lists[value as usize].forget(gone);
            if tag.lists[value as usize].numbers().is_empty() {
                let hash = self.hasher.hash_one(tag.texts.get(value as usize));
                tag.by_text.remove(hash, value);
            }
        }
        for measurement in touched {
            let known = &mut self.measurements[measurement as usize];
            known.series.retain(|series| !gone.contains(series));
            known.tags.retain(|tag| !tag.by_text.is_empty());
        }
    }

    /// Whether a number is that of a series which is not forgotten.
    pub fn is_there(&self, series: u32) -> bool {
        let is_known = (series as usize) < self.measurement_of.len();
        is_known && self.find(self.keys.get(series)).is_some_and(|found| found.series == series)
    }

    /// Series that are there.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// # Panics
    /// If that number was never given.
    pub fn key(&self, series: u32) -> &[u8] {
        self.keys.get(series)
    }

    pub fn measurement_of(&self, series: u32) -> u32 {
        self.measurement_of[series as usize]
    }

    pub fn measurement_name(&self, measurement: u32) -> &Arc<str> {
        &self.measurements[measurement as usize].name
    }

    pub fn measurement_number(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    /// Those with a series, sorted.
    pub fn measurements(&self) -> Vec<Arc<str>> {
        let there = self.measurements.iter().filter(|one| !one.series.is_empty());
        let mut names: Vec<Arc<str>> = there.map(|one| one.name.clone()).collect();
        names.sort_unstable();
        names
    }

    fn named(&self, measurement: &str) -> Option<&Measurement> {
        Some(&self.measurements[*self.by_name.get(measurement)? as usize])
    }

    /// Sorted.
    pub fn tag_keys(&self, measurement: &str) -> Vec<Arc<str>> {
        let Some(known) = self.named(measurement) else { return Vec::new() };
        known.tags.iter().map(|tag| tag.name.clone()).collect()
    }

    /// Sorted.
    pub fn tag_values(&self, measurement: &str, key: &str) -> Vec<Arc<str>> {
        let tag = self.named(measurement).and_then(|known| known.tag(key));
        let Some(tag) = tag else { return Vec::new() };
        let there = (0..tag.lists.len()).filter(|at| !tag.lists[*at].numbers().is_empty());
        let mut values: Vec<&[u8]> = there.map(|at| tag.texts.get(at)).collect();
        values.sort_unstable();
        values.into_iter().map(|value| Arc::from(text(value))).collect()
    }

    /// Sorted by number.
    pub fn series_of(&self, measurement: &str) -> &[u32] {
        self.named(measurement).map_or(&[], |known| &known.series)
    }

    /// Sorted by number.
    pub fn series_with(&self, measurement: &str, key: &str, value: &str) -> &[u32] {
        let tag = self.named(measurement).and_then(|known| known.tag(key));
        let Some(tag) = tag else { return &[] };
        match tag.find(&self.hasher, value) {
            Some(at) => tag.lists[at as usize].numbers(),
            None => &[],
        }
    }

    /// # Panics
    /// If that number was never given.
    pub fn series(&self, series: u32) -> Series {
        let key = self.keys.get(series);
        let known = &self.measurements[self.measurement_of[series as usize] as usize];
        let (_, tags) = split_key(key);
        let name = |key: &str| known.tag(key).map_or_else(|| key.into(), |tag| tag.name.clone());
        Series {
            id: SeriesId(series),
            key: key.into(),
            measurement: known.name.clone(),
            tags: tags.iter().map(|(key, value)| (name(&text(key)), text(value).into())).collect(),
        }
    }
}

impl TagKey {
    fn new(name: &str) -> TagKey {
        TagKey {
            name: name.into(),
            texts: Strings::default(),
            by_text: Table::default(),
            lists: Vec::new(),
        }
    }

    fn find(&self, hasher: &FastState, value: &str) -> Option<u32> {
        let hash = hasher.hash_one(value.as_bytes());
        self.by_text.find(hash, |at| self.texts.get(at as usize) == value.as_bytes())
    }

    fn add(&mut self, hasher: &FastState, value: &str, series: u32) {
        match self.find(hasher, value) {
            Some(at) => {
                let list = &mut self.lists[at as usize];
                // A tag that stands twice in a foreign key.
                if list.numbers().last() != Some(&series) {
                    list.push(series);
                }
            }
            None => {
                let at = u32::try_from(self.lists.len()).expect("fewer than series");
                self.by_text.insert(hasher.hash_one(value.as_bytes()), at);
                self.texts.push(value.as_bytes());
                self.lists.push(List::One(series));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[Arc<str>]) -> Vec<&str> {
        list.iter().map(|name| &**name).collect()
    }

    #[test]
    fn what_is_forgotten_is_in_no_list_and_comes_back_with_a_new_number() {
        let mut index = Index::default();
        let keys: [&[u8]; 4] =
            [b"cpu,host=a,region=eu", b"cpu,host=b,region=eu", b"mem,host=a", b"up"];
        let numbers: Vec<u32> = keys.iter().map(|key| index.add(key).unwrap().series).collect();
        assert_eq!(numbers, [0, 1, 2, 3]);
        assert_eq!(names(&index.measurements()), ["cpu", "mem", "up"]);
        assert_eq!(index.series_with("cpu", "region", "eu"), [0, 1]);
        assert_eq!(names(&index.tag_values("cpu", "host")), ["a", "b"]);
        index.forget(&FastSet::from_iter([1, 2]));
        assert_eq!(names(&index.measurements()), ["cpu", "up"]);
        assert_eq!(index.series_with("cpu", "region", "eu"), [0]);
        assert_eq!(names(&index.tag_values("cpu", "host")), ["a"]);
        assert!(index.tag_keys("mem").is_empty());
        assert_eq!(index.find(keys[1]), None);
        assert_eq!(&*index.series(1).key, keys[1]);
        assert_eq!(index.add(keys[1]).unwrap().series, 4);
        assert_eq!(index.series_with("cpu", "host", "b"), [4]);
        assert_eq!(index.series_of("cpu"), [0, 4]);
        assert_eq!(index.len(), 3);
    }

    #[test]
    fn limits_speak_as_influxd_does() {
        let mut index = Index::new(IndexLimits { series_max: 3, values_per_tag_max: 2 });
        index.add(b"cpu,host=a").unwrap();
        index.add(b"cpu,host=b").unwrap();
        let refused = index.add(b"cpu,host=c").unwrap_err();
        let wanted =
            r#"max-values-per-tag limit exceeded (2/2): measurement="cpu" tag="host" value="c""#;
        assert_eq!(refused.0, wanted);
        index.add(b"cpu,host=a,x=1").unwrap();
        let refused = index.add(b"mem").unwrap_err();
        assert_eq!(refused.0, "max-series-per-database limit exceeded: (3)");
    }
}
