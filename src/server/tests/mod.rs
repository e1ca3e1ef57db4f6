//! Laws of a whole connection, without sockets.

mod endpoints;
mod framing;
mod telegraf;
mod vectors;
mod world;

pub use world::settings;
