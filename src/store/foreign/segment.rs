//! A segment of InfluxDB's log: entries of a type, a length, and that many bytes of Snappy. It has no checksum.

use crate::store::tsm::Malformed;
use crate::store::value::Value;
use crate::store::view::TimeRange;
use snap::raw::{Decoder, decompress_len};

/// A copy of 64 bytes takes three at least, so nothing honest grows more.
const GROWTH_MAX: usize = 22;

/// A key as files have it, and times with values.
type KeyPoints = (Vec<u8>, Vec<(i64, Value)>);

/// One entry.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// Points by the keys that files have, in the order in which they came.
    Write(Vec<KeyPoints>),
    /// These keys, at all times.
    Delete(Vec<Vec<u8>>),
    DeleteRange(Vec<Vec<u8>>, TimeRange),
}

/// Hands every whole entry to `take`, and tells where the first damaged or torn one begins and what is wrong with it.
/// InfluxDB reads no further than that either.
pub fn read_segment(bytes: &[u8], mut take: impl FnMut(Entry)) -> Result<(), (usize, Malformed)> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let at = bytes.len() - rest.len();
        let (entry, after) = entry(rest).map_err(|problem| (at, problem))?;
        take(entry);
        rest = after;
    }
    Ok(())
}

fn entry(bytes: &[u8]) -> Result<(Entry, &[u8]), Malformed> {
    const TORN: Malformed = Malformed("the entry is torn");
    let (kind, rest) = bytes.split_first().ok_or(TORN)?;
    let (len, rest) = rest.split_first_chunk::<4>().ok_or(TORN)?;
    let (packed, rest) = rest.split_at_checked(u32::from_be_bytes(*len) as usize).ok_or(TORN)?;
    let plain = unpacked(packed)?;
    let plain = Bytes(&plain);
    let entry = match kind {
        1 => write(plain)?,
        2 => Entry::Delete(plain.0.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()),
        3 => delete_range(plain)?,
        _ => return Err(Malformed("an entry of a type that there is not")),
    };
    Ok((entry, rest))
}

fn unpacked(packed: &[u8]) -> Result<Vec<u8>, Malformed> {
    const DAMAGED: Malformed = Malformed("the entry is no whole Snappy");
    let len = decompress_len(packed).ok().filter(|len| *len <= packed.len() * GROWTH_MAX);
    let mut plain = vec![0; len.ok_or(DAMAGED)?];
    Decoder::new().decompress(packed, &mut plain).map_err(|_| DAMAGED)?;
    Ok(plain)
}

/// What is left of the plain content.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let short = Malformed("the entry ends within a value");
        let (bytes, rest) = self.0.split_at_checked(len).ok_or(short)?;
        self.0 = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        Ok(self.take(N)?.try_into().expect("as long as asked for"))
    }

    fn time(&mut self) -> Result<i64, Malformed> {
        self.array().map(i64::from_be_bytes)
    }

    fn long(&mut self) -> Result<usize, Malformed> {
        self.array().map(|bytes| u32::from_be_bytes(bytes) as usize)
    }
}

fn write(mut plain: Bytes<'_>) -> Result<Entry, Malformed> {
    let mut keys = Vec::new();
    while !plain.0.is_empty() {
        let [kind] = plain.array()?;
        let len = plain.array().map(u16::from_be_bytes)?;
        let key = plain.take(usize::from(len))?.to_vec();
        let count = plain.long()?;
        let mut points = Vec::new();
        for _ in 0..count {
            let time = plain.time()?;
            let value = match kind {
                1 => Value::Float(plain.array().map(f64::from_be_bytes)?),
                2 => Value::Integer(plain.time()?),
                3 => Value::Boolean(plain.array::<1>()? != [0]),
                4 => {
                    let len = plain.long()?;
                    Value::String(plain.take(len)?.into())
                }
                5 => Value::Unsigned(plain.array().map(u64::from_be_bytes)?),
                _ => return Err(Malformed("a value of a type that there is not")),
            };
            points.push((time, value));
        }
        keys.push((key, points));
    }
    Ok(Entry::Write(keys))
}

fn delete_range(mut plain: Bytes<'_>) -> Result<Entry, Malformed> {
    let range = TimeRange { min_ns: plain.time()?, max_ns: plain.time()? };
    let mut keys = Vec::new();
    while !plain.0.is_empty() {
        let len = plain.long()?;
        keys.push(plain.take(len)?.to_vec());
    }
    Ok(Entry::DeleteRange(keys, range))
}

#[cfg(test)]
mod tests {
    use super::*;
    use snap::raw::Encoder;

    fn packed(kind: u8, plain: &[u8]) -> Vec<u8> {
        let snappy = Encoder::new().compress_vec(plain).unwrap();
        let mut bytes = vec![kind];
        bytes.extend(u32::try_from(snappy.len()).unwrap().to_be_bytes());
        bytes.extend(snappy);
        bytes
    }

    fn all(bytes: &[u8]) -> (Vec<Entry>, Option<usize>) {
        let mut entries = Vec::new();
        let end = read_segment(bytes, |entry| entries.push(entry));
        (entries, end.err().map(|(at, _)| at))
    }

    fn whole() -> (Vec<u8>, Vec<Entry>) {
        // As influxd 1.6.7 has written it, with more types behind it.
        let mut plain = vec![3, 0, 10];
        plain.extend(b"w,t=1#!~#b");
        plain.extend([0, 0, 0, 1, 0x17, 0x97, 0x9c, 0xfe, 0x36, 0x2a, 0, 0, 1]);
        plain.extend([4, 0, 1, b'k', 0, 0, 0, 2]);
        plain.extend([0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 2, b'h', b'i']);
        plain.extend([0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0]);
        plain.extend([5, 0, 1, b'u', 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7]);
        plain.extend(u64::MAX.to_be_bytes());
        let written = Entry::Write(vec![
            (b"w,t=1#!~#b".to_vec(), vec![(1_700_000_000_000_000_000, Value::Boolean(true))]),
            (
                b"k".to_vec(),
                vec![(9, Value::String(b"hi"[..].into())), (5, Value::String(b""[..].into()))],
            ),
            (b"u".to_vec(), vec![(7, Value::Unsigned(u64::MAX))]),
        ]);
        let mut deleted = Vec::new();
        deleted.extend((-5_i64).to_be_bytes());
        deleted.extend(5_i64.to_be_bytes());
        deleted.extend([0, 0, 0, 2, b'a', b'b', 0, 0, 0, 1, b'c']);
        let range = TimeRange { min_ns: -5, max_ns: 5 };
        let bytes = [packed(1, &plain), packed(3, &deleted), packed(2, b"x\nyz")].concat();
        let keys = |keys: &[&[u8]]| keys.iter().map(|key| key.to_vec()).collect::<Vec<_>>();
        let entries = vec![
            written,
            Entry::DeleteRange(keys(&[b"ab", b"c"]), range),
            Entry::Delete(keys(&[b"x", b"yz"])),
        ];
        (bytes, entries)
    }

    #[test]
    fn entries_are_read_in_order_and_a_torn_one_ends_them() {
        let (bytes, entries) = whole();
        assert_eq!(all(&bytes), (entries.clone(), None));
        assert_eq!(all(b""), (vec![], None));
        let (have, end) = all(&bytes[..bytes.len() - 1]);
        assert_eq!(have, entries[..2]);
        assert_eq!(end, Some(bytes.len() - packed(2, b"x\nyz").len()));
        let (have, end) = all(&[&bytes[..], &packed(9, b"")].concat());
        assert_eq!((have.len(), end), (3, Some(bytes.len())));
    }

    #[test]
    fn mutations_never_panic() {
        let (bytes, _) = whole();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                all(&damaged);
                all(&damaged[..at]);
            }
        }
    }
}
