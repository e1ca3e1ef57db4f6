//! A cache becomes a file.

use super::cache::{Cache, Row};
use super::database::Database;
use super::shared::Shared;
use super::window::Window;
use crate::store::point::SEPARATOR;
use crate::store::tsm::{FileName, Outputs, Reader};
use crate::store::value::{Column, FieldType};
use crate::store::view::TimeRange;
use std::cmp::Ordering as Order;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Brings all points of a window to files that it had when this began. Durable when it returns; an error leaves them
/// where they were.
pub fn snapshot(shared: &Shared, database: &Database, window: &Window) -> io::Result<()> {
    let _job = window.jobs.read();
    let _alone = window.snapshotting.lock();
    if window.is_gone.load(Ordering::Relaxed) {
        return Ok(());
    }
    let Some(frozen) = window.freeze() else { return Ok(()) };
    let outcome = write(database, window, &frozen.read());
    match &outcome {
        Ok(_) => shared.counters.snapshots.add(1),
        Err(_) => shared.counters.snapshots_failed.add(1),
    }
    window.thaw(outcome?);
    Ok(())
}

fn write(database: &Database, window: &Window, cache: &Cache) -> io::Result<Vec<Arc<Reader>>> {
    make_directory(&window.directory)?;
    let name = FileName { generation: window.next_generation(), sequence: 1 };
    let mut outputs = Outputs::new(&window.directory, name);
    let keys = sorted_keys(database, cache);
    let mut columns: Vec<Column> = Vec::new();
    let mut key = Vec::new();
    for (series_key, row) in &keys {
        key.clear();
        key.extend_from_slice(series_key);
        key.extend_from_slice(SEPARATOR);
        write_row(&mut outputs, cache, row, &mut key, &mut columns)?;
    }
    let names: Vec<FileName> = outputs.finish()?.into_iter().map(|(name, _)| name).collect();
    publish(&window.directory, &names).inspect_err(|_| {
        // The points are written again under other names; these must not come back then.
        for name in &names {
            drop(fs::remove_file(Outputs::makeshift(&window.directory, *name)));
            drop(fs::remove_file(window.directory.join(name.to_string())));
        }
    })
}

/// Gives files their names, durably, and opens them.
pub fn publish(directory: &Path, names: &[FileName]) -> io::Result<Vec<Arc<Reader>>> {
    for name in names {
        let path = directory.join(name.to_string());
        fs::rename(Outputs::makeshift(directory, *name), path)?;
    }
    File::open(directory)?.sync_all()?;
    let open = |name: &FileName| Reader::open(&directory.join(name.to_string())).map(Arc::new);
    let readers: Result<_, _> = names.iter().map(open).collect();
    readers.map_err(|error| io::Error::other(error.to_string()))
}

/// With all directories above it, durably.
fn make_directory(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    if let Some(parent) = directory.parent() {
        make_directory(parent)?;
        match fs::create_dir(directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => File::open(parent)?.sync_all()?,
        }
    }
    Ok(())
}

/// The rows in the order of their keys in files.
fn sorted_keys<'a>(database: &Database, cache: &'a Cache) -> Vec<(Box<[u8]>, &'a Row)> {
    let index = database.index.read();
    let mut keys: Vec<(Box<[u8]>, &Row)> =
        cache.rows.iter().map(|row| (index.key(row.series).into(), row)).collect();
    drop(index);
    keys.sort_unstable_by(|(one, _), (other, _)| by_composite(one, other));
    keys
}

/// As the keys with the separator behind them.
fn by_composite(one: &[u8], other: &[u8]) -> Order {
    let common = one.len().min(other.len());
    one[..common].cmp(&other[..common]).then_with(|| {
        let one = one[common..].iter().chain(SEPARATOR);
        one.cmp(other[common..].iter().chain(SEPARATOR))
    })
}

fn write_row(
    outputs: &mut Outputs,
    cache: &Cache,
    row: &Row,
    key: &mut Vec<u8>,
    columns: &mut Vec<Column>,
) -> io::Result<()> {
    let stem = key.len();
    let mut fields: Vec<(&str, usize, usize)> = Vec::new();
    for (at, strip) in row.strips.iter().enumerate() {
        let places = strip.shape.fields.iter().enumerate();
        fields.extend(places.map(|(place, field)| (&*field.name, at, place)));
    }
    fields.sort_unstable();
    for (name, at, place) in fields {
        key.truncate(stem);
        key.extend_from_slice(name.as_bytes());
        let strip = &row.strips[at];
        let column = scratch(columns, strip.shape.fields[place].kind);
        strip.column(place, TimeRange::ALL, cache.texts(), column);
        if !column.is_empty() {
            outputs.points(key, column)?;
        }
    }
    Ok(())
}

/// One column of each type is used again and again.
fn scratch(columns: &mut Vec<Column>, kind: FieldType) -> &mut Column {
    let known = columns.iter().position(|column| column.values.kind() == kind);
    let at = known.unwrap_or_else(|| {
        columns.push(Column::new(kind));
        columns.len() - 1
    });
    &mut columns[at]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_sorted_as_they_stand_in_files() {
        let mut keys: Vec<&[u8]> = vec![
            b"cpu",
            b"cpu!",
            b"cpu,a=1",
            b"cpu,a=10",
            b"cpu,a=1!",
            b"cpu,a=1$",
            b"cp",
            b"cpu#",
        ];
        keys.sort_by(|one, other| by_composite(one, other));
        let mut wanted = keys.clone();
        wanted.sort_by_key(|key| [*key, SEPARATOR].concat());
        assert_eq!(keys, wanted);
    }
}
