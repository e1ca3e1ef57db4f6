//! Time zones, from a database inside the program: an answer does not hang on the machine's own.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A zone that `tz()` names.
#[derive(Clone, Debug)]
pub struct Zone(TimeZone);

impl Zone {
    /// Names of the IANA database, in their exact case.
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
        let offset = at.map(|at| self.0.to_offset(at).seconds()).unwrap_or(0);
        i64::from(offset) * 1_000_000_000
    }

    /// The moment at which local clocks show this; of two such moments the later offset's, as Go has it.
    pub fn from_local(&self, local: i128) -> i128 {
        let offset = |at: i128| {
            i128::from(self.offset_ns(i64::try_from(at).unwrap_or(if at < 0 {
                i64::MIN
            } else {
                i64::MAX
            })))
        };
        let first = offset(local);
        let second = offset(local - first);
        local - second
    }
}
