//! The predicate of `POST /api/v2/delete`: which series lose their points.
//!
//! Shape: comparisons of a key with a value joined by AND, in parentheses or not: `_measurement="cpu" AND
//! host!="a"`. Keys and values are names of InfluxQL, bare or in double quotes; a bare value may be a number.
//! Errors: the texts of InfluxDB 2.7, with its positions, which count characters from 0.

use std::fmt;

/// Comparisons that all have to hold; none is every series.
pub type Predicate = Vec<Comparison>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    pub key: String,
    pub is_equal: bool,
    pub value: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    Or { at: usize },
    Operator { text: &'static str, at: usize },
    NoOperator { text: String, at: usize },
    Value { text: String, at: usize },
    Key { at: usize },
    Expression { at: usize },
    Parenthesis,
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    /// A name or a number.
    Word(String),
    And,
    Or,
    Open,
    Close,
    Equal,
    NotEqual,
    /// An operator that is known, but not here.
    Other(&'static str),
    /// In single quotes.
    Text(String),
    Strange(String),
    End,
}

struct Reader {
    letters: Vec<char>,
    at: usize,
}

/// Reads a predicate; an empty one is every series.
pub fn parse(text: &str) -> Result<Predicate, Error> {
    let mut reader = Reader { letters: text.chars().collect(), at: 0 };
    let mut comparisons = Vec::new();
    let mut open = 0_usize;
    // Whether a comparison may come, or what joins it to the one before.
    let mut wants_term = true;
    loop {
        let (token, at) = reader.next();
        match token {
            Token::Word(key) if wants_term => {
                comparisons.push(reader.comparison(key)?);
                wants_term = false;
            }
            Token::Open if wants_term => open += 1,
            Token::Close if !wants_term => {
                open = open.checked_sub(1).ok_or(Error::Parenthesis)?;
            }
            Token::And if !wants_term => wants_term = true,
            Token::Or => return Err(Error::Or { at }),
            Token::End if open > 0 => return Err(Error::Parenthesis),
            Token::End if !wants_term || comparisons.is_empty() && at == 0 => {
                return Ok(comparisons);
            }
            Token::Word(_) => return Err(Error::Key { at }),
            _ => return Err(Error::Expression { at }),
        }
    }
}

impl Reader {
    fn comparison(&mut self, key: String) -> Result<Comparison, Error> {
        let is_equal = match self.next() {
            (Token::Equal, _) => true,
            (Token::NotEqual, _) => false,
            (Token::Other(text @ ("=~" | "!~")), at) => return Err(Error::Operator { text, at }),
            (token, at) => return Err(Error::NoOperator { text: token.text(), at }),
        };
        match self.next() {
            (Token::Word(value), _) => Ok(Comparison { key, is_equal, value }),
            // The reader of InfluxDB has not yet moved on to a text when it tells its position.
            (Token::Text(text), at) => Err(Error::Value { text, at: at.saturating_sub(1) }),
            (token, at) => Err(Error::Value { text: token.text(), at }),
        }
    }

    fn peek(&self) -> Option<char> {
        self.letters.get(self.at).copied()
    }

    fn take(&mut self, letter: char) -> bool {
        let is_there = self.peek() == Some(letter);
        self.at += usize::from(is_there);
        is_there
    }

    /// The next token and where it begins.
    fn next(&mut self) -> (Token, usize) {
        while self.peek().is_some_and(|letter| matches!(letter, ' ' | '\t' | '\n' | '\r')) {
            self.at += 1;
        }
        let at = self.at;
        let Some(letter) = self.peek() else { return (Token::End, at) };
        self.at += 1;
        let token = match letter {
            '(' => Token::Open,
            ')' => Token::Close,
            '=' if self.take('~') => Token::Other("=~"),
            '=' => Token::Equal,
            '!' if self.take('=') => Token::NotEqual,
            '!' if self.take('~') => Token::Other("!~"),
            '<' if self.take('>') => Token::NotEqual,
            '<' if self.take('=') => Token::Other("<="),
            '>' if self.take('=') => Token::Other(">="),
            '<' => Token::Other("<"),
            '>' => Token::Other(">"),
            '"' => self.quoted('"').map_or_else(|| Token::Strange("\"".to_owned()), Token::Word),
            '\'' => self.quoted('\'').map_or_else(|| Token::Strange("'".to_owned()), Token::Text),
            letter if is_bare(letter) => self.bare(at),
            letter => Token::Strange(letter.to_string()),
        };
        (token, at)
    }

    fn bare(&mut self, from: usize) -> Token {
        while self.peek().is_some_and(is_bare) {
            self.at += 1;
        }
        let word: String = self.letters[from..self.at].iter().collect();
        match word.to_ascii_uppercase().as_str() {
            "AND" => Token::And,
            "OR" => Token::Or,
            _ => Token::Word(word),
        }
    }

    /// What stands up to the closing quote; nothing if there is none, or an escape is not one.
    fn quoted(&mut self, quote: char) -> Option<String> {
        let mut text = String::new();
        loop {
            let letter = self.peek()?;
            self.at += 1;
            match letter {
                '\n' => return None,
                '\\' => {
                    let escaped = self.peek()?;
                    self.at += 1;
                    text.push(match escaped {
                        'n' => '\n',
                        '\\' | '"' | '\'' => escaped,
                        _ => return None,
                    });
                }
                letter if letter == quote => return Some(text),
                letter => text.push(letter),
            }
        }
    }
}

fn is_bare(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '-')
}

impl Token {
    fn text(self) -> String {
        match self {
            Token::Word(text) | Token::Text(text) | Token::Strange(text) => text,
            Token::And => "AND".to_owned(),
            Token::Or => "OR".to_owned(),
            Token::Open => "(".to_owned(),
            Token::Close => ")".to_owned(),
            Token::Equal => "=".to_owned(),
            Token::NotEqual => "!=".to_owned(),
            Token::Other(text) => text.to_owned(),
            Token::End => "EOF".to_owned(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Or { at } => {
                write!(out, "the logical operator OR is not supported yet at position {at}")
            }
            Error::Operator { text, at } => {
                write!(out, "operator: {text:?} at position: {at} is not supported yet")
            }
            Error::NoOperator { text, at } => {
                write!(out, "invalid operator {text:?} at position: {at}")
            }
            Error::Value { text, at } => write!(out, "bad tag value: {text:?}, at position {at}"),
            Error::Key { at } => write!(out, "bad tag key, at position {at}"),
            Error::Expression { at } => write!(out, "bad logical expression, at position {at}"),
            Error::Parenthesis => write!(out, "mismatched parentheses"),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn comparison(key: &str, is_equal: bool, value: &str) -> Comparison {
        Comparison { key: key.to_owned(), is_equal, value: value.to_owned() }
    }

    #[test]
    fn comparisons_are_read_however_they_are_written() {
        let cpu = comparison("_measurement", true, "cpu");
        let host = comparison("host", false, "a b\"");
        for text in [
            r#"_measurement="cpu" AND host!="a b\"""#,
            r#"_measurement = cpu and "host" != "a b\"""#,
            r#"(_measurement="cpu") AND (host<>"a b\"")"#,
            "((_measurement=cpu\n AND host!=\"a b\\\"\"))",
        ] {
            assert_eq!(parse(text), Ok(vec![cpu.clone(), host.clone()]), "{text}");
        }
        assert_eq!(parse(""), Ok(Vec::new()));
        assert_eq!(parse("host=10.0.0.1"), Ok(vec![comparison("host", true, "10.0.0.1")]));
    }

    #[test]
    fn errors_are_those_of_2_7() {
        let cases = [
            (
                r#"_measurement="w" OR host="a""#,
                "the logical operator OR is not supported yet at position 17",
            ),
            ("_measurement=~/w/", "operator: \"=~\" at position: 12 is not supported yet"),
            ("_measurement='w'", "bad tag value: \"w\", at position 12"),
            ("host<\"a\"", "invalid operator \"<\" at position: 4"),
            ("host=\"a\" host=\"b\"", "bad tag key, at position 9"),
            ("host=\"a\" AND", "bad logical expression, at position 12"),
            ("(host=\"a\"", "mismatched parentheses"),
            ("host=\"a\")", "mismatched parentheses"),
            (" ", "bad logical expression, at position 1"),
        ];
        for (text, expected) in cases {
            let error = parse(text).map_err(|error| error.to_string());
            assert_eq!(error, Err(expected.to_owned()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_value_in_quotes_is_itself(value in "\\PC{0,12}") {
            let text = format!("h={}", crate::proto::influxql::quoted(&value, '"'));
            prop_assert_eq!(parse(&text), Ok(vec![comparison("h", true, &value)]));
        }

        #[test]
        fn no_text_panics(text in "[a-b=!~'\"\\\\() ANDORé]{0,24}") {
            parse(&text).ok();
        }
    }
}
