//! A whole file somebody has written over: it is refused, or everything in it is told, read or refused.
#![no_main]

use circlet::store::tsm::{Reader, Writer};
use circlet::store::value::{Column, Values};
use libfuzzer_sys::fuzz_target;
use std::path::PathBuf;
use std::sync::LazyLock;

static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| {
    let path = std::env::temp_dir().join(format!("circlet-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&path).expect("a directory for one file");
    path
});

static GOLDEN: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let path = DIRECTORY.join("golden.tsm");
    let mut writer = Writer::create(&path).expect("a file that is not there");
    let times: Vec<i64> = (0..40).map(|at| at * at).collect();
    let columns = [
        Values::Boolean(vec![true; 40]),
        Values::Float(vec![1.5; 40]),
        Values::Integer(times.clone()),
    ];
    for (key, values) in ["m,h=a#!~#b", "m,h=a#!~#f", "n#!~#i"].into_iter().zip(columns) {
        let column = Column { times: times.clone(), values };
        writer.points(key.as_bytes(), &column).expect("room for a little");
    }
    writer.finish().expect("room for a little");
    let bytes = std::fs::read(&path).expect("just written");
    std::fs::remove_file(&path).expect("just written");
    bytes
});

/// Some bytes are copied over the file: place, length, bytes, and again; places count from the end, where the index is.
fn written_over(mut data: &[u8]) -> Vec<u8> {
    let mut bytes = GOLDEN.clone();
    while let [low, high, len, rest @ ..] = data {
        let (piece, behind) = rest.split_at(usize::from(*len % 32).min(rest.len()));
        let at = bytes.len() - 1 - usize::from(u16::from_le_bytes([*low, *high])) % bytes.len();
        let end = (at + piece.len()).min(bytes.len());
        bytes[at..end].copy_from_slice(&piece[..end - at]);
        data = behind;
    }
    bytes
}

fuzz_target!(|data: &[u8]| {
    let path = DIRECTORY.join("000000001-000000001.tsm");
    std::fs::write(&path, written_over(data)).expect("room for a little");
    let Ok(reader) = Reader::open(&path) else { return };
    for key in reader.keys() {
        assert_eq!(reader.find(key.key).map(|found| found.number), Some(key.number));
        for entry in key.entries.iter() {
            if let Ok(column) = reader.read(entry) {
                assert!(column.times.windows(2).all(|pair| pair[0] < pair[1]));
                assert_eq!(column.len(), column.values.len());
            }
        }
    }
});
