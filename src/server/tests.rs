//! Laws of a whole connection, without sockets.
