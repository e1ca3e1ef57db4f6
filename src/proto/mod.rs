//! Pure codecs: bytes of a protocol to values and back.
//!
//! Promises: no input panics; nothing here does I/O or reads a clock; the line path allocates nothing.
//!
//! Does not know: what is done with what was read.
//!
//! Read in this order: `line`, `http`, `influxql`, `flux`, `results`, `annotated`; `moment` and `predicate` are small
//! ones.

pub mod annotated;
pub mod flux;
pub mod http;
pub mod influxql;
pub mod line;
pub mod moment;
pub mod predicate;
pub mod results;
