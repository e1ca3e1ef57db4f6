//! Bitmaps by the vectors of x86: AVX2, and the carry-less product for parities.
//!
//! The only unsafe code of the line path. It reads 64 bytes that a reference vouches for, and runs
//! instructions that the processor has: `Avx2` exists only where they were found.
#![allow(unsafe_code, reason = "vector instructions; each block says why it may")]

#[cfg(target_arch = "x86_64")]
pub(super) use x86::Avx2;

use super::keys::Templates;
use super::swar::Swar;
use super::walk::{self, Batch};

/// Finds the first lines of `text` that are surely valid, with the best classifier of this machine.
pub(super) fn scan(text: &[u8], factor: i64, templates: &mut Templates, batch: &mut Batch) {
    #[cfg(target_arch = "x86_64")]
    if let Some(avx2) = Avx2::detect() {
        return avx2.scan(text, factor, templates, batch);
    }
    walk::scan(Swar, text, factor, templates, batch);
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::super::bits::{BLOCK, Bitmaps, Classifier, Specials};
    use super::super::keys::Templates;
    use super::super::walk::{self, Batch};
    use std::arch::x86_64::*;

    /// The proof that this processor has AVX2, PCLMULQDQ, BMI1, BMI2, LZCNT and POPCNT.
    #[derive(Clone, Copy, Debug)]
    pub struct Avx2(());

    impl Avx2 {
        #[inline]
        pub fn detect() -> Option<Avx2> {
            let has_all = is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("pclmulqdq")
                && is_x86_feature_detected!("bmi1")
                && is_x86_feature_detected!("bmi2")
                && is_x86_feature_detected!("lzcnt")
                && is_x86_feature_detected!("popcnt");
            has_all.then_some(Avx2(()))
        }

        #[inline]
        pub fn scan(self, text: &[u8], factor: i64, templates: &mut Templates, batch: &mut Batch) {
            // SAFETY: `self` is the proof that the processor has what the function is compiled for.
            unsafe { scan(self, text, factor, templates, batch) }
        }
    }

    /// `walk::scan`, compiled for these instructions as a whole.
    #[target_feature(enable = "avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
    fn scan(avx2: Avx2, text: &[u8], factor: i64, templates: &mut Templates, batch: &mut Batch) {
        walk::scan(avx2, text, factor, templates, batch);
    }

    impl Classifier for Avx2 {
        #[inline(always)]
        fn bitmaps(self, block: &[u8; BLOCK]) -> Bitmaps {
            // SAFETY: `self` is the proof that the processor has AVX2.
            unsafe { bitmaps(block) }
        }

        #[inline(always)]
        fn specials(self, block: &[u8; BLOCK]) -> Specials {
            // SAFETY: `self` is the proof that the processor has AVX2.
            unsafe { specials(block) }
        }

        #[inline(always)]
        fn parity(self, bits: u64) -> u64 {
            // SAFETY: `self` is the proof that the processor has PCLMULQDQ.
            unsafe { parity(bits) }
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn bitmaps(block: &[u8; BLOCK]) -> Bitmaps {
        let halves = load(block);
        Bitmaps {
            line_feeds: each(halves, |half| is(half, b'\n')),
            commas: each(halves, |half| is(half, b',')),
            blanks: each(halves, |half| is(half, b' ')),
            equals: each(halves, |half| is(half, b'=')),
            digits: each(halves, |half| digits(half)),
            points: each(halves, |half| is(half, b'.')),
            minuses: each(halves, |half| is(half, b'-')),
            integers: each(halves, |half| is(half, b'i')),
            special: each(halves, |half| {
                let quotes = _mm256_or_si256(is(half, b'"'), is(half, b'\\'));
                _mm256_or_si256(quotes, others(half))
            }),
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn specials(block: &[u8; BLOCK]) -> Specials {
        let halves = load(block);
        Specials {
            quotes: each(halves, |half| is(half, b'"')),
            backslashes: each(halves, |half| is(half, b'\\')),
            others: each(halves, |half| others(half)),
        }
    }

    /// The product with all ones, without carries, is the exclusive or of all lower bits.
    #[inline]
    #[target_feature(enable = "pclmulqdq")]
    fn parity(bits: u64) -> u64 {
        let product = _mm_clmulepi64_si128::<0>(_mm_cvtsi64_si128(bits as i64), _mm_set1_epi8(-1));
        _mm_cvtsi128_si64(product) as u64
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn load(block: &[u8; BLOCK]) -> [__m256i; 2] {
        let first = block.as_ptr().cast::<__m256i>();
        // SAFETY: the block has 64 bytes; these loads need no alignment.
        unsafe { [_mm256_loadu_si256(first), _mm256_loadu_si256(first.add(1))] }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn each(halves: [__m256i; 2], class: impl Fn(__m256i) -> __m256i) -> u64 {
        let bits = |half| _mm256_movemask_epi8(class(half)) as u32;
        u64::from(bits(halves[0])) | (u64::from(bits(halves[1])) << 32)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn is(half: __m256i, byte: u8) -> __m256i {
        _mm256_cmpeq_epi8(half, _mm256_set1_epi8(byte as i8))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn digits(half: __m256i) -> __m256i {
        let value = _mm256_add_epi8(half, _mm256_set1_epi8(-(b'0' as i8)));
        _mm256_cmpeq_epi8(_mm256_min_epu8(value, _mm256_set1_epi8(9)), value)
    }

    /// Signed, what is not ASCII is below the blank, as control characters are.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn others(half: __m256i) -> __m256i {
        let low = _mm256_cmpgt_epi8(_mm256_set1_epi8(b' ' as i8), half);
        _mm256_andnot_si256(is(half, b'\n'), low)
    }
}
