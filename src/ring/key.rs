//! What is hashed: the template of the route key, and the template of a backend's own string.

use std::fmt;

use smallvec::SmallVec;

use super::name::Target;

/// A route key of usual length needs no heap.
pub type RouteKey = SmallVec<[u8; 128]>;

/// Template of the route key, like `%org,%bk,%mm`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardKey {
    text: Box<str>,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(Box<str>),
    Org,
    Bucket,
    Database,
    Measurement,
}

/// Why a template is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// No variable at all: everything would lie on one backend.
    NoVariable,
    /// A `%` that begins none of the known variables.
    UnknownVariable(String),
    /// A control character; the fingerprint file is made of lines.
    ControlCharacter,
    /// A template of `hash_key` without `%idx`: all backends would be one.
    NoIndex,
}

const VARIABLES: [(&str, Part); 4] = [
    ("%org", Part::Org),
    ("%bk", Part::Bucket),
    ("%db", Part::Database),
    ("%mm", Part::Measurement),
];

impl ShardKey {
    pub fn parse(text: &str) -> Result<ShardKey, KeyError> {
        if text.chars().any(char::is_control) {
            return Err(KeyError::ControlCharacter);
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let literal_end = rest.find('%').unwrap_or(rest.len());
            let (literal, from_variable) = rest.split_at(literal_end);
            if !literal.is_empty() {
                parts.push(Part::Literal(literal.into()));
            }
            rest = from_variable;
            if !rest.is_empty() {
                let (name, part) = VARIABLES
                    .iter()
                    .find(|(name, _)| rest.starts_with(name))
                    .ok_or_else(|| KeyError::UnknownVariable(rest.to_owned()))?;
                parts.push(part.clone());
                rest = &rest[name.len()..];
            }
        }
        if parts.iter().all(|part| matches!(part, Part::Literal(_))) {
            return Err(KeyError::NoVariable);
        }
        Ok(ShardKey { text: text.into(), parts })
    }

    /// The key of one measurement, whose name is given as the servers decode it.
    pub fn fill(&self, target: &Target, measurement: &[u8]) -> RouteKey {
        let mut key = RouteKey::new();
        for part in &self.parts {
            match part {
                Part::Literal(text) => key.extend_from_slice(text.as_bytes()),
                Part::Org => key.extend_from_slice(target.org.as_bytes()),
                Part::Bucket => key.extend_from_slice(target.bucket().as_bytes()),
                Part::Database => key.extend_from_slice(target.database.as_bytes()),
                Part::Measurement => key.extend_from_slice(measurement),
            }
        }
        key
    }

    pub fn text(&self) -> &str {
        &self.text
    }
}

/// What stands for a backend on its ring. The words are those of influx-proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HashKey {
    /// `idx`: the backend's position in its circle, from 0.
    Index,
    /// `exi`: `|` and the position.
    BarIndex,
    /// `name`
    Name,
    /// `url`, as it is written in the configuration.
    Url,
    /// Any text with `%idx` in it, which becomes the position.
    Template(Box<str>),
}

impl HashKey {
    pub fn parse(text: &str) -> Result<HashKey, KeyError> {
        match text {
            "idx" => Ok(HashKey::Index),
            "exi" => Ok(HashKey::BarIndex),
            "name" => Ok(HashKey::Name),
            "url" => Ok(HashKey::Url),
            _ if text.chars().any(char::is_control) => Err(KeyError::ControlCharacter),
            _ if text.contains("%idx") => Ok(HashKey::Template(text.into())),
            _ => Err(KeyError::NoIndex),
        }
    }

    /// The string that is hashed for the backend at `index` of its circle.
    pub fn node(&self, index: usize, name: &str, url: &str) -> String {
        match self {
            HashKey::Index => index.to_string(),
            HashKey::BarIndex => format!("|{index}"),
            HashKey::Name => name.to_owned(),
            HashKey::Url => url.to_owned(),
            HashKey::Template(text) => text.replace("%idx", &index.to_string()),
        }
    }
}

impl fmt::Display for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HashKey::Index => "idx",
            HashKey::BarIndex => "exi",
            HashKey::Name => "name",
            HashKey::Url => "url",
            HashKey::Template(text) => text,
        })
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyError::NoVariable => f.write_str("no variable in it, so one backend would own all"),
            KeyError::UnknownVariable(rest) => write!(f, "unknown variable at \"{rest}\""),
            KeyError::ControlCharacter => f.write_str("a control character in it"),
            KeyError::NoIndex => f.write_str("neither a known word nor a template with %idx"),
        }
    }
}

impl std::error::Error for KeyError {}
