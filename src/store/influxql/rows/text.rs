//! Cells of an answer as text.

use crate::proto::moment;
use crate::proto::results::quote;
use crate::store::influxql::fault::Fault;
use crate::store::value::Value;
use crate::store::zone::Zone;
use std::fmt::Write as _;
use std::sync::Arc;

/// How times are written.
#[derive(Clone, Debug)]
pub enum Times {
    /// RFC 3339, in a zone.
    Text(Option<Arc<Zone>>),
    /// Whole units of so many nanoseconds since 1970.
    Epoch(i64),
}

impl Times {
    /// From the request's `epoch`; CSV has nanoseconds if nothing is said.
    pub fn of(epoch: Option<&str>, is_csv: bool) -> Times {
        match epoch {
            None | Some("") if is_csv => Times::Epoch(1),
            None | Some("") => Times::Text(None),
            Some("u") => Times::Epoch(1_000),
            Some("ms") => Times::Epoch(1_000_000),
            Some("s") => Times::Epoch(1_000_000_000),
            Some("m") => Times::Epoch(60_000_000_000),
            Some("h") => Times::Epoch(3_600_000_000_000),
            Some(_) => Times::Epoch(1),
        }
    }

    pub fn push(&self, time: i64, out: &mut String) {
        match self {
            Times::Epoch(unit) => push_integer(time / unit, out),
            Times::Text(None) => {
                out.push('"');
                out.push_str(&moment::text(time));
                out.push('"');
            }
            Times::Text(Some(zone)) => {
                let offset = zone.offset_ns(time);
                let text = moment::text(time.saturating_add(offset));
                out.push('"');
                if offset == 0 {
                    out.push_str(&text);
                } else {
                    out.push_str(text.trim_end_matches('Z'));
                    let minutes = offset.abs() / 60_000_000_000;
                    let sign = if offset < 0 { '-' } else { '+' };
                    write!(out, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
                        .expect("writing to a string");
                }
                out.push('"');
            }
        }
    }
}

pub fn push_integer(number: i64, out: &mut String) {
    out.push_str(itoa::Buffer::new().format(number));
}

/// The shortest text that reads back as the same number, as Go's JSON writes it.
pub fn push_float(number: f64, out: &mut String) -> Result<(), Fault> {
    if number.is_infinite() {
        return Err(Fault::Infinite(number < 0.0));
    }
    if number.is_nan() {
        out.push_str("null");
        return Ok(());
    }
    let size = number.abs();
    if size < 9e15
        && number == (number as i64) as f64
        && (number != 0.0 || number.is_sign_positive())
    {
        push_integer(number as i64, out);
        return Ok(());
    }
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let begin = out.len();
        write!(out, "{number:e}").expect("writing to a string");
        if let Some(at) = out[begin..].find('e')
            && !out[begin + at + 1..].starts_with('-')
        {
            out.insert(begin + at + 1, '+');
        }
        return Ok(());
    }
    let begin = out.len();
    if (1e-3..1e15).contains(&size) {
        out.push_str(zmij::Buffer::new().format_finite(number));
    } else {
        write!(out, "{number}").expect("writing to a string");
    }
    to_even(number, begin, out);
    Ok(())
}

/// Where two shortest texts are equally near, Go takes the one whose last digit is even.
fn to_even(number: f64, begin: usize, out: &mut String) {
    let zeros = i64::from((number.to_bits() | (1 << 52)).trailing_zeros());
    let exponent = i64::from((number.to_bits() >> 52) as u16 & 0x7ff) - 1075;
    let is_odd = matches!(out.as_bytes().last(), Some(b'1' | b'3' | b'5' | b'7' | b'9'));
    if !is_odd {
        return;
    }
    let Some(dot) = out.as_bytes()[begin..].iter().position(|byte| *byte == b'.') else { return };
    let places = out.len() - begin - dot - 1;
    // A whole number of 2^-n, and no more than that, has n decimal places.
    if exponent + zeros != -(places as i64 + 1) {
        return;
    }
    let exact = format!("{number:.*}", places + 1);
    let upper = format!("{number:.places$}");
    if exact.ends_with('5') && exact.parse() == Ok(number) && upper != out[begin..] {
        out.truncate(begin);
        out.push_str(&upper);
    }
}

pub fn push_value(value: Option<&Value>, out: &mut String) -> Result<(), Fault> {
    match value {
        None => out.push_str("null"),
        Some(Value::Float(number)) => push_float(*number, out)?,
        Some(Value::Integer(number)) => push_integer(*number, out),
        Some(Value::Unsigned(number)) => out.push_str(itoa::Buffer::new().format(*number)),
        Some(Value::Boolean(value)) => out.push_str(if *value { "true" } else { "false" }),
        Some(Value::String(text)) => out.push_str(&quote(&String::from_utf8_lossy(text))),
    }
    Ok(())
}
