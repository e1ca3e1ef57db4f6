//! The body of a Flux request, as `/api/v2/query` takes it.

use std::fmt;

use serde_json::{Map, Value as Json};

/// What a Flux request asks, beside its URL.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FluxRequest {
    /// The script.
    pub query: String,
    /// What `now()` shall be; absent or empty: the moment of the request.
    pub now: Option<String>,
    pub dialect: Dialect,
    /// Texts of the record `v` that the client sends beside the script.
    pub variables: Vec<(String, String)>,
    /// The client sends more than the record `v` beside the script; what, is not understood.
    pub opaque_extern: bool,
    /// The body was the script itself, not JSON.
    pub is_raw: bool,
}

/// How the answer's CSV is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialect {
    pub header: bool,
    pub delimiter: char,
    /// `datatype`, `group`, `default`, in the order wanted.
    pub annotations: Vec<String>,
}

impl Default for Dialect {
    fn default() -> Dialect {
        Dialect { header: true, delimiter: ',', annotations: vec![] }
    }
}

/// Why a body is no Flux request; its text is InfluxDB's message, with status 400.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyError(String);

impl fmt::Display for BodyError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "failed to decode request body: {}", self.0)
    }
}

impl std::error::Error for BodyError {}

/// Reads a body: `application/vnd.flux` is the script itself, everything else is JSON.
pub fn decode(content_type: Option<&str>, body: &[u8]) -> Result<FluxRequest, BodyError> {
    let kind = content_type.unwrap_or("").split(';').next().unwrap_or("").trim();
    if kind.eq_ignore_ascii_case("application/vnd.flux") {
        // A name that is not UTF-8 would not be the name that is hashed.
        return match std::str::from_utf8(body) {
            Ok("") => Err(BodyError("request body requires either query or AST".to_owned())),
            Ok(query) => {
                let query = query.to_owned();
                Ok(FluxRequest { query, is_raw: true, ..FluxRequest::default() })
            }
            Err(_) => Err(BodyError("the script is not UTF-8".to_owned())),
        };
    }
    // The first value counts; what follows it is not looked at.
    let mut values = serde_json::Deserializer::from_slice(body).into_iter::<Json>();
    let value = match values.next() {
        Some(Ok(value)) => value,
        Some(Err(error)) => return Err(not_json(body, Some(&error))),
        None => return Err(not_json(body, None)),
    };
    match value {
        Json::Object(object) => request(&object),
        other => {
            let kind = match other {
                Json::Array(_) => "array",
                Json::String(_) => "string",
                Json::Bool(_) => "bool",
                _ => "number",
            };
            let why = format!("json: cannot unmarshal {kind} into a Flux request");
            Err(BodyError(NOT_JSON.to_owned() + &why))
        }
    }
}

const NOT_JSON: &str = "failed parsing request body as JSON; if sending a raw Flux script, \
     set 'Content-Type: application/vnd.flux' in your request headers: ";

fn request(object: &Map<String, Json>) -> Result<FluxRequest, BodyError> {
    let text = |key: &str| object.get(key).and_then(Json::as_str).unwrap_or("");
    let query = text("query").to_owned();
    if query.is_empty() {
        let tree = object.get("ast").is_some_and(|tree| !tree.is_null());
        let why = match tree {
            true => "a query given as a syntax tree is not supported",
            false => "request body requires either query or AST",
        };
        return Err(BodyError(why.to_owned()));
    }
    if !matches!(text("type"), "" | "flux") {
        return Err(BodyError(format!("unknown query type: {}", text("type"))));
    }
    let dialect = match object.get("dialect").and_then(Json::as_object) {
        Some(dialect) => read_dialect(dialect)?,
        None => Dialect::default(),
    };
    let (variables, opaque_extern) = read_extern(object.get("extern"));
    let now = Some(text("now").to_owned()).filter(|now| !now.is_empty());
    Ok(FluxRequest { query, now, dialect, variables, opaque_extern, is_raw: false })
}

fn read_dialect(dialect: &Map<String, Json>) -> Result<Dialect, BodyError> {
    let text = |key: &str| dialect.get(key).and_then(Json::as_str).unwrap_or("");
    if text("commentPrefix").chars().count() > 1 {
        return Err(BodyError("invalid dialect comment prefix: must be length 0 or 1".to_owned()));
    }
    let mut delimiters = text("delimiter").chars();
    let delimiter = delimiters.next().unwrap_or(',');
    if delimiters.next().is_some() {
        return Err(BodyError("invalid dialect delimeter: must be length 1".to_owned()));
    }
    let none = vec![];
    let wanted = dialect.get("annotations").and_then(Json::as_array).unwrap_or(&none);
    let mut annotations = Vec::new();
    for annotation in wanted.iter().filter_map(Json::as_str) {
        if !matches!(annotation, "datatype" | "group" | "default") {
            return Err(BodyError(format!("unknown dialect annotation type: {annotation}")));
        }
        annotations.push(annotation.to_owned());
    }
    let times = text("dateTimeFormat");
    if !matches!(times, "" | "RFC3339" | "RFC3339Nano") {
        return Err(BodyError(format!("unknown dialect date time format: {times}")));
    }
    let header = dialect.get("header").and_then(Json::as_bool).unwrap_or(true);
    Ok(Dialect { header, delimiter, annotations })
}

/// The texts of `option v = {...}` in the syntax tree that the InfluxDB UI sends along, and whether
/// there is anything else in it.
fn read_extern(tree: Option<&Json>) -> (Vec<(String, String)>, bool) {
    let Some(tree) = tree.filter(|tree| !tree.is_null()) else { return (vec![], false) };
    let none = vec![];
    let body = tree["body"].as_array().unwrap_or(&none);
    let imports = tree["imports"].as_array().unwrap_or(&none);
    let (mut variables, mut opaque) = (vec![], !imports.is_empty());
    for statement in body {
        let assignment = &statement["assignment"];
        if statement["type"] != "OptionStatement" || assignment["id"]["name"] != "v" {
            opaque = true;
            continue;
        }
        for property in assignment["init"]["properties"].as_array().unwrap_or(&none) {
            let name = property["key"]["name"].as_str().or(property["key"]["value"].as_str());
            let value = &property["value"];
            if let (Some(name), "StringLiteral", Some(text)) =
                (name, value["type"].as_str().unwrap_or(""), value["value"].as_str())
            {
                variables.push((name.to_owned(), text.to_owned()));
            }
        }
    }
    (variables, opaque)
}

/// The JSON fault in the words of InfluxDB's reader, where they are simple.
fn not_json(body: &[u8], error: Option<&serde_json::Error>) -> BodyError {
    let start = body.iter().position(|byte| !byte.is_ascii_whitespace());
    let why = match (start, error) {
        (None, _) => "EOF".to_owned(),
        (Some(start), Some(error)) => {
            first_fault(&body[start..]).unwrap_or_else(|| match error.is_eof() {
                true => "unexpected EOF".to_owned(),
                false => error.to_string(),
            })
        }
        (Some(_), None) => "unexpected EOF".to_owned(),
    };
    BodyError(NOT_JSON.to_owned() + &why)
}

/// What is wrong with the first word, if it is that.
fn first_fault(text: &[u8]) -> Option<String> {
    let shown = |byte: u8| match byte {
        b'\'' => "'\\''".to_owned(),
        b' '..=b'~' => format!("'{}'", char::from(byte)),
        byte => format!("'\\x{byte:02x}'"),
    };
    let first = *text.first()?;
    let literal = match first {
        b't' => "true",
        b'f' => "false",
        b'n' => "null",
        b'{' | b'[' | b'"' | b'-' | b'0'..=b'9' => return None,
        other => {
            let other = shown(other);
            return Some(format!("invalid character {other} looking for beginning of value"));
        }
    };
    let wrong = text.iter().zip(literal.bytes()).find(|(is, wanted)| **is != *wanted)?;
    let (is, wanted) = (shown(*wrong.0), char::from(wrong.1));
    Some(format!("invalid character {is} in literal {literal} (expecting '{wanted}')"))
}

#[cfg(test)]
mod tests;
