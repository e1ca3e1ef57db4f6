//! The way of a request: check all lines, append to the log, fill the caches, wait for the disk.
//!
//! One thread at a time is in here for a database; only the wait is shared. So the log has the order of the caches.

use super::batch::{self, Entry, Incoming, Part, Unfit};
use super::database::Database;
use super::schema::Schema;
use super::shared::Shared;
use super::window::Window;
use crate::base::map::FastSet;
use crate::proto::line::{Line, LineError, Lines, Rules};
use crate::store::index::{Found, Index, LimitReached};
use crate::store::log::{Kind, LogError};
use crate::store::meta::Group;
use crate::store::point::{SEPARATOR, canonical_key, key_end};
use crate::store::store::{WriteError, WriteRequest};
use crate::store::view::{Policy, WindowInfo};
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A window among those that the writer knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(pub usize);

pub struct Open {
    pub window: Arc<Window>,
    pub schema: Schema,
}

#[derive(Default)]
pub struct Writer {
    pub open: Vec<Open>,
    /// Memory of the last request, to be used again.
    spare: Vec<Part>,
    key: Vec<u8>,
}

/// Text about bad lines that an answer carries, in bytes.
const TEXTS_BYTES_MAX: usize = 64 * 1024;

/// Memory of a request that is kept for the next one, in words.
const SPARE_WORDS_MAX: usize = 2 << 20;

/// What has become of the lines of a request.
#[derive(Default)]
pub struct Checked {
    parts: Vec<Part>,
    unparsable: String,
    /// What was wrong with the first point that is not stored.
    reason: Option<String>,
    dropped: u64,
    beyond_retention: u64,
    new_conflict: bool,
    points: u64,
    /// The body can go to the log as it is.
    is_verbatim: bool,
    new_series: Vec<u32>,
}

impl Checked {
    fn refuse(&mut self, error: LineError<'_>, all_or_nothing: bool) {
        self.is_verbatim = false;
        let error = if all_or_nothing { error.v2() } else { error };
        if error.dropped() {
            self.drop_point(&error.to_string());
        } else if self.unparsable.len() < TEXTS_BYTES_MAX {
            let gap = if self.unparsable.is_empty() { "" } else { "\n" };
            write!(self.unparsable, "{gap}{error}").expect("a string takes all");
        }
    }

    fn drop_point(&mut self, reason: &str) {
        self.is_verbatim = false;
        self.dropped += 1;
        if self.reason.is_none() {
            self.reason = Some(reason.to_owned());
        }
    }

    /// What to say when all that is good is stored.
    fn outcome(&self) -> Result<(), WriteError> {
        let partial =
            |reason: &str, dropped| Err(WriteError::Partial { reason: reason.to_owned(), dropped });
        match &self.reason {
            _ if self.new_conflict => Err(WriteError::FieldTypeConflict),
            Some(reason) => partial(reason, self.dropped),
            None if self.beyond_retention > 0 => {
                partial("points beyond retention policy", self.beyond_retention)
            }
            None if self.unparsable.is_empty() => Ok(()),
            None if self.points == 0 => Err(WriteError::Unparsable(self.unparsable.clone())),
            None => partial(&self.unparsable, 0),
        }
    }
}

/// How a request is read.
pub struct Reading<'a> {
    pub body: &'a [u8],
    pub rules: Rules,
    pub all_or_nothing: bool,
    /// For lines without a time.
    pub now_ns: i64,
    /// Older points are not stored, unless their window is there.
    pub oldest_ns: i64,
    /// Whether new series may be refused.
    pub has_limits: bool,
    pub policy: &'a Policy,
}

impl Database {
    pub fn write(&self, shared: &Shared, request: &WriteRequest<'_>) -> Result<(), WriteError> {
        let outcome = self.try_write(shared, request);
        match &outcome {
            Err(WriteError::Partial { dropped, .. }) => {
                shared.counters.points_dropped.add(*dropped)
            }
            Err(error) if error.is_transient() => shared.counters.writes_failed.add(1),
            _ => {}
        }
        outcome
    }

    fn try_write(&self, shared: &Shared, request: &WriteRequest<'_>) -> Result<(), WriteError> {
        check_room(shared, request)?;
        let rules = Rules {
            precision: request.precision,
            unsigned: request.unsigned,
            nul_tag_key: !request.all_or_nothing,
        };
        let mut writer = self.writer.lock();
        if shared.is_stopped.load(Ordering::Relaxed) {
            return Err(WriteError::Stopped);
        }
        let policy = self.policies.read().find(request.policy).cloned();
        let Some(policy) = policy else {
            drop(writer);
            let policies = self.policies.read();
            if policies.default.is_empty() && policies.list.is_empty() {
                // It has been dropped since it was found.
                return Err(WriteError::DatabaseNotFound(self.name.clone()));
            }
            return Err(self.without_policy(request, rules));
        };
        let factor = request.precision.factor();
        let oldest = request.now_ns.saturating_sub(policy.duration_ns);
        let reading = Reading {
            body: request.body,
            rules,
            all_or_nothing: request.all_or_nothing,
            now_ns: request.now_ns - request.now_ns.rem_euclid(factor),
            oldest_ns: if policy.duration_ns == 0 { i64::MIN } else { oldest },
            has_limits: true,
            policy: &policy,
        };
        let mut checked = self.check(shared, &mut writer, &reading)?;
        if request.all_or_nothing && !checked.unparsable.is_empty() {
            writer.take_back(&mut checked);
            self.forget_unused(&mut checked);
            return Err(WriteError::Unparsable(checked.unparsable));
        }
        if checked.new_conflict && !request.all_or_nothing {
            writer.take_back(&mut checked);
        }
        self.forget_unused(&mut checked);
        let (points, values) = (checked.points, count_values(&checked));
        let sequence = self.commit(shared, &mut writer, &reading, &mut checked);
        drop(writer);
        if let Some(sequence) = sequence {
            shared.log.wait(sequence).map_err(refused)?;
            shared.counters.points_written.add(points);
            shared.counters.values_written.add(values);
        }
        checked.outcome()
    }

    /// What InfluxDB says of a policy that is not there comes after what it says of lines.
    fn without_policy(&self, request: &WriteRequest<'_>, rules: Rules) -> WriteError {
        let mut checked = Checked::default();
        for line in Lines::new(request.body, rules) {
            match line {
                Ok(_) => checked.points += 1,
                Err(error) => checked.refuse(error, request.all_or_nothing),
            }
        }
        let is_bad = checked.points == 0 || request.all_or_nothing;
        if is_bad && !checked.unparsable.is_empty() {
            return WriteError::Unparsable(checked.unparsable);
        }
        WriteError::PolicyNotFound(request.policy.unwrap_or_default().to_owned())
    }

    /// Reads and checks all lines. Series, fields and windows that are new are made.
    pub fn check(
        &self,
        shared: &Shared,
        writer: &mut Writer,
        reading: &Reading<'_>,
    ) -> Result<Checked, WriteError> {
        let mut checked =
            Checked { is_verbatim: reading.rules.precision.factor() == 1, ..Checked::default() };
        let mut index = self.index.read();
        let mut current = Current::default();
        for line in Lines::new(reading.body, reading.rules) {
            let line = match line {
                Ok(line) => line,
                Err(error) => {
                    checked.refuse(error, reading.all_or_nothing);
                    continue;
                }
            };
            checked.is_verbatim &= line.time.is_some();
            let time_ns = line.time.map_or(reading.now_ns, |time| time.0);
            let key = &line.head[..key_end(&line)];
            let found = match index.find(key) {
                Some(found) => found,
                None => {
                    drop(index);
                    let found = self.unknown(writer, &mut checked, reading, &line, key);
                    index = self.index.read();
                    match found {
                        Ok(found) => found,
                        Err(LimitReached(reason)) => {
                            checked.drop_point(&reason);
                            continue;
                        }
                    }
                }
            };
            if !current.contains(time_ns) {
                match self.turn_to(shared, writer, &index, &mut checked, reading, time_ns)? {
                    Some(found) => current = found,
                    None => {
                        checked.is_verbatim = false;
                        checked.beyond_retention += 1;
                        continue;
                    }
                }
            }
            take(writer, &mut checked, &current, &index, reading, &line, found, time_ns, key.len());
        }
        Ok(checked)
    }

    /// A series that is new, or spelled in another way than files have it.
    #[inline(never)]
    fn unknown(
        &self,
        writer: &mut Writer,
        checked: &mut Checked,
        reading: &Reading<'_>,
        line: &Line<'_>,
        spelled: &[u8],
    ) -> Result<Found, LimitReached> {
        let mut index = self.index.write();
        if let Some(found) = index.find_spelling(spelled) {
            return Ok(found);
        }
        let key = &mut writer.key;
        key.clear();
        canonical_key(line, key);
        let found = match index.find(key) {
            Some(found) => found,
            None if !reading.has_limits => index.restore(key),
            None if memchr::memmem::find(key, SEPARATOR).is_some() => {
                let reason = "the series key contains #!~#, which parts keys and fields in files";
                return Err(LimitReached(reason.to_owned()));
            }
            None => {
                let found = index.add(key)?;
                checked.new_series.push(found.series);
                found
            }
        };
        if *key != spelled {
            index.learn_spelling(spelled, found);
        }
        Ok(found)
    }

    /// The part for points of this time. `None`: they are beyond retention.
    #[inline(never)]
    fn turn_to(
        &self,
        shared: &Shared,
        writer: &mut Writer,
        index: &Index,
        checked: &mut Checked,
        reading: &Reading<'_>,
        time_ns: i64,
    ) -> Result<Option<Current>, WriteError> {
        let policy = reading.policy;
        let window = match self.window_at(&policy.name, time_ns) {
            Some(window) => window,
            None if time_ns < reading.oldest_ns => return Ok(None),
            None => self.make_window(shared, policy, time_ns)?,
        };
        let WindowInfo { id, start_ns, end_ns, .. } = window.info;
        let place = writer.place(&window, index);
        let known = checked.parts.iter().position(|part| part.place == place);
        let part = known.unwrap_or_else(|| {
            let mut part = writer.spare.pop().unwrap_or_else(|| Part::new(place));
            part.place = place;
            checked.parts.push(part);
            checked.parts.len() - 1
        });
        checked.is_verbatim &= checked.parts.len() == 1;
        debug_assert!(id > 0, "numbers count from 1");
        Ok(Some(Current { part, place: place.0, start_ns, end_ns }))
    }

    fn make_window(
        &self,
        shared: &Shared,
        policy: &Policy,
        time_ns: i64,
    ) -> Result<Arc<Window>, WriteError> {
        let (mut start_ns, mut end_ns) = Group::bounds(time_ns, policy.window_ns);
        for other in self.all_windows().iter().filter(|other| other.info.policy == policy.name) {
            // Windows of another length may lie in the way.
            let (other_start_ns, other_end_ns) = (other.info.start_ns, other.info.end_ns);
            if other_end_ns <= time_ns && (other_end_ns > start_ns || start_ns > end_ns) {
                start_ns = other_end_ns;
            } else if other_start_ns > time_ns {
                end_ns = end_ns.min(other_start_ns);
            }
        }
        let bounds = (start_ns, end_ns);
        let made = shared.catalogue.lock().add_window(&self.name, &policy.name, bounds);
        let info = made.map_err(|error| refused(LogError::from(error)))?;
        Ok(self.add_window(shared, info))
    }

    /// Series that came with lines of which none is stored.
    fn forget_unused(&self, checked: &mut Checked) {
        if checked.new_series.is_empty() || checked.is_verbatim {
            return;
        }
        let used: FastSet<u32> =
            checked.parts.iter().flat_map(|part| &part.entries).map(|entry| entry.series).collect();
        let new_series = std::mem::take(&mut checked.new_series);
        let unused = new_series.into_iter().filter(|series| !used.contains(series)).collect();
        self.index.write().forget(&unused);
    }

    /// To the log and to the caches. `None`: there is nothing to store.
    fn commit(
        &self,
        shared: &Shared,
        writer: &mut Writer,
        reading: &Reading<'_>,
        checked: &mut Checked,
    ) -> Option<u64> {
        if checked.parts.iter().all(|part| part.entries.is_empty()) {
            return None;
        }
        let log = |out: &mut Vec<u8>| write_entry(writer, reading, checked, out);
        let sequence = shared.log.append(Kind::Write, log);
        self.apply(shared, writer, checked, sequence);
        shared.log.applied(sequence);
        Some(sequence)
    }

    /// Fills the caches.
    pub fn apply(
        &self,
        shared: &Shared,
        writer: &mut Writer,
        checked: &mut Checked,
        sequence: u64,
    ) {
        for mut part in std::mem::take(&mut checked.parts) {
            self.apply_part(shared, &mut writer.open[part.place.0], &mut part, sequence);
            part.entries.clear();
            part.words.clear();
            part.texts.clear();
            part.fresh.clear();
            if part.words.capacity() <= SPARE_WORDS_MAX && writer.spare.len() < 4 {
                writer.spare.push(part);
            }
        }
    }

    fn apply_part(&self, shared: &Shared, open: &mut Open, part: &mut Part, sequence: u64) {
        let Open { window, schema } = open;
        if !part.fresh.is_empty() {
            let index = self.index.read();
            let mut published = window.published.write();
            for (measurement, _) in &part.fresh {
                let name = index.measurement_name(*measurement).clone();
                published.insert(name, schema.of(*measurement).sorted().into());
            }
        }
        let mut new_rows = Vec::new();
        let state = window.state.read();
        let bytes = window.change_cache(&state.active, |cache| {
            let mut words = &mut part.words[..];
            for entry in &part.entries {
                let fields = schema.of(entry.measurement);
                let shape = fields.numbered(entry.shape).clone();
                let (point, rest) = words.split_at_mut(shape.stride());
                if cache.push(entry.series, &shape, point, &part.texts, fields) {
                    new_rows.push(entry.series);
                }
                words = rest;
            }
            cache.oldest.get_or_insert(sequence);
            cache.bytes()
        });
        drop(state);
        if !new_rows.is_empty() {
            let mut present = window.present.write();
            new_rows.into_iter().for_each(|series| present.insert(series));
        }
        *window.last_write.lock() = super::clock::mono();
        if bytes >= shared.options.limits.snapshot_bytes {
            shared.wake.wake();
        }
    }
}

/// Where the points go that come now.
#[derive(Clone, Copy, Debug, Default)]
struct Current {
    part: usize,
    place: usize,
    start_ns: i64,
    end_ns: i64,
}

impl Current {
    #[inline]
    fn contains(&self, time_ns: i64) -> bool {
        self.start_ns <= time_ns && time_ns < self.end_ns
    }
}

#[expect(
    clippy::too_many_arguments,
    reason = "what one line needs, taken from a loop that was too long"
)]
#[inline]
fn take(
    writer: &mut Writer,
    checked: &mut Checked,
    current: &Current,
    index: &Index,
    reading: &Reading<'_>,
    line: &Line<'_>,
    found: Found,
    time_ns: i64,
    key_bytes: usize,
) {
    let from = line.head.as_ptr() as usize - reading.body.as_ptr() as usize;
    let incoming = Incoming {
        series: found.series,
        measurement: found.measurement,
        measurement_name: index.measurement_name(found.measurement),
        time_ns,
        fields: &line.head[key_bytes..],
        head: (from as u32, line.head.len() as u32),
    };
    let schema = &mut writer.open[current.place].schema;
    match batch::add(&mut checked.parts[current.part], schema, &incoming) {
        Ok(()) => checked.points += 1,
        Err(Unfit::Conflict(reason)) => checked.drop_point(&reason),
        Err(Unfit::NewConflict(reason)) if reading.all_or_nothing => checked.drop_point(&reason),
        Err(Unfit::NewConflict(_)) => checked.new_conflict = true,
    }
}

impl Writer {
    /// The place of a window, whose fields are those that questions see.
    pub fn place(&mut self, window: &Arc<Window>, index: &Index) -> Place {
        let known = self.open.iter().rposition(|open| open.window.info.id == window.info.id);
        Place(known.unwrap_or_else(|| {
            let mut schema = Schema::default();
            for (measurement, fields) in window.published.read().iter() {
                let Some(number) = index.measurement_number(measurement) else { continue };
                for (name, kind) in fields.iter() {
                    schema.of(number).add(name, *kind);
                }
            }
            self.open.push(Open { window: window.clone(), schema });
            self.open.len() - 1
        }))
    }

    /// Forgets what a request that is not stored has made.
    fn take_back(&mut self, checked: &mut Checked) {
        checked.is_verbatim = false;
        checked.points = 0;
        for part in &mut checked.parts {
            let schema = &mut self.open[part.place.0].schema;
            for (measurement, before) in part.fresh.drain(..) {
                schema.of(measurement).truncate(before);
            }
            part.entries.clear();
            part.words.clear();
            part.texts.clear();
        }
    }
}

/// What an entry of the log holds: for each window its number, how many bytes follow, and lines in nanoseconds.
fn write_entry(writer: &Writer, reading: &Reading<'_>, checked: &Checked, out: &mut Vec<u8>) {
    for part in checked.parts.iter().filter(|part| !part.entries.is_empty()) {
        out.extend_from_slice(&writer.open[part.place.0].window.info.id.to_le_bytes());
        let at = out.len();
        out.extend_from_slice(&[0; 4]);
        if checked.is_verbatim {
            out.extend_from_slice(reading.body);
        } else {
            write_lines(writer, reading.body, part, out);
        }
        let length = u32::try_from(out.len() - at - 4).expect("a request is smaller");
        out[at..at + 4].copy_from_slice(&length.to_le_bytes());
    }
}

fn write_lines(writer: &Writer, body: &[u8], part: &Part, out: &mut Vec<u8>) {
    let mut at = 0;
    let mut digits = itoa::Buffer::new();
    let schema = &writer.open[part.place.0].schema;
    for Entry { measurement, shape, head: (from, len), .. } in &part.entries {
        let time_ns = part.words[at] as i64;
        at += schema.get(*measurement).map_or(1, |fields| fields.numbered(*shape).stride());
        if *len > 0 {
            out.extend_from_slice(&body[*from as usize..][..*len as usize]);
            out.push(b' ');
            out.extend_from_slice(digits.format(time_ns).as_bytes());
            out.push(b'\n');
        }
    }
}

fn count_values(checked: &Checked) -> u64 {
    let count = |part: &Part| part.words.len().saturating_sub(part.entries.len()) as u64;
    checked.parts.iter().map(count).sum()
}

/// Nothing is begun that could not be ended.
fn check_room(shared: &Shared, request: &WriteRequest<'_>) -> Result<(), WriteError> {
    if shared.is_stopped.load(Ordering::Relaxed) {
        return Err(WriteError::Stopped);
    }
    let (bytes, bytes_max) = (shared.cache_bytes.get(), shared.options.limits.cache_bytes_max);
    if bytes >= bytes_max {
        shared.wake.wake();
        return Err(WriteError::CacheFull { bytes, bytes_max });
    }
    if shared.log.is_failing() {
        shared.log.probe(request.body.len()).map_err(refused)?;
    }
    Ok(())
}

pub fn refused(error: LogError) -> WriteError {
    match error {
        LogError::NoRoom => WriteError::DiskFull,
        LogError::Disk(problem) => WriteError::Disk(problem),
    }
}
