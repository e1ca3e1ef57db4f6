//! Rows of a table as the cells of annotated CSV, column by column: what is the same in every row is made once.

use std::io::Write as _;

use super::convert::float_text;
use super::interval::parts;
use super::table::{Cells, Column, Table};
use super::value::Value;
use crate::proto::annotated::Encoder;
use crate::proto::moment;

/// Writes the cells of one column.
enum Printer<'t> {
    /// With its delimiter.
    Same(Vec<u8>),
    Times(&'t [i64], Clock),
    Integers(&'t [i64]),
    Floats(&'t [f64]),
    Any(&'t [Value]),
}

/// The rows of one table.
pub struct Printers<'t>(Vec<Printer<'t>>);

impl<'t> Printers<'t> {
    pub fn new(table: &'t Table, encoder: &Encoder) -> Printers<'t> {
        let printer = |column: &'t Column| match &column.cells {
            Cells::Same(value) => {
                let mut bytes = Vec::new();
                any(value, encoder, &mut bytes);
                Printer::Same(bytes)
            }
            Cells::Times(times) => Printer::Times(times, Clock::default()),
            Cells::Integers(values) => Printer::Integers(values),
            Cells::Floats(values) => Printer::Floats(values),
            Cells::Mixed(values) => Printer::Any(values),
        };
        Printers(table.columns.iter().map(printer).collect())
    }

    pub fn row(&mut self, row: usize, encoder: &Encoder, out: &mut Vec<u8>) {
        for printer in &mut self.0 {
            match printer {
                Printer::Same(bytes) => out.extend_from_slice(bytes),
                Printer::Times(times, clock) => {
                    encoder.plain(b"", out);
                    clock.print(times[row], out);
                }
                Printer::Integers(values) => {
                    encoder.plain(itoa::Buffer::new().format(values[row]).as_bytes(), out);
                }
                Printer::Floats(values) => {
                    encoder.plain(b"", out);
                    float(values[row], out);
                }
                Printer::Any(values) => any(&values[row], encoder, out),
            }
        }
    }
}

fn float(number: f64, out: &mut Vec<u8>) {
    if number.is_finite() {
        write!(out, "{number}").expect("memory takes all");
    } else {
        out.extend_from_slice(float_text(number).as_bytes());
    }
}

fn any(value: &Value, encoder: &Encoder, out: &mut Vec<u8>) {
    match value {
        Value::String(text) => encoder.text(text, out),
        other => encoder.plain(shown(other).as_bytes(), out),
    }
}

/// The text of a cell, before it is quoted.
pub fn shown(value: &Value) -> String {
    match value {
        Value::Boolean(truth) => truth.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Unsigned(number) => number.to_string(),
        Value::Float(number) => float_text(*number),
        Value::Time(time) => moment::text(*time),
        Value::String(text) => text.to_string(),
        _ => String::new(),
    }
}

/// Times that mostly follow each other: the date is made once for each day.
#[derive(Default)]
struct Clock {
    day: Option<i64>,
    date: String,
}

const DAY_NS: i64 = 86_400 * 1_000_000_000;

impl Clock {
    fn print(&mut self, time: i64, out: &mut Vec<u8>) {
        let day = time.div_euclid(DAY_NS);
        if self.day != Some(day) {
            let (year, month, date, _) = parts(time);
            self.date = format!("{year:04}-{month:02}-{date:02}T");
            self.day = Some(day);
        }
        out.extend_from_slice(self.date.as_bytes());
        let of_day = time.rem_euclid(DAY_NS);
        let (seconds, nanos) = (of_day / 1_000_000_000, of_day % 1_000_000_000);
        for (part, after) in
            [(seconds / 3600, b':'), (seconds / 60 % 60, b':'), (seconds % 60, b'.')]
        {
            out.extend_from_slice(&[digit(part / 10), digit(part % 10), after]);
        }
        let mut rest = nanos;
        let mut scale = 100_000_000;
        while rest > 0 {
            out.push(digit(rest / scale));
            rest %= scale;
            scale /= 10;
        }
        if nanos == 0 {
            out.pop();
        }
        out.push(b'Z');
    }
}

fn digit(number: i64) -> u8 {
    b'0' + u8::try_from(number).expect("one digit")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_prints_what_a_moment_is() {
        let mut clock = Clock::default();
        for time in
            [0, 1, -1, 120_000_000, 1_767_225_600_000_000_000, i64::MAX, i64::MIN, DAY_NS - 1]
        {
            let mut out = Vec::new();
            clock.print(time, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), moment::text(time));
        }
    }
}
