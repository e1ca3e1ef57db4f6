//! The parser's base and the statements.

use std::fmt;

use super::ast::{Expression, File, Import, Span, Statement};
use super::scan::{Lexeme, Scanner, Token, place};

/// As Flux bounds it.
const DEPTH_MAX: usize = 80;

/// The first fault of a script, with its place in lines and byte columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    pub message: String,
    /// `line:column` of its first byte and of the byte behind it.
    pub start: String,
    pub end: String,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "error @{}-{}: {}", self.start, self.end, self.message)
    }
}

impl std::error::Error for SyntaxError {}

pub(super) type Parsed<T> = Result<T, SyntaxError>;

/// The syntax tree of a script.
pub fn parse(text: &str) -> Result<File, SyntaxError> {
    Parser { scanner: Scanner { text, offset: 0 }, depth: 0 }.file()
}

pub(super) struct Parser<'t> {
    pub(super) scanner: Scanner<'t>,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn file(mut self) -> Parsed<File> {
        self.attributes()?;
        let package = match self.accept("package") {
            true => Some(self.identifier()?),
            false => None,
        };
        let mut imports = Vec::new();
        loop {
            self.attributes()?;
            if !self.accept("import") {
                break;
            }
            let alias = match self.peek().token {
                Token::Identifier => Some(self.identifier()?),
                _ => None,
            };
            imports.push(Import { alias, path: self.plain_string()? });
        }
        let mut statements = Vec::new();
        while self.peek().token != Token::End {
            statements.push(self.statement()?);
        }
        Ok(File { package, imports, statements })
    }

    fn statement(&mut self) -> Parsed<Statement> {
        self.attributes()?;
        let lexeme = self.peek();
        match lexeme.token {
            Token::Keyword("option") => {
                self.next();
                let first = self.identifier()?;
                let second = if self.accept(".") { Some(self.identifier()?) } else { None };
                self.expect("=")?;
                let value = self.expression()?;
                Ok(match second {
                    Some(name) => Statement::Option { package: Some(first), name, value },
                    None => Statement::Option { package: None, name: first, value },
                })
            }
            Token::Keyword("return") => {
                self.next();
                self.expression().map(Statement::Return)
            }
            Token::Keyword("builtin") => {
                Err(self.error(lexeme.span, "builtin statements are not read here"))
            }
            Token::Keyword("testcase") => {
                self.next();
                let name = self.identifier()?;
                let extends = self.peek();
                if extends.token == Token::Identifier && extends.text == "extends" {
                    self.next();
                    self.plain_string()?;
                }
                self.expect("{")?;
                let body = self.nested(lexeme.span, Self::block)?;
                Ok(Statement::TestCase { name, body })
            }
            Token::Identifier => {
                let before = self.scanner;
                let name = self.identifier()?;
                if self.accept("=") {
                    return Ok(Statement::Assign { name, value: self.expression()? });
                }
                self.scanner = before;
                self.expression().map(Statement::Expression)
            }
            _ if begins_expression(lexeme.token) => self.expression().map(Statement::Expression),
            _ => {
                let message = format!("invalid statement: {}", lexeme.text);
                Err(self.error(lexeme.span, message))
            }
        }
    }

    /// Statements up to and with `}`.
    pub(super) fn block(&mut self) -> Parsed<Vec<Statement>> {
        let mut statements = Vec::new();
        while !self.accept("}") {
            if self.peek().token == Token::End {
                return Err(self.unexpected("}"));
            }
            statements.push(self.statement()?);
        }
        Ok(statements)
    }

    /// `@name` or `@name(...)`, read and left.
    fn attributes(&mut self) -> Parsed<()> {
        while self.accept("@") {
            if self.peek().token != Token::Identifier {
                continue;
            }
            self.next();
            if self.scanner.rest().starts_with('(') {
                self.expect("(")?;
                while !self.accept(")") {
                    self.expression()?;
                    if !self.accept(",") && !self.peek().is(")") {
                        return Err(self.unexpected(")"));
                    }
                }
            }
        }
        Ok(())
    }

    pub(super) fn next(&mut self) -> Lexeme<'t> {
        self.scanner.scan()
    }

    pub(super) fn peek(&self) -> Lexeme<'t> {
        let mut ahead = self.scanner;
        ahead.scan()
    }

    /// Takes the next token if it is this keyword or symbol.
    pub(super) fn accept(&mut self, word: &str) -> bool {
        let mut ahead = self.scanner;
        let found = ahead.scan().is(word);
        if found {
            self.scanner = ahead;
        }
        found
    }

    pub(super) fn expect(&mut self, word: &str) -> Parsed<()> {
        if self.accept(word) { Ok(()) } else { Err(self.unexpected(word)) }
    }

    pub(super) fn identifier(&mut self) -> Parsed<String> {
        let lexeme = self.peek();
        if lexeme.token != Token::Identifier {
            return Err(self.unexpected("IDENT"));
        }
        self.next();
        Ok(lexeme.text.to_owned())
    }

    /// `expected X, got Y` at the next token.
    pub(super) fn unexpected(&self, expected: &str) -> SyntaxError {
        self.unclosed(self.peek().span.start, expected)
    }

    /// The same for what began at `start`: its place is all of it.
    pub(super) fn unclosed(&self, start: usize, expected: &str) -> SyntaxError {
        let lexeme = self.peek();
        let message = format!("expected {}, got {}", called(expected), name(&lexeme));
        self.error(Span { start, end: lexeme.span.end }, message)
    }

    /// Takes what ends something that began at `start`.
    pub(super) fn close(&mut self, start: usize, word: &str) -> Parsed<()> {
        if self.accept(word) { Ok(()) } else { Err(self.unclosed(start, word)) }
    }

    pub(super) fn error(&self, span: Span, message: impl Into<String>) -> SyntaxError {
        let text = self.scanner.text;
        let (start, end) = (place(text, span.start), place(text, span.end));
        SyntaxError { message: message.into(), start, end }
    }

    /// Runs `inner` one level deeper.
    pub(super) fn nested<T>(
        &mut self,
        span: Span,
        inner: impl FnOnce(&mut Self) -> Parsed<T>,
    ) -> Parsed<T> {
        if self.depth >= DEPTH_MAX {
            return Err(self.error(span, "Program is nested too deep"));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    /// `item { "," item } [ "," ] close`, after the opening; the whole began at `start`.
    pub(super) fn list<T>(
        &mut self,
        start: usize,
        close: &str,
        item: impl Fn(&mut Self) -> Parsed<T>,
    ) -> Parsed<Vec<T>> {
        let mut items = Vec::new();
        while !self.accept(close) {
            if self.peek().token == Token::End {
                return Err(self.unclosed(start, close));
            }
            items.push(item(self)?);
            if !self.accept(",") && !self.peek().is(close) {
                return Err(self.unclosed(start, close));
            }
        }
        Ok(items)
    }

    pub(super) fn spanned(&self, start: usize, kind: super::ast::ExpressionKind) -> Expression {
        Expression { kind, span: Span { start, end: self.scanner.offset } }
    }
}

/// Whether an expression may begin with it.
fn begins_expression(token: Token) -> bool {
    match token {
        Token::Identifier | Token::Integer | Token::Float | Token::Duration | Token::Time => true,
        Token::Quote => true,
        Token::Keyword(word) => matches!(word, "not" | "exists" | "if"),
        Token::Symbol(symbol) => {
            matches!(symbol, "(" | "[" | "{" | "-" | "+" | "/" | "<-" | ".")
        }
        Token::End | Token::Illegal => false,
    }
}

/// The name of a token in errors.
fn name(lexeme: &Lexeme<'_>) -> String {
    let kind = match lexeme.token {
        Token::End => return "EOF".to_owned(),
        Token::Identifier => "IDENT",
        Token::Integer => "INT",
        Token::Float => "FLOAT",
        Token::Duration => "DURATION",
        Token::Time => "TIME",
        Token::Quote => "QUOTE",
        Token::Illegal => "ILLEGAL",
        Token::Keyword(word) | Token::Symbol(word) => called(word),
    };
    kind.to_owned()
}

fn called(word: &str) -> &str {
    match word {
        "(" => "LPAREN",
        ")" => "RPAREN",
        "[" => "LBRACK",
        "]" => "RBRACK",
        "{" => "LBRACE",
        "}" => "RBRACE",
        "," => "COMMA",
        ":" => "COLON",
        "." => "DOT",
        "=" => "ASSIGN",
        "=>" => "ARROW",
        "|>" => "PIPE_FORWARD",
        "+" => "ADD",
        "-" => "SUB",
        "*" => "MUL",
        "/" => "DIV",
        "==" => "EQ",
        "<" => "LT",
        ">" => "GT",
        "then" => "THEN",
        "else" => "ELSE",
        other => other,
    }
}
