//! The document as a tree of plain values, each with its place, variables filled in.

use toml_edit::{Document, Item, TableLike};

use super::environment::Environment;
use super::problem::{Place, Problems};
use super::variables;

pub struct Node {
    pub place: Place,
    pub value: Value,
}

pub enum Value {
    Text(String),
    Integer(i64),
    Float,
    Boolean(bool),
    Time,
    List(Vec<Node>),
    Table(Table),
    /// Its problem has been told; whoever reads it says nothing more.
    Broken,
}

pub struct Table {
    pub place: Place,
    pub entries: Vec<Entry>,
}

pub struct Entry {
    pub key: String,
    pub key_place: Place,
    pub node: Node,
}

/// Parses TOML. Where it is not TOML, that is the one problem and the table is empty.
pub fn parse(text: &str, environment: &Environment, problems: &mut Problems) -> Table {
    let root = Place { path: String::new(), offset: 0 };
    match Document::parse(text) {
        Ok(document) => Builder { environment, problems }.table(document.as_table(), root),
        Err(error) => {
            let offset = error.span().map_or(0, |span| span.start);
            let place = Place { path: String::new(), offset };
            let what = format!("not TOML: {}", error.message().replace('\n', ", "));
            problems.add(&place, what, "mend the syntax here; nothing behind it was looked at");
            Table { place: root, entries: Vec::new() }
        }
    }
}

struct Builder<'a> {
    environment: &'a Environment,
    problems: &'a mut Problems,
}

impl Builder<'_> {
    fn table(&mut self, table: &dyn TableLike, place: Place) -> Table {
        let mut entries = Vec::with_capacity(table.len());
        for (key, item) in table.iter() {
            let span = table.key(key).and_then(|key| key.span());
            let offset = span.map_or(place.offset, |span| span.start);
            let key_place = Place { path: join(&place.path, key), offset };
            let node = self.node(item, key_place.clone());
            entries.push(Entry { key: key.to_owned(), key_place, node });
        }
        Table { place, entries }
    }

    /// `place` is the key's; what has a place of its own in the file gets that.
    fn node(&mut self, item: &Item, mut place: Place) -> Node {
        if let Some(span) = item.span() {
            place.offset = span.start;
        }
        if let Some(table) = item.as_table_like() {
            return Node { place: place.clone(), value: Value::Table(self.table(table, place)) };
        }
        if let Some(tables) = item.as_array_of_tables() {
            let nodes = tables.iter().enumerate().map(|(index, table)| {
                let offset = table.span().map_or(place.offset, |span| span.start);
                let place = Place { path: format!("{}[{index}]", place.path), offset };
                Node { place: place.clone(), value: Value::Table(self.table(table, place)) }
            });
            let value = Value::List(nodes.collect());
            return Node { place, value };
        }
        let value = item.as_value().map_or(Value::Broken, |value| self.value(value, &place));
        Node { place, value }
    }

    fn value(&mut self, value: &toml_edit::Value, place: &Place) -> Value {
        match value {
            toml_edit::Value::String(text) => {
                match variables::fill(text.value(), &self.environment.variables) {
                    Ok(text) => Value::Text(text),
                    Err(error) => {
                        self.problems.add(place, error.what, error.mend);
                        Value::Broken
                    }
                }
            }
            toml_edit::Value::Integer(number) => Value::Integer(*number.value()),
            toml_edit::Value::Float(_) => Value::Float,
            toml_edit::Value::Boolean(value) => Value::Boolean(*value.value()),
            toml_edit::Value::Datetime(_) => Value::Time,
            toml_edit::Value::Array(values) => {
                let nodes = values.iter().enumerate().map(|(index, value)| {
                    let offset = value.span().map_or(place.offset, |span| span.start);
                    let place = Place { path: format!("{}[{index}]", place.path), offset };
                    let value = self.value(value, &place);
                    Node { place, value }
                });
                Value::List(nodes.collect())
            }
            toml_edit::Value::InlineTable(table) => Value::Table(self.table(table, place.clone())),
        }
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

impl Table {
    /// Where a key would stand that is not there.
    pub fn place_of(&self, key: &str) -> Place {
        Place { path: join(&self.place.path, key), offset: self.place.offset }
    }
}

impl Value {
    /// What it is, in words for a person.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Text(_) => "a string",
            Value::Integer(_) => "an integer",
            Value::Float => "a float",
            Value::Boolean(_) => "a boolean",
            Value::Time => "a date or time",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
            Value::Broken => "unreadable",
        }
    }
}
