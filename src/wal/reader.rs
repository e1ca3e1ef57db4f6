//! Opening a log, and reading frames that have left the hot window.

use super::format::{Footer, SegmentHeader};
use super::frame::Frame;
use super::log::{Found, Log, Settings, write_footer};
use super::recovery::{Finding, Scan};
use super::segment::{self, Entry, NEXT, Segment};
use super::{Checkpoint, Error, during};
use crate::base::ids::BackendId;
use crate::base::limits::PAGE;
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
    let disk = settings.disk.clone();
    let directory = settings.directory.clone();
    disk.create_directory(&directory).await.map_err(during("creating a log's directory"))?;
    let names = disk.list(&directory).await.map_err(during("listing a log"))?;
    if names.iter().any(|name| name == NEXT) {
        let half_made = directory.join(NEXT);
        disk.remove(&half_made).await.map_err(during("removing a half-made segment"))?;
    }
    let (checkpoint_file, checkpoint) =
        CheckpointFile::open(&disk, &directory, settings.log).await?;
    let mut found = Found {
        highest_stamp: checkpoint.as_ref().map_or(Stamp(0), |saved| saved.highest_stamp),
        ..Found::default()
    };
    let mut segments = Vec::new();
    for number in names.iter().filter_map(|name| segment::parse_name(name)) {
        segments.extend(open_segment(&settings, number, &mut found).await?);
    }
    segments.sort_by_key(|segment: &Rc<Segment>| segment.number());
    read_facts(&segments, &mut found).await?;
    let next_segment = names
        .iter()
        .filter_map(|name| segment::parse_name(name.strip_prefix("free-").unwrap_or(name)))
        .max()
        .map_or(1, |last| last + 1);
    let next_frame = segments.iter().map(|segment| segment.end_frame.get()).max().unwrap_or(1);
    let marked = checkpoint.iter().flat_map(|saved| &saved.marks).map(|mark| mark.cursor).max();
    let log = Log::new(settings, &found, next_frame.max(marked.unwrap_or(1)), next_segment);
    for name in names.iter().filter(|name| segment::is_free(name)) {
        log.add_free_file(directory.join(name));
    }
    *log.0.segments.borrow_mut() = segments;
    Ok(Opened { log, found, checkpoint, checkpoint_file })
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
    let page = file.read(0, PAGE).await.map_err(during("reading a segment's header"))?;
    let header = SegmentHeader::decode(&page)
        .filter(|header| header.segment == number && header.log == settings.log);
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

fn raise_floor(floors: &mut Vec<(BackendId, Stamp)>, backend: BackendId, floor: Stamp) {
    match floors.iter_mut().find(|(known, _)| *known == backend) {
        Some((_, highest)) => *highest = floor.max(*highest),
        None => floors.push((backend, floor)),
    }
}

/// From footers where there are some; the rest is scanned.
async fn read_facts(segments: &[Rc<Segment>], found: &mut Found) -> Result<(), Error> {
    let mut expected = segments.first().map_or(1, |first| first.header.first_frame);
    for (at, segment) in segments.iter().enumerate() {
        let limit = segments.get(at + 1).map_or(u64::MAX, |next| next.header.first_frame);
        if segment.header.first_frame > expected {
            found.damaged_frames += segment.header.first_frame - expected;
        }
        let footer = segment.file.read(segment.area_end(), PAGE).await;
        let footer = footer.map_err(during("reading a footer"))?;
        let footer = Footer::decode(&footer)
            .filter(|footer| footer.epoch == segment.header.epoch && footer.last_frame < limit);
        match footer {
            Some(footer) => segment.adopt(footer),
            None => {
                found.damaged_frames += scan_segment(segment, limit).await?;
                if at + 1 == segments.len() {
                    write_footer(segment).await?;
                }
            }
        }
        expected = segment.end_frame.get();
        found.highest_stamp = found.highest_stamp.max(segment.last_stamp.get());
        found.segments += 1;
        found.frames += expected - segment.header.first_frame;
    }
    Ok(())
}

/// Learns a segment from its frames. Frames from `limit` on stand in a later segment.
async fn scan_segment(segment: &Segment, limit: u64) -> Result<u64, Error> {
    *segment.index.borrow_mut() = Some(Vec::new());
    let first = segment.header.first_frame;
    let (epoch, end) = (segment.header.epoch, segment.area_end());
    let mut scan = Scan::new(&segment.file, epoch, first, PAGE as u64, end);
    let mut damaged = 0;
    while let Some(finding) = scan.next().await? {
        match finding {
            Finding::Frame { frame, .. } if frame.number() >= limit => break,
            Finding::Frame { frame, offset } => segment.note(&frame, offset),
            Finding::Damage { numbers, .. } => {
                damaged += numbers.end.min(limit).saturating_sub(numbers.start);
            }
        }
    }
    Ok(damaged)
}

impl Log {
    /// Frames from `number` on, about `bytes` of them, from memory or disk; empty at the end of the log.
    /// A frame that cannot be read is copied to quarantine, once.
    pub async fn read(&self, number: u64, bytes: usize) -> Result<Vec<Item>, Error> {
        let number = match self.first_held(number) {
            Some(first) if first > number => return Ok(vec![Item::Damaged(number..first)]),
            Some(_) => number,
            None => return Ok(Vec::new()),
        };
        let hot = self.read_hot(number, bytes);
        if !hot.is_empty() {
            return Ok(hot);
        }
        let Some(segment) = self.segment_of(number) else { return Ok(Vec::new()) };
        self.load_index(&segment).await?;
        read_cold(self, &segment, number, bytes).await
    }

    /// The first frame at or above `number` that any segment holds and that is released.
    fn first_held(&self, number: u64) -> Option<u64> {
        let end = self.end();
        let segments = self.0.segments.borrow();
        let holding = segments.iter().find(|segment| segment.end_frame.get() > number);
        let first = holding.map(|segment| segment.header.first_frame.max(number));
        first.filter(|first| *first < end)
    }

    fn segment_of(&self, number: u64) -> Option<Rc<Segment>> {
        self.0.segments.borrow().iter().find(|segment| segment.holds(number)).cloned()
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

    /// The number of the first frame with at least this stamp, or one behind the last frame.
    pub async fn first_at(&self, stamp: Stamp) -> Result<u64, Error> {
        let holding = self.segments().into_iter().find(|segment| segment.last_stamp.get() >= stamp);
        let Some(segment) = holding else { return Ok(self.end()) };
        self.load_index(&segment).await?;
        let index = segment.index.borrow();
        let found =
            index.as_ref().and_then(|index| index.iter().find(|entry| entry.stamp >= stamp));
        Ok(found.map_or(segment.end_frame.get(), |entry| entry.number))
    }

    async fn load_index(&self, segment: &Rc<Segment>) -> Result<(), Error> {
        if segment.index.borrow().is_some() {
            return Ok(());
        }
        let first = segment.header.first_frame;
        let (epoch, end) = (segment.header.epoch, segment.end_offset.get());
        let mut scan = Scan::new(&segment.file, epoch, first, PAGE as u64, end);
        let mut index = Vec::new();
        while let Some(finding) = scan.next().await? {
            match finding {
                Finding::Frame { frame, offset } if segment.holds(frame.number()) => {
                    index.push(Entry {
                        number: frame.number(),
                        stamp: frame.stamp(),
                        offset: u32::try_from(offset).expect("a segment is far below 4 GiB"),
                        bytes: u32::try_from(frame.header.frame_bytes()).expect("far below 4 GiB"),
                    });
                }
                Finding::Frame { .. } => {}
                Finding::Damage { numbers, place } => {
                    self.set_aside(segment, &numbers, place).await;
                }
            }
        }
        *segment.index.borrow_mut() = Some(index);
        Ok(())
    }

    /// Keeps a copy of what cannot be read, for people. A failure of that is only told.
    async fn set_aside(&self, segment: &Segment, numbers: &Range<u64>, place: Range<u64>) {
        let settings = &self.0.settings;
        let name = format!("log-{:03}-{:016x}-{}", settings.log.0, segment.number(), place.start);
        tracing::error!(?numbers, ?place, "damage in the log: set aside as {name}");
        let len = usize::try_from(place.end - place.start).unwrap_or(0).min(1 << 20);
        let copied = async {
            let bytes = segment.file.read(place.start, len).await?;
            settings.disk.replace_text(&settings.quarantine.join(&name), bytes.to_vec()).await
        };
        if let Err(error) = copied.await {
            tracing::error!(%error, "{name} could not be kept");
        }
    }
}

async fn read_cold(
    log: &Log,
    segment: &Rc<Segment>,
    number: u64,
    bytes: usize,
) -> Result<Vec<Item>, Error> {
    let wanted: Vec<Entry> = {
        let index = segment.index.borrow();
        let index = index.as_deref().unwrap_or(&[]);
        let from = index.partition_point(|entry| entry.number < number);
        let start = index.get(from).map_or(0, |entry| entry.offset as usize);
        let near = |entry: &&Entry| {
            entry.offset as usize == start
                || entry.offset as usize + entry.bytes as usize <= start + bytes
        };
        index.iter().skip(from).take_while(near).copied().collect()
    };
    let (Some(first), Some(last)) = (wanted.first(), wanted.last()) else {
        return Ok(vec![Item::Damaged(number..segment.end_frame.get())]);
    };
    let len = last.offset as usize + last.bytes as usize - first.offset as usize;
    let read = segment.file.read(u64::from(first.offset), len).await;
    let read: Rc<Bytes> = Rc::new(read.map_err(during("reading a segment"))?);
    let mut items = Vec::new();
    let mut expected = number;
    let end = log.end();
    for entry in wanted.iter().take_while(|entry| entry.number < end) {
        if entry.number > expected {
            items.push(Item::Damaged(expected..entry.number));
        }
        let whole = Frame::decode(&read, (entry.offset - first.offset) as usize)
            .filter(|frame| frame.number() == entry.number);
        match whole {
            Some(frame) => items.push(Item::Frame(Rc::new(frame))),
            None => {
                let place = u64::from(entry.offset)..u64::from(entry.offset + entry.bytes);
                log.set_aside(segment, &(entry.number..entry.number + 1), place).await;
                items.push(Item::Damaged(entry.number..entry.number + 1));
            }
        }
        expected = entry.number + 1;
    }
    Ok(items)
}
