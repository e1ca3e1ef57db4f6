//! The order window that new frames carry. Pure.
//!
//! A client may have read the window a while ago and rely on it, so a window that grows counts only when
//! it has been published for some seconds; one that shrinks counts at once.

use crate::backend::board::ORDER_WINDOW_MIN;
use crate::base::time::Mono;
use std::collections::VecDeque;
use std::time::Duration;

/// Seconds for which a published window is kept to.
const KEPT: usize = 10;

/// The smallest published window of each of the last seconds.
#[derive(Debug, Default)]
pub struct Window {
    seconds: VecDeque<Duration>,
    newest: u64,
}

impl Window {
    /// The smallest window of all backends, at least once a second.
    pub fn publish(&mut self, now: Mono, smallest: Duration) {
        let second = now.0 / 1_000_000_000;
        match self.seconds.back_mut().filter(|_| second == self.newest) {
            Some(newest) => *newest = smallest.min(*newest),
            None => self.seconds.push_back(smallest),
        }
        self.newest = second;
        if self.seconds.len() > KEPT {
            self.seconds.pop_front();
        }
    }

    /// In milliseconds, for the header of a frame.
    pub fn note(&self) -> u16 {
        let kept = self.seconds.iter().min().filter(|_| self.seconds.len() == KEPT);
        let kept = kept.copied().unwrap_or(ORDER_WINDOW_MIN);
        u16::try_from(kept.as_millis()).unwrap_or(u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_that_grows_counts_later_and_one_that_shrinks_at_once() {
        let mut window = Window::default();
        let mut second = 0;
        let mut publish = |window: &mut Window, ms| {
            second += 1;
            window.publish(Mono(second * 1_000_000_000), Duration::from_millis(ms));
        };
        assert_eq!(window.note(), 100);
        for _ in 0..KEPT {
            publish(&mut window, 100);
        }
        for _ in 0..KEPT - 1 {
            publish(&mut window, 400);
            assert_eq!(window.note(), 100);
        }
        publish(&mut window, 400);
        assert_eq!(window.note(), 400);
        publish(&mut window, 200);
        assert_eq!(window.note(), 200);
    }
}
