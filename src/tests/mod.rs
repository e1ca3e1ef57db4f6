//! Laws that hold across folders.

mod house;
mod world;
