//! What of some pieces is still to be sent. Pure.

use std::io::IoSlice;

pub(super) struct Rest<'a> {
    pieces: &'a [&'a [u8]],
    /// Of the first piece, already sent.
    sent: usize,
}

impl<'a> Rest<'a> {
    pub(super) fn new(pieces: &'a [&'a [u8]]) -> Rest<'a> {
        let mut rest = Rest { pieces, sent: 0 };
        rest.skip(0);
        rest
    }

    /// The piece that is next, never empty; nothing at the end.
    pub(super) fn first(&self) -> Option<&'a [u8]> {
        self.pieces.first().map(|piece| &piece[self.sent..])
    }

    /// Names as many pieces as there are slices: how many.
    pub(super) fn fill(&self, slices: &mut [IoSlice<'a>]) -> usize {
        let later = self.pieces.iter().skip(1).copied();
        let all = self.first().into_iter().chain(later);
        slices.iter_mut().zip(all).map(|(slice, piece)| *slice = IoSlice::new(piece)).count()
    }

    /// Goes on by `sent` bytes, and over empty pieces.
    pub(super) fn skip(&mut self, sent: usize) {
        self.sent += sent;
        while let Some(first) = self.pieces.first().filter(|first| first.len() <= self.sent) {
            self.sent -= first.len();
            self.pieces = &self.pieces[1..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_sent_from_any_byte_on() {
        let pieces: [&[u8]; 5] = [b"", b"abc", b"", b"d", b"ef"];
        let whole = pieces.concat();
        for first in 0..=whole.len() {
            for second in 0..=whole.len() - first {
                let mut rest = Rest::new(&pieces);
                rest.skip(first);
                rest.skip(second);
                let mut slices = [IoSlice::new(&[]); 8];
                let count = rest.fill(&mut slices);
                let left: Vec<u8> =
                    slices[..count].iter().flat_map(|slice| slice.to_vec()).collect();
                assert_eq!(left, whole[first + second..]);
                assert_eq!(rest.first().is_none(), left.is_empty());
            }
        }
    }
}
