//! Bitmaps by the vectors of x86: AVX2 or AVX-512, and the carry-less product for parities.
//!
//! The only unsafe code of the line path. It reads 64 bytes that a reference vouches for, and runs
//! instructions that the processor has: `Avx2` and `Avx512` exist only where they were found.
#![allow(unsafe_code, reason = "vector instructions; each block says why it may")]

use super::keys::Templates;
use super::swar::Swar;
use super::walk::{self, Batch};

/// Finds the first lines of `text` that are surely valid, with the best classifier of this machine.
pub(super) fn scan(text: &[u8], factor: i64, templates: &mut Templates, batch: &mut Batch) {
    #[cfg(target_arch = "x86_64")]
    if let Some(avx512) = x86::Avx512::detect() {
        return avx512.scan(text, factor, templates, batch);
    }
    scan_avx2(text, factor, templates, batch);
}

/// The same without AVX-512.
pub(super) fn scan_avx2(text: &[u8], factor: i64, templates: &mut Templates, batch: &mut Batch) {
    #[cfg(target_arch = "x86_64")]
    if let Some(avx2) = x86::Avx2::detect() {
        return avx2.scan(text, factor, templates, batch);
    }
    walk::scan(Swar, text, factor, templates, batch);
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::super::bits::{BLOCK, Classifier, Numbers, Specials, Structure};
    use super::super::keys::Templates;
    use super::super::walk::{self, Batch, MARKS};
    use std::arch::x86_64::{
        __m256i, __m512i, _mm_and_si128, _mm_clmulepi64_si128, _mm_cvtsi64_si128,
        _mm_cvtsi128_si64, _mm_loadu_si128, _mm_madd_epi16, _mm_maddubs_epi16, _mm_packus_epi32,
        _mm_set1_epi8, _mm_set1_epi16, _mm_set1_epi32, _mm256_add_epi8, _mm256_add_epi16,
        _mm256_andnot_si256, _mm256_cmpeq_epi8, _mm256_cmpgt_epi8, _mm256_cvtepu8_epi16,
        _mm256_loadu_si256, _mm256_min_epu8, _mm256_movemask_epi8, _mm256_or_si256,
        _mm256_set1_epi8, _mm256_set1_epi16, _mm256_storeu_si256, _mm512_castsi512_si128,
        _mm512_cmpeq_epi8_mask, _mm512_cmplt_epi8_mask, _mm512_cmplt_epu8_mask, _mm512_loadu_si512,
        _mm512_maskz_compress_epi8, _mm512_set1_epi8, _mm512_sub_epi8,
    };

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

    /// The proof that this processor has all of `Avx2`, and AVX-512 for bytes with its second set of shuffles.
    #[derive(Clone, Copy, Debug)]
    pub struct Avx512(Avx2);

    impl Avx512 {
        #[inline]
        pub fn detect() -> Option<Avx512> {
            let has_all = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512vbmi2");
            Avx2::detect().filter(|_| has_all).map(Avx512)
        }

        #[inline]
        pub fn scan(self, text: &[u8], factor: i64, templates: &mut Templates, batch: &mut Batch) {
            // SAFETY: `self` is the proof that the processor has what the function is compiled for.
            unsafe { scan_avx512(self, text, factor, templates, batch) }
        }
    }

    #[target_feature(
        enable = "avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512vl,avx512vbmi2"
    )]
    fn scan_avx512(
        avx512: Avx512,
        text: &[u8],
        factor: i64,
        templates: &mut Templates,
        batch: &mut Batch,
    ) {
        walk::scan(avx512, text, factor, templates, batch);
    }

    impl Classifier for Avx512 {
        #[inline(always)]
        fn structure(self, block: &[u8; BLOCK]) -> Structure {
            // SAFETY: `self` is the proof that the processor has AVX-512.
            unsafe { structure_512(block) }
        }

        #[inline(always)]
        fn numbers(self, block: &[u8; BLOCK]) -> Numbers {
            // SAFETY: `self` is the proof that the processor has AVX-512.
            unsafe { numbers_512(block) }
        }

        #[inline(always)]
        fn minuses(self, block: &[u8; BLOCK]) -> u64 {
            self.0.minuses(block)
        }

        #[inline(always)]
        fn specials(self, block: &[u8; BLOCK]) -> Specials {
            self.0.specials(block)
        }

        #[inline(always)]
        fn parity(self, bits: u64) -> u64 {
            self.0.parity(bits)
        }

        #[inline(always)]
        fn sixteen(self, bytes: &[u8; 16], digits: usize) -> u64 {
            self.0.sixteen(bytes, digits)
        }

        #[inline(always)]
        fn list(self, places: &mut [u16; MARKS], count: usize, base: usize, bits: u64) -> usize {
            let end = count + bits.count_ones() as usize;
            match places[count..].first_chunk_mut() {
                // SAFETY: `self` is the proof that the processor has AVX-512.
                Some(room) if end - count <= 16 => unsafe { list_512(room, base as u16, bits) },
                _ => return walk::list(places, count, base, bits),
            }
            end
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn structure_512(block: &[u8; BLOCK]) -> Structure {
        let bytes = load_512(block);
        let is = |byte: u8| _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(byte as i8));
        let line_feeds = is(b'\n');
        let low = _mm512_cmplt_epi8_mask(bytes, _mm512_set1_epi8(b' ' as i8));
        Structure {
            line_feeds,
            commas: is(b','),
            blanks: is(b' '),
            equals: is(b'='),
            special: is(b'"') | is(b'\\') | (low & !line_feeds),
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn numbers_512(block: &[u8; BLOCK]) -> Numbers {
        let bytes = load_512(block);
        let is = |byte: u8| _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(byte as i8));
        let values = _mm512_sub_epi8(bytes, _mm512_set1_epi8(b'0' as i8));
        Numbers {
            digits: _mm512_cmplt_epu8_mask(values, _mm512_set1_epi8(10)),
            points: is(b'.'),
            integers: is(b'i'),
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn load_512(block: &[u8; BLOCK]) -> __m512i {
        // SAFETY: the block has 64 bytes; this load needs no alignment.
        unsafe { _mm512_loadu_si512(block.as_ptr().cast()) }
    }

    /// Writes the places of the first 16 bits.
    #[inline]
    #[target_feature(enable = "avx2,avx512f,avx512bw,avx512vl,avx512vbmi2")]
    fn list_512(room: &mut [u16; 16], base: u16, bits: u64) {
        const NUMBERS: [u8; BLOCK] = {
            let mut numbers = [0; BLOCK];
            let mut at = 0;
            while at < BLOCK {
                numbers[at] = at as u8;
                at += 1;
            }
            numbers
        };
        let packed = _mm512_maskz_compress_epi8(bits, load_512(&NUMBERS));
        let places = _mm256_cvtepu8_epi16(_mm512_castsi512_si128(packed));
        let places = _mm256_add_epi16(places, _mm256_set1_epi16(base as i16));
        // SAFETY: there is room for 16 numbers of 16 bits; this store needs no alignment.
        unsafe { _mm256_storeu_si256(room.as_mut_ptr().cast(), places) }
    }

    impl Classifier for Avx2 {
        #[inline(always)]
        fn structure(self, block: &[u8; BLOCK]) -> Structure {
            // SAFETY: `self` is the proof that the processor has AVX2.
            unsafe { structure(block) }
        }

        #[inline(always)]
        fn numbers(self, block: &[u8; BLOCK]) -> Numbers {
            // SAFETY: `self` is the proof that the processor has AVX2.
            unsafe { numbers(block) }
        }

        #[inline(always)]
        fn minuses(self, block: &[u8; BLOCK]) -> u64 {
            // SAFETY: `self` is the proof that the processor has AVX2.
            unsafe { minuses(block) }
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

        #[inline(always)]
        fn sixteen(self, bytes: &[u8; 16], digits: usize) -> u64 {
            // SAFETY: `self` is the proof that the processor has AVX2.
            unsafe { sixteen(bytes, digits) }
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn structure(block: &[u8; BLOCK]) -> Structure {
        let halves = load(block);
        Structure {
            line_feeds: each(halves, |half| is(half, b'\n')),
            commas: each(halves, |half| is(half, b',')),
            blanks: each(halves, |half| is(half, b' ')),
            equals: each(halves, |half| is(half, b'=')),
            special: each(halves, |half| {
                let quotes = _mm256_or_si256(is(half, b'"'), is(half, b'\\'));
                _mm256_or_si256(quotes, others(half))
            }),
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn numbers(block: &[u8; BLOCK]) -> Numbers {
        let halves = load(block);
        Numbers {
            digits: each(halves, |half| digits(half)),
            points: each(halves, |half| is(half, b'.')),
            integers: each(halves, |half| is(half, b'i')),
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn minuses(block: &[u8; BLOCK]) -> u64 {
        each(load(block), |half| is(half, b'-'))
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

    /// The number that the last `digits` of 16 bytes are. Each step joins neighbours; the last one leaves two
    /// numbers of eight digits.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn sixteen(bytes: &[u8; 16], digits: usize) -> u64 {
        /// Sixteen of these from place n on keep n digits.
        const KEPT: [u8; 32] = {
            let mut masks = [0; 32];
            let mut at = 16;
            while at < 32 {
                masks[at] = 0x0F;
                at += 1;
            }
            masks
        };
        let kept = KEPT[digits.min(16)..].first_chunk::<16>().expect("at most 16 are passed over");
        // SAFETY: both have 16 bytes; these loads need no alignment.
        let (bytes, kept) = unsafe {
            (_mm_loadu_si128(bytes.as_ptr().cast()), _mm_loadu_si128(kept.as_ptr().cast()))
        };
        let ones = _mm_and_si128(bytes, kept);
        let pairs = _mm_maddubs_epi16(ones, _mm_set1_epi16(10 | (1 << 8)));
        let fours = _mm_madd_epi16(pairs, _mm_set1_epi32(100 | (1 << 16)));
        let packed = _mm_packus_epi32(fours, fours);
        let eights = _mm_madd_epi16(packed, _mm_set1_epi32(10_000 | (1 << 16)));
        let both = _mm_cvtsi128_si64(eights) as u64;
        (both & 0xFFFF_FFFF) * 100_000_000 + (both >> 32)
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
