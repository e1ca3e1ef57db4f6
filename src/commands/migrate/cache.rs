//! The cache files of influx-proxy: lines that a backend has not got, written through a running gateway.
//!
//! `NAME.dat` is one record after another: a big-endian `u32` with the length of what follows, then two URL-encoded
//! words (2.x: database and retention policy; 3.x: organization and bucket), each with a blank behind it, and a gzip
//! stream of lines in nanoseconds. `NAME.rec` is a big-endian `i64`: how many bytes of it are done. It may be empty.

use crate::commands::arguments::ConfigFile;
use crate::commands::{Exit, http, say};
use circlet::config::Config;
use clap::Args;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// No flush of influx-proxy is nearly as large; more is a damaged file.
const RECORD_BYTES_MAX: u32 = 256 * 1024 * 1024;

#[derive(Debug, Args)]
pub struct ImportCache {
    /// The data_dir of influx-proxy, which must be stopped
    pub directory: PathBuf,
    /// The files are those of influx-proxy 3.x, with organizations and buckets
    #[arg(long)]
    pub buckets: bool,
    /// Only say what would be written
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub file: ConfigFile,
}

/// What a file gave.
#[derive(Debug, Default)]
struct Tally {
    records: u64,
    bytes: u64,
}

#[derive(Debug, PartialEq, Eq)]
struct Record {
    first: String,
    second: String,
    gzip: Vec<u8>,
}

pub fn import_cache(config: &Config, arguments: &ImportCache) -> Exit {
    let files = match cache_files(&arguments.directory) {
        Ok(files) => files,
        Err(error) => {
            eprintln!("circlet import-cache: {}: {error}", arguments.directory.display());
            return Exit::Failed;
        }
    };
    if files.is_empty() {
        say(format!("there is no .dat file in {}", arguments.directory.display()));
    }
    for path in &files {
        let mut tally = Tally::default();
        let outcome = import(path, config, arguments, &mut tally);
        let verb = if arguments.dry_run { "would be written" } else { "are written" };
        say(format!("{}: {} batches, {} bytes {verb}", path.display(), tally.records, tally.bytes));
        if let Err(why) = outcome {
            eprintln!("circlet import-cache: {}: {why}", path.display());
            eprintln!("Once more is harmless: a point that is written twice is one point.");
            return Exit::Failed;
        }
    }
    Exit::Done
}

fn cache_files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "dat") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn import(
    path: &Path,
    config: &Config,
    arguments: &ImportCache,
    tally: &mut Tally,
) -> Result<(), String> {
    let mut file = File::open(path).map_err(|error| error.to_string())?;
    let mut at = done(&path.with_extension("rec")).map_err(|error| error.to_string())?;
    file.seek(SeekFrom::Start(at)).map_err(|error| error.to_string())?;
    let mut reader = BufReader::new(file);
    loop {
        let (record, length) = match read_record(&mut reader) {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(()),
            Err(why) => return Err(format!("at byte {at}: {why}")),
        };
        if !arguments.dry_run {
            send(&record, config, arguments.buckets)
                .map_err(|why| format!("at byte {at}: {why}"))?;
        }
        tally.records += 1;
        tally.bytes += length;
        at += length;
    }
}

/// How much of the file is done; nothing where that was never written.
fn done(path: &Path) -> io::Result<u64> {
    match std::fs::read(path) {
        Ok(bytes) => {
            let number = bytes.first_chunk::<8>().map_or(0, |bytes| i64::from_be_bytes(*bytes));
            Ok(number.max(0).unsigned_abs())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

/// The next record and its length in the file.
fn read_record(reader: &mut impl Read) -> Result<Option<(Record, u64)>, String> {
    let mut length = [0; 4];
    match reader.read(&mut length[..1]) {
        Ok(0) => return Ok(None),
        Ok(_) => reader.read_exact(&mut length[1..]).map_err(|_| "the last record is cut off")?,
        Err(error) => return Err(error.to_string()),
    }
    let length = u32::from_be_bytes(length);
    if length > RECORD_BYTES_MAX {
        return Err(format!("a record of {length} bytes: the file is damaged"));
    }
    let mut body = Vec::new();
    let read = reader.take(u64::from(length)).read_to_end(&mut body);
    if read.map_err(|error| error.to_string())? < length as usize {
        return Err("the last record is cut off".to_owned());
    }
    let mut parts = body.splitn(3, |byte| *byte == b' ');
    let mut part = || parts.next().ok_or("a record without two names: the file is damaged");
    let (first, second, gzip) = (part()?, part()?, part()?);
    let record = Record { first: decoded(first)?, second: decoded(second)?, gzip: gzip.to_vec() };
    Ok(Some((record, u64::from(length) + 4)))
}

fn decoded(word: &[u8]) -> Result<String, String> {
    let blanks: Vec<u8> =
        word.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    let text = percent_decode(&blanks).decode_utf8().map_err(|_| "a name that is not UTF-8")?;
    Ok(text.into_owned())
}

fn send(record: &Record, config: &Config, has_buckets: bool) -> Result<(), String> {
    let [first, second] =
        [&record.first, &record.second].map(|word| utf8_percent_encode(word, NON_ALPHANUMERIC));
    let path = match has_buckets {
        true => format!("/api/v2/write?org={first}&bucket={second}&precision=ns"),
        false => format!("/write?db={first}&rp={second}&precision=ns"),
    };
    let reply = http::post_to_gateway(config, &path, "Content-Encoding: gzip\r\n", &record.gzip);
    let reply = reply.map_err(|error| format!("{}: {error}", config.listen))?;
    if reply.is_success() { Ok(()) } else { Err(reply.complaint()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(first: &str, second: &str, gzip: &[u8]) -> Vec<u8> {
        let body = [first.as_bytes(), b" ", second.as_bytes(), b" ", gzip].concat();
        let length = u32::try_from(body.len()).unwrap();
        [&length.to_be_bytes()[..], &body].concat()
    }

    #[test]
    fn records_are_read_one_after_the_other_with_their_names_decoded() {
        let bytes = [record("my+db%2F", "", b"\x1f\x8b  x"), record("b", "rp", b"")].concat();
        let mut reader = &bytes[..];
        let (first, length) = read_record(&mut reader).unwrap().unwrap();
        assert_eq!((first.first.as_str(), first.second.as_str()), ("my db/", ""));
        assert_eq!(first.gzip, b"\x1f\x8b  x");
        assert_eq!(length as usize, bytes.len() - reader.len());
        assert_eq!(read_record(&mut reader).unwrap().unwrap().0.second, "rp");
        assert_eq!(read_record(&mut reader), Ok(None));
    }

    #[test]
    fn a_record_that_is_cut_off_anywhere_is_an_error() {
        let whole = record("d", "r", b"lines");
        for end in 1..whole.len() {
            assert!(read_record(&mut &whole[..end]).is_err(), "cut at {end}");
        }
        assert!(read_record(&mut &[255; 8][..]).is_err(), "a length that cannot be");
    }
}
