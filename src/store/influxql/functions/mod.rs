//! What functions make of points.
//!
//! Promises: the rules of InfluxDB 1.6 for equal values, equal times, overflow and the order of sums. Does not know:
//! series, files, rows.
//!
//! Read `reduce` (points of a window to few), `aggregate`, `select` (one of many), `rank` (top and bottom), `several`
//! (those that need all points of a window), `transform` (each point by those before), `technical`, `season`.

pub mod aggregate;
pub mod build;
pub mod fold;
pub mod rank;
pub mod reduce;
pub mod season;
pub mod several;
mod sort;
pub mod technical;
pub mod transform;
