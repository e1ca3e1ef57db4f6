//! What std lacks: ids, limits, time types, checksums, fast maps.
//!
//! Promises: nothing here does I/O or reads a clock.
//!
//! It does not know any word of the product but the names of its ids.
//!
//! Read in this order: `ids`, `time`, `limits`, `checksum`, `map`, `planted`.

pub mod checksum;
pub mod ids;
pub mod limits;
pub mod map;
pub mod planted;
pub mod time;
