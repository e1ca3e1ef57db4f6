//! `circlet wal dump`: one line for each frame, or the lines in one.

use super::super::table::time;
use super::super::{Exit, print, say};
use super::{Seen, database, failed, target_json};
use circlet::base::ids::LogId;
use circlet::shard::Trouble;
use circlet::wal::recovery::Finding;
use circlet::wal::{Frame, Kind};
use serde_json::json;
use std::ops::Range;

/// All frames, or what is in the one with this number.
pub fn dump(seen: &Seen, wanted: Option<u64>) -> Result<Exit, Trouble> {
    let mut has_found = false;
    for view in &seen.views {
        for segment in &view.segments {
            for finding in segment.findings() {
                match finding.map_err(failed)? {
                    Finding::Frame { frame, offset } => match wanted {
                        None => say(one_line(seen, view.log, &frame, offset)),
                        Some(number) if number == frame.number() => {
                            has_found = true;
                            contents(seen, view.log, &frame);
                        }
                        Some(_) => {}
                    },
                    Finding::Hole { .. } => {}
                    Finding::Damage { numbers, .. } => damaged(view.log, &numbers),
                }
            }
        }
    }
    match wanted {
        Some(number) if !has_found => {
            Err(Trouble::Usage(format!("there is no frame {number} in what was looked at")))
        }
        _ => Ok(Exit::Done),
    }
}

pub fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Lines => "lines",
        Kind::Statement => "statement",
    }
}

fn one_line(seen: &Seen, log: LogId, frame: &Frame, offset: u64) -> String {
    let header = &frame.header;
    let names = |run: &circlet::wal::Run<'_>| -> Vec<String> {
        run.targets.iter().map(|target| seen.name(*target)).collect()
    };
    if seen.json {
        let runs = frame.runs.iter().map(|run| {
            json!({
                "target": target_json(run.tag), "backends": names(&run),
                "points": run.points, "bytes": run.payload.len(),
            })
        });
        return json!({
            "log": log.0, "frame": header.number, "stamp": header.stamp.0,
            "unix_ms": header.unix_ms, "kind": word(frame.kind), "points": header.points,
            "bytes": header.payload_len, "offset": offset, "runs": runs.collect::<Vec<_>>(),
        })
        .to_string();
    }
    let runs = frame.runs.iter().map(|run| {
        let (name, bytes) = (database(run.tag), run.payload.len());
        format!(" | {name} -> {}: {} points, {bytes} B", names(&run).join(", "), run.points)
    });
    format!(
        "log {log} frame {} stamp {} {} {} {} points {} B{}",
        header.number,
        header.stamp.0,
        time(Some(header.unix_ms)),
        word(frame.kind),
        header.points,
        header.payload_len,
        runs.collect::<String>()
    )
}

fn contents(seen: &Seen, log: LogId, frame: &Frame) {
    for run in &frame.runs {
        let names: Vec<String> = run.targets.iter().map(|target| seen.name(*target)).collect();
        let payload = frame.payload(&run);
        if seen.json {
            say(json!({
                "log": log.0, "frame": frame.number(), "kind": word(frame.kind),
                "target": target_json(run.tag), "backends": names,
                "lines": String::from_utf8_lossy(payload),
            }));
            continue;
        }
        let (name, names) = (database(run.tag), names.join(", "));
        say(format_args!("# log {log} frame {}: {name} -> {names}", frame.number()));
        print(payload);
        if !payload.ends_with(b"\n") {
            print(b"\n");
        }
    }
}

/// A damaged place is told where it stands; `verify` tells more.
fn damaged(log: LogId, numbers: &Range<u64>) {
    eprintln!("log {log}: frames {} to {} are unreadable", numbers.start, numbers.end - 1);
}
