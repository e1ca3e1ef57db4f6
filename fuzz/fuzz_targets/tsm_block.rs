//! A block of points out of foreign bytes: refused or read, with as many values as times; what was read is encoded and
//! read again.
#![no_main]

use circlet::store::tsm::{count, decode, encode};
use circlet::store::value::{Column, Values};
use libfuzzer_sys::fuzz_target;

/// With the bits of floats.
fn same(one: &Column, other: &Column) -> bool {
    match (&one.values, &other.values) {
        (Values::Float(one), Values::Float(other)) => {
            one.iter().map(|value| value.to_bits()).eq(other.iter().map(|value| value.to_bits()))
        }
        (one, other) => one == other,
    }
}

fuzz_target!(|data: &[u8]| {
    let Ok(column) = decode(data) else { return };
    assert_eq!(column.len(), column.values.len());
    assert_eq!(count(data), Ok(column.len()));
    assert!(!column.is_empty());
    let mut again = Vec::new();
    encode(&column, &mut again);
    let again = decode(&again).expect("just encoded");
    assert!(column.times == again.times && same(&column, &again));
});
