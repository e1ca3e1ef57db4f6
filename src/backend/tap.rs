//! Who wants to see lines that pass, over all shards.
//!
//! While nobody does, a request pays for one look at a flag. While somebody does, a shard puts copies of some
//! lines into a channel that never makes it wait: what does not fit is not shown.

use arc_swap::ArcSwap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::base::time::Mono;
use crate::config::token::{Extent, Rate};
use crate::proto::line::decode_measurement;
use crate::ring::Target;

/// How many may look at once.
const TAPS_MAX: usize = 8;

/// Lines that wait for one who looks.
const LINES_WAITING_MAX: usize = 256;

/// Longer lines are not shown, in bytes.
const LINE_BYTES_MAX: usize = 16 * 1024;

/// Of one request so many lines are looked at; where they begin moves on with each request.
const LINES_LOOKED_AT_MAX: usize = 1000;

/// What one of them wants to see. Lives on: whoever asks, then in a [`Tap`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    pub extent: Extent,
    /// Absent: all of them.
    pub measurement: Option<Vec<u8>>,
    pub lines_per_second: u64,
}

/// Shared: by all shards; replaced as a whole when somebody comes or goes.
#[derive(Debug, Default)]
pub struct Taps {
    is_open: AtomicBool,
    all: ArcSwap<Vec<Arc<Tap>>>,
}

/// Shared: by all shards; atomics and a channel.
#[derive(Debug)]
pub struct Tap {
    wish: Wish,
    rate: Rate,
    turn: AtomicUsize,
    sender: SyncSender<Vec<u8>>,
}

/// The lines of one request. Those who look never make them wait.
pub trait Passing {
    fn count(&self) -> usize;
    /// From its first byte, perhaps with what follows in the body.
    fn text(&self, number: usize) -> &[u8];
    /// As the log has it: with its time in nanoseconds and its line end.
    fn whole(&self, number: usize) -> Vec<u8>;
}

impl Taps {
    /// Whether anybody looks: all that a request asks while nobody does.
    pub fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    /// One more looks; `None` if there are too many already.
    pub fn open(&self, wish: Wish) -> Option<(Arc<Tap>, Receiver<Vec<u8>>)> {
        let (sender, lines) = sync_channel(LINES_WAITING_MAX);
        let rate = Rate::new(wish.lines_per_second);
        let tap = Arc::new(Tap { wish, rate, turn: AtomicUsize::new(0), sender });
        let before = self.all.rcu(|all| {
            let more = (all.len() < TAPS_MAX).then(|| tap.clone());
            all.iter().cloned().chain(more).collect::<Vec<_>>()
        });
        if before.len() >= TAPS_MAX {
            return None;
        }
        self.is_open.store(true, Ordering::SeqCst);
        Some((tap, lines))
    }

    pub fn close(&self, tap: &Arc<Tap>) {
        self.all.rcu(|all| {
            all.iter().filter(|other| !Arc::ptr_eq(other, tap)).cloned().collect::<Vec<_>>()
        });
        self.is_open.store(false, Ordering::SeqCst);
        // Somebody may have come in between.
        if !self.all.load().is_empty() {
            self.is_open.store(true, Ordering::SeqCst);
        }
    }

    /// Shows some of the lines of a request to whoever wants to see them.
    pub fn show(&self, target: &Target, lines: &impl Passing, now: Mono) {
        for tap in self.all.load().iter().filter(|tap| tap.wish.extent.has(target)) {
            tap.show(lines, now);
        }
    }
}

impl Tap {
    fn show(&self, lines: &impl Passing, now: Mono) {
        let count = lines.count();
        if count == 0 {
            return;
        }
        let looked_at = count.min(LINES_LOOKED_AT_MAX);
        let first = self.turn.fetch_add(looked_at, Ordering::Relaxed) % count;
        for number in (first..first + looked_at).map(|number| number % count) {
            if self.rate.wait(now).is_some() {
                return;
            }
            if !self.wants(lines.text(number)) {
                continue;
            }
            let line = lines.whole(number);
            // A channel that is full, or whose reader has gone, shows nothing.
            if line.len() <= LINE_BYTES_MAX && self.sender.try_send(line).is_ok() {
                self.rate.take(1, now);
            }
        }
    }

    fn wants(&self, text: &[u8]) -> bool {
        let wanted = self.wish.measurement.as_ref();
        wanted.is_none_or(|wanted| *decode_measurement(raw_measurement(text)) == **wanted)
    }
}

/// Up to the first comma or blank that is not escaped.
fn raw_measurement(text: &[u8]) -> &[u8] {
    let mut is_escaped = false;
    let ends = |byte: &u8| {
        let ends = !is_escaped && matches!(byte, b',' | b' ');
        is_escaped = *byte == b'\\' && !is_escaped;
        ends
    };
    let end = text.iter().position(ends).unwrap_or(text.len());
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::Naming;

    struct Texts(Vec<String>);

    impl Passing for Texts {
        fn count(&self) -> usize {
            self.0.len()
        }

        fn text(&self, number: usize) -> &[u8] {
            self.0[number].as_bytes()
        }

        fn whole(&self, number: usize) -> Vec<u8> {
            format!("{}\n", self.0[number]).into_bytes()
        }
    }

    const NOW: Mono = Mono(5_000_000_000);

    fn wish(extent: &str, measurement: Option<&str>, lines_per_second: u64) -> Wish {
        let measurement = measurement.map(|name| name.as_bytes().to_vec());
        Wish { extent: Extent::parse(extent), measurement, lines_per_second }
    }

    fn texts(all: &[&str]) -> Texts {
        Texts(all.iter().map(|text| (*text).to_owned()).collect())
    }

    fn seen(lines: &Receiver<Vec<u8>>) -> Vec<String> {
        lines.try_iter().map(|line| String::from_utf8(line).unwrap()).collect()
    }

    fn target(database: &str, policy: Option<&str>) -> Target {
        Naming::new("default", &[]).v1(database, policy)
    }

    #[test]
    fn only_what_is_wished_for_is_shown() {
        let taps = Taps::default();
        let (_all, all) = taps.open(wish("d", None, 1000)).unwrap();
        let (_cpu, cpu) = taps.open(wish("d", Some("c pu"), 1000)).unwrap();
        let (_weekly, weekly) = taps.open(wish("d/weekly", None, 1000)).unwrap();
        let lines = texts(&["c\\ pu,t=a v=1 1", "c\\ pux v=1 2", "c\\ pu v=1 3"]);
        taps.show(&target("d", None), &lines, NOW);
        taps.show(&target("e", None), &lines, NOW);
        assert_eq!(seen(&all).len(), 3);
        assert_eq!(seen(&cpu), ["c\\ pu,t=a v=1 1\n", "c\\ pu v=1 3\n"]);
        assert!(seen(&weekly).is_empty());
        taps.show(&target("d", Some("weekly")), &lines, NOW);
        assert_eq!((seen(&all).len(), seen(&weekly).len()), (3, 3));
    }

    #[test]
    fn no_more_are_shown_than_wished_for() {
        let taps = Taps::default();
        let (_tap, lines) = taps.open(wish("d", None, 10)).unwrap();
        let many = Texts((0..5000).map(|number| format!("m v={number} 1")).collect());
        let mut now = NOW;
        let mut count = 0;
        for _ in 0..100 {
            taps.show(&target("d", None), &many, now);
            count += seen(&lines).len();
            now = now.after(std::time::Duration::from_millis(100));
        }
        // Ten seconds, and the burst of the first one.
        assert!((100..=125).contains(&count), "{count}");
    }

    #[test]
    fn nobody_who_looks_away_makes_anybody_wait() {
        let taps = Taps::default();
        let (_tap, lines) = taps.open(wish("d", None, 1_000_000)).unwrap();
        let many = Texts((0..5000).map(|number| format!("m v={number} 1")).collect());
        taps.show(&target("d", None), &many, NOW);
        assert_eq!(seen(&lines).len(), LINES_WAITING_MAX);
        drop(lines);
        taps.show(&target("d", None), &many, NOW);
    }

    #[test]
    fn the_flag_is_up_while_somebody_looks_and_there_are_only_so_many() {
        let taps = Taps::default();
        assert!(!taps.is_open());
        let all: Vec<_> = (0..TAPS_MAX).map(|_| taps.open(wish("d", None, 1)).unwrap()).collect();
        assert!(taps.open(wish("d", None, 1)).is_none());
        for (number, (tap, _)) in all.iter().enumerate() {
            assert!(taps.is_open(), "{number}");
            taps.close(tap);
        }
        assert!(!taps.is_open());
        assert!(taps.open(wish("d", None, 1)).is_some());
    }
}
