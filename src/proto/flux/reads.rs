//! Which buckets and measurements a script reads, found without running it.
//!
//! The script is evaluated over values of which most are unknown. What is reported is never less
//! than what the script reads: a filter narrows a read only where that is certain, and anything not
//! understood becomes a doubt, which forbids to rely on the list.

use std::collections::BTreeSet;

use super::ast::File;
use super::evaluate::Evaluator;
use super::shape::Shape;

/// What a script reads.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reads {
    pub reads: Vec<Read>,
    /// What the client is handed.
    pub results: Vec<Outcome>,
    /// The stage at which rows are used otherwise than in a result: all of them are needed in one place.
    pub apart: Option<String>,
    /// Absent: `reads` is all that is read.
    pub doubt: Option<Uncertain>,
}

/// One use of one bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    pub bucket: String,
    /// Only if the script names one.
    pub org: Option<String>,
    pub measurements: Measurements,
}

/// One result: whose rows are in it, and what must be true of a place that can make it.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Places in the list of reads, each narrowed to some measurements. Empty: it reads no bucket.
    pub parts: Vec<(usize, Measurements)>,
    pub shape: Shape,
}

/// What the filters of a read admit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Measurements {
    All,
    Only(BTreeSet<String>),
}

/// Why the list of reads may be short. The text is a noun phrase about the script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Uncertain {
    /// A backend that has all data would answer rightly.
    Opaque(String),
    /// It writes, or reaches out: it may not run twice, or not past the gateway.
    Effect(String),
}

impl Measurements {
    pub(super) fn and(self, other: Measurements) -> Measurements {
        match (self, other) {
            (Measurements::All, other) | (other, Measurements::All) => other,
            (Measurements::Only(a), Measurements::Only(b)) => {
                Measurements::Only(a.intersection(&b).cloned().collect())
            }
        }
    }

    pub(super) fn or(self, other: Measurements) -> Measurements {
        match (self, other) {
            (Measurements::Only(mut a), Measurements::Only(b)) => {
                a.extend(b);
                Measurements::Only(a)
            }
            _ => Measurements::All,
        }
    }

    /// How many names it holds.
    pub(super) fn names(&self) -> usize {
        match self {
            Measurements::All => 0,
            Measurements::Only(names) => names.len(),
        }
    }

    pub(super) fn one(name: &str) -> Measurements {
        Measurements::Only(BTreeSet::from([name.to_owned()]))
    }
}

/// What `file` reads. `variables` are the texts that the request puts into the record `v`.
pub fn reads(file: &File, variables: &[(String, String)]) -> Reads {
    Evaluator::new(file, variables).run()
}
