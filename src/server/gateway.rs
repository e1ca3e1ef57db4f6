//! What the endpoints of a gateway need to answer a request.

use std::pin::Pin;
use std::rc::Rc;

use super::front::Settings;
use super::health::Facts;
use crate::base::current::Current;
use crate::config::reload;
use crate::ingest::Ingest;
use crate::query::Query;
use crate::rt::Clock;
use crate::telemetry::Latencies;

/// One for each shard.
pub struct Gateway {
    pub settings: Rc<Current<Settings>>,
    pub ingest: Rc<Ingest>,
    pub query: Rc<Query>,
    pub clock: Clock,
    pub latencies: Rc<Latencies>,
    /// Asked for each `/health` and `/ready`.
    pub facts: Box<dyn Fn() -> Facts>,
    /// Has the configuration read again, and waits until every shard follows it.
    pub reload: Box<dyn Fn() -> Pin<Box<dyn Future<Output = reload::Outcome>>>>,
}
