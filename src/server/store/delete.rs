//! `POST /api/v2/delete` of a store: checked as by a gateway, then a statement of InfluxQL.

use super::super::answer::{self, Answer, Voice};
use super::super::delete::read;
use super::{Node, ask, broken};
use crate::proto::http::params::Params;
use crate::query::plan::statements::{Context, Delete, plan_delete};
use crate::store::store::Store;
use crate::store::view::Catalog;
use std::sync::Arc;

pub(super) async fn handle(
    node: &Node,
    store: &Arc<Store>,
    voice: Voice,
    params: &Params,
    body: &[u8],
) -> Answer {
    let wanted = match read(&node.settings.get(), voice, params, body) {
        Ok(wanted) => wanted,
        Err(answer) => return answer,
    };
    let delete = Delete {
        target: &wanted.target,
        start_ns: wanted.start_ns,
        stop_ns: wanted.stop_ns,
        predicate: &wanted.predicate,
        predicate_text: &wanted.predicate_text,
    };
    let settings = node.settings.get();
    let context = Context {
        database: None,
        policy: None,
        naming: &settings.naming,
        now: node.clock.unix(),
        has_v1: true,
        has_v2: false,
    };
    // The engine's deletes are those of 1.x.
    let planned = plan_delete(&delete, &context);
    let (database, now_ns) = (wanted.target.database.to_string(), node.clock.unix().0);
    let done = node.on_thread(store, move |store| {
        if store.database(&database).is_none() {
            return Ok(false);
        }
        ask::run(store, &database, planned?.text, now_ns).map(|()| true)
    });
    match done.await {
        Some(Ok(true)) => answer::empty(voice),
        Some(Ok(false)) => answer::unknown_database(voice, &wanted.name),
        Some(Err(why)) => answer::unprocessable(voice, &format!("failed to delete data: {why}")),
        None => broken(voice),
    }
}
