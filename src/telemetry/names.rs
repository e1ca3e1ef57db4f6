//! Every metric's name, and what it means.

use metrics::{describe_counter, describe_gauge};

pub const BUILD_INFO: &str = "circlet_build_info";
pub const START_TIME_SECONDS: &str = "circlet_start_time_seconds";
pub const READY: &str = "circlet_ready";
pub const RELOAD_SUCCESSFUL: &str = "circlet_config_last_reload_successful";
pub const RELOAD_SUCCESS_TIME: &str = "circlet_config_last_reload_success_timestamp_seconds";
pub const HTTP_REQUESTS: &str = "circlet_http_requests_total";
pub const HTTP_REJECTED: &str = "circlet_http_rejected_total";
pub const HTTP_CONNECTIONS: &str = "circlet_http_connections";
pub const HTTP_BODY_BYTES: &str = "circlet_http_request_bytes_total";
pub const LINES_ACCEPTED: &str = "circlet_lines_accepted_total";
pub const LINES_REJECTED: &str = "circlet_lines_rejected_total";
pub const WAL_FRAMES: &str = "circlet_wal_frames_total";
pub const WAL_BYTES: &str = "circlet_wal_appended_bytes_total";
pub const WAL_DISK_BYTES: &str = "circlet_wal_disk_bytes";
pub const WAL_PACKED_BYTES: &str = "circlet_wal_packed_bytes";
pub const WAL_SPILLED: &str = "circlet_wal_spilled_bytes_total";
pub const WAL_SEGMENTS: &str = "circlet_wal_segments";
pub const WAL_FAILURES: &str = "circlet_wal_failures_total";
pub const LOST_POINTS: &str = "circlet_lost_points_total";
pub const REJECTS: &str = "circlet_rejects_total";
pub const BACKEND_UP: &str = "circlet_backend_up";
pub const BACKEND_INCOMPLETE: &str = "circlet_backend_incomplete";
pub const BACKEND_WRITES: &str = "circlet_backend_writes_total";
pub const BACKEND_LINES: &str = "circlet_backend_lines_total";
pub const BACKLOG_BYTES: &str = "circlet_backend_backlog_bytes";
pub const BACKLOG_AGE: &str = "circlet_backend_backlog_age_seconds";
pub const PARKED: &str = "circlet_backend_parked_databases";
pub const ORDER_WINDOW: &str = "circlet_order_window_seconds";
pub const BACKEND_DROPPED: &str = "circlet_backend_dropped_points_total";
pub const BACKLOG_FULL: &str = "circlet_backend_backlog_full";
pub const WRITES_REFUSED: &str = "circlet_writes_refused_total";
pub const DISK_FREE: &str = "circlet_disk_free_bytes";
pub const DISK_MIN_FREE: &str = "circlet_disk_min_free_bytes";
pub const BALLAST: &str = "circlet_wal_ballast_bytes";
pub const QUERIES: &str = "circlet_queries_total";
pub const QUERIES_RUNNING: &str = "circlet_queries_running";
pub const FAILOVERS: &str = "circlet_query_failovers_total";
pub const STAGE_SECONDS: &str = "circlet_stage_duration_seconds";
pub const STAGE_COUNT: &str = "circlet_stage_total";
pub const CERTIFICATE_EXPIRY: &str = "circlet_certificate_expiry_timestamp_seconds";
pub const MEMORY_USED: &str = "circlet_memory_used_bytes";
pub const SHARD_BUSY: &str = "circlet_shard_busy_ratio";
pub const SHARD_BUSY_SECONDS: &str = "circlet_shard_busy_seconds_total";
pub const LOG_DROPPED: &str = "circlet_log_dropped_total";
pub const HANDED_OVER: &str = "circlet_http_connections_handed_over_total";
pub const STORE_HTTP_REQUESTS: &str = "circlet_store_http_requests_total";
pub const STORE_HTTP_REJECTED: &str = "circlet_store_http_rejected_total";
pub const STORE_HTTP_BODY_BYTES: &str = "circlet_store_http_request_bytes_total";
pub const STORE_HTTP_CONNECTIONS: &str = "circlet_store_http_connections";
pub const STORE_OPEN: &str = "circlet_store_open";
pub const STORE_VALUES: &str = "circlet_store_values_written_total";
pub const STORE_POINTS: &str = "circlet_store_points_written_total";
pub const STORE_DROPPED: &str = "circlet_store_points_dropped_total";
pub const STORE_WRITES_FAILED: &str = "circlet_store_writes_failed_total";
pub const STORE_DATABASES: &str = "circlet_store_databases";
pub const STORE_WINDOWS: &str = "circlet_store_windows";
pub const STORE_SERIES: &str = "circlet_store_series";
pub const STORE_FILES: &str = "circlet_store_files";
pub const STORE_FILE_BYTES: &str = "circlet_store_file_bytes";
pub const STORE_CACHE_BYTES: &str = "circlet_store_cache_bytes";
pub const STORE_LOG_BYTES: &str = "circlet_store_log_bytes";
pub const STORE_LOG_SYNCS: &str = "circlet_store_log_syncs_total";
pub const STORE_SNAPSHOTS: &str = "circlet_store_snapshots_total";
pub const STORE_SNAPSHOTS_FAILED: &str = "circlet_store_snapshots_failed_total";
pub const STORE_COMPACTIONS: &str = "circlet_store_compactions_total";
pub const STORE_COMPACTIONS_FAILED: &str = "circlet_store_compactions_failed_total";
pub const STORE_EXPIRED: &str = "circlet_store_windows_expired_total";
pub const STORE_DAMAGED: &str = "circlet_store_damaged_places";

/// Tells the recorder what each name means.
pub(super) fn describe() {
    let counters: [(&'static str, &'static str); 20] = [
        (HTTP_REQUESTS, "Requests answered, by endpoint and status code"),
        (HTTP_REJECTED, "Requests refused before they were understood, by reason"),
        (HTTP_BODY_BYTES, "Bytes of request bodies as they were sent, by content encoding"),
        (HANDED_OVER, "Connections that a shard accepted and another, less busy one serves"),
        (LINES_ACCEPTED, "Lines that passed the check and entered the log"),
        (LINES_REJECTED, "Lines that did not pass the check"),
        (WAL_FRAMES, "Frames brought to stable storage"),
        (WAL_BYTES, "Bytes of frames written to the log"),
        (WAL_FAILURES, "Commits that the disk refused"),
        (WAL_SPILLED, "Bytes of dense copies that were made of what old segments owed"),
        (LOST_POINTS, "Points that were acknowledged and lost, by the way they went; must be 0"),
        (REJECTS, "Lines and statements that a backend refused for good, kept in the rejects"),
        (BACKEND_WRITES, "Write requests sent to a backend, by the meaning of its answer"),
        (BACKEND_LINES, "Lines that a backend confirmed"),
        (BACKEND_DROPPED, "Points that a backend was owed and that gave way to a limit, by limit"),
        (WRITES_REFUSED, "Writes that were refused for want of room, by what is full"),
        (QUERIES, "Queries, by language and outcome"),
        (FAILOVERS, "Queries that went to another circle because the first one failed"),
        (LOG_DROPPED, "Lines of the process's log that nobody read in time; they are gone"),
        (STAGE_COUNT, "Requests that went through a stage"),
    ];
    for (name, text) in counters {
        describe_counter!(name, text);
    }
    describe_gauge!(SHARD_BUSY, "Share of the last second that a shard's thread was busy, 0 to 1");
    describe_gauge!(SHARD_BUSY_SECONDS, "CPU time that a shard's thread has used, in seconds");
    let gauges: [(&'static str, &'static str); 23] = [
        (BUILD_INFO, "1, with the version as a label"),
        (START_TIME_SECONDS, "Start of the process, in seconds since 1970"),
        (READY, "1 while writes are taken"),
        (RELOAD_SUCCESSFUL, "1 if the configuration was taken over when it was read last"),
        (RELOAD_SUCCESS_TIME, "When it was last taken over, in seconds since 1970"),
        (HTTP_CONNECTIONS, "Open client connections"),
        (WAL_DISK_BYTES, "Bytes of segments that hold frames"),
        (WAL_PACKED_BYTES, "Of these, bytes of dense copies of what old segments owed"),
        (WAL_SEGMENTS, "Segments that hold frames"),
        (BACKEND_UP, "1 while a backend answers the prober"),
        (BACKEND_INCOMPLETE, "1 while a backend may lack points that other circles have"),
        (BACKLOG_BYTES, "Bytes of lines that a backend has not confirmed yet"),
        (BACKLOG_AGE, "Age of the oldest unconfirmed frame of a backend, in seconds"),
        (PARKED, "Databases whose lines wait because the backend does not take them"),
        (ORDER_WINDOW, "How long after an acknowledgement another connection's write wins"),
        (BACKLOG_FULL, "1 while writes for a backend are refused because its backlog is full"),
        (QUERIES_RUNNING, "Queries that run now, over all shards"),
        (DISK_FREE, "Bytes that are free on the file system of the logs"),
        (DISK_MIN_FREE, "Bytes of it that are to stay free"),
        (BALLAST, "Bytes held in reserve for a full disk; 0 while they are given up"),
        (CERTIFICATE_EXPIRY, "When the certificate that is shown ends, in seconds since 1970"),
        (MEMORY_USED, "Bytes of memory in use, without the holes that the allocator keeps"),
        (STAGE_SECONDS, "Duration of a stage, by quantile"),
    ];
    for (name, text) in gauges {
        describe_gauge!(name, text);
    }
    describe_store();
}

fn describe_store() {
    let counters: [(&'static str, &'static str); 13] = [
        (STORE_HTTP_REQUESTS, "Requests that a store answered, by endpoint and status code"),
        (
            STORE_HTTP_REJECTED,
            "Requests that a store refused before they were understood, by reason",
        ),
        (STORE_HTTP_BODY_BYTES, "Bytes of request bodies that a store got, by content encoding"),
        (STORE_VALUES, "Values that a store was given and that are durable, one for each field"),
        (STORE_POINTS, "Points that a store was given and that are durable"),
        (STORE_DROPPED, "Points that a store refused: type of a field, retention, limits"),
        (STORE_WRITES_FAILED, "Writes that a store could not make durable"),
        (STORE_LOG_SYNCS, "Times that a store's log was brought to the disk"),
        (STORE_SNAPSHOTS, "Files that a store made of points in memory"),
        (STORE_SNAPSHOTS_FAILED, "Such files that could not be made; tried again"),
        (STORE_COMPACTIONS, "Times that a store made several files one"),
        (STORE_COMPACTIONS_FAILED, "Such attempts that failed; the files are as they were"),
        (STORE_EXPIRED, "Windows that a store removed because their retention is over"),
    ];
    for (name, text) in counters {
        describe_counter!(name, text);
    }
    let gauges: [(&'static str, &'static str); 10] = [
        (STORE_HTTP_CONNECTIONS, "Open connections to a store"),
        (STORE_OPEN, "1 once a store has read its files and serves"),
        (STORE_DATABASES, "Databases of a store"),
        (STORE_WINDOWS, "Windows of time that have points, of all policies"),
        (STORE_SERIES, "Series of all databases of a store"),
        (STORE_FILES, "TSM files of a store"),
        (STORE_FILE_BYTES, "Bytes of these files"),
        (STORE_CACHE_BYTES, "Memory of points that are in no file yet"),
        (STORE_LOG_BYTES, "Bytes of a store's log"),
        (
            STORE_DAMAGED,
            "Damaged places that a store has found since its start; the rest is served",
        ),
    ];
    for (name, text) in gauges {
        describe_gauge!(name, text);
    }
}
