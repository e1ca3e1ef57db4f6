//! Opening a log, and reading frames that have left the hot window.

use super::format::{Footer, SEGMENT_HEADER_BYTES, SegmentHeader};
use super::frame::Frame;
use super::log::{Found, Log, Settings};
use super::recovery::{Finding, Scan};
use super::segment::{self, Entry, Segment};
use super::writer::write_footer;
use super::{Checkpoint, Error, during, raise_floor};
use crate::base::limits::{FRAME_BYTES_MAX, PAGE};
use crate::base::planted::{Planted, is_planted};
use crate::base::time::Stamp;
use crate::rt::Bytes;
use crate::wal::checkpoint::CheckpointFile;
use std::ops::Range;
use std::rc::Rc;

/// What a reader meets, in order.
#[derive(Clone, Debug)]
pub enum Item {
    Frame(Rc<Frame>),
    /// These frames were acknowledged once and cannot be read any more.
    Damaged(Range<u64>),
}

/// A log as found on disk.
#[derive(Debug)]
pub struct Opened {
    pub log: Log,
    pub found: Found,
    pub checkpoint: Option<Checkpoint>,
    pub checkpoint_file: CheckpointFile,
}

/// Opens a log and finds everything that is in it. Nothing is written but what a crash left half done.
pub async fn open(settings: Settings) -> Result<Opened, Error> {
    let room = (SEGMENT_HEADER_BYTES + FRAME_BYTES_MAX + PAGE) as u64;
    assert!(settings.segment_bytes >= room && settings.segment_bytes.is_multiple_of(PAGE as u64));
    let disk = settings.disk.clone();
    let directory = settings.directory.clone();
    disk.create_directory(&directory).await.map_err(during("creating a log's directory"))?;
    let names = disk.list(&directory).await.map_err(during("listing a log"))?;
    let (checkpoint_file, checkpoint) =
        CheckpointFile::open(&disk, &directory, settings.log).await?;
    let mut found = Found {
        highest_stamp: checkpoint.as_ref().map_or(Stamp(0), |saved| saved.highest_stamp),
        ..Found::default()
    };
    let mut segments = Vec::new();
    let mut unreadable = Vec::new();
    for number in names.iter().filter_map(|name| segment::parse_name(name)) {
        match open_segment(&settings, number, &mut found).await? {
            Some(segment) => segments.push(segment),
            None => unreadable.push(number),
        }
    }
    // Not before the log is known to be ours.
    for name in names.iter().filter(|name| segment::is_next(name)) {
        let half_made = directory.join(name);
        disk.remove(&half_made).await.map_err(during("removing a half-made segment"))?;
    }
    segments.sort_by_key(|segment: &Rc<Segment>| segment.number());
    remove_superseded(&settings, &mut segments).await?;
    read_facts(&settings, &segments, &mut found).await?;
    remove_empty(&settings, &mut segments).await?;
    found.damaged_segments = unreadable.len();
    // How many frames such a segment held is not known, but it is not nothing.
    found.damaged_frames += unreadable.len() as u64;
    let oldest = segments.first().map_or(u64::MAX, |segment| segment.number());
    let has_lost_front = unreadable.iter().any(|number| *number < oldest);
    let next_segment = names
        .iter()
        .filter_map(|name| segment::parse_name(name.strip_prefix("free-").unwrap_or(name)))
        .max()
        .map_or(1, |last| last + 1);
    let next_frame = segments.iter().map(|segment| segment.end_frame.get()).max().unwrap_or(1);
    // A mark beyond the frames: some were confirmed by one backend and then lost, which only a log that
    // does not sync each commit, or a lost segment, can do. Their numbers are not given again.
    let marked = checkpoint.iter().flat_map(|saved| &saved.marks).map(|mark| mark.cursor).max();
    let marked = marked.unwrap_or(1).max(next_frame);
    if !segments.is_empty() {
        found.damaged_frames += marked - next_frame;
    }
    let log = Log::new(settings, &found, marked, next_segment);
    log.0.lost_front.set(has_lost_front);
    for name in names.iter().filter(|name| segment::is_free(name)) {
        log.add_free_file(directory.join(name));
    }
    *log.0.segments.borrow_mut() = segments;
    Ok(Opened { log, found, checkpoint, checkpoint_file })
}

/// Case K: what was owed of these stands in a packed segment, which a crash kept from replacing them.
async fn remove_superseded(
    settings: &Settings,
    segments: &mut Vec<Rc<Segment>>,
) -> Result<(), Error> {
    let mut first = u64::MAX;
    let mut kept = Vec::new();
    let before = segments.len();
    for segment in segments.drain(..).rev() {
        if segment.header.first_frame >= first {
            let removed = settings.disk.remove(&segment.path).await;
            removed.map_err(during("removing a segment that was packed"))?;
            continue;
        }
        if segment.is_packed() {
            first = segment.header.first_frame;
        }
        kept.push(segment);
    }
    segments.extend(kept.into_iter().rev());
    if segments.len() < before {
        let synced = settings.disk.sync_directory(&settings.directory).await;
        synced.map_err(during("removing a segment that was packed"))?;
    }
    Ok(())
}

/// Segments that a failing disk has left without a frame, and that begin below a frame that is there: alone
/// they would say too low a number for the next one.
async fn remove_empty(settings: &Settings, segments: &mut Vec<Rc<Segment>>) -> Result<(), Error> {
    let end = segments.iter().map(|segment| segment.end_frame.get()).max().unwrap_or(0);
    let is_empty = |segment: &Rc<Segment>| {
        !segment.is_packed()
            && segment.end_frame.get() == segment.header.first_frame
            && segment.header.first_frame < end
            && segment.damage.borrow().is_empty()
    };
    for segment in segments.iter().filter(|segment| is_empty(segment)) {
        let removed = settings.disk.remove(&segment.path).await;
        removed.map_err(during("removing an empty segment"))?;
    }
    segments.retain(|segment| !is_empty(segment));
    Ok(())
}

/// A segment whose header is damaged is set aside whole.
async fn open_segment(
    settings: &Settings,
    number: u64,
    found: &mut Found,
) -> Result<Option<Rc<Segment>>, Error> {
    let path = segment::path(&settings.directory, number);
    let file = settings.disk.open(&path).await.map_err(during("opening a segment"))?;
    // What was read before a power cut could otherwise vanish after it was acted upon.
    file.sync().await.map_err(during("syncing a found segment"))?;
    let pages = file.read(0, SEGMENT_HEADER_BYTES).await;
    let pages = pages.map_err(during("reading a segment's header"))?;
    if SegmentHeader::is_foreign(&pages) {
        let path = path.display();
        return Err(Error::Format(format!(
            "{path} was written by a version that this one cannot read"
        )));
    }
    let header = SegmentHeader::decode_of(&pages, settings.log, number);
    let Some(header) = header else {
        let name = format!("log-{:03}-{}", settings.log.0, segment::file_name(number));
        tracing::error!(segment = %path.display(), "the header is damaged: set aside as {name}");
        let disk = &settings.disk;
        disk.create_directory(&settings.quarantine).await.map_err(during("making quarantine"))?;
        let aside = settings.quarantine.join(name);
        disk.rename(&path, &aside).await.map_err(during("setting a segment aside"))?;
        return Ok(None);
    };
    if header.node != settings.node {
        return Err(Error::Format(format!("{} belongs to another node", path.display())));
    }
    for (backend, floor) in &header.floors {
        raise_floor(&mut found.floors, *backend, *floor);
    }
    found.highest_stamp = found.highest_stamp.max(header.stamp_before);
    Ok(Some(Rc::new(Segment::new(header, file, path))))
}

/// Numbers of frames that are lost in a segment, and where they should stand.
type Broken = (Range<u64>, Range<u64>);

/// From footers where there are some; the rest is scanned. Backwards, because a frame that was written
/// again to a later segment counts only there.
async fn read_facts(
    settings: &Settings,
    segments: &[Rc<Segment>],
    found: &mut Found,
) -> Result<(), Error> {
    let (mut limit, mut synced) = (u64::MAX, 0);
    let mut broken = Vec::new();
    for segment in segments.iter().rev() {
        broken.push(read_segment_facts(segment, limit, synced).await?);
        // A segment begins when everything before it is on stable storage.
        synced = synced.max(segment.header.first_frame.saturating_sub(1));
        if segment.end_frame.get() > segment.header.first_frame {
            limit = segment.header.first_frame;
        }
        found.highest_stamp = found.highest_stamp.max(segment.last_stamp.get());
        found.segments += 1;
    }
    let mut expected = segments.first().map_or(1, |first| first.header.first_frame);
    for (segment, broken) in segments.iter().zip(broken.into_iter().rev()) {
        found.damaged_frames += segment.header.first_frame.saturating_sub(expected);
        for (numbers, place) in broken {
            // What a segment that was given up once should hold may stand whole in the one before it.
            let numbers = numbers.start.max(expected)..numbers.end;
            if !numbers.is_empty() {
                set_aside(settings, segment, &numbers, place).await;
                segment.damage.borrow_mut().push(numbers);
            }
        }
        let damage = segment.damage.borrow();
        let frames = match segment.header.packed {
            Some(packed) => packed.frames,
            None => segment.end_frame.get() - segment.header.first_frame,
        };
        let missing = count(&segment.holes.borrow()) + count(&damage);
        found.frames += frames.saturating_sub(missing);
        found.damaged_frames += count(&damage);
        let damage_end = damage.last().map_or(0, |numbers| numbers.end);
        expected = expected.max(segment.end_frame.get()).max(damage_end);
    }
    Ok(())
}

async fn read_segment_facts(
    segment: &Segment,
    limit: u64,
    synced: u64,
) -> Result<Vec<Broken>, Error> {
    let footer = segment.file.read(segment.area_end(), PAGE).await;
    let footer = footer.map_err(during("reading a footer"))?;
    let numbers = segment.header.first_frame..limit;
    let footer = Footer::decode(&footer).filter(|footer| {
        footer.epoch == segment.header.epoch && numbers.contains(&footer.last_frame)
    });
    if let Some(footer) = footer {
        segment.adopt(footer);
        return Ok(Vec::new());
    }
    let broken = scan_segment(segment, limit, synced).await?;
    write_footer(segment).await;
    if !segment.holes.borrow().is_empty() {
        // Without it the next start, which finds later segments, would take the holes for damage.
        segment.file.sync().await.map_err(during("syncing a footer"))?;
    }
    Ok(broken)
}

/// Learns a segment from its frames. Frames from `limit` on stand in a later segment.
async fn scan_segment(segment: &Segment, limit: u64, synced: u64) -> Result<Vec<Broken>, Error> {
    let mut broken = Vec::new();
    *segment.index.borrow_mut() = Some(Vec::new());
    let first = segment.header.first_frame;
    let mut scan =
        Scan::new(&segment.file, segment.header.epoch, first, segment.area_end(), synced)
            .packed_as(&segment.header);
    while let Some(finding) = match scan.next().await {
        Err(_) if is_planted(Planted::ReadErrorIsEnd) => None,
        next => next?,
    } {
        match finding {
            Finding::Frame { frame, .. } if frame.number() >= limit => break,
            Finding::Frame { frame, offset } if segment.is_packed() => {
                segment.learn(&frame, offset);
            }
            Finding::Frame { frame, offset } => segment.note(&frame, offset),
            Finding::Hole { numbers } => segment.holes.borrow_mut().extend(below(numbers, limit)),
            Finding::Damage { numbers, place } => {
                broken.extend(below(numbers, limit).map(|numbers| (numbers, place)));
            }
        }
    }
    Ok(broken)
}

pub(super) fn count(ranges: &[Range<u64>]) -> u64 {
    ranges.iter().map(|range| range.end.saturating_sub(range.start)).sum()
}

pub(super) fn below(numbers: Range<u64>, limit: u64) -> Option<Range<u64>> {
    let numbers = numbers.start..numbers.end.min(limit);
    (!numbers.is_empty()).then_some(numbers)
}

/// Keeps a copy of what cannot be read, for people. A failure of that is only told.
pub(super) async fn set_aside(
    settings: &Settings,
    segment: &Segment,
    numbers: &Range<u64>,
    place: Range<u64>,
) {
    let name = format!("log-{:03}-{:016x}-{}", settings.log.0, segment.number(), place.start);
    tracing::error!(?numbers, ?place, "damage in the log: set aside as {name}");
    let len = usize::try_from(place.end - place.start).unwrap_or(0).min(1 << 20);
    let copied = async {
        // Whole pages around it; in a packed segment frames begin within a page.
        let start = place.start / PAGE as u64 * PAGE as u64;
        let len = (len + usize::try_from(place.start - start).unwrap_or(0)).next_multiple_of(PAGE);
        let bytes = segment.file.read(start, len).await?;
        settings.disk.replace_text(&settings.quarantine.join(&name), bytes.to_vec()).await
    };
    if let Err(error) = copied.await {
        tracing::error!(%error, "{name} could not be kept");
    }
}

impl Log {
    /// Frames from `number` on, about `bytes` of them, from memory or disk; empty at the end of the log.
    /// Numbers that were freed, or never acknowledged, are passed over. A frame that cannot be read is
    /// copied to quarantine.
    pub async fn read(&self, number: u64, bytes: usize) -> Result<Vec<Item>, Error> {
        let mut number = number;
        loop {
            let hot = self.read_hot(number, bytes);
            if !hot.is_empty() || number >= self.end() {
                return Ok(hot);
            }
            let cold = &self.0.cold;
            if let Some(items) = cold.find(number, self.0.settings.clock.mono()) {
                return Ok(items);
            }
            let (segment, from) = match self.held(number) {
                Held::Lost(until) => return Ok(vec![Item::Damaged(number..until)]),
                Held::Freed(until) => {
                    number = until;
                    continue;
                }
                Held::Here(segment) => (segment, number),
            };
            self.load_index(&segment).await?;
            let Some(items) = self.read_once(&segment, from, bytes).await? else {
                cold.landing().await;
                continue;
            };
            if !items.is_empty() {
                return Ok(items);
            }
            number = segment.end_frame.get().max(number + 1);
        }
    }

    /// Whether a read from here on would ask the disk now, and had better wait a little: for a commit, or for a
    /// reader that is behind.
    pub fn should_read_later(&self, number: u64) -> bool {
        let (cold, now) = (&self.0.cold, self.0.settings.clock.mono());
        let is_hot = self.0.hot.borrow().front().is_some_and(|first| first.number() <= number);
        !is_hot
            && number < self.end()
            && !cold.has(number)
            && (self.0.turns.is_commits(now) || cold.is_followed(now))
    }

    /// Reads from disk, for other queues, too; nothing if one of them has begun to read the same.
    async fn read_once(
        &self,
        segment: &Rc<Segment>,
        number: u64,
        bytes: usize,
    ) -> Result<Option<Vec<Item>>, Error> {
        let wanted = wanted(segment, number, bytes, self.end());
        let Some(last) = wanted.last().map(|last| last.number) else {
            return read_cold(self, segment, number, bytes).await.map(Some);
        };
        let Some(flight) = self.0.cold.begin(number..last + 1) else { return Ok(None) };
        let items = read_cold(self, segment, number, bytes).await?;
        flight.land(&items, self.0.settings.clock.mono());
        Ok(Some(items))
    }

    fn held(&self, number: u64) -> Held {
        let segments = self.0.segments.borrow();
        let end = self.end();
        let holding = segments.iter().position(|segment| segment.end_frame.get() > number);
        match holding {
            Some(at) if segments[at].header.first_frame <= number => {
                Held::Here(segments[at].clone())
            }
            Some(0) if !self.0.lost_front.get() => {
                Held::Freed(segments[0].header.first_frame.min(end))
            }
            Some(at) => Held::Lost(segments[at].header.first_frame.min(end)),
            None if segments.is_empty() && !self.0.lost_front.get() => Held::Freed(end),
            // A failed log keeps in memory what it could not bring to any segment.
            None => {
                let hot = self.0.hot.borrow();
                let kept = hot.iter().map(|frame| frame.number()).find(|kept| *kept > number);
                Held::Lost(kept.unwrap_or(end).min(end))
            }
        }
    }

    fn read_hot(&self, number: u64, bytes: usize) -> Vec<Item> {
        let hot = self.0.hot.borrow();
        let Some(first) = hot.front().map(|frame| frame.number()) else { return Vec::new() };
        let Some(skip) = number.checked_sub(first) else { return Vec::new() };
        let end = self.end();
        let mut items = Vec::new();
        let mut taken = 0;
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        for frame in hot.iter().skip(skip).take_while(|frame| frame.number() < end) {
            debug_assert_eq!(frame.number(), number + items.len() as u64);
            taken += frame.memory_bytes();
            items.push(Item::Frame(frame.clone()));
            if taken >= bytes {
                break;
            }
        }
        items
    }

    /// The number of the first frame with at least this stamp, or one behind the last frame. A lost frame
    /// that may have had it counts, so that whoever reads from there on is told.
    pub async fn first_at(&self, stamp: Stamp) -> Result<u64, Error> {
        let holding = self.segments().into_iter().find(|segment| segment.last_stamp.get() >= stamp);
        let Some(segment) = holding else { return Ok(self.end()) };
        self.load_index(&segment).await?;
        let index = segment.index.borrow();
        let index = index.as_deref().unwrap_or(&[]);
        let at = index.partition_point(|entry| entry.stamp < stamp);
        let found = index.get(at).map_or(segment.end_frame.get(), |entry| entry.number);
        let before =
            at.checked_sub(1).map_or(segment.header.first_frame, |at| index[at].number + 1);
        let damage = segment.damage.borrow();
        let lost = damage.iter().find(|lost| lost.start < found && lost.end > before);
        Ok(lost.map_or(found, |lost| lost.start.max(before)))
    }
}

/// Where a frame is.
enum Held {
    Here(Rc<Segment>),
    /// Everything below this number was confirmed, and its space given back.
    Freed(u64),
    /// Everything below this number should be there, and is not.
    Lost(u64),
}

/// Frames and damage of one segment from `number` on; empty if nothing more of it is readable or lost.
pub(super) async fn read_cold(
    log: &Log,
    segment: &Rc<Segment>,
    number: u64,
    bytes: usize,
) -> Result<Vec<Item>, Error> {
    let wanted = wanted(segment, number, bytes, log.end());
    let lost_before = |until: u64| {
        let damage = segment.damage.borrow();
        damage
            .iter()
            .map(|lost| lost.start.max(number)..lost.end.min(until))
            .filter(|lost| !lost.is_empty())
            .collect::<Vec<_>>()
    };
    let (Some(first), Some(last)) = (wanted.first(), wanted.last()) else {
        return Ok(lost_before(log.end()).into_iter().map(Item::Damaged).collect());
    };
    // Only in a packed segment frames begin and end within a page.
    let base = first.offset as usize / PAGE * PAGE;
    let len = (last.offset as usize + last.bytes as usize - base).next_multiple_of(PAGE);
    let read = segment.file.read(base as u64, len).await;
    let read: Rc<Bytes> = Rc::new(read.map_err(during("reading a segment"))?);
    let mut lost = lost_before(last.number).into_iter().peekable();
    let mut items = Vec::new();
    for entry in &wanted {
        while let Some(lost) = lost.next_if(|lost| lost.start < entry.number) {
            items.push(Item::Damaged(lost));
        }
        let whole = Frame::decode(&read, entry.offset as usize - base).filter(|frame| {
            frame.number() == entry.number && frame.header.epoch == segment.header.epoch
        });
        match whole {
            Some(frame) => items.push(Item::Frame(Rc::new(frame))),
            None => {
                let place = u64::from(entry.offset)..u64::from(entry.offset + entry.bytes);
                let numbers = entry.number..entry.number + 1;
                set_aside(&log.0.settings, segment, &numbers, place).await;
                items.push(Item::Damaged(numbers));
            }
        }
    }
    Ok(items)
}

/// The entries from `number` on that one read of about `bytes` brings, at least one if there is any.
fn wanted(segment: &Segment, number: u64, bytes: usize, end: u64) -> Vec<Entry> {
    let index = segment.index.borrow();
    let index = index.as_deref().unwrap_or(&[]);
    let from = index.partition_point(|entry| entry.number < number);
    let start = index.get(from).map_or(0, |entry| entry.offset as usize);
    let near = |entry: &&Entry| {
        entry.number < end
            && (entry.offset as usize == start
                || entry.offset as usize + entry.bytes as usize <= start + bytes)
    };
    index.iter().skip(from).take_while(near).copied().collect()
}
