//! Answers of several backends become one.
//!
//! Promises: what comes out is what one backend with all data would have answered, or an error; memory is
//! bounded. No I/O: a merger is told what arrived, and says what it needs next.
//!
//! It does not know who the backends are, nor which of them was asked for what.

pub mod flux;
