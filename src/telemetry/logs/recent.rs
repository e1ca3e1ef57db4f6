//! The last lines, whoever read them: a ring of slots, written and read without a lock.

use arc_swap::ArcSwapOption;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many lines are kept.
const LINES_KEPT: usize = 256;

/// Shared: by all threads; a slot is replaced as a whole.
struct Ring {
    slots: [ArcSwapOption<String>; LINES_KEPT],
    next: AtomicUsize,
}

/// Shared: by all threads.
static RING: Ring =
    Ring { slots: [const { ArcSwapOption::const_empty() }; LINES_KEPT], next: AtomicUsize::new(0) };

pub(super) fn keep(line: String) {
    RING.keep(line);
}

/// The last lines of this process, oldest first, each with its line end. One that is written in this very
/// moment may be missing, or stand where an older one stood.
pub fn recent() -> String {
    RING.text()
}

impl Ring {
    fn keep(&self, line: String) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.slots[number % LINES_KEPT].store(Some(Arc::new(line)));
    }

    fn text(&self) -> String {
        let next = self.next.load(Ordering::Relaxed);
        let numbers = next.saturating_sub(LINES_KEPT)..next;
        let lines = numbers.filter_map(|number| self.slots[number % LINES_KEPT].load_full());
        lines.map(|line| line.to_string()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_in_their_order() {
        let ring = Ring {
            slots: [const { ArcSwapOption::const_empty() }; LINES_KEPT],
            next: AtomicUsize::new(0),
        };
        assert_eq!(ring.text(), "");
        ring.keep("first\n".to_owned());
        assert_eq!(ring.text(), "first\n");
        for number in 0..LINES_KEPT {
            ring.keep(format!("{number}\n"));
        }
        let text = ring.text();
        assert!(text.starts_with("0\n1\n"), "{text}");
        assert!(text.ends_with("\n254\n255\n"), "{text}");
    }
}
