//! The fast way through a body: lines that a scan has found, and when it is worth to scan again.
//!
//! Nothing here decides about a line. Where a scan finds none, nom takes exactly one, and the next
//! scan begins after it.

use std::cell::RefCell;

use super::keys::Templates;
use super::simd;
use super::swar::Swar;
use super::walk::{self, Batch, Found};

/// How lines are checked. All ways give the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The fastest of this machine.
    Best,
    /// The fast way of machines without the vectors that `simd` knows.
    Portable,
    /// The grammar alone, the reference.
    Grammar,
}

thread_local! {
    /// Each core has its own.
    static TEMPLATES: RefCell<Templates> = const { RefCell::new(Templates::new()) };
}

/// The end of a body is copied before it is scanned, so that whole words can be read behind it. A longer last
/// line is nom's.
const TAIL_BYTES_MAX: usize = 1024;

/// Bytes after the copy: a block, and the longest tag key that is compared.
const PADDING: usize = 128;

/// After a scan that found nothing, at most so many lines go to nom before the next one.
const PAUSE_MAX: u32 = 16;

/// Lines that were found and not yet handed out.
#[derive(Debug)]
pub(super) struct Fast {
    way: Way,
    batch: Batch,
    taken: usize,
    /// Where the scanned text begins in the body.
    base: usize,
    pause: u32,
    pause_next: u32,
}

impl Fast {
    pub fn new(way: Way) -> Fast {
        Fast { way, batch: Batch::new(), taken: 0, base: 0, pause: 0, pause_next: 0 }
    }

    /// The next line that was found: where the scan began, and the line's places from there.
    #[inline(always)]
    pub fn take(&mut self) -> Option<(usize, Found)> {
        let found = *self.batch.lines[..self.batch.count].get(self.taken)?;
        self.taken += 1;
        Some((self.base, found))
    }

    /// Looks for lines from `at` on; says whether there is any.
    pub fn look(&mut self, body: &[u8], at: usize, factor: i64) -> bool {
        if self.pause > 0 || self.way == Way::Grammar {
            self.pause = self.pause.saturating_sub(1);
            return false;
        }
        (self.taken, self.base) = (0, at);
        TEMPLATES.with_borrow_mut(|templates| self.scan(&body[at..], factor, templates));
        if self.batch.count > 0 {
            self.pause_next = 0;
            return true;
        }
        self.pause = self.pause_next;
        self.pause_next = (2 * self.pause_next + 1).min(PAUSE_MAX);
        false
    }

    fn scan(&mut self, text: &[u8], factor: i64, templates: &mut Templates) {
        self.scan_text(text, factor, templates);
        if self.batch.count == 0 && self.batch.ran_out && text.len() <= TAIL_BYTES_MAX {
            let mut copy = [b'\n'; TAIL_BYTES_MAX + PADDING];
            copy[..text.len()].copy_from_slice(text);
            self.scan_text(&copy[..text.len() + PADDING], factor, templates);
        }
    }

    fn scan_text(&mut self, text: &[u8], factor: i64, templates: &mut Templates) {
        match self.way {
            Way::Best => simd::scan(text, factor, templates, &mut self.batch),
            Way::Portable => walk::scan(Swar, text, factor, templates, &mut self.batch),
            Way::Grammar => unreachable!("the grammar does not scan"),
        }
    }
}
