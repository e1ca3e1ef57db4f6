use super::cases::{CASES, SECURE, TLS, TOKEN};
use super::*;
use crate::config::{Environment, LogLevel};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::time::Duration;
use tempfile::NamedTempFile;

const MANUAL: &str = include_str!("../../../docs/config.md");
const SEGMENT: u64 = 1 << 20;

/// There is one word for it, so it cannot change yet.
const UNCHANGEABLE: [&str; 1] = ["log.sync"];

const CIRCLE: &str = "[[circle]]";
const BACKEND: &str = "[[circle.backend]]";

/// Files by the words that stand for them.
struct Files(BTreeMap<&'static str, NamedTempFile>);

impl Files {
    fn new() -> Files {
        let file = |text: &str| {
            let mut file = NamedTempFile::new().unwrap();
            file.write_all(text.as_bytes()).unwrap();
            file
        };
        let pair = || {
            let made = rcgen::generate_simple_self_signed(vec!["a.test".to_owned()]).unwrap();
            [file(&made.cert.pem()), file(&made.signing_key.serialize_pem())]
        };
        let ([certificate, key], [other, other_key]) = (pair(), pair());
        let (one, two) = (file("one"), file("two"));
        Files(BTreeMap::from([
            ("CERTIFICATE", certificate),
            ("KEY", key),
            ("cERTIFICATE", other),
            ("kEY", other_key),
            ("ONE", one),
            ("TWO", two),
        ]))
    }

    /// A sound file with these lines in place of its own.
    fn config(&self, lines: &str) -> Config {
        let (header, lines) = match lines.split_once('\n') {
            Some((header, lines)) if header.starts_with('[') => (header, lines),
            _ => ("", lines),
        };
        let base: [(&str, &[&str]); 3] = [
            ("", &["listen = '127.0.0.1:1'", "data_dir = 'd'"]),
            (CIRCLE, &["name = 'c'"]),
            (BACKEND, &["name = 'b'", "url = 'http://h:1'", "kind = 'influxdb1'"]),
        ];
        let key = |line: &str| line.split(" = ").next().unwrap().to_owned();
        let keys: BTreeSet<String> = lines.lines().map(key).collect();
        let mut text = String::new();
        for (table, own) in base {
            if table == CIRCLE && ![CIRCLE, BACKEND, ""].contains(&header) {
                text += &format!("{header}\n{lines}\n");
            }
            let is_here = table == header;
            let kept = own.iter().filter(|line| !is_here || !keys.contains(&key(line)));
            text += &format!("{table}\n");
            kept.for_each(|line| text += &format!("{line}\n"));
            if is_here {
                text += &format!("{lines}\n");
            }
        }
        for (word, file) in &self.0 {
            text = text.replace(&format!("'{word}'"), &format!("{:?}", file.path()));
        }
        let hash = |token: &str| super::super::token::TokenHash::of(token).to_string();
        let text = text.replace("HASH", &hash("a")).replace("HUSH", &hash("b"));
        let read = Config::parse("f", &text, &Environment::default());
        read.unwrap_or_else(|refusal| panic!("{refusal}\n{text}"))
    }
}

/// What a reload from one of these to the other reports, and what holds then.
fn reload(files: &Files, before: &str, after: &str) -> (Config, Report) {
    let mut running = files.config(before);
    let report = take_over(&mut running, files.config(after), SEGMENT);
    (running, report)
}

/// The table of the manual: whether a reload takes the key over.
fn told() -> BTreeMap<&'static str, bool> {
    let section = MANUAL.split_once("## What a reload takes over").unwrap().1;
    let section = section.split_once("\n## ").unwrap().0;
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let mut told = BTreeMap::new();
    for row in rows {
        let mut cells = row.trim_matches('|').split(" | ").map(str::trim);
        let (keys, what) = (cells.next().unwrap(), cells.next().unwrap());
        let is_taken = what.starts_with("taken over");
        assert!(is_taken || what.starts_with("restart"), "{row}");
        for key in keys.split('`').skip(1).step_by(2) {
            assert_eq!(told.insert(key, is_taken), None, "{key} is told twice");
        }
    }
    told
}

/// All keys that a file may have, with the paths of their tables.
fn known() -> BTreeSet<String> {
    let tables = [
        "",
        "[admin]",
        "[auth]",
        "[[auth.token]]",
        "[tls]",
        "[placement]",
        "[defaults]",
        "[server]",
        "[write]",
        "[log]",
        "[query]",
        "[probe]",
        "[embedded]",
        "[debug]",
        "[[dbrp]]",
        "[[circle]]",
        "[[circle.backend]]",
    ];
    let mut known = BTreeSet::new();
    for table in tables {
        let before = if table == BACKEND { "[[circle]]\n" } else { "" };
        let text = format!("{before}{table}\nno_such_key_at_all = 1");
        let refusal = Config::parse("f", &text, &Environment::default()).unwrap_err();
        let told = refusal.problems().iter().find(|told| told.what == "unknown key").unwrap();
        let path = table.trim_matches(['[', ']']);
        for key in told.mend.strip_prefix("known here: ").unwrap().split(", ") {
            let whole = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
            let is_table = tables.iter().any(|table| table.trim_matches(['[', ']']) == whole);
            if !is_table {
                known.insert(whole);
            }
        }
    }
    known
}

#[test]
fn the_manual_tells_of_every_key_whether_a_reload_takes_it_over() {
    let told = told();
    let keys: BTreeSet<String> = told.keys().map(|key| (*key).to_owned()).collect();
    assert_eq!(keys, known());
    let tried: BTreeSet<String> = CASES.iter().map(|case| case.0.to_owned()).collect();
    let rest: BTreeSet<String> = UNCHANGEABLE.map(str::to_owned).into();
    assert_eq!(&tried | &rest, keys, "each has a case below");
}

#[test]
fn every_key_is_taken_over_or_named_as_the_manual_says() {
    let (files, told) = (Files::new(), told());
    for (key, reported, before, after) in CASES {
        let (running, report) = reload(&files, before, after);
        let plain = |keys: &[String]| -> Vec<String> {
            keys.iter().map(|key| key.replace("[b]", "")).collect()
        };
        let wanted = (*reported).to_owned();
        let (there, elsewhere) = match told[key] {
            true => (plain(&report.changed), plain(&report.needs_restart)),
            false => (plain(&report.needs_restart), plain(&report.changed)),
        };
        assert!(there.contains(&wanted), "{key}: {report:?}");
        assert!(!elsewhere.contains(&wanted), "{key}: {report:?}");
        // A second time there is nothing new, and what was left still is.
        let mut again = running.clone();
        let second = take_over(&mut again, files.config(after), SEGMENT);
        assert_eq!(second, Report { changed: Vec::new(), ..report }, "{key}");
        assert_eq!(running, again, "{key}");
        // All that may change has the value of the file, and nothing else.
        let (_, back) = (take_over(&mut again, files.config(before), SEGMENT), again);
        assert_eq!(back, files.config(before), "{key}");
    }
}

#[test]
fn a_file_that_is_the_same_changes_nothing() {
    let files = Files::new();
    for (_, _, _, text) in CASES {
        assert_eq!(reload(&files, text, text).1, Report::default(), "{text}");
    }
}

#[test]
fn nobody_becomes_open_to_others_by_a_file_that_listens_on_loopback() {
    let files = Files::new();
    let mut running = files.config("[auth]\ntokens = ['a']");
    running.listen = "0.0.0.0:1".parse().unwrap();
    let report = take_over(&mut running, files.config(""), SEGMENT);
    assert_eq!(report.needs_restart, ["listen", "auth"]);
    assert_eq!(running.auth, Auth::of_secrets([crate::config::Secret::new("a")]));
    // The listener of operators is as good a door.
    running.listen = "127.0.0.1:1".parse().unwrap();
    running.admin = Some("10.0.0.1:2".parse().unwrap());
    let report = take_over(&mut running, files.config(""), SEGMENT);
    assert_eq!(report.needs_restart, ["admin.listen", "auth"]);
    running.admin = None;
    let report = take_over(&mut running, files.config(""), SEGMENT);
    assert_eq!((report.changed, running.auth), (vec!["auth".to_owned()], Auth::Open));
}

#[test]
fn tokens_do_not_come_while_stores_of_the_process_are_open() {
    let files = Files::new();
    let closed = "[auth]\ntokens = ['a']";
    assert_eq!(reload(&files, "", closed).1.changed, ["auth"]);
    let mut running = files.config("");
    running.backends[0].kind = Kind::Embedded;
    let report = take_over(&mut running, files.config(closed), SEGMENT);
    assert!(report.needs_restart.contains(&"auth".to_owned()), "{report:?}");
    assert_eq!(running.auth, Auth::Open);
}

#[test]
fn a_token_that_stays_keeps_what_it_has_used() {
    let files = Files::new();
    let limited = format!("{TOKEN}\nwrite_rate = '1KB'");
    let mut running = files.config(&limited);
    let Auth::Tokens(before) = running.auth.clone() else { panic!("it has tokens") };
    let report = take_over(&mut running, files.config(&limited), SEGMENT);
    let Auth::Tokens(after) = &running.auth else { panic!("it has tokens") };
    assert_eq!(report, Report::default());
    assert!(Arc::ptr_eq(&before[0], &after[0]), "another one would begin anew");
}

#[test]
fn a_log_never_gets_less_room_than_its_segments_need() {
    let files = Files::new();
    let fresh = "shards = 1\n[log]\nmax_bytes = '64MiB'";
    let of = |segment: u64| {
        let mut running = files.config("shards = 1");
        let text = Config::parse(
            "f",
            &format!(
                "listen = '127.0.0.1:1'\ndata_dir = 'd'\n{fresh}\n[[circle]]\nname = 'c'\n\
                      backend = [{{ name = 'b', url = 'http://h:1', kind = 'influxdb1' }}]"
            ),
            &Environment::default(),
        );
        let report = take_over(&mut running, text.unwrap(), segment);
        (report.changed, report.needs_restart, running.log.bytes_max)
    };
    let key = || vec!["log.max_bytes".to_owned()];
    assert_eq!(of(16 << 20), (key(), Vec::new(), Some(64 << 20)));
    assert_eq!(of((16 << 20) + 4096), (Vec::new(), key(), None));
}

#[test]
fn the_way_in_which_the_log_is_written_stays() {
    let files = Files::new();
    let (running, report) = reload(&files, "", "[write]\nack = 'interval'\nack_wait = '1s'");
    assert_eq!(
        (report.changed, report.needs_restart),
        (vec!["write.ack_wait".to_owned()], vec!["write.ack".to_owned()])
    );
    assert_eq!(
        (running.write.ack, running.write.ack_wait),
        (Ack::Delivered, Duration::from_secs(1))
    );
    let (_, report) = reload(&files, "[write]\nack = 'interval'", "[write]\nack = 'durable'");
    assert_eq!(report.needs_restart, ["write.ack"]);
}

#[test]
fn what_a_restart_would_move_is_told_as_a_share() {
    let files = Files::new();
    let (_, report) = reload(&files, "", "[[circle.backend]]\nname = 'other'");
    assert_eq!(report.moved_share, Some(1.0));
    let (_, report) = reload(&files, "", "[[circle.backend]]\nurl = 'http://h:9'");
    assert_eq!(report.moved_share, Some(0.0));
    let (running, report) = reload(&files, "", "log_level = 'warn'");
    assert_eq!((report.moved_share, running.log_level), (None, LogLevel::Warn));
}

#[test]
fn tls_as_a_whole_comes_and_goes_by_a_restart() {
    let files = Files::new();
    for (before, after) in [("", TLS), (TLS, "")] {
        let (running, report) = reload(&files, before, after);
        assert_eq!(report.needs_restart, ["tls"]);
        assert_eq!(running.tls, files.config(before).tls);
    }
    // The same on the way to a backend is another URL.
    let (running, report) = reload(&files, "", SECURE);
    assert_eq!(
        (report.needs_restart, running.backends[0].tls.clone()),
        (vec!["circle".to_owned()], None)
    );
}
