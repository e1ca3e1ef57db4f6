//! The catalogue on disk: `meta/meta.db` of an InfluxDB 1.x, which names databases, policies, windows, users.
//!
//! Promises: a file that InfluxDB wrote is read, and it reads what is written here; bytes never panic and never take
//! more memory than a fixed multiple of their own size; a file is replaced as a whole, durably, or not at all.
//!
//! Does not know: what a window holds, who may do what, when a policy ends.
//!
//! Read in this order: `wire` (the encoding of protocol buffers), `codec` (their fields), `file` (on disk).

mod codec;
mod file;
mod wire;

#[cfg(test)]
mod tests;

pub use file::{MetaError, read, write};

use std::fmt;

/// Everything that the file holds, but for the nodes of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    pub term: u64,
    /// Counts changes.
    pub index: u64,
    pub cluster: u64,
    pub databases: Vec<DatabaseMeta>,
    pub users: Vec<UserMeta>,
    pub max_node_id: u64,
    /// Ids that were ever given to windows; each is below or equal.
    pub max_group_id: u64,
    /// The same of shards, which are the names of folders.
    pub max_shard_id: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatabaseMeta {
    pub name: String,
    /// May be empty, or of a policy that is gone.
    pub default_policy: String,
    pub policies: Vec<PolicyMeta>,
    pub continuous_queries: Vec<ContinuousQuery>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContinuousQuery {
    pub name: String,
    /// The whole statement.
    pub query: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyMeta {
    pub name: String,
    /// 0: for ever.
    pub duration_ns: i64,
    pub window_ns: i64,
    pub replication: u32,
    /// By start.
    pub groups: Vec<Group>,
    pub subscriptions: Vec<Subscription>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscription {
    pub name: String,
    /// `ALL` or `ANY`.
    pub mode: String,
    pub destinations: Vec<String>,
}

/// A window of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    pub id: u64,
    /// As it stands in the file: the first window that there can be begins below what 64 bits hold, and wraps around.
    pub start_ns: i64,
    /// Exclusive, but for the last window that there can be, which ends with `i64::MAX`.
    pub end_ns: i64,
    /// 0: it is there.
    pub deleted_ns: i64,
    /// Folders; a single server has one for each window.
    pub shards: Vec<u64>,
    pub truncated_ns: Option<i64>,
}

impl Group {
    /// Whether a point of that time lies in it.
    pub fn holds(&self, time_ns: i64) -> bool {
        self.begin_ns() <= time_ns && time_ns < self.end_ns
    }

    /// The first time in it, as far as times go.
    pub fn begin_ns(&self) -> i64 {
        if self.start_ns > self.end_ns { i64::MIN } else { self.start_ns }
    }

    /// Start and end of the window of a time, as the file has them: windows are counted from the year 1.
    pub fn bounds(time_ns: i64, window_ns: i64) -> (i64, i64) {
        const YEAR_1_NS: i128 = 62_135_596_800 * 1_000_000_000;
        let window = i128::from(window_ns.max(1));
        let start = (i128::from(time_ns) + YEAR_1_NS).div_euclid(window) * window - YEAR_1_NS;
        let end = (start + window).min(i128::from(i64::MAX));
        #[expect(clippy::cast_possible_truncation, reason = "InfluxDB wraps around here")]
        let start = start as i64;
        (start, i64::try_from(end).unwrap_or(i64::MAX))
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserMeta {
    pub name: String,
    /// The text of bcrypt.
    pub hash: String,
    pub is_admin: bool,
    /// Databases with 0 none, 1 read, 2 write, 3 all.
    pub privileges: Vec<(String, i32)>,
}

/// Bytes that are not what the format says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str(self.0)
    }
}

impl Meta {
    /// The bytes of a whole file.
    pub fn decode(bytes: &[u8]) -> Result<Meta, Malformed> {
        codec::decode(bytes)
    }

    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    pub fn database(&self, name: &str) -> Option<&DatabaseMeta> {
        self.databases.iter().find(|database| database.name == name)
    }
}
