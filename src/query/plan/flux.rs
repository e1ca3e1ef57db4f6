//! The plan for Flux.
