//! The lines of one request, checked against what is stored already and laid out as the cache wants them.
//!
//! Nothing is stored here: only when all lines of a request are known, and are in the log, do they go to the cache.

use super::cache::string_word;
use super::schema::{Fields, Schema, Shape, ShapeNo};
use super::writer::Place;
use crate::store::point::{self, Raw};
use crate::store::value::FieldType;

/// A point: whose it is, and which words and bytes it has.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    pub series: u32,
    pub measurement: u32,
    /// Of its measurement in this window.
    pub shape: ShapeNo,
    /// Where the line is in the body, without its time; nothing for all but the first entry of a line.
    pub head: (u32, u32),
}

/// The points of one window.
#[derive(Debug)]
pub struct Part {
    pub place: Place,
    pub entries: Vec<Entry>,
    /// Of all entries, a time and then values.
    pub words: Vec<u64>,
    /// The strings among them.
    pub texts: Vec<u8>,
    /// Fields that this batch was the first to have: how many a measurement had before.
    pub fresh: Vec<(u32, usize)>,
}

impl Part {
    pub fn new(place: Place) -> Part {
        Part { place, entries: Vec::new(), words: Vec::new(), texts: Vec::new(), fresh: Vec::new() }
    }
}

/// Why a line is not stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// In InfluxDB's words.
    Conflict(String),
    /// The same for a field that is new with this request.
    NewConflict(String),
}

/// One line on its way into a part.
pub struct Incoming<'a> {
    pub series: u32,
    pub measurement: u32,
    pub measurement_name: &'a str,
    pub time_ns: i64,
    /// From the blank behind the series key.
    pub fields: &'a [u8],
    pub head: (u32, u32),
}

fn push_value(part: &mut Part, value: Raw<'_>) {
    let word = match value {
        Raw::Float(value) => value.to_bits(),
        Raw::Integer(value) => value as u64,
        Raw::Unsigned(value) => value,
        Raw::Boolean(value) => u64::from(value),
        Raw::String(quoted) => {
            let start = part.texts.len();
            point::unquote(quoted, &mut part.texts);
            string_word(start, part.texts.len() - start)
        }
    };
    part.words.push(word);
}

/// Adds a line to the part, or leaves the part as it was.
#[inline]
pub fn add(part: &mut Part, schema: &mut Schema, line: &Incoming<'_>) -> Result<(), Unfit> {
    let fields = schema.of(line.measurement);
    if let Some((number, shape)) = fields.last()
        && add_as(part, number, shape, line)
    {
        return Ok(());
    }
    add_anew(part, fields, line)
}

/// Adds a line that has exactly the fields of the line before. `false`: it has not, and nothing happened.
#[inline]
fn add_as(part: &mut Part, number: ShapeNo, shape: &Shape, line: &Incoming<'_>) -> bool {
    let (words, texts) = (part.words.len(), part.texts.len());
    part.words.push(line.time_ns as u64);
    let mut walk = point::Fields::new(line.fields);
    for at in 0..shape.fields.len() {
        let is_next = walk.expect(shape.spelled(at));
        let value = if is_next { Some(walk.value()) } else { None };
        match value {
            Some(value) if value.kind() == shape.fields[at].kind => push_value(part, value),
            _ => {
                part.words.truncate(words);
                part.texts.truncate(texts);
                return false;
            }
        }
    }
    if !walk.is_done() {
        part.words.truncate(words);
        part.texts.truncate(texts);
        return false;
    }
    let Incoming { series, measurement, head, .. } = *line;
    part.entries.push(Entry { series, measurement, shape: number, head });
    true
}

/// Adds a line whose fields have to be looked up.
#[inline(never)]
fn add_anew(part: &mut Part, fields: &mut Fields, line: &Incoming<'_>) -> Result<(), Unfit> {
    let known = fields.len();
    let mut wanted: Vec<(u32, &[u8], Raw<'_>)> = Vec::new();
    let mut walk = point::Fields::new(line.fields);
    while let Some(name) = walk.name() {
        let value = walk.value();
        // InfluxDB keeps this name for itself and passes over it.
        if name == b"time" {
            continue;
        }
        let number = match number_of(part, fields, known, line, name, value.kind()) {
            Ok(number) => number,
            Err(unfit) => {
                fields.truncate(known);
                return Err(unfit);
            }
        };
        match wanted.iter_mut().find(|(other, _, _)| *other == number) {
            Some(twice) => twice.2 = value,
            None => wanted.push((number, name, value)),
        }
    }
    if fields.len() > known && !part.fresh.iter().any(|(other, _)| *other == line.measurement) {
        part.fresh.push((line.measurement, known));
    }
    store(part, fields, line, &wanted);
    Ok(())
}

/// The field's number, a new one where it has none.
fn number_of(
    part: &Part,
    fields: &mut Fields,
    known: usize,
    line: &Incoming<'_>,
    name: &[u8],
    kind: FieldType,
) -> Result<u32, Unfit> {
    let Some(number) = fields.find(name) else {
        let name = crate::proto::line::decode_measurement(name);
        return Ok(fields.add(&String::from_utf8_lossy(&name), kind));
    };
    let field = fields.get(number);
    if field.kind == kind {
        return Ok(number);
    }
    let reason = format!(
        "field type conflict: input field \"{}\" on measurement \"{}\" is type {}, already exists as type {}",
        field.name,
        line.measurement_name,
        kind.name(),
        field.kind.name()
    );
    let fresh = part.fresh.iter().find(|(other, _)| *other == line.measurement);
    let is_new = number as usize >= fresh.map_or(known, |(_, before)| *before);
    Err(if is_new { Unfit::NewConflict(reason) } else { Unfit::Conflict(reason) })
}

fn store(
    part: &mut Part,
    fields: &mut Fields,
    line: &Incoming<'_>,
    wanted: &[(u32, &[u8], Raw<'_>)],
) {
    let Incoming { series, measurement, head, .. } = *line;
    let numbers: Vec<u32> = wanted.iter().map(|(number, _, _)| *number).collect();
    let spelled: Vec<&[u8]> = wanted.iter().map(|(_, name, _)| *name).collect();
    if let Some(shape) = fields.shape(&numbers, &spelled) {
        part.words.push(line.time_ns as u64);
        wanted.iter().for_each(|(_, _, value)| push_value(part, *value));
        part.entries.push(Entry { series, measurement, shape, head });
        return;
    }
    for (at, (number, _, value)) in wanted.iter().enumerate() {
        part.words.push(line.time_ns as u64);
        push_value(part, *value);
        let shape = fields.single_number(*number);
        let head = if at == 0 { head } else { (0, 0) };
        part.entries.push(Entry { series, measurement, shape, head });
    }
}
