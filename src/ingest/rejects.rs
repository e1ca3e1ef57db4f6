//! Files of lines and statements that a backend refused for good.
//!
//! ```text
//! <data>/rejects/<backend>/<yyyymmdd>-<log>.lp     line protocol, ns; `#` lines say when, where and why
//! <data>/rejects/<backend>/statements-<log>.txt    statements, the same way
//! ```
//! A file can be posted again as it is: the database stands in its comments.

use super::Outlet;
use crate::ring::Target;
use crate::wal::Frame;
use std::fmt::Write as _;

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
                let message = one_line(reject.message);
                let comment = format!(
                    "# {} org={:?} db={:?} rp={:?}: {message}\n",
                    httpdate::fmt_http_date(when),
                    target.org,
                    target.database,
                    target.retention_policy,
                );
                text.extend_from_slice(comment.as_bytes());
                last = Some(reject.message);
            }
            text.extend_from_slice(reject.line);
        }
        self.facts.disk.append_text(&path, text).await
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
        self.facts.disk.append_text(&path, text.into_bytes()).await
    }
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
    fn a_file_is_named_after_its_day() {
        assert_eq!(day(0), "19700101");
        assert_eq!(day(1_795_219_200), "20261121");
    }
}
