//! Annotated CSV as whole tables, read and written the simple way.

use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Column {
    pub label: String,
    pub datatype: String,
    pub is_key: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Table {
    pub result: String,
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<String>>,
    /// The values of the key columns in an empty table; else those of the first row.
    pub key: Vec<String>,
}

impl Table {
    pub fn measurement(&self) -> &str {
        let at = self.columns.iter().position(|column| column.label == "_measurement");
        at.map_or("", |at| self.rows.first().map_or(&self.key[at], |row| &row[at]))
    }
}

/// Rows of cells without their quotes.
fn rows(text: &str, delimiter: char) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell) = (vec![], vec![], String::new());
    let mut quoted = false;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => cell.extend(letters.next()),
            '"' => quoted = !quoted,
            '\r' if !quoted && letters.peek() == Some(&'\n') => {}
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            letter if letter == delimiter && !quoted => row.push(std::mem::take(&mut cell)),
            letter => cell.push(letter),
        }
    }
    assert!(row.is_empty() && cell.is_empty() && !quoted, "the last row has an end");
    rows
}

/// The tables of an answer with a header; their numbers are checked.
pub fn read(text: &str, delimiter: char) -> Vec<Table> {
    let mut tables: Vec<Table> = vec![];
    let mut annotations: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut columns: Vec<Column> = vec![];
    let (mut after_header, mut has_header) = (false, false);
    let mut number = String::new();
    let mut rows = rows(text, delimiter);
    rows.push(vec![String::new()]);
    for row in rows {
        let is_annotation = row[0].starts_with('#');
        if is_annotation || row.len() == 1 {
            if std::mem::take(&mut after_header) {
                let default = annotations.get("#default").cloned().unwrap_or_default();
                let default = |at: usize| default.get(at).cloned().unwrap_or_default();
                let key = (0..columns.len()).map(|at| default(at + 3)).collect();
                let rows = vec![];
                tables.push(Table { result: default(1), columns: columns.clone(), rows, key });
                number = default(2);
            }
            if std::mem::take(&mut has_header) {
                annotations.clear();
            }
            if is_annotation {
                annotations.insert(row[0].clone(), row);
            }
            continue;
        }
        if !has_header {
            let of = |name: &str, at: usize| annotations.get(name).map(|row| row[at].clone());
            let column = |(at, label): (usize, &String)| Column {
                label: label.clone(),
                datatype: of("#datatype", at).unwrap_or_default(),
                is_key: of("#group", at).is_some_and(|is| is == "true"),
            };
            assert_eq!(row[..3], ["", "result", "table"], "{row:?}");
            columns = row.iter().enumerate().skip(3).map(column).collect();
            (has_header, after_header) = (true, true);
            continue;
        }
        let named = annotations.get("#default").map(|row| row[1].clone());
        let result = Some(row[1].clone()).filter(|name| !name.is_empty()).or(named);
        let result = result.unwrap_or_default();
        let cells = row[3..].to_vec();
        let continues = !after_header && number == row[2];
        let last = tables.last_mut().filter(|last| continues && last.result == result);
        match last {
            Some(table) => table.rows.push(cells),
            None => {
                let key = cells.clone();
                let columns = columns.clone();
                tables.push(Table { result, columns, rows: vec![cells], key });
            }
        }
        after_header = false;
        number = row[2].clone();
    }
    check_numbers(text, delimiter);
    tables
}

/// Within a result tables are numbered from 0.
fn check_numbers(text: &str, delimiter: char) {
    let mut last: BTreeMap<String, i64> = BTreeMap::new();
    let mut named = String::new();
    for row in rows(text, delimiter) {
        if row[0] == "#default" {
            named.clone_from(&row[1]);
        }
        let Some(number) = row.get(2).and_then(|cell| cell.parse::<i64>().ok()) else { continue };
        let result = if row[1].is_empty() { named.clone() } else { row[1].clone() };
        let before = last.entry(result).or_insert(-1);
        // Without `#default` an empty table does not show its number.
        let next = if text.contains("#default") { *before + 1 } else { number.max(*before) };
        assert!(number == *before || number == next, "{number} after {before}: {text}");
        *before = number;
    }
}

fn cell(text: &str, delimiter: char) -> String {
    let special = |letter: char| letter == delimiter || matches!(letter, '"' | '\r' | '\n');
    match text.contains(special) || text.starts_with(' ') {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

/// The answer of a backend that holds these tables, with all annotations.
pub fn write(tables: &[Table], delimiter: char) -> String {
    let mut out = String::new();
    let line = |out: &mut String, cells: Vec<String>| {
        let cells: Vec<String> = cells.iter().map(|text| cell(text, delimiter)).collect();
        out.push_str(&cells.join(&delimiter.to_string()));
        out.push_str("\r\n");
    };
    let lead =
        |first: &str, second: &str, third: String| vec![first.to_owned(), second.to_owned(), third];
    let (mut before, mut number): (Option<&Table>, i64) = (None, -1);
    for table in tables {
        let is_new = before.is_none_or(|before| before.result != table.result);
        if is_new && before.is_some() {
            out.push_str("\r\n");
        }
        number = if is_new { 0 } else { number + 1 };
        let has_rows = |table: &Table| !table.rows.is_empty();
        let continues = !is_new
            && has_rows(table)
            && before.is_some_and(|before| has_rows(before) && before.columns == table.columns);
        if !continues {
            if !is_new {
                out.push_str("\r\n");
            }
            let of = |first: [&str; 3], each: &dyn Fn(&Column) -> String| {
                let mut cells = first.map(str::to_owned).to_vec();
                cells.extend(table.columns.iter().map(each));
                cells
            };
            line(&mut out, of(["#datatype", "string", "long"], &|c| c.datatype.clone()));
            line(&mut out, of(["#group", "false", "false"], &|c| c.is_key.to_string()));
            let mut default = lead("#default", &table.result, String::new());
            match has_rows(table) {
                true => default.extend(table.columns.iter().map(|_| String::new())),
                false => {
                    default[2] = number.to_string();
                    default.extend(table.key.iter().cloned());
                }
            }
            line(&mut out, default);
            line(&mut out, of(["", "result", "table"], &|c| c.label.clone()));
        }
        for row in &table.rows {
            let mut cells = lead("", "", number.to_string());
            cells.extend(row.iter().cloned());
            line(&mut out, cells);
        }
        before = Some(table);
    }
    out + "\r\n"
}

/// Tables in an order that does not depend on who sent them first.
pub fn sorted(mut tables: Vec<Table>) -> Vec<Table> {
    tables.sort();
    tables
}
