//! Sends one batch of lines to a backend and says what its answer means.

use super::answer::{Verdict, judge};
use super::client::{Client, Error, Request};
use std::rc::Rc;
use std::time::Duration;

/// A write may take this long; the backend may still have applied it after that.
pub const WRITE_LIMIT: Duration = Duration::from_secs(10);

const FIELDS: &str = "Content-Type: text/plain; charset=utf-8\r\n";

/// Sends lines to one database. `path` is [`super::Place::write_path`].
pub async fn send(client: &Rc<Client>, path: &str, body: &[&[u8]]) -> Result<Verdict, Error> {
    let request = Request { method: "POST", path, fields: FIELDS, body, limit: WRITE_LIMIT };
    let reply = client.ask(request).await?;
    Ok(judge(reply.head.status, &reply.body, reply.head.field("retry-after")))
}
