//! `circlet wal stat` and `circlet wal export`: what is still owed, by the cursors on disk.

use super::super::table::{Report, time};
use super::super::{Exit, print, say};
use super::frames::word;
use super::{Seen, database, failed, target_json};
use circlet::base::ids::BackendId;
use circlet::ring::Target;
use circlet::shard::Trouble;
use circlet::shard::backlog::{is_of, write_run};
use circlet::wal::inspect::{Debt, debts, each_owed};
use serde_json::json;

/// Every queue of every log.
pub fn list(seen: &Seen) -> Result<Exit, Trouble> {
    let header = ["LOG", "BACKEND", "WAITS FOR", "CURSOR", "LINES", "BYTES", "OLDEST", "SINCE"];
    let mut report = Report::new(seen.json, header);
    for view in &seen.views {
        if view.checkpoint.is_none() && !view.segments.is_empty() {
            eprintln!("log {} has no cursors: all of it counts as owed", view.log);
        }
        for debt in debts(view, seen.registry.names().len()).map_err(failed)? {
            row(seen, view.log.0, &debt, &mut report);
        }
    }
    report.finish();
    Ok(Exit::Done)
}

fn row(seen: &Seen, log: u16, debt: &Debt, report: &mut Report) {
    let backend = seen.name(debt.backend);
    let is_parked = !debt.tag.is_empty();
    let age_ms = debt
        .oldest
        .map(|(_, _, unix_ms)| circlet::rt::Clock::Real.unix().millis().saturating_sub(unix_ms));
    let object = json!({
        "log": log, "backend": backend,
        "parked": if is_parked { target_json(&debt.tag) } else { serde_json::Value::Null },
        "cursor": debt.cursor, "points": debt.points, "statements": debt.statements,
        "bytes": debt.bytes, "oldest_frame": debt.oldest.map(|(number, _, _)| number),
        "oldest_stamp": debt.oldest.map(|(_, stamp, _)| stamp.0),
        "oldest_unix_ms": debt.oldest.map(|(_, _, unix_ms)| unix_ms), "age_ms": age_ms,
    });
    let lines = match debt.statements {
        0 => debt.points.to_string(),
        statements => format!("{} and {statements} statements", debt.points),
    };
    let cells = [
        log.to_string(),
        backend,
        if is_parked { database(&debt.tag) } else { "-".to_owned() },
        debt.cursor.to_string(),
        lines,
        format!("{} B", debt.bytes),
        age_ms.map_or("-".to_owned(), |ms| format!("{} s", ms / 1000)),
        time(debt.oldest.map(|(_, _, unix_ms)| unix_ms)),
    ];
    report.row(cells, &object);
}

/// Prints what one backend is owed. Takes nothing out.
pub fn export(seen: &Seen, backend: &str, database: Option<&str>) -> Result<Exit, Trouble> {
    let names = seen.registry.names();
    let known = names.iter().position(|name| name == backend);
    let Some(id) = known.and_then(|at| u16::try_from(at).ok()).map(BackendId) else {
        let names = names.join(", ");
        let text = format!("no backend named {backend:?} is known here; there are: {names}");
        return Err(Trouble::Usage(text));
    };
    let mut last: Option<Target> = None;
    let (mut lines, mut bytes) = (0, 0);
    for view in &seen.views {
        each_owed(view, id, |frame, run| {
            if database.is_none_or(|wanted| is_of(run.tag, wanted)) {
                lines += u64::from(run.points);
                bytes += run.payload.len();
                if seen.json {
                    say(json!({
                        "log": view.log.0, "frame": frame.number(), "kind": word(frame.kind),
                        "target": target_json(run.tag),
                        "lines": String::from_utf8_lossy(frame.payload(run)),
                    }));
                    return Ok(());
                }
                write_run(frame, run, &mut last, &mut |text| {
                    print(text);
                    Ok(())
                })?;
            }
            Ok(())
        })
        .map_err(failed)?;
    }
    eprintln!("{lines} lines ({bytes} bytes) are owed to {backend}; they stay in the log");
    Ok(Exit::Done)
}
