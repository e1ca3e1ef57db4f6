//! The parser's base: tokens one by one, what may come next, the list of statements.

use super::ast::Statement;
use super::error::ParseError;
use super::params::Params;
use super::scan::{RegexScan, Scanner};
use super::token::{Lexeme, Token};

/// How deep parentheses, calls and subqueries may lie in each other. InfluxDB sets no bound; this
/// one keeps a hostile text from exhausting the stack.
const DEPTH_MAX: usize = 100;

pub(super) type Parsed<T> = Result<T, ParseError>;

pub(super) struct Parser<'t> {
    pub(super) scanner: Scanner<'t>,
    depth: usize,
    /// The last token taken: one error of continuous queries points back to it.
    pub(super) last: Option<Lexeme<'t>>,
}

impl<'t> Parser<'t> {
    pub(super) fn new(text: &'t str, params: &'t Params) -> Parser<'t> {
        Parser { scanner: Scanner::new(text, params), depth: 0, last: None }
    }

    pub(super) fn query(mut self) -> Parsed<Vec<Statement>> {
        let mut statements = Vec::new();
        let mut separated = true;
        loop {
            let next = self.peek();
            if next.token == Token::End {
                return Ok(statements);
            }
            if next.is(";") {
                self.next();
                separated = true;
                continue;
            }
            if !separated {
                return Err(self.unexpected(next, &[";"]));
            }
            statements.push(self.statement()?);
            separated = false;
        }
    }

    /// The next token that is neither blank nor comment.
    pub(super) fn next(&mut self) -> Lexeme<'t> {
        loop {
            let lexeme = self.scanner.scan();
            if !matches!(lexeme.token, Token::White | Token::Comment) {
                self.last = Some(lexeme.clone());
                return lexeme;
            }
        }
    }

    pub(super) fn peek(&self) -> Lexeme<'t> {
        let mut ahead = self.scanner;
        loop {
            let lexeme = ahead.scan();
            if !matches!(lexeme.token, Token::White | Token::Comment) {
                return lexeme;
            }
        }
    }

    /// The very next token, blanks included, without taking it.
    pub(super) fn peek_raw(&self) -> Lexeme<'t> {
        let mut ahead = self.scanner;
        ahead.scan()
    }

    /// Takes the next token if it is this keyword or symbol.
    pub(super) fn accept(&mut self, word: &str) -> bool {
        let found = self.peek().is(word);
        if found {
            self.next();
        }
        found
    }

    /// Takes the very next token if it is this symbol: no blank may stand before it.
    pub(super) fn accept_raw(&mut self, word: &str) -> bool {
        let mut ahead = self.scanner;
        let lexeme = ahead.scan();
        let found = lexeme.is(word);
        if found {
            self.scanner = ahead;
            self.last = Some(lexeme);
        }
        found
    }

    /// Takes this keyword or symbol, or says that it was expected.
    pub(super) fn expect(&mut self, word: &'static str) -> Parsed<()> {
        let lexeme = self.next();
        if lexeme.is(word) { Ok(()) } else { Err(self.unexpected(lexeme, &[word])) }
    }

    /// Takes one of these keywords or symbols.
    pub(super) fn expect_one(&mut self, words: &[&'static str]) -> Parsed<&'static str> {
        let lexeme = self.next();
        match words.iter().find(|word| lexeme.is(word)) {
            Some(word) => Ok(word),
            None => Err(self.unexpected(lexeme, words)),
        }
    }

    /// The error for a token that may not stand here.
    pub(super) fn unexpected(&self, lexeme: Lexeme<'t>, expected: &[&'static str]) -> ParseError {
        let found = lexeme.found();
        ParseError::Expected { found, expected: expected.to_vec(), at: lexeme.at }
    }

    pub(super) fn identifier(&mut self) -> Parsed<String> {
        self.text_of(Token::Identifier, "identifier")
    }

    pub(super) fn string(&mut self) -> Parsed<String> {
        self.text_of(Token::String, "string")
    }

    fn text_of(&mut self, token: Token, called: &'static str) -> Parsed<String> {
        let lexeme = self.next();
        if lexeme.token == token {
            return Ok(lexeme.text.into_owned());
        }
        Err(self.unexpected(lexeme, &[called]))
    }

    /// A whole number in a range; the error names the range.
    pub(super) fn integer(&mut self, min: i64, max: i64) -> Parsed<i64> {
        let lexeme = self.next();
        if lexeme.token != Token::Integer {
            return Err(self.unexpected(lexeme, &["integer"]));
        }
        let at = lexeme.at;
        let Ok(value) = lexeme.text.parse::<i64>() else {
            let text = &lexeme.text;
            let message = format!("strconv.ParseInt: parsing \"{text}\": value out of range");
            return Err(ParseError::At { message, at });
        };
        if value < min || value > max {
            let message = format!("invalid value {value}: must be {min} <= n <= {max}");
            return Err(ParseError::At { message, at });
        }
        Ok(value)
    }

    /// `WORD integer`, if the word is next.
    pub(super) fn optional_count(&mut self, word: &str) -> Parsed<Option<u64>> {
        if !self.accept(word) {
            return Ok(None);
        }
        let ahead = self.peek();
        // InfluxDB takes a count beyond its integers for the greatest one.
        if ahead.token == Token::Integer && ahead.text.parse::<i64>().is_err() {
            self.next();
            return Ok(Some(i64::MAX.unsigned_abs()));
        }
        Ok(Some(self.integer(0, i64::MAX)?.unsigned_abs()))
    }

    /// A duration in ns; INF is 0.
    pub(super) fn duration(&mut self) -> Parsed<i64> {
        let lexeme = self.next();
        match lexeme.token {
            Token::Duration => duration_ns(&lexeme.text)
                .map_err(|error| ParseError::At { message: error.to_string(), at: lexeme.at }),
            _ if lexeme.is("INF") => Ok(0),
            _ => Err(self.unexpected(lexeme, &["duration"])),
        }
    }

    /// A regular expression, if one begins here.
    pub(super) fn regex(&mut self) -> Parsed<Option<String>> {
        let before = self.scanner;
        self.scanner.skip_white();
        if let Some(regex) = self.scanner.regex_parameter() {
            return Ok(Some(regex));
        }
        match self.scanner.regex() {
            RegexScan::Regex(text) => Ok(Some(text)),
            RegexScan::Bad(message, at) => Err(ParseError::At { message, at }),
            RegexScan::Absent => {
                // The end stays marked as looked at; a comment or a blank is not taken.
                if self.scanner.peek().is_some() {
                    self.scanner = before;
                }
                Ok(None)
            }
        }
    }

    pub(super) fn expect_regex(&mut self) -> Parsed<String> {
        match self.regex()? {
            Some(regex) => Ok(regex),
            None => {
                let lexeme = self.next();
                Err(self.unexpected(lexeme, &["regex"]))
            }
        }
    }

    /// Runs `inner` one level deeper.
    pub(super) fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= DEPTH_MAX {
            let message = format!("nested more than {DEPTH_MAX} levels deep");
            return Err(ParseError::At { message, at: self.peek().at });
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    /// `item { "," item }`
    pub(super) fn list<T>(&mut self, item: impl Fn(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.accept(",") {
            items.push(item(self)?);
        }
        Ok(items)
    }
}

/// A duration text in ns: digits and a unit, once or more.
pub(super) fn duration_ns(text: &str) -> Parsed<i64> {
    let invalid = || ParseError::plain("invalid duration");
    let overflowed = || {
        let why = "choose a smaller duration or INF";
        ParseError::plain(format!("overflowed duration {text}: {why}"))
    };
    let mut total: i64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return Err(invalid());
        }
        let count: i64 = rest[..digits].parse().map_err(|_| invalid())?;
        rest = &rest[digits..];
        let (unit_ns, length) = unit_of(rest).ok_or_else(invalid)?;
        rest = &rest[length..];
        let part = count.checked_mul(unit_ns).ok_or_else(overflowed)?;
        total = total.checked_add(part).ok_or_else(overflowed)?;
    }
    Ok(total)
}

/// The unit that `text` begins with, in ns, and its length in bytes.
fn unit_of(text: &str) -> Option<(i64, usize)> {
    const UNITS: [(&str, i64); 9] = [
        ("ns", 1),
        ("ms", 1_000_000),
        ("µ", 1_000),
        ("u", 1_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
        ("d", 86_400_000_000_000),
        ("w", 604_800_000_000_000),
    ];
    UNITS.iter().find(|(unit, _)| text.starts_with(unit)).map(|(unit, ns)| (*ns, unit.len()))
}
