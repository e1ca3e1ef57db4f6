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
        catalog: &dyn Catalog,
        question: &Question,
        _: &Guard,
        out: &mut dyn FnMut(&str) -> Result<(), Stopped>,
    ) -> Result<(), Refused> {
        let text = question.text.trim();
        if let Some(name) = text
            .to_uppercase()
            .starts_with("CREATE DATABASE")
            .then(|| text[15..].trim().trim_matches('"').to_owned())
        {
            catalog
                .change(crate::store::view::Change::CreateDatabase { database: name, policy: None })
                .map_err(|e| Refused(e.0))?;
            out("{\"results\":[{\"statement_id\":0}]}\n").unwrap_or(());
        } else if text.eq_ignore_ascii_case("SHOW DATABASES") {
            let names: Vec<String> =
                catalog.databases().iter().map(|n| format!("[{n:?}]")).collect();
            out(&format!("{{\"results\":[{{\"statement_id\":0,\"series\":[{{\"name\":\"databases\",\"columns\":[\"name\"],\"values\":[{}]}}]}}]}}\n", names.join(","))).unwrap_or(());
        } else {
            out("{\"results\":[{\"statement_id\":0}]}\n").unwrap_or(());
        }
        Ok(())
    }
}
