//! The points of one key out of several files, the newest value of each time, in either direction.
//!
//! Blocks whose times no other block shares go straight through. Where they overlap, as many are held decoded as share
//! a moment, and what lies before the next block that is not yet read is merged and given.

use super::index::{Entries, Entry};
use super::ranges;
use super::reader::Reader;
use super::tombstone::Tombstones;
use crate::store::value::{Column, FieldType};
use crate::store::view::{Cursor, Direction, ReadError, TimeRange};
use std::ops::Range;
use std::sync::Arc;

/// A cursor over files, later ones winning over earlier ones, and points in memory that win over all.
///
/// Its type is that of the first file that has the key, or of the points in memory; points of another type are not
/// seen, as InfluxDB does not see them. A block that cannot be read is told once; the next call goes on behind it.
#[derive(Debug)]
pub struct Merge {
    kind: FieldType,
    range: TimeRange,
    direction: Direction,
    sources: Vec<Source>,
    /// The next one is the last.
    pending: Vec<Piece>,
    open: Vec<Open>,
    /// Until its piece is opened.
    top: Option<Column>,
}

/// A file, its deletes as they were at a moment.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub reader: Arc<Reader>,
    pub tombstones: Arc<Tombstones>,
    /// Of the key in this file.
    pub number: u32,
}

impl Source {
    fn entries(&self) -> Option<Entries<'_>> {
        self.reader.entries(self.number)
    }

    fn deleted(&self) -> &[TimeRange] {
        self.tombstones.of(self.number)
    }

    fn is_all_deleted(&self) -> bool {
        let is_deleted = |entry: Entry| ranges::cover(self.deleted(), entry.min_ns, entry.max_ns);
        !self.deleted().is_empty()
            && self.entries().is_none_or(|entries| entries.iter().all(is_deleted))
    }
}

/// A block that is not yet read, or the points in memory.
#[derive(Clone, Copy, Debug)]
struct Piece {
    min_ns: i64,
    max_ns: i64,
    rank: Rank,
    /// `None` for the points in memory.
    entry: Option<Entry>,
}

/// Newer is greater: the number of the file, and of the block in it.
type Rank = (usize, usize);

/// Points in memory, in ascending order, of which a part is not yet given.
#[derive(Debug)]
struct Open {
    rank: Rank,
    column: Column,
    left: Range<usize>,
}

/// What comes next.
#[derive(Debug)]
pub(crate) enum Step {
    /// A block that needs no look inside, of the file of that number.
    Straight(Arc<Reader>, Entry),
    /// Points in ascending order, whatever the direction.
    Points(Column),
}

impl Merge {
    /// `files` from the oldest to the newest. `None` if none of them holds the key and there is no `top`.
    pub fn new(
        key: &[u8],
        files: &[Arc<Reader>],
        top: Option<Column>,
        range: TimeRange,
        direction: Direction,
    ) -> Option<Merge> {
        let found = |reader: &Arc<Reader>| {
            let number = reader.find(key)?.number;
            Some(Source { reader: reader.clone(), tombstones: reader.tombstones(), number })
        };
        Merge::over(files.iter().filter_map(found).collect(), top, range, direction)
    }

    /// The same of files where the key was found.
    pub(crate) fn over(
        mut sources: Vec<Source>,
        top: Option<Column>,
        range: TimeRange,
        direction: Direction,
    ) -> Option<Merge> {
        let top = top.filter(|top| !top.is_empty());
        let kind_of = |source: &Source| Some(source.entries()?.kind);
        // A key that is deleted may come back with another type.
        let there = sources.iter().filter(|source| !source.is_all_deleted()).find_map(kind_of);
        let kind = there.or_else(|| top.as_ref().map(Column::kind));
        let kind = kind.or_else(|| sources.iter().find_map(kind_of));
        sources.retain(|source| source.entries().map(|entries| entries.kind) == kind);
        let mut pending = Vec::new();
        for (number, source) in sources.iter().enumerate() {
            for (at, entry) in source.entries().into_iter().flat_map(Entries::iter).enumerate() {
                let Entry { min_ns, max_ns, .. } = entry;
                if entry.overlaps(range) && !ranges::cover(source.deleted(), min_ns, max_ns) {
                    pending.push(Piece { min_ns, max_ns, rank: (number, at), entry: Some(entry) });
                }
            }
        }
        let kind = kind?;
        let top = top.filter(|top| top.kind() == kind);
        if let Some(top) = &top {
            let (min_ns, max_ns) = (top.times[0], top.times[top.len() - 1]);
            pending.push(Piece { min_ns, max_ns, rank: (sources.len(), 0), entry: None });
        }
        match direction {
            Direction::Ascending => pending.sort_by_key(|piece| std::cmp::Reverse(piece.min_ns)),
            Direction::Descending => pending.sort_by_key(|piece| piece.max_ns),
        }
        Some(Merge { kind, range, direction, sources, pending, open: Vec::new(), top })
    }

    pub fn kind(&self) -> FieldType {
        self.kind
    }

    /// The next block or points, without looking into blocks that share their times with no other.
    pub(crate) fn step(&mut self) -> Result<Option<Step>, ReadError> {
        loop {
            if let Some(column) = self.ready() {
                return Ok(Some(Step::Points(column)));
            }
            let Some(piece) = self.pending.pop() else { return Ok(None) };
            let is_alone = self.open.is_empty()
                && self.pending.last().is_none_or(|next| match self.direction {
                    Direction::Ascending => next.min_ns > piece.max_ns,
                    Direction::Descending => next.max_ns < piece.min_ns,
                });
            if let Some(entry) = piece.entry.filter(|_| is_alone) {
                let source = &self.sources[piece.rank.0];
                let is_whole =
                    self.range.min_ns <= piece.min_ns && piece.max_ns <= self.range.max_ns;
                if is_whole && !ranges::touch(source.deleted(), piece.min_ns, piece.max_ns) {
                    return Ok(Some(Step::Straight(source.reader.clone(), entry)));
                }
            }
            let column = self.load(&piece)?;
            if is_alone && !column.is_empty() {
                return Ok(Some(Step::Points(column)));
            }
            let left = 0..column.len();
            let at = self.open.partition_point(|open| open.rank < piece.rank);
            self.open.insert(at, Open { rank: piece.rank, column, left });
        }
    }

    /// The points of a piece that are wanted and not deleted.
    fn load(&mut self, piece: &Piece) -> Result<Column, ReadError> {
        let Some(entry) = piece.entry else {
            let mut top = self.top.take().expect("its piece comes once");
            top.keep(ranges::places(&top.times, self.range));
            return Ok(top);
        };
        let source = &self.sources[piece.rank.0];
        let mut column = source.reader.read(entry)?;
        ranges::cut(&mut column, self.range, source.deleted());
        Ok(column)
    }

    /// What is decoded and lies before everything that is not.
    fn ready(&mut self) -> Option<Column> {
        self.open.retain(|open| !open.left.is_empty());
        let next = self.pending.last();
        let direction = self.direction;
        let before = |open: &Open| {
            let times = &open.column.times[open.left.clone()];
            let begin = open.left.start;
            match (next, direction) {
                (None, _) => open.left.clone(),
                (Some(next), Direction::Ascending) => {
                    begin..begin + times.partition_point(|time| *time < next.min_ns)
                }
                (Some(next), Direction::Descending) => {
                    begin + times.partition_point(|time| *time <= next.max_ns)..open.left.end
                }
            }
        };
        let parts: Vec<Range<usize>> = self.open.iter().map(before).collect();
        let filled = parts.iter().filter(|part| !part.is_empty()).count();
        if let Some(at) = parts.iter().position(|part| !part.is_empty()).filter(|_| filled == 1) {
            let open = &mut self.open[at];
            if parts[at] == (0..open.column.len()) {
                open.left = 0..0;
                return Some(std::mem::replace(&mut open.column, Column::new(self.kind)));
            }
        }
        let mut merged: Option<Column> = None;
        for (open, part) in self.open.iter().zip(&parts).filter(|(_, part)| !part.is_empty()) {
            merged = Some(match merged {
                None => {
                    let mut first = Column::new(self.kind);
                    first.extend(&open.column, part.clone());
                    first
                }
                Some(older) => overlay(&older, &open.column, part.clone()),
            });
        }
        for (open, part) in self.open.iter_mut().zip(parts) {
            match direction {
                Direction::Ascending => open.left.start = part.end,
                Direction::Descending => open.left.end = part.start,
            }
        }
        merged
    }
}

impl Cursor for Merge {
    fn next(&mut self) -> Result<Option<Column>, ReadError> {
        let mut column = match self.step()? {
            None => return Ok(None),
            Some(Step::Points(column)) => column,
            Some(Step::Straight(reader, entry)) => reader.read(entry)?,
        };
        if self.direction == Direction::Descending {
            column.reverse();
        }
        Ok(Some(column))
    }
}

/// Both, in ascending order; of a time that both have, the newer value. Runs are copied at once.
pub(super) fn overlay(older: &Column, newer: &Column, part: Range<usize>) -> Column {
    let mut merged = Column::new(older.kind());
    let (mut old, mut new) = (0, part.start);
    while old < older.len() && new < part.end {
        let (old_time, new_time) = (older.times[old], newer.times[new]);
        if old_time < new_time {
            let run = run_below(&older.times[old..], new_time);
            merged.extend(older, old..old + run);
            old += run;
        } else {
            old += usize::from(old_time == new_time);
            let limit = older.times.get(old).copied().unwrap_or(i64::MAX);
            let run = run_below(&newer.times[new..part.end], limit).max(1);
            merged.extend(newer, new..new + run);
            new += run;
        }
    }
    merged.extend(older, old..older.len());
    merged.extend(newer, new..part.end);
    merged
}

/// How many times are below a limit: found in steps that double, so that short runs are found at once.
fn run_below(times: &[i64], limit: i64) -> usize {
    let mut step = 1;
    while step < times.len() && times[step] < limit {
        step *= 2;
    }
    let end = times.len().min(step + 1);
    times[..end].partition_point(|time| *time < limit)
}
