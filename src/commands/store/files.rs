//! `circlet store inspect` and `circlet store export`: data directories, ours or an InfluxDB's. Both only read.

use super::super::table::Report;
use super::super::{Exit, of_trouble};
use circlet::proto::moment;
use circlet::shard::Trouble;
use circlet::store::foreign::{
    ExportError, ExportOptions, FileState, FileView, SegmentView, WindowView, export, inspect,
};
use circlet::store::view::TimeRange;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::io::{BufWriter, ErrorKind, stdout};
use std::path::{Path, PathBuf};

#[derive(Debug, Subcommand)]
pub enum Action {
    /// Windows, files and deletes of a data directory, ours or an InfluxDB's; changes nothing
    Inspect {
        /// The directory that holds `meta` and `data`
        directory: PathBuf,
        /// Read every block and compare its checksum
        #[arg(long)]
        verify: bool,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Print the points of a stopped data directory, ours or an InfluxDB's, as line protocol; changes nothing
    Export(ExportArguments),
}

#[derive(Debug, Args)]
pub struct ExportArguments {
    /// The directory that holds `meta` and `data`
    directory: PathBuf,
    /// Only this database
    #[arg(long = "db", value_name = "DATABASE")]
    database: Option<String>,
    /// Only this retention policy
    #[arg(long = "rp", value_name = "POLICY")]
    policy: Option<String>,
    /// Only points from then on, as in 2026-01-31T00:00:00Z or in nanoseconds since 1970
    #[arg(long, value_name = "TIME", value_parser = time, allow_hyphen_values = true)]
    start: Option<i64>,
    /// Only points before then
    #[arg(long, value_name = "TIME", value_parser = time, allow_hyphen_values = true)]
    end: Option<i64>,
}

fn time(text: &str) -> Result<i64, String> {
    let number = text.parse().ok();
    let moment = || i64::try_from(moment::rfc3339(text)?).ok();
    number
        .or_else(moment)
        .ok_or_else(|| "a moment as in 2026-01-31T00:00:00Z, or nanoseconds since 1970".to_owned())
}

pub fn run(action: &Action) -> Exit {
    let done = match action {
        Action::Inspect { directory, verify, json } => show(directory, *verify, *json),
        Action::Export(arguments) => print(arguments),
    };
    done.unwrap_or_else(|trouble| of_trouble(&trouble))
}

fn show(directory: &Path, verify: bool, json: bool) -> Result<Exit, Trouble> {
    let header = [
        "DATABASE", "POLICY", "WINDOW", "FROM", "TO", "FILE", "BYTES", "SERIES", "KEYS", "BLOCKS",
        "POINTS", "DELETED", "STATE",
    ];
    let mut report = Report::new(json, header);
    let mut problems = Vec::new();
    inspect(directory, verify, |view| {
        window_row(&view, &mut report);
        view.files.iter().for_each(|file| file_row(&view, file, &mut report, &mut problems));
        view.segments.iter().for_each(|one| segment_row(&view, one, &mut report, &mut problems));
    })
    .map_err(|error| Trouble::Running(error.to_string()))?;
    report.finish();
    problems.iter().for_each(|problem| eprintln!("circlet: {problem}"));
    Ok(if problems.is_empty() { Exit::Done } else { Exit::Failed })
}

/// The first cells of every row, and the same for programs.
fn place(view: &WindowView) -> ([String; 3], Value) {
    let folder = &view.folder;
    let object =
        json!({ "database": folder.database, "policy": folder.policy, "window": folder.id });
    ([folder.database.clone(), folder.policy.clone(), folder.id.to_string()], object)
}

fn window_row(view: &WindowView, report: &mut Report) {
    let ([database, policy, window], mut object) = place(view);
    let group = view.folder.group.as_ref();
    let begin = group.map(|group| moment::text(group.begin_ns()));
    let end = group.map(|group| moment::text(group.end_ns));
    let state = if group.is_some() { "" } else { "not in the catalogue" };
    let bytes: u64 = view.files.iter().map(|file| file.bytes).sum();
    object["kind"] = json!("window");
    object["start"] = json!(begin);
    object["end"] = json!(end);
    object["files"] = json!(view.files.len());
    object["bytes"] = json!(bytes);
    object["other_bytes"] = json!(view.other_bytes);
    object["series"] = json!(view.series);
    object["in_catalogue"] = json!(group.is_some());
    let cells = [
        database,
        policy,
        window,
        begin.unwrap_or_default(),
        end.unwrap_or_default(),
        format!("{} files", view.files.len()),
        bytes.to_string(),
        view.series.to_string(),
        String::new(),
        String::new(),
        String::new(),
        String::new(),
        state.to_owned(),
    ];
    report.row(cells, &object);
}

fn file_row(view: &WindowView, file: &FileView, report: &mut Report, problems: &mut Vec<String>) {
    let ([database, policy, window], mut object) = place(view);
    object["kind"] = json!("file");
    object["file"] = json!(name(&file.path));
    object["bytes"] = json!(file.bytes);
    let mut cells = [
        database,
        policy,
        window,
        String::new(),
        String::new(),
        name(&file.path),
        file.bytes.to_string(),
        String::new(),
        String::new(),
        String::new(),
        String::new(),
        String::new(),
        "whole".to_owned(),
    ];
    match &file.state {
        FileState::Read { keys, blocks, range, tombstones, points, damages } => {
            let (begin, end) = (moment::text(range.min_ns), moment::text(range.max_ns));
            let damaged: Vec<String> = damages.iter().map(ToString::to_string).collect();
            object["start"] = json!(begin);
            object["end"] = json!(end);
            object["keys"] = json!(keys);
            object["blocks"] = json!(blocks);
            object["points"] = json!(points);
            object["deleted_keys"] = json!(tombstones);
            object["damages"] = json!(damaged);
            (cells[3], cells[4]) = (begin, end);
            (cells[8], cells[9]) = (keys.to_string(), blocks.to_string());
            cells[10] = points.map_or_else(String::new, |points| points.to_string());
            cells[11] = if *tombstones > 0 { format!("{tombstones} keys") } else { String::new() };
            if !damages.is_empty() {
                cells[12] = format!("{} damaged blocks", damages.len());
            }
            problems.extend(damaged);
        }
        FileState::Unreadable(problem) => {
            object["problem"] = json!(problem);
            cells[12] = "unreadable".to_owned();
            problems.push(problem.clone());
        }
    }
    report.row(cells, &object);
}

fn segment_row(
    view: &WindowView,
    segment: &SegmentView,
    report: &mut Report,
    problems: &mut Vec<String>,
) {
    let ([database, policy, window], mut object) = place(view);
    object["kind"] = json!("wal");
    object["file"] = json!(name(&segment.path));
    object["bytes"] = json!(segment.bytes);
    object["entries"] = json!(segment.entries);
    let mut state = format!("{} entries of the log", segment.entries);
    if let Some((at, problem)) = &segment.torn {
        state.push_str(", then torn");
        object["torn_at"] = json!(at);
        problems.push(format!("{} at {at}: {problem}", segment.path.display()));
    }
    let none = String::new;
    let cells = [
        database,
        policy,
        window,
        none(),
        none(),
        name(&segment.path),
        segment.bytes.to_string(),
        none(),
        none(),
        none(),
        none(),
        none(),
        state,
    ];
    report.row(cells, &object);
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn print(arguments: &ExportArguments) -> Result<Exit, Trouble> {
    let all = ExportOptions::default();
    let options = ExportOptions {
        database: arguments.database.clone(),
        policy: arguments.policy.clone(),
        range: TimeRange {
            min_ns: arguments.start.unwrap_or(all.range.min_ns),
            max_ns: arguments.end.map_or(all.range.max_ns, |end| end.saturating_sub(1)),
        },
    };
    let mut out = BufWriter::with_capacity(1 << 20, stdout().lock());
    let done = match export(&arguments.directory, &options, &mut out) {
        Ok(done) => done,
        // Nobody reads it any more.
        Err(ExportError::Output(error)) if error.kind() == ErrorKind::BrokenPipe => {
            return Ok(Exit::Failed);
        }
        Err(error) => return Err(Trouble::Running(error.to_string())),
    };
    done.problems.iter().for_each(|problem| eprintln!("circlet: {problem}"));
    if done.unspeakable > 0 {
        eprintln!("circlet: {} infinite values have no words in lines", done.unspeakable);
    }
    eprintln!(
        "circlet: {} values on {} lines out of {} windows",
        done.values, done.lines, done.windows
    );
    Ok(if done.problems.is_empty() { Exit::Done } else { Exit::Failed })
}
