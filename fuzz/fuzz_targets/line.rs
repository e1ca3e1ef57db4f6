//! Accepted lines are self-delimiting: joined by LF, in any company, the servers find the same lines again.
#![no_main]

use circlet::proto::line::{Lines, Precision, Rules};
use libfuzzer_sys::fuzz_target;

#[path = "../../src/proto/line/tests/servers.rs"]
mod servers;

/// The first byte chooses the rules.
fn rules(choice: u8) -> Rules {
    let precisions = [
        Precision::Nanoseconds,
        Precision::Microseconds,
        Precision::Milliseconds,
        Precision::Seconds,
        Precision::Minutes,
        Precision::Hours,
    ];
    Rules {
        precision: precisions[usize::from(choice & 7) % precisions.len()],
        unsigned: choice & 8 != 0,
        nul_tag_key: choice & 16 != 0,
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, body)) = data.split_first() else { return };
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for found in Lines::new(body, rules(*choice)) {
        match found {
            Ok(line) => {
                assert!(line.head.starts_with(line.measurement));
                assert!(!line.measurement_name().is_empty());
                let time = line.time.map_or(1_700_000_000_000_000_000, |time| time.0);
                lines.push([line.head, format!(" {time}").as_bytes()].concat());
            }
            Err(error) => {
                // An answer quotes it, in both dialects.
                assert!(!error.to_string().is_empty());
                assert!(!error.v2().to_string().is_empty());
            }
        }
    }
    lines.extend_from_within(..);
    lines.push(b"z v=\"q\" 1".to_vec());
    let joined = lines.join(&b'\n');
    for version_1_6 in [true, false] {
        assert_eq!(servers::lines(&joined, version_1_6), lines, "{}", body.escape_ascii());
    }
    // What was accepted once is accepted again, as the same lines.
    let again = Lines::new(&joined, Rules { precision: Precision::Nanoseconds, ..rules(*choice) });
    assert_eq!(again.filter(Result::is_ok).count(), lines.len());
});
