//! The runs of a frame, and for each backend which of them are its own.
//!
//! Where there are many backends nearly every line is a run, so a run takes a few words here and no memory
//! of its own, and nobody looks through all runs for those of one backend.

use super::format::FRAME_HEADER_BYTES;
use crate::base::ids::BackendId;
use std::ops::Range;
use std::rc::Rc;

/// Bytes that go to the same backends, as one looks at them. Ranges count from the start of the frame.
/// Lives on: the shard that owns the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run<'a> {
    pub payload: Range<usize>,
    pub points: u32,
    pub targets: &'a [BackendId],
    /// What the owner of the log wrote to know the run again: opaque here.
    pub tag: &'a Rc<[u8]>,
}

/// All runs of a frame, in order. Lives on: the shard that owns the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    entries: Vec<Entry>,
    /// Of all runs, one behind the other.
    targets: Vec<BackendId>,
    /// In the order of their first run.
    tags: Vec<Rc<[u8]>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    /// Where its bytes end in the frame, and its backends in the list.
    end: u32,
    targets_end: u32,
    points: u32,
    tag: u32,
}

/// So many of the newest tags are looked through for one that comes again.
const KNOWN_TAGS: usize = 32;

impl Runs {
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// One behind the last byte of the last run.
    pub fn end(&self) -> usize {
        self.entries.last().map_or(FRAME_HEADER_BYTES, |last| last.end as usize)
    }

    pub fn get(&self, at: usize) -> Run<'_> {
        let Entry { end, targets_end, points, tag } = self.entries[at];
        let before = at.checked_sub(1).map(|before| self.entries[before]);
        let (start, from) = before.map_or((FRAME_HEADER_BYTES, 0), |before| {
            (before.end as usize, before.targets_end as usize)
        });
        Run {
            payload: start..end as usize,
            points,
            targets: &self.targets[from..targets_end as usize],
            tag: &self.tags[tag as usize],
        }
    }

    pub fn last(&self) -> Option<Run<'_>> {
        self.len().checked_sub(1).map(|last| self.get(last))
    }

    pub fn iter(&self) -> Iter<'_> {
        Iter { runs: self, entries: self.entries.iter(), start: FRAME_HEADER_BYTES, from: 0 }
    }

    /// All tags; a run's is known by its number among them.
    pub fn tags(&self) -> &[Rc<[u8]>] {
        &self.tags
    }

    pub fn tag_number(&self, at: usize) -> usize {
        self.entries[at].tag as usize
    }

    /// Adds a run behind the last one.
    pub fn push(&mut self, tag: &Rc<[u8]>, targets: &[BackendId], points: u32, len: usize) {
        let tag = self.number_of(tag);
        self.push_numbered(tag, targets.iter().copied(), points, len);
    }

    /// The same, with a tag that is known.
    pub fn push_numbered(
        &mut self,
        tag: usize,
        targets: impl Iterator<Item = BackendId>,
        points: u32,
        len: usize,
    ) {
        let end = small(self.end() + len);
        self.targets.extend(targets);
        let targets_end = small(self.targets.len());
        self.entries.push(Entry { end, targets_end, points, tag: small(tag) });
    }

    /// The last run goes on.
    pub fn extend_last(&mut self, points: u32, len: usize) {
        let last = self.entries.last_mut().expect("there is a last run");
        last.end = small(last.end as usize + len);
        last.points += points;
    }

    /// Adds a tag without looking whether it is known.
    pub fn push_tag(&mut self, tag: Rc<[u8]>) -> usize {
        self.tags.push(tag);
        self.tags.len() - 1
    }

    fn number_of(&mut self, tag: &Rc<[u8]>) -> usize {
        let newest = self.tags.iter().enumerate().rev().take(KNOWN_TAGS);
        let known = newest.into_iter().find(|(_, known)| is_same(known, tag));
        match known.map(|(number, _)| number) {
            Some(number) => number,
            None => self.push_tag(tag.clone()),
        }
    }
}

/// Two tags of one request are one, which is seen without looking at their bytes.
pub fn is_same(one: &Rc<[u8]>, other: &Rc<[u8]>) -> bool {
    Rc::ptr_eq(one, other) || one == other
}

fn small(number: usize) -> u32 {
    u32::try_from(number).expect("a frame is far below 4 GiB")
}

/// Goes through all runs. Lives on: the shard that owns the log.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    runs: &'a Runs,
    entries: std::slice::Iter<'a, Entry>,
    start: usize,
    from: usize,
}

impl<'a> Iterator for Iter<'a> {
    type Item = Run<'a>;

    fn next(&mut self) -> Option<Run<'a>> {
        let entry = self.entries.next()?;
        let (end, targets_end) = (entry.end as usize, entry.targets_end as usize);
        let run = Run {
            payload: self.start..end,
            points: entry.points,
            targets: &self.runs.targets[self.from..targets_end],
            tag: &self.runs.tags[entry.tag as usize],
        };
        (self.start, self.from) = (end, targets_end);
        Some(run)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.entries.size_hint()
    }
}

impl<'a> IntoIterator for &'a Runs {
    type Item = Run<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// What a frame holds for one backend. Lives on: the shard that owns the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Portion {
    pub backend: BackendId,
    pub points: u32,
    pub bytes: u32,
    runs_end: u32,
}

/// The backends of a frame, and the runs of each. Made once for each frame, in time that its runs and their
/// backends take. Lives on: the shard that owns the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    /// By their backends' numbers.
    portions: Vec<Portion>,
    runs: Vec<u32>,
}

/// One backend, while the index is made.
#[derive(Clone, Copy, Default)]
struct Count {
    runs: u32,
    points: u32,
    bytes: u32,
    /// One behind the last run that named it: one that names it twice counts once.
    seen: u32,
    /// Where its next run goes.
    at: u32,
}

impl Index {
    pub fn of(runs: &Runs) -> Index {
        let most = runs.targets.iter().max().map_or(0, |most| most.index() + 1);
        let mut counts = vec![Count::default(); most];
        let mut all = 0;
        for (run, at) in runs.iter().zip(1..) {
            for backend in run.targets {
                let count = &mut counts[backend.index()];
                if count.seen != at {
                    count.seen = at;
                    count.runs += 1;
                    count.points = count.points.saturating_add(run.points);
                    count.bytes += small(run.payload.len());
                    all += 1;
                }
            }
        }
        let mut index = Index { portions: Vec::new(), runs: vec![0; all] };
        let named = counts.iter().filter(|count| count.runs > 0).count();
        index.portions.reserve_exact(named);
        let mut end = 0;
        for (backend, count) in (0..=u16::MAX).zip(&mut counts).filter(|(_, count)| count.runs > 0)
        {
            (count.at, count.seen) = (end, 0);
            end += count.runs;
            let (points, bytes) = (count.points, count.bytes);
            let backend = BackendId(backend);
            index.portions.push(Portion { backend, points, bytes, runs_end: end });
        }
        for (run, at) in runs.iter().zip(1..) {
            for backend in run.targets {
                let count = &mut counts[backend.index()];
                if count.seen != at {
                    count.seen = at;
                    index.runs[count.at as usize] = at - 1;
                    count.at += 1;
                }
            }
        }
        index
    }

    /// What each backend is named for, in the order of their numbers.
    pub fn portions(&self) -> &[Portion] {
        &self.portions
    }

    fn find(&self, backend: BackendId) -> Option<usize> {
        self.portions.binary_search_by_key(&backend, |portion| portion.backend).ok()
    }

    pub fn portion(&self, backend: BackendId) -> Option<&Portion> {
        self.find(backend).map(|at| &self.portions[at])
    }

    /// The runs that name `backend`, in order.
    pub fn runs_of(&self, backend: BackendId) -> &[u32] {
        let Some(at) = self.find(backend) else { return &[] };
        let from = at.checked_sub(1).map_or(0, |before| self.portions[before].runs_end);
        &self.runs[from as usize..self.portions[at].runs_end as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_index_says_what_a_look_through_all_runs_finds(
            all in vec((vec(0..6u16, 1..5), 0..9u32, 0..99usize, 0..3u8), 0..20),
        ) {
            let mut runs = Runs::default();
            for (targets, points, len, tag) in &all {
                let targets: Vec<_> = targets.iter().copied().map(BackendId).collect();
                runs.push(&Rc::from(vec![*tag]), &targets, *points, *len);
            }
            let index = Index::of(&runs);
            for backend in (0..7).map(BackendId) {
                let ours: Vec<_> =
                    (0..runs.len()).filter(|at| runs.get(*at).targets.contains(&backend)).collect();
                let found: Vec<_> = index.runs_of(backend).iter().map(|at| *at as usize).collect();
                prop_assert_eq!(&found, &ours);
                let points_of = |at: &usize| all[*at].1 as usize;
                let bytes_of = |at: &usize| all[*at].2;
                let sums = (ours.iter().map(points_of).sum(), ours.iter().map(bytes_of).sum());
                let portion = index.portion(backend);
                prop_assert_eq!(portion.is_some(), !ours.is_empty());
                let (points, bytes) = portion.map_or((0, 0), |found| (found.points, found.bytes));
                prop_assert_eq!((points as usize, bytes as usize), sums);
            }
            let tags: Vec<_> = runs.iter().map(|run| run.tag[0]).collect();
            prop_assert_eq!(tags, all.iter().map(|run| run.3).collect::<Vec<_>>());
        }
    }
}
