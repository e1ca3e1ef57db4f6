//! Answers of several backends to one: pure state machines that are fed pieces and give pieces.
//!
//! Promises: what comes out is what one server with all data would have said, or an error that names what could not
//! be merged; memory holds one piece of each backend.
//!
//! Does not know: sockets, circles, who was asked and why.

pub mod flux;
pub mod influxql;
