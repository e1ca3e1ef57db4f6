//! Who must be asked: a pure function from the text of a question.
//!
//! A measurement of a database lies whole on one backend of each circle, its owner. A text that reads
//! one measurement is therefore its owner's; one that reads none is anybody's; one that reads more,
//! or what cannot be known without asking, needs all backends of a circle.
//!
//! Work is proportional to the length of the text: who must not be held up bounds that length first.

pub mod flux;
pub mod influxql;
pub mod statements;

use std::fmt;

use crate::proto::influxql::Statement;
use crate::ring;

/// Who answers, with the whole text as it came.
#[derive(Clone, Debug, PartialEq)]
pub enum Plan {
    /// The owner of one measurement, in one circle. The name is decoded: these bytes are hashed.
    Owner { target: ring::Target, measurement: Vec<u8> },
    /// Any backend: the text reads no measurement.
    AnyBackend,
    /// All backends of one circle. Where a circle has one backend, that one answers; where it has
    /// several, the question is refused with [`Refusal::NotYet`] of `what`.
    WholeCircle { what: String },
    /// One after the other: what changes something goes by way of the log to all whom it concerns (see
    /// `statements`), a question between two of them is asked alone.
    Everywhere { statements: Vec<Statement> },
}

/// Why nobody is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The text is none of its language; `message` is the whole error text as InfluxDB words it.
    Parse { message: String },
    /// Understood, and to come. `what` is a subject: "DELETE", "a query over several measurements".
    NotYet { what: String },
    /// Never right from several backends; `why` is a clause.
    CannotMerge { why: String },
}

impl Refusal {
    /// `what` begins the sentence "... is not supported yet".
    pub fn not_yet(what: impl Into<String>) -> Refusal {
        Refusal::NotYet { what: what.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Parse { message } => out.write_str(message),
            Refusal::NotYet { what } => write!(out, "{what} is not supported yet"),
            Refusal::CannotMerge { why } => write!(out, "cannot be answered by a gateway: {why}"),
        }
    }
}

impl std::error::Error for Refusal {}

/// The plan for two parts of one text, of which each alone has a plan.
fn both(first: Plan, second: Plan) -> Result<Plan, Refusal> {
    use Plan::{AnyBackend, Everywhere, Owner, WholeCircle};
    Ok(match (first, second) {
        (AnyBackend, other @ (Owner { .. } | WholeCircle { .. } | AnyBackend)) => other,
        (other @ (Owner { .. } | WholeCircle { .. }), AnyBackend) => other,
        (Everywhere { .. }, _) | (_, Everywhere { .. }) => {
            unreachable!("a text with such a statement is run statement by statement")
        }
        (first @ Owner { .. }, second @ Owner { .. }) if first == second => first,
        (Owner { .. }, Owner { .. }) => WholeCircle { what: SEVERAL.to_owned() },
        (WholeCircle { what }, _) | (_, WholeCircle { what }) => WholeCircle { what },
    })
}

const SEVERAL: &str = "a query over several measurements, whose answers must be merged,";
