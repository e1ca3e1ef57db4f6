//! `kill -9` under load: what was acknowledged is there.

use super::ways::{NOW_NS, all, create, open, open_with, request};
use crate::base::map::FastSet;
use crate::store::view::{Catalog, Change, TimeRange};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// How the child knows where to write.
const DIRECTORY: &str = "CIRCLET_TEST_STORE";

const THREADS: u64 = 3;
const LINES: u64 = 20;

/// Three threads write and report what is acknowledged, one of them also deletes.
#[test]
#[ignore = "a process of its own, which the test below starts and kills"]
fn a_writer_until_it_is_killed() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let store = open_with(Path::new(&directory), |options| {
        options.background = true;
        options.limits.snapshot_bytes = 30_000;
    });
    create(&store, "d");
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let store = &store;
            scope.spawn(move || {
                let mark = std::process::id();
                for n in 0_u64.. {
                    let body: String = (0..LINES)
                        .map(|line| {
                            let time = NOW_NS + (n * LINES + line) as i64;
                            format!("m{thread},p={mark} v={n}i,s=\"text {n}\" {time}\n")
                        })
                        .collect();
                    store.write(request("d", &body)).unwrap();
                    println!("stored {mark} {thread} {n}");
                    if thread == 0 && n % 10 == 9 {
                        let database = store.database("d").unwrap();
                        let series = database.series_with("m0", "p", &mark.to_string());
                        let first = NOW_NS + ((n - 9) * LINES) as i64;
                        let range = TimeRange { min_ns: first, max_ns: first + LINES as i64 - 1 };
                        let change = Change::Delete { database: "d".to_owned(), series, range };
                        store.change(change).unwrap();
                        println!("deleted {mark} {}", n - 9);
                    }
                }
            });
        }
    });
}

/// What one life of the child has acknowledged: writes and deletes.
fn live(directory: &Path, life: Duration) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--nocapture"])
        .arg("store::engine::tests::kill::a_writer_until_it_is_killed")
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let reader = std::thread::spawn(move || lines.map_while(Result::ok).collect::<Vec<String>>());
    std::thread::park_timeout(life);
    child.kill().unwrap();
    child.wait().unwrap();
    let mut lines = reader.join().unwrap();
    lines.retain(|line| line.starts_with("stored ") || line.starts_with("deleted "));
    lines
}

#[test]
fn no_acknowledged_point_is_lost_by_kill_9() {
    let kills: u64 =
        std::env::var("CIRCLET_TEST_KILLS").ok().and_then(|count| count.parse().ok()).unwrap_or(3);
    let directory = tempfile::tempdir().unwrap();
    let mut told = Vec::new();
    for kill in 0..kills {
        let life = Duration::from_millis(150 + 97 * (kill * 7 % 5));
        told.extend(live(directory.path(), life));
        let store = open(directory.path());
        assert_eq!(store.damage(), []);
        let rows: FastSet<String> = all(&store, "d").into_iter().collect();
        let deleted: FastSet<(&str, &str)> =
            told.iter().filter_map(|line| line.strip_prefix("deleted ")?.split_once(' ')).collect();
        let mut checked = 0;
        for line in told.iter().filter_map(|line| line.strip_prefix("stored ")) {
            let words: Vec<&str> = line.split(' ').collect();
            let [mark, thread, n] = words[..] else { continue };
            let number: u64 = n.parse().unwrap();
            // The newest delete may be under way when the process dies.
            let may_be_gone = thread == "0" && number % 10 == 0;
            for line in 0..LINES {
                let time = NOW_NS + (number * LINES + line) as i64;
                let is_there = rows.contains(&format!("m{thread},p={mark} v={n}i {time}"));
                if deleted.contains(&(mark, n)) && thread == "0" {
                    assert!(!is_there, "deleted {mark} {n}");
                } else {
                    assert!(is_there || may_be_gone, "stored {mark} {thread} {n}");
                }
                checked += 1;
            }
        }
        assert!(checked > 0, "nothing was acknowledged in {life:?}");
    }
}
