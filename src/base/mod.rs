//! What std lacks: ids, limits, time types, checksums, fast maps, mapped files.
//!
//! Promises: nothing here does I/O but `mapped`, nothing reads a clock, nothing knows a word of the product.
//!
//! Read in this order: `ids`, `time`, `limits`, `checksum`, `map`, `mapped`.

pub mod checksum;
pub mod ids;
pub mod limits;
pub mod map;
pub mod time;
