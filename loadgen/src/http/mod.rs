//! HTTP/1.1 by hand over blocking sockets, both sides, as much as load and proof need.
//!
//! Promise: a message is read exactly as its framing says, and a broken one is an error, never a guess.
//! It knows no paths and no line protocol. Read `wire` (bytes and heads), `body` (framing), `client`.

mod body;
mod client;
mod wire;

pub use body::Body;
pub use client::Client;
pub use wire::{Head, Wire};

use std::io;

/// One word for an I/O failure, as the reports count it.
pub fn word(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "refused",
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => "reset",
        io::ErrorKind::ConnectionAborted => "reset",
        io::ErrorKind::UnexpectedEof => "closed",
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "timeout",
        io::ErrorKind::InvalidData => "malformed",
        _ => "failed",
    }
}

/// Compresses a body into one gzip member.
pub fn gzip(plain: &[u8], level: u32, out: &mut Vec<u8>) -> io::Result<()> {
    use std::io::Write;
    out.clear();
    let mut encoder = flate2::write::GzEncoder::new(out, flate2::Compression::new(level));
    encoder.write_all(plain)?;
    encoder.finish()?;
    Ok(())
}
