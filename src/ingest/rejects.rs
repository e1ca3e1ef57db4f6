//! Files of lines and statements that a backend refused for good.
//!
//! ```text
//! <data>/rejects/<backend>/<yyyymmdd>-<log>.lp     line protocol, ns; `#` lines say when, where and why
//! <data>/rejects/<backend>/statements-<log>.txt    statements, the same way
//! ```
//! A file can be posted again as it is: the database stands in its comments.

use super::Outlet;
use crate::base::failpoint;
use crate::proto::line::line_end;
use crate::ring::Target;
use crate::wal::Frame;
use std::fmt::Write as _;
use std::path::Path;
use std::time::SystemTime;

/// A line and why it was refused.
pub struct Reject<'a> {
    /// With its line end.
    pub line: &'a [u8],
    pub message: &'a str,
}

impl Outlet {
    /// Appends to the rejects of a backend; on stable storage when this returns.
    pub(super) async fn keep_rejects(
        &self,
        backend: &str,
        target: &Target,
        rejects: &[Reject<'_>],
    ) -> std::io::Result<()> {
        let now = self.facts.clock.unix_duration();
        let when = std::time::UNIX_EPOCH + now;
        let name = format!("{}-{:03}.lp", day(now.as_secs()), self.log.id().0);
        let path = self.facts.data.join("rejects").join(backend).join(name);
        let mut text = Vec::new();
        let mut last = None;
        for reject in rejects {
            if last != Some(reject.message) {
                let comment = comment(when, target, reject.message);
                text.extend_from_slice(comment.as_bytes());
                last = Some(reject.message);
            }
            text.extend_from_slice(reject.line);
        }
        self.append(&path, text).await
    }

    /// Appends a refused statement.
    pub(super) async fn keep_statement(
        &self,
        backend: &str,
        frame: &Frame,
        statement: &str,
        message: &str,
    ) -> std::io::Result<()> {
        let when = std::time::UNIX_EPOCH + self.facts.clock.unix_duration();
        let name = format!("statements-{:03}.txt", self.log.id().0);
        let path = self.facts.data.join("rejects").join(backend).join(name);
        let mut text = String::new();
        writeln!(
            text,
            "# {} frame={}: {}\n{}",
            httpdate::fmt_http_date(when),
            frame.number(),
            one_line(message),
            one_line(statement)
        )
        .expect("writing to a string");
        self.append(&path, text.into_bytes()).await
    }

    async fn append(&self, path: &Path, text: Vec<u8>) -> std::io::Result<()> {
        failpoint::reach("reject.before_write");
        self.facts.disk.append_text(path, text).await?;
        failpoint::reach("reject.after_sync");
        Ok(())
    }
}

/// What stands before lines that were refused for one reason.
pub fn comment(when: SystemTime, target: &Target, message: &str) -> String {
    format!("# {} {}: {}\n", httpdate::fmt_http_date(when), target.to_comment(), one_line(message))
}

/// Lines of a file that were refused for one reason. All slices are parts of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group<'a> {
    /// When, where and why, as it stands there; empty for lines that no comment tells of.
    pub comment: &'a [u8],
    pub target: Option<Target>,
    pub message: String,
    /// Each with its line end, if it has one.
    pub lines: Vec<&'a [u8]>,
}

/// Reads a file of refused lines. A comment that names no target goes with the group before it.
pub fn groups(text: &[u8]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let is_comment = text[at] == b'#';
        let end = if is_comment {
            text[at..].iter().position(|byte| *byte == b'\n').map_or(text.len(), |len| at + len + 1)
        } else {
            (line_end(text, at) + 1).min(text.len())
        };
        let line = &text[at..end];
        at = end;
        if is_comment {
            let comment = String::from_utf8_lossy(line);
            if let Some((target, rest)) = Target::from_comment(&comment) {
                let message = rest.trim_start_matches(": ").trim_end().to_owned();
                groups.push(Group {
                    comment: line,
                    target: Some(target),
                    message,
                    lines: Vec::new(),
                });
            }
        } else if !line.trim_ascii().is_empty() {
            if groups.is_empty() {
                let message = String::new();
                groups.push(Group { comment: b"", target: None, message, lines: Vec::new() });
            }
            groups.last_mut().expect("just made").lines.push(line);
        }
    }
    groups.retain(|group| !group.lines.is_empty());
    groups
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

/// `yyyymmdd` in UTC.
fn day(unix_seconds: u64) -> String {
    let when = std::time::UNIX_EPOCH + std::time::Duration::from_secs(unix_seconds);
    // An HTTP date reads `Sun, 06 Nov 1994 08:49:37 GMT`.
    let text = httpdate::fmt_http_date(when);
    let mut words = text.split(' ').skip(1);
    let (day, month, year) = (words.next(), words.next(), words.next());
    let months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let month = month.and_then(|name| months.find(name)).map_or(0, |at| at / 3 + 1);
    format!("{}{month:02}{}", year.unwrap_or("0000"), day.unwrap_or("00"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_as_it_was_written() {
        let target = Target { org: "o".into(), database: "d".into(), retention_policy: "".into() };
        let when = std::time::UNIX_EPOCH;
        let (first, second) =
            (comment(when, &target, "a\nb"), comment(when, &target, "one of these 2"));
        let lines = ["m s=\"x\n# no comment\ny\" 1\n", "m v=1 2\n", "k v=1 3\n"];
        let text =
            [&first, lines[0], lines[1], "# a word of a person\n", &second, lines[2]].concat();
        let found = groups(text.as_bytes());
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(found[0].lines, [lines[0].as_bytes(), lines[1].as_bytes()]);
        assert_eq!((&*found[0].message, &found[0].target), ("a b", &Some(target)));
        assert_eq!(found[0].comment, first.as_bytes());
        assert_eq!(found[1].message, "one of these 2");
        assert_eq!(found[1].lines, [lines[2].as_bytes()]);
    }

    #[test]
    fn lines_without_a_comment_have_no_target() {
        let found = groups(b"\nm v=1 1\n\n# text\nm v=2 2");
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].lines.len(), &found[0].target), (2, &None));
        assert!(groups(b"# org=\"o\" db=\"d\" rp=\"\": nothing behind it\n").is_empty());
    }

    #[test]
    fn a_file_is_named_after_its_day() {
        assert_eq!(day(0), "19700101");
        assert_eq!(day(1_795_219_200), "20261121");
    }
}
