//! A segment of InfluxDB's log out of foreign bytes: entries until the first that is none, and that one has a place.
#![no_main]

use circlet::store::foreign::read_segment;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut entries = 0_usize;
    if let Err((at, _)) = read_segment(data, |_| entries += 1) {
        assert!(at < data.len());
    }
    assert!(entries <= data.len() / 5);
});
