//! How each function of Flux changes the shape of a stream.
//!
//! What is not listed here takes everything in one place: a function that is new, or that is called in a way
//! that is not understood, is refused and never guessed.

use super::ast::{Body, Expression, ExpressionKind, Function, Operator, Statement};
use super::catalogue::{Keeps, keeps, reads_columns_only};
use super::evaluate::Evaluator;
use super::shape::{MEASUREMENT, Names, Shape};
use super::value::{Arguments, Scope, Stream, Value};

/// Arguments that never name a column that is written.
const NEVER_WRITTEN: [&str; 28] = [
    "bins",
    "compression",
    "createEmpty",
    "desc",
    "duration",
    "every",
    "fn",
    "initialZero",
    "interpolate",
    "keepFirst",
    "location",
    "method",
    "mode",
    "n",
    "nonNegative",
    "normalize",
    "offset",
    "onEmpty",
    "period",
    "pos",
    "q",
    "start",
    "stop",
    "tables",
    "timeSrc",
    "unit",
    "usePrevious",
    "value",
];

impl<'a> Evaluator<'a> {
    /// The shape of `made`, which the function has made of its arguments.
    pub(super) fn shape_after(
        &mut self,
        path: &str,
        arguments: &Arguments<'a>,
        made: usize,
    ) -> Shape {
        if let shape @ Shape::Whole { .. } = &self.streams[made].shape {
            return shape.clone();
        }
        let called = called(path);
        let effect = keeps(path);
        match effect {
            Keeps::Source => return Shape::Stored,
            Keeps::Names { keys } => return Shape::Names(Names { keys, ..Names::default() }),
            Keeps::Union => return self.union(arguments),
            _ => {}
        }
        let input = match arguments.get("tables").or(arguments.piped.as_ref()) {
            Some(Value::Stream(stream)) => self.streams[*stream].shape.clone(),
            _ => return Shape::apart(&called),
        };
        if let Shape::Whole { stage, alone } = input {
            return Shape::Whole { stage, alone: alone && effect != Keeps::Unknown };
        }
        if let Some(shape) = self.of_names(path, &input, arguments) {
            return shape;
        }
        match effect {
            Keeps::PerTable => self.per_table(path, arguments, input),
            Keeps::Group => self.group(arguments),
            Keeps::Extend => Shape::Tables,
            Keeps::Keep => self.keep(arguments),
            Keeps::Drop => self.drop_columns(arguments),
            Keeps::Rename => self.rename(arguments),
            Keeps::Set => self.set(path, arguments),
            Keeps::Map => self.map(arguments),
            Keeps::Reduce => self.reduce(arguments),
            Keeps::Pivot => self.pivot(arguments),
            Keeps::FieldsAsColumns => Shape::Tables,
            Keeps::Rate => self.rate(arguments),
            Keeps::Never => Shape::whole(called),
            _ => Shape::apart(&called),
        }
    }

    /// The steps that lead to a list of names, and those that such a list allows.
    fn of_names(&mut self, path: &str, input: &Shape, arguments: &Arguments<'a>) -> Option<Shape> {
        let name = path.strip_prefix("universe.").unwrap_or(path);
        let columns = self.texts(arguments.get("columns"));
        let only = |wanted: &str| columns.as_deref().is_some_and(|is| is == [wanted]);
        let bare = arguments.named.iter().all(|(name, _)| *name == "tables");
        Some(match (input, name) {
            (Shape::Stored, "range") if is_plain_range(arguments) => Shape::Stored,
            (Shape::Stored, "filter") => match arguments.get("fn") {
                Some(Value::Function(function, scope)) if self.is_indexed(function, *scope) => {
                    Shape::Stored
                }
                _ => Shape::Tables,
            },
            (Shape::Stored, "keys") if bare => Shape::Keys,
            (Shape::Stored, "keep") if columns.as_ref().is_some_and(|is| is.len() == 1) => {
                Shape::Column(columns?.remove(0))
            }
            (Shape::Keys, "keep") if only("_value") => Shape::Grouped(String::new()),
            (Shape::Column(column), "group") if self.is_ungrouping(arguments) => {
                Shape::Grouped(column.clone())
            }
            (Shape::Grouped(column), "distinct") => {
                let keys = column.is_empty();
                let wanted = if keys { "_value" } else { column };
                match arguments.get("column") {
                    None if wanted == "_value" => {}
                    Some(Value::Text(text)) if &**text == wanted => {}
                    _ => return Some(input.clone().at_the_end()),
                }
                Shape::Names(Names { keys, ..Names::default() })
            }
            (Shape::Grouped(_), _) => input.clone().at_the_end(),
            (Shape::Column(column), _) if column != MEASUREMENT => input.clone().at_the_end(),
            (Shape::Names(names), _) => self.list(name, *names, arguments),
            _ => return None,
        })
    }

    fn list(&mut self, name: &str, names: Names, arguments: &Arguments<'a>) -> Shape {
        let columns = self.texts(arguments.get("columns"));
        let of_values = columns.is_none_or(|columns| columns == ["_value"]);
        let has = |name: &str| arguments.get(name).is_some();
        let cut = names.limit.is_some();
        match name {
            "yield" => Shape::Names(names),
            "filter" if !cut => Shape::Names(names),
            "keep" if of_values && has("columns") => Shape::Names(names),
            "group" if self.is_ungrouping(arguments) => Shape::Names(names),
            "sort"
                if of_values
                    && matches!(arguments.get("desc"), None | Some(Value::Boolean(false))) =>
            {
                let keys = names.keys && cut;
                Shape::Names(Names { keys, sorted: true, ..names })
            }
            "limit" if !has("offset") && (!cut || !names.sorted) => match arguments.get("n") {
                Some(Value::Integer(count)) if *count > 0 => {
                    let count = count.unsigned_abs();
                    let limit = Some(names.limit.map_or(count, |limit| limit.min(count)));
                    Shape::Names(Names { limit, ..names })
                }
                _ => Shape::whole("limit() of a list of names"),
            },
            "filter" => Shape::whole("filter() after limit()"),
            name => Shape::whole(format!("{name}() of a list of names")),
        }
    }

    /// Functions that work inside one table, unless an argument lets them write `_measurement`.
    fn per_table(&mut self, path: &str, arguments: &Arguments<'a>, input: Shape) -> Shape {
        let called = called(path);
        for (name, value) in &arguments.named {
            let reads_only = matches!(*name, "column" | "columns") && reads_columns_only(path);
            if !reads_only && !NEVER_WRITTEN.contains(name) && !self.is_other_column(value) {
                return Shape::whole(format!("{called} with {name}"));
            }
        }
        if called == "aggregateWindow()" {
            return self.windowed(arguments);
        }
        if called == "yield()" { input.at_the_end() } else { Shape::Tables }
    }

    /// `fn` is a function of tables like any other.
    fn windowed(&mut self, arguments: &Arguments<'a>) -> Shape {
        match arguments.get("fn") {
            Some(Value::Known(path)) if keeps(path) == Keeps::PerTable => Shape::Tables,
            Some(Value::Function(function, scope)) => {
                let inner = Stream { parts: vec![], rearranged: true, shape: Shape::Tables };
                let piped = self.new_stream(inner);
                let column = ("column", Value::Text("_value".into()));
                let inner = Arguments { named: vec![column], piped: Some(piped) };
                match self.apply(function, *scope, &inner) {
                    Value::Stream(stream) => self.streams[stream].shape.clone().at_the_end(),
                    _ => Shape::whole("aggregateWindow() with fn"),
                }
            }
            _ => Shape::whole("aggregateWindow() with fn"),
        }
    }

    fn group(&mut self, arguments: &Arguments<'a>) -> Shape {
        let by = match arguments.get("mode") {
            None => true,
            Some(Value::Text(mode)) if &**mode == "by" => true,
            Some(Value::Text(mode)) if &**mode == "except" => false,
            _ => return Shape::whole("group() with a mode that is not written out"),
        };
        match (by, self.columns(arguments)) {
            (_, None) => Shape::whole("group() by columns that are not written out"),
            (true, Some(true)) | (false, Some(false)) => Shape::Tables,
            (true, Some(false)) => Shape::whole("group() without _measurement"),
            (false, Some(true)) => Shape::whole("group() except _measurement"),
        }
    }

    fn keep(&mut self, arguments: &Arguments<'a>) -> Shape {
        match (arguments.get("fn"), self.columns(arguments)) {
            (None, Some(true)) => Shape::Tables,
            (None, Some(false)) => Shape::whole("keep() without _measurement"),
            _ => Shape::whole("keep() by a function"),
        }
    }

    fn drop_columns(&mut self, arguments: &Arguments<'a>) -> Shape {
        match (arguments.get("fn"), self.columns(arguments)) {
            (None, Some(false)) => Shape::Tables,
            (None, Some(true)) => Shape::whole("drop() of _measurement"),
            _ => Shape::whole("drop() by a function"),
        }
    }

    fn rename(&mut self, arguments: &Arguments<'a>) -> Shape {
        let Some(Value::Record(record)) = arguments.get("columns") else {
            return Shape::whole("rename() by a function");
        };
        let fields = self.records[*record].clone();
        let other =
            |(name, value): &(&str, Value<'a>)| *name != MEASUREMENT && self.is_other_column(value);
        match !fields.is_open && fields.named.iter().all(other) {
            true => Shape::Tables,
            false => Shape::whole("rename() of _measurement"),
        }
    }

    /// `set`, `duplicate`, `experimental.set`: they write one column, or those of a record.
    fn set(&mut self, path: &str, arguments: &Arguments<'a>) -> Shape {
        let written = ["key", "as", "o"].into_iter().find_map(|name| arguments.get(name));
        let other = match written {
            Some(Value::Record(record)) => self.has_no_measurement(*record),
            Some(Value::Text(name)) => &**name != MEASUREMENT,
            _ => false,
        };
        if other {
            Shape::Tables
        } else {
            Shape::whole(format!("{} of _measurement", called(path)))
        }
    }

    fn map(&mut self, arguments: &Arguments<'a>) -> Shape {
        let changed = Shape::whole("map() that changes _measurement");
        let Some(Value::Function(function, scope)) = arguments.get("fn") else { return changed };
        let [row] = function.parameters.as_slice() else { return changed };
        let row = Arguments { named: vec![(row.name.as_str(), Value::Row)], piped: None };
        match self.apply(function, *scope, &row) {
            Value::Row => Shape::Tables,
            Value::Record(record) => {
                let mut fields = self.records[record].named.iter();
                let measurement = fields.find(|(name, _)| *name == MEASUREMENT);
                match measurement {
                    Some((_, Value::RowMeasurement)) => Shape::Tables,
                    _ => changed,
                }
            }
            _ => changed,
        }
    }

    fn reduce(&mut self, arguments: &Arguments<'a>) -> Shape {
        match arguments.get("identity") {
            Some(Value::Record(record)) if self.has_no_measurement(*record) => Shape::Tables,
            _ => Shape::whole("reduce() into _measurement"),
        }
    }

    fn pivot(&mut self, arguments: &Arguments<'a>) -> Shape {
        let value = arguments.get("valueColumn").is_some_and(|value| self.is_other_column(value));
        let mut columns = ["rowKey", "columnKey"].into_iter().map(|name| {
            let texts = self.texts(arguments.get(name));
            texts.is_some_and(|texts| !texts.iter().any(|text| text == MEASUREMENT))
        });
        match value && columns.all(|other| other) {
            true => Shape::Tables,
            false => Shape::whole("pivot() on _measurement"),
        }
    }

    fn rate(&mut self, arguments: &Arguments<'a>) -> Shape {
        match self.texts(arguments.get("groupColumns")) {
            Some(texts) if texts.iter().any(|text| text == MEASUREMENT) => Shape::Tables,
            _ => Shape::whole("aggregate.rate() without _measurement"),
        }
    }

    /// Tables of one bucket with their keys stay apart; those of two buckets could have one key.
    fn union(&mut self, arguments: &Arguments<'a>) -> Shape {
        let Some(Value::List(list)) = arguments.get("tables") else {
            return Shape::apart("union()");
        };
        let mut place = None;
        for item in self.lists[*list].clone() {
            let Value::Stream(stream) = item else {
                return Shape::apart("union() with rows that no bucket holds");
            };
            let Stream { parts, shape, .. } = &self.streams[stream];
            match shape.clone().at_the_end() {
                Shape::Tables => {}
                Shape::Whole { stage, alone } => return Shape::Whole { stage, alone },
                _ => return Shape::apart("union() of lists of names"),
            }
            if parts.is_empty() {
                return Shape::apart("union() with rows that no bucket holds");
            }
            for (read, _) in parts {
                let read = &self.reads[*read].0;
                let here = (read.org.clone(), read.bucket.clone());
                if *place.get_or_insert_with(|| here.clone()) != here {
                    return Shape::whole("union() of several buckets");
                }
            }
        }
        Shape::Tables
    }

    /// Whether the columns name the measurement; nothing if they are not written out.
    fn columns(&self, arguments: &Arguments<'a>) -> Option<bool> {
        let texts = match arguments.get("columns") {
            None => return Some(false),
            given => self.texts(given)?,
        };
        Some(texts.iter().any(|text| text == MEASUREMENT))
    }

    fn is_ungrouping(&self, arguments: &Arguments<'a>) -> bool {
        arguments.named.iter().all(|(name, value)| match (*name, value) {
            ("tables", _) => true,
            ("columns", Value::List(list)) => self.lists[*list].is_empty(),
            _ => false,
        })
    }

    fn texts(&self, value: Option<&Value<'a>>) -> Option<Vec<String>> {
        let Some(Value::List(list)) = value else { return None };
        let texts = self.lists[*list].iter().map(|item| match item {
            Value::Text(text) => Some(text.to_string()),
            _ => None,
        });
        texts.collect()
    }

    /// Whether a value certainly does not say `_measurement`.
    fn is_other_column(&self, value: &Value<'a>) -> bool {
        match value {
            Value::Text(text) => &**text != MEASUREMENT,
            Value::Integer(_) | Value::Boolean(_) | Value::Literal => true,
            Value::List(list) => self.lists[*list].iter().all(|item| match item {
                Value::Text(text) => &**text != MEASUREMENT,
                item => matches!(item, Value::Integer(_) | Value::Boolean(_) | Value::Literal),
            }),
            _ => false,
        }
    }

    fn has_no_measurement(&self, record: usize) -> bool {
        let fields = &self.records[record];
        !fields.is_open && fields.named.iter().all(|(name, _)| *name != MEASUREMENT)
    }

    /// Whether storage can answer a filter out of its index: comparisons of tags with constants.
    fn is_indexed(&mut self, function: &'a Function, scope: Scope) -> bool {
        let [row] = function.parameters.as_slice() else { return false };
        let body = match &function.body {
            Body::Expression(body) => body,
            Body::Block(statements) => match statements.as_slice() {
                [Statement::Return(body)] => body,
                _ => return false,
            },
        };
        self.compares_tags(body, &row.name, scope)
    }

    fn compares_tags(&mut self, body: &'a Expression, row: &str, scope: Scope) -> bool {
        let ExpressionKind::Chain { first, rest } = &body.kind else { return false };
        match rest.as_slice() {
            [(Operator::And | Operator::Or, _), ..] => {
                self.compares_tags(first, row, scope)
                    && rest.iter().all(|(_, operand)| self.compares_tags(operand, row, scope))
            }
            [(operator, second)] => {
                use Operator::{Equal, Matches, MatchesNot, NotEqual};
                let compares = matches!(operator, Equal | NotEqual | Matches | MatchesNot);
                let constant = if is_tag(first, row) { second } else { &**first };
                compares
                    && (is_tag(first, row) || is_tag(second, row))
                    && match &constant.kind {
                        ExpressionKind::String(_) | ExpressionKind::Regex(_) => true,
                        ExpressionKind::Identifier(_) | ExpressionKind::Member { .. } => {
                            matches!(self.evaluate(constant, scope), Value::Text(_))
                        }
                        _ => false,
                    }
            }
            _ => false,
        }
    }
}

fn is_plain_range(arguments: &Arguments<'_>) -> bool {
    arguments.named.iter().all(|(name, _)| matches!(*name, "start" | "stop" | "tables"))
}

fn is_tag(expression: &Expression, row: &str) -> bool {
    let ExpressionKind::Member { object, name } = &expression.kind else { return false };
    let of_row = matches!(&object.kind, ExpressionKind::Identifier(name) if name == row);
    of_row && !matches!(name.as_str(), "_value" | "_time" | "_start" | "_stop")
}

/// A function as a person writes it.
pub(super) fn called(path: &str) -> String {
    let (package, name) = path.rsplit_once('.').unwrap_or(("", path));
    match package.rsplit('/').next().unwrap_or("") {
        "" | "universe" => format!("{name}()"),
        package => format!("{package}.{name}()"),
    }
}

#[cfg(test)]
mod tests;
