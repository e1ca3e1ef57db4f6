//! The log of the process: one line an event, on standard error, as text or JSON.
//!
//! Promises: nothing here waits, whoever reads or does not; what goes missing is counted and told; no value
//! is longer than 256 bytes, so that no payload gets in; one place in the source says at most 20 lines in 10 s,
//! and then how many there would have been; a value cannot begin a line of its own.
//!
//! Does not know: what is worth telling. A secret never gets here: `config::Secret` shows nothing of itself.
//!
//! Its level may change while it runs.
//!
//! Read in this order: `event` (what a line looks like), `places` (how many of them), `pipe` (out, without
//! waiting), `recent` (the last ones, for whoever asks).

mod event;
mod pipe;
mod places;
mod recent;

pub use recent::recent;

use metrics::counter;
use rustix::time::{ClockId, clock_gettime};
use std::io;
use std::os::fd::AsFd;
use std::sync::OnceLock;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, reload};

use super::names;
use event::Line;
use pipe::Pipe;
use places::{Places, Verdict};

/// What a line is written as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    #[default]
    Text,
    /// One object a line: `time`, `level`, `message`, `place`, `fields`.
    Json,
}

impl Format {
    /// `text` or `json`.
    pub fn of(word: &str) -> Option<Format> {
        match word {
            "text" => Some(Format::Text),
            "json" => Some(Format::Json),
            _ => None,
        }
    }
}

/// Shared: by all threads, which log seldom.
static PIPE: Pipe = Pipe::new();
/// Shared: by all threads; atomics.
static PLACES: Places = Places::new();

/// Puts another level into the filter that runs.
static SET_LEVEL: OnceLock<Box<dyn Fn(EnvFilter) + Send + Sync>> = OnceLock::new();

/// From here on this level holds, unless the environment had said what is logged.
pub fn set_level(level: &str) {
    if let Some(set) = SET_LEVEL.get() {
        set(EnvFilter::new(level));
    }
}

/// Starts logging. `filter` is in the words of `RUST_LOG`; without it, or with bad ones, `level` holds. A format
/// that is no word counts as text, and is told.
pub fn start(filter: Option<&str>, level: &str, format: Option<&str>) {
    let given = filter.and_then(|text| EnvFilter::try_new(text).ok());
    let is_given = given.is_some();
    let (filter, handle) = reload::Layer::new(given.unwrap_or_else(|| EnvFilter::new(level)));
    let chosen = format.filter(|word| !word.is_empty()).map(Format::of);
    let layer = Log { format: chosen.flatten().unwrap_or_default() };
    // A second start, in tests, changes nothing.
    if Registry::default().with(filter).with(layer).try_init().is_ok() && !is_given {
        // Only a subscriber that is gone takes none, and this one stays.
        let set = move |filter: EnvFilter| handle.reload(filter).unwrap_or(());
        SET_LEVEL.set(Box::new(set)).unwrap_or(());
    }
    if chosen == Some(None) {
        tracing::warn!("the format of the log is \"text\" or \"json\"; it is text now");
    }
}

/// Makes the counter, once there is somebody to count for.
pub(super) fn count_from_the_start() {
    counter!(names::LOG_DROPPED).increment(0);
}

/// Tells what was held back at places whose window is over. Call it every second or so.
pub fn tick() {
    tell_held(now_ms());
}

/// Tells all that was held back, at the end of the process.
pub fn finish() {
    tell_held(u64::MAX);
}

fn tell_held(now: u64) {
    tracing::dispatcher::get_default(|dispatch| {
        if let Some(log) = dispatch.downcast_ref::<Log>() {
            PLACES.each_overdue(now, |metadata, text, held| log.summarise(metadata, text, held));
        }
    });
}

/// The layer that takes every event which the filter lets through.
struct Log {
    format: Format,
}

impl<S: Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let now = now_ms();
        let verdict = PLACES.ask(metadata, now);
        if let Verdict::Hold = verdict {
            return;
        }
        let line = Line::of(event);
        if let Verdict::TellAfter { held } = verdict {
            self.summarise(metadata, &line.message, held);
        }
        PLACES.remember(metadata, &line.message);
        self.put(&line);
    }
}

impl Log {
    fn summarise(&self, metadata: &'static Metadata<'static>, text: &str, held: u64) {
        self.put(&Line::summary(metadata, text, held, places::WINDOW_MS / 1000));
    }

    fn put(&self, line: &Line) {
        let text = line.render(self.format);
        let dropped = PIPE.put(io::stderr().as_fd(), text.as_bytes(), |count| {
            Line::of_dropped(count).render(self.format)
        });
        if dropped {
            counter!(names::LOG_DROPPED).increment(1);
        }
        recent::keep(text);
    }
}

fn now_ms() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let (seconds, ns) = (now.tv_sec.cast_unsigned(), now.tv_nsec.cast_unsigned());
    seconds * 1000 + ns / 1_000_000
}
