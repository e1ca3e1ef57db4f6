//! Moving data between backends: rebalance, recover, resync, clean up. Not written yet.
//!
//! Promises: nothing so far; a start that would need it, because owners move, is refused by `shard`.
//!
//! Does not know: how the write path works inside.
//!
//! Read in this order: this page is all there is.
