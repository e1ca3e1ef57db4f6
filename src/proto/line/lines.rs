//! A body, line by line.

use super::error::LineError;
use super::fast::{Fast, Way};
use super::grammar::gap;
use super::walk::Found;
use super::{Line, Rules, explain, grammar, split};
use crate::base::limits::LINE_BYTES_MAX;
use crate::base::time::UnixNanos;

/// The lines of a body in order, each accepted or refused. Blank lines and comments are passed over.
///
/// A line ends where the servers end it, so a bad line never changes what its neighbours mean. Only a
/// comment ends at its first LF, which the servers do not always see.
pub struct Lines<'a> {
    body: &'a [u8],
    rules: Rules,
    /// Where the next line starts.
    at: usize,
    /// The line ends before `counted_to`: counted when an error asks for them.
    counted: u64,
    counted_to: usize,
    fast: Fast,
}

impl<'a> Lines<'a> {
    pub fn new(body: &'a [u8], rules: Rules) -> Self {
        Self::by(Way::Best, body, rules)
    }

    /// The same lines, checked in another way.
    pub fn by(way: Way, body: &'a [u8], rules: Rules) -> Self {
        Self { body, rules, at: 0, counted: 0, counted_to: 0, fast: Fast::new(way) }
    }

    /// The next line, if it is one that needs no parser.
    #[inline(always)]
    fn found(&mut self) -> Option<Line<'a>> {
        let (base, found) = self.fast.take()?;
        let Found { start, measurement_end, head_end, line_feed, time_ns } = found;
        let at = |place: u16| base + usize::from(place);
        // The LF may be one that was put behind the body.
        self.at = self.body.len().min(at(line_feed) + 1);
        let start = at(start);
        Some(Line {
            head: &self.body[start..at(head_end)],
            measurement: &self.body[start..at(measurement_end)],
            time: Some(UnixNanos(time_ns)),
        })
    }

    fn line(&mut self, first: &'a [u8]) -> Result<Line<'a>, LineError<'a>> {
        let begin = self.body.len() - first.len();
        if let Ok((rest, line)) = grammar::line(first, self.rules) {
            let next = self.body.len() - rest.len();
            let text = trim_end(&self.body[begin..next]);
            if text.len() <= LINE_BYTES_MAX && self.ends_for_servers(begin, next, &line) {
                self.at = next;
                return Ok(line);
            }
        }
        Err(self.refuse(begin))
    }

    /// Whether the servers end the line where the grammar did, here and in a batch.
    ///
    /// Without backslashes they must: the first blank ends the key for both, and a quote after it opens a
    /// string for both. A blank before the measurement, or a backslash pair before a blank in a name, can
    /// make the servers look for strings in the key.
    fn ends_for_servers(&self, begin: usize, next: usize, line: &Line<'_>) -> bool {
        let blank_before = self.body[self.at..begin].contains(&b' ');
        if !blank_before && memchr::memchr(b'\\', line.head).is_none() {
            return true;
        }
        let end = if next > begin && self.body[next - 1] == b'\n' { next - 1 } else { next };
        let ends = |start| {
            let found = split::line_end(self.body, start);
            found.at == end && !found.open
        };
        ends(self.at) && (begin == self.at || ends(begin))
    }

    /// Passes over the line as the servers split it, and says what is wrong with it.
    #[cold]
    fn refuse(&mut self, begin: usize) -> LineError<'a> {
        let number = self.number();
        let after_blank = self.body[self.at..begin].contains(&b' ');
        let end = split::line_end(self.body, self.at).at;
        let mut line = &self.body[begin..end];
        // An open string or a backslash takes a line end into the line: the last one is not quoted either.
        let ended = end < self.body.len();
        line = match line {
            [text @ .., b'\r'] if ended => text,
            [text @ .., b'\n'] => text,
            text => text,
        };
        self.at = self.body.len().min(end + 1);
        LineError { number, line, reason: explain::reason(line, after_blank, self.rules) }
    }

    fn number(&mut self) -> u64 {
        let passed = &self.body[self.counted_to..self.at];
        self.counted += memchr::memchr_iter(b'\n', passed).count() as u64;
        self.counted_to = self.at;
        self.counted + 1
    }
}

/// A line that has passed the grammar, without its line end.
fn trim_end(line: &[u8]) -> &[u8] {
    match line {
        [text @ .., b'\r', b'\n'] | [text @ .., b'\n'] => text,
        text => text,
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Result<Line<'a>, LineError<'a>>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if let Some(line) = self.found() {
            return Some(Ok(line));
        }
        self.next_anew()
    }
}

impl<'a> Lines<'a> {
    /// The next line where none is waiting.
    #[inline(never)]
    fn next_anew(&mut self) -> Option<Result<Line<'a>, LineError<'a>>> {
        if self.at == self.body.len() {
            return None;
        }
        if self.fast.look(self.body, self.at, self.rules.precision.factor()) {
            return self.found().map(Ok);
        }
        self.parse()
    }

    /// The next line by the grammar alone.
    fn parse(&mut self) -> Option<Result<Line<'a>, LineError<'a>>> {
        loop {
            let (first, _) = gap(&self.body[self.at..]).ok()?;
            let rest = match first {
                [] => {
                    self.at = self.body.len();
                    return None;
                }
                [b'\n', rest @ ..] | [b'\r', b'\n', rest @ ..] => rest,
                [b'#', ..] => match memchr::memchr(b'\n', first) {
                    Some(end) => &first[end + 1..],
                    None => &[],
                },
                _ => return Some(self.line(first)),
            };
            self.at = self.body.len() - rest.len();
        }
    }
}
