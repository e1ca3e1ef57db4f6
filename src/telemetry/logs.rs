//! The log of the process: one line an event, on standard error.

use tracing_subscriber::EnvFilter;

/// Starts logging. `filter` is in the words of `RUST_LOG`; bad ones count as `info`.
pub fn start(filter: Option<&str>) {
    let filter = filter.and_then(|text| EnvFilter::try_new(text).ok());
    let filter = filter.unwrap_or_else(|| EnvFilter::new("info"));
    // A second start, in tests, changes nothing.
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false)
        .try_init()
        .unwrap_or(());
}
