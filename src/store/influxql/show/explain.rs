//! EXPLAIN: what a SELECT would read.

use super::{table, texts};
use crate::proto::influxql as ast;
use crate::store::influxql::expr::{Expr, Kind};
use crate::store::influxql::fault::Fault;
use crate::store::influxql::functions::aggregate::Call;
use crate::store::influxql::plan::select::{Select, Source};
use crate::store::influxql::read::filter;
use crate::store::influxql::read::mapping::Context;
use crate::store::influxql::rows::cursor::parts;
use crate::store::influxql::rows::emit::{Pieces, Sink};
use crate::store::influxql::rows::text::Times;
use crate::store::influxql::select::{self, Defaults, Planned};

pub fn run(
    context: &Context<'_>,
    defaults: &Defaults<'_>,
    select: &ast::Select,
    analyze: bool,
    sink: &mut dyn Sink,
) -> Result<(), Fault> {
    let planned = select::plan(context, defaults, select)?;
    let mut nodes = Vec::new();
    collect(&planned, &planned.select, &mut nodes);
    if !analyze {
        let lines: Vec<String> = nodes.iter().flat_map(Node::lines).collect();
        // An empty line between two.
        let lines = lines.iter().skip(1).map(|line| &**line);
        let lines: Vec<&str> = if nodes.is_empty() { vec![""] } else { lines.collect() };
        return sink.piece(table("", &["QUERY PLAN"], texts(lines)));
    }
    let mut counted = Counted { rows: 0, bytes: 0 };
    let pieces = Pieces { rows_max: 4096, marks: false };
    select::answer(context, &planned, &Times::Epoch(1), &pieces, &mut counted)?;
    let sum = |of: fn(&Node) -> usize| nodes.iter().map(of).sum::<usize>();
    let fields: Vec<String> =
        planned.select.fields.iter().map(|field| field.expr.to_string()).collect();
    let lines = [
        ".".to_owned(),
        "└── select".to_owned(),
        format!("    ├── expression: {}", fields.join(", ")),
        format!("    ├── shards: {}", sum(|node| node.windows)),
        format!("    ├── series: {}", sum(|node| node.series)),
        format!("    ├── rows: {}", counted.rows),
        format!("    └── bytes: {}", counted.bytes),
    ];
    let rows = texts(lines.iter().map(|line| &**line));
    sink.piece(table("", &["EXPLAIN ANALYZE"], rows))
}

/// One stream from one source.
struct Node {
    expression: String,
    beside: Vec<String>,
    /// Windows of each measurement.
    windows: usize,
    /// Series that are looked for in each window.
    series: usize,
}

impl Node {
    /// An empty one, and those that InfluxDB has too: what of the points is in memory, and what in which files, is
    /// not known here.
    fn lines(&self) -> Vec<String> {
        let mut lines = vec![String::new(), format!("EXPRESSION: {}", self.expression)];
        if !self.beside.is_empty() {
            lines.push(format!("AUXILIARY FIELDS: {}", self.beside.join(", ")));
        }
        lines.push(format!("NUMBER OF SHARDS: {}", self.windows));
        lines.push(format!("NUMBER OF SERIES: {}", self.series));
        lines
    }
}

fn collect(planned: &Planned, select: &Select, nodes: &mut Vec<Node>) {
    let (calls, refs) = parts(select);
    let beside: Vec<String> = refs.iter().map(ToString::to_string).collect();
    if calls.is_empty() {
        let is_unknown =
            |expr: &Expr| matches!(expr, Expr::Ref { kind, .. } if *kind == Kind::Unknown);
        if !refs.iter().all(is_unknown) {
            sources(planned, select, "<nil>", &beside, nodes);
        }
    }
    for call in &calls {
        sources(planned, select, &read_of(call).to_string(), &beside, nodes);
    }
}

/// What of a call is computed where the points are.
fn read_of(expr: &Expr) -> Expr {
    let Expr::Call { name, arguments } = expr else { return expr.clone() };
    let Some(first) = arguments.first() else { return expr.clone() };
    let call = |name: &str| Expr::Call { name: name.into(), arguments: vec![first.clone()] };
    match &**name {
        "top" if arguments.len() > 2 => call("max"),
        "bottom" if arguments.len() > 2 => call("min"),
        "count" if matches!(first, Expr::Call { .. }) => read_of(first),
        name if Call::named(name).is_some() => call(name),
        _ => read_of(first),
    }
}

fn sources(
    planned: &Planned,
    select: &Select,
    expression: &str,
    beside: &[String],
    nodes: &mut Vec<Node>,
) {
    for source in &select.sources {
        let measurement = match source {
            Source::Measurement(measurement) => measurement,
            Source::Subquery(inner) => {
                collect(planned, inner, nodes);
                continue;
            }
        };
        let Some(place) = planned.mapping.place(measurement) else { continue };
        let known = place.database.measurements();
        let mut names = place.measurements(&measurement.name);
        names.retain(|name| known.contains(name));
        let condition = select.condition.as_ref();
        let each = names.iter().map(|name| filter::series(condition, name, &*place.database).len());
        nodes.push(Node {
            expression: expression.to_owned(),
            beside: beside.to_vec(),
            windows: names.len() * place.windows.len(),
            series: each.sum::<usize>() * place.windows.len(),
        });
    }
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
