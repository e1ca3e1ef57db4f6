//! The fast ways find the same lines as the grammar alone: the same places, times, numbers and reasons.
#![no_main]

use circlet::proto::line::{Line, LineError, Lines, Precision, Rules, Way};
use libfuzzer_sys::fuzz_target;

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

/// Where what was found lies, as slices that are equal need not be the same ones.
fn place(body: &[u8], found: &Result<Line<'_>, LineError<'_>>) -> [usize; 2] {
    let at = |slice: &[u8]| slice.as_ptr() as usize - body.as_ptr() as usize;
    match found {
        Ok(line) => [at(line.head), at(line.measurement)],
        Err(error) => [at(error.line), 0],
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, body)) = data.split_first() else { return };
    // A box of its own has nothing behind the body, so reading there would be found.
    let body = Box::<[u8]>::from(body);
    for way in [Way::Best, Way::Portable] {
        let mut reference = Lines::by(Way::Grammar, &body, rules(*choice));
        let mut fast = Lines::by(way, &body, rules(*choice));
        loop {
            let (expected, found) = (reference.next(), fast.next());
            assert_eq!(found, expected, "{way:?}");
            let (Some(expected), Some(found)) = (expected, found) else { break };
            assert_eq!(place(&body, &found), place(&body, &expected), "{way:?}");
        }
    }
});
