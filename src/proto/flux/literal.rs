//! Operands: literals, arrays, records, functions, parentheses.

use super::ast::{
    Body, Expression, ExpressionKind, Function, Parameter, Property, Span, StringPart, Unit,
};
use super::parse::{Parsed, Parser};
use super::scan::{Token, UNITS};

impl Parser<'_> {
    pub(super) fn primary(&mut self) -> Parsed<Expression> {
        let lexeme = self.peek();
        let start = lexeme.span.start;
        let kind = match lexeme.token {
            Token::Identifier => match self.identifier()?.as_str() {
                "true" => ExpressionKind::Boolean(true),
                "false" => ExpressionKind::Boolean(false),
                name => ExpressionKind::Identifier(name.to_owned()),
            },
            Token::Integer => self.integer()?,
            Token::Float => {
                self.next();
                ExpressionKind::Float(lexeme.text.parse().unwrap_or(f64::NAN))
            }
            Token::Duration => self.duration()?,
            Token::Time => self.time()?,
            Token::Quote => self.string()?,
            Token::Symbol("<-") => {
                self.next();
                ExpressionKind::PipeInput
            }
            Token::Symbol("/") => self.regex()?,
            Token::Symbol("[") => self.array(start)?,
            Token::Symbol("{") => self.record(start)?,
            Token::Symbol("(") => return self.function_or_parentheses(),
            Token::Symbol(".") => {
                self.next();
                match self.peek().token {
                    Token::Quote => ExpressionKind::Label(self.plain_string()?),
                    _ => ExpressionKind::Label(self.identifier()?),
                }
            }
            Token::End => {
                let message = "invalid expression: invalid token for primary expression: EOF";
                return Err(self.error(lexeme.span, message));
            }
            _ => {
                let message = format!("invalid expression: {}", lexeme.text);
                return Err(self.error(lexeme.span, message));
            }
        };
        Ok(self.spanned(start, kind))
    }

    fn integer(&mut self) -> Parsed<ExpressionKind> {
        let lexeme = self.next();
        let text = lexeme.text;
        let invalid = |why: &str| format!("invalid integer literal \"{text}\": {why}");
        if text.len() > 1 && text.starts_with('0') {
            let message = invalid("nonzero value cannot start with 0");
            return Err(self.error(lexeme.span, message));
        }
        match text.parse() {
            Ok(value) => Ok(ExpressionKind::Integer(value)),
            Err(_) => Err(self.error(lexeme.span, invalid("value out of range"))),
        }
    }

    fn duration(&mut self) -> Parsed<ExpressionKind> {
        let lexeme = self.next();
        let mut parts = Vec::new();
        let mut rest = lexeme.text;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let unit = UNITS.into_iter().find(|unit| rest[digits..].starts_with(unit));
            let (Ok(count), Some(unit)) = (rest[..digits].parse(), unit) else {
                return Err(self.error(lexeme.span, "invalid duration literal"));
            };
            parts.push((count, unit_of(unit)));
            rest = &rest[digits + unit.len()..];
        }
        Ok(ExpressionKind::Duration(parts))
    }

    fn time(&mut self) -> Parsed<ExpressionKind> {
        let lexeme = self.next();
        let whole = lexeme.text.len() == 10;
        let zoned = lexeme.text.ends_with('Z')
            || lexeme.text.len() > 6 && lexeme.text[lexeme.text.len() - 6..].contains(['+', '-']);
        if !whole && !zoned {
            let message = "invalid expression: invalid date time literal, missing time offset";
            return Err(self.error(lexeme.span, message));
        }
        Ok(ExpressionKind::Time(lexeme.text.to_owned()))
    }

    /// A string without values in it.
    pub(super) fn plain_string(&mut self) -> Parsed<String> {
        let lexeme = self.peek();
        if lexeme.token != Token::Quote {
            return Err(self.unexpected("STRING"));
        }
        match self.string()? {
            ExpressionKind::String(text) => Ok(text),
            _ => Err(self.error(lexeme.span, "invalid string literal")),
        }
    }

    fn string(&mut self) -> Parsed<ExpressionKind> {
        let opening = self.next().span;
        let mut parts = Vec::new();
        loop {
            let (text, ended) = self.string_text(opening)?;
            if !text.is_empty() {
                parts.push(StringPart::Text(text));
            }
            if ended {
                break;
            }
            parts.push(StringPart::Value(self.expression()?));
            self.expect("}")?;
        }
        Ok(match parts.as_mut_slice() {
            [] => ExpressionKind::String(String::new()),
            [StringPart::Text(text)] => ExpressionKind::String(std::mem::take(text)),
            _ => ExpressionKind::Interpolated(parts),
        })
    }

    /// Text up to the closing quote (true) or to `${` (false); either is taken.
    fn string_text(&mut self, opening: Span) -> Parsed<(String, bool)> {
        let mut bytes: Vec<u8> = Vec::new();
        let error = |parser: &Self| {
            let message = "got unexpected token in string expression";
            let span = Span { start: opening.start, end: parser.scanner.offset };
            parser.error(span, message)
        };
        loop {
            let rest = self.scanner.rest();
            let (taken, length): (&[u8], usize) = match rest.as_bytes() {
                [b'"', ..] => {
                    self.scanner.offset += 1;
                    break finish(bytes).map(|text| (text, true)).ok_or_else(|| error(self));
                }
                [b'$', b'{', ..] => {
                    self.scanner.offset += 2;
                    break finish(bytes).map(|text| (text, false)).ok_or_else(|| error(self));
                }
                [b'\\', b'n', ..] => (b"\n", 2),
                [b'\\', b'r', ..] => (b"\r", 2),
                [b'\\', b't', ..] => (b"\t", 2),
                [b'\\', b'\\', ..] => (b"\\", 2),
                [b'\\', b'"', ..] => (b"\"", 2),
                [b'\\', b'$', b'{', ..] => (b"${", 3),
                [b'\\', b'x', high, low, ..] => match hex(*high, *low) {
                    Some(byte) => {
                        bytes.push(byte);
                        (b"", 4)
                    }
                    None => return Err(error(self)),
                },
                [] | [b'\\', ..] => return Err(error(self)),
                _ => {
                    let length = rest.chars().next().map_or(1, char::len_utf8);
                    (&rest.as_bytes()[..length], length)
                }
            };
            bytes.extend_from_slice(taken);
            self.scanner.offset += length;
        }
    }

    fn regex(&mut self) -> Parsed<ExpressionKind> {
        let opening = self.next().span;
        let rest = self.scanner.rest();
        let mut text = String::new();
        let mut escaped = false;
        for (index, c) in rest.char_indices() {
            match c {
                '/' if escaped => {
                    text.pop();
                    text.push('/');
                }
                '/' => {
                    self.scanner.offset += index + 1;
                    return Ok(ExpressionKind::Regex(text));
                }
                c => text.push(c),
            }
            escaped = c == '\\' && !escaped;
        }
        Err(self.error(opening, "invalid expression: unclosed regular expression"))
    }

    /// `[a, b]`, `[k: v]` or the empty dictionary `[:]`.
    fn array(&mut self, start: usize) -> Parsed<ExpressionKind> {
        self.expect("[")?;
        if self.accept(":") {
            self.expect("]")?;
            return Ok(ExpressionKind::Dictionary(vec![]));
        }
        let items = self.list(start, "]", |parser| {
            let first = parser.expression()?;
            let value = if parser.accept(":") { Some(parser.expression()?) } else { None };
            Ok((first, value))
        })?;
        if items.iter().all(|(_, value)| value.is_none()) {
            return Ok(ExpressionKind::Array(items.into_iter().map(|(item, _)| item).collect()));
        }
        let pairs: Vec<(Expression, Expression)> =
            items.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
        Ok(ExpressionKind::Dictionary(pairs))
    }

    fn record(&mut self, start: usize) -> Parsed<ExpressionKind> {
        self.expect("{")?;
        let before = self.scanner;
        let mut with = None;
        if self.peek().token == Token::Identifier {
            let name = self.identifier()?;
            let ahead = self.peek();
            if ahead.token == Token::Identifier && ahead.text == "with" {
                self.next();
                with = Some(name);
            } else {
                self.scanner = before;
            }
        }
        let properties = self.list(start, "}", Self::property)?;
        Ok(ExpressionKind::Record { with, properties })
    }

    /// `name`, `name: value` or `"name": value`.
    pub(super) fn property(&mut self) -> Parsed<Property> {
        let ahead = self.peek();
        let (name, quoted) = match ahead.token {
            Token::Identifier => (self.identifier()?, false),
            Token::Quote => (self.plain_string()?, true),
            _ => {
                let text = ahead.text;
                let message = format!("unexpected token for property key: {text}");
                return Err(self.error(ahead.span, message));
            }
        };
        if !self.accept(":") {
            if quoted {
                let message = format!("string literal key {name} must have a value");
                let span = Span { start: ahead.span.start, end: self.scanner.offset };
                return Err(self.error(span, message));
            }
            return Ok(Property { name, value: None });
        }
        if matches!(self.peek().token, Token::Symbol(")" | "}" | ",")) {
            return Err(self.error(ahead.span, "missing property value"));
        }
        Ok(Property { name, value: Some(self.expression()?) })
    }

    fn function_or_parentheses(&mut self) -> Parsed<Expression> {
        let start = self.peek().span.start;
        if self.function_ahead() {
            self.expect("(")?;
            let parameters = self.list(start, ")", |parser| {
                let name = parser.identifier()?;
                let default = if parser.accept("=") { Some(parser.expression()?) } else { None };
                Ok(Parameter { name, default })
            })?;
            self.expect("=>")?;
            let brace = self.peek();
            let body = match self.accept("{") {
                true => Body::Block(self.nested(brace.span, Self::block)?),
                false => Body::Expression(self.expression()?),
            };
            let function = Box::new(Function { parameters, body });
            return Ok(self.spanned(start, ExpressionKind::Function(function)));
        }
        self.expect("(")?;
        let inner = self.expression()?;
        self.close(start, ")")?;
        Ok(inner)
    }

    /// Whether `(` opens parameters: `()`, `(a,`, `(a=`, and `(a) =>`.
    fn function_ahead(&self) -> bool {
        let mut ahead = self.scanner;
        ahead.scan();
        let first = ahead.scan();
        if first.is(")") {
            return true;
        }
        if first.token != Token::Identifier {
            return false;
        }
        let second = ahead.scan();
        second.is(",") || second.is("=") || (second.is(")") && ahead.scan().is("=>"))
    }
}

fn finish(bytes: Vec<u8>) -> Option<String> {
    String::from_utf8(bytes).ok()
}

fn hex(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

fn unit_of(text: &str) -> Unit {
    match text {
        "y" => Unit::Year,
        "mo" => Unit::Month,
        "w" => Unit::Week,
        "d" => Unit::Day,
        "h" => Unit::Hour,
        "m" => Unit::Minute,
        "s" => Unit::Second,
        "ms" => Unit::Millisecond,
        "ns" => Unit::Nanosecond,
        _ => Unit::Microsecond,
    }
}
