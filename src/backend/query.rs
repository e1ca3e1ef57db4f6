//! Forwards a question to one backend and hands back its answer as it arrives.

use super::cancel::Cancel;
use super::client::{Arriving, Client, Error, Request};
use std::rc::Rc;
use std::time::Duration;

/// A question, ready to be sent.
#[derive(Clone, Debug)]
pub struct Question {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Path and parameters.
    pub path: String,
    /// Fields that the client sent and that the backend should see, each with its line end.
    pub fields: String,
    pub body: Vec<u8>,
    pub limit: Duration,
}

/// Asks for somebody, as long as that one waits.
pub async fn ask(
    client: &Rc<Client>,
    question: &Question,
    asker: &Cancel,
) -> Result<Arriving, Error> {
    let request = Request {
        method: question.method,
        path: &question.path,
        fields: &question.fields,
        body: &[&question.body],
        limit: question.limit,
    };
    client.begin_for(request, Some(asker)).await
}
