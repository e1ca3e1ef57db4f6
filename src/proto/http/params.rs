//! Parameters of a query string or a form, read as InfluxDB reads them.
//!
//! Shape: pairs between `&`; `+` is a blank; `;` is an ordinary byte. The first of several values wins, and an
//! empty value is as good as none. A pair with a bad escape is lost, alone. Bytes that are not UTF-8 are replaced.

use std::borrow::Cow;

/// The pairs of one query string or form, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params {
    pairs: Vec<(String, String)>,
}

impl Params {
    pub fn parse(text: &[u8]) -> Params {
        let mut params = Params::default();
        params.extend(text);
        params
    }

    /// Adds the pairs of a second source; those that are there already win.
    pub fn extend(&mut self, text: &[u8]) {
        for pair in text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let at = memchr::memchr(b'=', pair).unwrap_or(pair.len());
            let value = pair.get(at + 1..).unwrap_or_default();
            if let (Some(name), Some(value)) = (decode(&pair[..at]), decode(value)) {
                self.pairs.push((name, value));
            }
        }
    }

    pub fn push(&mut self, name: &str, value: String) {
        self.pairs.push((name.to_owned(), value));
    }

    /// The first value of that name, unless it is empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.pairs.iter().find(|(known, _)| known == name)?;
        (!value.is_empty()).then_some(value.as_str())
    }

    /// All pairs, also repeated and empty ones.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }
}

/// Undoes `+` and `%xx`; nothing if an escape is not one.
fn decode(text: &[u8]) -> Option<String> {
    let bytes = if memchr::memchr2(b'+', b'%', text).is_some() {
        Cow::Owned(decode_escapes(text)?)
    } else {
        Cow::Borrowed(text)
    };
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn decode_escapes(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        rest = after;
        match first {
            b'+' => out.push(b' '),
            b'%' => {
                let [high, low, after @ ..] = after else { return None };
                out.push(hex(*high)? << 4 | hex(*low)?);
                rest = after;
            }
            byte => out.push(*byte),
        }
    }
    Some(out)
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Appends `text` so that every server reads it back as it is.
pub fn push_encoded(out: &mut String, text: &str) {
    for part in form_urlencoded::byte_serialize(text.as_bytes()) {
        out.push_str(part);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_value_wins_and_an_empty_one_is_none() {
        let params = Params::parse(b"db=a&db=b&rp=&rp=x&&p");
        assert_eq!(params.get("db"), Some("a"));
        assert_eq!(params.get("rp"), None);
        assert_eq!(params.get("p"), None);
        assert_eq!(params.get("absent"), None);
    }

    #[test]
    fn a_semicolon_is_no_separator_and_a_plus_is_a_blank() {
        let params = Params::parse(b"db=p1;q=SHOW&q=SHOW+DATABASES%2B&a=b=c");
        assert_eq!(params.get("db"), Some("p1;q=SHOW"));
        assert_eq!(params.get("q"), Some("SHOW DATABASES+"));
        assert_eq!(params.get("a"), Some("b=c"));
    }

    #[test]
    fn a_bad_escape_loses_its_own_pair_only() {
        let params = Params::parse(b"q=%zz&db=a&x=%4&y=%&%zz=1&z=%41");
        assert_eq!(params.pairs().len(), 2);
        assert_eq!((params.get("db"), params.get("z")), (Some("a"), Some("A")));
    }

    proptest! {
        #[test]
        fn what_is_encoded_reads_back(name in "\\PC{1,10}", value in "\\PC{1,20}") {
            let mut text = String::new();
            push_encoded(&mut text, &name);
            text.push('=');
            push_encoded(&mut text, &value);
            let params = Params::parse(text.as_bytes());
            prop_assert_eq!(params.get(&name), Some(value.as_str()));
        }

        #[test]
        fn no_input_panics(text in proptest::collection::vec(any::<u8>(), 0..60)) {
            Params::parse(&text);
        }
    }
}
