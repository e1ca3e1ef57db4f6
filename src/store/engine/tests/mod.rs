//! Laws of the engine.

mod crash;
mod damaged;
mod full;
mod kill;
mod model;
mod ways;
