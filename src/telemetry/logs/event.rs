//! One event as a line.

use super::Format;
use super::pipe::LINE_BYTES_MAX;
use serde_json::{Map, Value, json};
use std::fmt::{self, Write};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

/// The most of one value that is shown, the word about the rest included: a payload is no part of a log.
pub(super) const VALUE_BYTES_MAX: usize = 256;

/// What is known of one line.
pub(super) struct Line {
    time: String,
    level: Level,
    pub message: String,
    /// Where in the source, where it matters.
    place: Option<String>,
    fields: Vec<(&'static str, Shown)>,
}

/// A value on its way.
enum Shown {
    /// A number or a yes or no.
    Plain(Value),
    /// Stands in quotation marks, as it may hold spaces.
    Text(String),
    /// An error, or what shows itself as a programmer would write it.
    Own(String),
}

impl Line {
    pub fn of(event: &Event<'_>) -> Line {
        let metadata = event.metadata();
        let place =
            metadata.file().zip(metadata.line()).map(|(file, line)| format!("{file}:{line}"));
        let mut line = Line { place, ..Line::new(*metadata.level(), String::new()) };
        event.record(&mut line);
        line
    }

    /// What a place would have said besides what it said.
    pub fn summary(metadata: &Metadata<'_>, text: &str, held: u64, window_s: u64) -> Line {
        let message = format!("{held} more of these within {window_s} s: {text}");
        Line { fields: Vec::new(), ..Line::new(*metadata.level(), cut(message)) }
    }

    pub fn of_dropped(count: u64) -> Line {
        let message = format!("{count} lines of this log were dropped, because nobody read it");
        Line::new(Level::WARN, message)
    }

    fn new(level: Level, message: String) -> Line {
        let mut time = String::new();
        // A clock that cannot be written leaves an empty time.
        SystemTime.format_time(&mut Writer::new(&mut time)).unwrap_or(());
        Line { time, level, message, place: None, fields: Vec::new() }
    }

    /// With its end.
    pub fn render(&self, format: Format) -> String {
        match format {
            Format::Text => self.text(),
            Format::Json => self.json(),
        }
    }

    /// `TIME LEVEL message key=value ...`
    fn text(&self) -> String {
        let mut text = format!("{} {:>5} ", self.time, self.level);
        push_plain(&mut text, &self.message);
        for (name, value) in &self.fields {
            text.push_str(&format!(" {name}="));
            match value {
                Shown::Plain(value) => text.push_str(&value.to_string()),
                Shown::Text(value) => text.push_str(&format!("{value:?}")),
                Shown::Own(value) => push_plain(&mut text, value),
            }
        }
        text.push('\n');
        text
    }

    /// Fields that would make it too long for one write are left out, the last ones first.
    fn json(&self) -> String {
        for shown in (0..=self.fields.len()).rev() {
            let text = format!("{}\n", self.object(shown));
            if text.len() <= LINE_BYTES_MAX {
                return text;
            }
        }
        // A message is at most 256 bytes long, 6 for each where it needs to be escaped.
        unreachable!("a message alone fits")
    }

    fn object(&self, shown: usize) -> Value {
        let field = |(name, value): &(&'static str, Shown)| {
            let value = match value {
                Shown::Plain(value) => value.clone(),
                Shown::Text(text) | Shown::Own(text) => Value::String(text.clone()),
            };
            ((*name).to_owned(), value)
        };
        let fields: Map<String, Value> = self.fields[..shown].iter().map(field).collect();
        json!({
            "time": self.time, "level": self.level.as_str().to_lowercase(), "message": self.message,
            "place": self.place, "fields": fields,
        })
    }

    fn add(&mut self, field: &Field, value: Shown) {
        match value {
            Shown::Text(text) | Shown::Own(text)
                if field.name() == "message" && self.message.is_empty() =>
            {
                self.message = cut(text);
            }
            Shown::Text(text) => self.fields.push((field.name(), Shown::Text(cut(text)))),
            Shown::Own(text) => self.fields.push((field.name(), Shown::Own(cut(text)))),
            plain @ Shown::Plain(_) => self.fields.push((field.name(), plain)),
        }
    }
}

impl Visit for Line {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, Shown::Plain(json!(value)));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, Shown::Plain(json!(value)));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, Shown::Plain(json!(value)));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, Shown::Plain(json!(value)));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        // Whoever logs a body must not pay for all of it.
        self.add(field, Shown::Text(beginning(value).to_owned()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = Beginning(String::new());
        // An error only says that there is more than is shown.
        write!(text, "{value:?}").unwrap_or(());
        self.add(field, Shown::Own(text.0));
    }
}

/// Takes the beginning of a text that is being written, and refuses the rest.
struct Beginning(String);

impl Write for Beginning {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // A little more than is shown, so that it shows that there was more.
        let room = VALUE_BYTES_MAX + 4 - self.0.len();
        let taken = &text[..text.floor_char_boundary(room)];
        self.0.push_str(taken);
        if taken.len() == text.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

fn beginning(text: &str) -> &str {
    &text[..text.floor_char_boundary(VALUE_BYTES_MAX + 4)]
}

fn cut(mut text: String) -> String {
    if text.len() > VALUE_BYTES_MAX {
        text.truncate(text.floor_char_boundary(VALUE_BYTES_MAX - 3));
        text.push_str("...");
    }
    text
}

/// A line is one line: what would end it, or move about on a terminal, is written as its number.
fn push_plain(out: &mut String, text: &str) {
    for letter in text.chars() {
        match letter.is_control() {
            true => out.extend(letter.escape_default()),
            false => out.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, mpsc};
    use tracing::Subscriber;
    use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

    struct To(mpsc::Sender<Arc<Line>>);

    impl<S: Subscriber> Layer<S> for To {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            self.0.send(Arc::new(Line::of(event))).unwrap();
        }
    }

    /// What is logged meanwhile, by this thread.
    fn logged(what: impl FnOnce()) -> Vec<Arc<Line>> {
        let (sender, lines) = mpsc::channel();
        let subscriber = tracing_subscriber::registry().with(To(sender));
        tracing::subscriber::with_default(subscriber, what);
        lines.try_iter().collect()
    }

    fn one(what: impl FnOnce()) -> (String, Value) {
        let lines = logged(what);
        assert_eq!(lines.len(), 1);
        let json = lines[0].render(Format::Json);
        let text = lines[0].render(Format::Text);
        assert_eq!(
            (text.matches('\n').count(), json.matches('\n').count()),
            (1, 1),
            "{text}{json}"
        );
        (text, serde_json::from_str(&json).unwrap())
    }

    #[test]
    fn a_line_has_its_message_and_its_values_in_both_formats() {
        let error = std::io::Error::other("no such thing");
        let path = std::path::Path::new("/a b");
        let (text, json) = one(|| {
            tracing::warn!(backend = "c/b", points = 7u64, is_clean = true, %error, ?path, "it is {}", 5);
        });
        let (time, rest) = text.split_once(' ').unwrap();
        assert!(time.ends_with('Z') && time.starts_with("20"), "{time}");
        assert_eq!(
            rest,
            " WARN it is 5 backend=\"c/b\" points=7 is_clean=true error=no such thing path=\"/a b\"\n"
        );
        assert_eq!(json["time"], time);
        assert_eq!(json["level"], "warn");
        assert_eq!(json["message"], "it is 5");
        assert!(json["place"].as_str().unwrap().starts_with("src/telemetry/logs/event.rs:"));
        let fields = json!({
            "backend": "c/b", "points": 7, "is_clean": true, "error": "no such thing",
            "path": "\"/a b\"",
        });
        assert_eq!(json["fields"], fields);
    }

    #[test]
    fn no_value_is_longer_than_256_bytes() {
        let payload = "\u{e9}x".repeat(5_000);
        let (text, json) = one(|| {
            tracing::info!(payload, shown = %payload, debug = ?payload, "{payload}");
        });
        let most = VALUE_BYTES_MAX;
        assert!(text.len() <= 4 * (most + 16), "{}", text.len());
        for value in [&json["message"], &json["fields"]["payload"], &json["fields"]["shown"]] {
            let value = value.as_str().unwrap();
            assert!(value.len() <= most && value.len() > most - 4, "{value}");
            assert!(value.ends_with("..."), "{value}");
        }
        assert!(json["fields"]["debug"].as_str().unwrap().len() <= most);
        let whole = "y".repeat(most);
        let (_, json) = one(|| tracing::info!(whole, "fits"));
        assert_eq!(json["fields"]["whole"], whole);
    }

    #[test]
    fn a_value_cannot_begin_a_line_of_its_own() {
        let forged = "a\n2026-01-01T00:00:00Z ERROR forged\u{1b}[2J";
        let (text, json) = one(|| tracing::info!(forged, shown = %forged, "{forged}"));
        assert!(!text.contains('\u{1b}'), "{text:?}");
        assert_eq!(json["message"], forged);
    }

    #[test]
    fn an_object_that_is_too_long_for_one_write_loses_fields_and_stays_an_object() {
        let bad = "\u{1}".repeat(VALUE_BYTES_MAX);
        let (_, json) = one(|| {
            tracing::info!(a = bad, b = bad, c = bad, d = bad, "{bad}");
        });
        assert_eq!(json["fields"]["a"], bad);
        assert_eq!(json["fields"]["d"], Value::Null);
    }
}
