//! SHOW: what there is.
//!
//! Promises: lists come from the index and from what windows know of fields, never from points; order and limits are
//! those of InfluxDB 1.6. Does not know: what a query costs.
//!
//! Read `scope` (which database, which measurements), `schema` (measurements, series, keys, values), `cardinality`,
//! `catalogue` (databases, policies, windows, users), `explain`.

mod cardinality;
mod catalogue;
pub mod explain;
mod schema;
pub mod scope;

use super::fault::Fault;
use super::read::mapping::Context;
use super::rows::emit::{Pieces, Sink};
use super::select::Defaults;
use crate::proto::influxql::{Show, Statement, Subject};
use crate::proto::results::{Rows, Series, quote};

/// Whether an answer in chunks says of each that more follow.
pub fn is_in_pieces(statement: &Statement) -> bool {
    match statement {
        Statement::Show(Show::Schema(schema)) => {
            let is_read_at_once = matches!(schema.subject, Subject::TagKeys | Subject::TagValues);
            schema.cardinality.is_some() || !is_read_at_once
        }
        _ => true,
    }
}

pub fn run(
    context: &Context<'_>,
    defaults: &Defaults<'_>,
    show: &Show,
    pieces: &Pieces,
    sink: &mut dyn Sink,
    text: &str,
) -> Result<(), Fault> {
    match show {
        Show::Schema(schema) if schema.cardinality.is_some() => {
            cardinality::run(context, defaults, schema, sink)
        }
        Show::Schema(schema) => schema::run(context, defaults, schema, pieces, sink),
        other => catalogue::run(context, defaults, other, sink, text),
    }
}

/// A series of rows whose cells are JSON already.
pub fn table(name: &str, columns: &[&str], rows: Vec<Vec<String>>) -> Series {
    let mut text = Rows::default();
    for row in &rows {
        text.push(&format!("[{}]", row.join(",")));
    }
    Series {
        name: name.to_owned(),
        columns: columns.iter().map(|column| (*column).to_owned()).collect(),
        rows: (!rows.is_empty()).then_some(text),
        ..Series::default()
    }
}

/// Rows of one column of texts.
pub fn texts<'t>(texts: impl IntoIterator<Item = &'t str>) -> Vec<Vec<String>> {
    texts.into_iter().map(|text| vec![quote(text)]).collect()
}

/// LIMIT and OFFSET.
pub fn cut<T>(all: Vec<T>, limits: &crate::proto::influxql::Limits) -> Vec<T> {
    let count = |number: Option<u64>| usize::try_from(number.unwrap_or(0)).unwrap_or(usize::MAX);
    let limit = match count(limits.limit) {
        0 => usize::MAX,
        limit => limit,
    };
    all.into_iter().skip(count(limits.offset)).take(limit).collect()
}
