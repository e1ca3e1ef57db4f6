//! Bounds that hold in every part. Under test the sizes of the log are tiny, so that every edge is met.

/// Alignment and unit of everything that the log writes, in bytes.
pub const PAGE: usize = 4096;

/// A line, without its line end, in bytes.
pub const LINE_BYTES_MAX: usize = 256 * 1024;

/// Series key, and series key + 4 + field key, in bytes: what InfluxDB's index can hold.
pub const KEY_BYTES_MAX: usize = 65_535;

/// How much of a line an error text may quote, in bytes.
pub const QUOTE_BYTES_MAX: usize = 256;

/// A request head, in bytes.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;

/// A request target, in bytes.
pub const URL_BYTES_MAX: usize = 8 * 1024;

/// Header fields of one head.
pub const HEADERS_MAX: usize = 100;

/// A frame of the log with its header, in bytes; a larger request is cut into several.
pub const FRAME_BYTES_MAX: usize = if cfg!(test) { 8 * PAGE } else { 512 * 1024 };

/// Memory for frames that were just read from disk, of each log, in bytes.
pub const COLD_BYTES_MAX: usize = if cfg!(test) { 16 * PAGE } else { 8 * 1024 * 1024 };

/// Closed segments that are left alone before older ones are packed: what is owed there is mostly on its way.
pub const SPILL_BEHIND: usize = if cfg!(test) { 1 } else { 4 };

/// A segment of the log, in bytes, where the disk is large enough.
pub const SEGMENT_BYTES: usize = if cfg!(test) { 32 * PAGE } else { 64 * 1024 * 1024 };
