//! The packages `strings` and `regexp`.

use std::rc::Rc;

use regex::Regex;

use super::super::call::Call;
use super::super::failure::Failure;
use super::super::value::Value;
use super::{Builtin, packaged};

const fn string(
    name: &'static str,
    signature: &'static str,
    run: fn(&Call<'_, '_>) -> Result<Value, Failure>,
) -> Builtin {
    packaged("strings", name, signature, run)
}

const fn regexp(
    name: &'static str,
    signature: &'static str,
    run: fn(&Call<'_, '_>) -> Result<Value, Failure>,
) -> Builtin {
    packaged("regexp", name, signature, run)
}

const V: &str = "v:string";

pub const FUNCTIONS: &[Builtin] = &[
    string("toUpper", V, |call| text(call.text("v").to_uppercase())),
    string("toLower", V, |call| text(call.text("v").to_lowercase())),
    string("title", V, |call| text(title(&call.text("v")))),
    string("toTitle", V, |call| text(call.text("v").to_uppercase())),
    string("trimSpace", V, |call| text(call.text("v").trim())),
    string("trim", "v:string cutset:string", |call| {
        let cutset = call.text("cutset");
        text(call.text("v").trim_matches(|c| cutset.contains(c)))
    }),
    string("trimLeft", "v:string cutset:string", |call| {
        let cutset = call.text("cutset");
        text(call.text("v").trim_start_matches(|c| cutset.contains(c)))
    }),
    string("trimRight", "v:string cutset:string", |call| {
        let cutset = call.text("cutset");
        text(call.text("v").trim_end_matches(|c| cutset.contains(c)))
    }),
    string("trimPrefix", "v:string prefix:string", |call| {
        let whole = call.text("v");
        text(whole.strip_prefix(&*call.text("prefix")).unwrap_or(&whole))
    }),
    string("trimSuffix", "v:string suffix:string", |call| {
        let whole = call.text("v");
        text(whole.strip_suffix(&*call.text("suffix")).unwrap_or(&whole))
    }),
    string("hasPrefix", "v:string prefix:string", |call| {
        truth(call.text("v").starts_with(&*call.text("prefix")))
    }),
    string("hasSuffix", "v:string suffix:string", |call| {
        truth(call.text("v").ends_with(&*call.text("suffix")))
    }),
    string("containsStr", "v:string substr:string", |call| {
        truth(call.text("v").contains(&*call.text("substr")))
    }),
    string("containsAny", "v:string chars:string", |call| {
        let chars = call.text("chars");
        truth(call.text("v").contains(|c| chars.contains(c)))
    }),
    string("equalFold", "v:string t:string", |call| {
        truth(call.text("v").to_lowercase() == call.text("t").to_lowercase())
    }),
    string("compare", "v:string t:string", |call| {
        Ok(Value::Integer(call.text("v").cmp(&call.text("t")) as i64))
    }),
    string("countStr", "v:string substr:string", |call| {
        let (whole, part) = (call.text("v"), call.text("substr"));
        let count =
            if part.is_empty() { whole.chars().count() + 1 } else { whole.matches(&*part).count() };
        Ok(Value::Integer(count as i64))
    }),
    string("index", "v:string substr:string", |call| {
        place(call.text("v").find(&*call.text("substr")))
    }),
    string("lastIndex", "v:string substr:string", |call| {
        place(call.text("v").rfind(&*call.text("substr")))
    }),
    string("indexAny", "v:string chars:string", |call| {
        let chars = call.text("chars");
        place(call.text("v").find(|c| chars.contains(c)))
    }),
    string("isDigit", V, |call| truth(first(call).is_some_and(char::is_numeric))),
    string("isLetter", V, |call| truth(first(call).is_some_and(char::is_alphabetic))),
    string("isLower", V, |call| truth(first(call).is_some_and(char::is_lowercase))),
    string("isUpper", V, |call| truth(first(call).is_some_and(char::is_uppercase))),
    string("repeat", "v:string i:int", repeat),
    string("replace", "v:string t:string u:string i:int", |call| {
        let (whole, old, new) = (call.text("v"), call.text("t"), call.text("u"));
        match usize::try_from(call.integer_or("i", -1)) {
            Ok(count) => text(whole.replacen(&*old, &new, count)),
            Err(_) => text(whole.replace(&*old, &new)),
        }
    }),
    string("replaceAll", "v:string t:string u:string", |call| {
        text(call.text("v").replace(&*call.text("t"), &call.text("u")))
    }),
    string("split", "v:string t:string", |call| {
        texts(split(&call.text("v"), &call.text("t"), usize::MAX))
    }),
    string("splitN", "v:string t:string i:int", |call| {
        let count = usize::try_from(call.integer_or("i", -1)).unwrap_or(usize::MAX);
        texts(split(&call.text("v"), &call.text("t"), count))
    }),
    string("joinStr", "arr:strings v:string", |call| {
        let parts = call.texts_or("arr", &[]);
        text(parts.join(&*call.text("v")))
    }),
    string("strlen", V, |call| Ok(Value::Integer(call.text("v").chars().count() as i64))),
    string("substring", "v:string start:int end:int", |call| {
        let bound = |name| usize::try_from(call.integer_or(name, 0)).unwrap_or(0);
        let (start, end) = (bound("start"), bound("end"));
        text(call.text("v").chars().take(end).skip(start).collect::<String>())
    }),
    regexp("compile", V, |call| match Regex::new(&call.text("v")) {
        Ok(regex) => Ok(Value::Regex(Rc::new(regex))),
        Err(error) => Failure::invalid(error.to_string()),
    }),
    regexp("quoteMeta", V, |call| text(regex::escape(&call.text("v")))),
    regexp("getString", "r:regexp", |call| text(regex(call).as_str())),
    regexp("matchRegexpString", "r:regexp v:string", |call| {
        truth(regex(call).is_match(&call.text("v")))
    }),
    regexp("findString", "r:regexp v:string", |call| {
        let whole = call.text("v");
        text(regex(call).find(&whole).map_or("", |found| found.as_str()))
    }),
    regexp("findStringIndex", "r:regexp v:string", |call| {
        let found = regex(call).find(&call.text("v")).map(|found| found.range());
        let bounds = found.into_iter().flat_map(|range| [range.start, range.end]);
        Value::array(bounds.map(|at| Value::Integer(at as i64)).collect())
    }),
    regexp("replaceAllString", "r:regexp v:string t:string", |call| {
        text(regex(call).replace_all(&call.text("v"), &*call.text("t")))
    }),
    regexp("splitRegexp", "r:regexp v:string i:int", |call| {
        let whole = call.text("v");
        let count = usize::try_from(call.integer_or("i", -1)).unwrap_or(usize::MAX);
        texts(regex(call).splitn(&whole, count).map(str::to_owned).collect())
    }),
];

fn text(text: impl AsRef<str>) -> Result<Value, Failure> {
    Ok(Value::text(text.as_ref()))
}

fn truth(truth: bool) -> Result<Value, Failure> {
    Ok(Value::Boolean(truth))
}

fn place(at: Option<usize>) -> Result<Value, Failure> {
    Ok(Value::Integer(at.map_or(-1, |at| at as i64)))
}

fn texts(parts: Vec<String>) -> Result<Value, Failure> {
    Value::array(parts.iter().map(|part| Value::text(part)).collect())
}

fn first(call: &Call<'_, '_>) -> Option<char> {
    call.text("v").chars().next()
}

fn regex(call: &Call<'_, '_>) -> Rc<Regex> {
    match call.value("r") {
        Value::Regex(regex) => regex.clone(),
        _ => unreachable!("the signature asks for it"),
    }
}

/// Every word with its first letter in upper case.
fn title(text: &str) -> String {
    let mut is_first = true;
    let mut made = String::new();
    for c in text.chars() {
        match is_first {
            true => made.extend(c.to_uppercase()),
            false => made.push(c),
        }
        is_first = !c.is_alphanumeric() && c != '\'' && c != '_';
    }
    made
}

/// Into so many parts at most; an empty separator stands between all characters.
fn split(text: &str, separator: &str, count: usize) -> Vec<String> {
    if separator.is_empty() {
        return text.chars().map(String::from).collect();
    }
    text.splitn(count, separator).map(str::to_owned).collect()
}

/// A repeated text may be so long.
const REPEATED_BYTES_MAX: usize = 1 << 20;

fn repeat(call: &Call<'_, '_>) -> Result<Value, Failure> {
    let whole = call.text("v");
    match usize::try_from(call.integer_or("i", 0)) {
        Ok(count) if count.saturating_mul(whole.len()) <= REPEATED_BYTES_MAX => {
            text(whole.repeat(count))
        }
        _ => Failure::invalid(format!("a repeated string may have {REPEATED_BYTES_MAX} bytes")),
    }
}
