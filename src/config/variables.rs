//! `${VAR}` in string values.
//!
//! | written | becomes |
//! |---|---|
//! | `${VAR}` | the variable; a problem if it is not set |
//! | `${VAR:-text}` | the variable; `text` if it is not set or empty |
//! | `${VAR:?text}` | the variable; a problem that says `text` if it is not set or empty |
//! | `$${` | `${` |
//!
//! Filling in happens after the TOML is parsed, so a variable can never add a key or a table.

use std::collections::BTreeMap;

#[derive(Debug, PartialEq, Eq)]
pub struct VariableError {
    pub what: String,
    pub mend: String,
}

/// The text with its variables filled in.
pub fn fill(text: &str, variables: &BTreeMap<String, String>) -> Result<String, VariableError> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        if rest[..start].ends_with('$') {
            filled += &rest[..start];
            filled.push('{');
            rest = &rest[start + 2..];
            continue;
        }
        filled += &rest[..start];
        let inside = &rest[start + 2..];
        let Some(end) = inside.find('}') else {
            return Err(error("${ without }", "close it, or write $${ for the two characters"));
        };
        filled += &one(&inside[..end], variables)?;
        rest = &inside[end + 1..];
    }
    filled += rest;
    Ok(filled)
}

fn one(inside: &str, variables: &BTreeMap<String, String>) -> Result<String, VariableError> {
    let name_end = inside.find(':').unwrap_or(inside.len());
    let (name, rule) = inside.split_at(name_end);
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if name.is_empty() || !name.bytes().all(fits) || name.as_bytes()[0].is_ascii_digit() {
        let what = format!("${{{inside}}} does not name a variable");
        return Err(error(what, "letters, digits and _ name a variable; $${ is a plain ${"));
    }
    let value = variables.get(name);
    let set_and_full = value.filter(|value| !value.is_empty());
    if let Some(default) = rule.strip_prefix(":-") {
        Ok(set_and_full.map_or(default, |value| value).to_owned())
    } else if let Some(message) = rule.strip_prefix(":?") {
        set_and_full.cloned().ok_or_else(|| {
            error(format!("variable {name} is not set: {message}"), format!("set {name}"))
        })
    } else if rule.is_empty() {
        value.cloned().ok_or_else(|| {
            let mend = format!("set {name}, or give a default as in ${{{name}:-text}}");
            error(format!("variable {name} is not set"), mend)
        })
    } else {
        let what = format!("${{{inside}}} is not understood");
        Err(error(what, "write ${VAR}, ${VAR:-default} or ${VAR:?message}"))
    }
}

fn error(what: impl Into<String>, mend: impl Into<String>) -> VariableError {
    VariableError { what: what.into(), mend: mend.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_becomes_what_the_table_says() {
        let set = [("A", "one"), ("EMPTY", "")];
        let variables = set.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let of = |text: &str| fill(text, &variables).map_err(|error| error.what);
        assert_eq!(of("no variable: $5, {x}, }").unwrap(), "no variable: $5, {x}, }");
        assert_eq!(of("<${A}|${A}>").unwrap(), "<one|one>");
        assert_eq!(of("<${EMPTY}>").unwrap(), "<>");
        assert_eq!(of("${EMPTY:-d e:f}${B:-}").unwrap(), "d e:f");
        assert_eq!(of("${A:-d}${A:?m}").unwrap(), "oneone");
        assert_eq!(of("$${A} ${A}").unwrap(), "${A} one");
        assert_eq!(of("${B}").unwrap_err(), "variable B is not set");
        assert_eq!(of("${EMPTY:?need it}").unwrap_err(), "variable EMPTY is not set: need it");
        assert_eq!(of("x${A").unwrap_err(), "${ without }");
        assert_eq!(of("${1A}").unwrap_err(), "${1A} does not name a variable");
        assert_eq!(of("${}").unwrap_err(), "${} does not name a variable");
        assert_eq!(of("${A:+x}").unwrap_err(), "${A:+x} is not understood");
    }
}
