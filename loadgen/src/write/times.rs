//! The timestamps of a run: which part of one moves with each request, and which tells its lines apart.
//!
//! A timestamp is `prefix` then `low`: the prefix is one number higher in every request of a run, over all
//! connections; the low digits count the lines of a request. So a request is made new by writing its prefix.

use clap::ValueEnum;

/// Digits of a prefix at most.
pub const PREFIX_DIGITS_MAX: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Precision {
    Ns,
    Us,
    Ms,
    S,
}

impl Precision {
    /// As it stands in the query of a write: 1.x says `u` where 2.x says `us`; servers of both take these.
    pub fn parameter(self, is_v1: bool) -> &'static str {
        match self {
            Precision::Ns => "ns",
            Precision::Us if is_v1 => "u",
            Precision::Us => "us",
            Precision::Ms => "ms",
            Precision::S => "s",
        }
    }

    fn unit_ns(self) -> u64 {
        match self {
            Precision::Ns => 1,
            Precision::Us => 1_000,
            Precision::Ms => 1_000_000,
            Precision::S => 1_000_000_000,
        }
    }

    /// Digits of a timestamp between the years 2001 and 2262.
    pub fn digits(self) -> usize {
        match self {
            Precision::Ns => 19,
            Precision::Us => 16,
            Precision::Ms => 13,
            Precision::S => 10,
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// Digits of the prefix.
    pub prefix_digits: usize,
    /// Between two lines of a request, in units of the precision; 0 for `ms` and `s`.
    pub step: u64,
    /// The prefix of request number 0.
    first: u64,
}

impl Times {
    /// Times from `first_ns` on (rounded down to a whole prefix) for requests of up to `lines` lines.
    pub fn new(precision: Precision, lines: u64, first_ns: u64) -> Self {
        // A microsecond apart where the precision allows it, else all at the request's time.
        let step = match precision {
            Precision::Ns => 1000,
            Precision::Us => 1,
            Precision::Ms | Precision::S => 0,
        };
        let (mut span, mut low_digits) = (1, 0);
        while span < lines.saturating_mul(step) {
            span *= 10;
            low_digits += 1;
        }
        let digits = precision.digits();
        let first = first_ns / precision.unit_ns() / span;
        Times { prefix_digits: digits - low_digits, step, first }
    }

    /// The prefix of a request, and with it the time of its lines.
    pub fn prefix(&self, number: u64) -> u64 {
        self.first.wrapping_add(number)
    }
}

/// A number as decimal digits, right-aligned.
pub fn decimal(mut value: u64) -> [u8; PREFIX_DIGITS_MAX] {
    let mut digits = [b'0'; PREFIX_DIGITS_MAX];
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_requests_never_share_a_time_where_the_precision_allows_it() {
        let now_ns = 1_790_000_000_123_456_789;
        for (precision, lines, prefix_digits) in [
            (Precision::Ns, 1, 16),
            (Precision::Ns, 1000, 13),
            (Precision::Ns, 1001, 12),
            (Precision::Us, 1, 16),
            (Precision::Us, 1000, 13),
            (Precision::Ms, 1000, 13),
            (Precision::S, 10, 10),
        ] {
            let times = Times::new(precision, lines, now_ns);
            assert_eq!(times.prefix_digits, prefix_digits, "{precision:?} {lines}");
            let span = 10u64.pow((precision.digits() - prefix_digits) as u32);
            assert!(times.step * (lines - 1) < span);
            let first = times.prefix(0) * span * precision.unit_ns();
            assert!(first <= now_ns && now_ns - first < span * precision.unit_ns());
        }
    }

    #[test]
    fn digits_are_right_aligned() {
        assert_eq!(&decimal(1_234_567), b"0000000001234567");
    }
}
