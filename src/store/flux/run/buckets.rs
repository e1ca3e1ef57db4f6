//! `buckets()`: the databases and their policies, as InfluxDB 2 would list them.

use super::super::failure::Failure;
use super::super::key::Key;
use super::super::table::{Cellar, Column, Table};
use super::super::value::{Kind, Value};
use super::{Runner, Sink};
use crate::base::ids::stable_id;

impl Runner<'_, '_> {
    pub fn buckets(&self, sink: &mut Sink<'_>) -> Result<(), Failure> {
        let catalog = self.interpreter.catalog;
        let mut rows: Vec<(String, i64)> = Vec::new();
        for name in catalog.databases() {
            let Some(database) = catalog.database(&name) else { continue };
            let default = database.default_policy();
            for policy in database.policies() {
                let bucket = match policy.name == default {
                    true => name.clone(),
                    false => format!("{name}/{}", policy.name),
                };
                rows.push((bucket, policy.duration_ns));
            }
        }
        rows.sort();
        let texts = ["name", "id", "retentionPolicy"];
        let [mut names, mut ids, mut policies] =
            texts.map(|label| Cellar::new(&label.into(), Kind::String));
        let mut periods = Cellar::new(&"retentionPeriod".into(), Kind::Integer);
        let organization = Value::text(&stable_id("org", self.interpreter.organization));
        let count = rows.len();
        for (bucket, period) in rows {
            ids.push(Value::text(&stable_id("bucket", &bucket)));
            names.push(Value::text(&bucket));
            policies.push(Value::text(""));
            periods.push(Value::Integer(period));
        }
        let label = "organizationID".into();
        let owner = Column::same(&label, Kind::String, organization.clone());
        let columns =
            vec![names.finish(), ids.finish(), owner, policies.finish(), periods.finish()];
        sink(Table::new(Key::new(vec![(label, organization)]), columns, count))
    }
}
