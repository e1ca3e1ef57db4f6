//! Numbers and timestamps, by the servers' rules.

/// What is wrong with a number, in the servers' terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Number,
    Integer,
    Unsigned,
    Float,
}

/// What is wrong with a timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeFault {
    /// A minus without digits.
    NoDigits,
    /// Too large for 64 bits, before it is scaled.
    Digits,
    /// Outside `TIME_MIN..=TIME_MAX`, after it is scaled.
    Range,
}

/// The servers keep three of the values of a 64-bit integer for themselves.
pub(super) const TIME_MAX: i64 = i64::MAX - 1;
const TIME_MIN: i64 = i64::MIN + 2;

/// Decimal digits that always fit into an `i64`, and into a `u64`.
pub(super) const SAFE_DIGITS: usize = 18;

/// Decimal digits that always fit into a `u64`; more never fit into an `i64`, unless they begin with zeros.
const WIDE_DIGITS: usize = 19;

/// A float without an exponent and shorter than this is finite: `f64::MAX` has 309 digits.
const SAFE_FLOAT_BYTES: usize = 309;

/// Whether `text` is a number that the servers can store. It is not empty, and starts with a digit, `.`, `-`.
pub(super) fn check(text: &[u8], unsigned: bool) -> Result<(), Fault> {
    let negative = text.first() == Some(&b'-');
    let digits = &text[usize::from(negative)..];
    match digits.split_last() {
        None => Err(Fault::Number),
        Some((b'i', digits)) => {
            let text = &text[..text.len() - 1];
            digits_in(digits)?;
            if digits.len() <= SAFE_DIGITS { Ok(()) } else { fits::<i64>(text, Fault::Integer) }
        }
        Some((b'u', digits)) => {
            if negative || !unsigned {
                return Err(Fault::Number);
            }
            digits_in(digits)?;
            if digits.len() <= SAFE_DIGITS { Ok(()) } else { fits::<u64>(digits, Fault::Unsigned) }
        }
        Some(_) => float(text, digits),
    }
}

/// The nanoseconds of a timestamp of `factor` nanoseconds a unit: an optional minus, then digits only.
pub(super) fn nanoseconds(text: &[u8], factor: i64) -> Result<i64, TimeFault> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return Err(TimeFault::NoDigits);
    }
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    let digits = &digits[zeros..];
    if digits.len() > WIDE_DIGITS {
        return Err(TimeFault::Digits);
    }
    let units = digits.iter().fold(0_u64, |units, digit| 10 * units + u64::from(digit - b'0'));
    let units = if negative { -i128::from(units) } else { i128::from(units) };
    let units = i64::try_from(units).map_err(|_| TimeFault::Digits)?;
    match units.checked_mul(factor) {
        Some(time) if (TIME_MIN..=TIME_MAX).contains(&time) => Ok(time),
        _ => Err(TimeFault::Range),
    }
}

fn digits_in(text: &[u8]) -> Result<(), Fault> {
    if !text.is_empty() && text.iter().all(u8::is_ascii_digit) {
        Ok(())
    } else {
        Err(Fault::Number)
    }
}

fn fits<T: std::str::FromStr>(digits: &[u8], fault: Fault) -> Result<(), Fault> {
    parse::<T>(digits).map(|_| ()).ok_or(fault)
}

fn parse<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn float(text: &[u8], digits: &[u8]) -> Result<(), Fault> {
    let (mut points, mut exponent) = (0_usize, false);
    let mut previous = 0_u8;
    for &byte in digits {
        match byte {
            b'0'..=b'9' => {}
            b'.' if points == 0 => points = 1,
            b'e' | b'E' => exponent = true,
            b'+' | b'-' if matches!(previous, b'e' | b'E') => {}
            _ => return Err(Fault::Number),
        }
        previous = byte;
    }
    if digits.len() == points {
        return Err(Fault::Number);
    }
    if !exponent && text.len() < SAFE_FLOAT_BYTES {
        return Ok(());
    }
    match parse::<f64>(text) {
        Some(value) if value.is_finite() => Ok(()),
        _ => Err(Fault::Float),
    }
}
