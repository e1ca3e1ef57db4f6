//! Lines grouped by their sets of backends, without sorting them.

use super::batch::Checked;
use crate::ring::TargetSetNo;
use std::ops::Range;

/// The lines of one set in one piece of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub set: TargetSetNo,
    pub points: u32,
    /// Its place among the bytes of the piece.
    pub bytes: Range<usize>,
}

/// The groups of one piece, in the order in which they first occur. Used again for every piece, so that
/// nothing is allocated. Lives on: the shard that owns the log.
#[derive(Debug, Default)]
pub struct Groups {
    groups: Vec<Group>,
    /// By the number of a set its place in `groups`, if the group there says that it is this set.
    places: Vec<u32>,
}

impl Groups {
    /// Counts lines from the front as long as they fit `room` bytes, of which every group takes `overhead`.
    /// Gives how many lines that are, and their bytes.
    pub fn count(&mut self, lines: &[Checked], room: usize, overhead: usize) -> (usize, usize) {
        self.groups.clear();
        let mut left = room;
        let mut count = 0;
        let mut bytes = 0;
        for line in lines {
            let place = match self.place(line.set) {
                Some(place) => place,
                None if overhead <= left => {
                    left -= overhead;
                    self.add(line.set)
                }
                None => break,
            };
            let Some(rest) = left.checked_sub(line.len as usize) else { break };
            left = rest;
            let group = &mut self.groups[place];
            group.points += 1;
            group.bytes.end += line.len as usize;
            count += 1;
            bytes += line.len as usize;
        }
        // The line that did not fit may have been the first of its set.
        if self.groups.last().is_some_and(|group| group.points == 0) {
            self.groups.pop();
        }
        self.lay_out();
        (count, bytes)
    }

    pub fn all(&self) -> &[Group] {
        &self.groups
    }

    /// Copies the counted lines: each group's side by side, in their order.
    pub fn copy(&mut self, body: &[u8], lines: &[Checked], space: &mut [u8]) {
        let mut rest = lines;
        while let Some(line) = rest.first() {
            let place = self.place(line.set).expect("every counted line has a group");
            // What is left of the group's place.
            let left = &mut self.groups[place].bytes;
            let space = &mut space[left.clone()];
            let (count, bytes) = match line.is_verbatim() {
                true => copy_verbatim(body, rest, space),
                false => (1, line.write(body, space)),
            };
            left.start += bytes;
            rest = &rest[count..];
        }
        let is_full = |group: &Group| group.bytes.is_empty();
        assert!(self.groups.iter().all(is_full), "the lengths were counted exactly");
    }

    fn place(&self, set: TargetSetNo) -> Option<usize> {
        let place = *self.places.get(set.0 as usize)? as usize;
        self.groups.get(place).is_some_and(|group| group.set == set).then_some(place)
    }

    fn add(&mut self, set: TargetSetNo) -> usize {
        let (number, place) = (set.0 as usize, self.groups.len());
        if self.places.len() <= number {
            self.places.resize(number + 1, 0);
        }
        self.places[number] = u32::try_from(place).expect("there are fewer groups than lines");
        self.groups.push(Group { set, points: 0, bytes: 0..0 });
        place
    }

    fn lay_out(&mut self) {
        let mut at = 0;
        for group in &mut self.groups {
            group.bytes = at..at + group.bytes.len();
            at = group.bytes.end;
        }
    }
}

/// Copies the first line and those that follow it in the body as they will in the log: how many, and their bytes.
fn copy_verbatim(body: &[u8], lines: &[Checked], space: &mut [u8]) -> (usize, usize) {
    let follows = |pair: &[Checked]| {
        let (one, next) = (&pair[0], &pair[1]);
        next.set == one.set && next.is_verbatim() && next.from == one.from + one.len
    };
    let count = 1 + lines.windows(2).take_while(|pair| follows(pair)).count();
    let (first, last) = (&lines[0], &lines[count - 1]);
    let bytes = &body[first.from as usize..(last.from + last.len) as usize];
    space[..bytes.len()].copy_from_slice(bytes);
    (count, bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(body: &str, sets: &[u32]) -> Vec<Checked> {
        let mut at = 0;
        let mut lines = Vec::new();
        for (text, set) in body.split_inclusive('\n').zip(sets) {
            let (head, time) = text.trim_end().rsplit_once(' ').unwrap();
            let time_ns = time.parse().unwrap();
            let set = TargetSetNo(*set);
            lines.push(Checked::new(body.as_bytes(), at, head.len(), time_ns, true, set));
            at += text.len();
        }
        lines
    }

    fn grouped(body: &str, sets: &[u32], room: usize) -> (usize, String, Vec<(u32, u32)>) {
        let lines = lines(body, sets);
        let mut groups = Groups::default();
        // An earlier piece leaves nothing behind.
        groups.count(&lines, usize::MAX, 0);
        let (count, bytes) = groups.count(&lines, room, 10);
        let seen = groups.all().iter().map(|group| (group.set.0, group.points)).collect();
        let mut space = vec![b'?'; bytes];
        groups.copy(body.as_bytes(), &lines[..count], &mut space);
        (count, String::from_utf8(space).unwrap(), seen)
    }

    #[test]
    fn lines_of_one_set_stand_side_by_side_in_their_order() {
        let body = "a v=1 1\nb v=1 2\nb v=2 3\na v=2 4\nc v=1 05\na v=3 6";
        let (count, text, seen) = grouped(body, &[7, 2, 2, 7, 0, 7], usize::MAX);
        assert_eq!(text, "a v=1 1\na v=2 4\na v=3 6\nb v=1 2\nb v=2 3\nc v=1 5\n");
        assert_eq!((count, seen), (6, vec![(7, 3), (2, 2), (0, 1)]));
    }

    #[test]
    fn a_piece_ends_before_the_line_that_does_not_fit() {
        let body = "a v=1 1\nb v=1 2\na v=2 3\n";
        for (room, lines, groups) in [(17, 0, 0), (18, 1, 1), (35, 1, 1), (36, 2, 2), (44, 3, 2)] {
            let (count, text, seen) = grouped(body, &[0, 1, 0], room);
            assert_eq!((count, seen.len()), (lines, groups), "{room}");
            assert_eq!(text.lines().count(), lines, "{room}");
        }
    }
}
