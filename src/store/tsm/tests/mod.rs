mod blocks;
mod deletes;
mod files;
mod merging;

use super::{Reader, Writer};
use crate::store::value::{Column, Value};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// In memory where there is such a place: these tests make thousands of files, and each waits for its disk.
pub(crate) fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// A file of these points, under its final name.
fn written(directory: &Path, name: &str, keys: &[(&[u8], Column)]) -> PathBuf {
    let path = directory.join(name);
    let makeshift = path.with_added_extension("tmp");
    let mut writer = Writer::create(&makeshift).unwrap();
    for (key, column) in keys {
        writer.points(key, column).unwrap();
    }
    writer.finish().unwrap();
    std::fs::rename(&makeshift, &path).unwrap();
    path
}

fn opened(directory: &Path, name: &str, keys: &[(&[u8], Column)]) -> Arc<Reader> {
    Arc::new(Reader::open(&written(directory, name, keys)).unwrap())
}

fn integers(points: impl IntoIterator<Item = (i64, i64)>) -> Column {
    let mut column = Column::new(crate::store::value::FieldType::Integer);
    points.into_iter().for_each(|(time, value)| column.push(time, &Value::Integer(value)));
    column
}
