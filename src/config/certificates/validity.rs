//! The end of a certificate's life, read from its DER form.
//!
//! Shape (RFC 5280 4.1): `Certificate = { { [0] version?, serial, algorithm, issuer, { notBefore, notAfter }, ..}, ..}`,
//! where `{ }` is a SEQUENCE: a tag byte, a length, and what it holds. A time is text: `YYMMDDHHMMSSZ` (UTCTime; years
//! from 50 on are 19YY) or `YYYYMMDDHHMMSSZ` (GeneralizedTime). Whatever else is there gives nothing.

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// `notAfter` in seconds since 1970.
pub fn end_unix_seconds(certificate: &[u8]) -> Option<i64> {
    let (outer, _) = inside(certificate, SEQUENCE)?;
    let (mut fields, _) = inside(outer, SEQUENCE)?;
    if fields.first() == Some(&VERSION) {
        (_, fields) = inside(fields, VERSION)?;
    }
    for _ in ["serial", "algorithm", "issuer"] {
        (_, _, fields) = element(fields)?;
    }
    let (times, _) = inside(fields, SEQUENCE)?;
    let (_, _, after) = element(times)?;
    let (tag, time, _) = element(after)?;
    let text = std::str::from_utf8(time).ok()?;
    let text = match tag {
        UTC_TIME if text.get(..2)? < "50" => format!("20{text}"),
        UTC_TIME => format!("19{text}"),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let text = text.strip_suffix('Z').filter(|text| text.len() == 14)?;
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let days = days_since_1970(number(0, 4)?, number(4, 6)?, number(6, 8)?);
    Some(days * 86_400 + number(8, 10)? * 3600 + number(10, 12)? * 60 + number(12, 14)?)
}

/// What an element of this tag holds, and what follows it.
fn inside(bytes: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    let (tag, content, rest) = element(bytes)?;
    (tag == wanted).then_some((content, rest))
}

/// Tag, content and what follows. A length is one byte up to 127, else the number of its bytes and these.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], mut rest) = bytes.split_first_chunk::<2>()?;
    let mut length = usize::from(first);
    if first > 0x80 && first <= 0x84 {
        let (digits, after) = rest.split_at_checked(usize::from(first & 0x7f))?;
        length = digits.iter().fold(0, |all, digit| all << 8 | usize::from(*digit));
        rest = after;
    } else if first >= 0x80 {
        return None;
    }
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// By the Gregorian calendar. The year begins in March here, so that a leap day is its last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days_of_years = 365 * year + year / 4 - year / 100 + year / 400;
    days_of_years + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_from_1970() {
        assert_eq!(days_since_1970(1970, 1, 1), 0);
        assert_eq!(days_since_1970(2000, 2, 29), 11_016);
        assert_eq!(days_since_1970(2000, 3, 1), 11_017);
        assert_eq!(days_since_1970(2100, 3, 1), 47_541);
    }

    fn made(not_after: (i32, u8, u8)) -> Vec<u8> {
        let mut parameters = rcgen::CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
        parameters.not_before = rcgen::date_time_ymd(1999, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(not_after.0, not_after.1, not_after.2);
        let key = rcgen::KeyPair::generate().unwrap();
        parameters.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn the_end_of_a_certificate_is_found_in_both_forms_of_time() {
        assert_eq!(end_unix_seconds(&made((2030, 1, 1))), Some(1_893_456_000));
        assert_eq!(end_unix_seconds(&made((2049, 12, 31))), Some(2_524_521_600));
        assert_eq!(end_unix_seconds(&made((2100, 3, 1))), Some(47_541 * 86_400));
    }

    #[test]
    fn no_part_of_a_certificate_makes_it_panic() {
        let whole = made((2030, 1, 1));
        for length in 0..whole.len() {
            assert_eq!(end_unix_seconds(&whole[..length]), None, "{length}");
        }
        for at in 0..whole.len() {
            for changed in [0, 0x7f, 0x80, 0x84, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = changed;
                end_unix_seconds(&bytes);
            }
        }
    }
}
