//! HTTP/1.1 as bytes: heads, body framing, gzip, parameters and JSON texts, for both sides of a connection.
//!
//! Promises: no input panics; however the bytes are cut into reads, the result is the same; what two parsers
//! could read differently (two lengths, a length beside chunks, bare line feeds, folded fields) is an error,
//! never a choice.
//!
//! Does not know: sockets, time-outs, status codes, endpoints.
//!
//! Read in this order: `scan` (where a head ends), `request` and `response` (what it says), `chunked` and
//! `body` (where the body ends), `inflate`, `deflate`, `params`, `json`.

pub mod body;
pub mod chunked;
pub mod deflate;
pub mod inflate;
pub mod inflate_whole;
pub mod json;
pub mod params;
pub mod request;
pub mod response;
pub mod scan;
