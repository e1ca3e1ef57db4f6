//! Script -> tokens. Columns count bytes from 1; only a line feed counts lines.

use super::ast::Span;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    End,
    Identifier,
    Integer,
    Float,
    Duration,
    Time,
    /// An opening quote: the parser takes the string apart.
    Quote,
    Keyword(&'static str),
    Symbol(&'static str),
    Illegal,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Lexeme<'t> {
    pub token: Token,
    pub text: &'t str,
    pub span: Span,
}

impl Lexeme<'_> {
    pub(super) fn is(&self, word: &str) -> bool {
        matches!(self.token, Token::Keyword(w) | Token::Symbol(w) if w == word)
    }
}

const KEYWORDS: [&str; 13] = [
    "and", "or", "not", "import", "package", "return", "option", "builtin", "testcase", "if",
    "then", "else", "exists",
];

/// Longer ones first.
const SYMBOLS: [&str; 29] = [
    "==", "!=", "<=", ">=", "=~", "!~", "=>", "<-", "|>", "+", "-", "*", "/", "%", "^", "<", ">",
    "=", "(", ")", "[", "]", "{", "}", ":", ",", ".", "?", "@",
];

/// Longer ones first.
pub(super) const UNITS: [&str; 11] = ["mo", "ms", "us", "µs", "ns", "y", "w", "d", "h", "m", "s"];

/// Small and `Copy`: to look ahead, the parser keeps a copy and puts it back.
#[derive(Clone, Copy)]
pub(super) struct Scanner<'t> {
    pub text: &'t str,
    pub offset: usize,
}

impl<'t> Scanner<'t> {
    pub(super) fn rest(&self) -> &'t str {
        &self.text[self.offset..]
    }

    fn skip_blanks(&mut self) {
        loop {
            let blank = |b: &u8| matches!(b, b' ' | b'\t' | b'\n' | b'\r' | 0x0c | 0x0b);
            self.offset += self.rest().bytes().take_while(blank).count();
            if !self.rest().starts_with("//") {
                return;
            }
            self.offset += self.rest().bytes().take_while(|b| *b != b'\n').count();
        }
    }

    fn lexeme(&mut self, token: Token, length: usize) -> Lexeme<'t> {
        let span = Span { start: self.offset, end: self.offset + length };
        self.offset = span.end;
        Lexeme { token, text: &self.text[span.start..span.end], span }
    }

    /// The next token; a slash is always a division here.
    pub(super) fn scan(&mut self) -> Lexeme<'t> {
        self.skip_blanks();
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return self.lexeme(Token::End, 0) };
        if first.is_alphabetic() || first == '_' {
            let inside = |c: &char| c.is_alphabetic() || *c == '_' || c.is_numeric();
            let length = rest.chars().take_while(inside).map(char::len_utf8).sum();
            let keyword = KEYWORDS.iter().find(|keyword| **keyword == &rest[..length]);
            let token = keyword.map_or(Token::Identifier, |keyword| Token::Keyword(keyword));
            return self.lexeme(token, length);
        }
        let digit_second = rest.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
        if first.is_ascii_digit() || (first == '.' && digit_second) {
            return self.number();
        }
        if first == '"' {
            return self.lexeme(Token::Quote, 1);
        }
        match SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
            Some(symbol) => self.lexeme(Token::Symbol(symbol), symbol.len()),
            None => self.lexeme(Token::Illegal, first.len_utf8()),
        }
    }

    fn number(&mut self) -> Lexeme<'t> {
        let rest = self.rest();
        if let Some(length) = time_length(rest.as_bytes()) {
            return self.lexeme(Token::Time, length);
        }
        let whole = digits(rest);
        if rest[whole..].starts_with('.') {
            let length = whole + 1 + digits(&rest[whole + 1..]);
            return self.lexeme(Token::Float, length);
        }
        match duration_length(rest) {
            0 => self.lexeme(Token::Integer, whole),
            length => self.lexeme(Token::Duration, length),
        }
    }
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

/// Bytes of the longest `digits unit` repetition at the start.
fn duration_length(text: &str) -> usize {
    let mut length = 0;
    loop {
        let rest = &text[length..];
        let count = digits(rest);
        let unit = UNITS.iter().find(|unit| rest[count..].starts_with(**unit));
        match unit {
            Some(unit) if count > 0 => length += count + unit.len(),
            _ => return length,
        }
    }
}

/// Bytes of `2006-01-02`, with `T15:04:05`, fraction and zone if they follow.
fn time_length(text: &[u8]) -> Option<usize> {
    let shaped = |start: usize, shape: &[u8]| {
        let window = text.get(start..start + shape.len());
        window.is_some_and(|window| {
            window.iter().zip(shape).all(|(byte, form)| match form {
                b'0' => byte.is_ascii_digit(),
                form => byte == form,
            })
        })
    };
    if !shaped(0, b"0000-00-00") {
        return None;
    }
    if !shaped(10, b"T00:00:00") {
        return Some(10);
    }
    let mut end = 19;
    if text.get(end) == Some(&b'.') {
        end += 1;
        end += text[end..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    }
    match text.get(end) {
        Some(b'Z') => Some(end + 1),
        Some(b'+' | b'-') if shaped(end + 1, b"00:00") => Some(end + 6),
        _ => Some(end),
    }
}

/// `line:column` of a byte.
pub fn place(text: &str, offset: usize) -> String {
    let before = &text.as_bytes()[..offset.min(text.len())];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    format!("{line}:{column}")
}
