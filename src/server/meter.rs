//! What the server counts. Plain cells of one shard; `telemetry` gives them their names.

use std::cell::{Cell, RefCell};

use super::endpoint::Endpoint;
use crate::base::map::FastMap;

/// Why something was refused before it reached its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rejection {
    BadHead,
    BadFraming,
    BadGzip,
    TooLarge,
    UnknownEncoding,
    NoBudget,
    Unauthorized,
    UnknownPath,
    WrongMethod,
    TooSlow,
    TooManyConnections,
}

impl Rejection {
    pub const ALL: [Rejection; 11] = [
        Rejection::BadHead,
        Rejection::BadFraming,
        Rejection::BadGzip,
        Rejection::TooLarge,
        Rejection::UnknownEncoding,
        Rejection::NoBudget,
        Rejection::Unauthorized,
        Rejection::UnknownPath,
        Rejection::WrongMethod,
        Rejection::TooSlow,
        Rejection::TooManyConnections,
    ];

    pub fn word(self) -> &'static str {
        match self {
            Rejection::BadHead => "bad_head",
            Rejection::BadFraming => "bad_framing",
            Rejection::BadGzip => "bad_gzip",
            Rejection::TooLarge => "too_large",
            Rejection::UnknownEncoding => "unknown_encoding",
            Rejection::NoBudget => "no_budget",
            Rejection::Unauthorized => "unauthorized",
            Rejection::UnknownPath => "unknown_path",
            Rejection::WrongMethod => "wrong_method",
            Rejection::TooSlow => "too_slow",
            Rejection::TooManyConnections => "too_many_connections",
        }
    }
}

/// Everything is a count since the start, but `connections`.
#[derive(Debug, Default)]
pub struct Meter {
    /// Open now.
    pub connections: Cell<u64>,
    pub accepted: Cell<u64>,
    pub wire_bytes_plain: Cell<u64>,
    pub wire_bytes_gzip: Cell<u64>,
    pub content_bytes: Cell<u64>,
    pub broken_answers: Cell<u64>,
    answers: RefCell<FastMap<(Endpoint, u16), u64>>,
    rejections: RefCell<FastMap<Rejection, u64>>,
}

impl Meter {
    pub fn add(cell: &Cell<u64>, count: usize) {
        cell.set(cell.get() + count as u64);
    }

    pub fn answered(&self, endpoint: Endpoint, status: u16) {
        *self.answers.borrow_mut().entry((endpoint, status)).or_default() += 1;
    }

    pub fn rejected(&self, why: Rejection) {
        *self.rejections.borrow_mut().entry(why).or_default() += 1;
    }

    /// Answers by endpoint and status, in no order.
    pub fn answers(&self) -> Vec<(Endpoint, u16, u64)> {
        self.answers
            .borrow()
            .iter()
            .map(|(&(endpoint, status), &count)| (endpoint, status, count))
            .collect()
    }

    pub fn rejections(&self, why: Rejection) -> u64 {
        self.rejections.borrow().get(&why).copied().unwrap_or(0)
    }
}
