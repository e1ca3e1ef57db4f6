//! The recorded vectors beside these tests.

use base64::Engine;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn path(file: &str) -> PathBuf {
    root().join("tests/vectors").join(file)
}

/// All rows of a JSON-lines file.
pub fn rows(file: &str) -> Vec<Value> {
    let text =
        std::fs::read_to_string(path(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| serde_json::from_str(line).expect("a row is JSON")).collect()
}

/// Text of a key; empty when it is absent.
pub fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap_or("")
}

/// The bytes of `name`, `name_b64` or `name_rle` (list of [text, repeat]).
pub fn bytes(row: &Value, name: &str) -> Vec<u8> {
    if let Some(encoded) = row[format!("{name}_b64").as_str()].as_str() {
        return base64::engine::general_purpose::STANDARD.decode(encoded).expect("base64");
    }
    if let Some(parts) = row[format!("{name}_rle").as_str()].as_array() {
        let part = |part: &Value| {
            let count = usize::try_from(part[1].as_u64().expect("a count")).expect("it fits");
            part[0].as_str().expect("text").repeat(count)
        };
        return parts.iter().map(part).collect::<String>().into_bytes();
    }
    text(row, name).as_bytes().to_vec()
}
