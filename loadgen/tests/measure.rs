//! What `write` measures: latency that hides no stall, rates, processes, delivery, and the page of it all.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Directory, Sink, json, load, serve};
use serde_json::Value;
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

fn latency_s(report: &Value, quantile: &str) -> f64 {
    report["latency_us"][quantile].as_f64().unwrap() / 1e6
}

/// A server that stands still for a second, once.
fn stalling() -> String {
    serve(|request| {
        if request.number == 50 {
            thread::sleep(Duration::from_secs(1));
        }
        (204, String::new())
    })
}

#[test]
fn a_stall_shows_in_an_open_loop_and_hides_in_a_closed_one() {
    let options = ["--db", "d", "--data", "small", "--lines", "1", "--connections", "1"];
    let open = thread::spawn(move || {
        let address = stalling();
        let rate = ["--rate", "100", "--requests", "200"];
        json(&[&["write", &address], &options[..], &rate].concat())
    });
    let address = stalling();
    let (code, closed) =
        json(&[&["write", &address], &options[..], &["--requests", "2000"]].concat());
    assert_eq!(code, 0, "{closed}");
    // One request of 2,000 has seen it.
    assert!(latency_s(&closed, "max") > 0.9, "{closed}");
    assert!(latency_s(&closed, "p99") < 0.5, "{closed}");
    assert_eq!(closed["service_us"], Value::Null);
    let (code, open) = open.join().unwrap();
    assert_eq!(code, 0, "{open}");
    // A request was due every 10 ms: half of the 200 were due during the stall.
    assert!(latency_s(&open, "p90") > 0.7 && latency_s(&open, "max") > 0.9, "{open}");
    assert!(open["service_us"]["p90"].as_f64().unwrap() < 500_000.0, "{open}");
}

#[test]
fn what_was_due_and_never_sent_counts_with_the_time_that_it_waited() {
    let sink = Sink::start(1, &["--hang"]);
    let url = sink.url();
    let bounds = ["--rate", "1000", "--lines", "10", "--duration", "500ms", "--wait", "200ms"];
    let (code, report) = json(&[&["write", &url, "--db", "d"], &bounds[..]].concat());
    assert_eq!((code, &report["requests_acknowledged"]), (1, &0.into()), "{report}");
    let (sent, missed) = (&report["requests"], &report["requests_not_sent"]);
    assert_eq!(sent.as_u64().unwrap() + missed.as_u64().unwrap(), 50, "{report}");
    assert!(missed.as_u64().unwrap() > 0 && latency_s(&report, "p50") > 0.9, "{report}");
    assert_eq!(report["errors"]["timeout"]["requests"], *sent);
}

#[test]
fn the_highest_rate_is_that_of_the_server() {
    // 200 requests a second of 10 lines.
    let sink = Sink::start(1, &["--limit", "200"]);
    let url = sink.url();
    // A machine that stands still for 50 ms in a step of a second falsifies that step, and the search with it.
    let search = ["--find-max", "--p99", "150ms", "--duration", "1s", "--rate", "1400"];
    let find = || {
        let words = [&["write", &url, "--db", "d", "--lines", "10"], &search[..]].concat();
        let (code, report) = json(&words);
        assert_eq!(code, 0, "{report}");
        report["find_max"].clone()
    };
    let is_right =
        |found: &Value| (1000.0..2200.0).contains(&found["lines_per_s"].as_f64().unwrap());
    let mut found = find();
    for _ in 0..2 {
        if !is_right(&found) {
            found = find();
        }
    }
    assert!(is_right(&found), "{found}");
    let steps = found["steps"].as_array().unwrap();
    assert!(steps.iter().any(|step| step["holds"] == false), "{found}");
    let last = steps.last().unwrap();
    assert_eq!((&last["phase"], &last["holds"]), (&"confirm".into(), &true.into()));
    assert_eq!(last["offered_lines_per_s"], found["lines_per_s"]);
}

/// A process that waits for a line and then takes exactly one second of processor time.
struct Burner(Child);

impl Burner {
    fn start() -> Self {
        let script = "ulimit -t 1; read go; while :; do :; done";
        let mut command = Command::new("sh");
        Burner(command.args(["-c", script]).stdin(Stdio::piped()).spawn().unwrap())
    }
}

impl Drop for Burner {
    fn drop(&mut self) {
        self.0.kill().unwrap_or_default();
        self.0.wait().map(drop).unwrap_or_default();
    }
}

#[test]
fn the_processor_time_of_a_process_is_told_for_each_line_until_all_is_delivered() {
    let mut burner = Burner::start();
    let (pid, input) = (burner.0.id().to_string(), Mutex::new(burner.0.stdin.take().unwrap()));
    // A gateway that acknowledges at once, and whose sink has nothing until the burner is done.
    let stat = format!("/proc/{pid}/stat");
    let address = serve(move |request| {
        if request.target == "/stats" {
            let is_done = std::fs::read_to_string(&stat).is_ok_and(|text| text.contains(") Z "));
            return (200, if is_done { "3000" } else { "0" }.to_owned());
        }
        input.lock().unwrap().write_all(b"go\n").unwrap_or_default();
        (204, String::new())
    });
    let bounds = ["--lines", "10", "--total-lines", "3000", "--pid", &pid, "--sinks", &address];
    let (code, report) = json(&[&["write", &address, "--db", "d"], &bounds[..]].concat());
    assert_eq!(code, 0, "{report}");
    let process = &report["processes"][0];
    let number = |key: &str| process[key].as_f64().unwrap();
    assert!((0.9..1.2).contains(&number("cpu_s")), "{process}");
    assert!((number("cpu_us_per_line") * 3000.0 / 1e6 - number("cpu_s")).abs() < 1e-6);
    let parts = number("cpu_user_us_per_line") + number("cpu_system_us_per_line");
    assert!((parts - number("cpu_us_per_line")).abs() < 1e-6, "{process}");
    assert!(number("cpu_user_us_per_line") > number("cpu_system_us_per_line"), "{process}");
    assert!(number("rss_peak_bytes") > 100_000.0 && number("fds_start") >= 3.0, "{process}");
}

/// A gateway and its two sinks in one: it acknowledges at once, and each sink has only half of what was
/// acknowledged until `late` is over.
fn lazy(late: Duration) -> String {
    let (started, lines) = (Instant::now(), AtomicU64::new(0));
    serve(move |request| {
        if request.target != "/stats" {
            let count = request.body.iter().filter(|byte| **byte == b'\n').count();
            lines.fetch_add(count as u64, Relaxed);
            return (204, String::new());
        }
        let part = if started.elapsed() < late { 2 } else { 1 };
        (200, format!("{{\"lines\":{}}}", lines.load(Relaxed) / part))
    })
}

#[test]
fn a_run_is_over_when_every_sink_has_every_line() {
    let address = lazy(Duration::from_millis(700));
    let sinks = format!("{address},http://{address}/stats");
    let fixed = ["write", &address, "--db", "d", "--requests", "20", "--lines", "10"];
    let (code, report) = json(&[&fixed[..], &["--sinks", &sinks, "--copies", "2"]].concat());
    let delivery = &report["delivery"];
    assert_eq!((code, &delivery["is_complete"]), (0, &true.into()), "{report}");
    assert_eq!(
        (&delivery["lines_expected"], &delivery["lines_delivered"]),
        (&400.into(), &400.into())
    );
    assert!(delivery["wait_s"].as_f64().unwrap() > 0.1, "{delivery}");
    let never = lazy(Duration::from_secs(3600));
    let options = ["--sinks", &never, "--sinks-wait", "200ms"];
    let fixed = ["write", &never, "--db", "d", "--requests", "20", "--lines", "10"];
    let output = load(&[&fixed[..], &options].concat());
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("NOT DELIVERED") && text.contains("100 are missing"), "{text}");
    let output = load(&[&fixed[..], &["--sinks", "127.0.0.1:1"]].concat());
    assert!(String::from_utf8_lossy(&output.stderr).contains("sink 127.0.0.1:1/stats"));
}

#[test]
fn the_page_needs_nothing_from_elsewhere_and_trusts_no_text() {
    let address = serve(|request| {
        let evil = "<script src=\"x\">alert(1)</script>";
        if request.number == 3 { (400, evil.to_owned()) } else { (204, String::new()) }
    });
    let (directory, url) = (Directory::new(), format!("http://{address}/write?db=d"));
    let file = directory.file("page.html");
    let fixed = ["write", &url, "--requests", "40", "--lines", "10", "--rate", "4000"];
    let output = load(&[&fixed[..], &["--html", &file]].concat());
    assert_eq!(output.status.code(), Some(1));
    let page = std::fs::read_to_string(&file).unwrap();
    for outside in ["http://", "https://", "src=", "href", "url(", "@import", "<script", "<link"] {
        let page = page.replace("src=&quot;", "");
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains("&lt;script") && page.contains("NOT all right"));
    for part in [
        "Latency by percentile",
        "Rate over time",
        "Latency over time",
        "Processor over time",
        "Memory over time",
        "lines/s",
        "cores",
        "MB resident",
        "seconds since the start",
        "prefers-color-scheme:dark",
        "width=device-width",
    ] {
        assert!(page.contains(part), "{part}");
    }
    for open in ["<svg ", "<figure>", "<table>", "<main>"] {
        let close = format!("</{}>", open.trim_matches(['<', '>', ' ']));
        assert_eq!(page.matches(open).count(), page.matches(&close).count(), "{open}");
    }
}

/// All keys of an object and of what is in it; kinds of errors are not keys of ours.
fn keys(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(all) => all.iter().for_each(|(key, value)| {
            found.push(key.clone());
            keys(value, found);
        }),
        Value::Array(all) => all.iter().for_each(|value| keys(value, found)),
        _ => {}
    }
}

#[test]
fn every_key_of_the_json_is_in_the_readme() {
    let sink = Sink::start(1, &[]);
    let (url, pid) = (sink.url(), std::process::id().to_string());
    let search =
        ["--find-max", "--p99", "2s", "--duration", "50ms", "--rate", "100", "--lines", "1"];
    let beside = ["--pid", &pid, "--sinks", &url];
    let (_, mut report) = json(&[&["write", &url, "--db", "d"], &search[..], &beside].concat());
    report["errors"] = Value::Null;
    let mut found = Vec::new();
    keys(&report, &mut found);
    assert!(found.len() > 60 && found.contains(&"offered_lines_per_s".to_owned()), "{report}");
    let readme = include_str!("../README.md");
    for key in found {
        assert!(readme.contains(&format!("`{key}`")), "{key}");
    }
}

#[test]
fn a_sink_changes_its_behaviour_while_it_runs() {
    let sink = Sink::start(2, &[]);
    let url = sink.url();
    let one = ["write", &url, "--db", "d", "--requests", "4", "--lines", "5", "--wait", "300ms"];
    assert_eq!(json(&one).0, 0);
    let behave = |query: &str| common::ask(&sink.addresses[0], "POST", query, "").0;
    assert_eq!(behave("/behaviour?fail=429:slow"), 204);
    let (code, report) = json(&one);
    assert_eq!((code, &report["errors"]["429"]["requests"]), (1, &4.into()), "{report}");
    assert_eq!(report["errors"]["429"]["first"], "429 slow");
    assert_eq!(behave("/behaviour?hang=true"), 204);
    let (code, report) = json(&one);
    assert_eq!((code, &report["errors"]["timeout"]["requests"]), (1, &4.into()), "{report}");
    assert_eq!(behave("/behaviour"), 204);
    assert_eq!(json(&one).0, 0);
    assert_eq!(behave("/behaviour?colour=red"), 400);
    // The other address was never told anything.
    let other = format!("http://{}", sink.addresses[1]);
    assert_eq!(json(&["write", &other, "--db", "d", "--requests", "4"]).0, 0);
}
