//! A Rust file in three views: as it is, without comments, and without comments and literals.

/// One file.
pub(super) struct Source {
    /// From the root: `src/wal/log.rs`.
    pub path: String,
    pub text: String,
    /// Comments are blanks; line ends stay where they are.
    pub spoken: String,
    /// Comments, and what stands between quotes, are blanks.
    pub code: String,
    /// Compiled for tests only.
    pub is_test: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Code,
    Line,
    /// How deep block comments are nested.
    Block(usize),
    Text,
    /// The hashes that end it.
    Raw(usize),
}

impl Source {
    pub fn new(path: &str, text: &str) -> Source {
        let (spoken, code) = views(text);
        let is_test = path.contains("/tests/") || path.starts_with("tests/");
        let mut source =
            Source { path: path.to_owned(), text: text.to_owned(), spoken, code, is_test };
        source.cut_inner_tests();
        source
    }

    /// The folder below `src`, or the name of a file there: `wal`, `main`.
    pub fn folder(&self) -> &str {
        let below = self.path.strip_prefix("src/").unwrap_or(&self.path);
        below.split('/').next().unwrap_or(below).trim_end_matches(".rs")
    }

    /// Names on the way to this module, the crate's root not counted: `["wal", "log"]`.
    pub fn module(&self) -> Vec<&str> {
        let below = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let mut names: Vec<&str> = below.trim_end_matches(".rs").split('/').collect();
        if matches!(names.last(), Some(&("mod" | "lib" | "main"))) {
            names.pop();
        }
        names
    }

    /// Blanks `#[cfg(test)] mod tests { ... }`.
    fn cut_inner_tests(&mut self) {
        while let Some(start) = inner_tests(&self.code) {
            let open = start + self.code[start..].find('{').expect("a module with a body");
            let mut depth = 0usize;
            let length = self.code[open..].char_indices().find_map(|(at, letter)| {
                match letter {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    _ => {}
                }
                (depth == 0).then_some(at + 1)
            });
            let end = open + length.unwrap_or(self.code.len() - open);
            for view in [&mut self.code, &mut self.spoken] {
                let blank = blank(&view[start..end]);
                view.replace_range(start..end, &blank);
            }
        }
    }

    /// Names of the code with their places, in order.
    pub fn idents(&self) -> impl Iterator<Item = (usize, &str)> {
        idents(&self.code)
    }

    /// The line of a place, counted from 1, as `path:line`.
    pub fn at(&self, place: usize) -> String {
        let line = self.code.as_bytes()[..place].iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("{}:{line}", self.path)
    }
}

fn inner_tests(code: &str) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = code[from..].find("#[cfg(test)]") {
        let start = from + at;
        let rest = code[start + "#[cfg(test)]".len()..].trim_start();
        let name = rest.strip_prefix("mod ").unwrap_or_default();
        let end = name.find(['{', ';']).unwrap_or(0);
        if name[end..].starts_with('{') {
            return Some(start);
        }
        from = start + 1;
    }
    None
}

pub(super) fn idents(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let part = |letter: char| letter.is_alphanumeric() || letter == '_';
    let mut from = 0;
    std::iter::from_fn(move || {
        let start = from + code[from..].find(part)?;
        let length = code[start..].find(|letter| !part(letter)).unwrap_or(code.len() - start);
        from = start + length;
        Some((start, &code[start..from]))
    })
}

fn blank(text: &str) -> String {
    text.chars().flat_map(blanks).collect()
}

/// As many blanks as the letter has bytes, so that places stay the same; a line end stays.
fn blanks(letter: char) -> impl Iterator<Item = char> {
    let kept = if letter == '\n' { '\n' } else { ' ' };
    std::iter::repeat_n(kept, letter.len_utf8())
}

fn views(text: &str) -> (String, String) {
    let (mut spoken, mut code) = (String::new(), String::new());
    let mut state = State::Code;
    let mut at = 0;
    while let Some(letter) = text[at..].chars().next() {
        let rest = &text[at..];
        let (next, length, is_comment, is_literal) = step(state, rest, letter, &text[..at]);
        let piece = &rest[..length];
        for (view, is_blank) in [(&mut spoken, is_comment), (&mut code, is_comment || is_literal)] {
            match is_blank {
                true => view.extend(piece.chars().flat_map(blanks)),
                false => view.push_str(piece),
            }
        }
        state = next;
        at += length;
    }
    (spoken, code)
}

/// What comes next, how many bytes this piece has, and whether it is comment or literal.
fn step(state: State, rest: &str, letter: char, before: &str) -> (State, usize, bool, bool) {
    let one = letter.len_utf8();
    match state {
        State::Line if letter == '\n' => (State::Code, 1, false, false),
        State::Line => (State::Line, one, true, false),
        State::Block(depth) if rest.starts_with("*/") => {
            let next = if depth == 1 { State::Code } else { State::Block(depth - 1) };
            (next, 2, true, false)
        }
        State::Block(depth) if rest.starts_with("/*") => (State::Block(depth + 1), 2, true, false),
        State::Block(depth) => (State::Block(depth), one, true, false),
        State::Text if letter == '\\' => {
            let escaped = rest[1..].chars().next().map_or(0, char::len_utf8);
            (State::Text, 1 + escaped, false, true)
        }
        State::Text if letter == '"' => (State::Code, 1, false, false),
        State::Text => (State::Text, one, false, true),
        State::Raw(hashes) => {
            let end = format!("\"{}", "#".repeat(hashes));
            if rest.starts_with(&end) {
                (State::Code, end.len(), false, false)
            } else {
                (State::Raw(hashes), one, false, true)
            }
        }
        State::Code => step_code(rest, letter, before),
    }
}

fn step_code(rest: &str, letter: char, before: &str) -> (State, usize, bool, bool) {
    if rest.starts_with("//") {
        return (State::Line, 2, true, false);
    }
    if rest.starts_with("/*") {
        return (State::Block(1), 2, true, false);
    }
    if letter == '"' {
        return (State::Text, 1, false, false);
    }
    let inside_a_name = before.ends_with(|last: char| last.is_alphanumeric() || last == '_');
    if !inside_a_name && let Some(raw) = raw_start(rest) {
        return (State::Raw(raw.0), raw.1, false, false);
    }
    if letter == '\''
        && let Some(length) = char_literal(rest)
    {
        return (State::Code, length, false, true);
    }
    (State::Code, letter.len_utf8(), false, false)
}

/// Hashes and length of `r"`, `r#"`, `br"` ...
fn raw_start(rest: &str) -> Option<(usize, usize)> {
    let lead = ["br", "cr", "r"].iter().find(|lead| rest.starts_with(**lead))?.len();
    let hashes = rest[lead..].bytes().take_while(|byte| *byte == b'#').count();
    rest[lead + hashes..].starts_with('"').then_some((hashes, lead + hashes + 1))
}

/// The length of `'x'` or `'\n'`; nothing for a lifetime.
fn char_literal(rest: &str) -> Option<usize> {
    let mut letters = rest.char_indices().skip(1);
    let (_, first) = letters.next()?;
    if first == '\\' {
        letters.next()?;
        return letters.find(|(_, letter)| *letter == '\'').map(|(at, _)| at + 1);
    }
    letters.next().filter(|(_, letter)| *letter == '\'').map(|(at, _)| at + 1)
}

#[test]
fn comments_and_literals_are_told_apart_from_code() {
    let text = r###"let a = "x // \" unsafe"; // unsafe 'b
let c = '"'; /* unsafe /* */ unsafe */ let d: &'static str = r#"unsafe "# ; let e = b'\'';
fn real() {}"###;
    let source = Source::new("src/base/x.rs", text);
    assert_eq!(source.code.len(), text.len());
    assert!(!source.code.contains("unsafe"), "{}", source.code);
    assert_eq!(source.spoken.matches("unsafe").count(), 2, "{}", source.spoken);
    assert!(source.code.contains("&'static str") && source.code.contains("fn real()"));
}

#[test]
fn inner_tests_are_cut_and_the_rest_stays() {
    let text = "fn a() {}\n#[cfg(test)]\nmod tests { fn b() { if x {} } }\nfn c() {}\n";
    let source = Source::new("src/base/x.rs", text);
    let names: Vec<_> = source.idents().map(|(_, name)| name).collect();
    assert_eq!(names, ["fn", "a", "fn", "c"]);
    let place = source.code.find("fn c").expect("it stays");
    assert_eq!(source.at(place), "src/base/x.rs:4");
}
