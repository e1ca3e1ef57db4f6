//! A line of an answer to what it says.

use std::fmt;

use super::scan::Scanner;
use super::{Rows, Series};

/// One line: one whole answer, or one chunk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    pub parts: Vec<Part>,
    /// Of the whole request.
    pub error: Option<String>,
}

/// What a line says of one statement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// -1 where a server lost count: it caught a fault of its own.
    pub statement: i64,
    pub series: Vec<Series>,
    /// More of this statement follows.
    pub partial: bool,
    pub error: Option<String>,
}

/// A line that is none of results JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Bytes before the fault.
    pub at: usize,
}

impl fmt::Display for Malformed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "not results JSON at byte {}", self.at)
    }
}

impl std::error::Error for Malformed {}

/// Reads one line, with or without its line end.
pub fn read(line: &str) -> Result<Line, Malformed> {
    let mut scanner = Scanner::new(line);
    let mut read = Line::default();
    object(&mut scanner, |key, scanner| match key {
        "results" => array(scanner, |scanner| {
            read.parts.push(part(scanner)?);
            Ok(())
        }),
        "error" => {
            read.error = Some(scanner.string()?.into_owned());
            Ok(())
        }
        _ => Err(scanner.malformed()),
    })?;
    if scanner.is_done() { Ok(read) } else { Err(scanner.malformed()) }
}

fn part(scanner: &mut Scanner<'_>) -> Result<Part, Malformed> {
    let mut part = Part::default();
    object(scanner, |key, scanner| {
        match key {
            "statement_id" => {
                let id = scanner.value()?;
                part.statement = id.parse().map_err(|_| scanner.malformed())?;
            }
            "series" => {
                return array(scanner, |scanner| {
                    part.series.push(series(scanner)?);
                    Ok(())
                });
            }
            "partial" => part.partial = scanner.value()? == "true",
            "error" => part.error = Some(scanner.string()?.into_owned()),
            // Warnings to whoever writes with GET.
            "messages" => {
                scanner.value()?;
            }
            _ => return Err(scanner.malformed()),
        }
        Ok(())
    })?;
    Ok(part)
}

fn series(scanner: &mut Scanner<'_>) -> Result<Series, Malformed> {
    let mut series = Series::default();
    object(scanner, |key, scanner| {
        match key {
            "name" => series.name = scanner.string()?.into_owned(),
            "tags" => {
                return object(scanner, |key, scanner| {
                    let value = scanner.string()?.into_owned();
                    series.tags.push((key.to_owned(), value));
                    Ok(())
                });
            }
            "columns" => {
                return array(scanner, |scanner| {
                    series.columns.push(scanner.string()?.into_owned());
                    Ok(())
                });
            }
            "values" => series.rows = Some(rows(scanner)?),
            "partial" => series.partial = scanner.value()? == "true",
            _ => return Err(scanner.malformed()),
        }
        Ok(())
    })?;
    Ok(series)
}

fn rows(scanner: &mut Scanner<'_>) -> Result<Rows, Malformed> {
    if let Some((text, ends)) = scanner.plain_rows() {
        return Ok(Rows { text: text.to_owned(), ends });
    }
    let mut rows = Rows::default();
    array(scanner, |scanner| {
        if scanner.peek() != Some(b'[') {
            return Err(scanner.malformed());
        }
        rows.push(scanner.value()?);
        Ok(())
    })?;
    Ok(rows)
}

/// Each pair of an object; `member` takes the value.
fn object<'a>(
    scanner: &mut Scanner<'a>,
    mut member: impl FnMut(&str, &mut Scanner<'a>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    scanner.expect(b'{')?;
    if scanner.accept(b'}') {
        return Ok(());
    }
    loop {
        let key = scanner.string()?;
        scanner.expect(b':')?;
        member(&key, scanner)?;
        if !scanner.accept(b',') {
            return scanner.expect(b'}');
        }
    }
}

/// Each item of an array; `item` takes it.
fn array<'a>(
    scanner: &mut Scanner<'a>,
    mut item: impl FnMut(&mut Scanner<'a>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    scanner.expect(b'[')?;
    if scanner.accept(b']') {
        return Ok(());
    }
    loop {
        item(scanner)?;
        if !scanner.accept(b',') {
            return scanner.expect(b']');
        }
    }
}
