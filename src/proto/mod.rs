//! Pure codecs: what is on the wire, as types and back.
//!
//! Promises: no I/O, no clock, no state that outlives a call; no input panics; the line path allocates
//! nothing for a line that it accepts.
//!
//! Does not know: rings, circles, backends, the log, status codes.
//!
//! Read `line` first: it is what most bytes meet.

pub mod line;
