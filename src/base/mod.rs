//! What std lacks: ids, limits, time types, checksums, fast maps, mapped files, settings that change.
//!
//! Promises: nothing here does I/O but `mapped`, and nothing reads a clock.
//!
//! It does not know any word of the product but the names of its ids.
//!
//! Read in this order: `ids`, `time`, `limits`, `checksum`, `map`, `mapped`, `current`, `planted`, `failpoint`.

pub mod checksum;
pub mod current;
pub mod failpoint;
pub mod ids;
pub mod limits;
pub mod map;
pub mod mapped;
pub mod planted;
pub mod short_name;
pub mod time;
