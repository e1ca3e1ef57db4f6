//! `circlet wal ls` and `circlet wal verify`.

use super::super::table::{Report, time};
use super::super::{Exit, say};
use super::{Seen, failed};
use circlet::shard::Trouble;
use circlet::wal::inspect::{self, Damage, LogView, SegmentView};
use serde_json::json;
use std::path::Path;

/// Every file of every log.
pub fn list(seen: &Seen) -> Result<Exit, Trouble> {
    let header = ["LOG", "FILE", "STATE", "FRAMES", "NUMBERS", "USED", "SIZE", "MADE", "SHARES"];
    let mut report = Report::new(seen.json, header);
    for view in &seen.views {
        for segment in &view.segments {
            segment_row(seen, view, segment, &mut report)?;
        }
        for path in &view.unreadable {
            file_row(view, &file_name(path), "unreadable", None, &mut report);
        }
        for (name, bytes) in &view.free {
            file_row(view, name, "free", Some(*bytes), &mut report);
        }
    }
    report.finish();
    Ok(Exit::Done)
}

fn segment_row(
    seen: &Seen,
    view: &LogView,
    segment: &SegmentView,
    report: &mut Report,
) -> Result<(), Trouble> {
    let facts = segment.facts().map_err(failed)?;
    let header = &segment.header;
    let state = match (&segment.header.packed, &segment.footer) {
        (Some(_), _) => "packed",
        (None, Some(_)) => "closed",
        (None, None) => "open",
    };
    let name = file_name(&segment.path);
    let shares: Vec<String> = facts
        .shares
        .iter()
        .map(|share| format!("{}: {} B", seen.name(share.backend), share.bytes))
        .collect();
    let shares_json = facts.shares.iter().map(|share| {
        json!({
            "backend": seen.name(share.backend), "bytes": share.bytes, "points": share.points,
            "last_frame": share.last_frame, "last_stamp": share.last_stamp.0,
        })
    });
    let object = json!({
        "log": view.log.0, "file": name, "state": state, "segment": header.segment,
        "first_frame": header.first_frame, "end_frame": facts.end, "frames": facts.frames,
        "statements": facts.statements, "used_bytes": facts.used_bytes, "bytes": header.bytes,
        "stamp_before": header.stamp_before.0, "last_stamp": facts.last_stamp.0,
        "created_unix_ms": header.created_unix_ms, "shares": shares_json.collect::<Vec<_>>(),
    });
    let numbers = match facts.frames {
        0 => "-".to_owned(),
        _ => format!("{}-{}", header.first_frame, facts.end - 1),
    };
    let cells = [
        view.log.to_string(),
        name,
        state.to_owned(),
        facts.frames.to_string(),
        numbers,
        format!("{} B", facts.used_bytes),
        format!("{} B", header.bytes),
        time(Some(header.created_unix_ms)),
        shares.join(", "),
    ];
    report.row(cells, &object);
    Ok(())
}

fn file_row(view: &LogView, name: &str, state: &str, bytes: Option<u64>, report: &mut Report) {
    let none = || "-".to_owned();
    let cells = [
        view.log.to_string(),
        name.to_owned(),
        state.to_owned(),
        none(),
        none(),
        none(),
        bytes.map_or_else(none, |bytes| format!("{bytes} B")),
        none(),
        String::new(),
    ];
    let object = json!({ "log": view.log.0, "file": name, "state": state, "bytes": bytes });
    report.row(cells, &object);
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Reads everything. Fails if anything is damaged.
pub fn verify(seen: &Seen) -> Exit {
    let mut is_whole = true;
    for view in &seen.views {
        let found = inspect::verify(view);
        for damage in &found.damages {
            is_whole = false;
            say(tell(seen, damage));
        }
        let damages = found.damages.len();
        if seen.json {
            say(json!({
                "log": view.log.0, "segments": found.segments, "frames": found.frames,
                "bytes": found.bytes, "points": found.points, "holes": found.holes,
                "damages": damages,
            }));
        } else {
            let verdict = match damages {
                0 => "whole".to_owned(),
                _ => format!("{damages} damaged places"),
            };
            say(format_args!(
                "log {}: {verdict}; {} segments, {} frames, {} points, {} bytes read",
                view.log, found.segments, found.frames, found.points, found.bytes
            ));
        }
    }
    if is_whole { Exit::Done } else { Exit::Failed }
}

fn tell(seen: &Seen, damage: &Damage) -> String {
    let path = damage.path.display().to_string();
    if seen.json {
        let range = |range: &std::ops::Range<u64>| json!({ "from": range.start, "to": range.end });
        return json!({
            "damage": damage.what, "file": path, "place": damage.place.as_ref().map(range),
            "frames": damage.numbers.as_ref().map(range),
        })
        .to_string();
    }
    let mut text = format!("DAMAGE {path}: {}", damage.what);
    if let Some(place) = &damage.place {
        text.push_str(&format!("; bytes {} to {}", place.start, place.end));
    }
    if let Some(numbers) = &damage.numbers {
        text.push_str(&format!("; frames {} to {}", numbers.start, numbers.end - 1));
    }
    text
}
