//! Deletes out of foreign bytes, as they are and behind the head of each version.
#![no_main]

use circlet::store::tsm::tombstone_records;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let check = |bytes: &[u8]| {
        let _ = tombstone_records(bytes, |key, _| assert!(key.len() <= 65_535));
    };
    check(data);
    for version in [2, 3, 4] {
        check(&[&[0, 0, 0x15, version], data].concat());
    }
});
