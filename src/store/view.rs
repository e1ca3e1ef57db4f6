//! What a question may ask of the engine, and the changes that a statement makes.
//!
//! InfluxQL and Flux are evaluated against these traits only. `Store` implements them over caches and files; the
//! tests have a twin in memory.

use super::value::{Column, FieldType};
use std::fmt;
use std::sync::Arc;

/// Nanoseconds since 1970, both ends inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    pub min_ns: i64,
    pub max_ns: i64,
}

impl TimeRange {
    /// All times that a point may have: InfluxDB keeps three values for itself.
    pub const ALL: TimeRange = TimeRange { min_ns: i64::MIN + 2, max_ns: i64::MAX - 1 };
}

/// The order in which points of a series are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Ascending,
    Descending,
}

/// Counts up from 0 within one database; carries no order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesId(pub u32);

/// A series: a measurement and tags, names unescaped, tags sorted by key bytewise.
#[derive(Debug, PartialEq, Eq)]
pub struct Series {
    pub id: SeriesId,
    /// As TSM files spell it: `,` and blanks (and `=` in tags) escaped.
    pub key: Box<[u8]>,
    pub measurement: Arc<str>,
    pub tags: Vec<(Arc<str>, Arc<str>)>,
}

impl Series {
    /// `None` where the series lacks the tag.
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.tags.iter().find(|(name, _)| **name == *key).map(|(_, value)| &**value)
    }
}

/// A retention policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub name: String,
    /// 0: for ever.
    pub duration_ns: i64,
    pub window_ns: i64,
    pub replication: u32,
}

/// One slice of time of one policy (InfluxDB says shard group).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowInfo {
    pub id: u64,
    pub policy: String,
    pub start_ns: i64,
    /// Exclusive.
    pub end_ns: i64,
}

/// Points of one field of one series, block after block in the wanted order. Blocks are never empty.
pub trait Cursor: Send {
    fn next(&mut self) -> Result<Option<Column>, ReadError>;
}

/// One window as it is at this moment.
pub trait Window: Send + Sync {
    fn info(&self) -> &WindowInfo;

    /// The fields of a measurement, sorted by name bytewise. The type is fixed within a window.
    fn fields(&self, measurement: &str) -> Vec<(Arc<str>, FieldType)>;

    /// `None` where the window has no point of it at all. Times outside the window are never given.
    fn read(
        &self,
        series: &Series,
        field: &str,
        range: TimeRange,
        direction: Direction,
    ) -> Option<Box<dyn Cursor>>;
}

/// One database. All lists are sorted bytewise. An empty measurement, key or value that nobody wrote is an empty list.
pub trait Database: Send + Sync {
    fn name(&self) -> &str;
    fn policies(&self) -> Vec<Policy>;
    /// The name of the policy that a request means that names none; may be gone.
    fn default_policy(&self) -> String;

    /// The windows of a policy that overlap the range, by time.
    fn windows(&self, policy: &str, range: TimeRange) -> Vec<Arc<dyn Window>>;

    fn measurements(&self) -> Vec<Arc<str>>;
    fn tag_keys(&self, measurement: &str) -> Vec<Arc<str>>;
    fn tag_values(&self, measurement: &str, key: &str) -> Vec<Arc<str>>;
    /// All series of a measurement, sorted by id.
    fn series_ids(&self, measurement: &str) -> Vec<SeriesId>;
    /// The series of a measurement with this value of the tag, sorted by id.
    fn series_with(&self, measurement: &str, key: &str, value: &str) -> Vec<SeriesId>;
    /// # Panics
    /// If this database never gave that id.
    fn series(&self, id: SeriesId) -> Arc<Series>;
}

/// The whole store.
pub trait Catalog: Send + Sync {
    /// Names, sorted bytewise.
    fn databases(&self) -> Vec<String>;
    fn database(&self, name: &str) -> Option<Arc<dyn Database>>;
    /// Done and durable when it returns.
    fn change(&self, change: Change) -> Result<(), ChangeError>;

    /// What is kept beside databases and points.
    fn notes(&self) -> Notes;

    /// Replaces all notes if they are still what they were; durable when it returns. `false`: somebody else was faster.
    fn note(&self, before: &Notes, after: Notes) -> Result<bool, ChangeError>;
}

/// Users, continuous queries, subscriptions: they are kept and shown, in the order in which they were made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    pub users: Vec<User>,
    pub continuous_queries: Vec<Continuous>,
    pub subscriptions: Vec<Subscription>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub name: String,
    /// The text of bcrypt.
    pub password_hash: String,
    pub is_admin: bool,
    /// By database.
    pub grants: Vec<(String, Granted)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granted {
    Nothing,
    Read,
    Write,
    All,
}

/// A continuous query, with its whole statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Continuous {
    pub name: String,
    pub database: String,
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    pub name: String,
    pub database: String,
    pub policy: String,
    pub any: bool,
    pub destinations: Vec<String>,
}

impl User {
    /// The last word on a database counts.
    pub fn grant(&mut self, database: &str, privilege: Granted) {
        match self.grants.iter_mut().find(|(name, _)| name == database) {
            Some(known) => known.1 = privilege,
            None => self.grants.push((database.to_owned(), privilege)),
        }
    }

    /// What is left where a privilege is taken away.
    pub fn revoke(&mut self, database: &str, privilege: Granted) {
        let known = self.grants.iter().find(|(name, _)| name == database);
        let known = known.map_or(Granted::Nothing, |(_, known)| *known);
        let left = match (known, privilege) {
            (Granted::All, Granted::Read) => Granted::Write,
            (Granted::All, Granted::Write) => Granted::Read,
            (_, Granted::All) => Granted::Nothing,
            (known, taken) if known == taken => Granted::Nothing,
            (known, _) => known,
        };
        self.grant(database, left);
    }
}

impl Granted {
    /// As SHOW GRANTS has it.
    pub fn text(self) -> &'static str {
        match self {
            Granted::Nothing => "NO PRIVILEGES",
            Granted::Read => "READ",
            Granted::Write => "WRITE",
            Granted::All => "ALL PRIVILEGES",
        }
    }
}

/// What a policy is made of or changed to; absent is the default, or unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyChange {
    pub name: Option<String>,
    pub duration_ns: Option<i64>,
    pub window_ns: Option<i64>,
    pub replication: Option<u32>,
    pub make_default: bool,
}

/// What a statement does.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Nothing happens where it is there already with the same policy. `policy` is its first one.
    CreateDatabase {
        database: String,
        policy: Option<PolicyChange>,
    },
    /// Nothing happens where it is not there.
    DropDatabase {
        database: String,
    },
    CreatePolicy {
        database: String,
        policy: PolicyChange,
    },
    AlterPolicy {
        database: String,
        name: String,
        policy: PolicyChange,
    },
    DropPolicy {
        database: String,
        name: String,
    },
    /// The window of this number, of whatever database. Nothing happens where there is none.
    DropWindow {
        id: u64,
    },
    DropMeasurement {
        database: String,
        measurement: String,
    },
    /// Points of these series in this range, in all policies. A series without any point left is forgotten.
    Delete {
        database: String,
        series: Vec<SeriesId>,
        range: TimeRange,
    },
    /// Series with all their points, in all policies.
    DropSeries {
        database: String,
        series: Vec<SeriesId>,
    },
    /// Lines in nanoseconds with a time each, for SELECT INTO and `to()`.
    Write {
        database: String,
        policy: Option<String>,
        lines: Vec<u8>,
    },
}

/// Why a statement has done nothing, in the words of InfluxDB where it has any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeError(pub String);

impl From<std::io::Error> for ChangeError {
    fn from(error: std::io::Error) -> ChangeError {
        ChangeError(format!("engine: {error}"))
    }
}

impl fmt::Display for ChangeError {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str(&self.0)
    }
}

/// Why points cannot be read. The place is a file and an offset, as far as they are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError {
    pub place: String,
    pub problem: String,
}

impl fmt::Display for ReadError {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(text, "{}: {}", self.place, self.problem)
    }
}
