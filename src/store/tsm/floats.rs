//! Floats: each the bits that differ from the one before, without the zeros around them.
//!
//! A stream of bits, the highest first: the first value whole; then `0` for the same value again, `10` and as many bits
//! as the last window had, or `11`, five bits of leading zeros, six bits of width (0 is 64) and so many bits. A certain
//! NaN is the end.

use super::Malformed;

const KIND: u8 = 1 << 4;
/// The NaN that ends a stream. InfluxDB stores no NaN.
const END: u64 = 0x7ff8_0000_0000_0001;

pub(super) fn write(values: &[f64], out: &mut Vec<u8>) {
    out.push(KIND);
    let mut bits = BitWriter { out, word: 0, free: 64 };
    let mut before: Option<u64> = None;
    let mut window: Option<(u32, u32)> = None;
    for value in values.iter().map(|value| value.to_bits()).chain([END]) {
        let Some(last) = before.replace(value) else {
            bits.push(value, 64);
            continue;
        };
        let difference = value ^ last;
        if difference == 0 {
            bits.push(0, 1);
            continue;
        }
        // InfluxDB cuts the number of leading zeros down to five bits; it does not limit it.
        let (lead, trail) = (difference.leading_zeros() & 31, difference.trailing_zeros());
        match window {
            Some((old_lead, old_trail)) if lead >= old_lead && trail >= old_trail => {
                bits.push(0b10, 2);
                bits.push(difference >> old_trail, 64 - old_lead - old_trail);
            }
            _ => {
                let width = 64 - lead - trail;
                bits.push(0b11, 2);
                bits.push(u64::from(lead), 5);
                bits.push(u64::from(width & 63), 6);
                bits.push(difference >> trail, width);
                window = Some((lead, trail));
            }
        }
    }
    bits.finish();
}

/// Exactly `count` values, at least one.
pub(super) fn read(bytes: &[u8], count: usize) -> Result<Vec<f64>, Malformed> {
    let Some((&KIND, stream)) = bytes.split_first() else {
        return Err(Malformed("floats have no such encoding"));
    };
    let (first, _) = stream.split_first_chunk::<8>().ok_or(Malformed("no first float"))?;
    // A point needs a bit at least.
    if count > stream.len() * 8 {
        return Err(Malformed("not as many floats as times"));
    }
    let mut values = Vec::with_capacity(count);
    let mut value = u64::from_be_bytes(*first);
    let mut bits = BitReader { bytes: stream, at: 8, buffer: 0, have: 0 };
    let (mut width, mut trail) = (64, 0);
    values.push(f64::from_bits(value));
    let mut found_end = value == END;
    while values.len() < count {
        bits.fill();
        let same = bits.buffer.leading_zeros().min(bits.have) as usize;
        if same > 0 {
            let same = same.min(count - values.len());
            values.resize(values.len() + same, f64::from_bits(value));
            bits.skip(same as u32);
            continue;
        }
        value ^= bits.difference(&mut width, &mut trail)?;
        found_end |= value == END;
        values.push(f64::from_bits(value));
    }
    bits.fill();
    if found_end || bits.difference(&mut width, &mut trail)? ^ value != END || bits.is_beyond() {
        return Err(Malformed("not as many floats as times"));
    }
    Ok(values)
}

struct BitReader<'a> {
    bytes: &'a [u8],
    /// Of the next byte that is not in `buffer`, also beyond the end: there are zeros.
    at: usize,
    /// The next bits from the top; zeros, or bits that will be read again, below those that it has.
    buffer: u64,
    /// At most 63.
    have: u32,
}

impl BitReader<'_> {
    /// At least 56 bits are in the buffer now.
    #[inline(always)]
    fn fill(&mut self) {
        let next = match self.bytes.get(self.at..).and_then(<[u8]>::first_chunk::<8>) {
            Some(word) => u64::from_be_bytes(*word),
            None => self.last_bytes(),
        };
        self.buffer |= next >> self.have;
        self.at += ((63 - self.have) >> 3) as usize;
        self.have |= 56;
    }

    #[cold]
    fn last_bytes(&self) -> u64 {
        let mut word = [0; 8];
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        word[..rest.len()].copy_from_slice(rest);
        u64::from_be_bytes(word)
    }

    #[inline(always)]
    fn skip(&mut self, count: u32) {
        self.buffer <<= count;
        self.have -= count;
    }

    /// `count` bits, 1 to 56, which are in the buffer.
    #[inline(always)]
    fn take(&mut self, count: u32) -> u64 {
        let bits = self.buffer >> (64 - count);
        self.skip(count);
        bits
    }

    /// What the next value differs in; the window changes with it. The buffer is full. Zero for `0`.
    #[inline(always)]
    fn difference(&mut self, width: &mut u32, trail: &mut u32) -> Result<u64, Malformed> {
        if self.buffer >> 62 < 2 {
            self.skip(1);
            return Ok(0);
        }
        if self.buffer >> 62 == 2 {
            self.skip(2);
        } else {
            let head = u32::try_from(self.take(13)).expect("thirteen bits");
            let lead = head >> 6 & 31;
            *width = if head & 63 == 0 { 64 } else { head & 63 };
            if lead + *width > 64 {
                return Err(Malformed("a float is wider than 64 bits"));
            }
            *trail = 64 - lead - *width;
        }
        if *width > self.have {
            return Ok(self.wide(*width) << *trail);
        }
        Ok(self.take(*width) << *trail)
    }

    /// More bits than are in the buffer.
    fn wide(&mut self, width: u32) -> u64 {
        let have = self.have;
        let high = self.take(have);
        self.fill();
        let rest = width - have;
        high << rest | self.take(rest)
    }

    /// Whether bits were taken that are not there.
    fn is_beyond(&self) -> bool {
        self.at * 8 - self.have as usize > self.bytes.len() * 8
    }
}

struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    word: u64,
    /// 1 to 64.
    free: u32,
}

impl BitWriter<'_> {
    /// The low `count` bits, 1 to 64; those above are zero.
    #[inline]
    fn push(&mut self, bits: u64, count: u32) {
        if count < self.free {
            self.free -= count;
            self.word |= bits << self.free;
            return;
        }
        let more = count - self.free;
        self.out.extend_from_slice(&(self.word | bits >> more).to_be_bytes());
        self.word = if more == 0 { 0 } else { bits << (64 - more) };
        self.free = 64 - more;
    }

    fn finish(self) {
        let used = (64 - self.free).div_ceil(8) as usize;
        self.out.extend_from_slice(&self.word.to_be_bytes()[..used]);
    }
}
