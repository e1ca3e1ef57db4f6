//! Packs an answer as one gzip member, piece by piece.

use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;

/// What comes in comes out of [`Deflate::ready`] sooner or later, and at [`Deflate::finish`] at the latest.
pub struct Deflate(GzEncoder<Vec<u8>>);

impl Default for Deflate {
    fn default() -> Deflate {
        // Answers are numbers in text: more than the fastest level saves little.
        Deflate(GzEncoder::new(Vec::new(), Compression::fast()))
    }
}

impl Deflate {
    pub fn push(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).expect("memory takes every byte");
    }

    /// Everything that was pushed can be unpacked of what is ready now.
    pub fn flush(&mut self) {
        self.0.flush().expect("memory takes every byte");
    }

    /// What is packed; maybe nothing.
    pub fn ready(&mut self) -> Vec<u8> {
        std::mem::take(self.0.get_mut())
    }

    /// The rest, with the end.
    pub fn finish(self) -> Vec<u8> {
        self.0.finish().expect("memory takes every byte")
    }
}

/// Whether a client that says this takes gzip.
pub fn takes_gzip(accept_encoding: &str) -> bool {
    accept_encoding.split(',').any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let is_refused = parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
        (name.eq_ignore_ascii_case("gzip") || name == "*") && !is_refused
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::GzDecoder;
    use std::io::Read;

    #[test]
    fn the_pieces_together_are_one_member() {
        let mut deflate = Deflate::default();
        let (mut packed, mut plain) = (Vec::new(), Vec::new());
        for number in 0..10_000 {
            let text = format!("[\"2026-11-22T09:{:02}:00Z\",{}],", number % 60, number / 9);
            deflate.push(text.as_bytes());
            plain.extend_from_slice(text.as_bytes());
            packed.extend(deflate.ready());
        }
        deflate.flush();
        packed.extend(deflate.ready());
        let mut sofar = vec![0; plain.len()];
        GzDecoder::new(&packed[..]).read_exact(&mut sofar).unwrap();
        assert_eq!(sofar, plain);
        packed.extend(deflate.finish());
        let mut found = Vec::new();
        GzDecoder::new(&packed[..]).read_to_end(&mut found).unwrap();
        assert_eq!(found, plain);
        assert!(packed.len() < plain.len() / 2, "{} of {}", packed.len(), plain.len());
    }

    #[test]
    fn a_client_says_whether_it_takes_gzip() {
        for text in ["gzip", "gzip, deflate", "deflate, GZIP;q=0.5", "*", "br;q=1, gzip"] {
            assert!(takes_gzip(text), "{text}");
        }
        for text in ["", "identity", "deflate", "gzip;q=0", "x-gzip"] {
            assert!(!takes_gzip(text), "{text}");
        }
    }
}
