//! What the scanner hands to the parser.

use std::borrow::Cow;

/// Where a token stands: both numbers count from 1, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    pub line: u32,
    pub char: u32,
}

/// The kind of a token. Keywords and symbols are told apart by their text, keywords in upper case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    End,
    White,
    Comment,
    /// A character that no token begins with.
    Illegal,
    BadString,
    BadEscape,
    /// A bound parameter without a usable value; the text is `$` and its name.
    BadParameter,
    Identifier,
    String,
    Number,
    Integer,
    Duration,
    /// Comes only out of a bound parameter; in the text the grammar asks for one.
    Regex,
    Keyword(&'static str),
    Symbol(&'static str),
}

/// One token with its text (without quotes, escapes resolved) and its place.
#[derive(Clone, Debug)]
pub(super) struct Lexeme<'t> {
    pub token: Token,
    pub text: Cow<'t, str>,
    pub at: Position,
}

impl Lexeme<'_> {
    /// How error texts name this token.
    pub(super) fn found(&self) -> String {
        match self.token {
            Token::End => "EOF".to_owned(),
            Token::Keyword(word) | Token::Symbol(word) => word.to_owned(),
            // What has no text of its own is called by its kind.
            Token::Identifier if self.text.is_empty() => "IDENT".to_owned(),
            Token::String if self.text.is_empty() => "STRING".to_owned(),
            Token::Illegal if self.text.is_empty() => "ILLEGAL".to_owned(),
            _ => self.text.clone().into_owned(),
        }
    }

    pub(super) fn is(&self, word: &str) -> bool {
        matches!(self.token, Token::Keyword(w) | Token::Symbol(w) if w == word)
    }
}

/// The words that are keywords in any case unless they are quoted, sorted.
const KEYWORDS: [&str; 80] = [
    "ALL",
    "ALTER",
    "ANALYZE",
    "AND",
    "ANY",
    "AS",
    "ASC",
    "BEGIN",
    "BY",
    "CARDINALITY",
    "CONTINUOUS",
    "CREATE",
    "DATABASE",
    "DATABASES",
    "DEFAULT",
    "DELETE",
    "DESC",
    "DESTINATIONS",
    "DIAGNOSTICS",
    "DISTINCT",
    "DROP",
    "DURATION",
    "END",
    "EVERY",
    "EXACT",
    "EXPLAIN",
    "FALSE",
    "FIELD",
    "FOR",
    "FROM",
    "GRANT",
    "GRANTS",
    "GROUP",
    "GROUPS",
    "IN",
    "INF",
    "INSERT",
    "INTO",
    "KEY",
    "KEYS",
    "KILL",
    "LIMIT",
    "MEASUREMENT",
    "MEASUREMENTS",
    "NAME",
    "OFFSET",
    "ON",
    "OR",
    "ORDER",
    "PASSWORD",
    "POLICIES",
    "POLICY",
    "PRIVILEGES",
    "QUERIES",
    "QUERY",
    "READ",
    "REPLICATION",
    "RESAMPLE",
    "RETENTION",
    "REVOKE",
    "SELECT",
    "SERIES",
    "SET",
    "SHARD",
    "SHARDS",
    "SHOW",
    "SLIMIT",
    "SOFFSET",
    "STATS",
    "SUBSCRIPTION",
    "SUBSCRIPTIONS",
    "TAG",
    "TO",
    "TRUE",
    "USER",
    "USERS",
    "VALUES",
    "WHERE",
    "WITH",
    "WRITE",
];

const KEYWORD_LENGTH_MAX: usize = 13;

/// The keyword that `word` is, in any case.
pub(super) fn keyword(word: &str) -> Option<&'static str> {
    if word.is_empty() || word.len() > KEYWORD_LENGTH_MAX {
        return None;
    }
    let upper = word.to_ascii_uppercase();
    KEYWORDS.binary_search(&upper.as_str()).ok().map(|found| KEYWORDS[found])
}
