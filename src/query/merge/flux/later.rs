//! Tables that came before their turn.

use crate::proto::annotated::Block;
use std::collections::VecDeque;
use std::rc::Rc;

/// The tables of one result.
#[derive(Debug)]
pub(super) struct LaterResult {
    pub result: Vec<u8>,
    pub tables: VecDeque<LaterTable>,
}

/// One table, whole. Cells are as they came.
#[derive(Debug)]
pub(super) struct LaterTable {
    pub result: Vec<u8>,
    pub block: Rc<Block>,
    pub measurement: Vec<u8>,
    pub is_empty: bool,
    cells: Vec<u8>,
    ends: Vec<usize>,
}

impl LaterTable {
    pub(super) fn new(
        result: Vec<u8>,
        block: Rc<Block>,
        measurement: Vec<u8>,
        is_empty: bool,
    ) -> LaterTable {
        LaterTable { result, block, measurement, is_empty, cells: Vec::new(), ends: Vec::new() }
    }

    /// Bytes that a row takes beside its own.
    pub(super) const ROW_BYTES: usize = size_of::<usize>();

    pub(super) fn push(&mut self, row: &[u8]) {
        self.cells.extend_from_slice(row);
        self.ends.push(self.cells.len());
    }

    pub(super) fn row(&self, at: usize) -> Option<&[u8]> {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.ends.get(at).map(|end| &self.cells[start..*end])
    }

    /// Bytes that it takes, about.
    pub(super) fn bytes(&self) -> usize {
        size_of::<LaterTable>() + self.cells.len() + self.ends.len() * LaterTable::ROW_BYTES
    }
}
