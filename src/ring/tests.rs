//! Laws of placement and naming.
