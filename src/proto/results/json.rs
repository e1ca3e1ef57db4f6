//! The JSON forms: compact as one text that grows series by series, and indented by four blanks.

use super::text::{push_list, push_quoted};
use super::{Rows, Series, cells};

/// Everything of a series before its first row; behind its rows come `]` and `}`.
pub(super) fn push_head(out: &mut String, series: &Series) {
    out.push('{');
    if !series.name.is_empty() {
        out.push_str("\"name\":");
        push_quoted(out, &series.name);
        out.push(',');
    }
    if !series.tags.is_empty() {
        out.push_str("\"tags\":{");
        for (at, (key, value)) in series.tags.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            push_quoted(out, key);
            out.push(':');
            push_quoted(out, value);
        }
        out.push_str("},");
    }
    out.push_str("\"columns\":");
    push_list(out, &series.columns);
}

/// The same, a line each, for a series that stands four levels deep.
pub(super) fn push_indented_head(out: &mut String, series: &Series) {
    push_line(out, 4, "{");
    if !series.name.is_empty() {
        push_line(out, 5, "\"name\": ");
        push_quoted(out, &series.name);
        out.push(',');
    }
    if !series.tags.is_empty() {
        push_line(out, 5, "\"tags\": {");
        for (at, (key, value)) in series.tags.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            push_line(out, 6, "");
            push_quoted(out, key);
            out.push_str(": ");
            push_quoted(out, value);
        }
        push_line(out, 5, "},");
    }
    push_line(out, 5, "\"columns\": [");
    for (at, column) in series.columns.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        push_line(out, 6, "");
        push_quoted(out, column);
    }
    push_line(out, 5, "]");
}

/// Rows with a line for each cell; `is_first` if none of their series came before.
pub(super) fn push_indented_rows(out: &mut String, rows: &Rows, is_first: bool) {
    for (at, row) in rows.iter().enumerate() {
        if at > 0 || !is_first {
            out.push(',');
        }
        push_line(out, 6, "[");
        for (at, cell) in cells(row).enumerate() {
            if at > 0 {
                out.push(',');
            }
            push_line(out, 7, cell);
        }
        push_line(out, 6, "]");
    }
}

/// A new line with this indent, and its beginning.
pub(super) fn push_line(out: &mut String, indent: usize, text: &str) {
    out.push('\n');
    for _ in 0..indent {
        out.push_str("    ");
    }
    out.push_str(text);
}
