//! The status page: three files in the binary, which ask `/-/status`, `/-/route` and `/metrics`.
//!
//! Nothing is loaded from elsewhere, and nothing in the page may run but its own file.

use super::answer::{self, Answer};

/// Which of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Page,
    Style,
    Script,
}

impl Part {
    pub fn of(path: &str) -> Option<Part> {
        match path {
            "/-/" => Some(Part::Page),
            "/-/page.css" => Some(Part::Style),
            "/-/page.js" => Some(Part::Script),
            _ => None,
        }
    }
}

/// A person who opens the bare address sees the page; to a client of InfluxDB there is nothing.
pub fn is_for_a_browser(path: &str, accept: Option<&str>) -> bool {
    path == "/" && accept.is_some_and(|types| types.contains("text/html"))
}

const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
                      img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub fn serve(part: Part) -> Answer {
    let (kind, text) = match part {
        Part::Page => ("text/html; charset=utf-8", include_str!("page/page.html")),
        Part::Style => ("text/css; charset=utf-8", include_str!("page/page.css")),
        Part::Script => ("text/javascript; charset=utf-8", include_str!("page/page.js")),
    };
    answer::found(kind, text)
        .with("Content-Security-Policy", POLICY)
        .with("X-Content-Type-Options", "nosniff")
        .with("Referrer-Policy", "no-referrer")
        // Another version of the binary may answer next.
        .with("Cache-Control", "no-cache")
}
