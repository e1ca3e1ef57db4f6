use super::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

const STATUS: &str = r#"{
  "version": "0.1.0", "up_seconds": 11520.5, "ready": true, "not_ready": null,
  "log": {"bytes": 130023424, "max_bytes": 10737418240, "disk_free_bytes": 43087667200,
    "min_free_bytes": 2147483648},
  "circles": [{"name": "circle-1", "can_answer": true}, {"name": "circle-2", "can_answer": false}],
  "backends": [
    {"circle": "circle-1", "name": "influxdb-1-1", "state": "up", "state_seconds": 11520.0,
      "complete": true, "incomplete": null, "backlog_bytes": 0, "backlog_age_seconds": null,
      "backlog_full": null, "parked": [], "last_error": null},
    {"circle": "circle-1", "name": "influxdb-1-2", "state": "up", "state_seconds": 42.0,
      "complete": true, "incomplete": "damaged", "backlog_bytes": 2048, "backlog_age_seconds": 0.25,
      "backlog_full": null, "parked": [{"database": "d"}], "last_error": null},
    {"circle": "circle-2", "name": "influxdb-2-1", "state": "down", "state_seconds": 312.0,
      "complete": false, "incomplete": null, "backlog_bytes": 128974848,
      "backlog_age_seconds": 311.5, "backlog_full": "max_backlog_bytes", "parked": [],
      "last_error": "cannot connect: Connection refused"}
  ]
}"#;

/// After `lines` lines in all.
fn metrics(lines: u32) -> String {
    let stages =
        [("write", 0.0004, 0.0021), ("commit", 0.000074, 0.000111), ("backend", 0.02, 2.5)];
    let stages: String = stages
        .iter()
        .flat_map(|(name, median, p99)| [(name, "0.5", median), (name, "0.99", p99)])
        .map(|(name, quantile, value)| {
            format!("circlet_stage_duration_seconds{{stage=\"{name}\",quantile=\"{quantile}\"}} {value}\n")
        })
        .collect();
    format!(
        "# HELP circlet_lines_accepted_total Lines\n\
         circlet_lines_accepted_total{{shard=\"0\"}} {lines}\n\
         circlet_lines_accepted_total{{shard=\"1\"}} {lines}\n\
         circlet_backend_lines_total{{shard=\"0\",backend=\"influxdb-1-1\"}} {lines}\n\
         circlet_http_requests_total{{shard=\"0\",endpoint=\"/write\",code=\"204\"}} {}\n\
         circlet_http_requests_total{{shard=\"1\",endpoint=\"/write\",code=\"503\"}} {}\n\
         circlet_http_connections{{shard=\"0\"}} 12\n\
         circlet_memory_used_bytes 92274688\n\
         circlet_shard_busy_ratio{{shard=\"1\"}} 0.97\n\
         circlet_shard_busy_ratio{{shard=\"0\"}} 0.344\n{stages}",
        lines / 100,
        lines / 20_000,
    )
}

/// What a gateway said at two moments, two seconds apart.
fn watched() -> Screen {
    let mut screen = Screen::new("127.0.0.1:8080".to_owned());
    screen.see(Snapshot::read(STATUS, &metrics(1_000_000)));
    let later = STATUS.replace("11520.5", "11522.5");
    screen.see(Snapshot::read(&later, &metrics(1_050_000)));
    assert_eq!(screen.trouble, None);
    screen
}

fn drawn(screen: &Screen, columns: u16, rows: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    terminal.draw(|frame| draw(frame, screen)).unwrap();
    let cells = terminal.backend().buffer().content.chunks(usize::from(columns));
    let lines = cells.map(|row| row.iter().map(|cell| cell.symbol()).collect::<String>());
    lines.map(|line| format!("{}\n", line.trim_end())).collect()
}

#[test]
fn all_is_seen_on_a_small_terminal() {
    let expected = "\
Circlet 0.1.0  127.0.0.1:8080  up 3h
1 of 3 backends are down, their lines wait in the log
lines/s 50k  requests/s 251  queries/s 0  5xx/s 1  connections 12
log 124.0 MiB of 10.0 GiB  disk free 40.1 GiB (least 2.0 GiB)  memory 88.0 MiB
p50/p99  write 400us/2.10ms  commit 74us/111us  backend 20.0ms/2.5s  query -/-
busy  0: 34 %  1: 97 %
CIRCLE   BACKEND      STATE      SINCE   BACKLOG   AGE     LINES/S
circle-1 influxdb-1-1 up         3h      0 B       -       25k
circle-1 influxdb-1-2 incomplete 42s     2.0 KiB   0.2s    0
circle-2 influxdb-2-1 DOWN       5m      123.0 MiB 5m      0

circle-1/influxdb-1-2: incomplete: damaged; databases that wait: 1
circle-2/influxdb-2-1: its backlog is full; cannot connect: Connection refused










q quit  p pause  s sort: circle  arrows scroll
";
    assert_eq!(drawn(&watched(), 80, 24), expected);
}

#[test]
fn a_terminal_that_is_too_small_breaks_nothing() {
    for (columns, rows) in [(80, 8), (20, 10), (1, 1), (80, 3)] {
        drawn(&watched(), columns, rows);
    }
    let text = drawn(&watched(), 80, 12);
    assert!(text.contains("circle-1/influxdb-1-2: incomplete: damaged"), "{text}");
    assert!(text.contains("q quit"), "{text}");
}

#[test]
fn one_frame_is_as_high_as_what_it_shows() {
    let screen = watched();
    let text = drawn(&screen, 80, rows(&screen));
    for seen in ["influxdb-2-1", "Connection refused", "q quit"] {
        assert!(text.contains(seen), "{seen}: {text}");
    }
    assert_eq!(text.lines().filter(|line| line.is_empty()).count(), 1, "{text}");
}

#[test]
fn a_gateway_that_does_not_answer_is_told_and_what_was_known_stays() {
    let mut screen = Screen::new("127.0.0.1:8080".to_owned());
    screen.see(Err("connection refused".to_owned()));
    let text = drawn(&screen, 80, 24);
    assert!(text.contains("NO ANSWER: connection refused"), "{text}");
    let mut screen = watched();
    screen.see(Err("no answer in time".to_owned()));
    let text = drawn(&screen, 80, 24);
    assert!(text.contains("NO ANSWER: no answer in time"), "{text}");
    assert!(text.contains("influxdb-2-1"), "{text}");
}

#[test]
fn a_pause_keeps_what_is_shown() {
    let mut screen = watched();
    screen.pause();
    let before = drawn(&screen, 80, 24);
    assert!(before.contains("PAUSED"), "{before}");
    screen.see(Snapshot::read(STATUS, &metrics(9_000_000)));
    assert_eq!(drawn(&screen, 80, 24), before);
    screen.pause();
    screen.see(Snapshot::read(STATUS, &metrics(9_000_000)));
    assert!(!drawn(&screen, 80, 24).contains("PAUSED"));
}

#[test]
fn backends_are_sorted_as_asked() {
    let mut screen = watched();
    let names = |screen: &Screen| -> Vec<String> {
        screen.backends().iter().map(|backend| backend.name[9..].to_owned()).collect()
    };
    assert_eq!(names(&screen), ["1-1", "1-2", "2-1"]);
    screen.sort_otherwise();
    assert_eq!(
        (screen.sort, names(&screen)),
        (Sort::Backlog, ["2-1", "1-2", "1-1"].map(str::to_owned).to_vec())
    );
    screen.sort_otherwise();
    assert_eq!(names(&screen)[0], "2-1", "by age");
    screen.sort_otherwise();
    assert_eq!(names(&screen)[0], "1-1", "by rate");
    screen.sort_otherwise();
    assert_eq!(screen.sort, Sort::Circle);
    screen.scroll(5);
    assert_eq!(screen.first, 2);
    screen.scroll(-9);
    assert_eq!(screen.first, 0);
}

#[test]
fn a_restart_has_no_rates() {
    let mut screen = watched();
    assert_eq!(screen.rate(|snapshot| snapshot.lines), Some(50_000.0));
    screen.see(Snapshot::read(&STATUS.replace("11520.5", "1.5"), &metrics(10)));
    assert_eq!(screen.rate(|snapshot| snapshot.lines), None);
}

#[test]
fn numbers_are_short() {
    assert_eq!(
        [0.0, 0.5, 9.0, 250.4, 12_345.0, 3.21e7].map(count),
        ["0", "0.5", "9", "250", "12k", "32.1M"]
    );
    assert_eq!(
        [0.26, 42.0, 600.0, 9_000.0, 400_000.0].map(time),
        ["0.3s", "42s", "10m", "2h", "5d"]
    );
    assert_eq!(
        [0.0, 7.4e-5, 0.0021, 0.25, 2.5].map(short),
        ["-", "74us", "2.10ms", "250ms", "2.5s"]
    );
}
