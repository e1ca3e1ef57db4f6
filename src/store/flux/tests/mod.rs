//! Laws of the evaluation.

mod clients;
mod errors;
mod safety;
mod values;
mod vectors;

use super::{Question, Refused, answer};
use crate::proto::annotated::{Annotation, Dialect};
use crate::store::guard::Guard;
use crate::store::twin::Twin;
use crate::store::view::{Catalog, Change};

pub const NOW_NS: i64 = 1_767_226_200_000_000_000;

/// A store with one bucket.
pub fn store(bucket: &str, lines: &str) -> Twin {
    let twin = Twin::default();
    twin.change(Change::CreateDatabase { database: bucket.to_owned(), policy: None }).unwrap();
    twin.write(bucket, None, lines);
    twin
}

pub fn full_dialect() -> Dialect {
    let annotations = vec![Annotation::Datatype, Annotation::Group, Annotation::Default];
    Dialect { annotations, ..Dialect::default() }
}

pub fn asked_in(catalog: &dyn Catalog, text: &str, dialect: Dialect) -> Result<String, Refused> {
    let guard = Guard::new(None, 1 << 30);
    let question = Question {
        text: text.to_owned(),
        dialect,
        now_ns: NOW_NS,
        organization: "klec-org".to_owned(),
    };
    let mut body = Vec::new();
    answer(catalog, &question, &guard, &mut |piece| {
        body.extend_from_slice(piece);
        Ok(())
    })?;
    Ok(String::from_utf8(body).unwrap())
}

pub fn asked(catalog: &dyn Catalog, text: &str) -> Result<String, Refused> {
    asked_in(catalog, text, full_dialect())
}
