//! One name for one target, however a request spells it.

use std::borrow::Cow;

use crate::base::map::FastMap;

/// Where a line belongs, after all spellings became one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Target {
    pub org: Box<str>,
    pub database: Box<str>,
    /// Empty for the default policy, however it was written.
    pub retention_policy: Box<str>,
}

impl Target {
    /// The bucket's name: `d`, or `d/weekly` for a retention policy that is not the default.
    pub fn bucket(&self) -> Cow<'_, str> {
        if self.retention_policy.is_empty() {
            Cow::Borrowed(&self.database)
        } else {
            Cow::Owned(format!("{}/{}", self.database, self.retention_policy))
        }
    }
}

/// One row of the table that renames: `database` and `retention_policy` become `bucket`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    pub database: Box<str>,
    /// Empty, or `autogen`, for the default policy.
    pub retention_policy: Box<str>,
    pub bucket: Box<str>,
    /// Where a request that names no org finds this bucket; absent: the default org.
    pub org: Option<Box<str>>,
}

/// The rule by which a request's words become a [`Target`].
///
/// An org that is missing, empty or an id becomes the default org. `db` and `rp`, like a bucket `db/rp`,
/// are looked up in the table; what is not in it keeps its name, cut at the first `/`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Naming {
    default_org: Box<str>,
    table: FastMap<(Box<str>, Box<str>), Renamed>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Renamed {
    database: Box<str>,
    retention_policy: Box<str>,
    org: Option<Box<str>>,
}

impl Naming {
    /// The later of two rows with the same `database` and `retention_policy` holds.
    pub fn new(default_org: &str, mappings: &[Mapping]) -> Naming {
        let mut table = FastMap::default();
        for row in mappings {
            let (database, retention_policy) = split(&row.bucket);
            let renamed = Renamed {
                database: database.into(),
                retention_policy: retention_policy.into(),
                org: row.org.clone(),
            };
            let policy = plain_policy(&row.retention_policy);
            table.insert((row.database.clone(), policy.into()), renamed);
        }
        Naming { default_org: default_org.into(), table }
    }

    /// What `db` and `rp` of a 1.x request mean.
    pub fn v1(&self, database: &str, retention_policy: Option<&str>) -> Target {
        match retention_policy {
            Some(policy) if !policy.is_empty() => self.v2(None, &format!("{database}/{policy}")),
            _ => self.v2(None, database),
        }
    }

    /// What `org` and `bucket` of a 2.x request mean.
    pub fn v2(&self, org: Option<&str>, bucket: &str) -> Target {
        let (database, retention_policy) = split(bucket);
        let named_org = org.filter(|org| !org.is_empty() && !is_id(org));
        let key = (Box::from(database), Box::from(retention_policy));
        match self.table.get(&key) {
            Some(renamed) => Target {
                org: named_org.or(renamed.org.as_deref()).unwrap_or(&self.default_org).into(),
                database: renamed.database.clone(),
                retention_policy: renamed.retention_policy.clone(),
            },
            None => Target {
                org: named_org.unwrap_or(&self.default_org).into(),
                database: key.0,
                retention_policy: key.1,
            },
        }
    }

    /// The database that a name of 1.x means, with all its policies; nothing where it is only a policy of one,
    /// or where the table leads its policies into several.
    pub fn whole(&self, database: &str) -> Option<Target> {
        let target = self.v1(database, None);
        let is_same = |renamed: &Renamed| {
            let org = renamed.org.as_deref().unwrap_or(&self.default_org);
            *renamed.database == *target.database && *org == *target.org
        };
        let mut rows = self.table.iter().filter(|((name, _), _)| **name == *database);
        let is_whole = target.retention_policy.is_empty() && rows.all(|(_, row)| is_same(row));
        is_whole.then_some(target)
    }

    /// The rows of the table: database and policy as clients call them, and what they mean; in order.
    pub fn rows(&self) -> Vec<(&str, &str, Target)> {
        let mut rows: Vec<_> = self
            .table
            .keys()
            .map(|(database, policy)| {
                let target = self.v1(database, Some(policy));
                (&**database, &**policy, target)
            })
            .collect();
        rows.sort();
        rows
    }

    pub fn default_org(&self) -> &str {
        &self.default_org
    }
}

/// Database and retention policy of a bucket's name; the policy is empty for the default one.
fn split(bucket: &str) -> (&str, &str) {
    match bucket.split_once('/') {
        Some((database, policy)) => (database, plain_policy(policy)),
        None => (bucket, ""),
    }
}

fn plain_policy(policy: &str) -> &str {
    if policy == "autogen" { "" } else { policy }
}

/// Ids of InfluxDB 2.x are 16 hexadecimal digits; they differ from server to server.
fn is_id(org: &str) -> bool {
    org.len() == 16 && org.bytes().all(|byte| byte.is_ascii_hexdigit())
}
