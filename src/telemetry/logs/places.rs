//! How often each place in the source has spoken: a flood from one of them must not drown the others.

use arc_swap::ArcSwapOption;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use tracing::Metadata;

/// How long lines of one place count together.
pub(super) const WINDOW_MS: u64 = 10_000;

/// How many of them are told within a window. As many backends may go down at once.
pub(super) const LINES_A_WINDOW: u64 = 20;

/// More places than the source has. One that finds no room here is never held back.
const PLACES_MAX: usize = 512;

/// What to do with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Tell,
    /// The same, after telling how many were held back in the window that is over.
    TellAfter {
        held: u64,
    },
    Hold,
}

/// All places that have spoken. Shared: by all threads; two that come to the same place at once may let one
/// line too many through, or count one too few.
pub(super) struct Places {
    slots: [Slot; PLACES_MAX],
}

struct Slot {
    /// Whose it is; empty while it is free.
    owner: OnceLock<&'static Metadata<'static>>,
    window_began_ms: AtomicU64,
    /// In this window, told or not.
    count: AtomicU64,
    /// The message of the last line that was told.
    text: ArcSwapOption<String>,
}

impl Slot {
    const fn free() -> Slot {
        Slot {
            owner: OnceLock::new(),
            window_began_ms: AtomicU64::new(0),
            count: AtomicU64::new(0),
            text: ArcSwapOption::const_empty(),
        }
    }

    /// How many lines of the window that is over were held back; a new one begins.
    fn next_window(&self, now_ms: u64, count: u64) -> u64 {
        self.window_began_ms.store(now_ms, Ordering::Relaxed);
        self.count.swap(count, Ordering::Relaxed).saturating_sub(LINES_A_WINDOW)
    }

    fn is_over(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.window_began_ms.load(Ordering::Relaxed)) >= WINDOW_MS
    }
}

impl Places {
    pub(super) const fn new() -> Places {
        Places { slots: [const { Slot::free() }; PLACES_MAX] }
    }

    /// What is to be done with one more line of this place.
    pub(super) fn ask(&self, place: &'static Metadata<'static>, now_ms: u64) -> Verdict {
        let Some(slot) = self.slot(place) else { return Verdict::Tell };
        if slot.is_over(now_ms) {
            return match slot.next_window(now_ms, 1) {
                0 => Verdict::Tell,
                held => Verdict::TellAfter { held },
            };
        }
        match slot.count.fetch_add(1, Ordering::Relaxed) {
            before if before < LINES_A_WINDOW => Verdict::Tell,
            _ => Verdict::Hold,
        }
    }

    /// What the summary of this place will call its lines.
    pub(super) fn remember(&self, place: &'static Metadata<'static>, text: &str) {
        if let Some(slot) = self.slot(place)
            && slot.text.load().as_ref().is_none_or(|known| known.as_str() != text)
        {
            slot.text.store(Some(Arc::new(text.to_owned())));
        }
    }

    /// Every place whose window is over and that held lines back, with their number.
    pub(super) fn each_overdue(
        &self,
        now_ms: u64,
        mut tell: impl FnMut(&'static Metadata<'static>, &str, u64),
    ) {
        for slot in &self.slots {
            let Some(place) = slot.owner.get() else { continue };
            let has_held = slot.count.load(Ordering::Relaxed) > LINES_A_WINDOW;
            if !has_held || !slot.is_over(now_ms) {
                continue;
            }
            let held = slot.next_window(now_ms, 0);
            let text = slot.text.load_full();
            if held > 0 {
                tell(place, text.as_ref().map_or("", |text| text.as_str()), held);
            }
        }
    }

    /// The slot of a place: its own, or a free one that is its own from now on.
    fn slot(&self, place: &'static Metadata<'static>) -> Option<&Slot> {
        // Places lie side by side in memory, each some hundred bytes long.
        let first = ptr::from_ref(place).addr() >> 4;
        (0..PLACES_MAX)
            .map(|step| &self.slots[(first + step) % PLACES_MAX])
            .find(|slot| ptr::eq(*slot.owner.get_or_init(|| place), place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Callsite;
    use tracing::callsite::Identifier;
    use tracing::field::FieldSet;
    use tracing::subscriber::Interest;

    struct Nowhere;

    impl Callsite for Nowhere {
        fn set_interest(&self, _: Interest) {}

        fn metadata(&self) -> &Metadata<'_> {
            place()
        }
    }

    static NOWHERE: Nowhere = Nowhere;

    fn place() -> &'static Metadata<'static> {
        static PLACE: OnceLock<&'static Metadata<'static>> = OnceLock::new();
        PLACE.get_or_init(another)
    }

    fn another() -> &'static Metadata<'static> {
        let fields = FieldSet::new(&[], Identifier(&NOWHERE));
        let (level, kind) = (tracing::Level::WARN, tracing::metadata::Kind::EVENT);
        Box::leak(Box::new(Metadata::new("n", "t", level, None, None, None, fields, kind)))
    }

    fn overdue(places: &Places, now_ms: u64) -> Vec<(String, u64)> {
        let mut all = Vec::new();
        places.each_overdue(now_ms, |_, text, held| all.push((text.to_owned(), held)));
        all
    }

    #[test]
    fn a_flood_is_held_back_and_told_with_the_next_line() {
        let places = Places::new();
        for _ in 0..LINES_A_WINDOW {
            assert_eq!(places.ask(place(), 50_000), Verdict::Tell);
        }
        for _ in 0..7 {
            assert_eq!(places.ask(place(), 59_999), Verdict::Hold);
        }
        assert_eq!(places.ask(place(), 60_000), Verdict::TellAfter { held: 7 });
        assert_eq!(places.ask(place(), 60_001), Verdict::Tell);
    }

    #[test]
    fn a_flood_that_ended_is_told_once() {
        let places = Places::new();
        for _ in 0..LINES_A_WINDOW + 3 {
            places.ask(place(), 50_000);
            places.remember(place(), "it burns");
        }
        assert_eq!(overdue(&places, 59_999), []);
        assert_eq!(overdue(&places, 60_000), [("it burns".to_owned(), 3)]);
        assert_eq!(overdue(&places, 90_000), []);
        assert_eq!(places.ask(place(), 90_000), Verdict::Tell);
    }

    #[test]
    fn one_place_does_not_silence_another() {
        let places = Places::new();
        for _ in 0..LINES_A_WINDOW + 1 {
            places.ask(place(), 50_000);
        }
        assert_eq!(places.ask(place(), 50_000), Verdict::Hold);
        assert_eq!(places.ask(another(), 50_000), Verdict::Tell);
    }

    #[test]
    fn without_room_for_a_place_nothing_is_held_back() {
        let places = Places::new();
        for _ in 0..PLACES_MAX {
            assert_eq!(places.ask(another(), 50_000), Verdict::Tell);
        }
        let late = another();
        for _ in 0..2 * LINES_A_WINDOW {
            assert_eq!(places.ask(late, 50_000), Verdict::Tell);
        }
    }
}
