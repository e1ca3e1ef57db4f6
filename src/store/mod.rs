//! The embedded engine, so that Circlet runs without a server beside it. Not written yet.
//!
//! Promises: nothing so far; a configuration that names it is refused.
//!
//! Does not know: HTTP, rings, circles. Shards will reach it through `backend`, as they reach a remote.
//!
//! Read in this order: this page is all there is.
