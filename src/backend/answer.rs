//! What a backend's answer to a write means. The one table of it.
//!
//! | answer | verdict |
//! |---|---|
//! | 2xx | done |
//! | 400 `partial write: ...`, 422 | some lines refused for good, the rest stored |
//! | 400 else | refused, and perhaps innocent lines with it: to be narrowed down |
//! | 401, 403 | may not write this database: it waits |
//! | 404; 500 `retention policy not found` | no such database, bucket or policy: it waits |
//! | 413 | too large: to be sent in halves |
//! | 408, 429, 499, 502, 503, 504; 500 with a text of passing trouble | later |
//! | 500 else | perhaps for ever: later, and narrowed down if the backend is healthy otherwise |
//! | anything else | later |

use std::time::Duration;

/// The meaning of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Done,
    /// Lines that the message describes are refused for good; all others are stored.
    Partial {
        message: String,
    },
    /// Something in the request is refused for good; what else was stored is not known.
    Refused {
        message: String,
    },
    TooLarge,
    /// This database waits; others go on.
    Parked {
        message: String,
    },
    Later {
        message: String,
        after: Option<Duration>,
    },
    /// A trouble of the backend that may be this request's fault.
    Suspect {
        message: String,
    },
}

/// Starts of messages of a 500 that passes.
const PASSING: [&str; 5] = [
    "timeout",
    "write failed",
    "engine:",
    "hinted handoff",
    "unexpected error writing points to database",
];

pub fn judge(status: u16, body: &[u8], retry_after: Option<&str>) -> Verdict {
    let message = message(body);
    let after = retry_after.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
    match status {
        200..=299 => Verdict::Done,
        400 if message.contains("partial write") => Verdict::Partial { message },
        400 if message.contains("retention policy not found") => Verdict::Parked { message },
        422 => Verdict::Partial { message },
        400 => Verdict::Refused { message },
        401 | 403 | 404 => Verdict::Parked { message },
        413 => Verdict::TooLarge,
        500 if message.contains("retention policy not found") => Verdict::Parked { message },
        500 if PASSING.iter().any(|start| message.starts_with(start)) => {
            Verdict::Later { message, after }
        }
        500 => Verdict::Suspect { message },
        _ => Verdict::Later { message: format!("{status} {message}"), after },
    }
}

/// The text of an error in either dialect, else the body's first bytes.
pub fn message(body: &[u8]) -> String {
    let parsed = serde_json::from_slice::<serde_json::Value>(body).ok();
    let text = parsed.as_ref().and_then(|value| {
        let text = value.get("error").or_else(|| value.get("message"))?;
        text.as_str().map(str::to_owned)
    });
    text.unwrap_or_else(|| {
        let text = String::from_utf8_lossy(body);
        text.trim().chars().take(256).collect()
    })
}

/// What a message of a partial write says about the refused lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    pub measurement: Option<String>,
    pub field: Option<String>,
    /// The type that the field has in them, in the server's word.
    pub kind: Option<String>,
    /// They lie before the retention policy's begin.
    pub beyond_retention: bool,
    pub dropped: Option<u64>,
}

/// Reads measurement, field and count out of a message such as
/// `partial write: field type conflict: input field "f" on measurement "m" is type integer, ... dropped=1`.
pub fn named(message: &str) -> Named {
    Named {
        measurement: quoted_after(message, "on measurement "),
        field: quoted_after(message, "input field "),
        kind: word_after(message, " is type "),
        beyond_retention: message.contains("beyond retention policy")
            || message.contains("outside retention policy"),
        dropped: message.rsplit_once("dropped=").and_then(|(_, rest)| {
            let digits = rest.split(|letter: char| !letter.is_ascii_digit()).next()?;
            digits.parse().ok()
        }),
    }
}

fn word_after(message: &str, lead: &str) -> Option<String> {
    let word = message.split_once(lead)?.1.split(|letter: char| !letter.is_ascii_alphabetic());
    word.into_iter().next().filter(|word| !word.is_empty()).map(str::to_owned)
}

/// The Go-quoted text behind `lead`.
fn quoted_after(message: &str, lead: &str) -> Option<String> {
    let rest = message.split_once(lead)?.1.strip_prefix('"')?;
    let mut text = String::new();
    let mut letters = rest.chars();
    loop {
        match letters.next()? {
            '"' => return Some(text),
            '\\' => match letters.next()? {
                letter @ ('"' | '\\') => text.push(letter),
                // Any other escape: the name cannot be compared; all lines are candidates then.
                _ => return None,
            },
            letter => text.push(letter),
        }
    }
}
