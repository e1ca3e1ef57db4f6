//! Sections whose values stand almost alone: raw and checked in one step, with their defaults.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::budget::{self, RawBacklog};
use super::checked::{
    Ack, Consistency, LogConfig, LogSync, MinFree, OnFull, ProbeConfig, QueryConfig, ServerConfig,
    StoreConfig, WriteConfig,
};
use super::problem::Problems;
use super::section::Section;
use crate::base::limits;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

const fn millis(least: u64, most: u64) -> RangeInclusive<Duration> {
    Duration::from_millis(least)..=Duration::from_millis(most)
}

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 3_600_000;

/// A section that may be absent: then every key has its default.
struct Reader<'a, 'p> {
    section: Option<Section<'a>>,
    problems: &'p mut Problems,
}

impl<'a, 'p> Reader<'a, 'p> {
    fn open(
        file: &mut Section<'a>,
        key: &'static str,
        problems: &'p mut Problems,
    ) -> Reader<'a, 'p> {
        Reader { section: file.table(key, problems), problems }
    }

    fn duration(
        &mut self,
        key: &'static str,
        default_ms: u64,
        range: RangeInclusive<Duration>,
    ) -> Duration {
        let section = self.section.as_mut();
        let written = section.and_then(|it| it.duration(key, range, self.problems));
        written.unwrap_or(Duration::from_millis(default_ms))
    }

    fn size(&mut self, key: &'static str, default: u64, range: RangeInclusive<u64>) -> usize {
        let section = self.section.as_mut();
        let written = section.and_then(|it| it.size(key, range, self.problems));
        usize::try_from(written.unwrap_or(default)).expect("a size of memory on 64 bits")
    }

    fn word<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)], default: T) -> T {
        let section = self.section.as_mut();
        section.and_then(|it| it.word(key, words, self.problems)).unwrap_or(default)
    }

    /// Something that needs more than a key and a range; nothing if the section is absent.
    fn read<T>(
        &mut self,
        read: impl FnOnce(&mut Section<'a>, &mut Problems) -> Option<T>,
    ) -> Option<T> {
        let section = self.section.as_mut()?;
        read(section, self.problems)
    }

    fn boolean(&mut self, key: &'static str) -> bool {
        let section = self.section.as_mut();
        section.and_then(|it| it.boolean(key, self.problems)).unwrap_or(false)
    }

    /// A relation between two keys of this section.
    fn demand(&mut self, holds: bool, key: &'static str, what: &str, mend: &str) {
        if let Some(section) = &self.section
            && !holds
        {
            self.problems.add(&section.place_of(key), what, mend);
        }
    }

    fn finish(self) {
        if let Some(section) = self.section {
            section.finish(self.problems);
        }
    }
}

pub fn server(file: &mut Section<'_>, problems: &mut Problems) -> ServerConfig {
    let mut reader = Reader::open(file, "server", problems);
    let line = limits::LINE_BYTES_MAX as u64;
    let mut connections = |key| {
        let written = reader.read(|it, problems| it.integer(key, 1..=1_000_000, problems));
        written.map(|number| number as usize)
    };
    let connections_max = connections("max_connections").unwrap_or(10_000);
    let connections_per_address_max = connections("max_connections_per_address");
    let server = ServerConfig {
        body_bytes_max: reader.size("max_body", 25_000_000, KIB..=GIB),
        inflated_body_bytes_max: reader.size("max_inflated_body", 100 * MIB, line..=4 * GIB),
        header_timeout: reader.duration("header_timeout", 10_000, millis(100, HOUR_MS)),
        idle_timeout: reader.duration("idle_timeout", MINUTE_MS, millis(100, HOUR_MS)),
        body_timeout: reader.duration("body_timeout", 30_000, millis(100, HOUR_MS)),
        body_rate_min: reader.size("min_body_rate", KIB, 0..=GIB) as u64,
        connections_max,
        connections_per_address_max,
        shutdown_timeout: reader.duration("shutdown_timeout", 30_000, millis(0, HOUR_MS)),
        memory_bytes: reader.size("memory", 256 * MIB, 4 * MIB..=1024 * GIB),
    };
    reader.demand(
        server.memory_bytes >= server.body_bytes_max,
        "memory",
        "less than one body of max_body",
        "raise memory or lower max_body",
    );
    reader.finish();
    server
}

pub fn write(file: &mut Section<'_>, problems: &mut Problems) -> WriteConfig {
    let mut reader = Reader::open(file, "write", problems);
    let write = WriteConfig {
        ack: reader.word("ack", Ack::WORDS, Ack::Delivered),
        ack_wait: reader.duration("ack_wait", 3_000, millis(10, 10 * MINUTE_MS)),
        consistency: reader.word("consistency", Consistency::WORDS, Consistency::Ignore),
        sync_interval: reader.duration("sync_interval", 100, millis(1, MINUTE_MS)),
        accept_partial: reader.boolean("accept_partial"),
        retry_min: reader.duration("retry_min", 500, millis(10, MINUTE_MS)),
        retry_max: reader.duration("retry_max", 30_000, millis(10, HOUR_MS)),
    };
    reader.demand(
        write.retry_min <= write.retry_max,
        "retry_min",
        "longer than retry_max",
        "lower retry_min or raise retry_max",
    );
    reader.finish();
    write
}

/// The section, and its keys that hold for every backend without its own.
pub fn log(file: &mut Section<'_>, problems: &mut Problems) -> (LogConfig, RawBacklog) {
    let mut reader = Reader::open(file, "log", problems);
    let section = reader.section.as_mut();
    let segment = section.and_then(|it| {
        it.size("segment_bytes", limits::FRAME_BYTES_MAX as u64 * 2..=GIB, reader.problems)
    });
    let log = LogConfig {
        segment_bytes: segment,
        hot_window_bytes: reader.size("hot_window", 40 * MIB, MIB..=64 * GIB),
        sync: reader.word("sync", LogSync::WORDS, LogSync::Fdatasync),
        bytes_max: reader.read(|it, problems| it.size("max_bytes", budget::BYTES, problems)),
        min_free: reader
            .read(|it, problems| Some(budget::min_free(it, problems)))
            .unwrap_or(MinFree::Automatic),
        on_full: reader.word("on_full", OnFull::WORDS, OnFull::Reject),
        spill_after: reader.duration("spill_after", 10 * MINUTE_MS, millis(0, 24 * HOUR_MS)),
    };
    let backlog = reader.read(|it, problems| Some(RawBacklog::read(it, problems)));
    let page = limits::PAGE as u64;
    reader.demand(
        log.segment_bytes.is_none_or(|bytes| bytes % page == 0),
        "segment_bytes",
        "not a whole number of pages of 4KiB",
        "choose a multiple of 4KiB, such as \"64MiB\"",
    );
    reader.finish();
    (log, backlog.unwrap_or_default())
}

pub fn query(file: &mut Section<'_>, problems: &mut Problems) -> QueryConfig {
    let mut reader = Reader::open(file, "query", problems);
    let queries = reader.read(|it, problems| it.integer("max_queries", 1..=10_000, problems));
    let query = QueryConfig {
        timeout: reader.duration("timeout", MINUTE_MS, millis(100, 24 * HOUR_MS)),
        stale_after: reader.duration("stale_after", 3_000, millis(100, HOUR_MS)),
        queries_max: queries.map_or(64, |number| number as usize),
    };
    reader.finish();
    query
}

pub fn probe(file: &mut Section<'_>, problems: &mut Problems) -> ProbeConfig {
    let mut reader = Reader::open(file, "probe", problems);
    let probe = ProbeConfig {
        interval: reader.duration("interval", 1_000, millis(50, HOUR_MS)),
        catalogue_interval: reader.duration("catalogue_interval", 10_000, millis(100, HOUR_MS)),
        timeout: reader.duration("timeout", 2_000, millis(50, 5 * MINUTE_MS)),
    };
    reader.finish();
    probe
}

pub fn store(file: &mut Section<'_>, problems: &mut Problems) -> StoreConfig {
    const MANY: RangeInclusive<u32> = 0..=u32::MAX;
    let default = StoreConfig::default();
    let mut reader = Reader::open(file, "embedded", problems);
    let mut count = |key, range: RangeInclusive<u32>, default: usize| {
        let written = reader.read(|it, problems| it.integer(key, range, problems));
        written.map_or(default, |number| number as usize)
    };
    let (series_max, values_per_tag_max) = (
        count("max_series", MANY, default.series_max),
        count("max_tag_values", MANY, default.values_per_tag_max),
    );
    let queries_max = count("max_queries", 1..=1000, default.queries_max);
    let store = StoreConfig {
        series_max,
        values_per_tag_max,
        cache_bytes_max: reader.size("cache", default.cache_bytes_max, 32 * MIB..=1024 * GIB)
            as u64,
        query_bytes_max: reader.size("query_memory", default.query_bytes_max, MIB..=1024 * GIB)
            as u64,
        query_timeout: reader
            .read(|it, problems| it.duration("query_timeout", millis(1, 24 * HOUR_MS), problems)),
        queries_max,
        ..default
    };
    reader.finish();
    store
}

/// Whether answers carry the headers for debugging.
pub fn debug_headers(file: &mut Section<'_>, problems: &mut Problems) -> bool {
    let mut reader = Reader::open(file, "debug", problems);
    let headers = reader.boolean("headers");
    reader.finish();
    headers
}
