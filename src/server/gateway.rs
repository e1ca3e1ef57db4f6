//! What the endpoints of a gateway need to answer a request.

use std::rc::Rc;

use super::front::Settings;
use super::health::Facts;
use crate::ingest::Ingest;
use crate::query::Query;
use crate::rt::Clock;
use crate::telemetry::Latencies;

/// One for each shard.
pub struct Gateway {
    pub settings: Rc<Settings>,
    pub ingest: Rc<Ingest>,
    pub query: Rc<Query>,
    pub clock: Clock,
    pub latencies: Rc<Latencies>,
    /// Asked for each `/health` and `/ready`.
    pub facts: Box<dyn Fn() -> Facts>,
}
