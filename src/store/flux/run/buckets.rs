//! `buckets()`: the databases and their policies, as InfluxDB 2 would list them.

use std::sync::Arc;

use super::super::failure::Failure;
use super::super::key::Key;
use super::super::table::{Cellar, Column, Table};
use super::super::value::{Kind, Value};
use super::{Runner, Sink};
use crate::base::ids::stable_id;
use crate::store::view::{Catalog, Database};

/// A bucket: its name, its database and policy, and how long it keeps its points.
struct Bucket {
    name: String,
    database: Arc<dyn Database>,
    policy: String,
    period_ns: i64,
}

/// `database` for its default policy, `database/policy` for the others; sorted by name.
fn all(catalog: &dyn Catalog) -> Vec<Bucket> {
    let mut buckets = Vec::new();
    for database in catalog.databases().iter().filter_map(|name| catalog.database(name)) {
        let default = database.default_policy();
        for policy in database.policies() {
            let name = match policy.name == default {
                true => database.name().to_owned(),
                false => format!("{}/{}", database.name(), policy.name),
            };
            let (database, period_ns) = (database.clone(), policy.duration_ns);
            buckets.push(Bucket { name, database, policy: policy.name, period_ns });
        }
    }
    buckets.sort_by(|a, b| a.name.cmp(&b.name));
    buckets
}

/// What `buckets()` gives an id for.
pub fn with_id(catalog: &dyn Catalog, id: &str) -> Option<(Arc<dyn Database>, String)> {
    let is_id = id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_id {
        return None;
    }
    let found = all(catalog).into_iter().find(|bucket| stable_id("bucket", &bucket.name) == id)?;
    Some((found.database, found.policy))
}

impl Runner<'_, '_> {
    pub fn buckets(&self, sink: &mut Sink<'_>) -> Result<(), Failure> {
        let texts = ["name", "id", "retentionPolicy"];
        let [mut names, mut ids, mut policies] =
            texts.map(|label| Cellar::new(&label.into(), Kind::String));
        let mut periods = Cellar::new(&"retentionPeriod".into(), Kind::Integer);
        let organization = Value::text(&stable_id("org", self.interpreter.organization));
        let rows = all(self.interpreter.catalog);
        let count = rows.len();
        for bucket in rows {
            ids.push(Value::text(&stable_id("bucket", &bucket.name)));
            names.push(Value::text(&bucket.name));
            policies.push(Value::text(""));
            periods.push(Value::Integer(bucket.period_ns));
        }
        let label = "organizationID".into();
        let owner = Column::same(&label, Kind::String, organization.clone());
        let columns =
            vec![names.finish(), ids.finish(), owner, policies.finish(), periods.finish()];
        sink(Table::new(Key::new(vec![(label, organization)]), columns, count))
    }
}
