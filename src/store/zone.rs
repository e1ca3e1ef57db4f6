//! Time zones, out of a database inside the program: an answer does not hang on the machine's own.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A zone of the IANA database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Zone {
    /// By its name, in its exact case; no name is UTC, as in Go.
    pub fn named(name: &str) -> Option<Zone> {
        if name.is_empty() || name == "UTC" {
            return Some(Zone(TimeZone::UTC));
        }
        let zone = TimeZone::get(name).ok()?;
        (zone.iana_name() == Some(name)).then_some(Zone(zone))
    }

    /// What local clocks are ahead of UTC at this moment.
    pub fn offset_ns(&self, at_ns: i64) -> i64 {
        let at = Timestamp::from_nanosecond(i128::from(at_ns));
        at.map_or(0, |at| i64::from(self.0.to_offset(at).seconds()) * 1_000_000_000)
    }

    /// The moment at which local clocks show this; of two such moments the later offset's, as Go has it.
    pub fn moment_of(&self, local: i128) -> i128 {
        let range = i128::from(i64::MIN)..=i128::from(i64::MAX);
        let offset = |at: i128| {
            let at = at.clamp(*range.start(), *range.end()) as i64;
            i128::from(self.offset_ns(at))
        };
        let first = offset(local);
        let second = offset(local - first);
        local - second
    }
}
