//! `GET /-/route`: where a measurement lives. `db` and `rp`, or `org` and `bucket`, as in a write.

use super::answer::{self, Answer, Voice};
use crate::proto::http::params::Params;
use crate::ring::{Naming, Topology};
use serde_json::json;

pub fn handle(voice: Voice, naming: &Naming, topology: &Topology, params: &Params) -> Answer {
    let given = |key: &str| params.get(key).filter(|value| !value.is_empty());
    let Some(measurement) = given("measurement") else {
        return answer::invalid(voice, "measurement is missing: name one");
    };
    let target = match (given("bucket"), given("db")) {
        (Some(bucket), _) => naming.v2(given("org"), bucket),
        (None, Some(database)) => naming.v1(database, given("rp")),
        (None, None) => return answer::invalid(voice, "db or bucket is missing: name one"),
    };
    let key = topology.route_key(&target, measurement.as_bytes());
    let circles = topology.circles().iter().map(|circle| &*circle.name);
    let backends = topology.backends();
    let owners = topology.owners(&key);
    let owners = owners.iter().map(|place| &*backends[usize::from(*place)].name);
    let owners: Vec<_> = circles
        .zip(owners)
        .map(|(circle, backend)| json!({ "circle": circle, "backend": backend }))
        .collect();
    let key = String::from_utf8_lossy(&key);
    let body = json!({ "measurement": measurement, "key": key, "owners": owners });
    answer::found("application/json; charset=utf-8", format!("{body}\n"))
}
