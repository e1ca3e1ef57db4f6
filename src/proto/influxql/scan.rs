//! Text -> tokens, with positions as InfluxDB counts them.
//!
//! The scanner is small and `Copy`: to look ahead, the parser keeps a copy and puts it back.

use std::borrow::Cow;

use super::params::Params;
use super::token::{Lexeme, Position, Token, keyword};

#[derive(Clone, Copy)]
pub(super) struct Scanner<'t> {
    text: &'t str,
    params: &'t Params,
    offset: usize,
    /// Of the character at `offset`.
    at: Position,
    /// Of the character before it: what strings and regular expressions report.
    before: Position,
    /// InfluxDB's reader steps over the end once; a word or a look for a regular expression does it.
    past_end: bool,
}

/// What a look for a regular expression gave.
pub(super) enum RegexScan {
    Absent,
    Regex(String),
    /// Its fault, and where.
    Bad(String, Position),
}

impl<'t> Scanner<'t> {
    pub(super) fn new(text: &'t str, params: &'t Params) -> Scanner<'t> {
        let start = Position { line: 1, char: 1 };
        Scanner { text, params, offset: 0, at: start, before: start, past_end: false }
    }

    fn rest(&self) -> &'t str {
        &self.text[self.offset..]
    }

    /// The character ahead; a carriage return is a line feed.
    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next().map(|c| if c == '\r' { '\n' } else { c })
    }

    fn peek_second(&self) -> Option<char> {
        self.rest().chars().nth(1)
    }

    fn bump(&mut self) -> Option<char> {
        let raw = self.rest().chars().next()?;
        self.offset += raw.len_utf8();
        if raw == '\r' && self.rest().starts_with('\n') {
            self.offset += 1;
        }
        self.before = self.at;
        if raw == '\r' || raw == '\n' {
            self.at = Position { line: self.at.line.saturating_add(1), char: 1 };
            return Some('\n');
        }
        self.at.char = self.at.char.saturating_add(1);
        Some(raw)
    }

    fn bump_while(&mut self, wanted: impl Fn(char) -> bool) {
        while self.peek().is_some_and(&wanted) {
            self.bump();
        }
    }

    /// The next token; blanks and comments are tokens, too.
    pub(super) fn scan(&mut self) -> Lexeme<'t> {
        let (start, at) = (self.offset, self.at);
        let Some(first) = self.peek() else {
            let char = at.char.saturating_add(u32::from(self.past_end));
            self.past_end = true;
            return Lexeme { token: Token::End, text: "".into(), at: Position { char, ..at } };
        };
        match first {
            ' ' | '\t' | '\n' => {
                self.bump_while(|c| matches!(c, ' ' | '\t' | '\n'));
                self.lexeme(Token::White, start, at)
            }
            'a'..='z' | 'A'..='Z' | '_' => self.word(at),
            '0'..='9' => self.number(at),
            '.' if self.peek_second().is_some_and(|c| c.is_ascii_digit()) => self.number(at),
            '"' => self.quoted(Token::Identifier),
            '\'' => self.quoted(Token::String),
            '$' => self.parameter(at),
            '-' if self.peek_second() == Some('-') => {
                self.bump_while(|c| c != '\n');
                self.look();
                self.lexeme(Token::Comment, start, at)
            }
            '/' if self.peek_second() == Some('*') => self.block_comment(at),
            _ => self.symbol(at),
        }
    }

    fn lexeme(&self, token: Token, start: usize, at: Position) -> Lexeme<'t> {
        Lexeme { token, text: Cow::Borrowed(&self.text[start..self.offset]), at }
    }

    fn bare_word(&mut self) -> &'t str {
        let start = self.offset;
        self.bump_while(|c| c.is_ascii_alphanumeric() || c == '_');
        self.past_end |= self.peek().is_none();
        &self.text[start..self.offset]
    }

    /// A quote right behind a word swallows it: `seq"q"` is the name `q`, at the word's place. So
    /// InfluxDB reads it, and it is InfluxDB that will answer.
    fn word(&mut self, at: Position) -> Lexeme<'t> {
        let word = self.bare_word();
        if self.peek() == Some('"') {
            return self.swallowing(at);
        }
        let token = keyword(word).map_or(Token::Identifier, Token::Keyword);
        Lexeme { token, text: Cow::Borrowed(word), at }
    }

    fn swallowing(&mut self, at: Position) -> Lexeme<'t> {
        let quoted = self.quoted(Token::Identifier);
        if quoted.token == Token::Identifier { Lexeme { at, ..quoted } } else { quoted }
    }

    /// A number, or a duration if letters follow its digits. `1.` is the number 1.
    fn number(&mut self, at: Position) -> Lexeme<'t> {
        let start = self.offset;
        self.bump_while(|c| c.is_ascii_digit());
        let whole_end = self.offset;
        if self.peek() == Some('.') {
            self.bump();
            self.bump_while(|c| c.is_ascii_digit());
            let digits_follow = self.offset > whole_end + 1;
            let end = if digits_follow { self.offset } else { whole_end };
            return Lexeme { token: Token::Number, text: self.text[start..end].into(), at };
        }
        let unit = |c: char| c.is_ascii_alphabetic() || c == 'µ';
        if self.peek().is_some_and(unit) {
            self.bump_while(|c| unit(c) || c.is_ascii_digit());
            return self.lexeme(Token::Duration, start, at);
        }
        self.lexeme(Token::Integer, start, at)
    }

    /// A string or a quoted identifier. What fails reports the character before the quote.
    fn quoted(&mut self, token: Token) -> Lexeme<'t> {
        let (opening, before) = (self.at, self.before);
        let quote = self.bump();
        let mut text = String::new();
        loop {
            let next = self.bump();
            match next {
                _ if next == quote => break,
                None | Some('\n') => {
                    return Lexeme { token: Token::BadString, text: text.into(), at: before };
                }
                Some('\\') => {
                    let (escaped_at, escaped) = (self.at, self.bump());
                    match escaped {
                        Some('n') => text.push('\n'),
                        Some(c @ ('\\' | '"' | '\'')) => text.push(c),
                        other => {
                            let shown: String = std::iter::once('\\').chain(other).collect();
                            let (token, text) = (Token::BadEscape, shown.into());
                            return Lexeme { token, text, at: escaped_at };
                        }
                    }
                }
                Some(c) => text.push(c),
            }
        }
        let at = if token == Token::String { before } else { opening };
        Lexeme { token, text: text.into(), at }
    }

    /// `$name` or `$"name"`: the token of its value.
    fn parameter(&mut self, at: Position) -> Lexeme<'t> {
        self.bump();
        let bare = match self.peek() {
            Some(c) if c.is_ascii_alphanumeric() || c == '_' => self.bare_word(),
            _ => "",
        };
        let name = match self.peek() {
            Some('"') => self.quoted(Token::Identifier).text,
            _ => Cow::Borrowed(bare),
        };
        match self.params.get(&name).filter(|bound| bound.token != Token::BadParameter) {
            Some(bound) => Lexeme { token: bound.token, text: bound.text.as_str().into(), at },
            None => Lexeme { token: Token::BadParameter, text: format!("${name}").into(), at },
        }
    }

    /// Why a bound parameter has no value; `text` is `$` and its name.
    pub(super) fn parameter_fault(&self, text: &str) -> String {
        let name = text.strip_prefix('$').unwrap_or(text);
        match self.params.get(name) {
            _ if name.is_empty() => "empty bound parameter".to_owned(),
            Some(bound) => format!("missing parameter: {}", bound.text),
            None => format!("missing parameter: {name}"),
        }
    }

    fn block_comment(&mut self, at: Position) -> Lexeme<'t> {
        let start = self.offset;
        self.bump();
        self.bump();
        loop {
            match self.bump() {
                None => return Lexeme { token: Token::Illegal, text: "".into(), at },
                Some('*') if self.peek() == Some('/') => {
                    self.bump();
                    return self.lexeme(Token::Comment, start, at);
                }
                Some(_) => {}
            }
        }
    }

    fn symbol(&mut self, at: Position) -> Lexeme<'t> {
        let start = self.offset;
        let first = self.bump();
        let second = match (first, self.peek()) {
            (Some('='), Some('~')) => Some("=~"),
            (Some('!'), Some('=')) | (Some('<'), Some('>')) => Some("!="),
            (Some('!'), Some('~')) => Some("!~"),
            (Some('<'), Some('=')) => Some("<="),
            (Some('>'), Some('=')) => Some(">="),
            (Some(':'), Some(':')) => Some("::"),
            _ => None,
        };
        if second.is_some() {
            self.bump();
        }
        const ONE: [&str; 17] =
            ["+", "-", "*", "/", "%", "&", "|", "^", "=", "<", ">", "(", ")", ",", ";", ":", "."];
        let written = &self.text[start..self.offset];
        let symbol = second.or_else(|| ONE.into_iter().find(|one| *one == written));
        self.lexeme(symbol.map_or(Token::Illegal, Token::Symbol), start, at)
    }

    /// Blanks only; a comment stays.
    pub(super) fn skip_white(&mut self) {
        self.bump_while(|c| matches!(c, ' ' | '\t' | '\n'));
    }

    /// The character ahead; a look past the end counts.
    pub(super) fn look(&mut self) -> Option<char> {
        let ahead = self.peek();
        self.past_end |= ahead.is_none();
        ahead
    }

    /// A regular expression, if a slash is next. Only `\/` is resolved in it.
    pub(super) fn regex(&mut self) -> RegexScan {
        if self.look() != Some('/') {
            return RegexScan::Absent;
        }
        let before = self.before;
        self.bump();
        let mut text = String::new();
        loop {
            match self.bump() {
                None | Some('\n') => return RegexScan::Bad("bad regex: ".to_owned(), before),
                Some('/') => return checked_regex(text, before),
                Some('\\') if self.peek() == Some('/') => {
                    self.bump();
                    text.push('/');
                }
                Some('\\') => {
                    text.push('\\');
                    // What follows a backslash never ends the expression but at a line end.
                    if let Some(next) = self.peek().filter(|c| *c != '\n') {
                        self.bump();
                        text.push(next);
                    }
                }
                Some(c) => text.push(c),
            }
        }
    }

    /// The regular expression that a bound parameter ahead stands for.
    pub(super) fn regex_parameter(&mut self) -> Option<String> {
        if self.peek() != Some('$') {
            return None;
        }
        let mut ahead = *self;
        let lexeme = ahead.scan();
        if lexeme.token != Token::Regex {
            return None;
        }
        *self = ahead;
        Some(lexeme.text.into_owned())
    }
}

/// Only the fault that a comment in a wrong place makes is looked for; the rest is found by the engine.
fn checked_regex(text: String, at: Position) -> RegexScan {
    match text.chars().next() {
        Some(operator @ ('*' | '+' | '?')) => {
            let fault = "error parsing regexp: missing argument to repetition operator";
            RegexScan::Bad(format!("{fault}: `{operator}`"), at)
        }
        _ => RegexScan::Regex(text),
    }
}
