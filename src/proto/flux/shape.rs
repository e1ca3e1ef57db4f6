//! What a result is made of: whether places that hold different measurements can each make a part of it.
//!
//! A place holds measurements whole. A function that works inside a table, or rearranges tables by a group key
//! that still names the measurement, never brings rows of two places together: the tables of all places, side by
//! side, are the tables of one place with everything. Lists of names are the one thing more that can be put
//! together, as sets. Everything else is `Whole`: it takes one place with all of its rows.

/// What the tables of a stream are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// As they are stored, narrowed by time and by what the index knows.
    Stored,
    /// Each holds rows of one measurement, which its group key names.
    Tables,
    /// One table of names, without a group key.
    Names(Names),
    /// Rows of several measurements may have met.
    Whole {
        /// The function that did it, as a person writes it.
        stage: String,
        /// Where there is no row of the buckets, there is nothing.
        alone: bool,
    },
    /// On the way to `Names`, and else `Tables`: the keys of each stored table.
    Keys,
    /// The same: the values of this column alone.
    Column(String),
    /// The same, in one table.
    Grouped(String),
}

/// How a list of names is ordered and cut, the same in every place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// `_start`, `_stop`, `_field`, `_measurement` come first, else the order is by bytes.
    pub keys: bool,
    /// Only so many of the first are wanted.
    pub limit: Option<u64>,
    /// Sorted by bytes after the cut.
    pub sorted: bool,
}

/// The column that `Whole` would have needed.
pub(super) const MEASUREMENT: &str = "_measurement";

impl Shape {
    /// Rows of several places are needed in one, and there may be rows that no bucket holds.
    pub(super) fn apart(stage: &str) -> Shape {
        Shape::Whole { stage: stage.to_owned(), alone: false }
    }

    /// The same of a function that makes nothing out of nothing.
    pub(super) fn whole(stage: impl Into<String>) -> Shape {
        Shape::Whole { stage: stage.into(), alone: true }
    }

    pub(super) fn stage(&self) -> Option<&str> {
        match self {
            Shape::Whole { stage, .. } => Some(stage),
            _ => None,
        }
    }

    /// What it is if nothing more comes.
    pub(super) fn at_the_end(self) -> Shape {
        match self {
            Shape::Stored | Shape::Keys => Shape::Tables,
            Shape::Column(name) if name == MEASUREMENT => Shape::Tables,
            Shape::Grouped(name) if name.is_empty() => Shape::whole("keep() without _measurement"),
            Shape::Column(_) => Shape::whole("keep() without _measurement"),
            Shape::Grouped(_) => Shape::whole("group() without _measurement"),
            settled => settled,
        }
    }
}
