//! From checked lines to runs in the log: each line's bytes are copied once.

use super::Outlet;
use crate::base::ids::BackendId;
use crate::proto::line::Line;
use crate::ring::{Router, TargetNo, TargetSetNo};
use crate::wal::{Error, NewRun, Place};
use smallvec::SmallVec;
use std::ops::Range;
use std::rc::Rc;

/// Where a line goes.
#[inline]
pub fn route(router: &mut Router, target: TargetNo, line: &Line<'_>) -> TargetSetNo {
    let known = line.short_name().and_then(|name| router.known(target, name));
    known.unwrap_or_else(|| router.route(target, &line.measurement_name()))
}

/// A line that passed the check.
#[derive(Clone, Copy, Debug)]
pub struct Checked {
    /// In the body.
    pub from: u32,
    /// Of the head; 0 where the log will have exactly the bytes that the body has.
    head_len: u32,
    /// In the log, with time and line end.
    pub len: u32,
    pub set: TargetSetNo,
    time_ns: i64,
}

impl Checked {
    /// The line whose head stands at `from`. `has_time` if its text has the time, in nanoseconds.
    pub fn new(
        body: &[u8],
        from: usize,
        head_len: usize,
        time_ns: i64,
        has_time: bool,
        set: TargetSetNo,
    ) -> Checked {
        let digits = digits(time_ns);
        let len = head_len + 1 + digits + 1;
        // A line end right behind as many letters as the number needs: no other text of it ends there.
        let is_verbatim = has_time && body.get(from + len - 1) == Some(&b'\n');
        Checked {
            from: u32::try_from(from).expect("a body is far below 4 GiB"),
            head_len: if is_verbatim { 0 } else { u32::try_from(head_len).unwrap_or(u32::MAX) },
            len: u32::try_from(len).expect("a line is far below 4 GiB"),
            set,
            time_ns,
        }
    }

    /// The log will have exactly the bytes that the body has.
    pub fn is_verbatim(&self) -> bool {
        self.head_len == 0
    }

    /// As the log has it.
    pub fn bytes(&self, body: &[u8]) -> Vec<u8> {
        let (from, len) = (self.from as usize, self.len as usize);
        if self.is_verbatim() {
            return body[from..from + len].to_vec();
        }
        let mut bytes = vec![0; len];
        self.write(body, &mut bytes);
        bytes
    }

    /// Writes a line that is not verbatim as the log has it to the front of `space`: how many bytes.
    pub fn write(&self, body: &[u8], space: &mut [u8]) -> usize {
        let (from, head, len) = (self.from as usize, self.head_len as usize, self.len as usize);
        let space = &mut space[..len];
        let mut number = itoa::Buffer::new();
        space[..head].copy_from_slice(&body[from..from + head]);
        space[head] = b' ';
        space[head + 1..len - 1].copy_from_slice(number.format(self.time_ns).as_bytes());
        space[len - 1] = b'\n';
        len
    }
}

/// Where a request's lines went.
#[derive(Debug, Default)]
pub struct Placed {
    /// The last place in the log.
    pub last: Option<Place>,
    /// For each backend the last frame with lines for it.
    pub last_frames: Vec<(BackendId, u64)>,
    /// Frame and bytes of each piece.
    pub pieces: Vec<(u64, Range<usize>)>,
}

type Targets = SmallVec<[BackendId; 4]>;

/// Copies the lines into the log, grouped by their sets of backends. The order within a set is kept.
///
/// No await: frames cannot be sealed between two runs of a request unless they are full.
pub fn push(
    outlet: &Outlet,
    router: &Router,
    tag: &Rc<[u8]>,
    body: &[u8],
    lines: &[Checked],
) -> Result<Placed, Error> {
    let facts = &outlet.facts;
    let mut groups = outlet.groups.borrow_mut();
    let mut targets: Vec<Targets> = Vec::new();
    let mut placed = Placed::default();
    let (room, overhead) = outlet.log.frame_room(tag, facts.topology.circles().len());
    let mut rest = lines;
    while !rest.is_empty() {
        let (count, bytes) = groups.count(rest, room, overhead);
        assert!(count > 0, "the limit of a line is far below that of a frame");
        let (here, later) = rest.split_at(count);
        targets.clear();
        targets.extend(groups.all().iter().map(|group| {
            router.set(group.set).iter().map(|slot| facts.backend(*slot)).collect::<Targets>()
        }));
        let runs = groups.all().iter().zip(&targets).map(|(group, targets)| NewRun {
            targets,
            points: group.points,
            len: group.bytes.len(),
        });
        let runs: SmallVec<[NewRun<'_>; 8]> = runs.collect();
        let fill = |space: &mut [u8]| groups.copy(body, here, space);
        let place = outlet.log.append_runs(tag, &runs, fill)?;
        placed.note(place, bytes, &targets);
        rest = later;
    }
    Ok(placed)
}

impl Placed {
    fn note(&mut self, place: Place, bytes: usize, targets: &[Targets]) {
        self.last = Some(place);
        self.pieces.push((place.number, place.offset..place.offset + bytes));
        let mut named: SmallVec<[BackendId; 8]> = targets.iter().flatten().copied().collect();
        named.sort_unstable();
        named.dedup();
        self.last_frames.retain(|(known, _)| named.binary_search(known).is_err());
        self.last_frames.extend(named.iter().map(|backend| (*backend, place.number)));
    }
}

/// Letters of a number in decimal, its sign included.
fn digits(number: i64) -> usize {
    // Nanoseconds of our days, which nearly all are.
    if number >= 1_000_000_000_000_000_000 {
        return 19;
    }
    let letters = number.unsigned_abs().checked_ilog10().unwrap_or(0) as usize + 1;
    letters + usize::from(number < 0)
}
