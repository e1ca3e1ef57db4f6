//! Who may use the gateway: whoever shows one of the configured tokens, in any way that InfluxDB's clients know.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use subtle::{Choice, ConstantTimeEq};

use crate::config::{Auth, Secret};
use crate::proto::http::params::Params;

/// Why somebody may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// No credentials, or none that can be read.
    Missing,
    Wrong,
}

/// `Token T`, `Token any:T`, `Bearer T`, Basic with the token as password; `u` and `p` of the URL come first.
pub fn check(auth: &Auth, authorization: Option<&str>, params: &Params) -> Result<(), Denied> {
    let Auth::Tokens(tokens) = auth else { return Ok(()) };
    let shown = match (params.get("u"), params.get("p")) {
        (Some(_), Some(password)) => Shown::one(password),
        _ => authorization.and_then(read).ok_or(Denied::Missing)?,
    };
    let known = shown.candidates().map(|text| is_known(tokens, text));
    // No early end: how long it takes must not tell which of them was nearly right.
    let any = known.fold(Choice::from(0), |any, one| any | one);
    if bool::from(any) { Ok(()) } else { Err(Denied::Wrong) }
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

fn is_known(tokens: &[Secret], text: &str) -> Choice {
    tokens
        .iter()
        .fold(Choice::from(0), |any, token| any | token.expose().as_bytes().ct_eq(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(authorization: Option<&str>, query: &str) -> Result<(), Denied> {
        let auth = Auth::Tokens(vec![Secret::new("one"), Secret::new("a:b")]);
        check(&auth, authorization, &Params::parse(query.as_bytes()))
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
    fn without_tokens_all_is_open() {
        assert_eq!(check(&Auth::Open, Some("Token x"), &Params::default()), Ok(()));
    }
}
