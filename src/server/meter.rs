//! Why a request was refused before it reached its endpoint, as `/metrics` says it.

/// The reasons. Each has a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rejection {
    BadHead,
    BadFraming,
    BadGzip,
    TooLarge,
    UnknownEncoding,
    NoBudget,
    Unauthorized,
    /// A token that may not do this.
    Forbidden,
    /// A token that wrote more than its share.
    OverRate,
    UnknownPath,
    WrongMethod,
    TooSlow,
    TooManyConnections,
    /// One address has all that it may have.
    TooManyOfAddress,
    /// A listener of TLS was spoken to without.
    PlainHttp,
    /// The client broke the handshake off, or showed no certificate that is good here.
    BadHandshake,
    /// A parameter of a write is missing or none that is known.
    BadParameter,
}

impl Rejection {
    pub fn word(self) -> &'static str {
        match self {
            Rejection::BadHead => "bad_head",
            Rejection::BadFraming => "bad_framing",
            Rejection::BadGzip => "bad_gzip",
            Rejection::TooLarge => "too_large",
            Rejection::UnknownEncoding => "unknown_encoding",
            Rejection::NoBudget => "no_budget",
            Rejection::Unauthorized => "unauthorized",
            Rejection::Forbidden => "forbidden",
            Rejection::OverRate => "over_rate",
            Rejection::UnknownPath => "unknown_path",
            Rejection::WrongMethod => "wrong_method",
            Rejection::TooSlow => "too_slow",
            Rejection::TooManyConnections => "too_many_connections",
            Rejection::TooManyOfAddress => "too_many_of_address",
            Rejection::PlainHttp => "plain_http",
            Rejection::BadHandshake => "bad_handshake",
            Rejection::BadParameter => "bad_parameter",
        }
    }
}
