//! One way to print rows: a table for people, or a JSON object a line for programs.

use super::say;
use comfy_table::Table;
use serde_json::Value;

/// Rows on their way to standard output.
pub struct Report {
    table: Option<Table>,
}

impl Report {
    /// Without `json` the rows come when the report is finished, as a table with this header.
    pub fn new<const N: usize>(json: bool, header: [&str; N]) -> Report {
        let table = (!json).then(|| {
            let mut table = Table::new();
            table.load_preset(comfy_table::presets::NOTHING);
            table.set_header(header);
            table
        });
        Report { table }
    }

    /// One row, in both forms.
    pub fn row<const N: usize>(&mut self, cells: [String; N], object: &Value) {
        match &mut self.table {
            Some(table) => drop(table.add_row(cells)),
            None => say(object),
        }
    }

    pub fn finish(self) {
        if let Some(table) = self.table {
            say(table);
        }
    }
}

/// A wall-clock time for people, or `-`.
pub fn time(unix_ms: Option<u64>) -> String {
    unix_ms.map_or("-".to_owned(), |ms| {
        httpdate::fmt_http_date(std::time::UNIX_EPOCH + std::time::Duration::from_millis(ms))
    })
}
