//! EXPLAIN: what a SELECT would read.

use super::{table, texts};
use crate::proto::influxql::Select;
use crate::store::influxql::fault::Fault;
use crate::store::influxql::plan::select::{Name, Source};
use crate::store::influxql::read::filter;
use crate::store::influxql::read::mapping::Context;
use crate::store::influxql::rows::emit::{Pieces, Sink};
use crate::store::influxql::rows::text::Times;
use crate::store::influxql::select::{self, Defaults, Planned};

pub fn run(
    context: &Context<'_>,
    defaults: &Defaults<'_>,
    select: &Select,
    analyze: bool,
    sink: &mut dyn Sink,
) -> Result<(), Fault> {
    let planned = select::plan(context, defaults, select)?;
    let (windows, series) = size(&planned);
    let fields: Vec<String> =
        planned.select.fields.iter().map(|field| field.expr.to_string()).collect();
    if !analyze {
        let lines = [
            format!("EXPRESSION: {}", fields.join(", ")),
            format!("NUMBER OF SHARDS: {windows}"),
            format!("NUMBER OF SERIES: {series}"),
        ];
        let is_empty = windows == 0;
        let lines: Vec<&str> =
            if is_empty { vec![""] } else { lines.iter().map(|line| &**line).collect() };
        return sink.piece(table("", &["QUERY PLAN"], texts(lines)));
    }
    let mut counted = Counted { rows: 0, bytes: 0 };
    let pieces = Pieces { rows_max: 4096, marks: false };
    select::answer(context, &planned, &Times::Epoch(1), &pieces, &mut counted)?;
    let lines = [
        ".".to_owned(),
        "└── select".to_owned(),
        format!("    ├── expression: {}", fields.join(", ")),
        format!("    ├── shards: {windows}"),
        format!("    ├── series: {series}"),
        format!("    ├── rows: {}", counted.rows),
        format!("    └── bytes: {}", counted.bytes),
    ];
    let rows = texts(lines.iter().map(|line| &**line));
    sink.piece(table("", &["EXPLAIN ANALYZE"], rows))
}

/// Windows and series that the sources touch.
fn size(planned: &Planned) -> (usize, usize) {
    let mut series = 0;
    for source in &planned.select.sources {
        let Source::Measurement(measurement) = source else { continue };
        let Some(place) = planned.mapping.place(measurement) else { continue };
        let names = match &measurement.name {
            Name::Exact(name) => vec![name.clone()],
            Name::Matching(_) => place.measurements(&measurement.name),
        };
        let condition = planned.select.condition.as_ref();
        for name in names {
            series += filter::series(condition, &name, &*place.database).len();
        }
    }
    (planned.mapping.windows_read(), series)
}

/// Takes an answer and keeps only its size.
struct Counted {
    rows: usize,
    bytes: usize,
}

impl Sink for Counted {
    fn piece(&mut self, series: crate::proto::results::Series) -> Result<(), Fault> {
        if let Some(rows) = series.rows {
            self.rows += rows.len();
            self.bytes += rows.text().len();
        }
        Ok(())
    }
}
