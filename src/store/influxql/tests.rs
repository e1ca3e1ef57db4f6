//! The recorded answers of a real server, and laws that they do not reach.

mod laws;
mod recorded;
