//! Every metric's name, and what it means.

use metrics::{describe_counter, describe_gauge};

pub const BUILD_INFO: &str = "circlet_build_info";
pub const START_TIME_SECONDS: &str = "circlet_start_time_seconds";
pub const READY: &str = "circlet_ready";
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
pub const FAILOVERS: &str = "circlet_query_failovers_total";
pub const STAGE_SECONDS: &str = "circlet_stage_duration_seconds";
pub const STAGE_COUNT: &str = "circlet_stage_total";
pub const MEMORY_USED: &str = "circlet_memory_used_bytes";
pub const SHARD_BUSY: &str = "circlet_shard_busy_ratio";
pub const SHARD_BUSY_SECONDS: &str = "circlet_shard_busy_seconds_total";
pub const HANDED_OVER: &str = "circlet_http_connections_handed_over_total";
pub const STORE_HTTP_REQUESTS: &str = "circlet_store_http_requests_total";
pub const STORE_HTTP_REJECTED: &str = "circlet_store_http_rejected_total";
pub const STORE_HTTP_BODY_BYTES: &str = "circlet_store_http_request_bytes_total";
pub const STORE_HTTP_CONNECTIONS: &str = "circlet_store_http_connections";

/// Tells the recorder what each name means.
pub(super) fn describe() {
    let counters: [(&'static str, &'static str); 19] = [
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
        (STAGE_COUNT, "Requests that went through a stage"),
    ];
    for (name, text) in counters {
        describe_counter!(name, text);
    }
    describe_gauge!(SHARD_BUSY, "Share of the last second that a shard's thread was busy, 0 to 1");
    describe_gauge!(SHARD_BUSY_SECONDS, "CPU time that a shard's thread has used, in seconds");
    let gauges: [(&'static str, &'static str); 19] = [
        (BUILD_INFO, "1, with the version as a label"),
        (START_TIME_SECONDS, "Start of the process, in seconds since 1970"),
        (READY, "1 while writes are taken"),
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
        (DISK_FREE, "Bytes that are free on the file system of the logs"),
        (DISK_MIN_FREE, "Bytes of it that are to stay free"),
        (BALLAST, "Bytes held in reserve for a full disk; 0 while they are given up"),
        (MEMORY_USED, "Bytes of memory in use, without the holes that the allocator keeps"),
        (STAGE_SECONDS, "Duration of a stage, by quantile"),
    ];
    for (name, text) in gauges {
        describe_gauge!(name, text);
    }
}
