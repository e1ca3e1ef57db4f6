//! Lines of many measurements, the same in every run.

use std::fmt::Write;

/// A body of lines of about so many bytes, 50 at least, each of one of so many measurements.
pub fn body(turn: usize, count: usize, measurements: usize, bytes: usize) -> String {
    let more = "x".repeat(bytes.saturating_sub(60));
    let mut body = String::new();
    let mut random = turn as u64;
    for line in 0..count {
        // A linear congruence; its upper bits are spread well enough.
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let pick = (random >> 33) as usize % measurements;
        let (room, value) = (random >> 20 & 63, random >> 40 & 511);
        let time = 1_700_000_000_000_000_000_u64 + line as u64;
        let note = if more.is_empty() { String::new() } else { format!(",note=\"{more}\"") };
        writeln!(body, "load_{pick},unit=r{room:02} value={value:03}.5{note} {time}")
            .expect("writing to a string");
    }
    body
}
