//! Who may use the gateway: tokens with all rights, and tokens with scopes.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use super::secrets::{child, read, sound};
use crate::base::time::UnixNanos;
use crate::config::checked::{Auth, Secret};
use crate::config::problem::Problems;
use crate::config::raw::{RawAuth, RawFile, RawToken};
use crate::config::section::{Found, quoted};
use crate::config::token::{self, Extent, Rate, Rights, Token, TokenHash};
use crate::proto::moment;

/// Without `[auth]` the gateway is open, which loopback alone may be.
pub fn auth(
    raw: Option<&RawAuth>,
    file: &RawFile,
    listen: Option<SocketAddr>,
    admin: Option<SocketAddr>,
    problems: &mut Problems,
) -> Option<Auth> {
    let Some(raw) = raw else {
        let bound = [(listen, &file.listen), (admin, &file.admin)].into_iter();
        let bound = bound.filter_map(|(address, found)| Some((address?, found)));
        for (listen, found) in bound.filter(|(listen, _)| !listen.ip().is_loopback()) {
            let place = found.as_ref().map_or(&file.place, |found| &found.place);
            let what = format!("{} is open to others, and there is no [auth]", listen.ip());
            problems.add(place, what, "add [auth] with tokens, or listen on 127.0.0.1");
        }
        return Some(Auth::Open);
    };
    let (plain, is_readable) = plain(raw, problems);
    let mut tokens: Vec<Arc<Token>> =
        plain.into_iter().map(|secret| Arc::new(Token::plain(secret))).collect();
    let mut names = BTreeSet::new();
    for written in &raw.scoped {
        if let Some(name) = &written.name
            && !names.insert(name.value.as_str())
        {
            problems.add(&name.place, "a token before has this name", "give each its own");
        }
        tokens.extend(scoped(written, problems).map(Arc::new));
    }
    let written = raw.tokens.as_ref().is_none_or(|tokens| tokens.value.is_empty());
    if tokens.is_empty() && raw.scoped.is_empty() && written && is_readable {
        let mend = "tokens = [\"...\"], tokens_file = \"PATH\" or [[auth.token]]; remove [auth] to be open";
        problems.add(&raw.place, "no token in it, so nobody could write", mend);
    }
    Some(Auth::Tokens(tokens))
}

/// Those with all rights, and whether their file could be read.
fn plain(raw: &RawAuth, problems: &mut Problems) -> (Vec<Secret>, bool) {
    let mut tokens = Vec::new();
    for token in raw.tokens.iter().flat_map(|written| &written.value) {
        tokens.extend(sound(&token.place, &token.value, problems));
    }
    let Some(path) = &raw.tokens_file else { return (tokens, true) };
    let Some(text) = read(path, problems) else { return (tokens, false) };
    let lines = text.lines().map(str::trim);
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        tokens.extend(sound(&path.place, line, problems));
    }
    (tokens, true)
}

fn scoped(raw: &RawToken, problems: &mut Problems) -> Option<Token> {
    let name = raw.name.as_ref().and_then(|found| name(found, problems));
    let hash = raw.hash.as_ref().and_then(|found| hash(found, problems));
    let rights = rights(raw, problems);
    let expires = match &raw.expires {
        None => Some(None),
        Some(found) => expires(found, problems).map(Some),
    };
    Some(Token {
        name: name?,
        hash: hash?,
        secret: None,
        rights: rights?,
        expires: expires?,
        rate: raw.write_rate.map(|bytes| Arc::new(Rate::new(bytes))),
    })
}

/// It stands in answers and logs.
fn name(found: &Found<String>, problems: &mut Problems) -> Option<String> {
    let fits = token::is_name(&found.value);
    if !fits {
        let what = format!("{} is no name of a token", quoted(&found.value));
        problems.add(&found.place, what, "letters, digits, \".\", \"_\" and \"-\", at most 64");
    }
    fits.then(|| found.value.clone())
}

/// The text is not told: it may be the token itself.
fn hash(found: &Found<String>, problems: &mut Problems) -> Option<TokenHash> {
    let hash = TokenHash::parse(&found.value);
    if hash.is_none() {
        let what = "not \"sha256:\" and 64 hexadecimal digits";
        problems.add(
            &found.place,
            what,
            "`circlet token create` makes a token and prints this line",
        );
    }
    hash
}

fn rights(raw: &RawToken, problems: &mut Problems) -> Option<Rights> {
    const MEND: &str = "scopes = [\"write\"], or more of read, write, admin";
    let only = only(raw, problems);
    let Some(scopes) = &raw.scopes else {
        problems.add(&child(&raw.place, "scopes"), "missing", MEND);
        return None;
    };
    if scopes.value.is_empty() {
        problems.add(&scopes.place, "empty, so it may do nothing", MEND);
        return None;
    }
    let mut rights = Rights { read: false, write: false, admin: false, only: None };
    for scope in &scopes.value {
        match scope.value.as_str() {
            "read" => rights.read = true,
            "write" => rights.write = true,
            "admin" => rights.admin = true,
            other => {
                let what = format!("{} is no scope", quoted(other));
                problems.add(&scope.place, what, "one of: read, write, admin");
            }
        }
    }
    rights.only = only?;
    Some(rights)
}

/// The outer nothing is a problem, the inner one means everything.
fn only(raw: &RawToken, problems: &mut Problems) -> Option<Option<Vec<Extent>>> {
    let lists: Vec<_> = [&raw.databases, &raw.buckets].into_iter().flatten().collect();
    let mut extents = Vec::new();
    for list in &lists {
        if list.value.is_empty() {
            let mend = "name at least one, or leave the key out: then it is all of them";
            problems.add(&list.place, "an empty list", mend);
            return None;
        }
        for found in &list.value {
            if found.value.split('/').next().is_none_or(str::is_empty) {
                problems.add(&found.place, "empty", "\"NAME\" or \"NAME/POLICY\"");
            }
            extents.push(Extent::parse(&found.value));
        }
    }
    Some((!lists.is_empty()).then_some(extents))
}

fn expires(found: &Found<String>, problems: &mut Problems) -> Option<UnixNanos> {
    let moment = moment::rfc3339(&found.value).and_then(|moment| i64::try_from(moment).ok());
    if moment.is_none() {
        let what = format!("{} is no moment", quoted(&found.value));
        problems.add(&found.place, what, "as in \"2027-01-31T00:00:00Z\"");
    }
    moment.map(UnixNanos)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Environment, Refusal};

    fn with_circle(table: &str) -> Result<Config, Refusal> {
        let text = format!(
            "listen = \"127.0.0.1:1\"\ndata_dir = \"d\"\n{table}\n\
             [[circle]]\nname = \"c\"\nbackend = [{{ name = \"b\", url = \"embedded\" }}]\n"
        );
        Config::parse("f", &text, &Environment::default())
    }

    #[test]
    fn a_token_with_scopes_says_what_it_may() {
        let hash = TokenHash::of("t");
        let table = format!(
            "[[auth.token]]\nname = \"n\"\nhash = \"{hash}\"\nscopes = [\"read\", \"admin\"]\n\
             databases = [\"d\"]\nbuckets = [\"e/autogen\"]\nexpires = \"1970-01-01T00:00:01Z\"\n\
             write_rate = \"1KB\""
        );
        let config = with_circle(&table).unwrap();
        let Auth::Tokens(tokens) = &config.auth else { panic!("it has tokens") };
        let only = Some(vec![Extent::parse("d"), Extent::parse("e/autogen")]);
        let expected = Token {
            name: "n".to_owned(),
            hash,
            secret: None,
            rights: Rights { read: true, write: false, admin: true, only },
            expires: Some(UnixNanos(1_000_000_000)),
            rate: Some(Arc::new(Rate::new(1000))),
        };
        assert_eq!(*tokens[0], expected);
        assert!(!format!("{config:?}").contains(&hash.to_string()));
    }

    #[test]
    fn every_problem_of_a_token_with_scopes_is_told() {
        let table = "[auth]\n[[auth.token]]\nname = \"a b\"\nhash = \"my-own-secret\"\nscopes = []\n\
                     [[auth.token]]\nname = \"n\"\nhash = \"\"\nscopes = [\"reed\"]\ndatabases = []\n\
                     [[auth.token]]\nname = \"n\"\nexpires = \"soon\"\nbucket = [\"d\"]";
        let told = with_circle(table).unwrap_err().to_string();
        for part in [
            "token[0].name: \"a b\" is no name of a token",
            "token[0].hash: not \"sha256:\"",
            "token[0].scopes: empty",
            "token[1].hash: empty",
            "token[1].databases: an empty list",
            "token[2].name: a token before has this name",
            "token[2].hash: missing",
            "token[2].scopes: missing",
            "token[2].expires: \"soon\" is no moment",
            "token[2].bucket: unknown key",
        ] {
            assert!(told.contains(part), "{part} is not in\n{told}");
        }
        assert!(!told.contains("my-own-secret"));
    }
}
