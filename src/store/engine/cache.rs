//! Points of a window that are in no file yet.
//!
//! A row for each series: its points as words of memory, one behind the other, a time and then a value of each field
//! of the row's shape. So a line costs one search and one copy. A series whose lines change their shape is taken apart
//! into *strips*, one for each field; a field is always in one strip only, so its points are in the order of arrival,
//! and of two with one time the later wins.

use super::schema::{Fields, Shape};
use crate::store::table::Table;
use crate::store::value::{Column, FieldType, Values};
use crate::store::view::TimeRange;
use smallvec::{SmallVec, smallvec};
use std::sync::Arc;

/// Points of one shape.
#[derive(Debug)]
pub struct Strip {
    pub shape: Arc<Shape>,
    words: Vec<u64>,
    /// The newest point's time, here so that the next point reads no memory of the ones before.
    last_ns: i64,
    /// Times only grow.
    ordered: bool,
}

#[derive(Debug)]
pub struct Row {
    pub series: u32,
    /// One of any shape, or several of one field each.
    pub strips: SmallVec<[Strip; 1]>,
}

#[derive(Debug, Default)]
pub struct Cache {
    pub rows: Vec<Row>,
    by_series: Table,
    texts: Vec<u8>,
    bytes: u64,
    /// The number of the oldest entry of the log that has points here.
    pub oldest: Option<u64>,
    pub values: u64,
}

/// A row costs about so much besides its words: itself, its place in the table, the allocations.
const ROW_BYTES: u64 = 150;

/// A string as a word: where it begins in the texts, and how long it is.
const LEN_BITS: u32 = 20;

fn hash(series: u32) -> u64 {
    u64::from(series).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// Where a string lies in the texts beside the words.
pub fn string_word(start: usize, len: usize) -> u64 {
    debug_assert!(len < 1 << LEN_BITS, "longer than any line");
    ((start as u64) << LEN_BITS) | len as u64
}

fn string_of(word: u64, texts: &[u8]) -> &[u8] {
    &texts[(word >> LEN_BITS) as usize..][..(word & ((1 << LEN_BITS) - 1)) as usize]
}

impl Strip {
    fn new(shape: Arc<Shape>) -> Strip {
        Strip { shape, words: Vec::new(), last_ns: i64::MIN, ordered: true }
    }

    pub fn points(&self) -> impl Iterator<Item = &[u64]> {
        self.words.chunks_exact(self.shape.stride())
    }

    fn push(&mut self, words: &[u64]) {
        let time_ns = words[0] as i64;
        self.ordered &= time_ns > self.last_ns || self.words.is_empty();
        self.last_ns = time_ns;
        self.words.extend_from_slice(words);
    }

    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Appends the points of one field to the column, whose old contents go. Times ascend; the last of equal ones wins.
    pub fn column(&self, place: usize, range: TimeRange, texts: &[u8], column: &mut Column) {
        column.times.clear();
        let inside = |point: &&[u64]| {
            let time = point[0] as i64;
            range.min_ns <= time && time <= range.max_ns
        };
        let points = self.points().filter(inside);
        if self.ordered {
            column.times.extend(self.points().filter(inside).map(|point| point[0] as i64));
            let words = points.map(|point| point[1 + place]);
            fill(&mut column.values, self.shape.fields[place].kind, words, texts);
            return;
        }
        let mut pairs: Vec<(i64, u64)> =
            points.map(|point| (point[0] as i64, point[1 + place])).collect();
        pairs.sort_by_key(|(time, _)| *time);
        // Of equal times the last one stays.
        let mut kept: Vec<(i64, u64)> = Vec::with_capacity(pairs.len());
        for pair in pairs {
            match kept.last_mut() {
                Some(last) if last.0 == pair.0 => *last = pair,
                _ => kept.push(pair),
            }
        }
        column.times.extend(kept.iter().map(|(time, _)| *time));
        let words = kept.iter().map(|(_, word)| *word);
        fill(&mut column.values, self.shape.fields[place].kind, words, texts);
    }
}

fn fill(values: &mut Values, kind: FieldType, words: impl Iterator<Item = u64>, texts: &[u8]) {
    if values.kind() != kind {
        *values = Values::new(kind);
    }
    match values {
        Values::Float(values) => {
            values.clear();
            values.extend(words.map(f64::from_bits));
        }
        Values::Integer(values) => {
            values.clear();
            values.extend(words.map(|word| word as i64));
        }
        Values::Unsigned(values) => {
            values.clear();
            values.extend(words);
        }
        Values::Boolean(values) => {
            values.clear();
            values.extend(words.map(|word| word != 0));
        }
        Values::String(values) => {
            *values = Default::default();
            words.for_each(|word| values.push(string_of(word, texts)));
        }
    }
}

impl Cache {
    #[inline]
    fn find(&self, series: u32) -> Option<u32> {
        self.by_series.find(hash(series), |at| self.rows[at as usize].series == series)
    }

    /// Takes one point. `texts` is where its strings lie. Says whether the series is new here.
    #[inline]
    pub fn push(
        &mut self,
        series: u32,
        shape: &Arc<Shape>,
        words: &mut [u64],
        texts: &[u8],
        fields: &mut Fields,
    ) -> bool {
        if shape.has_strings {
            self.take_texts(shape, words, texts);
        }
        self.values += shape.fields.len() as u64;
        let Some(at) = self.find(series) else {
            let mut strip = Strip::new(shape.clone());
            strip.words.reserve_exact(words.len());
            strip.push(words);
            self.bytes += 8 * words.len() as u64;
            self.add_row(Row { series, strips: smallvec![strip] });
            return true;
        };
        let row = &mut self.rows[at as usize];
        match &mut row.strips[..] {
            [strip] if Arc::ptr_eq(&strip.shape, shape) => {
                strip.push(words);
                self.bytes += 8 * words.len() as u64;
            }
            _ => {
                let before = row.words();
                row.push_apart(shape, words, fields);
                self.bytes += 8 * (row.words() - before) as u64;
            }
        }
        false
    }

    fn add_row(&mut self, row: Row) {
        let at = u32::try_from(self.rows.len()).expect("rows are fewer than series");
        self.by_series.insert(hash(row.series), at);
        self.rows.push(row);
        self.bytes += ROW_BYTES;
    }

    /// Moves the strings of a point here.
    fn take_texts(&mut self, shape: &Shape, words: &mut [u64], texts: &[u8]) {
        for (place, field) in shape.fields.iter().enumerate() {
            if field.kind == FieldType::String {
                let text = string_of(words[1 + place], texts);
                words[1 + place] = string_word(self.texts.len(), text.len());
                self.texts.extend_from_slice(text);
                self.bytes += text.len() as u64;
            }
        }
    }

    /// Memory in use.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn texts(&self) -> &[u8] {
        &self.texts
    }

    pub fn contains(&self, series: u32) -> bool {
        self.find(series)
            .is_some_and(|at| self.rows[at as usize].strips.iter().any(|strip| !strip.is_empty()))
    }

    /// The points of one field, ascending, each time once. `None` where there are none.
    pub fn column(&self, series: u32, field: &str, range: TimeRange) -> Option<Column> {
        let row = &self.rows[self.find(series)? as usize];
        let found = row.strips.iter().find_map(|strip| Some((strip, strip.shape.place(field)?)));
        let (strip, place) = found?;
        let mut column = Column::new(strip.shape.fields[place].kind);
        strip.column(place, range, &self.texts, &mut column);
        (!column.is_empty()).then_some(column)
    }

    /// Removes the points of a series in a range.
    pub fn delete(&mut self, series: u32, range: TimeRange) {
        let Some(at) = self.find(series) else { return };
        for strip in &mut self.rows[at as usize].strips {
            let stride = strip.shape.stride();
            let before = strip.words.len();
            let mut kept = Vec::new();
            for point in strip.words.chunks_exact(stride) {
                let time = point[0] as i64;
                if time < range.min_ns || range.max_ns < time {
                    kept.extend_from_slice(point);
                }
            }
            self.bytes -= 8 * (before - kept.len()) as u64;
            strip.words = kept;
            if let Some(last) = strip.words.len().checked_sub(stride) {
                strip.last_ns = strip.words[last] as i64;
            }
        }
    }

    /// Takes out rows that have become empty.
    pub fn tidy(&mut self) {
        let before = self.rows.len();
        self.rows.retain(|row| row.strips.iter().any(|strip| !strip.is_empty()));
        if self.rows.len() < before {
            self.bytes -= (before - self.rows.len()) as u64 * ROW_BYTES;
            self.by_series = Table::default();
            for (at, row) in self.rows.iter().enumerate() {
                self.by_series.insert(hash(row.series), at as u32);
            }
        }
    }
}

impl Row {
    fn words(&self) -> usize {
        self.strips.iter().map(|strip| strip.words.len()).sum()
    }

    /// A point of another shape than before: from now on each field has a strip of its own.
    #[cold]
    fn push_apart(&mut self, shape: &Shape, words: &[u64], fields: &mut Fields) {
        if let [strip] = &self.strips[..]
            && strip.shape.fields.len() > 1
        {
            let whole = self.strips.pop().expect("there is one");
            for (place, number) in whole.shape.numbers.iter().enumerate() {
                let mut strip = Strip::new(fields.single(*number));
                (strip.ordered, strip.last_ns) = (whole.ordered, whole.last_ns);
                strip.words =
                    whole.points().flat_map(|point| [point[0], point[1 + place]]).collect();
                self.strips.push(strip);
            }
        }
        for (place, number) in shape.numbers.iter().enumerate() {
            let point = [words[0], words[1 + place]];
            match self.strips.iter_mut().find(|strip| strip.shape.numbers[0] == *number) {
                Some(strip) => strip.push(&point),
                None => {
                    let mut strip = Strip::new(fields.single(*number));
                    strip.push(&point);
                    self.strips.push(strip);
                }
            }
        }
    }
}
