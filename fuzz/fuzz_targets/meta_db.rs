//! The catalogue of an InfluxDB out of foreign bytes: refused, or what was read is written and read again.
#![no_main]

use circlet::store::meta::Meta;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(meta) = Meta::decode(data) else { return };
    assert_eq!(Meta::decode(&meta.encode()), Ok(meta));
});
