//! Laws of a whole connection, without sockets.

mod framing;
mod vectors;
mod world;
