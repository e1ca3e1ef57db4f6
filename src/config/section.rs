//! Typed reading of one table. What was never asked for is an unknown key.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::problem::{Place, Problems};
use super::tree::{Node, Table, Value};
use super::units;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Found<T> {
    pub place: Place,
    pub value: T,
}

/// One table being read. Absent keys give `None`; wrong ones, too, after their problem is told.
pub struct Section<'a> {
    table: &'a Table,
    asked: Vec<&'static str>,
}

impl<'a> Section<'a> {
    pub fn new(table: &'a Table) -> Section<'a> {
        Section { table, asked: Vec::new() }
    }

    pub fn place(&self) -> &'a Place {
        &self.table.place
    }

    /// Where a key stands, or would stand.
    pub fn place_of(&self, key: &str) -> Place {
        let entry = self.table.entries.iter().find(|entry| entry.key == key);
        entry.map_or_else(|| self.table.place_of(key), |entry| entry.node.place.clone())
    }

    /// The same for a key of a table in this one.
    pub fn place_in(&self, table: &str, key: &str) -> Place {
        let entry = self.table.entries.iter().find(|entry| entry.key == table);
        match entry.map(|entry| &entry.node.value) {
            Some(Value::Table(inner)) => Section::new(inner).place_of(key),
            _ => self.place_of(table),
        }
    }

    /// Present, whatever it is worth.
    pub fn has(&self, key: &str) -> bool {
        self.table.entries.iter().any(|entry| entry.key == key)
    }

    /// Present, and this text.
    pub fn has_text(&self, key: &str, text: &str) -> bool {
        let entry = self.table.entries.iter().find(|entry| entry.key == key);
        entry.is_some_and(|entry| matches!(&entry.node.value, Value::Text(value) if value == text))
    }

    fn node(&mut self, key: &'static str) -> Option<&'a Node> {
        self.asked.push(key);
        let entry = self.table.entries.iter().find(|entry| entry.key == key)?;
        Some(&entry.node)
    }

    pub fn text(&mut self, key: &'static str, problems: &mut Problems) -> Option<Found<String>> {
        text_of(self.node(key)?, problems)
    }

    /// A text that must be there and must not be empty.
    pub fn required(
        &mut self,
        key: &'static str,
        mend: &str,
        problems: &mut Problems,
    ) -> Option<Found<String>> {
        if !self.has(key) {
            problems.add(&self.place_of(key), "missing", mend);
        }
        let found = self.text(key, problems)?;
        if found.value.is_empty() {
            problems.add(&found.place, "empty", mend);
            return None;
        }
        Some(found)
    }

    pub fn boolean(&mut self, key: &'static str, problems: &mut Problems) -> Option<bool> {
        let node = self.node(key)?;
        match node.value {
            Value::Boolean(value) => Some(value),
            _ => wrong_type(node, "true or false", problems),
        }
    }

    pub fn integer(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u32>,
        problems: &mut Problems,
    ) -> Option<u32> {
        let node = self.node(key)?;
        let Value::Integer(number) = node.value else {
            return wrong_type(node, "a whole number", problems);
        };
        let fitting = u32::try_from(number).ok().filter(|number| range.contains(number));
        if fitting.is_none() {
            let mend = format!("choose from {} to {}", range.start(), range.end());
            problems.add(&node.place, format!("{number} is out of range"), mend);
        }
        fitting
    }

    pub fn duration(
        &mut self,
        key: &'static str,
        range: RangeInclusive<Duration>,
        problems: &mut Problems,
    ) -> Option<Duration> {
        let node = self.node(key)?;
        let Value::Text(text) = &node.value else {
            return wrong_type(node, "a duration such as \"3s\" or \"250ms\"", problems);
        };
        let Some(duration) = units::duration(text) else {
            let mend = "a whole number and ms, s, m, h or d, as in \"250ms\"";
            problems.add(&node.place, format!("{} is no duration", quoted(text)), mend);
            return None;
        };
        if !range.contains(&duration) {
            let (least, most) = (range.start(), range.end());
            let (least, most) = (units::show_duration(*least), units::show_duration(*most));
            let mend = format!("choose from {least} to {most}");
            problems.add(&node.place, format!("{} is out of range", quoted(text)), mend);
            return None;
        }
        Some(duration)
    }

    /// A number of bytes.
    pub fn size(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u64>,
        problems: &mut Problems,
    ) -> Option<u64> {
        let node = self.node(key)?;
        let Value::Text(text) = &node.value else {
            return wrong_type(node, "a size such as \"64MiB\"", problems);
        };
        let Some(bytes) = units::size(text) else {
            let mend =
                "a whole number and B, KB, MB, GB, TB, KiB, MiB, GiB or TiB, as in \"64MiB\"";
            problems.add(&node.place, format!("{} is no size", quoted(text)), mend);
            return None;
        };
        if !range.contains(&bytes) {
            let (least, most) = (range.start(), range.end());
            let mend =
                format!("choose from {} to {}", units::show_size(*least), units::show_size(*most));
            problems.add(&node.place, format!("{} is out of range", quoted(text)), mend);
            return None;
        }
        Some(bytes)
    }

    /// One of a few words.
    pub fn word<T: Copy>(
        &mut self,
        key: &'static str,
        words: &[(&str, T)],
        problems: &mut Problems,
    ) -> Option<T> {
        let found = self.text(key, problems)?;
        let chosen = words.iter().find(|(word, _)| *word == found.value);
        if chosen.is_none() {
            let what = format!("{} is not known here", quoted(&found.value));
            problems.add(&found.place, what, one_of(words, &found.value));
        }
        chosen.map(|(_, value)| *value)
    }

    /// A list of texts; wrong elements are left out after their problem is told.
    pub fn texts(
        &mut self,
        key: &'static str,
        problems: &mut Problems,
    ) -> Option<Found<Vec<Found<String>>>> {
        let node = self.node(key)?;
        let Value::List(nodes) = &node.value else {
            return wrong_type(node, "a list of strings", problems);
        };
        let value = nodes.iter().filter_map(|node| text_of(node, problems)).collect();
        Some(Found { place: node.place.clone(), value })
    }

    /// The table of this name, to be read on.
    pub fn table(&mut self, key: &'static str, problems: &mut Problems) -> Option<Section<'a>> {
        let node = self.node(key)?;
        match &node.value {
            Value::Table(table) => Some(Section::new(table)),
            _ => wrong_type(node, &format!("a table, [{}]", node.place.path), problems),
        }
    }

    /// All tables of `[[key]]`.
    pub fn tables(&mut self, key: &'static str, problems: &mut Problems) -> Vec<Section<'a>> {
        let Some(node) = self.node(key) else { return Vec::new() };
        let wanted = format!("a list of tables, each [[{}]]", without_numbers(&node.place.path));
        let Value::List(nodes) = &node.value else {
            let _told: Option<()> = wrong_type(node, &wanted, problems);
            return Vec::new();
        };
        let mut sections = Vec::new();
        for node in nodes {
            match &node.value {
                Value::Table(table) => sections.push(Section::new(table)),
                _ => sections.extend(wrong_type(node, &wanted, problems)),
            }
        }
        sections
    }

    /// Tells every key that nobody asked for.
    pub fn finish(self, problems: &mut Problems) {
        for entry in self.table.entries.iter().filter(|it| !self.asked.contains(&&*it.key)) {
            let mend = match nearest(&entry.key, self.asked.iter().copied()) {
                Some(known) => format!("did you mean \"{known}\"?"),
                None => format!("known here: {}", self.asked.join(", ")),
            };
            problems.add(&entry.key_place, "unknown key", mend);
        }
    }
}

fn text_of(node: &Node, problems: &mut Problems) -> Option<Found<String>> {
    match &node.value {
        Value::Text(text) => Some(Found { place: node.place.clone(), value: text.clone() }),
        _ => wrong_type(node, "a string", problems),
    }
}

fn wrong_type<T>(node: &Node, wanted: &str, problems: &mut Problems) -> Option<T> {
    if !matches!(node.value, Value::Broken) {
        problems.add(&node.place, format!("is {}", node.value.kind()), format!("write {wanted}"));
    }
    None
}

/// A text of the file in quotes, at most 80 characters of it, without control characters.
pub fn quoted(text: &str) -> String {
    let cut: String = text.chars().take(80).flat_map(char::escape_debug).collect();
    let dots = if text.chars().nth(80).is_some() { "..." } else { "" };
    format!("\"{cut}{dots}\"")
}

fn one_of<T>(words: &[(&str, T)], written: &str) -> String {
    let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let guess = nearest(written, names.iter().copied());
    let guess = guess.map_or(String::new(), |word| format!(" (did you mean \"{word}\"?)"));
    format!("one of: {}{guess}", names.join(", "))
}

fn without_numbers(path: &str) -> String {
    path.chars().filter(|c| !"[]0123456789".contains(*c)).collect()
}

/// The known word that a typing mistake or two would turn into the written one.
fn nearest<'k>(written: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let allowed = if written.len() < 4 { 1 } else { 2 };
    known
        .map(|word| (distance(written, word), word))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// Characters to insert, delete or change (Levenshtein). Long texts are far from everything.
fn distance(left: &str, right: &str) -> usize {
    if left.len() > 64 {
        return usize::MAX;
    }
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (line, from) in left.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], line + 1);
        for (column, to) in right.iter().enumerate() {
            let changed = diagonal + usize::from(from != *to);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_at_most_two_mistakes_away() {
        let known = ["listen", "data_dir", "shards", "ack"];
        let of = |written| nearest(written, known.into_iter());
        assert_eq!(of("lisen"), Some("listen"));
        assert_eq!(of("datadir"), Some("data_dir"));
        assert_eq!(of("shrads"), Some("shards"));
        assert_eq!(of("akc"), None);
        assert_eq!(of("ac"), Some("ack"));
        assert_eq!(of("something"), None);
        assert_eq!(of(&"x".repeat(1000)), None);
        assert_eq!(distance("", "abc"), 3);
    }
}
