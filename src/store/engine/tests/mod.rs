//! Laws of the engine.

mod model;
mod ways;
