//! From checked lines to runs in the log: each line's bytes are copied once.

use super::Outlet;
use crate::base::ids::BackendId;
use crate::ring::TargetSetNo;
use crate::wal::{Error, Place};
use std::ops::Range;
use std::rc::Rc;

/// A line that passed the check.
#[derive(Clone, Copy, Debug)]
pub struct Checked {
    /// Of the head in the body.
    pub from: u32,
    pub len: u32,
    pub time_ns: i64,
    pub set: TargetSetNo,
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

/// Copies the lines into the log, grouped by their sets of backends. The order within a set is kept.
///
/// No await: frames cannot be sealed between two runs of a request unless they are full.
pub fn push(
    outlet: &Outlet,
    tag: &Rc<[u8]>,
    body: &[u8],
    lines: &mut [Checked],
    targets_of: impl Fn(TargetSetNo) -> Vec<BackendId>,
) -> Result<Placed, Error> {
    // Stable, and cheap where there is one set only.
    lines.sort_by_key(|line| line.set);
    let mut placed = Placed::default();
    for group in lines.chunk_by(|one, other| one.set == other.set) {
        let targets = targets_of(group[0].set);
        let most = outlet.log.run_bytes_max(tag, &targets);
        let mut rest = group;
        while !rest.is_empty() {
            let (count, bytes) = fitting(rest, most);
            let (piece, later) = rest.split_at(count);
            push_piece(outlet, tag, body, piece, bytes, &targets, &mut placed)?;
            rest = later;
        }
    }
    Ok(placed)
}

/// How many lines fit `most` bytes, and their bytes at most.
fn fitting(lines: &[Checked], most: usize) -> (usize, usize) {
    let mut bytes = 0;
    for (count, line) in lines.iter().enumerate() {
        let next = bytes + exact_len(line);
        if next > most {
            assert!(count > 0, "the limit of a line is far below that of a frame");
            return (count, bytes);
        }
        bytes = next;
    }
    (lines.len(), bytes)
}

fn exact_len(line: &Checked) -> usize {
    line.len as usize + 1 + digits(line.time_ns) + 1
}

/// Letters of a number in decimal, its sign included.
fn digits(number: i64) -> usize {
    let letters = number.unsigned_abs().checked_ilog10().unwrap_or(0) as usize + 1;
    letters + usize::from(number < 0)
}

fn push_piece(
    outlet: &Outlet,
    tag: &Rc<[u8]>,
    body: &[u8],
    lines: &[Checked],
    bytes: usize,
    targets: &[BackendId],
    placed: &mut Placed,
) -> Result<(), Error> {
    let points = u32::try_from(lines.len()).expect("a frame holds far fewer lines");
    let place = outlet.log.append(tag, targets, points, bytes, |space| {
        let mut at = 0;
        for line in lines {
            let head = &body[line.from as usize..][..line.len as usize];
            space[at..at + head.len()].copy_from_slice(head);
            at += head.len();
            space[at] = b' ';
            at += 1;
            let mut number = itoa::Buffer::new();
            let time = number.format(line.time_ns).as_bytes();
            space[at..at + time.len()].copy_from_slice(time);
            at += time.len();
            space[at] = b'\n';
            at += 1;
        }
        assert_eq!(at, bytes, "the length was counted exactly");
    })?;
    placed.last = Some(place);
    placed.pieces.push((place.number, place.offset..place.offset + bytes));
    for target in targets {
        match placed.last_frames.iter_mut().find(|(known, _)| known == target) {
            Some((_, frame)) => *frame = place.number,
            None => placed.last_frames.push((*target, place.number)),
        }
    }
    Ok(())
}
