//! The CSV form: `name,tags,` and the columns, and a line for each row.

use super::{Series, cells, string};

/// The line that names the columns.
pub(super) fn push_header(out: &mut String, series: &Series) {
    out.push_str("name,tags");
    for column in &series.columns {
        out.push(',');
        push_cell(out, column);
    }
    out.push('\n');
}

pub(super) fn push_rows(out: &mut String, series: &Series) {
    let Some(rows) = &series.rows else { return };
    let mut lead = String::new();
    push_cell(&mut lead, &series.name);
    lead.push(',');
    push_cell(&mut lead, &tags(&series.tags));
    for row in rows.iter() {
        out.push_str(&lead);
        for (at, cell) in cells(row).enumerate() {
            out.push(',');
            match string(cell) {
                // InfluxDB 1.6 has no words for this one number and leaves the heading in its place.
                None if series.columns.get(at).is_some_and(|column| column == "replicaN") => {
                    out.push_str("replicaN");
                }
                Some(text) => push_cell(out, &text),
                None if cell == "null" => {}
                None => push_number(out, cell),
            }
        }
        out.push('\n');
    }
}

/// `k=v,k2=v2`, escaped as in line protocol; empty values are left out.
fn tags(tags: &[(String, String)]) -> String {
    let mut out = String::new();
    for (key, value) in tags.iter().filter(|(_, value)| !value.is_empty()) {
        if !out.is_empty() {
            out.push(',');
        }
        push_escaped(&mut out, key);
        out.push('=');
        push_escaped(&mut out, value);
    }
    out
}

fn push_escaped(out: &mut String, text: &str) {
    for c in text.chars() {
        if matches!(c, ',' | '=' | ' ') {
            out.push('\\');
        }
        out.push(c);
    }
}

/// Quoted by the rules of Go's CSV writer.
fn push_cell(out: &mut String, text: &str) {
    let needs_quotes = text == "\\."
        || text.contains([',', '"', '\r', '\n'])
        || text.chars().next().is_some_and(char::is_whitespace);
    if !needs_quotes {
        out.push_str(text);
        return;
    }
    out.push('"');
    for c in text.chars() {
        if c == '"' {
            out.push('"');
        }
        out.push(c);
    }
    out.push('"');
}

/// A number is never written with an exponent here: its digits are moved.
fn push_number(out: &mut String, number: &str) {
    let Some((digits, exponent)) = number.split_once('e') else {
        out.push_str(number);
        return;
    };
    // The largest exponent of a float is 308; more is foreign and stays as it is.
    let Some(exponent) = exponent.parse::<i64>().ok().filter(|some| some.unsigned_abs() <= 400)
    else {
        out.push_str(number);
        return;
    };
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let point = i64::try_from(whole.len()).unwrap_or(i64::MAX).saturating_add(exponent);
    out.push_str(sign);
    let all = [whole, fraction].concat();
    let length = i64::try_from(all.len()).unwrap_or(i64::MAX);
    let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or(0));
    if point <= 0 {
        out.push_str("0.");
        out.push_str(&zeros(-point));
        out.push_str(&all);
    } else if point >= length {
        out.push_str(&all);
        out.push_str(&zeros(point - length));
    } else {
        let (whole, fraction) = all.split_at(usize::try_from(point).unwrap_or(0));
        out.push_str(whole);
        out.push('.');
        out.push_str(fraction);
    }
}
