//! Laws of a whole connection, without sockets.

mod framing;
mod telegraf;
mod vectors;
mod world;
