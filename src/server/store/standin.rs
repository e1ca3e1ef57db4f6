//! Stands in for the languages until they are here.
pub(super) mod influxql {
    use crate::proto::results::Form;
    use crate::store::guard::{Guard, Stopped};
    use crate::store::view::Catalog;
    pub struct Question {
        pub text: String,
        pub database: String,
        pub policy: String,
        pub params: Option<String>,
        pub form: Form,
        pub epoch: Option<String>,
        pub chunk_size: Option<usize>,
        pub now_ns: i64,
        pub writes_allowed: bool,
    }
    pub struct Refused(pub String);
    pub fn answer(
        _: &dyn Catalog,
        question: &Question,
        _: &Guard,
        out: &mut dyn FnMut(&str) -> Result<(), Stopped>,
    ) -> Result<(), Refused> {
        if question.text.is_empty() {
            return Err(Refused("empty".to_owned()));
        }
        out("{\"results\":[{\"statement_id\":0}]}\n").unwrap_or(());
        Ok(())
    }
}
pub(super) mod flux {
    use crate::query::flux_body::Dialect;
    use crate::store::guard::{Guard, Stopped};
    use crate::store::view::Catalog;
    pub struct Question {
        pub text: String,
        pub dialect: Dialect,
        pub now_ns: i64,
        pub organization: String,
    }
    pub enum Kind {
        Invalid,
        NotFound,
        Unprocessable,
        Internal,
    }
    pub struct Refused {
        pub kind: Kind,
        pub message: String,
    }
    pub fn answer(
        _: &dyn Catalog,
        _: &Question,
        _: &Guard,
        _: &mut dyn FnMut(&[u8]) -> Result<(), Stopped>,
    ) -> Result<(), Refused> {
        Err(Refused { kind: Kind::Invalid, message: "not yet".to_owned() })
    }
}
