//! The rows that come before the data of tables of one schema.

use super::cells::{Cells, unquoted};

/// What is said of the tables of one block. Rows are as they were written, without their line ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    pub datatype: Option<Vec<u8>>,
    pub group: Option<Vec<u8>>,
    pub default: Option<Vec<u8>>,
    pub header: Vec<u8>,
    pub(super) delimiter: u8,
    /// Place among all cells of a row.
    pub(super) measurement: Option<usize>,
}

/// Column 0 is for the names of annotations, 1 for the result, 2 for the table.
const FIRST_COLUMN: usize = 3;

impl Block {
    /// Takes the header row.
    pub(super) fn finish(&mut self, header: &[u8]) {
        self.header = header.to_vec();
        let named = |(_, cell): &(usize, &[u8])| unquoted(cell) == b"_measurement".as_slice();
        let column = Cells::new(header, self.delimiter).enumerate().skip(FIRST_COLUMN).find(named);
        let grouped = |at: usize| {
            let group = self.group.as_deref()?;
            Cells::new(group, self.delimiter).nth(at)
        };
        self.measurement = column.map(|(at, _)| at).filter(|at| grouped(*at) == Some(b"true"));
    }

    /// Every annotation has a cell for every column.
    pub(super) fn is_even(&self) -> bool {
        let cells = |row: &[u8]| Cells::new(row, self.delimiter).count();
        let columns = cells(&self.header);
        let annotations = [&self.datatype, &self.group, &self.default].into_iter().flatten();
        annotations.into_iter().all(|row| cells(row) == columns)
    }

    pub(super) fn is_error(&self) -> bool {
        let mut cells = Cells::new(&self.header, self.delimiter);
        cells.next() == Some(b"")
            && cells.next() == Some(b"error")
            && cells.next() == Some(b"reference")
    }

    /// The names of the columns, without those of the result and the table.
    pub fn columns(&self) -> impl Iterator<Item = &[u8]> {
        Cells::new(&self.header, self.delimiter).skip(FIRST_COLUMN)
    }

    /// The name of the result, as `#default` gives it.
    pub fn result(&self) -> &[u8] {
        self.default_cell(1)
    }

    fn default_cell(&self, at: usize) -> &[u8] {
        let default = self.default.as_deref().unwrap_or_default();
        Cells::new(default, self.delimiter).nth(at).unwrap_or_default()
    }

    /// The measurement in the group key of a table with this row; an empty table has none, its `#default` says it.
    pub(super) fn measurement(&self, row: Option<&[u8]>) -> Vec<u8> {
        let Some(at) = self.measurement else { return Vec::new() };
        let of_row = row.and_then(|row| Cells::new(row, self.delimiter).nth(at));
        let cell = of_row.filter(|cell| !cell.is_empty()).unwrap_or_else(|| self.default_cell(at));
        unquoted(cell).into_owned()
    }
}
