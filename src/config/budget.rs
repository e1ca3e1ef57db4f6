//! What a backlog may take, and what happens beyond: the keys that stand in `[log]` for every backend and in
//! a backend's own table for that one.

use super::checked::{BacklogConfig, MinFree, OnFull};
use super::problem::{Place, Problems};
use super::section::{Section, quoted};
use super::units;
use std::ops::RangeInclusive;
use std::time::Duration;

const MIB: u64 = 1 << 20;
const TIB: u64 = 1 << 40;

/// Bytes of one backlog, and of all logs.
pub const BYTES: RangeInclusive<u64> = MIB..=1024 * TIB;

const AGE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(24 * 3650);
const RATE: RangeInclusive<u64> = 64 << 10..=64 << 30;

/// Log bytes that each core needs at least: a few of the smallest segments.
const LOG_BYTES_PER_SHARD_MIN: u64 = 8 * MIB;

/// Segments for each core that all logs must have room for: the one that is written, one that is being
/// confirmed, one that is being freed, one in reserve.
pub const SEGMENTS_PER_SHARD_MIN: u64 = 4;

/// The keys as they were written, each possibly absent.
#[derive(Clone, Default)]
pub struct RawBacklog {
    bytes_max: Option<u64>,
    age_max: Option<Duration>,
    on_full: Option<OnFull>,
    replay_rate: Option<u64>,
    on_full_place: Option<Place>,
}

impl RawBacklog {
    pub fn read(section: &mut Section<'_>, problems: &mut Problems) -> RawBacklog {
        RawBacklog {
            bytes_max: section.size("max_backlog_bytes", BYTES, problems),
            age_max: section.duration("max_backlog_age", AGE, problems),
            on_full: section.word("on_backlog_full", OnFull::WORDS, problems),
            replay_rate: section.size("replay_rate", RATE, problems),
            on_full_place: section
                .has("on_backlog_full")
                .then(|| section.place_of("on_backlog_full")),
        }
    }

    /// A backend's own keys over those of `[log]`.
    pub fn over(&self, all: &RawBacklog, problems: &mut Problems) -> BacklogConfig {
        let backlog = BacklogConfig {
            bytes_max: self.bytes_max.or(all.bytes_max),
            age_max: self.age_max.or(all.age_max),
            on_full: self.on_full.or(all.on_full).unwrap_or(OnFull::Reject),
            replay_rate: self.replay_rate.or(all.replay_rate),
        };
        let has_limit = backlog.bytes_max.is_some() || backlog.age_max.is_some();
        if let (Some(place), false) = (&self.on_full_place, has_limit) {
            let mend = "add max_backlog_bytes or max_backlog_age, here or in [log]";
            problems.add(place, "this backlog has no limit", mend);
        }
        backlog
    }
}

/// A share such as `5%`, or a size.
pub fn min_free(section: &mut Section<'_>, problems: &mut Problems) -> MinFree {
    const MEND: &str = "a share of the disk such as \"5%\", or a size such as \"10GiB\"";
    let Some(found) = section.text("min_free", problems) else { return MinFree::Automatic };
    let text = &found.value;
    let parsed = match text.strip_suffix('%') {
        Some(share) => share.trim_end().parse().ok().map(MinFree::Percent),
        None => units::size(text).map(MinFree::Bytes),
    };
    match parsed {
        None => {
            let what = format!("{} is neither a share nor a size", quoted(text));
            problems.add(&found.place, what, MEND);
            MinFree::Automatic
        }
        Some(MinFree::Percent(share)) if share > 50 => {
            problems.add(&found.place, "more than half of the disk", "choose from 0% to 50%");
            MinFree::Automatic
        }
        Some(min_free) => min_free,
    }
}

/// The logs of all cores must fit what they may take together.
pub fn check_log(
    bytes_max: Option<u64>,
    segment_bytes: Option<u64>,
    shards: u16,
    place: &Place,
    problems: &mut Problems,
) {
    let per_shard = segment_bytes
        .map_or(LOG_BYTES_PER_SHARD_MIN, |bytes| bytes.saturating_mul(SEGMENTS_PER_SHARD_MIN));
    let least = per_shard.saturating_mul(shards.into());
    if bytes_max.is_some_and(|most| most < least) {
        let what = format!("too little for the logs of {shards} cores");
        let mend = format!("at least {}, or fewer shards", units::show_size(least));
        problems.add(place, what, mend);
    }
}

impl MinFree {
    /// Bytes to be kept free on a file system of so many.
    pub fn bytes(self, whole: u64) -> u64 {
        const AUTOMATIC_MAX: u64 = 4 << 30;
        match self {
            MinFree::Automatic => (whole / 20).min(AUTOMATIC_MAX),
            MinFree::Percent(share) => whole / 100 * u64::from(share),
            MinFree::Bytes(bytes) => bytes,
        }
    }
}
