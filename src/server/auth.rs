//! Who asks, and what he may: whoever shows a configured token, in any way that InfluxDB's clients know.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::sync::Arc;
use std::time::Duration;
use subtle::Choice;

use crate::base::time::{Mono, UnixNanos};
use crate::config::Auth;
use crate::config::token::{Need, Token, TokenHash};
use crate::proto::http::params::Params;
use crate::ring::Target;

/// Why somebody may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// No credentials, or none that can be read.
    Missing,
    /// Unknown, or its time is over.
    Wrong,
}

/// What somebody may do who has come in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Grant {
    /// Nobody is asked who he is.
    #[default]
    Open,
    Token(Arc<Token>),
}

impl Grant {
    pub fn allows(&self, need: &Need) -> bool {
        match self {
            Grant::Open => true,
            Grant::Token(token) => token.rights.allow(need),
        }
    }

    pub fn may_write(&self, target: &Target) -> bool {
        match self {
            Grant::Open => true,
            Grant::Token(token) => {
                let rights = &token.rights;
                rights.write && (rights.only.is_none() || rights.allow(&Need::Write(target.into())))
            }
        }
    }

    /// Whether it may do everything to data, so that no text has to be looked at.
    pub fn is_unlimited(&self) -> bool {
        match self {
            Grant::Open => true,
            Grant::Token(token) => {
                let rights = &token.rights;
                rights.read && rights.write && rights.admin && rights.only.is_none()
            }
        }
    }

    /// Whether it may know of every database.
    pub fn sees_all(&self) -> bool {
        match self {
            Grant::Open => true,
            Grant::Token(token) => token.rights.only.is_none(),
        }
    }

    pub fn may_see(&self, bucket: &str) -> bool {
        match self {
            Grant::Open => true,
            Grant::Token(token) => token.rights.may_see(bucket),
        }
    }

    /// Whether it would be given again: a reload may have taken its token away, or changed its rights.
    pub fn holds(&self, auth: &Auth) -> bool {
        match (auth, self) {
            (Auth::Open, _) => true,
            (Auth::Tokens(_), Grant::Open) => false,
            (Auth::Tokens(tokens), Grant::Token(token)) => tokens.contains(token),
        }
    }

    /// As messages call whoever shows it.
    pub fn name(&self) -> &str {
        match self {
            Grant::Token(token) if !token.name.is_empty() => &token.name,
            _ => "token",
        }
    }

    /// How long it must wait before it writes again, because it wrote more than its share.
    pub fn wait(&self, now: Mono) -> Option<Duration> {
        match self {
            Grant::Token(token) => token.rate.as_ref()?.wait(now),
            Grant::Open => None,
        }
    }

    /// It has sent so much to be written.
    pub fn has_written(&self, bytes: usize, now: Mono) {
        if let Grant::Token(token) = self
            && let Some(rate) = &token.rate
        {
            rate.take(bytes as u64, now);
        }
    }
}

/// `Token T`, `Token any:T`, `Bearer T`, Basic with the token as password; `u` and `p` of the URL come first.
pub fn check(
    auth: &Auth,
    authorization: Option<&str>,
    params: &Params,
    now: UnixNanos,
) -> Result<Grant, Denied> {
    let Auth::Tokens(tokens) = auth else { return Ok(Grant::Open) };
    let shown = match (params.get("u"), params.get("p")) {
        (Some(_), Some(password)) => Shown::one(password),
        _ => authorization.and_then(read).ok_or(Denied::Missing)?,
    };
    let mut found = None;
    for text in shown.candidates() {
        let hash = TokenHash::of(text);
        // No early end: how long it takes must not tell which of them was nearly right.
        for token in tokens {
            if is(token, &hash) {
                found = Some(token);
            }
        }
    }
    match found {
        Some(token) if token.expires.is_none_or(|end| now < end) => Ok(Grant::Token(token.clone())),
        _ => Err(Denied::Wrong),
    }
}

fn is(token: &Token, hash: &TokenHash) -> bool {
    let same: Choice = token.hash.is(hash);
    bool::from(same)
}

/// The texts of which one must be a token.
struct Shown {
    whole: String,
    after_colon: Option<String>,
}

impl Shown {
    fn one(text: &str) -> Shown {
        Shown { whole: text.to_owned(), after_colon: None }
    }

    fn candidates(&self) -> impl Iterator<Item = &str> {
        [Some(self.whole.as_str()), self.after_colon.as_deref()].into_iter().flatten()
    }
}

fn read(authorization: &str) -> Option<Shown> {
    let (scheme, rest) = authorization.split_once(' ')?;
    let rest = rest.trim();
    if rest.is_empty() {
        return None;
    }
    match scheme.to_ascii_lowercase().as_str() {
        "token" => {
            let after_colon = rest.split_once(':').map(|(_, token)| token.to_owned());
            Some(Shown { whole: rest.to_owned(), after_colon })
        }
        "bearer" => Some(Shown::one(rest)),
        "basic" => {
            let decoded = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
            let (_, password) = decoded.split_once(':')?;
            Some(Shown::one(password))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    fn ask(authorization: Option<&str>, query: &str) -> Result<(), Denied> {
        let auth = Auth::of_secrets([Secret::new("one"), Secret::new("a:b")]);
        check(&auth, authorization, &Params::parse(query.as_bytes()), UnixNanos(0)).map(drop)
    }

    #[test]
    fn every_way_to_show_a_token_is_known() {
        for text in ["Token one", "token one", "TOKEN any:one", "Bearer one", "Token a:b"] {
            assert_eq!(ask(Some(text), ""), Ok(()), "{text}");
        }
        let basic = format!("Basic {}", STANDARD.encode("user:one"));
        assert_eq!(ask(Some(&basic), ""), Ok(()));
        let colon = format!("Basic {}", STANDARD.encode("user:a:b"));
        assert_eq!(ask(Some(&colon), ""), Ok(()));
        assert_eq!(ask(None, "u=x&p=one"), Ok(()));
    }

    #[test]
    fn nothing_else_opens() {
        for text in ["Token two", "Token on", "Token onee", "Bearer any:one", "Token b"] {
            assert_eq!(ask(Some(text), ""), Err(Denied::Wrong), "{text}");
        }
        for text in ["", "Token", "Token ", "one", "Digest one", "Basic !!", "Basic b25l"] {
            assert_eq!(ask(Some(text), ""), Err(Denied::Missing), "{text}");
        }
        assert_eq!(ask(None, ""), Err(Denied::Missing));
        assert_eq!(ask(None, "u=x&p="), Err(Denied::Missing));
        assert_eq!(ask(Some("Token one"), "u=x&p=two"), Err(Denied::Wrong));
    }

    #[test]
    fn a_token_is_known_until_its_time_is_over() {
        let token = Token { expires: Some(UnixNanos(10)), ..Token::plain(Secret::new("one")) };
        let auth = Auth::Tokens(vec![Arc::new(token)]);
        let at = |now| check(&auth, Some("Token one"), &Params::default(), UnixNanos(now));
        assert!(at(9).is_ok());
        assert_eq!(at(10), Err(Denied::Wrong));
    }

    #[test]
    fn a_grant_holds_as_long_as_its_token_is_there_as_it_was() {
        let token = |name| Arc::new(Token::plain(Secret::new(name)));
        let grant = Grant::Token(token("one"));
        assert!(grant.holds(&Auth::Open));
        assert!(grant.holds(&Auth::Tokens(vec![token("two"), token("one")])));
        assert!(!grant.holds(&Auth::Tokens(vec![token("two")])));
        let mut less = Token::plain(Secret::new("one"));
        less.rights.admin = false;
        assert!(!grant.holds(&Auth::Tokens(vec![Arc::new(less)])));
        assert!(Grant::Open.holds(&Auth::Open) && !Grant::Open.holds(&Auth::Tokens(Vec::new())));
    }

    #[test]
    fn without_tokens_all_is_open() {
        let now = UnixNanos(0);
        assert_eq!(check(&Auth::Open, Some("Token x"), &Params::default(), now), Ok(Grant::Open));
    }
}
