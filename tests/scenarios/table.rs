//! The table: each scenario with its number, what must come of it, and where that is shown.

use crate::{
    bodies, ends, heads, lines, logs, memory, names, oracle, outages, questions, refusals, reloads,
    restart, slow, soak, supervisor,
};
use std::collections::{BTreeMap, BTreeSet};

/// One row. A scenario with several outcomes has several rows of one number.
pub struct Row {
    /// `01` to `30`, `x1` to `x5` for the ones beside them, `load` for the loads.
    pub number: &'static str,
    pub name: &'static str,
    /// What must come of it, in words.
    pub outcome: &'static str,
    pub how: How,
}

pub enum How {
    /// This function shows exactly that outcome.
    Here(fn()),
    /// Not yet run: it needs this.
    Waits(&'static str),
    /// This test program shows it.
    Elsewhere(&'static str),
}

impl Row {
    pub fn full_name(&self) -> String {
        let mark = if self.number == LOAD { "" } else { "s" };
        format!("{mark}{}_{}", self.number, self.name)
    }
}

/// Shown by a function of the same name.
macro_rules! here {
    ($number:literal, $file:ident :: $name:ident, $outcome:expr) => {
        Row {
            number: $number,
            name: stringify!($name),
            outcome: $outcome,
            how: How::Here($file::$name),
        }
    };
}

const fn waits(
    number: &'static str,
    name: &'static str,
    outcome: &'static str,
    what: &'static str,
) -> Row {
    Row { number, name, outcome, how: How::Waits(what) }
}

const fn elsewhere(
    number: &'static str,
    name: &'static str,
    outcome: &'static str,
    place: &'static str,
) -> Row {
    Row { number, name, outcome, how: How::Elsewhere(place) }
}

const OUTAGE: &str = "every write is 204, other backends get their lines, no hot loop, and all of it comes \
                      after the healing";
const BUDGETS: &str = "tests/gateway/budgets.rs";
const TOKENS: &str = "tests/gateway/tokens.rs";
const TRANSFER: &str = "moving data between backends";
const FAULTS: &str = "tests/faults";

/// The longest first, so that the shorter ones fill the other core.
static LOADS: [Row; 7] = [
    here!(
        "load",
        soak::memory_and_files_stay_level_through_days_in_minutes,
        "small segments, a backend that flaps every 5 s, a reload every 2 s, full load: memory grows by less than 1 MiB a \
         minute, open files not at all, nothing is lost"
    ),
    here!(
        "load",
        outages::a_flapping_backend_costs_no_client_anything,
        "a backend is down for 1 to 5 s again and again: no client sees an error, the backlog is 0 in the \
         end, nothing is missing"
    ),
    here!(
        "08",
        slow::slow_clients_are_closed_and_hinder_nobody,
        "400 slow heads, slow bodies and slow readers are closed by the time-outs (408 or reset), cost 16 \
         KiB each, and others are answered meanwhile"
    ),
    here!(
        "load",
        memory::dead_backends_and_bombs_take_no_more_memory_than_configured,
        "all backends are dead, clients write on and bombs fall: memory stays within what is configured \
         and a tenth"
    ),
    here!(
        "load",
        restart::a_start_reads_a_small_part_of_a_long_log,
        "a start with a long log of undelivered lines reads headers, footers and the last segment only"
    ),
    here!(
        "load",
        oracle::random_lines_are_taken_and_refused_as_by_a_live_server,
        "20,000 random lines are taken or refused as by InfluxDB 1.6.7, but for what \
         docs/line-protocol.md tells"
    ),
    here!(
        "20",
        refusals::lines_that_may_not_be_written_yet_wait_and_hold_up_nobody,
        "401, or 404 for a database: those lines wait, others flow, nothing is refused, and all comes when \
         the cause is mended"
    ),
];

static BODIES_AND_HEADS: [Row; 9] = [
    here!(
        "01",
        bodies::half_a_gigabyte_in_one_line_is_413,
        "413, memory grows by less than twice the limit, the error quotes at most 256 bytes of the line"
    ),
    here!(
        "02",
        bodies::sixteen_million_lines_in_half_a_megabyte_hinder_nobody,
        "413 within the budget of memory, while others are answered"
    ),
    here!(
        "03",
        bodies::a_broken_gzip_body_is_400_and_stores_nothing,
        "garbage, a cut end, a wrong sum, a wrong length, junk behind: 400, and nothing is kept"
    ),
    here!("03", bodies::members_one_after_the_other_are_one_body, "204, and every line is kept"),
    here!(
        "04",
        bodies::an_empty_gzip_body_is_an_empty_body,
        "204 for a write, the usual answer to a query"
    ),
    here!(
        "05",
        bodies::an_unknown_encoding_is_415_with_those_that_are_known,
        "deflate, br, zstd and gzip twice are 415, and the answer lists what is known"
    ),
    here!(
        "06",
        bodies::a_chunked_body_is_cut_at_the_limit,
        "413 at the limit though no length was told, and the connection is closed"
    ),
    here!(
        "07",
        heads::bad_framing_is_refused_and_closed,
        "two lengths, a length and chunks, unknown codings, bad sizes: an error, the connection is closed, \
         nothing is forwarded"
    ),
    here!(
        "09",
        heads::heads_and_bodies_have_limits,
        "414 for a long target, 431 for too many or too large fields, 413 for a told length above the limit"
    ),
];

static LINES_AND_NAMES: [Row; 13] = [
    here!(
        "10",
        lines::a_line_that_is_too_long_costs_itself,
        "a long line, string or key is 400 for itself; the others are kept; dropped= does not count it"
    ),
    here!(
        "11",
        oracle::recorded_lines_are_taken_and_refused_as_by_a_live_server,
        "the recorded lines are taken or refused as by a live InfluxDB 1.6.7, but for what \
         docs/line-protocol.md tells"
    ),
    here!(
        "12",
        lines::one_bad_line_in_ten_thousand_costs_itself_on_v1,
        "9,999 are kept, 400 says `partial write` and which line"
    ),
    here!(
        "12",
        lines::one_bad_line_in_ten_thousand_refuses_the_body_on_v2,
        "nothing is kept, 400 with the code `invalid` and which line"
    ),
    here!(
        "13",
        lines::a_line_without_a_time_is_one_point_however_often_it_is_sent,
        "stamped once, before the log: one point, the same in every circle, after two more deliveries"
    ),
    here!(
        "14",
        names::an_unknown_database_is_404_in_both_dialects,
        "missing, unknown, empty, `../x`, `a/b/c`, very long: 400, 404 or 414 in the dialect; no path is made \
         of a name"
    ),
    here!(
        "15",
        names::very_many_names_cost_little_memory_and_no_metrics,
        "20,000 measurements and 2,000 databases: memory and the number of metrics stay bounded"
    ),
    elsewhere("15", "one_token_has_a_bounded_share", "its write_rate holds, others go on", TOKENS),
    here!(
        "16",
        names::a_wrong_token_is_401_in_both_dialects,
        "wrong, cut, empty or in another scheme: 401 with WWW-Authenticate"
    ),
    here!(
        "16",
        names::wrong_tokens_by_the_thousand_are_counted_and_hinder_nobody,
        "every guess is 401 and counted, and the right token is answered meanwhile"
    ),
    elsewhere("16", "an_expired_token_is_401", "401 once its time is over", TOKENS),
    here!(
        "27",
        lines::a_time_that_servers_cannot_hold_costs_its_line,
        "the year 2262: in range it is kept, beyond it is 400 for that line"
    ),
    waits(
        "27",
        "a_clock_that_jumps_sticks_no_timer",
        "an hour forward or back: timers go on, stamps rise",
        "a wall clock that a test may set",
    ),
];

static QUESTIONS: [Row; 7] = [
    here!(
        "17",
        questions::what_is_not_understood_is_refused_never_guessed,
        "an error in the dialect, never a guess"
    ),
    here!(
        "17",
        questions::nothing_that_writes_hides_in_a_question,
        "DROP, DELETE and INTO, behind comments, in other letters, behind a semicolon: refused and nothing \
         changes on any server, or run by every circle"
    ),
    here!(
        "17",
        questions::names_are_found_behind_quotes_and_comments,
        "the owner of the measurement answers, whatever words stand in quotes and comments"
    ),
    elsewhere(
        "17",
        "statements_want_the_right_to_them",
        "DROP and INTO need the database's writer or an admin",
        TOKENS,
    ),
    here!(
        "18",
        questions::both_circles_answer_and_a_dead_one_never,
        "the other circle gives the same answer, and the change is counted"
    ),
    here!(
        "19",
        questions::half_an_answer_never_looks_like_a_whole_one,
        "before the first byte another circle answers; behind it the client sees a broken connection"
    ),
    here!(
        "19",
        questions::half_an_answer_of_several_owners,
        "a merged answer is broken off as visibly as one owner's"
    ),
];

static BACKENDS: [Row; 14] = [
    here!(
        "20",
        refusals::a_line_refused_for_good_ends_alone_in_the_rejects,
        "that line is in the rejects with the reason and counted; neighbours are 204"
    ),
    here!(
        "20",
        refusals::many_lines_refused_for_good_hide_no_good_one,
        "each is in the rejects alone, the good ones between them are kept"
    ),
    here!(
        "20",
        refusals::two_types_for_a_new_field_in_one_batch_cost_one_line,
        "bisected to the one line, all others are kept"
    ),
    here!(
        "20",
        refusals::a_server_that_takes_little_at_a_time_gets_everything,
        "413 splits the batch; no good line is in the rejects"
    ),
    here!(
        "20",
        refusals::a_422_ends_in_the_rejects_and_holds_up_nobody,
        "those lines are in the rejects, the backend is incomplete, later lines flow"
    ),
    here!("21", outages::through_500, OUTAGE),
    here!("21", outages::through_503, OUTAGE),
    here!("21", outages::through_resets, OUTAGE),
    here!("21", outages::through_silence, OUTAGE),
    here!("21", outages::through_one_byte_a_second, OUTAGE),
    here!("21", outages::a_name_that_nobody_knows_holds_up_nobody, OUTAGE),
    here!(
        "22",
        outages::nothing_is_lost_while_every_backend_is_dead,
        "204, nothing dropped, the age of the oldest line is told, all of it comes afterwards"
    ),
    here!(
        "22",
        outages::beyond_the_quota_writes_are_503,
        "503 with Retry-After once the backlogs are full, nothing dropped, 204 again after the delivery"
    ),
    elsewhere(
        "x1",
        "the_storm_after_a_recovery_is_limited",
        "what is sent again is limited by the rate for replays",
        BUDGETS,
    ),
];

static LOGS_AND_ENDS: [Row; 27] = [
    elsewhere(
        "23",
        "a_full_disk_is_503",
        "not acknowledged; the replay goes on and frees room",
        FAULTS,
    ),
    elsewhere("23", "a_disk_that_became_read_only", "not acknowledged, no panic", FAULTS),
    elsewhere("23", "a_full_log_goes_on_by_itself", "503, then delivery frees room", BUDGETS),
    elsewhere(
        "24",
        "eio_from_a_write_or_a_sync",
        "not acknowledged, a fresh segment; 503 if it lasts",
        FAULTS,
    ),
    elsewhere(
        "25",
        "kill_minus_nine_at_any_failpoint",
        "nothing acknowledged is lost",
        "tests/failpoints",
    ),
    elsewhere("25", "a_power_cut", "nothing acknowledged is lost, a torn end is cut", FAULTS),
    here!(
        "26",
        logs::a_flipped_bit_and_a_zeroed_page_cost_their_frames,
        "those frames are counted and set aside, all later ones are delivered, the backend is incomplete"
    ),
    here!(
        "26",
        logs::a_missing_segment_is_counted_and_the_others_are_delivered,
        "its frames are counted as lost, all others are delivered, the backend is incomplete"
    ),
    here!(
        "26",
        logs::a_truncated_segment_costs_what_is_cut_off,
        "what is left is delivered, the rest is counted"
    ),
    here!(
        "26",
        logs::a_log_of_a_later_version_is_refused,
        "a clear refusal, and nothing is changed"
    ),
    elsewhere(
        "26",
        "a_checkpoint_newer_than_its_data",
        "the log is sent again from what is sure",
        "src/wal/tests/crash.rs",
    ),
    here!(
        "28",
        reloads::a_broken_configuration_is_not_taken_over,
        "read again by the signal or the request, it is refused with its places; the old one stays"
    ),
    here!(
        "28",
        reloads::five_hundred_reloads_under_load_drop_no_connection,
        "each is taken over, every write is 204, connections that are kept stay, nothing is missing"
    ),
    here!(
        "28",
        supervisor::a_reload_is_told_to_the_supervisor,
        "RELOADING=1 with the time, then READY=1, whether it was taken over or refused"
    ),
    here!(
        "28",
        logs::what_is_owed_to_a_backend_that_is_gone_is_kept_and_listed,
        "its queue is kept and listed, and delivered when it is named again"
    ),
    elsewhere("29", "no_more_files", "accepting pauses, and recovers", FAULTS),
    elsewhere("29", "little_memory_that_may_be_locked", "exit 4 with the cause", FAULTS),
    elsewhere("29", "io_uring_is_forbidden", "exit 4 with the cause", FAULTS),
    here!(
        "29",
        supervisor::a_stalled_shard_is_noticed,
        "the watchdog is not fed, so that systemd ends the process"
    ),
    elsewhere("29", "two_gateways_and_one_data_directory", "the second one ends with 4", FAULTS),
    here!("30", ends::sigterm_under_load_ends_with_zero_and_loses_nothing, "exit 0, nothing lost"),
    here!(
        "30",
        ends::a_request_under_way_is_finished_and_ready_says_no,
        "/ready is 503, the client in the middle of a body gets its 204, exit 0"
    ),
    here!(
        "30",
        ends::a_request_that_never_ends_is_not_acknowledged,
        "the end comes within the time-out; nothing of that body is kept"
    ),
    here!(
        "30",
        ends::a_second_sigterm_ends_it_at_once_and_loses_nothing,
        "at once, and nothing is lost"
    ),
    waits("x2", "an_interrupted_move_goes_on", "it resumes from what is durable", TRANSFER),
    waits(
        "x3",
        "gateways_with_different_rings_alert",
        "they notice each other and alert",
        TRANSFER,
    ),
    waits("x4", "a_flood_of_udp_is_counted", "what is dropped is counted", "UDP"),
];

static LAST: [Row; 1] = [here!(
    "x5",
    ends::a_log_that_nobody_reads_stops_nothing,
    "a full pipe behind its own log: it goes on"
)];

const LOAD: &str = "load";
const NUMBERED: std::ops::RangeInclusive<u32> = 1..=30;
const BESIDE: [&str; 5] = ["x1", "x2", "x3", "x4", "x5"];

pub fn all() -> Vec<&'static Row> {
    let parts: [&'static [Row]; 7] =
        [&LOADS, &BODIES_AND_HEADS, &LINES_AND_NAMES, &QUESTIONS, &BACKENDS, &LOGS_AND_ENDS, &LAST];
    parts.into_iter().flatten().collect()
}

/// Every scenario is there, every row has a name of its own and says what must come of it.
pub fn check() {
    let rows = all();
    let numbers: BTreeSet<&str> = rows.iter().map(|row| row.number).collect();
    let wanted = NUMBERED.map(|number| format!("{number:02}"));
    for number in wanted.chain(BESIDE.map(str::to_owned)) {
        assert!(numbers.contains(number.as_str()), "no row {number}");
    }
    let names: BTreeSet<String> = rows.iter().map(|row| row.full_name()).collect();
    assert_eq!(names.len(), rows.len(), "two rows of one name");
    assert!(rows.iter().all(|row| row.outcome.len() >= 10), "an outcome is missing");
}

/// How many rows wait, and for what; how many are shown elsewhere, and where.
pub fn sum() -> String {
    let mut waiting: BTreeMap<&str, u32> = BTreeMap::new();
    let mut shown: BTreeMap<&str, u32> = BTreeMap::new();
    let mut here = 0;
    let rows = all();
    for row in &rows {
        match row.how {
            How::Here(_) => here += 1,
            How::Waits(what) => *waiting.entry(what).or_default() += 1,
            How::Elsewhere(place) => *shown.entry(place).or_default() += 1,
        }
    }
    let list = |counts: &BTreeMap<&str, u32>| {
        let items: Vec<_> = counts.iter().map(|(what, count)| format!("{what} {count}")).collect();
        format!("{} ({})", counts.values().sum::<u32>(), items.join(", "))
    };
    format!(
        "of {} rows {here} are shown here, not yet run {}, shown elsewhere {}",
        rows.len(),
        list(&waiting),
        list(&shown)
    )
}
