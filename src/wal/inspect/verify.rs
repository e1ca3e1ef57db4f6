//! Reads everything in a log and tells what is damaged.

use super::LogView;
use crate::wal::recovery::Finding;
use std::ops::Range;
use std::path::PathBuf;

/// Something that was there once and cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    pub path: PathBuf,
    /// Bytes in the file, where that is known.
    pub place: Option<Range<u64>>,
    /// Numbers of the frames that are lost, where that is known.
    pub numbers: Option<Range<u64>>,
    pub what: String,
}

/// What a log was found to be.
#[derive(Clone, Debug, Default)]
pub struct Verified {
    pub segments: u64,
    pub frames: u64,
    pub bytes: u64,
    pub points: u64,
    /// Frames that were never acknowledged and are missing, which is no damage.
    pub holes: u64,
    pub damages: Vec<Damage>,
}

/// Reads every frame of a log. What the disk does not give is damage, too.
pub fn verify(view: &LogView) -> Verified {
    let mut verified = Verified::default();
    if view.has_lost_cursors {
        verified.note(view.directory.join(super::checkpoint::NAME), "no slot is whole");
    }
    for path in &view.unreadable {
        verified.note(path.clone(), "the header is unreadable in both places");
    }
    let mut expected = view.segments.first().map_or(1, |first| first.header.first_frame);
    for segment in &view.segments {
        verified.segments += 1;
        let first = segment.header.first_frame;
        if first > expected {
            let mut damage =
                Damage::of(segment.path.clone(), "frames before this segment are gone");
            damage.numbers = Some(expected..first);
            verified.damages.push(damage);
        }
        if !segment.is_header_whole {
            verified.note(segment.path.clone(), "one page of the header is unreadable");
        }
        let end = verified.read(segment, expected);
        expected = expected.max(end);
    }
    verified
}

impl Damage {
    fn of(path: PathBuf, what: impl Into<String>) -> Damage {
        Damage { path, place: None, numbers: None, what: what.into() }
    }
}

impl Verified {
    fn note(&mut self, path: PathBuf, what: &str) {
        self.damages.push(Damage::of(path, what));
    }

    /// Returns the number behind the last frame. Earlier segments hold the frames below `expected`.
    fn read(&mut self, segment: &super::SegmentView, expected: u64) -> u64 {
        let mut end = segment.header.first_frame;
        if let Some(footer) = &segment.footer {
            self.holes += super::count(&footer.holes);
            end = footer.last_frame + 1;
        }
        if let Some(packed) = &segment.header.packed {
            end = packed.end_frame;
        }
        for finding in segment.findings() {
            match finding {
                Ok(Finding::Frame { frame, .. }) => {
                    self.frames += 1;
                    self.bytes += frame.header.frame_bytes() as u64;
                    self.points += u64::from(frame.header.points);
                    end = end.max(frame.number() + 1);
                }
                Ok(Finding::Hole { numbers }) => {
                    self.holes += numbers.end - numbers.start;
                    end = end.max(numbers.end);
                }
                Ok(Finding::Damage { numbers, .. }) if numbers.end <= expected => {}
                Ok(Finding::Damage { numbers, place }) => {
                    end = end.max(numbers.end);
                    let mut damage = Damage::of(segment.path.clone(), "frames are unreadable");
                    (damage.numbers, damage.place) = (Some(numbers), Some(place));
                    self.damages.push(damage);
                }
                Err(error) => {
                    self.damages.push(Damage::of(segment.path.clone(), error.to_string()));
                    break;
                }
            }
        }
        end
    }
}
