//! `circlet rejects`: lines and statements that backends refused for good.

mod replay;

use super::arguments::{RejectsAction, RejectsArguments};
use super::table::Report;
use super::{Exit, of_trouble, print, say};
use circlet::config::Config;
use circlet::ingest::rejects::groups;
use circlet::shard::Trouble;
use serde_json::json;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub fn run(config: &Config, action: &RejectsAction) -> Exit {
    let done = find(config, action.arguments()).and_then(|files| match action {
        RejectsAction::Ls { json, .. } => list(&files, *json),
        RejectsAction::Show { .. } => show(&files),
        RejectsAction::Replay { which, yes } => replay::run(config, which, &files, *yes),
        RejectsAction::Drop { .. } => drop_all(&files),
    });
    done.unwrap_or_else(|trouble| of_trouble(&trouble))
}

/// A file of rejects.
struct Rejects {
    backend: String,
    name: String,
    path: PathBuf,
}

impl Rejects {
    fn is_lines(&self) -> bool {
        self.name.ends_with(".lp")
    }

    fn read(&self) -> Result<Vec<u8>, Trouble> {
        fs::read(&self.path).map_err(|error| failed(&self.path, &error))
    }
}

fn failed(path: &Path, error: &io::Error) -> Trouble {
    Trouble::Running(format!("{}: {error}", path.display()))
}

/// The files that were asked for, sorted by backend and name.
fn find(config: &Config, which: &RejectsArguments) -> Result<Vec<Rejects>, Trouble> {
    let directory = config.data_dir.join("rejects");
    let mut backends = names(&directory)?;
    if let Some(wanted) = &which.backend {
        let is_known = config.backends.iter().any(|backend| backend.name == *wanted);
        if !is_known && !backends.contains(wanted) {
            let known: Vec<&str> = config.backends.iter().map(|backend| &*backend.name).collect();
            return Err(Trouble::Usage(format!(
                "no backend named {wanted:?} is known here; there are: {}",
                known.join(", ")
            )));
        }
        backends.retain(|backend| backend == wanted);
    }
    let mut files = Vec::new();
    for backend in backends {
        for name in names(&directory.join(&backend))? {
            if which.name.as_ref().is_none_or(|wanted| *wanted == name) {
                let path = directory.join(&backend).join(&name);
                files.push(Rejects { backend: backend.clone(), name, path });
            }
        }
    }
    match &which.name {
        Some(name) if files.is_empty() => {
            Err(Trouble::Usage(format!("there is no file {name:?}; see `circlet rejects ls`")))
        }
        _ => Ok(files),
    }
}

/// The names in a directory, sorted; none if there is no such directory.
fn names(directory: &Path) -> Result<Vec<String>, Trouble> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(directory, &error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(|error| failed(directory, &error))?.file_name().into_string();
        names.extend(name.ok().filter(|name| !name.ends_with(".new")));
    }
    names.sort_unstable();
    Ok(names)
}

/// What is in a file, in short.
#[derive(Default)]
struct Summary {
    entries: usize,
    bytes: usize,
    /// As the comment says it.
    oldest: Option<String>,
    /// Each once.
    reasons: Vec<String>,
}

fn summary(file: &Rejects) -> Result<Summary, Trouble> {
    let text = file.read()?;
    let mut summary = Summary { bytes: text.len(), ..Summary::default() };
    if file.is_lines() {
        for group in groups(&text) {
            summary.entries += group.lines.len();
            summary.note(&group.message);
        }
    } else {
        for line in String::from_utf8_lossy(&text).lines() {
            match line.split_once(" frame=").and_then(|(_, rest)| rest.split_once(": ")) {
                Some((_, reason)) if line.starts_with('#') => summary.note(reason),
                _ => summary.entries += 1,
            }
        }
    }
    let date = text.strip_prefix(b"# ").and_then(|rest| rest.get(..29));
    let date = date.and_then(|date| std::str::from_utf8(date).ok());
    summary.oldest = date.filter(|date| httpdate::parse_http_date(date).is_ok()).map(str::to_owned);
    Ok(summary)
}

impl Summary {
    fn note(&mut self, reason: &str) {
        if !reason.is_empty() && !self.reasons.iter().any(|known| known == reason) {
            self.reasons.push(reason.to_owned());
        }
    }
}

fn list(files: &[Rejects], json: bool) -> Result<Exit, Trouble> {
    let header = ["BACKEND", "FILE", "LINES", "SIZE", "OLDEST", "REASONS"];
    let mut report = Report::new(json, header);
    for file in files {
        let summary = summary(file)?;
        let first = summary.reasons.first().cloned().unwrap_or_default();
        let reasons = match summary.reasons.len() {
            0 | 1 => first,
            all => format!("{first} (and {} more)", all - 1),
        };
        let cells = [
            file.backend.clone(),
            file.name.clone(),
            summary.entries.to_string(),
            format!("{} B", summary.bytes),
            summary.oldest.clone().unwrap_or_else(|| "-".to_owned()),
            reasons,
        ];
        let object = json!({
            "backend": file.backend, "file": file.name, "lines": summary.entries,
            "bytes": summary.bytes, "oldest": summary.oldest, "reasons": summary.reasons,
        });
        report.row(cells, &object);
    }
    report.finish();
    Ok(Exit::Done)
}

fn show(files: &[Rejects]) -> Result<Exit, Trouble> {
    for file in files {
        say(format_args!("# {}", file.path.display()));
        print(&file.read()?);
    }
    Ok(Exit::Done)
}

fn drop_all(files: &[Rejects]) -> Result<Exit, Trouble> {
    let mut entries = 0;
    for file in files {
        entries += summary(file)?.entries;
        fs::remove_file(&file.path).map_err(|error| failed(&file.path, &error))?;
    }
    say(format_args!("dropped {entries} lines in {} files", files.len()));
    Ok(Exit::Done)
}
