//! Writes an answer of several statements, series by series, in the form that was asked for.

use super::json::{push_head, push_indented_head, push_indented_rows, push_line};
use super::text::push_quoted;
use super::{Series, csv};

/// What a series mostly needs besides its rows.
const HEAD_BYTES: usize = 256;

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Json {
        pretty: bool,
        /// An answer of its own for each piece, a line each.
        chunked: bool,
    },
    Csv,
}

/// Writes one answer: for each statement its pieces and then its end, at last the end of all.
pub struct Writer {
    form: Form,
    statements: u64,
    /// The last piece; what follows decides how it ends.
    held: Option<Series>,
    /// A chunk says whether more of its statement follows.
    marks_partial: bool,
    has_csv: bool,
    has_statement_csv: bool,
    /// What the statement's answer says beside its series.
    warnings: Vec<String>,
}

impl Writer {
    pub fn new(form: Form) -> Writer {
        Writer {
            form,
            statements: 0,
            held: None,
            marks_partial: true,
            has_csv: false,
            has_statement_csv: false,
            warnings: Vec::new(),
        }
    }

    /// A warning that the answer of the current statement carries.
    pub fn warn(&mut self, text: &str) {
        self.warnings.push(text.to_owned());
    }

    pub fn form(&self) -> Form {
        self.form
    }

    /// Begins the next statement. `marks_partial`: chunks of it say that others follow.
    pub fn statement(&mut self, marks_partial: bool, out: &mut String) {
        self.marks_partial = marks_partial;
        self.has_statement_csv = false;
        if let Form::Json { pretty, chunked: false } = self.form {
            let is_first = self.statements == 0;
            push_statement(out, pretty, is_first, self.statements);
        }
        self.statements += 1;
    }

    /// A piece of the statement. Pieces of one series come one after the other.
    pub fn piece(&mut self, mut series: Series, out: &mut String) {
        if let (Form::Json { chunked: true, .. }, Some(rows)) = (self.form, &mut series.rows) {
            // It is held while the client reads the one before.
            rows.shrink();
        }
        let written = self.held.as_ref().unwrap_or(&series);
        let bytes = written.rows.as_ref().map_or(0, |rows| rows.text().len()) + HEAD_BYTES;
        match out.is_empty() {
            true => out.reserve_exact(bytes),
            false => out.reserve(bytes),
        }
        match self.form {
            Form::Csv => self.csv(&series, out),
            Form::Json { pretty, chunked: true } => {
                if let Some(held) = self.held.replace(series) {
                    push_chunk(out, pretty, self.id(), &held, self.marks_partial);
                }
            }
            Form::Json { pretty, chunked: false } => self.joined(pretty, series, out),
        }
    }

    /// Ends the statement, with an error or without one.
    pub fn end(&mut self, error: Option<&str>, out: &mut String) {
        let held = self.held.take();
        let warnings = std::mem::take(&mut self.warnings);
        match self.form {
            Form::Csv => {}
            Form::Json { pretty, chunked: true } => {
                if let Some(held) = &held {
                    push_chunk(out, pretty, self.id(), held, false);
                }
                if held.is_none() || error.is_some() || !warnings.is_empty() {
                    push_statement(out, pretty, true, self.id());
                    push_warnings(out, pretty, &warnings);
                    push_error(out, pretty, error);
                    push_close(out, pretty);
                }
            }
            Form::Json { pretty, chunked: false } => {
                if let Some(held) = held {
                    push_end(out, pretty, &held);
                    if pretty {
                        push_line(out, 3, "]");
                    } else {
                        out.push(']');
                    }
                }
                push_warnings(out, pretty, &warnings);
                push_error(out, pretty, error);
                if pretty { push_line(out, 2, "}") } else { out.push('}') }
            }
        }
    }

    /// A statement that was not run, after one that failed: it bears the number of that one.
    pub fn not_executed(&mut self, out: &mut String) {
        if let Form::Json { pretty, chunked: true } = self.form {
            push_alone(out, pretty, self.id(), Some("not executed"));
        }
    }

    /// Ends the answer.
    pub fn finish(&mut self, out: &mut String) {
        match self.form {
            Form::Json { pretty: true, chunked: false } => {
                push_line(out, 1, "]");
                out.push_str("\n}\n");
            }
            Form::Json { pretty: false, chunked: false } => out.push_str("]}\n"),
            _ => {}
        }
    }

    /// Of the statement that was begun last.
    fn id(&self) -> u64 {
        self.statements.saturating_sub(1)
    }

    fn csv(&mut self, series: &Series, out: &mut String) {
        if !self.has_statement_csv {
            if self.has_csv {
                out.push('\n');
            }
            csv::push_header(out, series);
            (self.has_csv, self.has_statement_csv) = (true, true);
        }
        csv::push_rows(out, series);
    }

    /// The series go into one list; pieces of one become one.
    fn joined(&mut self, pretty: bool, mut series: Series, out: &mut String) {
        let rows = series.rows.take();
        let goes_on = self.held.as_ref().is_some_and(|held| held.is_same(&series));
        if !goes_on {
            if let Some(held) = &self.held {
                push_end(out, pretty, held);
                out.push(',');
            } else if pretty {
                out.push(',');
                push_line(out, 3, "\"series\": [");
            } else {
                out.push_str(",\"series\":[");
            }
            if pretty { push_indented_head(out, &series) } else { push_head(out, &series) }
        }
        let Some(rows) = rows else {
            self.held = Some(series);
            return;
        };
        let is_first = !goes_on || self.held.as_ref().is_some_and(|held| held.rows.is_none());
        if is_first {
            push_values(out, pretty);
        }
        if pretty {
            push_indented_rows(out, &rows, is_first);
        } else {
            if !is_first && !rows.is_empty() {
                out.push(',');
            }
            out.push_str(rows.text());
        }
        // That there are rows is all that its end needs to know.
        series.rows = Some(super::Rows::default());
        self.held = Some(series);
    }
}

fn push_statement(out: &mut String, pretty: bool, is_first: bool, id: u64) {
    if pretty {
        if is_first {
            out.push('{');
            push_line(out, 1, "\"results\": [");
        } else {
            out.push(',');
        }
        push_line(out, 2, "{");
        push_line(out, 3, &format!("\"statement_id\": {id}"));
    } else {
        out.push_str(if is_first { "{\"results\":[" } else { "," });
        out.push_str(&format!("{{\"statement_id\":{id}"));
    }
}

fn push_values(out: &mut String, pretty: bool) {
    out.push(',');
    if pretty { push_line(out, 5, "\"values\": [") } else { out.push_str("\"values\":[") }
}

/// The end of a series whose rows, if any, have been written.
fn push_end(out: &mut String, pretty: bool, series: &Series) {
    let has_rows = series.rows.is_some();
    if pretty {
        if has_rows {
            push_line(out, 5, "]");
        }
        if series.partial {
            out.push(',');
            push_line(out, 5, "\"partial\": true");
        }
        push_line(out, 4, "}");
    } else {
        out.push_str(if has_rows { "]" } else { "" });
        out.push_str(if series.partial { ",\"partial\":true}" } else { "}" });
    }
}

fn push_warnings(out: &mut String, pretty: bool, warnings: &[String]) {
    if warnings.is_empty() {
        return;
    }
    out.push(',');
    if pretty {
        push_line(out, 3, "\"messages\": [")
    } else {
        out.push_str("\"messages\":[")
    }
    for (at, warning) in warnings.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        if pretty {
            push_line(out, 4, "{");
            push_line(out, 5, "\"level\": \"warning\",");
            push_line(out, 5, "\"text\": ");
            push_quoted(out, warning);
            push_line(out, 4, "}");
        } else {
            out.push_str("{\"level\":\"warning\",\"text\":");
            push_quoted(out, warning);
            out.push('}');
        }
    }
    if pretty { push_line(out, 3, "]") } else { out.push(']') }
}

fn push_error(out: &mut String, pretty: bool, error: Option<&str>) {
    let Some(error) = error else { return };
    out.push(',');
    if pretty {
        push_line(out, 3, "\"error\": ")
    } else {
        out.push_str("\"error\":")
    }
    push_quoted(out, error);
}

/// An answer of its own, with one piece.
fn push_chunk(out: &mut String, pretty: bool, id: u64, series: &Series, more: bool) {
    push_statement(out, pretty, true, id);
    out.push(',');
    if pretty {
        push_line(out, 3, "\"series\": [");
        push_indented_head(out, series);
    } else {
        out.push_str("\"series\":[");
        push_head(out, series);
    }
    if let Some(rows) = &series.rows {
        push_values(out, pretty);
        if pretty { push_indented_rows(out, rows, true) } else { out.push_str(rows.text()) }
    }
    push_end(out, pretty, series);
    if pretty {
        push_line(out, 3, "]");
        if more {
            out.push(',');
            push_line(out, 3, "\"partial\": true");
        }
    } else {
        out.push_str(if more { "],\"partial\":true" } else { "]" });
    }
    push_close(out, pretty);
}

/// An answer of its own, without a series.
fn push_alone(out: &mut String, pretty: bool, id: u64, error: Option<&str>) {
    push_statement(out, pretty, true, id);
    push_error(out, pretty, error);
    push_close(out, pretty);
}

fn push_close(out: &mut String, pretty: bool) {
    if pretty {
        push_line(out, 2, "}");
        push_line(out, 1, "]");
        out.push_str("\n}\n");
    } else {
        out.push_str("}]}\n");
    }
}
