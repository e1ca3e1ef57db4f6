//! What is written: points whose every part follows from a number, so that a check needs no copy.
//!
//! Point n belongs to request n / lines, which connection (request mod connections) sends. Its time is
//! base + n nanoseconds, its measurement n mod measurements, its tag `conn` the connection. Version v
//! of it has seq = n * versions + v, and the field `check` mixes seq with the base of the run.

use circlet_load::data::mix;
use std::io::Write;

/// Versions of each point with `--overwrite`.
pub const OVERWRITES: u64 = 4;

/// The numbers that fix every point of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Time of point 0, in nanoseconds since 1970.
    pub base_ns: u64,
    /// Points of one request.
    pub lines: u64,
    pub connections: u64,
    pub measurements: u64,
    pub versions: u64,
}

impl Layout {
    pub fn request_of(&self, point: u64) -> u64 {
        point / self.lines
    }

    pub fn connection_of(&self, point: u64) -> u64 {
        self.request_of(point) % self.connections
    }

    pub fn measurement_of(&self, point: u64) -> u64 {
        point % self.measurements
    }

    pub fn sequence(&self, point: u64, version: u64) -> u64 {
        point * self.versions + version
    }

    /// The checksum that goes with a sequence number, over all 64 bits, so that a rounding shows.
    pub fn check(&self, sequence: u64) -> i64 {
        mix(self.base_ns ^ mix(sequence)).cast_signed()
    }

    /// Writes the lines of one version of a request.
    pub fn body(&self, prefix: &str, request: u64, version: u64, out: &mut Vec<u8>) {
        out.clear();
        for point in request * self.lines..(request + 1) * self.lines {
            let sequence = self.sequence(point, version);
            let check = self.check(sequence);
            let (measurement, connection) = (self.measurement_of(point), self.connection_of(point));
            let time_ns = self.base_ns + point;
            writeln!(
                out,
                "{prefix}{measurement},conn={connection} seq={sequence}i,check={check}i {time_ns}"
            )
            .expect("a vector takes every byte");
        }
    }
}
