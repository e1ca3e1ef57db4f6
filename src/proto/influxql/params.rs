//! The values of `$name`, as the `params` parameter of `/query` gives them.

use serde_json::Value as Json;

use super::token::Token;

/// Name -> the token that stands for it. Empty if the request has none.
#[derive(Clone, Debug, Default)]
pub struct Params {
    values: Vec<(String, Bound)>,
}

#[derive(Clone, Debug)]
pub(super) struct Bound {
    pub token: Token,
    pub text: String,
}

impl Params {
    /// From the JSON object of the request. The error is the whole answer text of InfluxDB, but for
    /// the words of the JSON reader.
    pub fn from_json(text: &str) -> Result<Params, String> {
        let object: serde_json::Map<String, Json> = serde_json::from_str(text)
            .map_err(|error| format!("error parsing query parameters: {error}"))?;
        let values = object.into_iter().map(|(name, value)| (name, bind(&value))).collect();
        Ok(Params { values })
    }

    pub(super) fn get(&self, name: &str) -> Option<&Bound> {
        self.values.iter().find(|(known, _)| known == name).map(|(_, bound)| bound)
    }
}

fn bad(why: impl Into<String>) -> Bound {
    Bound { token: Token::BadParameter, text: why.into() }
}

fn bind(value: &Json) -> Bound {
    let (token, text) = match value {
        Json::String(text) => (Token::String, text.clone()),
        Json::Bool(true) => (Token::Keyword("TRUE"), String::new()),
        Json::Bool(false) => (Token::Keyword("FALSE"), String::new()),
        Json::Number(number) if number.is_f64() => (Token::Number, float(number)),
        Json::Number(number) => (Token::Integer, number.to_string()),
        Json::Object(object) => return typed(object),
        Json::Null => return bad("unable to bind parameter with type <nil>"),
        Json::Array(_) => return bad("unable to bind parameter with type []interface {}"),
    };
    Bound { token, text }
}

fn float(number: &serde_json::Number) -> String {
    number.as_f64().map(|value| format!("{value}")).unwrap_or_default()
}

/// An object with one key, which names the type.
fn typed(object: &serde_json::Map<String, Json>) -> Bound {
    let mut entries = object.iter();
    let (Some((kind, value)), None) = (entries.next(), entries.next()) else {
        return bad("bound object parameter value must have exactly one entry");
    };
    let bound = match (kind.as_str(), value) {
        ("ident" | "identifier", Json::String(text)) => (Token::Identifier, text.clone()),
        ("regex", Json::String(text)) => (Token::Regex, text.clone()),
        ("string", Json::String(text)) => (Token::String, text.clone()),
        ("float" | "number", Json::Number(number)) => (Token::Number, float(number)),
        ("int" | "integer", Json::Number(number)) if !number.is_f64() => {
            (Token::Integer, number.to_string())
        }
        ("duration", Json::String(text)) => (Token::Duration, text.clone()),
        ("duration", Json::Number(number)) if !number.is_f64() => {
            (Token::Duration, format!("{number}ns"))
        }
        ("ident" | "identifier", _) => return bad("identifier must be a string value"),
        ("regex", _) => return bad("regex literal must be a string value"),
        ("string", _) => return bad("string literal must be a string value"),
        ("float" | "number", _) => return bad("number literal must be a float value"),
        ("int" | "integer", _) => return bad("integer literal must be an integer value"),
        ("duration", _) => return bad("duration literal must be a string or integer value"),
        (other, _) => return bad(format!("unknown bind object type: {other}")),
    };
    Bound { token: bound.0, text: bound.1 }
}
