//! `/api/v2/buckets` of a store: a database with its default policy is the bucket `d`, another policy of it `d/p`.

use super::super::answer::{self, Answer, Voice};
use super::super::buckets::{JSON, Job, bucket_id, change, listed, page, rules, shown, wanted};
use super::write::bucket;
use super::{Node, broken};
use crate::backend::statement::Lengths;
use crate::proto::http::params::Params;
use crate::ring::Naming;
use crate::store::store::Store;
use crate::store::view::{Catalog, Change, Policy, PolicyChange};
use serde_json::Value;
use std::sync::Arc;

const SECOND_NS: i64 = 1_000_000_000;

pub(super) async fn handle(
    node: &Node,
    store: &Arc<Store>,
    voice: Voice,
    job: Job,
    params: Params,
    body: &[u8],
) -> Answer {
    let (naming, body) = (node.settings.get().naming.clone(), body.to_vec());
    let done = node.on_thread(store, move |store| {
        let buckets = Buckets { store, naming: &naming, voice };
        buckets.answer(&job, &params, &body).unwrap_or_else(|refused| refused)
    });
    done.await.unwrap_or_else(|| broken(voice))
}

struct Buckets<'a> {
    store: &'a Store,
    naming: &'a Naming,
    voice: Voice,
}

impl Buckets<'_> {
    fn answer(&self, job: &Job, params: &Params, body: &[u8]) -> Result<Answer, Answer> {
        let known = self.names();
        match job {
            Job::List => {
                let page = page(params, &known);
                let rules = page.iter().map(|name| self.kept(name)).collect();
                Ok(listed(self.naming, params, &page, rules))
            }
            Job::Make => {
                let (target, lengths) = wanted(self.naming, self.voice, body, &known)?;
                self.make(&target.bucket(), lengths)
            }
            Job::Get { id } => Ok(answer::found(JSON, self.told(self.find(&known, id)?))),
            Job::Alter { id } => self.alter(self.find(&known, id)?, body),
            Job::Remove { id } => self.remove(self.find(&known, id)?),
        }
    }

    fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for database in self.store.databases() {
            let Some(open) = self.store.database(&database) else { continue };
            let default = open.default_policy();
            names.extend(open.policies().iter().map(|policy| match policy.name == default {
                true => database.clone(),
                false => format!("{database}/{}", policy.name),
            }));
        }
        names.sort_unstable();
        names
    }

    fn find<'k>(&self, known: &'k [String], id: &str) -> Result<&'k str, Answer> {
        let found = known.iter().find(|name| bucket_id(name) == id);
        found.map(String::as_str).ok_or_else(|| answer::no_such(self.voice, "bucket not found"))
    }

    fn policy(&self, name: &str) -> Option<Policy> {
        let (database, policy) = bucket(name);
        let open = self.store.database(database)?;
        let policy = policy.map_or_else(|| open.default_policy(), str::to_owned);
        open.policies().into_iter().find(|known| known.name == policy)
    }

    fn kept(&self, name: &str) -> Value {
        let Some(policy) = self.policy(name) else { return Value::Array(Vec::new()) };
        let seconds = |ns: i64| u64::try_from(ns / SECOND_NS).ok();
        rules(Lengths { kept_s: seconds(policy.duration_ns), slice_s: seconds(policy.window_ns) })
    }

    fn told(&self, name: &str) -> String {
        let mut shown = shown(self.naming, name);
        shown["retentionRules"] = self.kept(name);
        answer::tabbed(&shown)
    }

    fn make(&self, name: &str, lengths: Lengths) -> Result<Answer, Answer> {
        let (database, policy) = bucket(name);
        let database = database.to_owned();
        let change = match policy {
            Some(name) => {
                let name = Some(name.to_owned());
                Change::CreatePolicy { database, policy: PolicyChange { name, ..of(lengths) } }
            }
            None if lengths == Lengths::default() => {
                Change::CreateDatabase { database, policy: None }
            }
            None => Change::CreateDatabase { database, policy: Some(of(lengths)) },
        };
        self.change(change)?;
        Ok(answer::made(JSON, self.told(name)))
    }

    fn alter(&self, name: &str, body: &[u8]) -> Result<Answer, Answer> {
        let lengths = change(self.voice, body, name)?;
        if let (Some(policy), true) = (self.policy(name), lengths != Lengths::default()) {
            let database = bucket(name).0.to_owned();
            let change = Change::AlterPolicy { database, name: policy.name, policy: of(lengths) };
            self.change(change)?;
        }
        Ok(answer::found(JSON, self.told(name)))
    }

    fn remove(&self, name: &str) -> Result<Answer, Answer> {
        let (database, policy) = bucket(name);
        let database = database.to_owned();
        self.change(match policy {
            Some(name) => Change::DropPolicy { database, name: name.to_owned() },
            None => Change::DropDatabase { database },
        })?;
        Ok(answer::empty(self.voice))
    }

    fn change(&self, change: Change) -> Result<(), Answer> {
        let done = self.store.change(change);
        done.map_err(|error| answer::unprocessable(self.voice, &error.to_string()))
    }
}

fn of(lengths: Lengths) -> PolicyChange {
    let ns = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(SECOND_NS);
    PolicyChange {
        duration_ns: lengths.kept_s.map(ns),
        window_ns: lengths.slice_s.map(ns),
        ..PolicyChange::default()
    }
}
