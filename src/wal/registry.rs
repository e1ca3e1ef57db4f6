//! The data directory itself: its format, its lock, and the numbers of the backends.
//!
//! ```text
//! <data>/wal/FORMAT         format=1 node=<32 hex digits>
//! <data>/wal/LOCK           held while a process uses the directory
//! <data>/wal/backends.reg   <number> TAB <name>, a line each; a number is never given twice;
//!                           last `crc32c=` and 8 hex digits, of all before it
//! <data>/wal/backends.copy  the same again
//! <data>/wal/ballast        space in reserve; may be missing
//! <data>/wal/log-000/       one log: segments, `cursors`, `next-*.tmp`, `free-*.wal`
//! <data>/wal/quarantine/    copies of unreadable regions
//! ```
//! Used once at start, on a plain thread, before any shard.

use super::segment;
use crate::base::checksum::crc32c;
use crate::base::ids::{BackendId, LogId};
use crate::rt::disk::replace_now;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const FORMAT: u32 = 1;

/// The list of names, twice: without it nobody knows for whom the lines in the log are.
const NAMES: [&str; 2] = ["backends.copy", "backends.reg"];

/// An opened data directory. The lock is held until it is dropped.
#[derive(Debug)]
pub struct Registry {
    directory: PathBuf,
    pub node: [u8; 16],
    names: Vec<String>,
    /// `None` for somebody who only looks.
    _lock: Option<fs::File>,
}

/// Where a log lies, in the directory of all logs.
pub fn log_directory(all: &Path, log: LogId) -> PathBuf {
    all.join(format!("log-{:03}", log.0))
}

impl Registry {
    /// Opens or creates `<data>/wal`. `fresh_node` is used when there is none yet.
    pub fn open(data: &Path, fresh_node: [u8; 16]) -> Result<Registry, String> {
        let directory = data.join("wal");
        fs::create_dir_all(&directory).map_err(|error| cannot("create", &directory, &error))?;
        let lock = lock(&directory)?;
        let node = read_format(&directory, fresh_node)?;
        let names = read_names(&directory)?;
        let registry = Registry { directory, node, names, _lock: Some(lock) };
        if !registry.names.is_empty() {
            // One of the two may have been lost.
            let written = registry.write_names();
            written.map_err(|error| cannot("write", &registry.directory, &error))?;
        }
        Ok(registry)
    }

    /// Looks into `<data>/wal` without a lock and without a change: a gateway may be using it.
    pub fn look(data: &Path) -> Result<Registry, String> {
        let directory = data.join("wal");
        let path = directory.join("FORMAT");
        let text = fs::read_to_string(&path).map_err(|error| cannot("read", &path, &error))?;
        let node = known_format(&path, &text)?;
        let names = read_names(&directory)?;
        Ok(Registry { directory, node, names, _lock: None })
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    pub fn log_directory(&self, log: LogId) -> PathBuf {
        log_directory(&self.directory, log)
    }

    /// The number of each name, old or new. New ones are on stable storage when this returns.
    pub fn numbers(&mut self, names: &[String]) -> Result<Vec<BackendId>, String> {
        let before = self.names.len();
        for name in names {
            if name.contains(['\t', '\n', '\r']) {
                return Err(format!("{name:?} cannot be a backend's name"));
            }
        }
        for name in names {
            if !self.names.contains(name) {
                self.names.push(name.clone());
            }
        }
        if self.names.len() > before
            && let Err(error) = self.write_names()
        {
            // Whether they are on stable storage is unknown: the next call writes them again.
            self.names.truncate(before);
            return Err(cannot("write", &self.directory, &error));
        }
        let number = |name| {
            let at = self.names.iter().position(|known| known == name).expect("just added");
            BackendId(u16::try_from(at).expect("a node knows far fewer than 65,536 backends"))
        };
        Ok(names.iter().map(number).collect())
    }

    /// Every name that ever had a number, in the order of the numbers.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The logs that are on disk.
    pub fn logs(&self) -> Result<Vec<LogId>, String> {
        let entries = fs::read_dir(&self.directory)
            .map_err(|error| cannot("list", &self.directory, &error))?;
        let mut logs = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| cannot("list", &self.directory, &error))?;
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix("log-")?.parse().ok());
            logs.extend(number.map(LogId));
        }
        logs.sort_unstable();
        Ok(logs)
    }

    /// Writes those of the two lists that are not as they should be.
    fn write_names(&self) -> io::Result<()> {
        let mut text = String::new();
        for (number, name) in self.names.iter().enumerate() {
            writeln!(text, "{number}\t{name}").expect("writing to a string");
        }
        writeln!(text, "crc32c={:08x}", crc32c(text.as_bytes())).expect("writing to a string");
        for path in NAMES.map(|name| self.directory.join(name)) {
            if fs::read(&path).ok().as_deref() != Some(text.as_bytes()) {
                replace_now(&path, text.as_bytes())?;
            }
        }
        Ok(())
    }
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> String {
    format!("cannot {what} {}: {error}", path.display())
}

/// A process that was killed may keep the lock for a moment, while the kernel ends its I/O.
fn lock(directory: &Path) -> Result<fs::File, String> {
    let path = directory.join("LOCK");
    let file = fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|error| cannot("open", &path, &error))?;
    for _ in 0..100 {
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(rustix::io::Errno::WOULDBLOCK) => pause(),
            Err(error) => return Err(cannot("lock", &path, &error.into())),
        }
    }
    Err(format!("{} is in use by another process", directory.display()))
}

#[expect(clippy::disallowed_methods, reason = "before any shard runs, on the starting thread")]
fn pause() {
    std::thread::sleep(std::time::Duration::from_millis(50));
}

fn read_format(directory: &Path, fresh_node: [u8; 16]) -> Result<[u8; 16], String> {
    let path = directory.join("FORMAT");
    match fs::read_to_string(&path) {
        Ok(text) => known_format(&path, &text),
        Err(error) if error.kind() == io::ErrorKind::NotFound && holds_segments(directory)? => {
            Err(format!(
                "{} is missing beside logs that hold data: put it back, or move the directories log-* away",
                path.display()
            ))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut hex = String::new();
            for byte in fresh_node {
                write!(hex, "{byte:02x}").expect("writing to a string");
            }
            replace_now(&path, format!("format={FORMAT} node={hex}\n").as_bytes())
                .map_err(|error| cannot("write", &path, &error))?;
            Ok(fresh_node)
        }
        Err(error) => Err(cannot("read", &path, &error)),
    }
}

fn known_format(path: &Path, text: &str) -> Result<[u8; 16], String> {
    parse_format(text).ok_or_else(|| {
        format!("{} is of a format that this version does not know: {text:?}", path.display())
    })
}

fn parse_format(text: &str) -> Option<[u8; 16]> {
    let (format, node) = text.trim_end().strip_prefix("format=")?.split_once(" node=")?;
    if format.parse::<u32>().ok()? != FORMAT || node.len() != 32 || !node.is_ascii() {
        return None;
    }
    let mut bytes = [0; 16];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(node.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

/// From the longer of the two lists that are whole; they differ only after a crash between the two writes.
fn read_names(directory: &Path) -> Result<Vec<String>, String> {
    let mut best: Option<Vec<String>> = None;
    let mut damaged = Vec::new();
    for path in NAMES.map(|name| directory.join(name)) {
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(cannot("read", &path, &error)),
        };
        match parse_names(&text) {
            Some(names) if best.as_ref().is_none_or(|best| best.len() <= names.len()) => {
                best = Some(names);
            }
            Some(_) => {}
            None => damaged.push(path.display().to_string()),
        }
    }
    for path in &damaged {
        tracing::error!(path, "the list of backends is damaged");
    }
    match best {
        Some(names) => Ok(names),
        None if damaged.is_empty() && !holds_segments(directory)? => Ok(Vec::new()),
        None => Err(format!(
            "{0}/{1} and {0}/{2} are missing or damaged, and only they say which backend each number in the \
             logs means: put one of them back, or move the directories log-* away",
            directory.display(),
            NAMES[1],
            NAMES[0]
        )),
    }
}

fn parse_names(text: &[u8]) -> Option<Vec<String>> {
    let text = str::from_utf8(text).ok()?;
    let (lines, seal) = text.split_at_checked(text.rfind("crc32c=")?)?;
    if seal != format!("crc32c={:08x}\n", crc32c(lines.as_bytes())) {
        return None;
    }
    let mut names = Vec::new();
    for line in lines.lines() {
        let (number, name) = line.split_once('\t')?;
        if number.parse() != Ok(names.len()) {
            return None;
        }
        names.push(name.to_owned());
    }
    Some(names)
}

/// Whether there is a log with a segment.
fn holds_segments(directory: &Path) -> Result<bool, String> {
    let list = |path: &Path| -> Result<Vec<PathBuf>, String> {
        let entries = fs::read_dir(path).and_then(|entries| {
            entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()
        });
        entries.map_err(|error| cannot("list", path, &error))
    };
    for path in list(directory)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("log-") && path.is_dir() {
            let files = list(&path)?;
            let is_segment = |file: &PathBuf| {
                let name = file.file_name().unwrap_or_default().to_string_lossy();
                segment::parse_name(&name).is_some()
            };
            if files.iter().any(is_segment) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
